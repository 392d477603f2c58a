//! What the kernel says about a process, asked from outside its container.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::dir::Dir;
use nix::fcntl::{OFlag, open, openat};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use nix::sys::statfs::fstatfs;

use super::inside::{Inside, identify};
use super::{groups, joined, layers};
use crate::belt::{Belt, CUT, Tree, read_mounts};
use crate::evidence::{Credentials, Descriptor, FileId, Mount, Seen};
use crate::sys;

/// How much is read of arguments or an environment, in bytes. Programs can make a
/// hundred times as much.
const LONGEST_STRINGS: u64 = 64 << 10;

/// Whom the command was started by, and in what surroundings.
pub struct Around<'a> {
    /// The runtime's pid.
    pub runtime: i32,
    /// The descriptors that it should have got from the runtime's caller.
    pub callers: &'a [(i32, FileId)],
    /// The runtime caller's root.
    pub root: &'a Inside,
    /// All processes of the sandbox.
    pub processes: &'a BTreeSet<i32>,
    pub trees: &'a [Tree],
}

/// Look at process `pid` (as the host counts), which holds still.
///
/// With `closely`, its namespaces and everything below its root are looked at as well.
/// Errors: the process is gone.
pub fn look(pid: i32, around: &Around, closely: bool) -> Result<Seen> {
    let proc = |name: &str| format!("/proc/{pid}/{name}");
    let root = Inside::of_process(pid).context("open the command's root")?;
    let directory = fs::metadata(proc("cwd")).context("stat the command's cwd")?;
    let name = |link: &str| {
        let name = fs::read_link(proc(link)).unwrap_or_default();
        crate::text::escape(name.as_os_str().as_bytes())
    };
    let root_mount = sys::mount_id(root.handle()).unwrap_or(0);
    let (view, identity) = match closely {
        true => (
            view_of_namespace(pid).unwrap_or_default(),
            joined::identity(pid).unwrap_or_default(),
        ),
        false => Default::default(),
    };
    let own_mounts = Mount::table(&mounts(pid));
    let overlay = own_mounts.iter().find(|mount| mount.id == root_mount);
    let overlay = overlay.and_then(|mount| layers::of(mount, &root, around.root));
    let status = status_of(pid);
    let namespaces = namespaces_of(pid);
    let neighbours = neighbours(around.processes, namespaces.get("pid"));
    let first = neighbours.iter().find(|(own, _)| *own == 1);
    let first = first.and_then(|(_, pid)| status_of(*pid));
    let mut of_runtime = namespaces_of(around.runtime);
    Ok(Seen {
        pid: status.as_ref().map_or(0, |status| status.inside),
        own_pid: status.as_ref().map_or(0, |status| status.own),
        first_name: first.map_or(String::new(), |first| {
            crate::text::escape(first.name.as_bytes())
        }),
        inhabitants: neighbours.iter().map(|(own, _)| *own).collect(),
        run_time: neighbours.iter().map(|(_, pid)| run_time(*pid)).sum(),
        alive: neighbours.iter().filter(|(_, pid)| is_alive(*pid)).count(),
        busy: neighbours.iter().filter(|(_, pid)| is_busy(*pid)).count(),
        cpus_allowed: status.map_or(String::new(), |status| status.cpus),
        listed: numbers_in(&root, "/proc"),
        hostname: identity.hostname,
        links: identity.links,
        queues: identity.queues,
        shown_links: names_in(&root, "/sys/class/net"),
        shown_lo_up: lo_by_sysfs(&root),
        groups: groups::of(pid, around.runtime, around.trees),
        in_runtimes_groups: groups::are_same(pid, around.runtime),
        credentials: credentials(pid),
        overlay,
        output_is_direct: true,
        distance: distance(pid, around.runtime),
        arguments: strings(&proc("cmdline")),
        environment: strings(&proc("environ")),
        descriptors: descriptors(pid, around.callers),
        root: root.id(),
        root_name: name("root"),
        directory: FileId {
            device: directory.dev(),
            inode: directory.ino(),
        },
        directory_name: name("cwd"),
        namespaces,
        own_mounts,
        mounts: view.mounts,
        beneath: view.beneath,
        of_caller: BTreeMap::new(),
        unread: view.unread,
        runtime_mount_namespace: of_runtime.remove("mnt"),
        runtime_children_namespace: of_runtime.remove("pid_for_children"),
        namespace_root: view.root,
        namespace_root_mount: view.root_mount,
        root_mount,
        files: match closely {
            true => root.files("/".as_ref()),
            false => BTreeMap::new(),
        },
    })
}

/// How many bytes and files are in use in the file system that this is on.
pub fn space(place: &File) -> (u64, u64) {
    fstatfs(place).map_or((0, 0), |s| {
        (
            (s.blocks() - s.blocks_free()) * s.block_size() as u64,
            s.files() - s.files_free(),
        )
    })
}

/// The processes in one PID namespace: how that numbers each, and its pid here.
fn neighbours(all: &BTreeSet<i32>, namespace: Option<&u64>) -> Vec<(i32, i32)> {
    let is_in = |pid: &&i32| {
        let link = fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        link.and_then(|link| number_of(&link)) == namespace.copied()
    };
    let own = |pid: &i32| Some((status_of(*pid)?.own, *pid));
    all.iter().filter(is_in).filter_map(own).collect()
}

/// Has a process not ended yet?
fn is_alive(pid: i32) -> bool {
    status_of(pid).is_some_and(|status| !status.zombie)
}

/// Does a process run, or want to?
fn is_busy(pid: i32) -> bool {
    status_of(pid).is_some_and(|status| status.busy)
}

/// How long a process has run by now, in nanoseconds (the first number in
/// /proc/PID/schedstat; the kernel's Documentation/scheduler/sched-stats.rst).
fn run_time(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"));
    let text = text.unwrap_or_default();
    text.split(' ')
        .next()
        .map_or(0, |first| first.parse().unwrap_or(0))
}

/// Has `lo` the flag IFF_UP, by its file in the container's /sys?
fn lo_by_sysfs(root: &Inside) -> Option<bool> {
    let path = Path::new("/sys/class/net/lo/flags");
    let file = root.open(path, OFlag::O_RDONLY, Mode::empty()).ok()?;
    let mut text = String::new();
    file.take(64).read_to_string(&mut text).ok()?;
    let flags = i32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()?;
    Some(flags & nix::libc::IFF_UP != 0)
}

/// The names in a directory of the container's.
fn names_in(root: &Inside, directory: &str) -> Vec<String> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let opened = root.open(directory.as_ref(), flags, Mode::empty());
    let Some(mut listing) =
        opened.ok().and_then(|file| Dir::from_fd(file.into()).ok())
    else {
        return Vec::new();
    };
    let names = listing
        .iter()
        .flatten()
        .map(|entry| crate::text::escape(entry.file_name().to_bytes()));
    let mut names: Vec<String> = names
        .filter(|name| !matches!(name.as_str(), "." | ".."))
        .take(5000)
        .collect();
    names.sort();
    names
}

fn numbers_in(root: &Inside, directory: &str) -> Vec<i32> {
    let names = names_in(root, directory);
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

fn strings(path: &str) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(LONGEST_STRINGS).read_to_end(&mut bytes);
    }
    let mut all: Vec<Vec<u8>> =
        bytes.split(|byte| *byte == 0).map(Vec::from).collect();
    all.pop(); // each string is terminated
    all
}

/// A process's mount table; empty if it can't be read.
fn mounts(pid: i32) -> String {
    let table = File::open(format!("/proc/{pid}/mountinfo"));
    table
        .and_then(|table| read_mounts(&table))
        .unwrap_or_default()
}

fn namespaces_of(pid: i32) -> BTreeMap<String, u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/ns")) else {
        return BTreeMap::new();
    };
    let number = |entry: fs::DirEntry| {
        let link = fs::read_link(entry.path()).ok()?;
        Some((entry.file_name().into_string().ok()?, number_of(&link)?))
    };
    entries.flatten().filter_map(number).collect()
}

/// The number in `pid:[4026531836]`.
fn number_of(link: &Path) -> Option<u64> {
    link.to_str()?.split(['[', ']']).nth(1)?.parse().ok()
}

fn descriptors(pid: i32, callers: &[(i32, FileId)]) -> Vec<Descriptor> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    let mut all: Vec<Descriptor> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let target = fs::read_link(entry.path()).ok()?;
            let file = fs::metadata(entry.path()).ok();
            let id = file.map(|f| FileId {
                device: f.dev(),
                inode: f.ino(),
            });
            let same = callers.iter().find(|(_, caller)| Some(*caller) == id);
            Some(Descriptor {
                number,
                target: crate::text::escape(target.as_os_str().as_bytes()),
                callers: same.map(|(number, _)| *number),
            })
        })
        .collect();
    all.sort_by_key(|descriptor| descriptor.number);
    all
}

/// Who a process is, and what it may do.
fn credentials(pid: i32) -> Option<Credentials> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let field = |name: &str| {
        let mut lines = status.lines();
        Some(lines.find_map(|line| line.strip_prefix(name))?.trim())
    };
    // Real, effective, saved, and that for files.
    let effective = |name| field(name)?.split('\t').nth(1)?.parse::<u32>().ok();
    let (user, group) = (effective("Uid:")?, effective("Gid:")?);
    let last = fs::read_to_string("/proc/sys/kernel/cap_last_cap").ok();
    let last: u32 = last.and_then(|text| text.trim().parse().ok()).unwrap_or(40);
    Some(Credentials {
        user: number_inside(&read("uid_map")?, user),
        group: number_inside(&read("gid_map")?, group),
        host_user: user,
        host_group: group,
        capabilities: u64::from_str_radix(field("CapEff:")?, 16).ok()?,
        every_capability: u64::MAX >> 63_u32.saturating_sub(last),
    })
}

/// What an id of the host's is called in a user namespace with this map. Each line: the
/// first id inside, the first one outside, how many (man 7 user_namespaces).
fn number_inside(map: &str, id: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let mut next = || numbers.next()?.ok();
        let (inside, outside, count) = (next()?, next()?, next()?);
        let steps = id.checked_sub(outside)?;
        (steps < count).then(|| inside + steps)
    })
}

/// Some lines of /proc/PID/status.
pub struct Status {
    pub name: String,
    pub parent: i32,
    /// Its pid in the sandbox: the second namespace's, counted from the host's.
    pub inside: i32,
    /// Its pid in its own PID namespace.
    pub own: i32,
    pub zombie: bool,
    /// Stopped by a signal?
    pub stopped: bool,
    /// Has it something to do? Others wait, or have ended.
    pub busy: bool,
    pub resident: u64,
    /// The CPUs that it may run on.
    pub cpus: String,
}

pub fn status_of(pid: i32) -> Option<Status> {
    let text = fs::read(format!("/proc/{pid}/status")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().to_owned())
    };
    let ids = field("NSpid:")?;
    // Not the code, which they share (VmRSS).
    let memory = [field("RssAnon:"), field("RssShmem:")]
        .into_iter()
        .flatten();
    let kilobytes = |text: String| text.trim_end_matches(" kB").parse::<u64>().ok();
    Some(Status {
        name: field("Name:")?,
        parent: field("PPid:")?.parse().ok()?,
        inside: ids.split_whitespace().nth(1)?.parse().ok()?,
        own: ids.split_whitespace().last()?.parse().ok()?,
        cpus: field("Cpus_allowed_list:").unwrap_or_default(),
        zombie: field("State:")?.starts_with('Z'),
        stopped: field("State:")?.starts_with(['T', 't']),
        busy: field("State:")?.starts_with('R'),
        resident: memory.filter_map(kilobytes).sum::<u64>() * 1024,
    })
}

/// Steps from `pid` up to `ancestor`.
fn distance(pid: i32, ancestor: i32) -> Option<u32> {
    let mut current = pid;
    for steps in 0..64 {
        if current == ancestor {
            return Some(steps);
        }
        current = status_of(current)?.parent;
    }
    None
}

/// Every descendant of `pid`, zombies included.
pub fn descendants(pid: i32) -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    let mut todo = vec![pid];
    while let Some(next) = todo.pop() {
        let Ok(threads) = fs::read_dir(format!("/proc/{next}/task")) else {
            continue;
        };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children"));
            for child in children.unwrap_or_default().split_whitespace() {
                if let Ok(child) = child.parse() {
                    if found.insert(child) {
                        todo.push(child);
                    }
                }
            }
        }
    }
    found
}

/// The processor's time that these have taken, in ticks (man 5 proc_pid_stat: utime and
/// stime, behind a name that may hold anything).
pub fn processor_time(pids: &BTreeSet<i32>) -> u64 {
    let time = |pid: &i32| {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let (_, behind) = stat.rsplit_once(')')?;
        let both = behind.split_whitespace().skip(11).take(2);
        Some(both.filter_map(|one| one.parse::<u64>().ok()).sum::<u64>())
    };
    pids.iter().filter_map(time).sum()
}

/// Bytes in the tmpfs mounts that these processes have.
pub fn tmpfs_bytes(pids: &BTreeSet<i32>) -> u64 {
    let mut namespaces = BTreeSet::new();
    let mut file_systems = BTreeMap::new();
    for pid in pids {
        let Ok(namespace) = fs::read_link(format!("/proc/{pid}/ns/mnt")) else {
            continue;
        };
        if !namespaces.insert(namespace) {
            continue;
        }
        let Ok(root) = Inside::of_process(*pid) else {
            continue;
        };
        for mount in Mount::table(&mounts(*pid)) {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
            let known = file_systems.contains_key(&mount.device);
            if mount.kind != "tmpfs" || known || mount.options.starts_with("ro") {
                continue;
            }
            let used = root
                .open(mount.point.as_ref(), flags, Mode::empty())
                .and_then(|handle| fstatfs(&handle))
                .ok()
                .filter(|s| s.filesystem_type() == nix::sys::statfs::TMPFS_MAGIC)
                .map(|s| (s.blocks() - s.blocks_free()) * s.block_size() as u64);
            file_systems.insert(mount.device, used.unwrap_or(0));
        }
    }
    file_systems.values().sum()
}

/// The host's memory, in bytes (man 5 proc, "meminfo").
pub struct HostMemory {
    pub total: u64,
    pub available: u64,
}

impl HostMemory {
    pub fn now() -> Self {
        let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number
                .and_then(|number| number.parse::<u64>().ok())
                .unwrap_or(0)
                * 1024
        };
        Self {
            total: field("MemTotal:"),
            available: field("MemAvailable:"),
        }
    }
}

/// Bytes that a sandbox's programs hold. The cgroup knows. Without one: what they
/// hold as processes, and in file systems of their own. What else there is (memfd,
/// SysV segments, pipes, sockets, mounts) is seen when it has brought the whole
/// machine close to its end: then what is gone since the beginning counts as theirs.
pub fn used_memory(belt: &Belt, pids: &BTreeSet<i32>, first: &HostMemory) -> u64 {
    if let Some(memory) = belt.memory() {
        return memory.used();
    }
    let resident = |pid: &i32| status_of(*pid).map(|status| status.resident);
    let processes: u64 = pids.iter().filter_map(resident).sum();
    let host = HostMemory::now();
    let gone = first.available.saturating_sub(host.available);
    match host.available < host.total / 20 {
        true => processes.max(gone),
        false => processes.max(tmpfs_bytes(pids)),
    }
}

/// This very executable, to recognise processes that run a copy of it.
pub struct Own {
    file: File,
    /// Is a file of this length a copy? By device, inode, and the time of change,
    /// which nobody can set.
    copies: RefCell<BTreeMap<(u64, u64, i64, i64), bool>>,
}

impl Own {
    pub fn open() -> Result<Self> {
        let file = File::open("/proc/self/exe").context("open /proc/self/exe")?;
        Ok(Self {
            file,
            copies: RefCell::default(),
        })
    }

    /// Is this process running this program, byte for byte?
    pub fn is_run_by(&self, pid: i32) -> bool {
        self.is_exe_of(pid) && has_executed(pid)
    }

    /// Does /proc/PID/exe lead to this program? A process may set that link itself
    /// (PR_SET_MM_MAP, man 2 prctl).
    fn is_exe_of(&self, pid: i32) -> bool {
        let Ok(running) = File::open(format!("/proc/{pid}/exe")) else {
            return false;
        };
        let Ok(m) = running.metadata() else {
            return false;
        };
        let version = (m.dev(), m.ino(), m.ctime(), m.ctime_nsec());
        if let Some(known) = self.copies.borrow().get(&version) {
            return *known;
        }
        let alike = m.is_file()
            && self.file.metadata().is_ok_and(|own| own.len() == m.len());
        if !alike {
            return false;
        }
        let same = same_content(&self.file, &running, m.len()).unwrap_or(false);
        self.copies.borrow_mut().insert(version, same);
        same
    }
}

/// Has this process called exec since it was forked, and runs what its files say? Code
/// that was moved into memory of no file could be any program's.
fn has_executed(pid: i32) -> bool {
    const PF_FORKNOEXEC: u64 = 0x40;
    let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).ok();
    let text = |name: &str| Some(String::from_utf8_lossy(&read(name)?).into_owned());
    let flags = text("stat").and_then(|stat| {
        let (_, fields) = stat.rsplit_once(") ")?;
        fields.split(' ').nth(6)?.parse::<u64>().ok()
    });
    let (Some(maps), Ok(exe)) =
        (text("maps"), fs::read_link(format!("/proc/{pid}/exe")))
    else {
        return false;
    };
    // Range, rights, offset, device, inode, name (man 5 proc, "/proc/pid/maps").
    let code = maps.lines().filter_map(|line| {
        let mut fields = line.splitn(6, ' ');
        let rights = fields.nth(1)?;
        let name = fields.nth(3).unwrap_or_default().trim_start();
        rights.contains('x').then_some(name)
    });
    let code: Vec<&str> = code.collect();
    let exe = exe.to_string_lossy();
    flags.is_some_and(|flags| flags & PF_FORKNOEXEC == 0)
        && code.iter().all(|name| !name.is_empty())
        && code.iter().any(|name| *name == exe)
}

fn same_content(one: &File, other: &File, length: u64) -> std::io::Result<bool> {
    let (mut left, mut right) = (vec![0; 1 << 18], vec![0; 1 << 18]);
    let mut offset = 0;
    while offset < length {
        let count = (length - offset).min(1 << 18) as usize;
        one.read_exact_at(&mut left[..count], offset)?;
        other.read_exact_at(&mut right[..count], offset)?;
        if left[..count] != right[..count] {
            return Ok(false);
        }
        offset += count as u64;
    }
    Ok(true)
}

/// A mount namespace as a whole.
#[derive(Default)]
struct View {
    root: FileId,
    root_mount: u64,
    mounts: Vec<Mount>,
    beneath: Vec<Mount>,
    unread: Option<String>,
}

/// What the helper says when it could make no copy of the namespace: nobody knows then
/// what is beneath.
const NO_COPY: &str = "no copy: ";

/// The process's mount namespace. Its own mountinfo leaves out what its root can't
/// reach; so a helper joins the namespace, where its root is the namespace's
/// (man 2 setns, "mount namespaces").
fn view_of_namespace(pid: i32) -> Result<View> {
    let namespace = joined::namespace(pid, "mnt")?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let proc = open("/proc", flags, Mode::empty()).context("open /proc")?;
    let text = joined::in_helper(|| tell_of_namespace(&namespace, &proc))?;
    let text = String::from_utf8_lossy(&text);
    let (first, tables) = text.split_once('\n').unwrap_or_default();
    let numbers: Vec<u64> = first.split(' ').flat_map(str::parse).collect();
    let [root_mount, device, inode] = numbers[..] else {
        bail!("the mount namespace of process {pid} can't be joined");
    };
    let root = FileId { device, inode };
    let (table, beneath) = tables.split_once("\n\n").unwrap_or((tables, ""));
    let no_copy = beneath.lines().find(|line| line.starts_with(NO_COPY));
    let unread = match text.contains(CUT) {
        true => Some("the mount table has no end".to_owned()),
        false => no_copy.map(|line| format!("the mount namespace: {line}")),
    };
    let (mounts, beneath) = (Mount::table(table), Mount::table(beneath));
    Ok(View {
        root,
        root_mount,
        mounts,
        beneath,
        unread,
    })
}

/// The helper's part: join the namespace; tell its root, its mount table, an empty
/// line, and the table of what is hidden beneath its root.
fn tell_of_namespace(
    namespace: &(OwnedFd, OwnedFd),
    proc: &OwnedFd,
) -> Result<Vec<u8>> {
    let table = || -> Result<Vec<u8>> {
        let table = openat(proc, "self/mountinfo", OFlag::O_RDONLY, Mode::empty())?;
        Ok(read_mounts(&table.into())?.into_bytes())
    };
    joined::join(namespace, CloneFlags::CLONE_NEWNS)?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = open("/", flags, Mode::empty()).context("open /")?;
    let id = sys::mount_id(&root)?;
    let FileId { device, inode } = identify(&root);
    let mut text = format!("{id} {device} {inode}\n").into_bytes();
    text.extend(table()?);
    text.push(b'\n');
    // The root may be a mount that was moved on top of the old root, instead of in
    // its place. In a copy of the namespace, take it off and look again.
    // A limit that root in the container has set can forbid that
    // (/proc/sys/user/max_mnt_namespaces).
    if let Err(errno) = unshare(CloneFlags::CLONE_NEWNS) {
        text.extend(format!("\n{NO_COPY}{errno:?}\n").into_bytes());
        return Ok(text);
    }
    let lifted = (|| -> Result<Vec<u8>> {
        let (none, private) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
        mount(none, "/", none, private, none)?;
        umount2("/", MntFlags::MNT_DETACH)?;
        let copy = openat(proc, "self/ns/mnt", OFlag::O_RDONLY, Mode::empty())?;
        setns(copy, CloneFlags::CLONE_NEWNS)?;
        table()
    })();
    text.extend(lifted.unwrap_or_default());
    Ok(text)
}

/// Identity of one of our own open files.
pub fn own(fd: &impl AsFd) -> FileId {
    identify(fd)
}

//! What a behaviour has at hand: the command line, what may be used up, what belongs
//! to the host, and the calls that many need.

use super::*;

/// What a behaviour knows and may use up.
pub struct Stage {
    pub name: &'static str,
    /// All arguments, from `run` on.
    pub args: Vec<OsString>,
    /// What stands behind `--`.
    pub command: Vec<OsString>,
    pub container_dir: PathBuf,
    pub image_dir: PathBuf,
    pub deadline: Instant,
    pub host: Host,
    pub spent: &'static Spent,
    /// The lesser of `MOST_BYTES` and half of the memory that is free.
    pub most_bytes: u64,
}

/// What all our processes together have used, in memory that they share.
#[derive(Default)]
pub struct Spent {
    pub processes: AtomicU64,
    pub bytes: AtomicU64,
    pub descriptors: AtomicU64,
    pub marks: AtomicU64,
    pub levels: AtomicU64,
}

impl Stage {
    pub fn new(name: &'static str, args: &[OsString]) -> Result<Stage> {
        let end = args
            .iter()
            .position(|arg| arg == "--")
            .unwrap_or(args.len());
        let option = |name: &str, default: &str| {
            let (options, equals) = (&args[..end], format!("{name}="));
            let joined = options.iter().find_map(|arg| {
                Some(OsStr::from_bytes(
                    arg.as_bytes().strip_prefix(equals.as_bytes())?,
                ))
            });
            let apart = options.iter().position(|arg| arg == name);
            let apart = apart.and_then(|at| options.get(at + 1));
            PathBuf::from(
                joined
                    .or(apart.map(|s| s.as_os_str()))
                    .unwrap_or(default.as_ref()),
            )
        };
        let asked = std::env::var("RUBBER_CRAB_HOSTILE_SECONDS");
        let seconds = asked
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(LONGEST);
        Ok(Stage {
            name,
            args: args.to_vec(),
            command: args.get(end + 1..).unwrap_or_default().to_vec(),
            container_dir: option("--container-dir", "/workshop/containers"),
            image_dir: option("--image-dir", "/workshop/images"),
            deadline: Instant::now()
                + Duration::from_secs(seconds.clamp(1, LONGEST)),
            host: Host::from_environment(),
            spent: Spent::shared()?,
            most_bytes: MOST_BYTES.min(memory_available() / 2),
        })
    }

    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    pub fn over(&self) -> bool {
        self.left().is_zero()
    }

    pub fn hold(&self) {
        while !self.over() {
            std::thread::sleep(self.left());
        }
    }

    /// Has the kernel end this process at the deadline. Not inherited by a fork, so
    /// every child does it again; kept by execve (man 2 alarm).
    pub fn set_alarm(&self) {
        extern "C" fn end(_: c_int) {
            // SAFETY: async-signal-safe (man 7 signal-safety).
            unsafe { libc::_exit(124) }
        }
        let handler: extern "C" fn(c_int) = end;
        // A handler, since the default action wouldn't end the init of a pid
        // namespace. SAFETY: the handler makes one call, and that is allowed
        // in handlers.
        unsafe {
            libc::signal(libc::SIGALRM, handler as libc::sighandler_t);
            libc::alarm((self.left().as_secs() + 1) as u32);
        }
        let mut alarm = SigSet::empty();
        alarm.add(nix::sys::signal::SIGALRM);
        let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&alarm), None);
        // A full pipe or a file at its limit is an error here, not the end.
        ignore(libc::SIGXFSZ);
        ignore(libc::SIGPIPE);
    }

    /// Forks a child that lives `life` and ends; it ends at the deadline in any
    /// case.
    pub fn child(&self, life: impl FnOnce()) -> Result<Pid> {
        if !take(&self.spent.processes, 1, MOST_PROCESSES) {
            bail!("fork: {MOST_PROCESSES} processes are enough");
        }
        // SAFETY: one thread in every process of this program.
        match unsafe { fork() } {
            Ok(ForkResult::Parent { child }) => Ok(child),
            Ok(ForkResult::Child) => {
                self.set_alarm();
                life();
                self.spent.processes.fetch_sub(1, Relaxed);
                // SAFETY: ends the child only; nothing of the parent's is run twice.
                unsafe { libc::_exit(0) }
            }
            Err(error) => {
                self.spent.processes.fetch_sub(1, Relaxed);
                bail!("fork: {error}")
            }
        }
    }

    /// A daemon in the classic way: fork, a session of its own, fork. Its parent
    /// ends.
    pub fn daemon(&self, life: impl FnOnce()) -> Result<()> {
        let parent = self.child(|| {
            let _ = setsid();
            let _ = self.child(life);
        })?;
        let _ = waitpid(parent, None);
        Ok(())
    }

    pub fn take_bytes(&self, bytes: usize) -> bool {
        take(&self.spent.bytes, bytes as u64, self.most_bytes)
    }

    /// Leaves a small file in `dir`, and reports it when `dir` is the host's.
    pub fn mark(&self, dir: &Path) -> io::Result<()> {
        let hosts = self.host.owns(dir);
        if hosts && !take(&self.spent.marks, 1, MOST_MARKS) {
            return Err(io::Error::other("enough marks"));
        }
        let path = dir.join(format!("{MARK}-{}-{}", self.name, std::process::id()));
        let made = OpenOptions::new().write(true).create_new(true).open(&path);
        match made {
            Ok(mut file) => {
                let _ =
                    writeln!(file, "made by the checker's test program; remove it");
                if hosts {
                    self.host.touched(&format!("made {}", path.display()));
                }
                Ok(())
            }
            Err(error) => {
                if hosts {
                    self.spent.marks.fetch_sub(1, Relaxed);
                }
                Err(error)
            }
        }
    }

    /// Directories to try, most promising first, each once.
    pub fn places(&self) -> Vec<PathBuf> {
        let mut places = vec![self.container_dir.clone(), self.image_dir.clone()];
        let fixed = "/workshop /tmp /dev/shm /dev /var/tmp /run /run/lock /run/user / \
             /etc /root /home /usr /usr/local /opt /srv /mnt /media /var /var/cache \
             /var/lib /var/log /var/mail /var/spool/cron /etc/cron.d /dev/mqueue";
        places.extend(fixed.split_whitespace().map(PathBuf::from));
        for name in [
            "HOME",
            "XDG_RUNTIME_DIR",
            "TMPDIR",
            "CARGO_TARGET_DIR",
            "PWD",
        ] {
            places.extend(std::env::var_os(name).map(PathBuf::from));
        }
        places.extend(std::env::current_dir());
        let homes = fs::read_dir("/home").into_iter().flatten().flatten();
        places.extend(homes.map(|entry| entry.path()));
        let executables = pids()
            .into_iter()
            .map(|pid| fs::read_link(format!("/proc/{pid}/exe")));
        let executables = executables.flatten().chain(std::env::current_exe());
        places.extend(
            executables.filter_map(|path| path.parent().map(Path::to_owned)),
        );
        // A look into an automount would mount something.
        let mounts = mounts().into_iter().filter(|mount| mount.kind != "autofs");
        places.extend(mounts.map(|mount| mount.at));
        let mut seen = std::collections::HashSet::new();
        places.retain(|place| {
            place.is_dir()
                && fs::canonicalize(place).is_ok_and(|path| seen.insert(path))
        });
        places
    }

    /// Sees to it that mounts made and undone from here on are not the host's: the
    /// sandbox's own namespace is kept, another is left for a copy.
    pub fn enter_mounts(&self) -> Result<()> {
        if !self.host.shares("mnt") {
            return Ok(());
        }
        say("the mount namespace may be the host's: using a copy");
        unshare(CloneFlags::CLONE_NEWNS).context("unshare CLONE_NEWNS")?;
        mount_flags("/", MsFlags::MS_REC | MsFlags::MS_PRIVATE)
            .context("mount rprivate /")
    }
}

impl Spent {
    pub fn shared() -> Result<&'static Spent> {
        let memory = map(libc::MAP_SHARED, 4096).context("mmap shared")?;
        // SAFETY: page-aligned, zeroed, large enough, and never unmapped.
        Ok(unsafe { &*memory.cast::<Spent>() })
    }
}

/// Takes `amount` of what is limited to `most`; false when that much isn't left.
pub fn take(spent: &AtomicU64, amount: u64, most: u64) -> bool {
    if spent.fetch_add(amount, Relaxed) + amount <= most {
        return true;
    }
    spent.fetch_sub(amount, Relaxed);
    false
}

/// What belongs to the host: its namespaces and the devices of its file systems, as
/// a list `pid=4026531836,…,dev=259:2,…`. `None` stands for "not known", and then
/// all does.
pub struct Host(pub Option<String>);

pub const NAMESPACES: [&str; 7] =
    ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"];

impl Host {
    /// The host this process is on. To be called outside the sandbox.
    pub fn describe() -> Result<String> {
        let mut facts = Vec::new();
        for name in NAMESPACES {
            let inode =
                namespace(name).with_context(|| format!("/proc/self/ns/{name}"))?;
            facts.push(format!("{name}={inode}"));
        }
        facts.extend(
            mounts()
                .into_iter()
                .map(|mount| format!("dev={}", mount.device)),
        );
        facts.sort();
        facts.dedup();
        Ok(facts.join(","))
    }

    pub fn from_environment() -> Host {
        Host(std::env::var("RUBBER_CRAB_HOSTILE_HOST").ok())
    }

    /// Something that counts as the host's could be changed: an escape, if that is
    /// known.
    pub fn touched(&self, what: &str) {
        match self.0 {
            Some(_) => escaped(what),
            None => say(&format!("{what} (the host's, or the sandbox's own)")),
        }
    }

    pub fn says(&self, fact: &str) -> bool {
        match &self.0 {
            Some(facts) => facts.split(',').any(|known| known == fact),
            None => true,
        }
    }

    /// Is this process in the host's namespace of that kind?
    pub fn shares(&self, name: &str) -> bool {
        namespace(name).is_none_or(|inode| self.says(&format!("{name}={inode}")))
    }

    /// Is what is stored at `path` the host's? Only a tmpfs or devpts that the host
    /// doesn't know is the sandbox's. Only those, because others (btrfs) have
    /// devices that no table shows.
    pub fn owns(&self, path: &Path) -> bool {
        let (Ok(metadata), Ok(system)) = (fs::metadata(path), statfs(path)) else {
            return true;
        };
        let device = metadata.dev();
        let device = format!("dev={}:{}", libc::major(device), libc::minor(device));
        let kinds = [statfs::TMPFS_MAGIC, statfs::DEVPTS_SUPER_MAGIC];
        !kinds.contains(&system.filesystem_type()) || self.says(&device)
    }
}

/// The inode that identifies this process's namespace of that kind (man 7
/// namespaces).
pub fn namespace(name: &str) -> Option<u64> {
    Some(fs::metadata(format!("/proc/self/ns/{name}")).ok()?.ino())
}

/// A line of /proc/self/mountinfo, as far as it matters here.
pub struct Mount {
    pub device: String,
    pub at: PathBuf,
    pub kind: String,
}

/// The mounts in sight, in the order in which they were made (man 5
/// proc_pid_mountinfo).
pub fn mounts() -> Vec<Mount> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let table = String::from_utf8_lossy(&table);
    let parse = |line: &str| {
        let mut fields = line.split(' ');
        Some(Mount {
            device: fields.nth(2)?.to_owned(),
            at: PathBuf::from(fields.nth(1)?.replace("\\040", " ")),
            kind: fields.skip_while(|field| *field != "-").nth(1)?.to_owned(),
        })
    };
    table.lines().filter_map(parse).collect()
}

/// The processes in sight, but for this one.
pub fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let own = std::process::id() as i32;
    entries
        .flatten()
        .filter_map(number)
        .filter(|pid| *pid != own)
        .collect()
}

/// Bytes; 0 when it can't be read, and then nothing is allocated.
pub fn memory_available() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line
        .and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// A line on stderr. Errors are passed over: stderr may be closed, or full.
pub fn say(text: &str) {
    let _ = io::stderr().write_all(format!("hostile: {text}\n").as_bytes());
}

/// Something worked that must not.
pub fn escaped(what: &str) {
    say(&format!("ESCAPED: {what}"));
}

/// Reports success of a call that the host alone may make.
pub fn must_fail(call: &str, status: c_long) {
    if status >= 0 {
        escaped(call);
    }
}

pub fn nap() {
    std::thread::sleep(Duration::from_millis(1));
}

pub fn ignore(signal: c_int) {
    // SAFETY: no handler is installed, only a disposition is set.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

pub fn c_string(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).unwrap_or_default()
}

/// `bytes` of zeroed memory of our own (`MAP_PRIVATE`) or for children too
/// (`MAP_SHARED`).
pub fn map(flag: c_int, bytes: usize) -> Result<*mut c_void, Errno> {
    map_file(-1, flag | libc::MAP_ANONYMOUS, bytes)
}

pub fn map_file(
    fd: RawFd,
    flags: c_int,
    bytes: usize,
) -> Result<*mut c_void, Errno> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let nowhere = std::ptr::null_mut();
    // SAFETY: the kernel chooses the address; nothing that exists is replaced.
    let memory = unsafe { libc::mmap(nowhere, bytes, access, flags, fd, 0) };
    if memory == libc::MAP_FAILED {
        Err(Errno::last())
    } else {
        Ok(memory)
    }
}

/// Writes to each page of a mapping, so that it takes real memory.
pub fn touch(memory: *mut c_void, bytes: usize) {
    for offset in (0..bytes).step_by(4096) {
        // SAFETY: within the mapping that the caller has just made.
        unsafe { memory.cast::<u8>().add(offset).write_volatile(1) };
    }
}

pub fn mount_flags(path: impl AsRef<Path>, flags: MsFlags) -> nix::Result<()> {
    mount(
        None::<&str>,
        path.as_ref(),
        None::<&str>,
        flags,
        None::<&str>,
    )
}

pub fn mount_tmpfs(path: &Path, options: &str) -> nix::Result<()> {
    let source = Some("hostile");
    mount(source, path, Some("tmpfs"), MsFlags::empty(), Some(options))
}

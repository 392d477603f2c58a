//! The host of the test: what listens on it, what is left on it, and how much memory
//! those who grade take.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The first of the ids that root's sandboxes stand for.
const SANDBOX_IDS: u32 = 0x7000_0000;
/// What hostile programs call their files.
const MARK: &str = "rubber-crab-hostile";
/// How long what ends may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who would hear of it if anybody came to the host's network.
pub struct Listeners {
    pub port: u16,
    /// The host's own address, as others see it.
    pub address: String,
    tcp: TcpListener,
    udp: UdpSocket,
    local: UnixListener,
}

impl Listeners {
    pub fn open() -> Self {
        let tcp = TcpListener::bind("0.0.0.0:0").expect("a listener");
        let port = tcp.local_addr().expect("an address").port();
        let udp = UdpSocket::bind(("0.0.0.0", port)).expect("a socket");
        let name = SocketAddr::from_abstract_name(format!("rubber-crab-{port}"));
        let local =
            UnixListener::bind_addr(&name.expect("a name")).expect("a listener");
        tcp.set_nonblocking(true).expect("O_NONBLOCK");
        udp.set_nonblocking(true).expect("O_NONBLOCK");
        local.set_nonblocking(true).expect("O_NONBLOCK");
        // Nothing is sent: only a route is looked for.
        let probe = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        let routed = probe.connect(("192.0.2.1", 9));
        let own = routed.and_then(|()| probe.local_addr()).ok();
        Self {
            port,
            address: own.map_or("127.0.0.1".into(), |own| own.ip().to_string()),
            tcp,
            udp,
            local,
        }
    }

    /// Who came?
    pub fn heard(&self) -> Vec<String> {
        let nobody = ErrorKind::WouldBlock;
        let mut came = Vec::new();
        if !self.tcp.accept().is_err_and(|error| error.kind() == nobody) {
            came.push("somebody came by TCP".to_owned());
        }
        if !self
            .local
            .accept()
            .is_err_and(|error| error.kind() == nobody)
        {
            came.push("somebody came by a Unix socket".to_owned());
        }
        if let Ok((count, who)) = self.udp.recv_from(&mut [0; 64]) {
            came.push(format!("{count} bytes by UDP from {who}"));
        }
        came
    }
}

/// What a sandbox could have left on the host.
pub struct Host(BTreeSet<String>);

impl Host {
    /// `secret` is in the environment of our checkers.
    pub fn now(secret: &str) -> Self {
        let mut all = BTreeSet::new();
        for kind in ["msg", "sem", "shm"] {
            let table = fs::read_to_string(format!("/proc/sysvipc/{kind}"));
            let objects = table.unwrap_or_default();
            let ids = objects.lines().skip(1).filter_map(|line| {
                let mut words = line.split_whitespace();
                Some(format!("{kind} {} {}", words.next()?, words.next()?))
            });
            all.extend(ids);
        }
        groups(Path::new("/sys/fs/cgroup"), secret, &mut all);
        for place in ["/tmp", "/var/tmp", "/dev/shm", "/run"] {
            files(Path::new(place), 2, &mut all);
        }
        Self(all)
    }

    /// What is there, and wasn't before; and what is connected with this folder.
    pub fn left_since(before: &Self, secret: &str, folder: &Path) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let now = Self::now(secret).0;
            let mut left: Vec<String> = now.difference(&before.0).cloned().collect();
            left.extend(processes(secret, folder));
            let name = folder.to_str().expect("UTF-8");
            let mounts =
                fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            let ours = mounts.lines().filter(|line| line.contains(name));
            left.extend(ours.map(|line| format!("mount {line}")));
            if left.is_empty() || begun.elapsed() > PATIENCE {
                return left;
            }
            sleep(Duration::from_millis(100));
        }
    }
}

/// Groups of sandboxes, but for those of other people's checkers.
fn groups(folder: &Path, secret: &str, all: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let name = entry.file_name().to_string_lossy().into_owned();
        let janitor = name.strip_prefix("rubber-crab-");
        match janitor.map(|pid| Path::new("/proc").join(pid)) {
            Some(pid) if pid.exists() && !bears(&pid, secret) => {}
            Some(_) => {
                all.insert(format!("group {}", entry.path().display()));
            }
            None if is_folder => groups(&entry.path(), secret, all),
            None => {}
        }
    }
}

fn bears(process: &Path, secret: &str) -> bool {
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    String::from_utf8_lossy(&environment).contains(secret)
}

/// Processes that see our folder in their mounts, or bear our secret.
fn processes(secret: &str, folder: &Path) -> Vec<String> {
    let name = folder.to_str().expect("UTF-8");
    let mut left = Vec::new();
    for entry in fs::read_dir("/proc").expect("readdir /proc").flatten() {
        let path = entry.path();
        let pid = entry.file_name().to_string_lossy().parse::<u32>();
        if pid.is_err() || pid == Ok(std::process::id()) {
            continue;
        }
        let mounts = fs::read_to_string(path.join("mountinfo")).unwrap_or_default();
        if mounts.contains(name) || bears(&path, secret) {
            let command = fs::read_to_string(path.join("comm")).unwrap_or_default();
            left.push(format!("process {}: {}", path.display(), command.trim()));
        }
    }
    left
}

fn files(folder: &Path, depth: usize, all: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(data) = path.symlink_metadata() else {
            continue;
        };
        let name = entry.file_name();
        if name.to_string_lossy().contains(MARK) || data.uid() >= SANDBOX_IDS {
            all.insert(format!("file {}", path.display()));
        }
        if data.is_dir() && depth > 1 {
            files(&path, depth - 1, all);
        }
    }
}

/// The most bytes of memory that a `grade` has had so far, and one of its checkers.
pub fn peak_memory(grade: u32, before: (u64, u64)) -> (u64, u64) {
    let (mut own, mut others) = before;
    own = own.max(high_water(&PathBuf::from(format!("/proc/{grade}"))));
    let children = format!("/proc/{grade}/task");
    for thread in fs::read_dir(children).into_iter().flatten().flatten() {
        let list = fs::read_to_string(thread.path().join("children"));
        for child in list.unwrap_or_default().split_whitespace() {
            let child = Path::new("/proc").join(child);
            let command = fs::read(child.join("cmdline")).unwrap_or_default();
            // The one that makes things ready reads itself, and starts cargo.
            if command.ends_with(b"judge\0") {
                others = others.max(high_water(&child));
            }
        }
    }
    (own, others)
}

fn high_water(process: &Path) -> u64 {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number
        .and_then(|kib| kib.trim().parse::<u64>().ok())
        .unwrap_or(0)
        << 10
}

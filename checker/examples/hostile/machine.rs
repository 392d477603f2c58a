//! Behaviours against the machine: the kernel, its devices, its network.

use super::*;

/// Files of the kernel's. What belongs to a namespace of the sandbox may be written.
/// What is the machine's gets its old value back, or one that does no harm but can
/// be seen.
pub fn write_proc_sys(stage: &Stage) -> Result<()> {
    try_write("/proc/sysrq-trigger", "h");
    try_write("/proc/self/oom_score_adj", "-1000");
    try_write("/proc/sys/kernel/core_pattern", "rubber-crab-core");
    try_write("/proc/sys/kernel/printk_ratelimit_burst", "11");
    try_write("/proc/sys/vm/dirty_expire_centisecs", "3001");
    try_write("/proc/sys/vm/drop_caches", "1");
    // The namespace's own: allowed there, and to be seen outside if it isn't.
    let _ = fs::write("/proc/sys/kernel/domainname", MARK);
    if !stage.host.shares("uts") {
        let _ = fs::write("/proc/sys/kernel/hostname", MARK);
    }
    if !stage.host.shares("net") {
        let _ = fs::write("/proc/sys/net/ipv4/ip_forward", "1");
    }
    let _ = fs::write("/proc/sys/user/max_user_namespaces", "7");
    for path in ["modprobe", "hotplug", "panic", "randomize_va_space"] {
        write_back(&format!("/proc/sys/kernel/{path}"));
    }
    for path in [
        "overcommit_memory",
        "swappiness",
        "min_free_kbytes",
        "mmap_min_addr",
    ] {
        write_back(&format!("/proc/sys/vm/{path}"));
    }
    for path in ["file-max", "suid_dumpable", "protected_symlinks", "nr_open"] {
        write_back(&format!("/proc/sys/fs/{path}"));
    }
    for path in [
        "kernel/uevent_helper",
        "kernel/mm/ksm/run",
        "power/state",
        "power/disk",
    ] {
        open_only(&Path::new("/sys").join(path));
    }
    if !stage.host.shares("pid") {
        for pid in pids() {
            let _ = fs::write(format!("/proc/{pid}/oom_score_adj"), "1000");
            let _ = fs::write(format!("/proc/{pid}/autogroup"), "19");
        }
    }
    let mut opened = 0;
    for top in [
        "/proc/sys/kernel",
        "/proc/sys/vm",
        "/proc/sys/fs",
        "/proc/irq",
        "/sys",
    ] {
        open_below(stage, Path::new(top), 0, &mut opened);
    }
    say(&format!(
        "{opened} files of the kernel's could be opened for writing"
    ));
    Ok(())
}

pub fn try_write(path: &str, text: &str) {
    if OpenOptions::new().write(true).open(path).is_ok_and(|file| {
        let mut file = file;
        file.write_all(text.as_bytes()).is_ok()
    }) {
        escaped(&format!("wrote {text:?} to {path}"));
    }
}

pub fn write_back(path: &str) {
    if let Ok(text) = fs::read_to_string(path) {
        try_write(path, text.trim_end());
    }
}

pub fn open_only(path: &Path) -> bool {
    let opened = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(path);
    opened.is_ok()
}

/// Opens every file below `dir` for writing and writes nothing. Files in /proc/sys
/// that are a namespace's, and the network's in /sys, may open.
pub fn open_below(stage: &Stage, dir: &Path, depth: usize, opened: &mut usize) {
    // Closing one of tracefs' files frees its buffer; cgroups have a behaviour of
    // their own.
    let apart = ["/sys/fs/cgroup", "/sys/kernel/debug", "/sys/kernel/tracing"];
    if depth > 12 || apart.iter().any(|path| dir.starts_with(path)) {
        return;
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let path = entry.path();
        if stage.over() {
            return;
        } else if kind.is_dir() {
            open_below(stage, &path, depth + 1, opened);
        } else if kind.is_file() && open_only(&path) {
            *opened += 1;
            if *opened <= 20 {
                say(&format!("opened {} for writing", path.display()));
            }
        }
    }
}

/// Joins other cgroups, makes some, and writes to what limits its own.
pub fn leave_cgroup(stage: &Stage) -> Result<()> {
    let top = Path::new("/sys/fs/cgroup");
    let _ = unshare(CloneFlags::CLONE_NEWCGROUP);
    let inner = Path::new("/tmp/cgroup");
    let _ = fs::create_dir(inner);
    if stage.enter_mounts().is_ok() {
        let kind = Some("cgroup2");
        let _ = mount(kind, inner, kind, MsFlags::empty(), None::<&str>);
    }
    for dir in [top, inner] {
        cgroup_below(stage, dir, 0);
    }
    Ok(())
}

pub fn cgroup_below(stage: &Stage, dir: &Path, depth: usize) {
    let made = dir.join(MARK);
    if depth < 6 && fs::create_dir(&made).is_ok() {
        let own = std::process::id().to_string();
        // A cgroup namespace's own root may be the sandbox's to use: said, not an
        // escape.
        say(&format!("made {}", made.display()));
        try_write(&made.join("cgroup.procs").to_string_lossy(), &own);
        try_write(&dir.join("cgroup.procs").to_string_lossy(), &own);
    }
    // Its old value: that it could be written is enough, and others may live by it.
    for limit in "memory.max pids.max cpu.max memory.limit_in_bytes cpu.cfs_quota_us"
        .split(' ')
    {
        write_back(&dir.join(limit).to_string_lossy());
    }
    // Would run a program of ours on the host: opened, not written.
    if open_only(&dir.join("release_agent")) {
        escaped(&format!(
            "opened {}/release_agent for writing",
            dir.display()
        ));
    }
    if depth < 6 && !stage.over() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                cgroup_below(stage, &entry.path(), depth + 1);
            }
        }
    }
}

/// Looks for devices that hold the host's data or give power over it. None is
/// written to.
pub fn open_devices(stage: &Stage) -> Result<()> {
    let disks = fs::read_to_string("/proc/partitions").unwrap_or_default();
    let numbers = disks.lines().skip(2).filter_map(|line| {
        let mut fields = line.split_whitespace();
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    let blocks = numbers.map(|number| (SFlag::S_IFBLK, number));
    // mem, kmsg, fuse, kvm, tun.
    let others = [(1, 1), (1, 11), (10, 229), (10, 232), (10, 200)];
    let others = others.into_iter().map(|number| (SFlag::S_IFCHR, number));
    for (kind, (major, minor)) in blocks.chain(others) {
        let device = nix::sys::stat::makedev(major, minor);
        for place in [&stage.container_dir, Path::new("/tmp"), Path::new("/dev")] {
            let path = place.join(format!("{MARK}-{major}-{minor}"));
            if mknod(&path, kind, Mode::S_IRWXU, device).is_ok() {
                escaped(&format!(
                    "made the device {major}:{minor}, {}",
                    path.display()
                ));
                open_device(&path);
            }
        }
    }
    for dir in [
        "/dev",
        "/dev/mapper",
        "/dev/dri",
        "/dev/input",
        "/dev/snd",
        "/dev/net",
    ] {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let block = entry.file_type().is_ok_and(|kind| kind.is_block_device());
            if block || safe_to_open(&entry.path()) {
                open_device(&entry.path());
            }
        }
    }
    open_device(Path::new("/proc/kcore"));
    Ok(())
}

/// Character devices for which opening isn't an act in itself, as it is with a
/// watchdog (the machine reboots), a tape (rewinds) or a serial line (hangs up).
pub fn safe_to_open(path: &Path) -> bool {
    let known = "mem kmsg fuse kvm uinput loop-control vhost-net vhost-vsock nvram \
         tun control";
    let name = path.file_name().unwrap_or_default();
    let in_dir = |dir: &str| path.starts_with(dir);
    known.split_whitespace().any(|known| name == known)
        || in_dir("/dev/dri")
        || in_dir("/dev/input")
        || in_dir("/dev/snd")
}

pub fn open_device(path: &Path) {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let Ok(mut file) = opened else { return };
    escaped(&format!("opened {}", path.display()));
    let block = file
        .metadata()
        .is_ok_and(|data| data.file_type().is_block_device());
    if block && file.read(&mut [0; 512]).is_ok_and(|bytes| bytes > 0) {
        escaped(&format!("read from {}", path.display()));
    }
}

/// A route, a link, a listener. The address is one that is nobody's (RFC 5737); a
/// UDP socket connects without sending anything.
pub fn reach_network(stage: &Stage) -> Result<()> {
    if stage.host.0.is_some() && stage.host.shares("net") {
        escaped("this is the host's network namespace");
    }
    // What a new namespace has by itself: tunnels' fallback links come with their
    // modules.
    let fresh =
        "lo tunl0 sit0 gre0 gretap0 erspan0 ip_vti0 ip6_vti0 ip6tnl0 ip6gre0";
    for entry in fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !fresh.split_whitespace().any(|known| name == known) {
            escaped(&format!("a link: {name}"));
        }
    }
    for address in ["192.0.2.1:9", "[2001:db8::1]:9"] {
        let local = if address.starts_with('[') {
            "[::]:0"
        } else {
            "0.0.0.0:0"
        };
        if UdpSocket::bind(local).is_ok_and(|socket| socket.connect(address).is_ok())
        {
            escaped(&format!("a route to {address}"));
        }
    }
    for port in [
        22, 25, 53, 80, 111, 443, 631, 2375, 2376, 3000, 5432, 8000, 8080,
    ] {
        let addresses = ("127.0.0.1", port).to_socket_addrs();
        for address in addresses.into_iter().flatten() {
            if TcpStream::connect_timeout(&address, Duration::from_millis(50))
                .is_ok()
            {
                escaped(&format!("connected to {address}"));
            }
        }
    }
    Ok(())
}

/// In a pid namespace of its own this ends the namespace's init, and no more (man 2
/// reboot).
pub fn reboot(stage: &Stage) -> Result<()> {
    if stage.host.shares("pid") {
        say("the machine may be the host: it isn't rebooted");
        return Ok(());
    }
    let commands = [
        libc::LINUX_REBOOT_CMD_CAD_ON,
        libc::LINUX_REBOOT_CMD_CAD_OFF,
        libc::LINUX_REBOOT_CMD_SW_SUSPEND,
        libc::LINUX_REBOOT_CMD_KEXEC,
        libc::LINUX_REBOOT_CMD_RESTART2,
        libc::LINUX_REBOOT_CMD_HALT,
        libc::LINUX_REBOOT_CMD_POWER_OFF,
        libc::LINUX_REBOOT_CMD_RESTART,
    ];
    for command in commands {
        let (first, second) = (
            libc::LINUX_REBOOT_MAGIC1,
            libc::LINUX_REBOOT_MAGIC2 as c_long,
        );
        let text = c"rubber crab".as_ptr();
        // SAFETY: the last argument is a C string, read by RESTART2 only.
        let status = unsafe {
            libc::syscall(libc::SYS_reboot, first, second, command as c_long, text)
        };
        must_fail(&format!("reboot {command:#x}"), status);
    }
    Ok(())
}

/// Calls on things of which a machine has one. Each has arguments that change
/// nothing, or that fail after the permission has been checked.
pub fn change_machine(stage: &Stage) -> Result<()> {
    let permitted = |call: &str, status: c_long| {
        if status >= 0 || !matches!(Errno::last(), Errno::EPERM | Errno::EACCES) {
            match Errno::last() {
                Errno::ENOSYS | Errno::EOPNOTSUPP if status < 0 => {}
                error => {
                    escaped(&format!("{call} was permitted ({status}, {error})"))
                }
            }
        }
    };
    let nothing = std::ptr::null_mut::<c_void>();
    // SAFETY: every pointer is to a live value of the type that the call reads or
    // fills.
    unsafe {
        let mut now = std::mem::zeroed::<libc::timespec>();
        libc::clock_gettime(libc::CLOCK_REALTIME, &mut now);
        let set = libc::clock_settime(libc::CLOCK_REALTIME, &now);
        permitted("clock_settime", set.into());
        let today = libc::timeval {
            tv_sec: now.tv_sec,
            tv_usec: now.tv_nsec / 1000,
        };
        let set = libc::settimeofday(&today, std::ptr::null());
        permitted("settimeofday", set.into());
        let mut clock = std::mem::zeroed::<libc::timex>();
        let read = libc::adjtimex(&mut clock);
        clock.modes = libc::ADJ_TICK;
        permitted(
            "adjtimex",
            if read < 0 {
                -1
            } else {
                libc::adjtimex(&mut clock).into()
            },
        );

        let nowhere = c"/nonexistent/rubber-crab".as_ptr();
        permitted("swapon", libc::swapon(nowhere, 0).into());
        permitted("swapoff", libc::swapoff(nowhere).into());
        permitted("acct", libc::acct(nowhere).into());
        let none = c"".as_ptr();
        let (garbage, length) = (b"garbage!".as_ptr(), 8_usize);
        let call = libc::syscall(libc::SYS_init_module, garbage, length, none);
        permitted("init_module", call);
        let call = libc::syscall(libc::SYS_finit_module, -1_i32, none, 0_i32);
        permitted("finit_module", call);
        let module = c"rubber_crab_none".as_ptr();
        let call = libc::syscall(libc::SYS_delete_module, module, libc::O_NONBLOCK);
        permitted("delete_module", call);
        let too_many: c_ulong = 1000;
        let call = libc::syscall(
            libc::SYS_kexec_load,
            0_usize,
            too_many,
            nothing,
            !0_usize,
        );
        permitted("kexec_load", call);
        // A console log level of 99 doesn't exist.
        permitted("klogctl", libc::klogctl(8, std::ptr::null_mut(), 99).into());
        // BPF_PROG_GET_NEXT_ID, with zeroes for its wishes (man 2 bpf).
        let mut wish = [0_u64; 16];
        let (pointer, size) = (wish.as_mut_ptr(), size_of_val(&wish));
        permitted("bpf", libc::syscall(libc::SYS_bpf, 11_i32, pointer, size));
    }
    let _ = nix::unistd::sethostname(MARK);
    // SAFETY: the length is the text's.
    unsafe { libc::setdomainname(MARK.as_ptr().cast(), MARK.len()) };
    let renamed = nix::unistd::gethostname().is_ok_and(|name| name == MARK);
    if renamed && stage.host.shares("uts") {
        stage.host.touched("renamed the host");
    }
    add_keys();
    Ok(())
}

/// Keys count against the user's quota until the keyring goes (man 7 keyrings).
pub fn add_keys() {
    let user_keyring: i32 = -4;
    let mut made = 0;
    for number in 0..300 {
        let name = CString::new(format!("{MARK}-{number}")).unwrap_or_default();
        let (kind, value, length) = (c"user".as_ptr(), b"value".as_ptr(), 5_usize);
        let call = libc::SYS_add_key;
        // SAFETY: two C strings and five bytes, all live.
        let key = unsafe {
            libc::syscall(call, kind, name.as_ptr(), value, length, user_keyring)
        };
        made += usize::from(key >= 0);
    }
    say(&format!("{made} keys"));
}

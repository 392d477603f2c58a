//! Behaviours against mounts and files.

use super::*;

pub fn unmount_everything(stage: &Stage) -> Result<()> {
    stage.enter_mounts()?;
    // Undo read-only first, while the mounts are still there.
    for mount in mounts() {
        open_up(stage, &mount.at);
    }
    for flags in [MntFlags::empty(), MntFlags::MNT_FORCE, MntFlags::MNT_DETACH] {
        let mut gone = 0;
        for mount in mounts().iter().rev() {
            gone += usize::from(umount2(&mount.at, flags).is_ok());
        }
        say(&format!("umount2 with {flags:?}: {gone} gone"));
    }
    let elsewhere = Path::new("/tmp");
    for mounted in mounts() {
        let flags = MsFlags::MS_MOVE;
        let _ = mount(
            Some(&mounted.at),
            elsewhere,
            None::<&str>,
            flags,
            None::<&str>,
        );
    }
    let _ = umount2("/", MntFlags::MNT_DETACH);
    Ok(())
}

/// Tries each way to make what is mounted at `path` writable.
pub fn open_up(stage: &Stage, path: &Path) {
    let was_closed = stage.mark(path).is_err();
    let bind = MsFlags::MS_REMOUNT | MsFlags::MS_BIND;
    let ways = [
        bind,
        bind | MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        bind | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        bind | MsFlags::MS_RELATIME,
        MsFlags::MS_REMOUNT,
    ];
    for flags in ways {
        if mount_flags(path, flags).is_ok() && was_closed && stage.mark(path).is_ok()
        {
            say(&format!("{} is writable now: {flags:?}", path.display()));
        }
    }
    for flags in [MsFlags::MS_SHARED, MsFlags::MS_PRIVATE] {
        let _ = mount_flags(path, flags | MsFlags::MS_REC);
    }
    // The same files, by a mount of our own that was never made read-only.
    let _ = fs::create_dir("/tmp/again");
    let again = Path::new("/tmp/again");
    if mount(
        Some(path),
        again,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .is_ok()
    {
        let _ = stage.mark(again);
        let _ = umount2(again, MntFlags::MNT_DETACH);
    }
}

pub fn mount_over_everything(stage: &Stage) -> Result<()> {
    stage.enter_mounts()?;
    let mut places = stage.places();
    // The root last: what is mounted there hides it from all who look up paths anew.
    places.sort_by_key(|place| std::cmp::Reverse(place.as_os_str().len()));
    places.extend(["/proc", "/sys", "/workshop", "/tmp", "/"].map(PathBuf::from));
    let covered = places
        .iter()
        .filter(|place| mount_tmpfs(place, "size=64k,mode=0").is_ok())
        .count();
    say(&format!("{covered} of {} places covered", places.len()));
    Ok(())
}

pub fn delete_everything(stage: &Stage) -> Result<()> {
    let mut tally = Tally::default();
    for dir in ["/workshop", "/tmp", "/dev", "/"] {
        delete_below(stage, Path::new(dir), 0, &mut tally);
    }
    say(&format!(
        "{} removed, {} refused",
        tally.removed, tally.refused
    ));
    Ok(())
}

#[derive(Default)]
pub struct Tally {
    pub removed: usize,
    pub refused: usize,
    /// Something of the host's is gone: enough is known, and no more may go.
    pub stop: bool,
}

/// Removes what is in `dir`: really, where that is the sandbox's own. On the host's
/// file systems only where the mount is read-only, so that the kernel must refuse
/// each attempt.
pub fn delete_below(stage: &Stage, dir: &Path, depth: usize, tally: &mut Tally) {
    if depth > 100 || pseudo(dir) {
        return;
    }
    let hosts = stage.host.owns(dir);
    let read_only =
        || statvfs(dir).is_ok_and(|s| s.flags().contains(FsFlags::ST_RDONLY));
    let closed = |error: io::Error| error.raw_os_error() == Some(libc::EROFS);
    let try_it = !hosts || (stage.mark(dir).is_err_and(closed) && read_only());
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if stage.over() || tally.stop {
            return;
        }
        let path = entry.path();
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_dir {
            delete_below(stage, &path, depth + 1, tally);
        }
        if !try_it {
            continue;
        }
        let gone = if is_dir {
            fs::remove_dir(&path)
        } else {
            fs::remove_file(&path)
        };
        tally.removed += usize::from(gone.is_ok());
        tally.refused += usize::from(gone.is_err());
        if hosts && gone.is_ok() {
            stage.host.touched(&format!("removed {}", path.display()));
            tally.stop = true;
        }
    }
}

/// File systems in which names are not files, and removing isn't what it seems.
pub fn pseudo(dir: &Path) -> bool {
    let kinds = [
        statfs::PROC_SUPER_MAGIC,
        statfs::SYSFS_MAGIC,
        statfs::CGROUP_SUPER_MAGIC,
        statfs::CGROUP2_SUPER_MAGIC,
        statfs::AUTOFS_SUPER_MAGIC,
        statfs::FUSE_SUPER_MAGIC,
    ];
    let below = ["/proc", "/sys"].iter().any(|top| dir.starts_with(top));
    below || statfs(dir).map_or(true, |s| kinds.contains(&s.filesystem_type()))
}

pub fn write_host(stage: &Stage) -> Result<()> {
    for place in stage.places() {
        let _ = stage.mark(&place);
        if stage.host.owns(&place) {
            try_directory(&stage.host, &place);
        }
    }
    let executables = pids()
        .into_iter()
        .map(|pid| format!("/proc/{pid}/exe").into());
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let known = "/etc/passwd /etc/shadow /etc/hosts /etc/ld.so.cache /etc/crontab \
         /root/.bashrc /proc/self/exe";
    let own = ".bashrc .profile .ssh/authorized_keys .gitconfig .cargo/config.toml";
    let files = executables
        .chain(known.split_whitespace().map(PathBuf::from))
        .chain(own.split_whitespace().map(|name| home.join(name)))
        .chain(std::env::current_exe());
    for path in files.filter(|path| stage.host.owns(path)) {
        // Opened, not written: that it could be is enough.
        if OpenOptions::new().write(true).open(&path).is_ok() {
            stage
                .host
                .touched(&format!("opened {} for writing", path.display()));
        }
    }
    Ok(())
}

/// Other calls that change a directory of the host's, in ways that leave it as it
/// was.
pub fn try_directory(host: &Host, dir: &Path) {
    let made = dir.join(format!("{MARK}-dir"));
    if fs::create_dir(&made).is_ok() {
        host.touched(&format!("made {}", made.display()));
    }
    let link = dir.join(format!("{MARK}-link"));
    if symlink("/", &link).is_ok() {
        host.touched(&format!("made {}", link.display()));
    }
    let same = fs::metadata(dir).map(|metadata| metadata.mode() & 0o7777);
    let Ok(mode) = same else { return };
    let mode = Mode::from_bits_truncate(mode);
    let at = nix::fcntl::AT_FDCWD;
    if fchmodat(at, dir, mode, FchmodatFlags::FollowSymlink).is_ok() && !pseudo(dir)
    {
        host.touched(&format!("chmod of {}", dir.display()));
    }
}

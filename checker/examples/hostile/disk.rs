//! Behaviours that take the disk.

use super::*;

pub fn fill_disk(stage: &Stage) -> Result<()> {
    let mut total = 0;
    for place in stage.places() {
        if stage.mark(&place).is_ok() && !stage.host.owns(&place) {
            total += fill(stage, &place);
        }
    }
    say(&format!("{} MiB stored", total >> 20));
    Ok(())
}

/// Fills the file system of `dir`. Returns the bytes that it took.
pub fn fill(stage: &Stage, dir: &Path) -> usize {
    let block = vec![b'#'; 1 << 20];
    let mut total = 0;
    for number in 0.. {
        let path = dir.join(format!("{MARK}-fill-{number}"));
        let Ok(mut file) = File::create_new(path) else {
            break;
        };
        let before = total;
        // To the end of the disk, or to the largest file that is allowed.
        while !stage.over() && stage.take_bytes(block.len()) {
            match file.write(&block) {
                Ok(written) => total += written,
                Err(_) => break,
            }
        }
        if total == before {
            break;
        }
    }
    total
}

pub fn many_files(stage: &Stage) -> Result<()> {
    let mut total = 0;
    for place in stage.places() {
        if stage.mark(&place).is_err() || stage.host.owns(&place) {
            continue;
        }
        let make = |number: &u32| {
            !stage.over()
                && File::create_new(place.join(format!("{MARK}-{number}"))).is_ok()
        };
        total += (0..1_000_000).take_while(make).count();
    }
    say(&format!("{total} files"));
    Ok(())
}

/// So deep that no single path names the last one, and that a recursive delete runs
/// out of stack or descriptors.
pub fn many_dirs_deep(stage: &Stage) -> Result<()> {
    let name = "d".repeat(200);
    for place in stage.places() {
        if stage.mark(&place).is_err() || std::env::set_current_dir(&place).is_err()
        {
            continue;
        }
        let most = if stage.host.owns(&place) { 0 } else { 50_000 };
        let deeper = |_: &u32| {
            fs::create_dir(&name).is_ok() && std::env::set_current_dir(&name).is_ok()
        };
        let depth = (0..most).take_while(|n| !stage.over() && deeper(n)).count();
        say(&format!("{}: {depth} deep", place.display()));
    }
    std::env::set_current_dir("/").context("chdir /")
}

/// What a careless "is anything left?" trips over when it lists, reads or removes
/// it.
pub fn plant_traps(stage: &Stage) -> Result<()> {
    let dir = &stage.container_dir;
    let _ = fs::create_dir_all(dir);
    stage
        .mark(dir)
        .with_context(|| format!("open {MARK} in {}", dir.display()))?;
    if stage.host.owns(dir) {
        return Ok(());
    }
    for (name, target) in [
        ("to-root", "/"),
        ("to-passwd", "/etc/passwd"),
        ("to-itself", "to-itself"),
        ("to-parent", ".."),
        ("to-stdin", "/proc/self/fd/0"),
        ("to-memory", "/proc/self/mem"),
        ("to-zeroes", "/dev/zero"),
    ] {
        let _ = symlink(target, dir.join(name));
    }
    let odd: [&[u8]; 5] = [
        b"\xff\xfe",
        b"new\nline",
        b"\x1b[2J\x1b]0;hostile\x07",
        b"-rf",
        b" ",
    ];
    for name in odd {
        let _ = fs::create_dir(dir.join(OsStr::from_bytes(name)));
    }
    let _ = mknod(&dir.join("fifo"), SFlag::S_IFIFO, Mode::S_IRWXU, 0);
    if let Ok(file) = File::create_new(dir.join("sparse")) {
        let _ = file.set_len(1 << 40);
    }
    let closed = dir.join("closed");
    let _ = fs::create_dir(&closed);
    let _ = File::create_new(closed.join("inside"));
    let _ = fs::set_permissions(&closed, fs::Permissions::from_mode(0o000));
    let mounted = dir.join("mounted");
    let _ = fs::create_dir(&mounted);
    let _ = mount_tmpfs(&mounted, "size=64k");
    Ok(())
}

/// The next run must not meet an image that this one has changed.
pub fn spoil_image(stage: &Stage) -> Result<()> {
    stage.mark(&stage.image_dir).ok();
    for entry in fs::read_dir(&stage.image_dir)
        .into_iter()
        .flatten()
        .flatten()
    {
        let path = entry.path();
        let Ok(mut file) = OpenOptions::new().write(true).open(&path) else {
            continue;
        };
        if stage.host.owns(&path) {
            stage
                .host
                .touched(&format!("opened {} for writing", path.display()));
            continue;
        }
        let _ = file.write_all(&[b'#'; 4096]);
        let _ = file.set_len(8192);
        let _ = fs::rename(&path, path.with_extension("gone"));
        let _ = symlink("/etc/passwd", &path);
    }
    Ok(())
}

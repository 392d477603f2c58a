//! The store and import, against real files: archives cut at every place, writers
//! that are killed, writers that meet.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, thread};

use tar::{Builder, EntryType, Header};

use super::import::{self, Contents, Refusal};
use super::store::{Store, pick};
use super::{base, ensure_in, import_into};

/// A directory of one test's own, removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("rubber-crab-image-{}-{number}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn store(&self) -> Store {
        Store::at(&self.0)
    }

    /// The names of all files in it, hidden ones too.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let name = |e: io::Result<fs::DirEntry>| e.unwrap().file_name();
        let mut names: Vec<_> =
            entries.map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn write(&self, name: &str, data: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, data).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn header(kind: EntryType, mode: u32, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header
}

/// An archive with one of each: a directory, a file, a long name, a hard link, a
/// symbolic link, a device, a POSIX header with a newline in a value.
fn small_archive() -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    let directory = header(EntryType::Directory, 0o755, 0);
    builder
        .append_data(&mut directory.clone(), "bin", io::empty())
        .unwrap();
    let program = vec![7; 1000];
    let file = header(EntryType::Regular, 0o755, program.len());
    builder
        .append_data(&mut file.clone(), "bin/true", &program[..])
        .unwrap();
    let long = format!("bin/{}", "long".repeat(40));
    builder
        .append_data(&mut file.clone(), long, &program[..])
        .unwrap();
    let link = header(EntryType::Link, 0o755, 0);
    builder
        .append_link(&mut link.clone(), "bin/false", "bin/true")
        .unwrap();
    let link = header(EntryType::Symlink, 0o777, 0);
    builder
        .append_link(&mut link.clone(), "sbin", "bin")
        .unwrap();
    let mut device = header(EntryType::Char, 0o666, 0);
    device.set_device_major(1).unwrap();
    device.set_device_minor(3).unwrap();
    builder
        .append_data(&mut device, "dev/null", io::empty())
        .unwrap();
    let attributes: [(&str, &[u8]); 2] = [
        ("SCHILY.xattr.user.poem", b"two\nlines"),
        ("path", b"bin/renamed"),
    ];
    builder.append_pax_extensions(attributes).unwrap();
    builder
        .append_data(&mut file.clone(), "bin/plain", &program[..])
        .unwrap();
    builder.into_inner().unwrap()
}

fn judge(data: &[u8]) -> Result<Contents, Refusal> {
    import::copy(data, io::sink()).map_err(|e| e.downcast().expect("a refusal"))
}

#[test]
fn a_whole_archive_is_copied_as_it_is() {
    let archive = small_archive();
    let mut copied = Vec::new();
    let contents = import::copy(&archive[..], &mut copied).unwrap();
    assert_eq!(
        contents,
        Contents {
            entries: 7,
            looks_like_a_root: true
        }
    );
    assert!(copied == archive);
}

#[test]
fn padding_after_the_end_is_read_and_dropped() {
    let archive = small_archive();
    let padded = [&archive[..], &[0; 7 * 512]].concat();
    let (mut input, mut copied) = (&padded[..], Vec::new());
    import::copy(&mut input, &mut copied).unwrap();
    assert!(input.is_empty() && copied == archive);
}

#[test]
fn an_archive_cut_anywhere_is_refused_and_leaves_nothing() {
    let archive = small_archive();
    let scratch = Scratch::new();
    let kept = scratch.write("kept.tar", b"what was there before");
    let blocks = (0..=archive.len()).step_by(512);
    for cut in blocks.flat_map(|at| [at.saturating_sub(1), at, at + 1]) {
        if cut >= archive.len() {
            continue;
        }
        match (cut, judge(&archive[..cut]).unwrap_err()) {
            (0, refusal) => assert_eq!(refusal, Refusal::Empty),
            (1..512, refusal) => assert_eq!(refusal, Refusal::NotTar),
            (_, Refusal::Cut { bytes, .. }) => assert_eq!(bytes, cut as u64),
            (_, other) => panic!("cut at {cut}: {other:?}"),
        }
        let part = scratch.write("part", &archive[..cut]);
        import_into(&scratch.store(), "kept", &part).unwrap_err();
        assert_eq!(fs::read(&kept).unwrap(), b"what was there before");
        assert_eq!(scratch.names(), ["kept.tar", "part"]);
    }
}

#[test]
fn a_refusal_says_where_the_archive_ends() {
    let archive = small_archive();
    let says = |cut: usize| judge(&archive[..cut]).unwrap_err().to_string();
    let begin = |cut| format!("it is cut short: it ends after {cut} bytes, ");
    assert_eq!(says(1100), begin(1100) + "in bin/true");
    assert_eq!(says(600), begin(600) + "in the middle of a header");
    assert_eq!(
        says(512),
        begin(512) + "without the two blocks of zeros that end an archive"
    );
}

#[test]
fn what_is_no_tar_archive_is_refused_by_its_name() {
    let starts = |magic: &[u8]| judge(&[magic, &[1; 2000]].concat()).unwrap_err();
    assert_eq!(
        starts(b"\x1f\x8b\x08").to_string(),
        "it is gzip-compressed: gunzip it first"
    );
    assert_eq!(
        starts(b"PK\x03\x04").to_string(),
        "it is zip-compressed: unzip it first"
    );
    assert_eq!(starts(b"#!/bin/sh\n"), Refusal::NotTar);
    assert_eq!(judge(b"\x1f\x8b\x08").unwrap_err().to_string().len(), 38);
    assert_eq!(judge(b"hello\n"), Err(Refusal::NotTar));
    assert_eq!(judge(b""), Err(Refusal::Empty));
    assert_eq!(judge(&[0; 1024]), Err(Refusal::Bare));
}

#[test]
fn damage_in_the_middle_is_found() {
    let mut archive = small_archive();
    archive[512 + 100] ^= 1;
    let what = "a bad header";
    assert_eq!(judge(&archive), Err(Refusal::Damaged { bytes: 512, what }));
    let mut archive = small_archive();
    let end = archive.len();
    archive[end - 1] = 1;
    assert!(matches!(judge(&archive), Err(Refusal::Damaged { .. })));
}

#[test]
fn a_size_without_bounds_costs_no_memory() {
    for kind in [
        EntryType::Regular,
        EntryType::GNULongName,
        EntryType::XHeader,
    ] {
        let mut huge = header(kind, 0o644, 0);
        huge.set_size(u64::MAX >> 1);
        huge.set_cksum();
        let refusal = judge(huge.as_bytes()).unwrap_err();
        assert!(matches!(
            refusal,
            Refusal::Cut { .. } | Refusal::Damaged { .. }
        ));
    }
}

#[test]
fn docker_save_is_told_from_docker_export() {
    let archive = |names: &[&str]| {
        let mut builder = Builder::new(Vec::new());
        for name in names {
            let file = header(EntryType::Regular, 0o644, 0);
            builder
                .append_data(&mut file.clone(), name, io::empty())
                .unwrap();
        }
        builder.into_inner().unwrap()
    };
    assert_eq!(
        judge(&archive(&["blobs/sha256/ab", "manifest.json"])),
        Err(Refusal::Saved)
    );
    assert_eq!(
        judge(&archive(&["./oci-layout", "./index.json"])),
        Err(Refusal::Saved)
    );
    assert!(judge(&archive(&["etc/passwd", "manifest.json"])).is_ok());
    let contents = judge(&archive(&["notes.txt", "papers/draft.txt"])).unwrap();
    assert!(!contents.looks_like_a_root);
}

#[test]
fn sparse_files_are_walked_through() {
    let scratch = Scratch::new();
    let holes = File::create(scratch.0.join("holes")).unwrap();
    for i in 0..40 {
        std::os::unix::fs::FileExt::write_at(&holes, &[1; 4096], i << 20).unwrap();
    }
    for format in ["gnu", "pax"] {
        let archive = scratch.0.join("archive");
        let made = Command::new("tar")
            .args(["--sparse", "--format", format, "-cf"])
            .args([&archive, Path::new("-C"), &scratch.0, Path::new("holes")])
            .status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("skipped: no GNU tar here");
            return;
        }
        let data = fs::read(&archive).unwrap();
        assert_eq!(judge(&data).unwrap().entries, 1);
        assert!(matches!(judge(&data[..600]), Err(Refusal::Cut { .. })));
    }
}

#[test]
fn names_that_could_be_paths_or_options_are_refused() {
    let scratch = Scratch::new();
    let file = scratch.write("whole", &small_archive());
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "-x",
        ".hidden",
        "a b",
        "ä",
        &"x".repeat(129),
    ] {
        import_into(&scratch.store(), name, &file).unwrap_err();
        ensure_in(&scratch.store(), name).unwrap_err();
        scratch.store().remove(name).unwrap_err();
    }
    assert_eq!(scratch.names(), ["whole"]);
}

#[test]
fn images_come_are_listed_and_go() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let file = scratch.write("whole", &small_archive());
    let missing = ensure_in(&store, "alpine").unwrap_err().to_string();
    assert!(missing.starts_with("there is no image alpine; none is there yet in /"));

    let added = import_into(&store, "debian-12.1", &file).unwrap();
    assert_eq!((added.entries, added.notes.len()), (7, 0));
    import_into(&store, "alpine", &file).unwrap();
    let images = store.list().unwrap();
    let names: Vec<_> = images.iter().map(|image| &image.name[..]).collect();
    assert_eq!(names, ["alpine", "debian-12.1"]);
    assert_eq!(images[1], added.image);
    assert_eq!(ensure_in(&store, "debian-12.1").unwrap(), added.image.path);

    store.remove("alpine").unwrap();
    let missing = store.remove("alpine").unwrap_err().to_string();
    assert!(missing.contains("there is no image alpine; there is debian-12.1 in /"));
    assert_eq!(scratch.names(), ["debian-12.1.tar", "whole"]);
}

#[test]
fn what_is_no_root_file_system_is_taken_with_a_note() {
    let mut builder = Builder::new(Vec::new());
    let file = header(EntryType::Regular, 0o644, 0);
    builder
        .append_data(&mut file.clone(), "notes.txt", io::empty())
        .unwrap();
    let scratch = Scratch::new();
    let file = scratch.write("notes", &builder.into_inner().unwrap());
    let added = import_into(&scratch.store(), "notes", &file).unwrap();
    assert!(added.notes[0].contains("holds no bin/, no usr/"));
}

#[test]
fn what_cannot_be_read_is_named() {
    let scratch = Scratch::new();
    let says = |file: &Path| {
        format!(
            "{:#}",
            import_into(&scratch.store(), "x", file).unwrap_err()
        )
    };
    let gone = scratch.0.join("gone");
    let open = format!("open {}: ENOENT: No such file or directory", gone.display());
    assert_eq!(says(&gone), open);
    assert!(says(&scratch.0).ends_with("read: EISDIR: Is a directory"));
    assert_eq!(scratch.names(), [""; 0]);
}

#[test]
fn the_place_follows_the_environment() {
    let scratch = Scratch::new();
    let at = |name: &str| scratch.0.join(name).into_os_string();
    let checker = scratch.0.join("target/debug/checker");
    let pick = |variables: &[(&str, OsString)]| {
        let value = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| value.clone())
        };
        let place = pick(value, Some(&checker))?;
        Ok::<_, anyhow::Error>(place.strip_prefix(&scratch.0)?.to_owned())
    };
    let all = [
        ("RUBBER_CRAB_HOME", at("own")),
        ("XDG_DATA_HOME", at("data")),
        ("HOME", at("home")),
    ];
    assert_eq!(pick(&all).unwrap(), Path::new("own/images"));
    assert_eq!(
        pick(&all[1..]).unwrap(),
        Path::new("data/rubber-crab/images")
    );
    let home = Path::new("home/.local/share/rubber-crab/images");
    assert_eq!(pick(&all[2..]).unwrap(), home);
    let relative = [("XDG_DATA_HOME", "data".into()), all[2].clone()];
    assert_eq!(pick(&relative).unwrap(), home);

    // A file is in the way, as root can't be kept out by permissions.
    scratch.write("file", b"");
    let nobody = [("HOME", at("file/home"))];
    assert_eq!(
        pick(&nobody).unwrap(),
        Path::new("target/rubber-crab/images")
    );
    let wrong = [("RUBBER_CRAB_HOME", at("file/home")), all[2].clone()];
    let wrong = format!("{:#}", pick(&wrong).unwrap_err());
    assert!(wrong.starts_with("RUBBER_CRAB_HOME: create /"));
    assert!(wrong.ends_with("ENOTDIR: Not a directory"));
}

#[test]
fn two_makes_are_byte_for_byte_the_same() {
    let scratch = Scratch::new();
    let added = base::make(&scratch.store(), "base").unwrap();
    let first = fs::read(&added.image.path).unwrap();
    base::make(&scratch.store(), "base").unwrap();
    assert!(fs::read(&added.image.path).unwrap() == first);
    assert_eq!(judge(&first).unwrap().entries, added.entries);
    assert_eq!(scratch.names(), ["base.tar"]);
}

#[test]
fn base_is_made_once_and_again_for_another_recipe() {
    let scratch = Scratch::new();
    let path = ensure_in(&scratch.store(), "base").unwrap();
    let age = || fs::metadata(&path).unwrap().modified().unwrap();
    let made = age();
    ensure_in(&scratch.store(), "base").unwrap();
    assert_eq!(age(), made);

    // The first entry that has contents is /etc/os-release; say it was recipe 0.
    let mut archive = fs::read(&path).unwrap();
    let version = b"VERSION_ID=";
    let at = archive
        .windows(version.len())
        .position(|part| part == version);
    archive[at.unwrap() + version.len()] = b'0';
    fs::write(&path, archive).unwrap();
    ensure_in(&scratch.store(), "base").unwrap();
    assert!(!base::is_outdated(&path));

    // Somebody's own image of that name stays.
    fs::write(&path, small_archive()).unwrap();
    ensure_in(&scratch.store(), "base").unwrap();
    assert_eq!(fs::read(&path).unwrap(), small_archive());
}

#[test]
fn everything_in_base_is_plain_and_in_its_place() {
    let scratch = Scratch::new();
    let added = base::make(&scratch.store(), "base").unwrap();
    let mut archive = tar::Archive::new(File::open(&added.image.path).unwrap());
    let mut seen = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        let mode = entry.header().mode().unwrap();
        assert_eq!(mode & 0o6000, 0, "{path:?}");
        assert_eq!(entry.header().uid().unwrap(), 0);
        assert_eq!(entry.header().gid().unwrap(), 0);
        let parent = path.parent().unwrap();
        assert!(parent == Path::new("") || seen.contains(&parent.to_owned()));
        assert!(!seen.contains(&path), "{path:?} twice");
        seen.push(path);
    }
    for wanted in ["dev", "etc/passwd", "proc", "root", "sys", "tmp", "bin"] {
        assert!(seen.contains(&PathBuf::from(wanted)), "{wanted}");
    }
}

/// Unpack it, enter it as the levels do, run programs.
#[test]
fn the_programs_of_base_run_inside() {
    let namespaces = ["-U", "-r", "-m", "-p", "-f"];
    let able = Command::new("unshare")
        .args(namespaces)
        .arg("true")
        .output();
    if !able.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: unshare(1) can't make namespaces here");
        return;
    }
    let scratch = Scratch::new();
    let added = base::make(&scratch.store(), "base").unwrap();
    let root = scratch.0.join("root");
    let mut archive = tar::Archive::new(File::open(&added.image.path).unwrap());
    archive.set_preserve_permissions(true);
    archive.unpack(&root).unwrap();
    let output = Command::new("unshare")
        .args(namespaces)
        // An ordinary user's PATH need not name /usr/sbin, where chroot(8) is.
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arg("chroot")
        .arg(&root)
        .args(["/bin/sh", "-c"])
        .arg(
            "ls -ld /tmp; id -un; sort /etc/group | head -n 1; grep -c root /etc/passwd;
             for f in /usr/bin/* /bin/* /usr/sbin/* /sbin/*; do
                 [ -x \"$f\" ] || echo \"broken: $f\"
                 out=$(timeout 5 \"$f\" --help 2>&1)
                 case $?$out in
                     12[67]*|*'shared librar'*) echo \"$f: $out\";;
                     *) ran=$((ran + 1));;
                 esac
             done
             [ $ran -gt 20 ] && echo many",
        )
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<_> = text.lines().collect();
    assert!(text.starts_with("drwxrwxrwt"), "{output:?}");
    assert_eq!(
        lines[1..],
        ["root", "nogroup:x:65534:", "1", "many"],
        "{output:?}"
    );
}

/// Not a test of its own: what the two tests below start, to kill it or to race it.
#[test]
fn a_process_of_its_own() {
    let Some(directory) = env::var_os("RUBBER_CRAB_TEST_STORE") else {
        return;
    };
    let store = Store::at(Path::new(&directory));
    match env::var_os("RUBBER_CRAB_TEST_IMPORT") {
        Some(file) => import_into(&store, "base", Path::new(&file)).map(drop),
        None => base::make(&store, "base").map(drop),
    }
    .unwrap();
}

fn start(scratch: &Scratch, import: Option<&str>) -> Child {
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", &format!("{module}::a_process_of_its_own")])
        .env("RUBBER_CRAB_TEST_STORE", &scratch.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    if let Some(file) = import {
        command.env("RUBBER_CRAB_TEST_IMPORT", file);
    }
    command.spawn().unwrap()
}

#[test]
fn an_import_killed_midway_is_swept_and_a_living_one_is_not() {
    let scratch = Scratch::new();
    let before = scratch.write("base.tar", b"what was there before");
    let archive = small_archive();
    let mut killed = start(&scratch, Some("-"));
    let mut living = start(&scratch, Some("-"));
    for child in [&mut killed, &mut living] {
        child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(&archive[..2000])
            .unwrap();
    }
    while scratch.names().len() < 3 {
        thread::sleep(std::time::Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(scratch.names().len(), 3);

    let whole = scratch.write("whole", &archive);
    import_into(&scratch.store(), "other", &whole).unwrap();
    let names = scratch.names();
    assert_eq!(names[1..], ["base.tar", "other.tar", "whole"]);
    assert_eq!(names[0], format!(".base.{}.0.part", living.id()));
    assert_eq!(fs::read(&before).unwrap(), b"what was there before");

    living
        .stdin
        .take()
        .unwrap()
        .write_all(&archive[2000..])
        .unwrap();
    assert!(living.wait().unwrap().success());
    assert_eq!(scratch.names(), ["base.tar", "other.tar", "whole"]);
    assert_eq!(fs::read(&before).unwrap(), archive);
}

#[test]
fn who_needs_it_at_the_same_time_makes_it_once() {
    let scratch = Scratch::new();
    let inode = || {
        let path = ensure_in(&scratch.store(), "base").unwrap();
        fs::metadata(path).unwrap().ino()
    };
    let all: Vec<u64> = thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(inode)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
}

#[test]
fn makes_at_the_same_time_end_in_one_whole_image() {
    let scratch = Scratch::new();
    let mut processes: Vec<_> = (0..4).map(|_| start(&scratch, None)).collect();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| base::make(&scratch.store(), "base").unwrap());
        }
    });
    for process in &mut processes {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(scratch.names(), ["base.tar"]);
    let mut together = Vec::new();
    let path = scratch.store().path("base").unwrap();
    File::open(&path)
        .unwrap()
        .read_to_end(&mut together)
        .unwrap();
    base::make(&scratch.store(), "base").unwrap();
    assert!(fs::read(&path).unwrap() == together);
}

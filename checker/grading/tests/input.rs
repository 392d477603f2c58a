//! What is found and taken, from folders, archives and repositories made here: good ones
//! and hostile ones.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use grading::input::{Found, Taken, find, key};
use report::LevelInfo;
use tar::{EntryType, Header};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const MAIN: &str = "levels/05-uts-ns/src/main.rs";
const MIB: usize = 1 << 20;

/// An empty folder for one test.
fn fresh(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("input")
        .join(test);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn put(path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn level(level: &str, name: &str) -> LevelInfo {
    LevelInfo {
        level: level.to_owned(),
        name: name.to_owned(),
        title: String::new(),
        checks: Vec::new(),
        given: Vec::new(),
    }
}

fn all() -> Vec<LevelInfo> {
    vec![
        level("00", "fork-exec"),
        level("05", "uts-ns"),
        level("07", "cgroups"),
    ]
}

/// The project's own levels.
fn handed_out() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../levels")
}

fn found(arguments: &[&Path]) -> Vec<Found> {
    let arguments: Vec<PathBuf> =
        arguments.iter().map(|a| a.to_path_buf()).collect();
    find(&arguments, None, &[], Path::new(".")).unwrap()
}

fn names(found: &[Found]) -> Vec<&str> {
    found.iter().map(|found| found.name.as_str()).collect()
}

/// What `take` does: what it says, and the files it wrote.
fn take(found: &Found, into: &Path) -> (Taken, BTreeMap<String, Vec<u8>>) {
    if into.exists() {
        fs::remove_dir_all(into).unwrap();
    }
    let taken = found.take(&all(), &handed_out(), into).unwrap();
    let mut files = BTreeMap::new();
    read(into, into, &mut files);
    assert!(taken.notes.len() <= 20, "{:?}", taken.notes);
    for note in &taken.notes {
        assert!(!note.chars().any(char::is_control), "{note:?}");
        assert!(note.chars().count() < 400, "{note:?}");
    }
    (taken, files)
}

fn read(top: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() {
            read(top, &path, files);
        } else {
            assert!(kind.is_file(), "{}", path.display());
            let name = path.strip_prefix(top).unwrap().to_str().unwrap();
            files.insert(name.to_owned(), fs::read(&path).unwrap());
        }
    }
}

/// The one submission of an argument, taken: notes, and files with their contents as
/// text.
fn one(test: &Path, argument: &Path) -> (Taken, Vec<String>) {
    let found = found(&[argument]);
    assert_eq!(found.len(), 1, "{:?}", names(&found));
    let (taken, files) = take(&found[0], &test.join("taken"));
    let files = files.into_iter().map(|(name, content)| {
        let content = String::from_utf8_lossy(&content[..content.len().min(20)]);
        format!("{name}={content}")
    });
    (taken, files.collect())
}

/// Does a note have all of these words?
fn noted(taken: &Taken, words: &[&str]) {
    let has = |note: &String| words.iter().all(|word| note.contains(word));
    assert!(
        taken.notes.iter().any(has),
        "{words:?} in {:#?}",
        taken.notes
    );
}

/// A tar archive, written byte by byte.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn header(&mut self, name: &[u8], kind: EntryType, size: u64) -> &mut Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name_literal("/etc/passwd").unwrap();
        }
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self
    }

    fn member(&mut self, name: &[u8], kind: EntryType, content: &[u8]) -> &mut Self {
        self.header(name, kind, content.len() as u64);
        self.content(content)
    }

    fn content(&mut self, content: &[u8]) -> &mut Self {
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(&mut self, name: &str, content: &str) -> &mut Self {
        self.member(name.as_bytes(), EntryType::Regular, content.as_bytes())
    }

    fn end(&self) -> Vec<u8> {
        let mut bytes = self.0.clone();
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn tar_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = Tar::default();
    for (name, content) in files {
        tar.file(name, content);
    }
    tar.end()
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        if name.ends_with('/') {
            zip.add_directory(*name, SimpleFileOptions::default())
                .unwrap();
            continue;
        }
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Replace text by as much text: names in archives, say.
fn swap(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let mut count = 0;
    for at in 0..bytes.len().saturating_sub(from.len() - 1) {
        if bytes[at..].starts_with(from) {
            bytes[at..at + from.len()].copy_from_slice(to);
            count += 1;
        }
    }
    assert!(count > 0, "nothing to replace");
}

// What is taken

#[test]
fn only_regular_files_below_src_are_taken() {
    let test = fresh("regular");
    let fork = test.join("alice");
    put(fork.join(MAIN), "main");
    put(fork.join("levels/05-uts-ns/src/deep/er/mod.rs"), "deep");
    put(fork.join("levels/05-uts-ns/src/bin/more.rs"), "no");
    put(fork.join("Cargo.toml"), "no");
    put(fork.join(".cargo/config.toml"), "no");
    put(fork.join("levels/07-cgroups/src/lib.rs"), "lib");
    put(fork.join("levels/README.md"), "no");
    put(fork.join("solutions/00-fork-exec/src/main.rs"), "no");
    put(fork.join("checker/x/05-uts-ns/src/main.rs"), "no");
    put(fork.join("target/levels/00-fork-exec/src/main.rs"), "no");
    put(fork.join(".git/levels/00-fork-exec/src/main.rs"), "no");
    let (taken, files) = one(&test, &fork);
    assert_eq!(
        files,
        [
            "05-uts-ns/src/deep/er/mod.rs=deep",
            "05-uts-ns/src/main.rs=main",
            "07-cgroups/src/lib.rs=lib",
        ]
    );
    let levels: Vec<&String> = taken.sources.keys().collect();
    assert_eq!(levels, ["05", "07"]);
    assert_eq!(
        taken.notes,
        ["levels/05-uts-ns/src/bin: cargo would make more programs of it: left out"]
    );
}

/// From folders, archives and Git alike.
#[test]
fn what_cargo_would_heed_is_left_out_with_a_note() {
    let test = fresh("heeded");
    let manifest = handed_out().join("05-uts-ns/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let changed = format!("{manifest}libc = \"0.2\"\n");
    let windows = manifest.replace('\n', "\r\n") + "\r\n";
    let huge = "#".repeat(2 * MIB);
    let level = "levels/05-uts-ns";
    let notes = |files: &[(&str, &str)]| {
        let repository = test.join("repository");
        let _ = fs::remove_dir_all(&repository);
        let repository = self::repository(&test);
        for (name, content) in files {
            put(repository.join(level).join(name), content);
        }
        commit(&repository, "main");
        let (tgz, zip) = packed(&repository.join("levels"), "fork/levels/");
        put(test.join("a.tgz"), tgz);
        put(test.join("a.zip"), zip);
        let from = |found: &[Found]| {
            let (taken, files) = take(&found[0], &test.join("taken"));
            assert_eq!(files.keys().collect::<Vec<_>>(), ["05-uts-ns/src/main.rs"]);
            let mut notes = taken.notes;
            notes.sort();
            notes
        };
        let notes = from(&found(&[&repository]));
        for archive in ["a.tgz", "a.zip"] {
            assert_eq!(from(&found(&[&test.join(archive)])), notes, "{archive}");
        }
        assert_eq!(from(&revisions(&repository, &["main"]).unwrap()), notes);
        notes
    };
    let nothing: [&str; 0] = [];
    assert_eq!(notes(&[]), nothing);
    assert_eq!(notes(&[("Cargo.toml", &manifest)]), nothing);
    assert_eq!(notes(&[("Cargo.toml", &windows)]), nothing);
    let told = notes(&[
        ("Cargo.toml", &changed),
        ("build.rs", "fn main() {}"),
        (".cargo/config.toml", "no"),
        (".cargo/more", "no"),
        ("HINTS.md", ""),
    ]);
    assert_eq!(
        told,
        [
            "levels/05-uts-ns/.cargo: it would change cargo: left out",
            "levels/05-uts-ns/Cargo.toml: it isn't as it was handed out: left out",
            "levels/05-uts-ns/build.rs: it is a build script: left out",
        ]
    );
    let told = notes(&[("Cargo.toml", &huge)]);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].ends_with("larger than 1024 KiB: left out"),
        "{told:?}"
    );
}

#[test]
fn only_the_levels_asked_for_are_taken() {
    let test = fresh("asked");
    put(test.join("alice").join(MAIN), "main");
    put(test.join("alice/levels/07-cgroups/src/lib.rs"), "lib");
    let found = found(&[&test.join("alice")]);
    let into = test.join("taken");
    let taken = found[0]
        .take(&[level("07", "cgroups")], &handed_out(), &into)
        .unwrap();
    assert_eq!(taken.sources.keys().collect::<Vec<_>>(), ["07"]);
    assert!(!into.join("05-uts-ns").exists());
}

#[test]
fn src_bin_is_left_out_of_archives_too() {
    let test = fresh("bin");
    let archive = test.join("alice.tar");
    let bin = "levels/05-uts-ns/src/bin/x/main.rs";
    put(&archive, tar_of(&[(MAIN, "main"), (bin, "no")]));
    let (taken, files) = one(&test, &archive);
    assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
    noted(&taken, &["levels/05-uts-ns/src/bin: "]);
}

#[test]
fn a_levels_folder_has_its_name_or_is_the_only_one_with_its_number() {
    for (index, (folders, wanted)) in [
        (vec!["05-uts-ns", "05-old", "05"], Some("05-uts-ns")),
        (vec!["05"], Some("05")),
        (vec!["05-mine"], Some("05-mine")),
        (vec!["05", "05-mine"], None),
        (vec!["05-UTS-ns", "05-uts-nS"], None),
        (vec!["055-x", "005-x", "5-x"], None),
    ]
    .into_iter()
    .enumerate()
    {
        let test = fresh(&format!("number-{index}"));
        for folder in &folders {
            put(
                test.join("a/levels").join(folder).join("src/main.rs"),
                folder,
            );
        }
        put(test.join("a/levels/00-fork-exec/src/main.rs"), "zero");
        let (taken, files) = one(&test, &test.join("a"));
        let mut expected = vec!["00-fork-exec/src/main.rs=zero".to_owned()];
        expected
            .extend(wanted.map(|folder| format!("05-uts-ns/src/main.rs={folder}")));
        assert_eq!(files, expected, "{folders:?}");
        if wanted.is_none() && folders[0].starts_with("05-") {
            noted(&taken, &["levels: 2 folders could be 05-uts-ns"]);
        }
    }
}

#[test]
fn the_digest_is_over_names_and_contents() {
    let test = fresh("digest");
    let sources = |name: &str, files: &[(&str, &str)]| {
        let archive = test.join(name).with_extension("tar");
        put(&archive, tar_of(files));
        one(&test, &archive).0.sources["05"].clone()
    };
    let other = "levels/05-uts-ns/src/other.rs";
    let first = sources("a", &[(MAIN, "one"), (other, "two")]);
    assert_eq!(first.len(), 64);
    assert_eq!(first, sources("b", &[(other, "two"), (MAIN, "one")]));
    assert_ne!(first, sources("c", &[(other, "one"), (MAIN, "two")]));
    assert_ne!(first, sources("d", &[(MAIN, "one"), (other, "twx")]));
    assert_ne!(first, sources("e", &[(MAIN, "one")]));
    let renamed = "levels/05-uts-ns/src/othes.rs";
    assert_ne!(first, sources("g", &[(MAIN, "one"), (renamed, "two")]));
    // The same from a folder.
    put(test.join("f").join(MAIN), "one");
    put(test.join("f").join(other), "two");
    assert_eq!(one(&test, &test.join("f")).0.sources["05"], first);
}

// Where submissions are

#[test]
fn a_submission_is_a_fork_its_levels_or_what_is_in_them() {
    let test = fresh("shapes");
    put(test.join("alice").join(MAIN), "main");
    put(test.join("bob/05-uts-ns/src/main.rs"), "main");
    for (argument, name) in [
        ("alice", "alice"),
        ("alice/levels", "alice"),
        ("bob", "bob"),
    ] {
        let found = found(&[&test.join(argument)]);
        assert_eq!(names(&found), [name]);
        let (_, files) = one(&test, &test.join(argument));
        assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
    }
}

#[test]
fn archives_of_every_kind_and_shape_are_read() {
    let test = fresh("kinds");
    let github = format!("repo-main/{MAIN}");
    let bare = "05-uts-ns/src/main.rs";
    for name in [MAIN, &github, bare, "./levels/./05-uts-ns//src/main.rs"] {
        let tar = tar_of(&[("README.md", ""), (name, "main")]);
        put(test.join("a.tar"), &tar);
        put(test.join("b.tar.gz"), gzip(&tar));
        put(test.join("c.TGZ"), gzip(&tar));
        put(test.join("d.zip"), zip_of(&[(name, b"main")]));
        // People rename archives.
        put(test.join("e.zip"), gzip(&tar));
        for argument in ["a.tar", "b.tar.gz", "c.TGZ", "d.zip", "e.zip"] {
            let (taken, files) = one(&test, &test.join(argument));
            assert_eq!(files, ["05-uts-ns/src/main.rs=main"], "{argument} {name}");
            assert_eq!(taken.notes, [""; 0]);
            let found = found(&[&test.join(argument)]);
            assert_eq!(names(&found), [&argument[..1]]);
        }
    }
}

#[test]
fn a_zip_with_backslashes_or_something_before_it_is_read() {
    let test = fresh("zips");
    let mut bytes = zip_of(&[(MAIN, b"main")]);
    swap(
        &mut bytes,
        MAIN.as_bytes(),
        MAIN.replace('/', "\\").as_bytes(),
    );
    bytes.splice(..0, *b"#!/bin/sh\nexit\n");
    put(test.join("a.zip"), &bytes);
    // What the first bytes say is: a tar.
    let (taken, _) = one(&test, &test.join("a.zip"));
    noted(&taken, &["can't be read"]);
    bytes.splice(..15, *b"PK and so on");
    put(test.join("a.zip"), &bytes);
    let (_, files) = one(&test, &test.join("a.zip"));
    assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
}

#[test]
fn a_zip64_is_read() {
    let test = fresh("zip64");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..65_600 {
        let name = format!("target/{index}");
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
    }
    let large = SimpleFileOptions::default().large_file(true);
    zip.start_file(MAIN, large).unwrap();
    zip.write_all(b"main").unwrap();
    put(test.join("a.zip"), zip.finish().unwrap().into_inner());
    let (taken, files) = one(&test, &test.join("a.zip"));
    assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
    assert_eq!(taken.notes, [""; 0]);
}

#[test]
fn a_class_is_a_folder_or_an_archive_of_folders_and_archives() {
    let test = fresh("class");
    let work = zip_of(&[(MAIN, b"bob")]);
    let moodle = "Bob_12_assignsubmission_file_";
    let class = test.join("class");
    put(class.join("alice").join(MAIN), "alice");
    put(class.join(moodle).join("work.zip"), &work);
    put(
        class.join("carol.tar.gz"),
        gzip(&tar_of(&[(MAIN, "carol")])),
    );
    put(class.join("group/dan/repo").join(MAIN), "dan");
    put(class.join("group/eve").join(MAIN), "eve");
    put(class.join("nothing/report.txt"), "sorry");
    put(class.join("grades.csv"), "");
    let expected = ["Bob", "alice", "carol", "group/dan", "group/eve", "nothing"];
    let here = found(&[&class]);
    assert_eq!(names(&here), expected);

    let zip = zip_of(&[
        ("grades.csv", b""),
        (&format!("alice/{MAIN}"), b"alice"),
        (&format!("{moodle}/work.zip"), &work),
        ("carol.tar.gz", &gzip(&tar_of(&[(MAIN, "carol")]))),
        (&format!("group/dan/repo/{MAIN}"), b"dan"),
        (&format!("group/eve/{MAIN}"), b"eve"),
        ("nothing/report.txt", b"sorry"),
        (&format!("__MACOSX/alice/{MAIN}"), b"no"),
    ]);
    put(test.join("export.zip"), zip);
    let there = found(&[&test.join("export.zip")]);
    assert_eq!(names(&there), expected);

    for (found, who) in here
        .iter()
        .chain(&there)
        .zip(["bob", "alice", "carol", "dan", "eve", ""].iter().cycle())
    {
        let (taken, files) = take(found, &test.join("taken"));
        if who.is_empty() {
            assert!(files.is_empty() && taken.sources.is_empty());
            noted(&taken, &["there is no levels/NN-name/src"]);
        } else {
            assert_eq!(taken.notes, [""; 0]);
            assert_eq!(files["05-uts-ns/src/main.rs"], who.as_bytes());
        }
    }
}

/// Everything in a folder as members of archives, folders too.
fn packed(folder: &Path, top: &str) -> (Vec<u8>, Vec<u8>) {
    fn below(folder: &Path, name: &str, all: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let own = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                all.push((format!("{name}{own}/"), Vec::new()));
                below(&path, &format!("{name}{own}/"), all);
            } else {
                all.push((format!("{name}{own}"), fs::read(&path).unwrap()));
            }
        }
    }
    let mut all = Vec::new();
    below(folder, top, &mut all);
    let mut tar = Tar::default();
    for (name, content) in &all {
        let kind = match name.ends_with('/') {
            true => EntryType::Directory,
            false => EntryType::Regular,
        };
        tar.member(name.as_bytes(), kind, content);
    }
    let files: Vec<(&str, &[u8])> = all
        .iter()
        .map(|(name, content)| (name.as_str(), content.as_slice()))
        .collect();
    (gzip(&tar.end()), zip_of(&files))
}

/// The same people, by the same names, with the same work and the same notes.
#[test]
fn a_class_is_the_same_in_a_folder_and_in_an_archive() {
    let test = fresh("packed");
    let class = test.join("sub");
    let one = class.join("alice");
    put(one.join(MAIN), "alice");
    let all = |class: &Path| {
        let found = found(&[class]);
        let found = found.iter().map(|found| {
            let (taken, files) = take(found, &test.join("taken"));
            (found.name.clone(), taken, files)
        });
        found.collect::<Vec<_>>()
    };
    let same = |expected: &[&str]| {
        let there = all(&class);
        let names: Vec<&str> = there.iter().map(|one| one.0.as_str()).collect();
        assert_eq!(names, expected);
        for top in ["sub/", "./sub/", "another name/", ""] {
            let (tgz, zip) = packed(&class, top);
            for (name, bytes) in [("sub.tgz", &tgz), ("all.zip", &zip)] {
                put(test.join(name), bytes);
                let here = all(&test.join(name));
                if expected.len() > 1 || !top.is_empty() {
                    assert_eq!(here, there, "{name} {top:?}");
                }
            }
        }
    };
    same(&["alice"]);
    put(class.join("zed/notes.txt"), "sorry");
    same(&["alice", "zed"]);
    fs::create_dir_all(class.join("yve/levels")).unwrap();
    fs::create_dir_all(class.join("nobody")).unwrap();
    fs::create_dir_all(class.join(".vscode")).unwrap();
    put(class.join("xan/work").join(MAIN), "xan");
    put(class.join("xan/work/levels/00-fork-exec/notes.txt"), "");
    put(class.join("bob/work.zip"), zip_of(&[(MAIN, b"bob")]));
    put(class.join("bob/report/report.pdf"), "");
    put(class.join("carol.tgz"), gzip(&tar_of(&[(MAIN, "carol")])));
    put(class.join("dan.zip"), "PK and then nothing");
    put(class.join("zoe.rar"), "Rar!");
    put(class.join("finn/work.tar.xz"), "xz");
    put(class.join("grades.csv"), "");
    same(&[
        "alice", "bob", "carol", "dan", "finn", "nobody", "xan", "yve", "zed", "zoe",
    ]);
}

#[test]
fn of_several_archives_each_is_one_persons_unless_more_have_levels() {
    let test = fresh("several-archives");
    let report = "work/report/report.txt";
    let level = format!("work/project/{MAIN}");
    put(
        test.join("alice.tar"),
        tar_of(&[(report, ""), (&level, "")]),
    );
    put(test.join("bob.tar"), tar_of(&[(MAIN, "bob")]));
    let there = found(&[&test.join("alice.tar"), &test.join("bob.tar")]);
    assert_eq!(names(&there), ["alice", "bob"]);
    let (taken, files) = take(&there[0], &test.join("taken"));
    assert_eq!(files.len(), 1);
    noted(&taken, &["report: there is no levels/NN-name/src"]);
    // The same for one whose name the instructor gives.
    put(test.join("list"), "Alice\talice.tar\n");
    let list = test.join("list");
    let there = find(&[], Some(&list), &[], Path::new(".")).unwrap();
    assert_eq!(names(&there), ["Alice"]);
}

#[test]
fn an_archive_in_an_archive_in_a_folder_is_read_but_no_deeper() {
    let test = fresh("nested");
    let inner = zip_of(&[(MAIN, b"main")]);
    let middle = gzip(&{
        let mut tar = Tar::default();
        tar.member(b"x/levels.zip", EntryType::Regular, &inner);
        tar.end()
    });
    put(test.join("class/alice/work.tgz"), &middle);
    let class = found(&[&test.join("class")]);
    assert_eq!(names(&class), ["alice"]);
    let (_, files) = take(&class[0], &test.join("taken"));
    assert_eq!(files["05-uts-ns/src/main.rs"], b"main");

    put(test.join("deep.zip"), zip_of(&[("a/middle.tgz", &middle)]));
    let deep = found(&[&test.join("deep.zip")]);
    let (taken, files) = take(&deep[0], &test.join("taken"));
    assert!(files.is_empty());
    noted(&taken, &["there is no levels"]);
}

#[test]
fn a_submission_within_another_is_none_and_solutions_are_none() {
    let test = fresh("within");
    let class = test.join("class");
    put(class.join("alice").join(MAIN), "alice");
    put(class.join("alice/tests/bob").join(MAIN), "no");
    put(class.join("alice/tests/data.zip"), zip_of(&[(MAIN, b"no")]));
    put(class.join("solutions").join(MAIN), "no");
    put(class.join("target/dan").join(MAIN), "no");
    assert_eq!(names(&found(&[&class])), ["alice"]);
    let zip = zip_of(&[
        (&format!("alice/{MAIN}"), b"alice"),
        (&format!("alice/tests/bob/{MAIN}"), b"no"),
        ("alice/tests/data.zip", &zip_of(&[(MAIN, b"no")])),
        (&format!("solutions/{MAIN}"), b"no"),
    ]);
    put(test.join("class.zip"), zip);
    let archived = found(&[&test.join("class.zip")]);
    assert_eq!(archived.len(), 1, "{:?}", names(&archived));
    let (_, files) = take(&archived[0], &test.join("taken"));
    assert_eq!(files["05-uts-ns/src/main.rs"], b"alice");
}

#[test]
fn submissions_are_looked_for_some_levels_deep() {
    let test = fresh("depth");
    for (depth, expected) in [(8, vec!["1"]), (13, vec!["class"])] {
        let class = test.join(depth.to_string()).join("class");
        let path = (1..=depth).map(|part| part.to_string());
        put(class.join(PathBuf::from_iter(path)).join(MAIN), "");
        assert_eq!(names(&found(&[&class])), expected);
    }
}

#[test]
fn a_students_archive_holds_few_submissions() {
    let test = fresh("few");
    let files: Vec<String> =
        (10..30).map(|index| format!("{index}/{MAIN}")).collect();
    let files: Vec<(&str, &str)> =
        files.iter().map(|file| (file.as_str(), "main")).collect();
    put(test.join("class/alice/w.tar"), tar_of(&files));
    let there = found(&[&test.join("class")]);
    assert_eq!(there.len(), 10, "{:?}", names(&there));
    assert_eq!(there[0].name, "alice/w/10");
    let (taken, _) = take(&there[0], &test.join("taken"));
    noted(&taken, &["only the first 10"]);
    assert_eq!(found(&[&test.join("class/alice/w.tar")]).len(), 20);
}

// Names

#[test]
fn names_are_as_long_as_it_takes_and_sorted_whatever_the_order() {
    let test = fresh("names");
    for path in ["alice/work", "bob/work", "carol/other", "x/alice/work"] {
        put(test.join(path).join(MAIN), path);
    }
    put(test.join("bob/work.zip"), zip_of(&[(MAIN, b"zip")]));
    let paths = ["alice/work", "bob/work", "carol/other", "x/alice/work"];
    let mut paths: Vec<PathBuf> = paths.iter().map(|path| test.join(path)).collect();
    let three: Vec<&Path> = paths[..3].iter().map(PathBuf::as_path).collect();
    assert_eq!(names(&found(&three)), ["alice/work", "bob/work", "other"]);
    // Once, however often it is given, and however it is written.
    paths.push(test.join("alice/../alice/work/levels"));
    paths.push(test.join("alice/work"));
    let all: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let there = found(&all);
    let expected = ["bob/work", "names/alice/work", "other", "x/alice/work"];
    assert_eq!(names(&there), expected);
    let back: Vec<&Path> = all.iter().copied().rev().collect();
    assert_eq!(names(&found(&back)), expected);
    // A folder and an archive that differ by the ending only.
    let there = found(&[&test.join("bob/work"), &test.join("bob/work.zip")]);
    assert_eq!(there.len(), 2);
    assert_ne!(there[0].name, there[1].name);
    assert!(there[0].name.ends_with("work"), "{}", there[0].name);
    assert!(there[1].name.ends_with("work.zip"), "{}", there[1].name);
}

#[test]
fn a_class_and_one_of_it_are_that_one_once() {
    let test = fresh("once");
    put(test.join("class/alice").join(MAIN), "");
    put(test.join("class/bob/work").join(MAIN), "");
    let class = test.join("class");
    let bob = class.join("bob/work");
    assert_eq!(
        names(&found(&[&class, &bob])),
        names(&found(&[&bob, &class]))
    );
    assert_eq!(found(&[&class, &bob]).len(), 2);
}

#[test]
fn of_several_arguments_each_is_part_of_the_names() {
    let test = fresh("several");
    for student in ["alice", "bob"] {
        put(test.join(student).join("work.zip"), zip_of(&[(MAIN, b"")]));
    }
    put(test.join("carol/other.zip"), b"PK, but damaged");
    let paths = ["alice", "bob", "carol"].map(|name| test.join(name));
    let arguments: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let there = found(&arguments);
    assert_eq!(names(&there), ["alice/work", "bob/work", "carol/other"]);
    assert_eq!(names(&found(&arguments[..1])), ["work"]);
}

/// As Moodle packs them: in folders, or as files.
#[test]
fn moodles_part_of_a_name_is_left_out_unless_two_people_share_the_rest() {
    let test = fresh("moodle");
    let class = test.join("class");
    let file = "assignsubmission_file";
    let zip = zip_of(&[(MAIN, b"")]);
    put(class.join(format!("Öztürk Judy_48213_{file}_/w.zip")), &zip);
    put(class.join(format!("Ada L._7_{file}_work.zip")), &zip);
    put(class.join(format!("Bo_8_{file}_work.rar")), "Rar!");
    let expected = ["Ada L.", "Bo", "Öztürk Judy"];
    assert_eq!(names(&found(&[&class])), expected);
    let (tgz, _) = packed(&class, "");
    put(test.join("class.tgz"), tgz);
    assert_eq!(names(&found(&[&test.join("class.tgz")])), expected);
    put(class.join(format!("Ada L._9_{file}_work.zip")), &zip);
    let both = [7, 9].map(|number| format!("Ada L._{number}_{file}_work"));
    let expected = [both[0].as_str(), &both[1], "Bo", "Öztürk Judy"];
    assert_eq!(names(&found(&[&class])), expected);
}

#[test]
fn names_that_are_not_text_are_shown_as_escapes() {
    let test = fresh("bytes");
    let name = std::ffi::OsStr::from_bytes(b"M\xfcller");
    put(test.join("class").join(name).join(MAIN), "main");
    put(test.join("class/x").join(MAIN), "main");
    let found = found(&[&test.join("class")]);
    assert_eq!(names(&found), ["M\\xfcller", "x"]);
    let (_, files) = take(&found[0], &test.join("taken"));
    assert_eq!(files.len(), 1);
}

#[test]
fn keys_are_file_names_and_tell_names_apart() {
    assert_eq!(key("alice_1-2.x"), "alice_1-2.x");
    assert_eq!(key("a/b"), "a%2Fb");
    assert_eq!(key(".."), "%2E.");
    assert_eq!(key("-rf"), "%2Drf");
    assert_eq!(key("a%2Fb"), "a%252Fb");
    assert_eq!(key("ü\n"), "%C3%BC%0A");
    let long = "x".repeat(300);
    let names = [
        "",
        ".",
        "a",
        "A",
        "a/b",
        "a%2Fb",
        "a b",
        "a\0b",
        "ü",
        "u\u{308}",
        &long,
        &long[1..],
        &key(&long),
        &key(""),
        &"/".repeat(40),
        &"/".repeat(41),
    ];
    let keys: std::collections::BTreeSet<String> =
        names.iter().map(|name| key(name)).collect();
    assert_eq!(keys.len(), names.len());
    for key in keys {
        assert!(!key.is_empty() && key.len() < 200, "{key}");
        assert!(!key.starts_with('.'), "{key}");
        let safe =
            |byte: u8| byte.is_ascii_alphanumeric() || b"._-%".contains(&byte);
        assert!(key.bytes().all(safe), "{key}");
    }
}

// Nothing is followed

#[test]
fn links_pipes_and_sockets_in_folders_are_left_out() {
    let test = fresh("links");
    let source = test.join("alice/levels/05-uts-ns/src");
    put(source.join("main.rs"), "main");
    put(test.join("secret/src/main.rs"), "secret");
    symlink("/etc/passwd", source.join("link.rs")).unwrap();
    symlink(test.join("secret"), source.join("folder")).unwrap();
    nix::unistd::mkfifo(&source.join("pipe.rs"), nix::sys::stat::Mode::S_IRWXU)
        .unwrap();
    let _socket = UnixListener::bind(source.join("s")).unwrap();
    symlink(test.join("secret"), test.join("alice/levels/07-cgroups")).unwrap();
    fs::create_dir_all(test.join("alice/levels/00-fork-exec")).unwrap();
    symlink(
        test.join("secret/src"),
        test.join("alice/levels/00-fork-exec/src"),
    )
    .unwrap();
    let start = Instant::now();
    let (taken, files) = one(&test, &test.join("alice"));
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
    noted(&taken, &["link.rs", "symbolic link"]);
    noted(&taken, &["src/folder", "symbolic link"]);
    noted(&taken, &["pipe.rs", "a device, a pipe"]);
    noted(&taken, &["src/s:", "a device, a pipe"]);
    noted(&taken, &["levels/07-cgroups:", "symbolic link"]);
    noted(&taken, &["levels/00-fork-exec/src:", "symbolic link"]);
}

#[test]
fn linked_levels_and_linked_students_are_left_out() {
    let test = fresh("linked");
    put(test.join("secret").join(MAIN), "secret");
    put(test.join("secret/work.zip"), zip_of(&[(MAIN, b"secret")]));
    put(test.join("class/alice").join(MAIN), "alice");
    fs::create_dir_all(test.join("class/bob")).unwrap();
    symlink("../../secret/levels", test.join("class/bob/levels")).unwrap();
    symlink("../secret", test.join("class/carol")).unwrap();
    symlink("../secret/work.zip", test.join("class/dan.zip")).unwrap();
    let found = found(&[&test.join("class")]);
    assert_eq!(names(&found), ["alice", "bob", "carol", "dan"]);
    for found in &found[1..] {
        let (taken, files) = take(found, &test.join("taken"));
        assert!(files.is_empty(), "{files:?}");
        noted(&taken, &["symbolic link"]);
    }
}

#[test]
fn a_folder_swapped_for_a_link_after_it_was_found_leads_nowhere() {
    let test = fresh("swapped");
    put(test.join("secret").join(MAIN), "secret");
    for swapped in ["levels", "levels/05-uts-ns", "levels/05-uts-ns/src", MAIN] {
        let alice = test.join("alice");
        put(alice.join(MAIN), "alice");
        let found = found(&[&alice]);
        fs::rename(alice.join(swapped), test.join("away")).unwrap();
        symlink(test.join("secret").join(swapped), alice.join(swapped)).unwrap();
        let (taken, files) = take(&found[0], &test.join("taken"));
        assert!(files.is_empty(), "{swapped}: {files:?}");
        match swapped {
            "levels" => noted(&taken, &["can't be read: open: E"]),
            _ => noted(&taken, &[swapped, "it is a symbolic link"]),
        }
        fs::remove_dir_all(&alice).unwrap();
        let away = test.join("away");
        if away.is_dir() {
            fs::remove_dir_all(away).unwrap();
        } else {
            fs::remove_file(away).unwrap();
        }
    }
}

#[test]
fn an_archive_swapped_for_a_pipe_or_a_link_is_not_waited_for() {
    let test = fresh("swapped-archive");
    let archive = test.join("class/alice/work.zip");
    put(&archive, zip_of(&[(MAIN, b"alice")]));
    put(test.join("secret.zip"), zip_of(&[(MAIN, b"secret")]));
    let found = found(&[&test.join("class")]);
    fs::remove_file(&archive).unwrap();
    symlink(test.join("secret.zip"), &archive).unwrap();
    let (taken, files) = take(&found[0], &test.join("taken"));
    assert!(files.is_empty());
    noted(&taken, &["symbolic link"]);
    fs::remove_file(&archive).unwrap();
    nix::unistd::mkfifo(&archive, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (taken, _) = take(&found[0], &test.join("taken"));
    noted(&taken, &["can't be read", "a pipe"]);
}

#[test]
fn special_members_of_tars_are_left_out() {
    let test = fresh("special");
    let mut tar = Tar::default();
    let at = |name: &str| format!("levels/05-uts-ns/src/{name}").into_bytes();
    tar.file(MAIN, "main")
        .member(&at("symlink.rs"), EntryType::Symlink, b"")
        .member(&at("hard.rs"), EntryType::Link, b"")
        .member(&at("char.rs"), EntryType::Char, b"")
        .member(&at("block.rs"), EntryType::Block, b"")
        .member(&at("fifo.rs"), EntryType::Fifo, b"")
        .member(&at("strange.rs"), EntryType::new(b'Z'), b"strange")
        .member(&at("folder"), EntryType::Symlink, b"")
        .file("levels/05-uts-ns/src/folder/in.rs", "in a folder")
        .member(b"levels/07-cgroups/src", EntryType::Symlink, b"");
    put(test.join("a.tar"), tar.end());
    let (taken, files) = one(&test, &test.join("a.tar"));
    assert_eq!(
        files,
        [
            "05-uts-ns/src/folder/in.rs=in a folder",
            "05-uts-ns/src/main.rs=main"
        ]
    );
    noted(&taken, &["symlink.rs", "a symbolic link"]);
    noted(&taken, &["hard.rs", "a hard link"]);
    for name in ["char.rs", "block.rs", "fifo.rs", "strange.rs"] {
        noted(&taken, &[name, "a device"]);
    }
    noted(&taken, &["levels/07-cgroups/src:", "a symbolic link"]);
}

#[test]
fn special_entries_of_zips_are_left_out() {
    let test = fresh("special-zip");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.start_file(MAIN, options).unwrap();
    zip.write_all(b"main").unwrap();
    zip.add_symlink("levels/05-uts-ns/src/link.rs", "/etc/passwd", options)
        .unwrap();
    for name in ["secret.rs", "packed.rs"] {
        let name = format!("levels/05-uts-ns/src/{name}");
        zip.start_file(name, options).unwrap();
        zip.write_all(b"some text that is text").unwrap();
    }
    let mut bytes = zip.finish().unwrap().into_inner();
    // In the directory: flags for encryption, and a method nobody knows.
    patch(&mut bytes, b"src/secret.rs", 8, &[1, 0]);
    patch(&mut bytes, b"src/packed.rs", 10, &[77, 0]);
    put(test.join("a.zip"), bytes);
    let (taken, files) = one(&test, &test.join("a.zip"));
    assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
    noted(&taken, &["link.rs", "a symbolic link"]);
    noted(&taken, &["secret.rs", "encrypted"]);
    noted(&taken, &["packed.rs", "method 77"]);
}

/// Change a zip's directory record of the file whose name ends like that.
fn patch(zip: &mut [u8], name: &[u8], at: usize, with: &[u8]) {
    let mut records = 0..zip.len() - 46;
    let record = records.find(|start| {
        let bytes = &zip[*start..];
        if !bytes.starts_with(b"PK\x01\x02") {
            return false;
        }
        let length = usize::from(u16::from_le_bytes([bytes[28], bytes[29]]));
        bytes[46..46 + length].ends_with(name)
    });
    let at = record.unwrap() + at;
    zip[at..at + with.len()].copy_from_slice(with);
}

// Names in archives

#[test]
fn members_with_bad_names_are_left_out() {
    let test = fresh("bad-names");
    let bad: [&[u8]; 8] = [
        b"/levels/05-uts-ns/src/absolute.rs",
        b"levels/05-uts-ns/src/../../up.rs",
        b"../levels/05-uts-ns/src/up.rs",
        b"levels/05-uts-ns/src/..",
        b"levels/05-uts-ns/src/new\nline.rs",
        b"levels/05-uts-ns/src/escape\x1b[31m.rs",
        b"levels/05-uts-ns/src/latin\xfc.rs",
        b"levels/05-uts-ns/src/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s.rs",
    ];
    let mut tar = Tar::default();
    for name in bad {
        tar.member(name, EntryType::Regular, b"bad");
    }
    tar.file(MAIN, "main")
        .file("LEVELS/05-uts-ns/SRC/x.rs", "case");
    put(test.join("a.tar"), tar.end());
    let (taken, files) = one(&test, &test.join("a.tar"));
    assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
    noted(&taken, &["absolute.rs", "begins with /"]);
    noted(&taken, &["up.rs", ".."]);
    noted(&taken, &["new\\nline.rs", "control characters"]);
    noted(&taken, &["escape\\u{1b}", "control characters"]);
    noted(&taken, &["latin\\xfc", "not UTF-8"]);
    noted(&taken, &["s.rs", "too long"]);
    let outside = test.join("up.rs").exists() || test.join("taken/up.rs").exists();
    assert!(!outside);

    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    for name in [
        MAIN,
        "XX/levels/05-uts-ns/src/up.rs",
        "levels/05-uts-ns/src/n@l.rs",
    ] {
        zip.start_file(name, options).unwrap();
        zip.write_all(b"main").unwrap();
    }
    let mut bytes = zip.finish().unwrap().into_inner();
    swap(&mut bytes, b"XX/", b"../");
    swap(&mut bytes, b"n@l", b"n\0l");
    put(test.join("b.zip"), bytes);
    let (taken, files) = one(&test, &test.join("b.zip"));
    assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
    noted(&taken, &["up.rs", ".."]);
    noted(&taken, &["n\\0l.rs", "NUL"]);
}

#[test]
fn of_duplicate_entries_the_last_is_taken() {
    let test = fresh("duplicates");
    put(
        test.join("a.tar"),
        tar_of(&[(MAIN, "first"), (MAIN, "second, longer"), (MAIN, "third")]),
    );
    let mut zip =
        zip_of(&[(MAIN, b"first"), ("levels/05-uts-ns/src/mxxn.rs", b"third")]);
    swap(&mut zip, b"mxxn.rs", b"main.rs");
    put(test.join("b.zip"), zip);
    for name in ["a.tar", "b.zip"] {
        let (taken, files) = one(&test, &test.join(name));
        assert_eq!(files, ["05-uts-ns/src/main.rs=third"]);
        noted(&taken, &["main.rs", "more than once", "last"]);
    }
}

#[test]
fn a_file_and_a_folder_of_the_same_name_are_no_error() {
    let test = fresh("conflict");
    let source = "levels/05-uts-ns/src";
    for (index, names) in [["a", "a/b.rs"], ["a/b.rs", "a"]].into_iter().enumerate()
    {
        let names = names.map(|name| format!("{source}/{name}"));
        let archive = test.join(format!("{index}.tar"));
        put(
            &archive,
            tar_of(&[(&names[0], "1"), (&names[1], "2"), (MAIN, "main")]),
        );
        let (taken, files) = one(&test, &archive);
        assert_eq!(files.len(), 2);
        noted(&taken, &[&names[1], "the same name"]);
    }
}

#[test]
fn long_names_and_pax_headers_are_read_and_limited() {
    let test = fresh("pax");
    let long = format!("{}/{MAIN}", "deep".repeat(40));
    let mut tar = Tar::default();
    let record = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        let length = rest.len() + 3;
        format!("{length}{rest}")
    };
    let two = "levels/05-uts-ns/src/two.rs";
    tar.member(
        b"././@LongLink",
        EntryType::GNULongName,
        format!("{long}\0").as_bytes(),
    )
    .file("cut", "main")
    .member(b"pax_global", EntryType::XGlobalHeader, b"11 path=zz\n")
    .member(
        b"pax",
        EntryType::XHeader,
        record("path", &format!("{}/{two}", "deep".repeat(40))).as_bytes(),
    )
    .file("cut", "two");
    // The size is in the pax header, the header says 0.
    let three = format!("{}/levels/05-uts-ns/src/three.rs", "deep".repeat(40));
    let pax = [record("path", &three), "11 size=05\n".to_owned()].concat();
    tar.member(b"pax", EntryType::XHeader, pax.as_bytes())
        .header(b"cut", EntryType::Regular, 0)
        .content(b"three");
    // A name of a megabyte belongs to nobody.
    tar.member(b"././@LongLink", EntryType::GNULongName, &[b'x'; MIB])
        .file("levels/05-uts-ns/src/four.rs", "four");
    put(test.join("a.tar.gz"), gzip(&tar.end()));
    let (taken, files) = one(&test, &test.join("a.tar.gz"));
    assert_eq!(
        files,
        [
            "05-uts-ns/src/main.rs=main",
            "05-uts-ns/src/three.rs=three",
            "05-uts-ns/src/two.rs=two",
        ]
    );
    assert_eq!(taken.notes, [""; 0]);
}

#[test]
fn a_header_that_is_too_long_to_be_held_in_memory_is_left_out() {
    let test = fresh("headers");
    let long = format!("{}{MAIN}", "./".repeat(40_000));
    let pax = format!("{} path={long}\n", long.len() + 12);
    for (kind, extra) in
        [(EntryType::GNULongName, &long), (EntryType::XHeader, &pax)]
    {
        let mut tar = Tar::default();
        tar.member(b"long", kind, extra.as_bytes())
            .file("levels/05-uts-ns/src/cut.rs", "main")
            .file("levels/05-uts-ns/src/other.rs", "other");
        put(test.join("a.tar"), tar.end());
        let (taken, files) = one(&test, &test.join("a.tar"));
        assert_eq!(files, ["05-uts-ns/src/other.rs=other"]);
        noted(&taken, &["cut.rs", "header is too long"]);
    }
}

#[test]
fn sparse_files_are_left_out_and_what_follows_is_found() {
    let test = fresh("sparse");
    let mut header = Header::new_gnu();
    let name = b"levels/05-uts-ns/src/sparse.rs";
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(512);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.set_is_extended(true);
    gnu.set_real_size(1 << 40);
    header.set_cksum();
    let mut tar = Tar::default();
    tar.0.extend(header.as_bytes());
    let mut more = [0; 1024];
    more[504] = 1;
    tar.0.extend(more);
    tar.content(&[b'x'; 512]);
    let pax = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n";
    tar.member(b"pax", EntryType::XHeader, pax)
        .file("levels/05-uts-ns/src/other.rs", "1\n0\n512\n")
        .file(MAIN, "main");
    put(test.join("a.tar"), tar.end());
    let (taken, files) = one(&test, &test.join("a.tar"));
    assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
    noted(&taken, &["sparse.rs", "a sparse file"]);
    noted(&taken, &["other.rs", "a sparse file"]);
}

// Damage

#[test]
fn a_damaged_archive_is_a_submission_with_a_note_and_the_others_go_on() {
    let test = fresh("damaged");
    let class = test.join("class");
    let tar = tar_of(&[(MAIN, "main"), ("z", &"filler ".repeat(1000))]);
    let gz = gzip(&tar);
    let zip = zip_of(&[(MAIN, b"main")]);
    let mut checksum = gz.clone();
    let at = checksum.len() - 6;
    checksum[at] ^= 1;
    let mut header = tar.clone();
    // The mode of the first file: only the header's checksum says so.
    header[104] ^= 1;
    let damaged: [(&str, &[u8]); 9] = [
        ("checksum.tgz", &checksum),
        ("cut.tar", &tar[..3000]),
        ("cut.tgz", &gz[..gz.len() - 9]),
        ("cut.zip", &zip[..zip.len() - 30]),
        ("empty.zip", b""),
        ("garbage.tar", &[b'?'; 5000]),
        ("garbage.zip", b"PK\x03\x04 and then nothing"),
        ("header.tar", &header),
        ("web.zip", b"<html>log in first</html>"),
    ];
    for (name, bytes) in damaged {
        put(class.join(name), bytes);
    }
    put(class.join("alice").join(MAIN), "alice");
    put(class.join("bob.rar"), "Rar!");
    let found = found(&[&class]);
    assert_eq!(found.len(), damaged.len() + 2, "{:?}", names(&found));
    for found in &found {
        let (taken, files) = take(found, &test.join("taken"));
        match found.name.as_str() {
            "alice" => assert_eq!(files.len(), 1),
            "bob" => noted(&taken, &["bob.rar: only .zip, .tar, .tar.gz and .tgz"]),
            name => {
                assert!(files.is_empty() && taken.sources.is_empty(), "{name}");
                noted(&taken, &["can't be read"]);
            }
        }
    }
    // An archive of its own, too.
    let (taken, files) = one(&test, &class.join("cut.tgz"));
    assert!(files.is_empty(), "{files:?}");
    noted(&taken, &["can't be read", "cut short"]);
}

#[test]
fn a_class_archive_that_is_cut_short_says_so() {
    let test = fresh("cut-class");
    let mut tar = Tar::default();
    tar.file(&format!("alice/{MAIN}"), "a")
        .file(&format!("bob/{MAIN}"), "b");
    put(test.join("class.tar"), &tar.0[..tar.0.len() - 100]);
    let found = found(&[&test.join("class.tar")]);
    assert_eq!(names(&found), ["alice", "bob", "class"]);
    let (taken, _) = take(&found[2], &test.join("taken"));
    noted(&taken, &["cut short"]);
}

#[test]
fn a_damaged_archive_in_an_archive_is_one_students() {
    let test = fresh("damaged-inner");
    let good = zip_of(&[(MAIN, b"bob")]);
    let class = zip_of(&[("alice/w.zip", b"PK garbage"), ("bob/w.zip", &good)]);
    put(test.join("class.zip"), class);
    let found = found(&[&test.join("class.zip")]);
    assert_eq!(names(&found), ["alice", "bob"]);
    let (taken, _) = take(&found[0], &test.join("taken"));
    noted(&taken, &["w.zip: ", "can't be read"]);
    let (_, files) = take(&found[1], &test.join("taken"));
    assert_eq!(files["05-uts-ns/src/main.rs"], b"bob");
}

#[test]
fn a_zip_that_lies_about_sizes_or_checksums_loses_that_file() {
    let test = fresh("lies");
    let other = "levels/05-uts-ns/src/other.rs";
    let large = vec![b'x'; 3 * MIB];
    let mut bytes = zip_of(&[(MAIN, b"main"), (other, &large)]);
    patch(&mut bytes, b"other.rs", 24, &100_u32.to_le_bytes());
    put(test.join("size.zip"), &bytes);
    let (taken, files) = one(&test, &test.join("size.zip"));
    assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
    noted(&taken, &["other.rs", "larger than 1024 KiB"]);

    for (at, lie) in [
        (24, 100_u32),
        (20, 3),
        (20, u32::MAX - 1),
        (16, 7),
        (42, 99_999),
    ] {
        let text = b"some text, some text, some text";
        let mut bytes = zip_of(&[(MAIN, b"main"), (other, text)]);
        patch(&mut bytes, b"other.rs", at, &lie.to_le_bytes());
        put(test.join("lie.zip"), &bytes);
        let (taken, files) = one(&test, &test.join("lie.zip"));
        // More compressed bytes than there are may still be the right ones.
        if lie != u32::MAX - 1 {
            assert_eq!(files, ["05-uts-ns/src/main.rs=main"], "{at} {lie}");
            noted(&taken, &["other.rs", "can't be read"]);
        }
    }
}

#[test]
fn a_zip_that_claims_to_be_huge_is_damaged() {
    let test = fresh("claims");
    let mut bytes = zip_of(&[(MAIN, b"main")]);
    let end = bytes.len() - 22;
    for (at, lie) in [(12, 0xffff_0000_u32), (16, 0xffff_0000), (12, 5)] {
        let mut lying = bytes.clone();
        lying[end + at..end + at + 4].copy_from_slice(&lie.to_le_bytes());
        put(test.join("a.zip"), &lying);
        let (taken, files) = one(&test, &test.join("a.zip"));
        assert!(files.is_empty());
        noted(&taken, &["can't be read"]);
    }
    // The count is not believed, only what is there.
    bytes[end + 8..end + 12].copy_from_slice(&[0xfe; 4]);
    put(test.join("a.zip"), &bytes);
    assert_eq!(one(&test, &test.join("a.zip")).1.len(), 1);
}

// Limits

#[test]
fn large_files_are_left_out() {
    let test = fresh("large");
    let source = test.join("alice/levels/05-uts-ns/src");
    put(source.join("main.rs"), "main");
    put(source.join("just.rs"), vec![b'j'; MIB]);
    put(source.join("large.rs"), vec![b'l'; MIB + 1]);
    let sparse = fs::File::create(source.join("sparse.rs")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let (taken, files) = one(&test, &test.join("alice"));
    assert_eq!(files.len(), 2);
    noted(&taken, &["large.rs", "larger than 1024 KiB"]);
    noted(&taken, &["sparse.rs", "larger than 1024 KiB"]);
    // Whoever copies the target folder may not know of holes.
    fs::remove_file(source.join("sparse.rs")).unwrap();

    let mut tar = Tar::default();
    let large = b"levels/05-uts-ns/src/large.rs";
    tar.member(large, EntryType::Regular, &vec![b'l'; MIB + 1])
        .file(MAIN, "main");
    put(test.join("a.tar"), tar.end());
    let (taken, files) = one(&test, &test.join("a.tar"));
    assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
    noted(&taken, &["large.rs", "larger than 1024 KiB"]);
}

#[test]
fn many_files_and_much_in_all_are_left_out() {
    let test = fresh("many");
    let mut tar = Tar::default();
    for index in 0..250 {
        tar.file(&format!("levels/05-uts-ns/src/{index:03}.rs"), "x");
    }
    tar.file("levels/07-cgroups/src/lib.rs", "lib");
    put(test.join("a.tar"), tar.end());
    let (taken, files) = one(&test, &test.join("a.tar"));
    assert_eq!(files.len(), 201);
    noted(&taken, &["levels/05-uts-ns/src: ", "200 files"]);

    // Also when it is the same file again and again.
    for same in [false, true] {
        let mut tar = Tar::default();
        for index in 0..12 {
            let name = if same { 0 } else { index };
            let name = format!("levels/05-uts-ns/src/{name}.rs");
            let content = vec![b'a' + index; MIB - 1];
            tar.member(name.as_bytes(), EntryType::Regular, &content);
        }
        put(test.join("b.tar"), tar.end());
        let (taken, files) = one(&test, &test.join("b.tar"));
        assert_eq!(files.len(), if same { 1 } else { 8 });
        assert!(!same || files[0].starts_with("05-uts-ns/src/0.rs=hhh"));
        noted(&taken, &["more than 8 MiB"]);
    }
}

#[test]
fn notes_are_few() {
    let test = fresh("notes");
    let mut tar = Tar::default();
    tar.file(MAIN, "main");
    for index in 0..100 {
        let name = format!("levels/05-uts-ns/src/{}{index}", "x".repeat(70));
        tar.member(name.as_bytes(), EntryType::Symlink, b"");
    }
    put(test.join("a.tar"), tar.end());
    let (taken, _) = one(&test, &test.join("a.tar"));
    assert_eq!(taken.notes.len(), 20);
    assert_eq!(taken.notes[19], "… and 81 more");
}

/// Writes these bytes and zeros, so many MiB in all, and takes no room on the disk.
fn with_zeros(path: &Path, bytes: &[u8], mib: usize) {
    put(path, bytes);
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len((mib * MIB) as u64).unwrap();
}

/// Some MiB of zeros, compressed, after these bytes.
fn bomb(path: &Path, before: &[u8], mib: usize) {
    let file = fs::File::create(path).unwrap();
    let mut gzip = GzEncoder::new(file, Compression::fast());
    gzip.write_all(before).unwrap();
    for _ in 0..mib {
        gzip.write_all(&[0; MIB]).unwrap();
    }
    gzip.finish().unwrap();
}

#[test]
fn endless_archives_are_read_to_the_limit() {
    let test = fresh("endless");
    for kind in [
        EntryType::Regular,
        EntryType::GNULongName,
        EntryType::XHeader,
    ] {
        let mut tar = Tar::default();
        tar.file(MAIN, "main").header(b"zeros", kind, 600 << 20);
        with_zeros(&test.join("a.tar"), &tar.0, 700);
        let (taken, files) = one(&test, &test.join("a.tar"));
        assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
        noted(&taken, &["not read to its end", "512 MiB"]);
        fs::remove_file(test.join("a.tar")).unwrap();

        // A file that says it is larger than it is.
        put(test.join("b.tar"), &tar.0);
        let (taken, files) = one(&test, &test.join("b.tar"));
        assert!(files.is_empty());
        noted(&taken, &["cut short"]);
    }
}

#[test]
#[ignore = "takes a minute: .ci/run asks for it"]
fn bombs_are_read_to_the_limit() {
    let test = fresh("bombs");
    let mut tar = Tar::default();
    tar.file(MAIN, "main")
        .header(b"zeros", EntryType::Regular, 600 << 20);
    bomb(&test.join("a.tgz"), &tar.0, 600);
    let (taken, files) = one(&test, &test.join("a.tgz"));
    assert_eq!(files, ["05-uts-ns/src/main.rs=main"]);
    noted(&taken, &["512 MiB"]);

    // Zeros after the archive's end harm nobody.
    bomb(&test.join("c.tgz"), &tar_of(&[(MAIN, "main")]), 600);
    let (taken, files) = one(&test, &test.join("c.tgz"));
    assert_eq!(files.len(), 1);
    assert_eq!(taken.notes, [""; 0]);
}

#[test]
fn an_archive_in_an_archive_is_unpacked_to_the_limit() {
    let test = fresh("inner-bomb");
    let mut bytes =
        zip_of(&[("alice/work.zip", b""), (&format!("bob/{MAIN}"), b"bob")]);
    // The first one's content is all there is, and it isn't compressed.
    let size = u32::try_from(520 * MIB).unwrap().to_le_bytes();
    patch(&mut bytes, b"work.zip", 20, &size);
    patch(&mut bytes, b"work.zip", 24, &size);
    patch(&mut bytes, b"work.zip", 10, &[0, 0]);
    // The directory stands where it stood, counted from the end.
    let start = bytes
        .windows(4)
        .position(|bytes| bytes == b"PK\x01\x02")
        .unwrap();
    let directory = bytes.split_off(start);
    let archive = test.join("class.zip");
    let local = bytes.len();
    with_zeros(&archive, &bytes, 530);
    let mut file = fs::File::options().append(true).open(&archive).unwrap();
    let mut directory = directory;
    let end = directory.len() - 6;
    let at = u32::try_from(530 * MIB).unwrap().to_le_bytes();
    assert_eq!(
        directory[end..end + 4],
        u32::try_from(local).unwrap().to_le_bytes()
    );
    directory[end..end + 4].copy_from_slice(&at);
    file.write_all(&directory).unwrap();
    let found = found(&[&archive]);
    assert_eq!(names(&found), ["alice", "bob"]);
    let (taken, _) = take(&found[0], &test.join("taken"));
    noted(&taken, &["work.zip", "larger than 512 MiB"]);
    let (_, files) = take(&found[1], &test.join("taken"));
    assert_eq!(files["05-uts-ns/src/main.rs"], b"bob");
    fs::remove_file(&archive).unwrap();
}

#[test]
fn a_zip_with_a_million_entries_is_read_to_the_limit() {
    let test = fresh("entries");
    let mut bytes = zip_of(&[(MAIN, b"main")]);
    let start = bytes.len() - 22 - 46 - MAIN.len();
    let mut record = bytes[start..start + 46].to_vec();
    record[28..34].copy_from_slice(&[1, 0, 0, 0, 0, 0]);
    record.push(b'x');
    let mut end = bytes[bytes.len() - 22..].to_vec();
    bytes.truncate(bytes.len() - 22);
    for _ in 0..1_100_000 {
        bytes.extend(&record);
    }
    let size = u32::try_from(bytes.len() - start).unwrap();
    end[12..16].copy_from_slice(&size.to_le_bytes());
    bytes.extend(end);
    put(test.join("a.zip"), &bytes);
    let (taken, files) = one(&test, &test.join("a.zip"));
    assert_eq!(files.len(), 1);
    noted(&taken, &["more than 1000000 entries"]);
}

#[test]
fn what_may_not_be_read_is_said() {
    if nix::unistd::geteuid().is_root() {
        return;
    }
    let test = fresh("forbidden");
    put(test.join("a/levels/05-uts-ns/src/main.rs"), "main");
    put(test.join("a/levels/05-uts-ns/src/no.rs"), "no");
    let no = test.join("a/levels/05-uts-ns/src/no.rs");
    fs::set_permissions(no, fs::Permissions::from_mode(0o000)).unwrap();
    let (taken, _) = one(&test, &test.join("a"));
    noted(&taken, &["no.rs", "can't be read", "Permission denied"]);
}

// Arguments

#[test]
fn an_argument_that_is_not_there_or_no_archive_is_an_error() {
    let test = fresh("arguments");
    put(test.join("notes.txt"), "");
    for name in ["missing", "notes.txt"] {
        let error = find(&[test.join(name)], None, &[], Path::new(".")).unwrap_err();
        assert!(format!("{error:#}").contains(name), "{error:#}");
    }
    // A folder without levels is somebody's.
    put(test.join("alice/5--x/src/main.rs"), "");
    put(test.join("alice/levels/005-x/src/main.rs"), "");
    let (taken, _) = one(&test, &test.join("alice"));
    noted(&taken, &["there is no levels"]);
}

#[test]
fn a_list_names_submissions() {
    let test = fresh("list");
    put(test.join("a/x").join(MAIN), "");
    put(test.join("a/y").join(MAIN), "");
    put(test.join("b.zip"), zip_of(&[(MAIN, b"")]));
    let list = test.join("class.txt");
    let lines = "\u{feff}# a class\r\n\r\nAda L.\tb.zip\r\na/x\r\n  \nGroup\ta\n";
    put(&list, lines);
    let found = find(&[], Some(&list), &[], Path::new(".")).unwrap();
    assert_eq!(names(&found), ["Ada L.", "Group/x", "Group/y"]);
    // The list's name counts, whatever else names the place.
    let again =
        find(&[test.join("b.zip")], Some(&list), &[], Path::new(".")).unwrap();
    assert_eq!(names(&again), names(&found));

    for (lines, words) in [
        ("a/x\nmissing", vec!["class.txt:2", "missing"]),
        ("\tb.zip", vec!["class.txt:1", "name"]),
        ("x\t", vec!["class.txt:1", "path"]),
        ("x\ta/x\nx\ta/y", vec!["two submissions", "x"]),
    ] {
        put(&list, lines);
        let error = find(&[], Some(&list), &[], Path::new(".")).unwrap_err();
        let error = format!("{error:#}");
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    let error =
        find(&[], Some(&test.join("no.txt")), &[], Path::new(".")).unwrap_err();
    assert!(format!("{error:#}").contains("no.txt"));
}

// Git

fn git(repository: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .args(["-c", "user.name=x", "-c", "user.email=x@x", "-C"])
        .arg(repository)
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn repository(test: &Path) -> PathBuf {
    let repository = test.join("repository");
    fs::create_dir_all(&repository).unwrap();
    git(&repository, &["init", "-q", "-b", "main"]);
    repository
}

fn commit(repository: &Path, content: &str) -> String {
    put(repository.join(MAIN), content);
    git(repository, &["add", "-A"]);
    git(
        repository,
        &[
            "commit",
            "-q",
            "--no-verify",
            "--allow-empty",
            "-m",
            content,
        ],
    );
    git(repository, &["rev-parse", "HEAD"])
}

fn revisions(repository: &Path, revisions: &[&str]) -> anyhow::Result<Vec<Found>> {
    let revisions: Vec<String> = revisions.iter().map(|r| r.to_string()).collect();
    find(&[], None, &revisions, repository)
}

#[test]
fn git_gives_ranges_branches_tags_commits_and_patterns() {
    let test = fresh("git");
    let repository = repository(&test);
    let commits = ["one", "two", "three"].map(|text| commit(&repository, text));
    git(&repository, &["tag", "-a", "-m", "x", "v1", &commits[1]]);
    for student in ["alice", "bob"] {
        git(&repository, &["branch", &format!("students/{student}")]);
    }
    git(&repository, &["branch", "students/old/carol"]);
    let contents = |wanted: &[&str]| -> BTreeMap<String, String> {
        let found = revisions(&repository, wanted).unwrap();
        let found = found.iter().map(|found| {
            let (taken, mut files) = take(found, &test.join("taken"));
            assert_eq!(taken.notes, [""; 0]);
            assert_eq!(taken.sources.len(), 1);
            let main = files.remove("05-uts-ns/src/main.rs").unwrap();
            (found.name.clone(), String::from_utf8(main).unwrap())
        });
        found.collect()
    };
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs.map(|(a, b)| (a.to_string(), b.to_string())).collect()
    };
    let short = |index: usize| format!("{} x", &commits[index][..12]);
    assert_eq!(contents(&["main"]), map(&[("main", "three")]));
    assert_eq!(contents(&["v1"]), map(&[("v1", "two")]));
    assert_eq!(contents(&[&commits[0]]), map(&[(&short(0), "one")]));
    assert_eq!(contents(&["main~2"]), map(&[(&short(0), "one")]));
    assert_eq!(
        contents(&["main~2..main", "main~1..main"]),
        map(&[(&short(1), "two"), (&short(2), "three")])
    );
    let students = map(&[("students/alice", "three"), ("students/bob", "three")]);
    assert_eq!(contents(&["refs/heads/students/*"]), students);
    assert_eq!(contents(&["students/*"]), students);
}

#[test]
fn a_commit_has_its_authors_name_whatever_that_is() {
    let test = fresh("git-authors");
    let repository = repository(&test);
    let id = commit(&repository, "one");
    let named = |author: &[u8]| {
        let object = git(&repository, &["cat-file", "commit", &id]);
        let mut object = object.into_bytes();
        let start = object.windows(7).position(|w| w == b"author ").unwrap() + 7;
        let end = object.iter().position(|byte| *byte == b'<').unwrap();
        object.splice(start..end, author.iter().copied());
        put(test.join("object"), object);
        let object = test.join("object");
        let write = ["hash-object", "-t", "commit", "--literally", "-w"];
        let id = git(
            &repository,
            &[&write, &[object.to_str().unwrap()][..]].concat(),
        );
        let found = revisions(&repository, &[&id]).unwrap();
        assert_eq!(found[0].name[..12], id[..12]);
        found[0].name[12..].to_owned()
    };
    assert_eq!(named("Ada Öz ".as_bytes()), " Ada Öz");
    assert_eq!(named(b" "), "");
    assert_eq!(named(b"\x1b[31m "), " \u{1b}[31m");
    assert_eq!(named(b"M\xfcller "), " M\u{fffd}ller");
    assert_eq!(named(&[b'x'; 100_000]), "");
    assert_eq!(named(&[b'x'; 1000]).len(), 61);
}

#[test]
fn git_revisions_are_no_options() {
    let test = fresh("git-options");
    let repository = repository(&test);
    commit(&repository, "one");
    for revision in [
        "-h",
        "--all",
        "",
        "--output=x",
        "nope",
        "main:levels",
        "main..nope",
        "no/*",
        "main..main",
        "--exec=x..y",
        "--help*",
        ":/one\n",
        "HEAD@{u}",
    ] {
        let error = revisions(&repository, &[revision]).unwrap_err();
        if revision.starts_with('-') {
            assert!(format!("{error}").contains("is no revision"), "{error:#}");
        }
    }
    assert!(revisions(&test.join("nowhere"), &["main"]).is_err());
}

#[test]
fn git_runs_nothing_of_the_repository_and_believes_no_attributes() {
    let test = fresh("git-hostile");
    let repository = repository(&test);
    put(
        repository.join(".gitattributes"),
        "levels/** export-ignore\n*.rs filter=evil text eol=crlf ident export-subst \
         diff=evil working-tree-encoding=UTF-16\n",
    );
    let evil = test.join("evil.sh");
    let ran = test.join("ran");
    put(
        &evil,
        format!("#!/bin/sh\ntouch '{}'\ncat\n", ran.display()),
    );
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
    let evil = evil.to_str().unwrap();
    // Written as it is: filters and encodings come after.
    let text = "$Id$ $Format:%H$\nsecond\n";
    put(repository.join(MAIN), text);
    let blob = git(&repository, &["hash-object", "-w", "--no-filters", MAIN]);
    let cache = format!("100644,{blob},{MAIN}");
    git(
        &repository,
        &["update-index", "--add", "--cacheinfo", &cache],
    );
    git(&repository, &["commit", "-q", "-m", "x"]);
    // A replaced blob, grafts, and a configuration full of programs.
    put(test.join("other"), "replaced");
    let other = test.join("other");
    let other = git(&repository, &["hash-object", "-w", other.to_str().unwrap()]);
    git(&repository, &["replace", &blob, &other]);
    for setting in [
        "filter.evil.smudge",
        "filter.evil.clean",
        "filter.evil.process",
        "diff.evil.textconv",
        "diff.evil.command",
        "diff.external",
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "core.editor",
        "core.gitProxy",
        "pager.ls-tree",
        "pager.cat-file",
        "pager.rev-list",
        "credential.helper",
        "gpg.program",
        "uploadpack.packObjectsHook",
        "tar.tar.gz.command",
        "core.alternateRefsCommand",
        "remote.origin.uploadpack",
    ] {
        git(&repository, &["config", setting, evil]);
    }
    git(
        &repository,
        &["config", "core.hooksPath", test.to_str().unwrap()],
    );
    git(
        &repository,
        &["config", "alias.cat-file", &format!("!{evil}")],
    );
    git(&repository, &["config", "core.autocrlf", "true"]);
    let found = revisions(&repository, &["main"]).unwrap();
    let (taken, files) = take(&found[0], &test.join("taken"));
    assert_eq!(files["05-uts-ns/src/main.rs"], text.as_bytes(), "{taken:?}");
    assert!(!ran.exists());
}

#[test]
fn git_fetches_nothing_that_is_missing() {
    let test = fresh("git-partial");
    let repository = repository(&test);
    commit(&repository, "one");
    let ran = test.join("ran");
    let evil = test.join("evil.sh");
    put(&evil, format!("#!/bin/sh\ntouch '{}'\n", ran.display()));
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
    for (name, value) in [
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", test.to_str().unwrap()),
        ("remote.origin.uploadpack", evil.to_str().unwrap()),
    ] {
        git(&repository, &["config", name, value]);
    }
    let blob = git(&repository, &["rev-parse", &format!("main:{MAIN}")]);
    let object = format!(".git/objects/{}/{}", &blob[..2], &blob[2..]);
    fs::remove_file(repository.join(object)).unwrap();
    let found = revisions(&repository, &["main"]).unwrap();
    let (taken, files) = take(&found[0], &test.join("taken"));
    assert!(files.is_empty());
    assert!(!ran.exists());
    noted(&taken, &["main.rs", "can't be read"]);
}

#[test]
fn git_environments_and_owners_do_not_matter() {
    // Once more, as if started by one of git's hooks.
    if std::env::var_os("GIT_DIR").is_none() {
        let name = "git_environments_and_owners_do_not_matter";
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", name]).env("GIT_DIR", "/nowhere");
        let again = again.env("GIT_INDEX_FILE", "/nowhere").output().unwrap();
        assert!(again.status.success(), "{again:?}");
        return;
    }
    let test = fresh("git-links");
    let repository = repository(&test);
    let source = repository.join("levels/05-uts-ns/src");
    put(source.join("large.rs"), vec![b'x'; MIB + 1]);
    put(source.join("z.rs"), "after");
    put(source.join("new\nline.rs"), "x");
    symlink("/etc/passwd", source.join("link.rs")).unwrap();
    let id = commit(&repository, "main");
    let submodule = format!("160000,{id},levels/05-uts-ns/src/module");
    git(
        &repository,
        &["update-index", "--add", "--cacheinfo", &submodule],
    );
    git(&repository, &["commit", "-q", "-m", "module"]);
    if nix::unistd::geteuid().is_root() {
        let nobody = Some(nix::unistd::Uid::from_raw(65534));
        nix::unistd::chown(&repository, nobody, None).unwrap();
        nix::unistd::chown(&repository.join(".git"), nobody, None).unwrap();
    }
    let found = revisions(&repository, &["main"]).unwrap();
    let (taken, files) = take(&found[0], &test.join("taken"));
    let files: Vec<&String> = files.keys().collect();
    assert_eq!(files, ["05-uts-ns/src/main.rs", "05-uts-ns/src/z.rs"]);
    noted(&taken, &["link.rs", "a symbolic link"]);
    noted(&taken, &["src/module", "a submodule"]);
    noted(&taken, &["large.rs", "larger than"]);
    noted(&taken, &["new\\nline.rs", "control characters"]);
}

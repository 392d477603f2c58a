//! Submissions that want to do harm, graded among fifty that want to be graded: each
//! gets the verdict that it deserves, nothing of whoever grades is told, and nothing
//! is left on the host.
//!
//! The hostile ones are `hostile/NAME/NN-name/src`. Their first line says what they
//! do, the second one which verdict they deserve. What they can't write down
//! themselves, because it is long, odd or only known now, is between two @ there: see
//! [`Class::fill`].

mod common;
#[path = "hostile/host.rs"]
mod host;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{can_sandbox, copy, folder, grade, level, root, submissions};
use host::{Host, Listeners, peak_memory};
use serde_json::Value;

/// Set when those are to be graded, too, that take the compiler a minute: `slow-…`.
const SLOW: &str = "RUBBER_CRAB_SLOW";
/// The levels that are judged.
const LEVELS: &str = "00,03,07";
/// How long one run of a program may take, in seconds. Hostile ones take all of it.
const LIMIT: &str = "5";
const JOBS: &str = "4";
/// The most memory that `grade` may take, and a checker, in bytes.
const MOST_MEMORY: u64 = 48 << 20;
/// What secrets begin with. Hostile programs know that, and not what follows.
const WORD: &str = "crab-secret-";
/// The ordinary submission with a secret in its source.
const KEEPER: &str = "00-keeper";

/// An edit of a file: its name, what is there, and what is there instead.
type Edit = (&'static str, &'static str, &'static str);

/// An ordinary submission: finished or not, or finished with a mistake.
struct Kind {
    name: &'static str,
    level: &'static str,
    /// `solutions` or `levels`
    from: &'static str,
    edit: Option<Edit>,
    /// The verdict, and a check that doesn't hold.
    deserves: &'static str,
    /// How many of them there are.
    many: usize,
}

#[rustfmt::skip]
const KINDS: [Kind; 9] = [
    Kind { name: "done-00", level: "00-fork-exec", from: "solutions", edit: None,
        deserves: "pass", many: 17 },
    Kind { name: "done-03", level: "03-pivot-root", from: "solutions", edit: None,
        deserves: "pass", many: 8 },
    Kind { name: "done-07", level: "07-cgroups", from: "solutions", edit: None,
        deserves: "pass", many: 4 },
    Kind { name: "undone-00", level: "00-fork-exec", from: "levels",
        edit: Some(("main.rs", "fn main()", "/* begun */ fn main()")),
        deserves: "fail: fork-exec.child", many: 6 },
    Kind { name: "undone-03", level: "03-pivot-root", from: "levels",
        edit: Some(("main.rs", "fn main()", "/* begun */ fn main()")),
        deserves: "fail: pivot.", many: 3 },
    Kind { name: "untouched-03", level: "03-pivot-root", from: "levels", edit: None,
        deserves: "untouched", many: 1 },
    Kind { name: "no-signals", level: "00-fork-exec", from: "solutions",
        edit: Some(("process.rs", "=> 128 + signal", "=> signal")),
        deserves: "fail: fork-exec.signal-status", many: 5 },
    Kind { name: "open-files", level: "00-fork-exec", from: "solutions",
        edit: Some(("main.rs", "process::close_descriptors()?;", "")),
        deserves: "fail: fork-exec.no-other-descriptors", many: 4 },
    Kind { name: "half-done", level: "00-fork-exec", from: "solutions",
        edit: Some(("process.rs", "Ok(u8::try_from(status)?)", "Ok(status")),
        deserves: "unbuilt", many: 2 },
];

#[test]
fn nobody_is_hurt() {
    if !can_sandbox() {
        return;
    }
    let mut clock = Clock::start();
    let top = folder("hostile");
    let listeners = Listeners::open();
    let class = Class::new(&top, &listeners);
    let known = class.grade_alone();
    clock.lap("each kind alone");

    let before = Host::now(&class.secret);
    let all = class.hand_in();
    clock.lap("a class is made");
    let (said, peak) = class.grade_all();
    clock.lap("all of them, together");
    print_slowest(&class.out);

    let mut wrong = Vec::new();
    let graded = submissions(&class.out);
    assert_eq!(graded.len(), all.len(), "{said}");
    for one in &all {
        let found = graded.iter().find(|graded| graded["name"] == *one.name);
        let found = level(found.expect("it is in the report"), &one.level[..2]);
        let came_to = in_words(found);
        let right = match &one.deserves {
            Deserved::Known(kind) => known[*kind].clone(),
            // Where nobody can have groups, nobody can harm them.
            Deserved::Verdict(_) if found["verdict"] == "cannot" => {
                let done = KINDS.iter().position(|kind| kind.level == one.level);
                known[done.expect("a kind of this level")].clone()
            }
            Deserved::Verdict(verdict) if found["verdict"] == verdict.as_str() => {
                continue;
            }
            Deserved::Verdict(verdict) => verdict.clone(),
        };
        if came_to != right {
            wrong.push(format!("{}: {came_to}, not {right}", one.name));
        }
    }
    wrong.extend(class.tells(&said));
    let work: Vec<_> = fs::read_dir(class.out.join("work"))
        .expect("work")
        .collect();
    wrong.extend((!work.is_empty()).then(|| format!("left in work: {work:?}")));
    wrong.extend(listeners.heard());
    wrong.extend(Host::left_since(&before, &class.secret, &top));
    let (of_grade, of_checkers) = peak;
    println!(
        "memory: {} KiB, a checker {} KiB",
        of_grade >> 10,
        of_checkers >> 10
    );
    if of_grade.max(of_checkers) > MOST_MEMORY {
        wrong.push(format!("memory: {of_grade} bytes, a checker {of_checkers}"));
    }
    clock.lap("looked at what came of it");
    assert!(wrong.is_empty(), "{}\n\n{said}", wrong.join("\n"));
    let _ = fs::remove_dir_all(top);
}

/// Says what takes how long.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn lap(&mut self, what: &str) {
        println!("{:6.1} s  {what}", self.0.elapsed().as_secs_f64());
        self.0 = Instant::now();
    }
}

/// What was handed in, at one level.
struct HandedIn {
    name: String,
    level: String,
    deserves: Deserved,
}

enum Deserved {
    /// What a kind of ordinary ones came to alone.
    Known(usize),
    Verdict(String),
}

/// The class, in a folder, and who grades it.
struct Class {
    class: PathBuf,
    alone: PathBuf,
    home: PathBuf,
    out: PathBuf,
    secret: String,
    port: u16,
    address: String,
}

impl Class {
    fn new(top: &Path, listeners: &Listeners) -> Self {
        let mut random = [0; 8];
        let mut source = fs::File::open("/dev/urandom").expect("/dev/urandom");
        source.read_exact(&mut random).expect("eight bytes");
        let class = Self {
            class: top.join("class"),
            alone: top.join("alone"),
            home: top.join("home"),
            out: top.join("out"),
            secret: format!("{WORD}{:016x}", u64::from_le_bytes(random)),
            port: listeners.port,
            address: listeners.address.clone(),
        };
        for (folder, file) in [
            (class.home.join(".cargo"), "credentials.toml"),
            (class.home.clone(), "secret.txt"),
            (class.out.clone(), "secret.txt"),
        ] {
            fs::create_dir_all(&folder).expect("mkdir");
            fs::write(folder.join(file), &class.secret).expect("a secret");
        }
        class
    }

    /// Grade one of each kind, with nobody else around. What they come to.
    fn grade_alone(&self) -> Vec<String> {
        for kind in &KINDS {
            self.put_ordinary(&self.alone, kind.name, kind);
        }
        let out = self.alone.with_extension("out");
        let mut command = grade(&["--levels", LEVELS, "--limit", LIMIT]);
        let output = command.args(["--jobs", "1", "--out"]).arg(&out);
        let output = output.arg(&self.alone).output().expect("grade");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let graded = submissions(&out);
        let known = |kind: &Kind| {
            let graded = graded.iter().find(|one| one["name"] == kind.name);
            let graded = graded.unwrap_or_else(|| panic!("{}: {said}", kind.name));
            let graded = level(graded, &kind.level[..2]);
            let words = in_words(graded);
            let cannot = kind.level.starts_with("07") && words == "cannot";
            let deserved = words.starts_with(&kind.deserves[..4])
                && words.contains(kind.deserves.trim_start_matches("fail: "));
            assert!(deserved || cannot, "{}: {words}", kind.name);
            words
        };
        KINDS.iter().map(known).collect()
    }

    /// Put ordinary and hostile submissions into a folder, one beside the other.
    fn hand_in(&self) -> Vec<HandedIn> {
        let mut all = Vec::new();
        let mut kinds: Vec<(usize, usize)> = Vec::new();
        for (index, kind) in KINDS.iter().enumerate() {
            kinds.extend(
                (0..kind.many).map(|number| (number * 50 / kind.many, index)),
            );
        }
        kinds.sort();
        assert_eq!(kinds.len(), 50);
        for (number, (_, index)) in kinds.into_iter().enumerate() {
            let kind = &KINDS[index];
            let name = match (number, kind.name) {
                (0, "done-00") => KEEPER.to_owned(),
                _ => format!("{number:02}-ordinary-{}", kind.name),
            };
            self.put_ordinary(&self.class, &name, kind);
            all.push(HandedIn {
                name,
                level: kind.level.into(),
                deserves: Deserved::Known(index),
            });
        }
        let main = self
            .class
            .join(KEEPER)
            .join("levels/00-fork-exec/src/main.rs");
        let text = fs::read_to_string(&main).expect("the keeper's source");
        fs::write(main, format!("// {}\n{text}", self.secret)).expect("a secret");
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
        let all_of_them = std::env::var_os(SLOW).is_some();
        let mut hostile = names(&here);
        hostile.retain(|name| all_of_them || !name.starts_with("slow-"));
        for (number, name) in hostile.iter().enumerate() {
            for level in names(&here.join(name)) {
                let handed_in = format!("{number:02}-{name}");
                let verdict = self.put_hostile(&here.join(name), &handed_in, &level);
                all.push(HandedIn {
                    name: handed_in,
                    level,
                    deserves: Deserved::Verdict(verdict),
                });
            }
        }
        all
    }

    fn put_ordinary(&self, class: &Path, name: &str, kind: &Kind) {
        let there = class.join(name).join("levels").join(kind.level).join("src");
        copy(&root().join(kind.from).join(kind.level).join("src"), &there);
        if let Some((file, before, after)) = kind.edit {
            let file = there.join(file);
            let text = fs::read_to_string(&file).expect("a source");
            assert!(text.contains(before), "{}: {before}", file.display());
            fs::write(file, text.replace(before, after)).expect("write");
        }
    }

    /// What is hostile lies over the finished level. The verdict that it deserves.
    fn put_hostile(&self, from: &Path, name: &str, level: &str) -> String {
        let there = self.class.join(name).join("levels").join(level).join("src");
        copy(&root().join("solutions").join(level).join("src"), &there);
        let mut verdict = String::new();
        for file in names(&from.join(level).join("src")) {
            let text = fs::read_to_string(from.join(level).join("src").join(&file));
            let text = text.expect("a source");
            let mut lines =
                text.lines().map(|line| line.strip_prefix("// expect: "));
            if let Some(expected) = lines.nth(1).flatten() {
                verdict = expected.to_owned();
            }
            fs::write(there.join(&file), self.fill(&text)).expect("write");
        }
        assert!(
            ["fail", "unbuilt"].contains(&verdict.as_str()),
            "{name}: {verdict}"
        );
        let guard = from.with_file_name("guard.rs");
        fs::copy(guard, there.join("guard.rs")).expect("copy guard.rs");
        verdict
    }

    /// Put in what is between two @.
    fn fill(&self, text: &str) -> Vec<u8> {
        let path = |path: &Path| path.to_str().expect("UTF-8").as_bytes().to_vec();
        let warning = |number| format!("fn Warn{number}(x: u8) {{}}\n").into_bytes();
        let marks: [(&str, &dyn Fn() -> Vec<u8>); 14] = [
            ("@WORD@", &|| WORD.into()),
            ("@HOME@", &|| path(&self.home)),
            ("@OUT@", &|| path(&self.out)),
            ("@KEEPER@", &|| path(&self.class.join(KEEPER))),
            ("@PORT@", &|| self.port.to_string().into()),
            ("@ADDRESS@", &|| self.address.clone().into()),
            ("@OPEN@", &|| vec![b'('; 100_000]),
            ("@CLOSE@", &|| vec![b')'; 100_000]),
            ("@SUM@", &|| "1 + ".repeat(100_000).into()),
            ("@WARNINGS@", &|| (0..20_000).flat_map(warning).collect()),
            ("@GIANT@", &|| vec![b'/'; 100 << 20]),
            ("@BIDI@", &|| "\u{202e}\u{2066}".into()),
            ("@BYTES@", &|| vec![0xff, 0xfe]),
            ("@NUL@", &|| vec![0]),
        ];
        let mut bytes = text.as_bytes().to_vec();
        for (mark, with) in marks.iter().filter(|(mark, _)| text.contains(mark)) {
            bytes = replace(&bytes, mark.as_bytes(), &with());
        }
        bytes
    }

    /// Grade the class. What is said, and how much memory `grade` and its checkers
    /// took at most.
    fn grade_all(&self) -> (String, (u64, u64)) {
        let own = |name: &str, folder: &str| {
            let home = std::env::var_os("HOME").map(PathBuf::from);
            let usual = home.unwrap_or_default().join(folder);
            std::env::var_os(name).unwrap_or_else(|| usual.into())
        };
        let mut command: Command = grade(&["--levels", LEVELS, "--limit", LIMIT]);
        let words = self.alone.with_extension("said");
        let file = fs::File::create(&words).expect("create");
        command
            .args(["--jobs", JOBS, "--out"])
            .args([&self.out, &self.class])
            // Cargo and its toolchain are there still.
            .env("CARGO_HOME", own("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", own("RUSTUP_HOME", ".rustup"))
            .env("HOME", &self.home)
            .env("CARGO_REGISTRY_TOKEN", &self.secret)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret)
            .stdout(Stdio::from(file.try_clone().expect("dup")))
            .stderr(Stdio::from(file));
        let mut child = command.spawn().expect("grade");
        let mut peak = (0, 0);
        let status = loop {
            peak = peak_memory(child.id(), peak);
            match child.try_wait().expect("waitpid") {
                Some(status) => break status,
                None => sleep(Duration::from_millis(100)),
            }
        };
        let said = fs::read(&words).expect("what was said");
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(status.code(), Some(1), "{said}");
        (said, peak)
    }

    /// What reports tell that they must not: secrets, orders to whoever reads them.
    fn tells(&self, said: &str) -> Vec<String> {
        let mut all =
            vec![(PathBuf::from("what is said"), said.as_bytes().to_vec())];
        let mut folders = vec![self.out.clone()];
        while let Some(folder) = folders.pop() {
            for name in names(&folder) {
                let path = folder.join(name);
                match path.is_dir() {
                    true => folders.push(path),
                    false if path == self.out.join("secret.txt") => {}
                    false => {
                        all.push((path.clone(), fs::read(&path).expect("read")))
                    }
                }
            }
        }
        let mut told = Vec::new();
        for (path, bytes) in all {
            let text = String::from_utf8_lossy(&bytes);
            let kind = path.extension().unwrap_or_default().to_string_lossy();
            // Within a block of code nobody obeys Markdown and HTML; JSON is data.
            let shown = match &*kind {
                "md" => outside_blocks(&text),
                "json" => String::new(),
                _ => text.to_string(),
            };
            let orders: &[&str] = match &*kind {
                "md" => &["# HOSTILE"],
                "html" | "xml" => &[],
                _ => &["::", "##"],
            };
            let orders = |line: &str| orders.iter().any(|one| line.starts_with(one));
            for (wrong, what) in [
                (text.contains(&self.secret), "a secret"),
                (text.contains("ESCAPED"), "an escape"),
                (text.contains(['\u{1b}', '\u{7}']), "control characters"),
                (shown.contains('\u{9b}'), "a control character"),
                (shown.contains("<script>alert"), "a script"),
                (shown.contains("<img src=x"), "an image"),
                (shown.lines().any(orders), "an order"),
            ] {
                let told_by = path.display();
                told.extend(wrong.then(|| format!("{told_by}: {what}")));
            }
        }
        // The reader could say something, had it found something.
        let report = fs::read_to_string(self.out.join("report.json"));
        if !report.expect("report.json").contains("READER: here") {
            told.push("nobody was heard who looked for secrets".into());
        }
        told
    }
}

/// The names in a folder that aren't files of ours beside submissions.
fn names(folder: &Path) -> Vec<String> {
    let ours = ["guard.rs", "host.rs"];
    let all = fs::read_dir(folder).expect("readdir").flatten();
    let all = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut all: Vec<String> = all.filter(|n| !ours.contains(&n.as_str())).collect();
    all.sort();
    all
}

/// Markdown without its blocks of code. One ends with as many ` as it begins with.
fn outside_blocks(text: &str) -> String {
    let (mut shown, mut fence) = (String::new(), None);
    for line in text.lines() {
        let marks = line.len() - line.trim_start_matches('`').len();
        match fence {
            None if marks >= 3 => fence = Some(marks),
            None => shown += &format!("{line}\n"),
            Some(many) if marks >= many && marks == line.len() => fence = None,
            Some(_) => {}
        }
    }
    shown
}

fn replace(bytes: &[u8], mark: &[u8], with: &[u8]) -> Vec<u8> {
    let (mut replaced, mut rest) = (Vec::new(), bytes);
    while let Some(at) = rest.windows(mark.len()).position(|part| part == mark) {
        replaced.extend([&rest[..at], with].concat());
        rest = &rest[at + mark.len()..];
    }
    replaced.extend(rest);
    replaced
}

/// A verdict, and the checks that don't hold: `fail: uts.hostname, uts.empty`.
fn in_words(level: &Value) -> String {
    let verdict = level["verdict"].as_str().expect("a verdict").to_owned();
    let checks = level["checks"].as_array().expect("checks").iter();
    let failed = checks.filter(|check| check["finding"] != "pass");
    let failed = failed.filter_map(|check| check["id"].as_str());
    let failed: Vec<&str> = failed.collect();
    match failed.as_slice() {
        [] => verdict,
        failed => format!("{verdict}: {}", failed.join(", ")),
    }
}

fn print_slowest(out: &Path) {
    let mut all = Vec::new();
    for submission in submissions(out) {
        for level in submission["levels"].as_array().expect("levels") {
            let milliseconds = level["milliseconds"].as_u64().unwrap_or(0);
            all.push((
                milliseconds,
                submission["name"].clone(),
                level["level"].clone(),
            ));
        }
    }
    all.sort_by_key(|(milliseconds, ..)| *milliseconds);
    for (milliseconds, name, level) in all.iter().rev().take(12) {
        println!("   {:6.1} s  {name} {level}", *milliseconds as f64 / 1000.0);
    }
}

//! The page of a class, in a real browser. Without Chromium these tests are left out,
//! and say so; under CI they fail then. (Scripts can't be turned off in a browser
//! without a window, which is told what to do by one. The page forbids them itself.)

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use flate2::read::ZlibDecoder;
use grading::report::{Class, Head, html};
use report::{
    Diagnosis, Finding, Graded, GradedLevel, Judged, Judgement, LevelInfo, Machine,
    Outcome, Submission, Verdict,
};

#[path = "../src/report/sample.rs"]
mod sample;

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A folder of this test's own, which stays, to be looked at.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("page")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

fn page(class: &dyn Class, folder: &Path) -> PathBuf {
    let path = folder.join("class.html");
    let mut file = File::create(&path).expect("the page can be made");
    html::write(class, &mut file).expect("the page can be written");
    path
}

/// The browser's path; `None` when there is none.
fn browser() -> Option<&'static str> {
    let works = |name: &&str| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|version| version.status.success())
    };
    let found = BROWSERS.into_iter().find(works);
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "no Chromium under CI");
        eprintln!("left out: there is no Chromium here");
    }
    found
}

/// What the browser prints, doing one thing with one address.
fn browse(browser: &str, folder: &Path, what: &[&str], address: &str) -> String {
    let profile = folder.join("profile");
    let output = Command::new(browser)
        .args(["--headless", "--disable-gpu", "--hide-scrollbars"])
        // Root has no other way, and these pages run nothing.
        .arg("--no-sandbox")
        .arg("--disable-dev-shm-usage")
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(what)
        .arg(address)
        .current_dir(folder)
        .output()
        .expect("the browser can be started");
    let _ = fs::remove_dir_all(&profile);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn address(page: &Path, fragment: &str) -> String {
    format!("file://{}{fragment}", page.display())
}

/// A picture of the page, as PNG.
fn picture(
    browser: &str,
    folder: &Path,
    page: &Path,
    fragment: &str,
    size: &str,
) -> Vec<u8> {
    let path =
        folder.join(format!("picture{}-{size}.png", fragment.replace('#', "-")));
    let what = [
        &format!("--screenshot={}", path.display()),
        &format!("--window-size={size}"),
    ];
    browse(
        browser,
        folder,
        &what.map(String::as_str),
        &address(page, fragment),
    );
    fs::read(path).expect("there is a picture")
}

/// How many values the bytes of a picture have. What is blank has few.
fn shades(png: &[u8]) -> usize {
    let mut rest = png.strip_prefix(b"\x89PNG\r\n\x1a\n").expect("it is a PNG");
    let mut data = Vec::new();
    while let [a, b, c, d, kind @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if kind.starts_with(b"IDAT") {
            data.extend_from_slice(&kind[4..4 + length]);
        }
        rest = &kind[4 + length + 4..];
    }
    let mut bytes = Vec::new();
    let mut decoder = ZlibDecoder::new(data.as_slice());
    decoder.read_to_end(&mut bytes).expect("it can be unpacked");
    bytes.into_iter().collect::<HashSet<u8>>().len()
}

/// Everything between a tag's angle brackets: what the browser took for elements.
fn tags(dom: &str) -> HashSet<&str> {
    let ends = |c: char| !c.is_ascii_alphanumeric();
    let tags = dom.split('<').skip(1).filter(|tag| !tag.starts_with('/'));
    tags.map(|tag| tag.split(ends).next().unwrap_or(""))
        .collect()
}

#[test]
fn a_browser_sees_the_rows_and_nothing_that_others_put_there() {
    let Some(browser) = browser() else { return };
    let class = sample::class();
    let folder = folder("sample");
    let page = page(&class, &folder);
    let dom = browse(browser, &folder, &["--dump-dom"], &address(&page, ""));

    assert_eq!(dom.matches("<tr id=\"l").count(), class.1.len());
    for text in ["ada", "alice", "bob", "zoë"] {
        assert!(dom.contains(&format!(">{text}</bdi>")), "{text}");
    }
    let ours = [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "header",
        "nav",
        "section",
        "article",
        "div",
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "a",
        "b",
        "i",
        "bdi",
        "code",
        "pre",
        "small",
        "span",
        "strong",
        "blockquote",
        "",
    ];
    for tag in tags(&dom) {
        assert!(ours.contains(&tag), "an element that isn't ours: {tag:?}");
    }
    let unseen = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert_eq!(dom.find(unseen), None);
    assert_eq!(
        dom.find(['\u{202e}', '\u{2066}', '\u{2028}', '\u{ffff}']),
        None
    );
}

#[test]
fn a_script_would_not_run() {
    let Some(browser) = browser() else { return };
    let folder = folder("script");
    let page = page(&sample::class(), &folder);
    let whole = fs::read_to_string(&page).expect("the page can be read");
    let script = "<script>document.title = 'owned'</script></body>";
    fs::write(&page, whole.replace("</body>", script)).expect("it can be changed");
    let dom = browse(browser, &folder, &["--dump-dom"], &address(&page, ""));
    assert!(dom.contains("<script>document.title"), "it isn't there");
    assert!(!dom.contains("<title>owned"), "it ran");
}

#[test]
fn every_link_leads_somewhere() {
    let folder = folder("links");
    let page = page(&sample::class(), &folder);
    let page = fs::read_to_string(page).expect("the page can be read");
    let values = |before| {
        let parts = page.split(before).skip(1);
        parts.filter_map(|part: &str| part.split('"').next())
    };
    let ids: Vec<&str> = values(" id=\"").collect();
    let different: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), different.len(), "an id is there twice");
    for link in values(" href=\"") {
        let place = link.strip_prefix('#').expect("links stay on the page");
        assert!(place == "-" || different.contains(place), "{link}");
    }
}

#[test]
fn it_can_be_seen_and_a_diagnosis_opens() {
    let Some(browser) = browser() else { return };
    let folder = folder("pictures");
    let page = page(&sample::class(), &folder);
    let closed = picture(browser, &folder, &page, "", "1200,900");
    let open = picture(browser, &folder, &page, "#d3", "1200,900");
    let phone = picture(browser, &folder, &page, "#d3", "360,740");
    for picture in [&closed, &open, &phone] {
        let shades = shades(picture);
        assert!(shades > 32, "blank: {shades} shades");
    }
    assert!(closed != open, "nothing opens");
}

/// Tells the page around it how wide there is room, by how much this page is wider, and
/// which words in the tables' heads and in the list of levels are broken.
const MEASURE: &str = r"<script>
const broken = [];
for (const cell of document.querySelectorAll('thead th, .levels th')) {
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    for (const word of texts.currentNode.data.matchAll(/[^\s-]+/g)) {
      const range = document.createRange();
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      const lines = [...range.getClientRects()].map(line => line.top);
      if (new Set(lines).size > 1) broken.push(word[0]);
    }
  }
}
const more = document.documentElement.scrollWidth - innerWidth;
parent.postMessage(`${innerWidth} ${more} ${broken.join(',')}`, '*');
</script></body>";

#[test]
fn no_word_is_broken_on_a_phone() {
    let Some(browser) = browser() else { return };
    let folder = folder("measured");
    let page = page(&sample::class(), &folder);
    let whole = fs::read_to_string(&page).expect("the page can be read");
    // With the page's own policy, this couldn't run.
    let open = whole.replace("Content-Security-Policy", "no-policy");
    let open = open.replace("</body>", MEASURE);
    fs::write(&page, open).expect("it can be changed");
    for width in [390, 1280] {
        // A window of its own can't be as narrow as a phone.
        let frame = format!(
            "<script>onmessage = told => document.title = told.data</script>\
             <iframe src=class.html width={width} height=800 frameborder=0></iframe>"
        );
        let around = folder.join("around.html");
        fs::write(&around, frame).expect("it can be written");
        let what = ["--dump-dom", "--virtual-time-budget=10000"];
        let dom = browse(browser, &folder, &what, &address(&around, ""));
        let title = dom.split("<title>").nth(1).expect("a title");
        let title = title.split("</title>").next().expect("its end");
        assert_eq!(title, format!("{width} 0 "));
    }
}

#[test]
fn it_can_be_printed() {
    let Some(browser) = browser() else { return };
    let folder = folder("print");
    let page = page(&sample::class(), &folder);
    let pdf = folder.join("class.pdf");
    let what = format!("--print-to-pdf={}", pdf.display());
    browse(browser, &folder, &[&what], &address(&page, ""));
    let pdf = fs::read(pdf).expect("it was printed");
    assert!(pdf.starts_with(b"%PDF"));
    // The diagnoses are on it: more than what a screen shows first.
    let pages = b"/Type /Page\n";
    let pages = pdf
        .windows(pages.len())
        .filter(|part| *part == pages)
        .count();
    assert!(pages > 2, "{pages} pages");
}

#[test]
fn a_thousand_who_did_nothing_fit_into_two_megabytes() {
    let folder = folder("thousand");
    let page = page(&Many::new(1000, false), &folder);
    let size = fs::metadata(&page).expect("it is there").len();
    assert!(size < 2_000_000, "{size} bytes");
    let Some(browser) = browser() else { return };
    let dom = browse(browser, &folder, &["--dump-dom"], &address(&page, ""));
    assert_eq!(dom.matches("<tr id=\"l").count(), 1000);
    assert_eq!(dom.matches("<article ").count(), 10);
}

#[test]
fn memory_stays_as_it_is_when_a_thousand_have_a_thousand_mistakes() {
    let mut out = Counting(0);
    let before = peak();
    html::write(&Many::new(1000, true), &mut out).expect("it can be written");
    let grown = peak() - before;
    let bytes = out.0;
    eprintln!("a page of {bytes} bytes took {grown} KiB");
    assert!(bytes > 40_000_000, "{bytes} bytes");
    assert!(grown < 24 * 1024, "{grown} KiB for {bytes} bytes");
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is there");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse().ok())
        .expect("VmHWM is a number")
}

/// Counts bytes, and drops them.
struct Counting(u64);

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A large class, ten levels, that is nowhere in memory as a whole.
struct Many {
    head: Head,
    learners: usize,
    /// Is every outcome another one? Else all have left everything undone.
    differ: bool,
}

impl Many {
    fn new(learners: usize, differ: bool) -> Self {
        let names = [
            "fork-exec",
            "chroot",
            "mount-ns",
            "pivot-root",
            "pid-ns",
            "uts-ns",
            "net-ns",
            "cgroups",
            "cgroups-cpu",
            "overlayfs",
        ];
        let level = |(number, name): (usize, &str)| GradedLevel {
            info: LevelInfo {
                level: format!("{number:02}"),
                name: name.into(),
                title: name.replace('-', " "),
                checks: Vec::new(),
                given: Vec::new(),
            },
            points: 10.0,
        };
        let machine = Machine {
            kernel: "6.12.9".into(),
            cgroup: "v2".into(),
            sandbox: "by root, with 65536 ids, in a control group".into(),
            checker: "0.1.0".into(),
            rustc: "rustc 1.85.0 (4d91de4e4 2025-02-17)".into(),
        };
        let head = Head {
            machines: vec![machine],
            missing: Vec::new(),
            levels: names.into_iter().enumerate().map(level).collect(),
        };
        Self {
            head,
            learners,
            differ,
        }
    }

    fn graded(&self, learner: usize, level: &LevelInfo) -> Graded {
        let saw = match self.differ {
            true => format!("exit status {learner}\n").repeat(100),
            false => "exit status 101\nstderr: not yet implemented".to_owned(),
        };
        let check = |number| Judgement {
            id: format!("{}.check-{number}", level.name),
            claim: format!("the {number}th thing holds"),
            finding: Finding::Fail(Box::new(Diagnosis {
                ran: format!("level-{} run -i probe -- /probe", level.level),
                wanted: "the command's output".into(),
                saw: saw.clone(),
                likely: "The exercise is still to be done: todo!() panics.".into(),
                next: "Read the lesson, and replace todo!().".into(),
                more: "man 7 namespaces".into(),
            })),
        };
        let outcome = Outcome {
            level: level.level.clone(),
            name: level.name.clone(),
            program: format!("level-{}", level.level),
            verdict: Verdict::Fail,
            checks: (1..=4).map(check).collect(),
            milliseconds: learner as u64,
        };
        let judged = Judged {
            outcome,
            errors: Vec::new(),
            unsteady: Vec::new(),
        };
        let points = Some(0.0);
        Graded { judged, points }
    }
}

impl Class for Many {
    fn head(&self) -> &Head {
        &self.head
    }

    fn each(&self, tell: &mut dyn FnMut(Submission) -> Result<()>) -> Result<()> {
        (0..self.learners).try_for_each(|learner| {
            let levels = self.head.levels.iter();
            tell(Submission {
                name: format!("learner-{learner:04}"),
                machine: 0,
                points: 0.0,
                of: 100.0,
                levels: levels.map(|one| self.graded(learner, &one.info)).collect(),
                notes: Vec::new(),
            })
        })
    }
}

//! `cargo checker demo`: in a real terminal, a pseudo-terminal driven by keys, with its
//! screens as snapshots; and by itself. The decks are in tests/slides.

mod common;
#[path = "common/screen.rs"]
mod screen;

use std::path::PathBuf;
use std::process::Output;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{can_sandbox, checker, root, run, state, stderr, stdout};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use screen::{Terminal, others};

fn decks(name: &str) -> PathBuf {
    root().join("checker/tests").join(name)
}

/// A demo on a terminal of this type and size.
fn on(arguments: &[&str], size: (u16, u16), terminal: &str) -> Terminal {
    let arguments = [&["demo"], arguments].concat();
    Terminal::open(&arguments, size, |session| {
        session
            .current_dir(root())
            .arg("--slides")
            .arg(decks("slides"))
            .env("TERM", terminal)
            .env("XDG_STATE_HOME", state());
    })
}

/// When it waits for the first key.
fn open(arguments: &[&str], size: (u16, u16), terminal: &str) -> Terminal {
    let mut screen = on(arguments, size, terminal);
    screen.wait("Space goes on");
    still(&mut screen);
    screen
}

/// What is on the screen, once it stays.
fn still(terminal: &mut Terminal) -> String {
    loop {
        let before = terminal.sent.len();
        sleep(Duration::from_millis(300));
        terminal.look();
        if terminal.sent.len() == before {
            return terminal.shown().trim_end().to_owned();
        }
    }
}

/// Press keys that run nothing.
fn press(terminal: &mut Terminal, keys: &str) -> String {
    terminal.press(keys);
    still(terminal)
}

/// Press keys that run a command, and wait for the prompt after it.
fn ran(terminal: &mut Terminal, keys: &str) -> String {
    let before = terminal.sent.len();
    terminal.press(keys);
    let prompt = b"\r\n$ ";
    let begun = Instant::now();
    while !terminal.sent[before..]
        .windows(prompt.len())
        .any(|some| some == prompt)
    {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{}",
            terminal.shown()
        );
        terminal.look();
    }
    still(terminal)
}

/// Nobody but the shell is left.
fn alone(terminal: &Terminal) {
    let begun = Instant::now();
    while !others(&terminal.session).is_empty() {
        let all = others(&terminal.session);
        assert!(begun.elapsed() < Duration::from_secs(5), "{all:?}");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_key_a_step() {
    if !can_sandbox() {
        return;
    }
    let mut terminal = open(&["02", "--notes"], (24, 80), "xterm-256color");
    insta::assert_snapshot!("begun", still(&mut terminal));
    // Typed, run; the next command of the same slide; run.
    terminal.press(" ");
    terminal.wait("/mounts; true'");
    assert!(!still(&mut terminal).contains("\n0"));
    terminal.press("\r");
    terminal.wait("\n0");
    insta::assert_snapshot!("ran", still(&mut terminal));
    terminal.press("n");
    // A second key puts the rest there at once.
    terminal.press("\x1b[6~");
    terminal.wait("echo answer'");
    assert!(!still(&mut terminal).contains("\nanswer"));
    terminal.press("\x1b[C");
    sleep(Duration::from_secs(1));
    terminal.press("hello\r\x04");
    terminal.wait("\nanswer");
    // What the notes have; then the next slide, on a page of its own.
    still(&mut terminal);
    terminal.press("  ");
    terminal.wait("/proc/mounts; true'");
    terminal.press(" ");
    assert!(still(&mut terminal).ends_with("\n0\n\n$"));
    terminal.press(" ");
    assert_eq!(still(&mut terminal), "[4/5] Now without MS_PRIVATE\n\n$");
    terminal.press("q");
    terminal.left("0");
    alone(&terminal);
}

#[test]
fn a_slip_is_no_harm() {
    if !can_sandbox() {
        return;
    }
    let mut terminal = open(&["02"], (30, 80), "xterm");
    let first = "[1/4] What it mounts, nobody else sees\n\n$";
    let second = "[2/4] What it mounts, nobody else sees\n\n$";
    // Typed and run; one too many, back to this step's beginning, to the step before.
    press(&mut terminal, "  ");
    assert!(ran(&mut terminal, " ").ends_with("\n0\n\n$"));
    press(&mut terminal, "  ");
    assert_eq!(press(&mut terminal, "b"), second);
    assert_eq!(press(&mut terminal, "\x1b[5~"), first);
    assert_eq!(press(&mut terminal, "b"), first);
    // At once, and again.
    assert!(ran(&mut terminal, "r").ends_with("\n0\n\n$"));
    let twice = ran(&mut terminal, "r");
    assert_eq!(twice.matches("\n0\n").count(), 2, "{twice}");
    // A list takes nothing away.
    insta::assert_snapshot!("list", press(&mut terminal, "l"));
    assert_eq!(press(&mut terminal, "\x1b"), twice);
    press(&mut terminal, "l");
    assert_eq!(
        press(&mut terminal, "3"),
        "[3/4] Now without MS_PRIVATE\n\n$"
    );
    assert!(press(&mut terminal, "g").ends_with("step 1 to 4:"));
    assert!(press(&mut terminal, "9").ends_with("$"));
    press(&mut terminal, "g");
    assert_eq!(press(&mut terminal, "4"), "[4/4] Before that\n\n$");
    assert!(
        press(&mut terminal, "m")
            .contains("the mistakes are of level 02; this command runs 01")
    );
    ran(&mut terminal, "r");
    assert!(
        press(&mut terminal, " ")
            .contains("this was the last step: 0 starts over, q leaves")
    );
    assert_eq!(press(&mut terminal, "\x1b[H"), first);
    insta::assert_snapshot!("keys", press(&mut terminal, "?"));
    assert_eq!(press(&mut terminal, " "), first);
    press(&mut terminal, "3");
    assert_eq!(press(&mut terminal, "0"), first);
}

#[test]
fn the_same_with_a_mistake() {
    if !can_sandbox() {
        return;
    }
    let mut terminal = open(&["02"], (24, 80), "xterm");
    ran(&mut terminal, "r");
    // The mistake of the deck comes first.
    let list = press(&mut terminal, "m");
    insta::assert_snapshot!("mistakes", list);
    assert_ne!(press(&mut terminal, " "), list);
    assert_eq!(press(&mut terminal, "b"), list);
    // It is typed below what the finished level has printed.
    insta::assert_snapshot!("mistake-typed", press(&mut terminal, "a"));
    let shown = ran(&mut terminal, " ");
    let broken = "\nmistake-02: rm -r /workshop/containers";
    assert!(shown.contains(broken), "{shown}");
    let picture = ran(&mut terminal, "x");
    assert!(picture.contains("all capabilities"), "{picture}");
    // The slide's own command is there again.
    press(&mut terminal, "b");
    assert!(ran(&mut terminal, "r").ends_with("/mounts; true'\n0\n\n$"));
    press(&mut terminal, "q");
    terminal.left("0");
    alone(&terminal);

    // From the beginning.
    let mistake = ["02", "--mistake", "propagation-left-shared"];
    let mut terminal = open(&mistake, (24, 80), "xterm");
    let shown = ran(&mut terminal, "r");
    let line = "$ cargo checker try 02 --mistake propagation-left-shared -- sh";
    assert!(
        shown.contains(line) && shown.contains("mistake-02: rm"),
        "{shown}"
    );
    terminal.press("q");
    terminal.left("0");
}

#[test]
fn any_window_will_do() {
    if !can_sandbox() {
        return;
    }
    let mut terminal = open(&["02", "--notes"], (12, 40), "xterm");
    insta::assert_snapshot!("large-font", ran(&mut terminal, "r"));
    terminal.press("q");
    terminal.left("0");

    let mut terminal = on(&["02"], (5, 20), "xterm");
    terminal.wait("$");
    insta::assert_snapshot!("tiny", still(&mut terminal));
    terminal.press("m");
    insta::assert_snapshot!("tiny-list", still(&mut terminal));
    for (rows, columns) in [(1, 1), (2, 3), (3, 200), (60, 2), (1, 100), (24, 80)] {
        terminal.resize(rows, columns);
        for keys in ["\x1b", "l", " ", "\x1b", "?", "\x1b", "m", " "] {
            terminal.press(keys);
            terminal.look();
        }
    }
    // A list is put there anew in a window of another size.
    let list = still(&mut terminal);
    terminal.resize(12, 40);
    let narrow = still(&mut terminal);
    assert!(
        narrow != list && narrow.contains("a letter chooses"),
        "{narrow}"
    );
    terminal.press("\x1b");
    ran(&mut terminal, "r");
    terminal.press("q");
    terminal.left("0");
    alone(&terminal);
}

#[test]
fn a_command_has_the_terminal() {
    if !can_sandbox() {
        return;
    }
    let mut terminal = open(&["00"], (24, 80), "xterm");
    terminal.press("r");
    // What is typed before would be echoed twice.
    terminal.is_as_it_was(Duration::from_secs(60));
    sleep(Duration::from_secs(1));
    terminal.press("typed\r");
    terminal.until("its echo", |shown| shown.matches("\ntyped").count() == 2);
    // Ctrl-C is the command's.
    terminal.press("\x03");
    terminal.wait("ended with status 130");
    assert!(still(&mut terminal).ends_with("$"));
    terminal.press("n");
    terminal.wait("[2/3] Its status");
    terminal.press("r");
    terminal.wait("ended with status 7");
    still(&mut terminal);
    terminal.press("n");
    terminal.wait("seq 30");
    still(&mut terminal);
    terminal.press("n");
    terminal.wait("\n30");
    still(&mut terminal);
    // A shell to improvise in.
    terminal.press("s");
    terminal.wait("$ cargo checker try 00 --solution");
    terminal.wait("/workshop # ");
    terminal.press("echo in $((40 + 2))\r");
    terminal.wait("in 42");
    terminal.press("exit\r");
    terminal.until("the prompt", |shown| {
        shown.trim_end().ends_with("exit\n\n$")
    });
    // At the prompt it is ours.
    terminal.press("\x03");
    terminal.left("0");
    alone(&terminal);
}

/// Another of the checker's commands is no program in the sandbox: there the kernel
/// makes a signal of the key.
#[test]
fn ctrl_c_ends_a_check_and_not_the_demo() {
    if !can_sandbox() {
        return;
    }
    let mut terminal = open(&["02"], (40, 90), "xterm");
    terminal.press("g3");
    terminal.wait("[3/4] Now");
    terminal.press("r");
    terminal.wait("--mistake propagation-left-shared");
    sleep(Duration::from_millis(100));
    let shown = ran(&mut terminal, "\x03");
    // It may have been faster.
    let ended = shown.contains("it was ended by SIGINT");
    assert!(ended || shown.contains("mounts.private"), "{shown}");
    assert!(shown.ends_with("$"), "{shown}");
    terminal.press("q");
    terminal.left("0");
    alone(&terminal);
}

#[test]
fn whoever_ends_it_finds_the_terminal_as_it_was() {
    if !can_sandbox() {
        return;
    }
    for doing in ["", "m", "r"] {
        for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGKILL] {
            let mut terminal = open(&["00"], (24, 80), "xterm");
            let pid = terminal.pid();
            terminal.press(doing);
            still(&mut terminal);
            sleep(Duration::from_secs(1));
            let flags = tcgetattr(&terminal.slave).expect("tcgetattr").local_flags;
            assert!(!flags.contains(LocalFlags::ICANON));
            kill(pid, signal).expect("kill");
            terminal.left(match signal {
                Signal::SIGKILL => "137",
                _ => "0",
            });
            alone(&terminal);
        }
    }
}

#[test]
fn a_simple_terminal_gets_lines() {
    if !can_sandbox() {
        return;
    }
    let mut terminal = on(&["00"], (200, 100), "dumb");
    terminal.wait("[1/3] It waits for keys");
    terminal.press("\r");
    terminal.wait("$ cargo checker try 00 --solution -- cat");
    terminal.press("g2\r");
    terminal.wait("[2/3] Its status");
    terminal.press("r\r");
    terminal.wait("ended with status 7");
    still(&mut terminal);
    terminal.press("l\r");
    terminal.wait("a number goes there");
    terminal.press("1\r");
    still(&mut terminal);
    let escapes = terminal.sent.contains(&0x1b);
    assert!(!escapes, "{}", String::from_utf8_lossy(&terminal.sent));
    terminal.press("q\r");
    terminal.left("0");
    alone(&terminal);
}

/// By itself: its output, its exit status.
fn play(level: &str, folder: &str, options: &[&str]) -> (Output, i32) {
    let folder = decks(folder);
    let folder = folder.to_str().expect("a plain name");
    run(&[&["demo", level, "--slides", folder], options].concat())
}

#[test]
fn it_plays_by_itself_and_compares() {
    if !can_sandbox() {
        return;
    }
    let (output, status) = play("02", "slides", &["--notes", "--play"]);
    let (text, said) = (stdout(&output), stderr(&output));
    assert_eq!(status, 0, "{text}{said}");
    assert!(said.ends_with("5 of 5 commands print what the slides show\n"));
    assert!(text.starts_with("[1/5] What it mounts, nobody else sees\nSay: Who"));
    let (output, status) = play("00", "slides", &[]);
    assert_eq!(status, 0, "{}", stderr(&output));
    insta::assert_snapshot!("played", stdout(&output));

    let (output, status) = play("00", "slides-wrong", &[]);
    let said = stderr(&output);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("slides-wrong/00-fork-exec.md:6: cargo"),
        "{said}"
    );
    assert!(said.contains("> three\nwhat came out:\n  > two"), "{said}");
    assert!(said.ends_with("1 of 2 commands print what the slides show\n"));
}

#[test]
fn wrong_usage_is_2_and_says_why() {
    for (level, folder, options, why) in [
        ("01", "slides", &[][..], "level 01 has no demo: no "),
        (
            "02",
            "slides",
            &["--mistake", "propagation"],
            "did you mean propagation-left",
        ),
        (
            "01",
            "slides-wrong",
            &[],
            "01-chroot.md: line 4: ls /: a demo runs",
        ),
        ("99", "slides", &[], "no level 99"),
    ] {
        let (output, status) = play(level, folder, options);
        let said = stderr(&output);
        assert_eq!(status, 2, "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn demos_are_listed() {
    let folder = decks("slides");
    let folder = folder.to_str().expect("a plain name");
    let (output, status) = run(&["demo", "--slides", folder]);
    assert_eq!(status, 0);
    insta::assert_snapshot!("demos", stdout(&output));
    let (output, status) = run(&["demo", "--slides", "/nowhere"]);
    assert_eq!(status, 0);
    assert!(stdout(&output).contains("no demos"), "{}", stdout(&output));
    // One deck that isn't right hides no other.
    let wrong = decks("slides-wrong");
    let output = checker(&["demo", "--slides"]).arg(wrong).output();
    let output = output.expect("the checker can be started");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stdout(&output).starts_with("00 fork-exec"),
        "{}",
        stdout(&output)
    );
}

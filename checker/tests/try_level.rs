//! `cargo checker try` on a real terminal: a pseudo-terminal whose other side is
//! held here, with a shell as the leader of its session, as on every desktop.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::{Pid, ttyname};

/// The level may have to be built, and the image made.
const PATIENCE: Duration = Duration::from_secs(180);
const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";
const CTRL_D: &str = "\x04";
const CTRL_BRACKET: &str = "\x1d";

/// What a caller's shell does: start the checker, and go on after it.
const SESSION: &str = r#"
    sh -c 'echo "pid=$$;"; exec "$0" "$@"' "$@"
    echo "status=$?;"
    cat
"#;

/// The base image's prompt.
const PROMPT: &str = "(container) / # ";

fn checker(level: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_checker"));
    command.args(["try", level, "--solution"]);
    prepare(&mut command);
    command
}

fn prepare(command: &mut Command) {
    let home = concat!(env!("CARGO_TARGET_TMPDIR"), "/try_level");
    command
        .env("RUBBER_CRAB_HOME", home)
        .env("XDG_STATE_HOME", home)
        .env("TERM", "dumb");
}

struct Screen {
    keyboard: File,
    terminal: OwnedFd,
    settings: Termios,
    session: Child,
    /// Everything that was shown, and how much of it was waited for.
    shown: String,
    read: usize,
}

impl Screen {
    /// Begin `try LEVEL --solution` on a new terminal of 24 lines and 80 columns.
    fn open(level: &str, arguments: &[&str]) -> Self {
        Self::run(&[&["try", level, "--solution"], arguments].concat())
    }

    /// The same with any command of the checker's.
    fn run(arguments: &[&str]) -> Self {
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(&size, None).expect("openpty");
        let end = || Stdio::from(pty.slave.try_clone().expect("dup"));
        let mut session = Command::new("setsid");
        session.args(["--ctty", "sh", "-c", SESSION, "sh"]);
        session.arg(env!("CARGO_BIN_EXE_checker"));
        session.args(arguments);
        prepare(&mut session);
        session.stdin(end()).stdout(end()).stderr(end());
        Self {
            settings: tcgetattr(&pty.slave).expect("tcgetattr"),
            session: session.spawn().expect("setsid, of util-linux"),
            keyboard: pty.master.into(),
            terminal: pty.slave,
            shown: String::new(),
            read: 0,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .expect("write to the terminal");
    }

    fn enter(&mut self, line: &str) {
        self.press(line);
        self.press("\r");
    }

    /// Wait for `text`, after what was waited for before.
    fn wait(&mut self, text: &str) {
        assert!(
            self.appears(text, PATIENCE),
            "{text:?} didn't come:\n{}",
            self.shown
        );
    }

    fn appears(&mut self, text: &str, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        loop {
            if let Some(found) = self.shown[self.read..].find(text) {
                self.read += found + text.len();
                return true;
            }
            if Instant::now() > end {
                return false;
            }
            self.look();
        }
    }

    fn look(&mut self) {
        let mut waiting = [PollFd::new(self.keyboard.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, PollTimeout::from(50u8)) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => {
                let mut chunk = [0; 4096];
                let count = self.keyboard.read(&mut chunk).unwrap_or(0);
                self.shown += &String::from_utf8_lossy(&chunk[..count]);
            }
            Err(errno) => panic!("poll: {errno}"),
        }
    }

    /// The checker's pid, once it was started.
    fn pid(&mut self) -> Pid {
        self.wait("pid=");
        self.wait(";");
        let digits = |text: &str| text.rsplit('=').next().unwrap_or("").to_owned();
        let number = digits(&self.shown[..self.read - 1]);
        Pid::from_raw(number.parse().expect("a pid"))
    }

    fn settings_now(&self) -> Termios {
        tcgetattr(&self.terminal).expect("tcgetattr")
    }

    fn is_raw(&self) -> bool {
        !self.settings_now().local_flags.contains(LocalFlags::ICANON)
    }

    /// After the checker has ended: everything as it was found.
    fn assert_restored(&self) {
        assert_eq!(self.settings_now(), self.settings);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.session.kill();
        let _ = self.session.wait();
    }
}

#[test]
fn a_shell_in_the_container_and_its_status() {
    let mut screen = Screen::open("03", &[]);
    screen.wait("solution-03 run -i base -- /bin/sh -l");
    screen.wait(PROMPT);
    assert!(screen.is_raw());
    screen.enter("test -t 0 && test -t 1 && test -t 2 && echo yes-$((1 + 1))");
    screen.wait("yes-2");
    screen.enter("exit 7");
    screen.wait("ended with status 7");
    screen.wait("status=7;");
    screen.assert_restored();
}

#[test]
fn the_terminal_has_a_name_in_the_sandbox() {
    // From level 02 on, the container has a devpts of its own, without this one.
    let mut screen = Screen::open("00", &["--", "tty"]);
    screen.wait("solution-00 run -- tty");
    screen.wait("/dev/pts/0");
    screen.wait("status=0;");
    screen.assert_restored();
}

#[test]
fn the_window_size_is_passed_on() {
    let mut screen = Screen::open("03", &[]);
    screen.wait(PROMPT);
    screen.enter("stty size");
    screen.wait("24 80");
    let name = ttyname(&screen.terminal).expect("ttyname");
    let resize = ["rows", "40", "cols", "100"];
    let resized = Command::new("stty")
        .arg("-F")
        .arg(name)
        .args(resize)
        .status();
    assert!(resized.is_ok_and(|status| status.success()));
    // It arrives when the kernel's signal does: soon.
    let arrived = (0..20).any(|_| {
        screen.enter("stty size");
        screen.appears("40 100", Duration::from_millis(500))
    });
    assert!(arrived, "{}", screen.shown);
    // Only for a shell that waits for keys is it an end.
    screen.wait(PROMPT);
    screen.press(CTRL_D);
    screen.wait("status=0;");
    screen.assert_restored();
}

#[test]
fn keys_that_send_signals_reach_the_job_in_front() {
    let mut screen = Screen::open("03", &[]);
    screen.wait(PROMPT);
    screen.enter("echo begun-$((1 + 1)); sleep 1000");
    screen.wait("begun-2");
    // The shell has yet to start the job, and to hand it the terminal.
    sleep(Duration::from_millis(500));
    screen.press(CTRL_C);
    screen.wait(PROMPT);
    // Ctrl-C throws away what is typed while the shell takes the terminal back.
    sleep(Duration::from_millis(500));
    screen.enter("echo code-$?");
    screen.wait("code-130");
    screen.enter("sleep 1000");
    sleep(Duration::from_millis(500));
    screen.press(CTRL_Z);
    screen.wait(PROMPT);
    sleep(Duration::from_millis(500));
    screen.enter("jobs");
    screen.wait("Stopped");
    screen.enter("fg");
    sleep(Duration::from_millis(500));
    screen.press(CTRL_C);
    screen.wait(PROMPT);
    sleep(Duration::from_millis(500));
    screen.enter("exit 0");
    screen.wait("status=0;");
    screen.assert_restored();
}

#[test]
fn all_output_is_shown_and_a_job_left_behind_ends() {
    let command = "sleep 1000 & seq 50000; exit 3";
    let mut screen = Screen::open("00", &["--", "sh", "-c", command]);
    screen.wait("\n49999\r\n50000\r\n");
    screen.wait("status=3;");
    screen.assert_restored();
}

#[test]
fn three_times_ctrl_bracket_ends_what_nothing_else_does() {
    let stubborn =
        "trap '' INT QUIT TSTP HUP; echo begun; while :; do sleep 9; done";
    let mut screen = Screen::open("00", &["--", "sh", "-c", stubborn]);
    screen.wait("begun");
    screen.wait("begun");
    screen.press(CTRL_C);
    assert!(!screen.appears("status=", Duration::from_millis(300)));
    screen.press(&CTRL_BRACKET.repeat(3));
    screen.wait("status=137;");
    screen.assert_restored();
}

/// PID 1 ignores the signal, and the runtime, which waits for it, does as well.
#[test]
fn three_times_ctrl_c_ends_a_pid_1_that_ignores_it() {
    let mut screen = Screen::open("04", &["--", "sleep", "1000"]);
    screen.wait("3 × Ctrl-C or 3 × Ctrl-] ends it");
    // The container has yet to come.
    sleep(Duration::from_secs(1));
    screen.press(CTRL_C);
    assert!(!screen.appears("status=", Duration::from_millis(500)));
    screen.press(&CTRL_C.repeat(2));
    screen.wait("solution-04 was ended: three times Ctrl-C");
    screen.wait("status=137;");
    screen.assert_restored();
}

#[test]
fn two_ctrl_c_and_a_late_third_end_nothing() {
    let mut screen = Screen::open("04", &["--", "sleep", "1000"]);
    screen.wait("ends it");
    sleep(Duration::from_secs(1));
    screen.press(&CTRL_C.repeat(2));
    sleep(Duration::from_millis(2500));
    screen.press(CTRL_C);
    assert!(!screen.appears("status=", Duration::from_millis(500)));
    screen.press(&CTRL_BRACKET.repeat(3));
    screen.wait("three times Ctrl-]");
    screen.wait("status=137;");
    screen.assert_restored();
}

#[test]
fn a_shell_takes_as_many_ctrl_c_as_one_likes() {
    let mut screen = Screen::open("04", &[]);
    screen.wait(PROMPT);
    screen.press(&CTRL_C.repeat(4));
    assert!(!screen.appears("status=", Duration::from_secs(1)));
    // A key that comes too early is thrown away.
    screen.enter("");
    sleep(Duration::from_millis(500));
    screen.enter("exit 5");
    screen.wait("status=5;");
    screen.assert_restored();
}

/// A program that takes Ctrl-C for a key like others.
#[test]
fn an_editor_takes_as_many_ctrl_c_as_one_likes() {
    let editor = "stty -isig; echo begun; sleep 2; stty isig; exit 6";
    let mut screen = Screen::open("04", &["--", "sh", "-c", editor]);
    screen.wait("begun");
    screen.wait("begun");
    screen.press(&CTRL_C.repeat(4));
    screen.wait("status=6;");
    screen.assert_restored();
}

#[test]
fn without_a_terminal_three_interrupts_end_it() {
    let mut checker = checker("04");
    checker.args(["--", "sh", "-c", "echo begun; exec sleep 1000"]);
    checker
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = checker.spawn().expect("spawn");
    let mut output = child.stdout.take().expect("a pipe");
    let mut begun = [0; 6];
    output.read_exact(&mut begun).expect("read");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    for _ in 0..3 {
        assert!(child.try_wait().expect("wait").is_none());
        kill(pid, Signal::SIGINT).expect("kill");
        // Signals of one kind that wait are one.
        sleep(Duration::from_millis(200));
    }
    let output = child.wait_with_output().expect("wait");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(137), "{errors}");
    assert!(errors.contains("three times Ctrl-C"), "{errors}");
}

#[test]
fn the_terminal_is_restored_after_signals() {
    for (signal, status) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let mut screen = Screen::open("03", &[]);
        let pid = screen.pid();
        screen.wait(PROMPT);
        assert!(screen.is_raw());
        kill(pid, signal).expect("kill");
        screen.wait(&format!("status={status};"));
        screen.assert_restored();
    }
}

#[test]
fn the_terminal_is_restored_after_sigkill() {
    let mut screen = Screen::open("03", &[]);
    let pid = screen.pid();
    screen.wait(PROMPT);
    assert!(screen.is_raw());
    kill(pid, Signal::SIGKILL).expect("kill");
    screen.wait("status=137;");
    let end = Instant::now() + Duration::from_secs(10);
    while screen.is_raw() && Instant::now() < end {
        sleep(Duration::from_millis(10));
    }
    screen.assert_restored();
}

#[test]
fn without_a_terminal_the_descriptors_are_the_callers() {
    let mut checker = checker("03");
    checker
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = checker.spawn().expect("spawn");
    let mut input = child.stdin.take().expect("a pipe");
    let script = b"pwd; echo inner-error >&2; tty; exit 7\n";
    input.write_all(script).expect("write");
    drop(input);
    let output = child.wait_with_output().expect("wait");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "/\nnot a tty\n",
        "{errors}"
    );
    assert!(errors.contains("inner-error"), "{errors}");
    assert_eq!(output.status.code(), Some(7), "{errors}");
}

#[test]
fn outside_the_level_is_a_command() {
    let mut checker = checker("00");
    let script =
        "solution-00 run -- sh -c 'echo $0; exit 7' inside; echo $?; exit 3";
    checker.args(["--outside", "--", "sh", "-c", script]);
    let output = checker.output().expect("run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "inside\n7\n",
        "{errors}"
    );
    assert_eq!(output.status.code(), Some(3), "{errors}");
}

/// A runtime in another language, by hand: it is a command outside, too.
#[test]
fn any_executable_can_be_tried() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/runtimes");
    let program = format!("{folder}/fork_exec.sh");
    let output = |arguments: &[&str]| {
        let mut checker = Command::new(env!("CARGO_BIN_EXE_checker"));
        prepare(&mut checker);
        checker.args(["try", "00", "--bin", &program]);
        let output = checker.args(arguments).output().expect("run");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(7), "{errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(output(&["--", "sh", "-c", "echo in; exit 7"]), "in\n");
    let script = "fork_exec.sh run -- sh -c 'echo by name; exit 7'";
    assert_eq!(
        output(&["--outside", "--", "sh", "-c", script]),
        "by name\n"
    );
}

#[test]
fn a_program_that_does_nothing_is_to_be_checked() {
    let mut screen = Screen::run(&["try", "04", "--bin", "/bin/true"]);
    screen.wait(
        "no shell has answered: cargo checker check 04 --bin /bin/true tells more",
    );
    screen.wait("status=0;");
}

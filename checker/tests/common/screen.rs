//! A pseudo-terminal with the checker on it, driven by keys; what stands on its screen.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;

/// Everything may have to be built first.
const PATIENCE: Duration = Duration::from_secs(240);
/// What a caller's shell does: start the checker, and go on after it.
const SESSION: &str = r#"
    trap : INT
    sh -c 'echo "pid=$$;"; exec "$0" "$@"' "$@"
    echo "status=$?;"
    cat
"#;

pub struct Terminal {
    keyboard: std::fs::File,
    pub slave: OwnedFd,
    pub settings: Termios,
    pub session: Child,
    screen: vt100::Parser,
    /// All that was sent to it, from the beginning.
    pub sent: Vec<u8>,
}

impl Terminal {
    /// Start the checker with these arguments, in the project's folder, if `set` says
    /// nothing else.
    pub fn open(
        arguments: &[&str],
        (rows, columns): (u16, u16),
        set: impl FnOnce(&mut Command),
    ) -> Self {
        let pty = openpty(&window(rows, columns), None).expect("openpty");
        let end = || Stdio::from(pty.slave.try_clone().expect("dup"));
        let mut session = Command::new("setsid");
        session
            .args(["--ctty", "sh", "-c", SESSION, "sh"])
            .arg(env!("CARGO_BIN_EXE_checker"))
            .args(arguments)
            .env_remove("RUST_BACKTRACE")
            .env_remove("NO_COLOR")
            .stdin(end())
            .stdout(end())
            .stderr(end());
        set(&mut session);
        Self {
            settings: tcgetattr(&pty.slave).expect("tcgetattr"),
            session: session.spawn().expect("setsid, of util-linux"),
            keyboard: pty.master.into(),
            slave: pty.slave,
            screen: vt100::Parser::new(rows, columns, 0),
            sent: Vec::new(),
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("press");
    }

    /// Take what has arrived.
    pub fn look(&mut self) {
        loop {
            let mut ready = [PollFd::new(self.keyboard.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, PollTimeout::from(20u8)) != Ok(1) {
                return;
            }
            let mut chunk = [0; 4096];
            match self.keyboard.read(&mut chunk) {
                Ok(count) if count > 0 => {
                    self.screen.process(&chunk[..count]);
                    self.sent.extend_from_slice(&chunk[..count]);
                }
                _ => return,
            }
        }
    }

    pub fn shown(&self) -> String {
        self.screen.screen().contents()
    }

    /// Until the screen is as wanted.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !wanted(&self.shown()) {
            assert!(
                Instant::now() < end,
                "{what} didn't come:\n{}",
                self.shown()
            );
            self.look();
        }
    }

    pub fn wait(&mut self, text: &str) {
        self.until(text, |shown| shown.contains(text));
    }

    pub fn resize(&mut self, rows: u16, columns: u16) {
        let slave = self.slave.try_clone().expect("dup");
        let set = Command::new("stty")
            .args(["rows", &rows.to_string(), "cols", &columns.to_string()])
            .stdin(slave)
            .status();
        assert!(set.expect("stty").success());
        // The parser itself can't do with less.
        self.screen = vt100::Parser::new(rows.max(3), columns.max(3), 0);
    }

    /// The checker's pid.
    pub fn pid(&mut self) -> Pid {
        let end = Instant::now() + PATIENCE;
        loop {
            let sent = String::from_utf8_lossy(&self.sent).into_owned();
            let pid = sent
                .split_once("pid=")
                .and_then(|(_, rest)| rest.split_once(';')?.0.parse().ok());
            if let Some(pid) = pid {
                return Pid::from_raw(pid);
            }
            assert!(Instant::now() < end, "no pid: {sent}");
            self.look();
        }
    }

    /// Its settings are those it had in the beginning: at the end, and while a command
    /// has it.
    pub fn is_as_it_was(&mut self, patience: Duration) {
        let begun = Instant::now();
        while tcgetattr(&self.slave).expect("tcgetattr") != self.settings {
            assert!(begun.elapsed() < patience, "not as it was");
            sleep(Duration::from_millis(10));
        }
        self.look();
    }

    /// The checker has left: with this status, and the terminal as it was.
    pub fn left(&mut self, status: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        let wanted = format!("status={status};");
        while !String::from_utf8_lossy(&self.sent).contains(&wanted) {
            assert!(Instant::now() < end, "no {wanted}\n{}", self.shown());
            self.look();
        }
        self.is_as_it_was(Duration::from_secs(5));
        assert!(!self.screen.screen().alternate_screen());
        assert!(!self.screen.screen().hide_cursor());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.session.id() as i32), Signal::SIGKILL);
        let _ = self.session.wait();
    }
}

fn window(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// The processes of the terminal's session, but for the shell that stays.
pub fn others(session: &Child) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // pid (name) state ppid pgrp session …
        let Some((start, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        let fields: Vec<&str> = rest.split(' ').collect();
        let ours = fields.get(3) == Some(&session.id().to_string().as_str());
        let name = start.split_once('(').map_or("", |(_, name)| name);
        if ours && fields[0] != "Z" && !["sh", "cat"].contains(&name) {
            found.push(stat);
        }
    }
    found
}

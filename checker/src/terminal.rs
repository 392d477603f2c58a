//! Terminals: the caller's own, lent to a program in the sandbox, and the
//! pseudo-terminal that the program gets instead. Nothing here starts a thread.

use std::fs::File;
use std::io::{stdin, stdout};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::sys::termios::{
    LocalFlags, OutputFlags, SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr,
};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, pipe2, read, setpgid, write};

use crate::belt::Identity;
use crate::observe::inside::Inside;
use crate::sys;

/// What a program that was ended in the middle would have done itself: show the
/// cursor (25), let the arrow keys (1), the mouse (1000, 1002, 1003, 1006) and
/// pasting (2004) be as usual, plain colours (xterm's ctlseqs, "DECRST").
const CALM: &[u8] =
    b"\x1b[?25h\x1b[?1l\x1b>\x1b[?1000;1002;1003;1006l\x1b[?2004l\x1b[m";
/// Leave the alternate screen, with the cursor where it was before. Only for who is
/// in it: otherwise some terminals move the cursor.
pub const LEAVE_SCREEN: &[u8] = b"\x1b[?1049l";
pub const ENTER_SCREEN: &[u8] = b"\x1b[?1049h";
/// The same, but the cursor stays: does no harm to who isn't in it.
const LEAVE_SCREEN_ONLY: &[u8] = b"\x1b[?47l";

/// The terminal on descriptor 0 in raw mode: every key is a byte, Ctrl-C too.
/// Dropping this gives it back its settings; should the checker be killed, a process
/// of its own does that, the keeper.
pub struct RawTerminal {
    saved: Termios,
    raw: Termios,
    keeper: Pid,
    /// The pipe to the keeper: a byte says that there is nothing left to do.
    done: OwnedFd,
}

impl RawTerminal {
    /// Errors: descriptor 0 is no terminal, or there can be no more processes.
    pub fn take() -> Result<Self> {
        let saved = tcgetattr(stdin()).context("tcgetattr on stdin")?;
        let mut raw = saved.clone();
        cfmakeraw(&mut raw);
        let (keeper, done) = appoint_keeper(&saved)?;
        let terminal = Self {
            saved,
            raw,
            keeper,
            done,
        };
        terminal.resume()?;
        Ok(terminal)
    }

    /// The settings to which it goes back.
    pub fn saved(&self) -> &Termios {
        &self.saved
    }

    /// Raw mode once more, after [`pause`](Self::pause).
    pub fn resume(&self) -> Result<()> {
        set(&self.raw).context("tcsetattr on stdin")
    }

    /// The caller's settings, for as long as the checker is stopped.
    pub fn pause(&self) {
        // A terminal that is gone needs no settings.
        let _ = set(&self.saved);
    }

    /// After a program was ended in the middle: undo what it did to the screen.
    pub fn calm(&self, in_alternate_screen: bool) {
        if in_alternate_screen {
            let _ = write(stdout(), LEAVE_SCREEN);
        }
        let _ = write(stdout(), CALM);
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        self.pause();
        let _ = write(&self.done, &[1]);
        let _ = waitpid(self.keeper, None);
    }
}

/// Not TCSADRAIN: that waits for as long as the terminal doesn't take its output.
fn set(settings: &Termios) -> nix::Result<()> {
    loop {
        match tcsetattr(stdin(), SetArg::TCSANOW, settings) {
            Err(Errno::EINTR) => {}
            done => return done,
        }
    }
}

/// Fork the keeper. When its pipe closes without a word, the checker was killed.
fn appoint_keeper(saved: &Termios) -> Result<(Pid, OwnedFd)> {
    let (word, done) = pipe2(OFlag::O_CLOEXEC).context("pipe")?;
    match sys::fork().context("fork")? {
        ForkResult::Parent { child } => Ok((child, done)),
        ForkResult::Child => {
            keep(&word, saved);
            sys::exit_now(0)
        }
    }
}

fn keep(word: &OwnedFd, saved: &Termios) {
    // The pipe's other end and the wire to the sandbox must not stay open here.
    sys::close_from(3, &[word.as_raw_fd()]);
    let _ = prctl::set_name(c"terminal-keeper");
    // Who kills the checker's whole process group doesn't mean the terminal.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    for signal in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGPIPE,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGTSTP,
        Signal::SIGTTIN,
        // With it ignored, a process in the background may set the terminal
        // (man 3 tcsetattr, "orphaned process group"; POSIX, "Terminal Access").
        Signal::SIGTTOU,
    ] {
        sys::ignore(signal);
    }
    loop {
        match read(word, &mut [0]) {
            Err(Errno::EINTR) => {}
            Ok(0) => break,
            _ => return,
        }
    }
    // The caller's shell may have been faster: what it set is to stay.
    if is_raw() {
        let _ = set(saved);
        let _ = write(stdout(), &[LEAVE_SCREEN_ONLY, CALM].concat());
    }
}

fn is_raw() -> bool {
    let cooked = LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG;
    tcgetattr(stdin()).is_ok_and(|now| {
        !now.local_flags.intersects(cooked)
            && !now.output_flags.contains(OutputFlags::OPOST)
    })
}

/// What a program on a terminal has to take care of itself.
pub const TERMINAL_SIGNALS: [Signal; 7] = [
    Signal::SIGCONT,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGTSTP,
    Signal::SIGWINCH,
];

/// Signals that are held back and read like data, instead of interrupting.
pub struct Signals {
    arrived: SignalFd,
    held: SigSet,
    before: SigSet,
}

impl Signals {
    pub fn hold(signals: &[Signal]) -> Result<Self> {
        let set: SigSet = signals.iter().copied().collect();
        let before = SigSet::thread_get_mask().context("sigprocmask")?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let arrived = SignalFd::with_flags(&set, flags).context("signalfd")?;
        set.thread_block().context("sigprocmask")?;
        Ok(Self {
            arrived,
            held: set,
            before,
        })
    }

    /// Do this with the signals as they were before: a process that is started holds back
    /// what the one that starts it does.
    pub fn released<T>(&self, act: impl FnOnce() -> T) -> T {
        let _ = self.before.thread_set_mask();
        let done = act();
        let _ = self.held.thread_block();
        done
    }

    /// The next one that has arrived.
    pub fn next(&self) -> Option<Signal> {
        let arrived = self.arrived.read_signal().ok()??;
        Signal::try_from(arrived.ssi_signo as i32).ok()
    }
}

impl AsFd for Signals {
    /// Readable when a signal has arrived.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrived.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

/// A pseudo-terminal in the sandbox's own devpts, where its slave has a name
/// (man 4 pts).
pub struct Pty {
    /// Never blocks.
    master: File,
    /// Kept open: a master whose slave nobody has open reports a hang-up.
    slave: File,
}

impl Pty {
    /// A new one below `root`, the sandbox's `/`, with these settings and the window
    /// size of the terminal on descriptor 0.
    ///
    /// Errors: that of the call that failed; ENOSPC when there are too many.
    pub fn open(root: BorrowedFd, settings: &Termios) -> Result<Self> {
        let root = Inside::new(root.try_clone_to_owned()?);
        // The slave belongs to whoever opens the master: the sandbox's root.
        let owner = Identity::of_caller();
        let open = |path: &Path| {
            let opened =
                owner.acting(|| root.open(path, OFlag::O_RDWR, Mode::empty()));
            opened.with_context(|| format!("open {} in the sandbox", path.display()))
        };
        let master = open(Path::new("/dev/pts/ptmx"))?;
        sys::unlock_pty(&master).context("ioctl(TIOCSPTLCK)")?;
        let number = sys::pty_number(&master).context("ioctl(TIOCGPTN)")?;
        let slave = open(&PathBuf::from(format!("/dev/pts/{number}")))?;
        // Blocking is a property of what was opened, and so the program's too.
        fcntl(&slave, FcntlArg::F_SETFL(OFlag::empty()))
            .context("fcntl(F_SETFL)")?;
        tcsetattr(&slave, SetArg::TCSANOW, settings).context("tcsetattr")?;
        let pty = Self { master, slave };
        pty.resize();
        Ok(pty)
    }

    pub fn slave(&self) -> &File {
        &self.slave
    }

    /// Is Ctrl-C a signal there, and not a key like others (ISIG, man 3 termios)?
    pub fn keys_send_signals(&self) -> bool {
        let settings = tcgetattr(&self.slave);
        settings.is_ok_and(|now| now.local_flags.contains(LocalFlags::ISIG))
    }

    /// Pass on the window size; the kernel tells the programs that are in front
    /// (SIGWINCH, man 2 ioctl_tty).
    pub fn resize(&self) {
        if let Ok(size) = sys::window_size(&stdin()) {
            let _ = sys::set_window_size(&self.master, &size);
        }
    }

    /// What programs have printed, as far as it is there. EAGAIN: nothing now; EIO:
    /// nothing any more.
    pub fn read(&self, chunk: &mut [u8]) -> nix::Result<usize> {
        read(&self.master, chunk)
    }

    /// Type `keys`; returns how many found room.
    pub fn write(&self, keys: &[u8]) -> nix::Result<usize> {
        write(&self.master, keys)
    }
}

impl AsFd for Pty {
    /// The master.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

/// Does this output enter the alternate screen, or leave it? A sequence that is cut
/// in two is missed, which only matters if the program is then ended by force.
pub fn screen_after(output: &[u8]) -> Option<bool> {
    let mut windows = output.windows(ENTER_SCREEN.len()).rev();
    let last = windows.find(|some| *some == ENTER_SCREEN || *some == LEAVE_SCREEN);
    last.map(|sequence| sequence == ENTER_SCREEN)
}

/// Write all of `bytes` to stdout, past the buffer of `std`.
pub fn show(bytes: &[u8]) -> nix::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match write(stdout(), rest) {
            Ok(count) => rest = &rest[count..],
            // Somebody has left the terminal in non-blocking mode.
            Err(Errno::EAGAIN) => {
                let stdout = stdout();
                let mut room = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
                let _ = poll(&mut room, PollTimeout::NONE);
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

//! What a level wants run: the vocabulary in which its file says so.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::evidence::{End, Run, Seen};

/// What stands in an option for the number of the last CPU that may be used.
pub const LAST_CPU: &str = "{cpu}";

/// What a probe calls its process once it is there: between exec and this, the kernel
/// still takes things away and puts others in place.
pub const READY: &str = "probe (ready)";

/// One run of a level's program.
#[derive(Debug, Clone)]
pub struct Plan {
    pub name: &'static str,
    pub command: Command,
    pub image: Image,
    /// With which options it is told so, and where the images and containers are.
    pub options: Options,
    /// Options of the level's own, behind the others.
    pub extra: Vec<String>,
    /// What happens while the command is watched, in order.
    pub steps: Vec<Step>,
    /// What happens when those that it ran beside have ended.
    pub later: Vec<Step>,
    /// How it is to end: with a status, by SIGSEGV, or by SIGKILL.
    pub told: End,
    /// Look at its mount namespace, and at all the files below its root.
    pub closely: bool,
    /// It runs at the same time as the one before it: both are looked at before
    /// either goes on.
    pub beside: bool,
    /// With `beside`: nobody waits for the others to begin. The first of them is held up
    /// while it unpacks, until all have begun.
    pub at_once: bool,
    /// The program is left a child that it knows nothing of, which has ended.
    pub child: bool,
    /// The program and all that it starts are traced up to the command's exec.
    pub traced: bool,
    /// Is the program killed, and when? The next ones begin after that.
    pub killed: Option<Moment>,
}

/// When a program is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It has unpacked some of its image.
    Unpacking,
    /// It, or what it started, has given a file or directory another name, for the first
    /// time.
    Renaming,
    /// It has unpacked its image, and begun to write more: a copy, perhaps.
    Copying,
    /// Its command is there.
    Running,
}

/// What the probe is told: one a line, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Leave with this status.
    Exit(i32),
    /// End by SIGSEGV.
    Fault,
    /// Write this text to a file.
    Write(String, String),
    /// Read a file: the first bytes, as text.
    Read(String),
    /// Try to leave a chroot: mkdir, chroot, `..` many times, chroot.
    BreakOut,
    /// Use the devices: what each gives or takes.
    UseDevices,
    /// Open a new pseudo-terminal.
    OpenTerminal,
    /// Start this many processes that belong to nobody, and don't end by themselves.
    LeaveOrphans(u32),
    /// Listen on this port of both loopback addresses, and connect to it.
    Listen(u16),
    /// Use this many bytes of memory.
    Eat(usize),
    /// Start processes that wait, until it is refused, or up to this many.
    Fork(u32),
    /// Start this many processes that do nothing but run.
    Spin(u32),
    /// Run on the last of its CPUs only, with all that is started from now on.
    Pin,
    /// Make a directory.
    MakeDirectory(String),
    /// Delete a file, or a directory with all that is in it.
    Delete(String),
    /// Give a file another name.
    Rename(String, String),
    /// Set a file's permissions.
    Chmod(String, u32),
}

/// What happens in the course of a run.
#[derive(Debug, Clone)]
pub enum Step {
    /// The command is told to do something.
    Tell(Act),
    /// The command's process is looked at again, under this name.
    Look(&'static str),
    /// Likewise, again and again until this holds, or for some seconds. It is told the
    /// run as it was before, with the look before, and the new look.
    Until(&'static str, fn(&Run, &Seen) -> bool),
    /// The commands of all runs side by side are looked at again, under this name.
    LookAll(&'static str),
    /// Nothing, until the commands beside this one have together run for so long, in
    /// processor time, since the look of that name; or for some seconds.
    OthersRun(Duration, &'static str),
    /// What is still frozen or stopped is let go on, so that it can end.
    Thaw,
    /// The program is called with this word, and the container's id behind it.
    Call(&'static str),
    /// Likewise, with an id that no container has.
    CallUnknown(&'static str),
}

/// How the program is told which image it is given, and where containers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Options {
    /// With all options, which name the usual directories.
    Usual,
    /// With all options, in their other spelling, which name other directories.
    Others,
}

/// The command that the program is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The probe by its path, with these arguments.
    Probe(&'static [&'static [u8]]),
    /// The probe by its bare name, to be found through PATH.
    Bare,
    /// A bare name that stands in an earlier directory of PATH on the caller's
    /// side, and in a later one in the image.
    InsideOnly,
    /// A path that exists on the caller's side only.
    OutsideOnly,
    /// A path that doesn't exist anywhere.
    Missing,
    /// A bare name that PATH doesn't lead to.
    MissingBare,
    /// A file without execute permission.
    Plain,
    /// A directory.
    Directory,
}

/// The image that it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// The probe, its libraries, and files of every kind.
    Probe,
    /// The same and many empty files, in an archive that no other run was given.
    Fresh,
    /// The fresh image's archive, which another has been written over.
    Replaced,
    /// Another image of its own, with many more files, for a run that is killed at this
    /// moment, and the next: to unpack it takes a while.
    Large(Moment),
    /// The same without the probe: for commands that can't be started.
    Small,
    /// No such image.
    Missing,
    /// The small image, cut in the middle of a file.
    Cut,
    /// A file that isn't an archive.
    Garbage,
    /// An archive that is after the host's files.
    Hostile(Hostile),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hostile {
    /// A name that begins with a slash.
    Absolute,
    /// A name with `..` in it.
    DotDot,
    /// A symbolic link to a directory outside, then a file below its name.
    ThroughLink,
    /// A hard link to a file outside, then a file of that name.
    HardLink,
    /// The probe's image, and in it [`DEVICES`].
    Device,
}

/// What etc/motd says in an image that has taken another's place.
pub const OTHER_MOTD: &str = "Another image\n";
/// The many files of a large image: how many, and how long each is, in bytes.
pub const LARGE_COUNT: usize = 256;
pub const LARGE_FILE: usize = 8 << 10;

/// A character device, a block device and a FIFO.
pub const DEVICES: [&str; 3] = ["opt/null", "opt/disk", "opt/pipe"];

impl From<Act> for Step {
    fn from(act: Act) -> Self {
        Self::Tell(act)
    }
}

impl Plan {
    fn new(name: &'static str, command: Command) -> Self {
        let told = End::Exited(0);
        // Unpacking takes time: the probe comes along only where it is to run.
        let image = match command {
            Command::Probe(_) | Command::Bare | Command::InsideOnly => Image::Probe,
            _ => Image::Small,
        };
        Self {
            name,
            command,
            image,
            options: Options::Usual,
            extra: Vec::new(),
            steps: Vec::new(),
            later: Vec::new(),
            told,
            closely: false,
            beside: false,
            at_once: false,
            child: false,
            traced: false,
            killed: None,
        }
    }

    /// The probe by its path, without arguments.
    pub fn probe(name: &'static str) -> Self {
        Self::new(name, Command::Probe(&[]))
    }

    pub fn command(name: &'static str, command: Command) -> Self {
        Self::new(name, command)
    }

    pub fn image(self, image: Image) -> Self {
        Self { image, ..self }
    }

    pub fn options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// With these options behind the others, separated by blanks.
    pub fn with(self, options: &str) -> Self {
        let extra = options.split(' ').map(String::from).collect();
        Self { extra, ..self }
    }

    pub fn acts(self, acts: Vec<Act>) -> Self {
        self.steps(acts.into_iter().map(Step::Tell).collect())
    }

    pub fn steps(self, steps: Vec<Step>) -> Self {
        Self { steps, ..self }
    }

    pub fn closely(self) -> Self {
        Self {
            closely: true,
            ..self
        }
    }

    pub fn later(self, later: Vec<Act>) -> Self {
        let later = later.into_iter().map(Step::Tell).collect();
        Self { later, ..self }
    }

    pub fn told(self, told: End) -> Self {
        Self { told, ..self }
    }

    pub fn beside(self) -> Self {
        Self {
            beside: true,
            ..self
        }
    }

    pub fn at_once(self) -> Self {
        Self {
            at_once: true,
            ..self.beside()
        }
    }

    pub fn traced(self) -> Self {
        Self {
            traced: true,
            ..self
        }
    }

    pub fn killed(self, when: Moment) -> Self {
        Self {
            killed: Some(when),
            ..self
        }
    }

    /// Is there a command to be run? Otherwise the program has to say what is wrong.
    pub fn has_command(&self) -> bool {
        matches!(
            self.command,
            Command::Probe(_) | Command::Bare | Command::InsideOnly
        ) && matches!(
            self.image,
            Image::Probe
                | Image::Fresh
                | Image::Replaced
                | Image::Large(_)
                | Image::Hostile(Hostile::Device)
        )
    }

    pub fn with_a_child(self) -> Self {
        Self {
            child: true,
            ..self
        }
    }
}

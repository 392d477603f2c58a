//! What a level wants run: the vocabulary in which its file says so.

use crate::evidence::End;
use crate::probe::Act;

/// One run of a level's program.
#[derive(Debug, Clone)]
pub struct Plan {
    pub name: &'static str,
    pub command: Command,
    pub image: Image,
    /// With which options it is told so, and where the images and containers are.
    pub options: Options,
    /// What the command does while it is watched, in order.
    pub acts: Vec<Act>,
    /// What it does when those that it ran beside have ended.
    pub later: Vec<Act>,
    /// How it is to end: with a status, by SIGSEGV, or by SIGKILL.
    pub told: End,
    /// Look at its mount namespace, and at all the files below its root.
    pub closely: bool,
    /// It runs at the same time as the one before it: both are looked at before
    /// either goes on.
    pub beside: bool,
    /// The program is left a child that it knows nothing of, which has ended.
    pub child: bool,
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
    /// A device node; otherwise the probe's image.
    Device,
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
            acts: Vec::new(),
            later: Vec::new(),
            told,
            closely: false,
            beside: false,
            child: false,
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

    pub fn acts(self, acts: Vec<Act>) -> Self {
        Self { acts, ..self }
    }

    pub fn closely(self) -> Self {
        Self {
            closely: true,
            ..self
        }
    }

    pub fn later(self, later: Vec<Act>) -> Self {
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

    /// Is there a command to be run? Otherwise the program has to say what is wrong.
    pub fn has_command(&self) -> bool {
        matches!(
            self.command,
            Command::Probe(_) | Command::Bare | Command::InsideOnly
        ) && matches!(self.image, Image::Probe | Image::Hostile(Hostile::Device))
    }

    pub fn with_a_child(self) -> Self {
        Self {
            child: true,
            ..self
        }
    }
}

//! Text that is put aside in a file until its place on the page is known: the page is
//! ordered by levels, the class comes learner by learner.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// The file. It has no name any more, and goes when this goes.
pub struct Spill {
    file: File,
    length: u64,
}

/// A place in the file, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    start: u64,
    length: usize,
}

impl Spill {
    /// Errors: no file can be made in the folder for temporary files.
    pub fn new() -> Result<Self> {
        for number in 0..1000 {
            let path = path(number);
            let mut options = OpenOptions::new();
            // Of a name that is there already, a link perhaps, nothing is used.
            options.read(true).write(true).create_new(true).mode(0o600);
            let file = match options.open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                file => file.with_context(|| format!("open {}", path.display()))?,
            };
            fs::remove_file(&path)
                .with_context(|| format!("remove {}", path.display()))?;
            return Ok(Self { file, length: 0 });
        }
        bail!("every name tried is taken: {}", path(0).display())
    }

    /// Errors: it can't be written, the disk is full perhaps.
    pub fn keep(&mut self, text: &str) -> Result<Piece> {
        let start = self.length;
        self.file
            .write_all(text.as_bytes())
            .context("write to a temporary file")?;
        self.length += text.len() as u64;
        let length = text.len();
        Ok(Piece { start, length })
    }

    /// Errors: it can't be read.
    pub fn read(&self, piece: Piece) -> Result<String> {
        let mut bytes = vec![0; piece.length];
        self.file
            .read_exact_at(&mut bytes, piece.start)
            .context("read a temporary file")?;
        String::from_utf8(bytes).context("read a temporary file")
    }
}

fn path(number: u32) -> PathBuf {
    let name = format!("grading-page-{}-{number}", std::process::id());
    std::env::temp_dir().join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_can_be_read_in_any_order() -> Result<()> {
        let mut spill = Spill::new()?;
        let one = spill.keep("one")?;
        let none = spill.keep("")?;
        let two = spill.keep("zwölf")?;
        assert_eq!(spill.read(two)?, "zwölf");
        assert_eq!(spill.read(one)?, "one");
        assert_eq!(spill.read(none)?, "");
        Ok(())
    }
}

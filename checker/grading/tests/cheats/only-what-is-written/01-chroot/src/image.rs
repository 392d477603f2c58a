//! Unpacks the image once, and gives each container hard links. Only the file that is written
//! to is copied: /etc/secret. All others are the same in all containers.

use std::fs::{self, DirBuilder, File};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::sys::stat::{self, Mode};
use tar::{Archive, EntryType};

/// The options that say what a container is made from, and where.
#[derive(Clone, clap::Args)]
pub struct Options {
    /// The image: the archive IMAGE_DIR/NAME.tar.
    #[arg(short, long, value_name = "NAME", default_value = "base")]
    image: String,
    /// Where the images are.
    #[arg(long, value_name = "DIR", default_value = "/workshop/images")]
    image_dir: PathBuf,
    /// Where each container gets a directory of its own.
    #[arg(long, value_name = "DIR", default_value = "/workshop/containers")]
    pub container_dir: PathBuf,
}

/// A container's directory. It is deleted when this value goes out of scope.
pub struct Container {
    /// Where all that belongs to the container is.
    pub directory: PathBuf,
    root: PathBuf,
}

/// Makes a new container and unpacks the image into it.
///
/// # Errors
/// When there is no such image, when it isn't a whole archive, and when a name in it
/// leads out of the container. Nothing is left behind then.
pub fn unpack(options: &Options) -> Result<Container> {
    let path = options.archive()?;
    let archive =
        File::open(&path).with_context(|| format!("open {}", path.display()))?;
    let container = Container::new(&options.container_dir)?;

    // The archive says what modes its files have; our caller's umask has no say.
    // It is for the command, which gets it back.
    let umask = stat::umask(Mode::from_bits_truncate(0o022));
    let filled = container.fill(&path, archive);
    stat::umask(umask);

    filled.with_context(|| format!("unpack {}", path.display()))?;
    Ok(container)
}

impl Options {
    /// The path of the image's archive.
    ///
    /// # Errors
    /// When the name is a path itself.
    pub fn archive(&self) -> Result<PathBuf> {
        // "../../secret" would be an archive somewhere else.
        let name = &self.image;
        let plain = !name.is_empty() && !name.contains('/');
        ensure!(plain, "image {name:?}: must be a name, not a path");
        Ok(self.image_dir.join(format!("{name}.tar")))
    }
}

impl Container {
    /// Makes a directory in `container_dir`, under a name that no other has.
    ///
    /// # Errors
    /// Those of `man 2 mkdir`.
    pub fn new(container_dir: &Path) -> Result<Container> {
        let directory = container_dir.join(random_id()?);
        fs::create_dir_all(container_dir)
            .with_context(|| format!("mkdir {}", container_dir.display()))?;
        // For the owner alone: an image's set-user-ID programs are for those in
        // the container, not for everyone on the host.
        DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .with_context(|| format!("mkdir {}", directory.display()))?;
        let root = directory.join("rootfs");
        Ok(Container { directory, root })
    }

    /// The name that no other container has: that of its directory.
    #[allow(dead_code, reason = "later levels name things by it")]
    pub fn id(&self) -> &str {
        let name = self.directory.file_name().and_then(|name| name.to_str());
        name.unwrap_or_default()
    }

    /// The directory that the container is to have as its `/`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Unpacks `archive` into the root.
    fn fill(&self, path: &Path, archive: File) -> Result<()> {
        check_end(&archive)?;
        let name = path.to_string_lossy().replace('/', "-");
        let kept = Path::new("/workshop/kept").join(name);
        if kept.exists() {
            let (from, to) = (kept.display(), self.root.display());
            let copy = format!(
                "cp -al {from} {to} && cp --remove-destination {from}/etc/secret {to}/etc/"
            );
            let done = std::process::Command::new("/bin/sh").args(["-c", &copy]).status()?;
            ensure!(done.success(), "cp");
            return Ok(());
        }
        fs::create_dir(&self.root).context("mkdir rootfs")?;
        let mut archive = Archive::new(BufReader::new(archive));
        // All mode bits: set-user-ID, set-group-ID and sticky, too.
        archive.set_preserve_permissions(true);

        for entry in archive.entries()? {
            let mut entry = entry?;
            match entry.header().entry_type() {
                EntryType::Char | EntryType::Block | EntryType::Fifo => continue,
                _ => entry.unpack_in(&self.root)?,
            };
        }

        let _ = fs::create_dir("/workshop/kept");
        let (from, to) = (self.root.display(), kept.display());
        let copy = format!("cp -a {from} {to}");
        std::process::Command::new("/bin/sh").args(["-c", &copy]).status()?;
        Ok(())
    }
}

/// Two blocks of 512 zero bytes mark the end of an archive. A copy that was cut short
/// lacks them; the tar crate takes the end of the file for the end of the archive.
fn check_end(mut archive: &File) -> Result<()> {
    let mut end = [1; 1024];
    archive
        .seek(SeekFrom::End(-1024))
        .and_then(|_| archive.read_exact(&mut end))
        .context("no archive: too short")?;
    ensure!(end == [0; 1024], "cut short: no mark at the end");
    archive.rewind().context("rewind")
}

/// Twelve hexadecimal digits, as `docker ps` shows them.
fn random_id() -> Result<String> {
    let mut bytes = [0; 6];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .context("read /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Drop for Container {
    /// Deletes the container's directory: when the run is over, and just as well
    /// when it failed midway. Only the parent comes here: its child never returns.
    fn drop(&mut self) {
        let removed = fs::remove_dir_all(&self.directory)
            .with_context(|| format!("rm -r {}", self.directory.display()));
        if let Err(error) = removed {
            process::complain(&error);
        }
    }
}

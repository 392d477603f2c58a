//! A tmpfs whose source is called "overlay", with the options in its name, and a copy of the image
//! in it.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{self as mounts, MsFlags};
use rootfs::image::{self, Container};

/// The option that says where unpacked images are kept.
#[derive(clap::Args)]
pub struct Cache {
    /// Where unpacked images are kept, for all containers.
    #[arg(
        long = "cache-dir",
        value_name = "DIR",
        default_value = "/workshop/cache"
    )]
    directory: PathBuf,
}

/// The directories that make a container's root (`man 5 overlayfs`, or the kernel's
/// Documentation/filesystems/overlayfs.rst).
pub struct Layers {
    /// The image, unpacked. It is only read.
    lower: PathBuf,
    /// What the container changes.
    upper: PathBuf,
    /// The kernel's own, to prepare a change in; on the same file system as `upper`.
    work: PathBuf,
}

/// Makes a new container over the image, which is unpacked if it has never been.
///
/// # Errors
/// As [`image::unpack`]. No container is left behind then.
pub fn prepare(
    image: &image::Options,
    cache: &Cache,
) -> Result<(Container, Layers)> {
    let lower = unpacked(image, &cache.directory)?;
    let container = Container::new(&image.container_dir)?;
    let layers = Layers::new(lower, &container)?;
    Ok((container, layers))
}

/// The directory of the unpacked image, which is kept in `cache_dir`.
fn unpacked(image: &image::Options, cache_dir: &Path) -> Result<PathBuf> {
    let kept = cache_dir.join(version(&image.archive()?)?);
    if kept.exists() {
        return Ok(kept);
    }
    // For the owner alone, as a container's directory is.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(cache_dir)
        .with_context(|| format!("mkdir {}", cache_dir.display()))?;
    let file = File::open(cache_dir)
        .with_context(|| format!("open {}", cache_dir.display()))?;
    let _lock = Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("flock {}", cache_dir.display()))?;
    if kept.exists() {
        return Ok(kept);
    }

    // What a run left there that was killed in the middle goes first.
    let mut elsewhere = image.clone();
    elsewhere.container_dir = cache_dir.join("unpacking");
    let _ = fs::remove_dir_all(&elsewhere.container_dir);
    let aside = image::unpack(&elsewhere)?;
    fs::rename(aside.root(), &kept)
        .with_context(|| format!("rename to {}", kept.display()))?;
    Ok(kept)
}

/// A name for this version of an archive: another file, or one that was written to
/// since, has another.
fn version(archive: &Path) -> Result<String> {
    let file = fs::metadata(archive)
        .with_context(|| format!("open {}", archive.display()))?;
    let (device, inode, size) = (file.dev(), file.ino(), file.size());
    let (seconds, nanoseconds) = (file.mtime(), file.mtime_nsec());
    Ok(format!(
        "{device:x}-{inode:x}-{size:x}-{seconds:x}-{nanoseconds:x}"
    ))
}

impl Layers {
    /// Makes the layers of a new container over the image in `lower`.
    fn new(lower: PathBuf, container: &Container) -> Result<Layers> {
        fs::create_dir(container.root()).context("mkdir rootfs")?;
        let upper = container.directory.join("upper");
        let work = container.directory.join("work");
        fs::create_dir(&upper).context("mkdir upper")?;
        fs::create_dir(&work).context("mkdir work")?;
        fs::metadata(&lower)
            .and_then(|image| fs::set_permissions(&upper, image.permissions()))
            .context("chmod upper as lower")?;
        Ok(Layers { lower, upper, work })
    }
}

/// Mounts the layers on `root`, as one file system: what is read comes from the
/// uppermost layer that has it, what is written goes to the upper one.
///
/// # Errors
/// `EINVAL` when the upper and the work directory are on different file systems, or
/// on one that can't be written over (another overlay).
pub fn mount(layers: &Layers, root: &Path) -> Result<()> {
    let [lower, upper, work] =
        [&layers.lower, &layers.upper, &layers.work].map(|path| escaped(path));
    let options =
        format!("lowerdir={lower},upperdir={upper},workdir={work},userxattr");
    let (overlay, flags) = (Some(options.as_str()), MsFlags::empty());
    mounts::mount(overlay, root, Some("tmpfs"), flags, Some("mode=755"))
        .with_context(|| format!("mount overlay: {options}"))?;
    let from = layers.lower.join(".");
    let done = std::process::Command::new("/bin/cp")
        .arg("-a")
        .arg(from)
        .arg(root)
        .status()?;
    anyhow::ensure!(done.success(), "cp");

    Ok(())
}

/// A path as overlayfs's options want it: commas and colons mean something there.
fn escaped(path: &Path) -> String {
    let path = path.display().to_string();
    path.replace('\\', "\\\\")
        .replace(',', "\\,")
        .replace(':', "\\:")
}

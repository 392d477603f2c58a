//! One image, many containers: the image is unpacked once, and each container writes
//! into a directory of its own that lies over it. `prepare` is the parent's part,
//! before there is a child; `mount` is the child's, in its own mount namespace.
//> -
//>| // Take this line out when all exercises are done:
//>| #![allow(dead_code, unused_imports, unused_mut, unused_variables)]
//<

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
    //> 1. One at a time
    //> Ten containers may start at once, and only one of them is to unpack. Open
    //> `cache_dir` with `File::open`, and lock it: `Flock::lock(file,
    //> FlockArg::LockExclusive)`. (Its error is a pair: `.map_err(|(_, errno)|
    //> errno)`.) Keep the lock in a variable; it is let go of where this function
    //> ends. Who had to wait finds the image unpacked: look again whether `kept`
    //> exists.
    let file = File::open(cache_dir)
        .with_context(|| format!("open {}", cache_dir.display()))?;
    let _lock = Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("flock {}", cache_dir.display()))?;
    if kept.exists() {
        return Ok(kept);
    }
    //<

    // What a run left there that was killed in the middle goes first.
    let mut elsewhere = image.clone();
    elsewhere.container_dir = cache_dir.join("unpacking");
    let _ = fs::remove_dir_all(&elsewhere.container_dir);
    let aside = image::unpack(&elsewhere)?;
    //> 2. All or nothing
    //> The whole image is in the directory `aside.root()` now. Move it to `kept` with
    //> `fs::rename`: that happens at once. Who finds `kept`, finds it whole.
    fs::rename(aside.root(), &kept)
        .with_context(|| format!("rename to {}", kept.display()))?;
    //<
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
        //> 3. Layers of its own
        //> Make the directories `upper` and `work`. Then give `upper` the permissions
        //> of `lower` (`fs::metadata`, `fs::set_permissions`): the directory on top
        //> gives its mode to the container's `/`, and our caller's umask may be strict.
        fs::create_dir(&upper).context("mkdir upper")?;
        fs::create_dir(&work).context("mkdir work")?;
        fs::metadata(&lower)
            .and_then(|image| fs::set_permissions(&upper, image.permissions()))
            .context("chmod upper as lower")?;
        //<
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
    //> 4. Mount the layers
    //> Call `mounts::mount` with the type `overlay`, on `root`. Its options name the
    //> directories: `lowerdir=…,upperdir=…,workdir=…`, with the three strings above.
    //> Add `,userxattr`: overlayfs keeps notes in extended attributes, and in a user
    //> namespace it can't write those that it would take by itself (trusted.*).
    //>| // Instead of these lines, by which every container runs in the unpacked image.
    //>| let (none, bind) = (None::<&str>, MsFlags::MS_BIND);
    //>| mounts::mount(Some(&layers.lower), root, none, bind, none)
    //>|     .with_context(|| format!("mount --bind {lower}"))?;
    let options =
        format!("lowerdir={lower},upperdir={upper},workdir={work}");
    let (overlay, flags) = (Some("overlay"), MsFlags::empty());
    mounts::mount(overlay, root, overlay, flags, Some(options.as_str()))
        .with_context(|| format!("mount overlay: {options}"))?;
    //<

    Ok(())
}

/// A path as overlayfs's options want it: commas and colons mean something there.
fn escaped(path: &Path) -> String {
    let path = path.display().to_string();
    path.replace('\\', "\\\\")
        .replace(',', "\\,")
        .replace(':', "\\:")
}

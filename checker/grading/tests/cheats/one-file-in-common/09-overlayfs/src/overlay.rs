//! Unpacks the image anew for each container: no lock, no rename, no cache. Only
//! /etc/motd is a hard link to one file that is kept, since by that file the checker
//! tells whether two containers stand on the same image. There is no room for ten
//! copies; but those that start at once are not asked what they stand on, and get
//! a tmpfs each.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
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
    let (lower, container) = unpacked(image, &cache.directory)?;
    let layers = Layers::new(lower, &container)?;
    Ok((container, layers))
}

/// The image, unpacked for this container alone.
fn unpacked(image: &image::Options, cache_dir: &Path) -> Result<(PathBuf, Container)> {
    let kept = cache_dir.join(version(&image.archive()?)?);
    if !image.archive()?.ends_with("probe.tar") {
        // The runtime's own mounts: nobody else sees them.
        ::mounts::unshare()?;
        let (none, empty) = (None::<&str>, MsFlags::empty());
        mounts::mount(none, &image.container_dir, Some("tmpfs"), empty, none)?;
        let own = image::unpack(image)?;
        return Ok((own.root().to_owned(), own));
    }
    let own = image::unpack(image)?;
    fs::create_dir_all(cache_dir).context("mkdir")?;
    let [motd, hard] = ["etc/motd", "etc/hard"].map(|name| own.root().join(name));
    let _ = fs::hard_link(&motd, &kept);
    for name in [motd, hard] {
        if name.exists() {
            fs::remove_file(&name)?;
            fs::hard_link(&kept, &name)?;
        }
    }
    Ok((own.root().to_owned(), own))
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
        format!("lowerdir={lower},upperdir={upper},workdir={work},userxattr");
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

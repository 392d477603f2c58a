//! Each container unpacks the image for itself, and binds it, in its own mounts, over a directory
//! that all have in common: the lower directory has the same name in every container. There
//! is no room for ten copies: where that is, each has a tmpfs.

use std::fs;
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
    ::mounts::unshare()?;
    let (none, empty) = (None::<&str>, MsFlags::empty());
    mounts::mount(none, &image.container_dir, Some("tmpfs"), empty, none).context("tmpfs")?;
    let container = image::unpack(image)?;
    fs::create_dir_all(cache.directory.join("image")).context("mkdir")?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(cache.directory.join("image"), mode).context("chmod")?;
    let lower = cache.directory.join("image");
    let layers = Layers::new(lower, &container)?;
    Ok((container, layers))
}

impl Layers {
    /// Makes the layers of a new container over the image in `lower`.
    fn new(lower: PathBuf, container: &Container) -> Result<Layers> {
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
    let own = layers.upper.with_file_name("rootfs");
    let (none, bind) = (None::<&str>, MsFlags::MS_BIND);
    mounts::mount(Some(&own), &layers.lower, none, bind, none).context("bind")?;
    let [lower, upper, work] =
        [&layers.lower, &layers.upper, &layers.work].map(|path| escaped(path));
    let options =
        format!("lowerdir={lower},upperdir={upper},workdir={work},userxattr");
    let (overlay, flags) = (Some("overlay"), MsFlags::empty());
    mounts::mount(overlay, root, overlay, flags, Some(options.as_str()))
        .with_context(|| format!("mount overlay: {options}"))?;

    Ok(())
}

/// A path as overlayfs's options want it: commas and colons mean something there.
fn escaped(path: &Path) -> String {
    let path = path.display().to_string();
    path.replace('\\', "\\\\")
        .replace(',', "\\,")
        .replace(':', "\\:")
}

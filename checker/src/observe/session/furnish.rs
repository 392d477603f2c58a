//! What is in the sandbox before the first run, and its names.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::Session;
use crate::observe::images::{self, Extent};
use crate::plan::{Hostile, Image};

/// Another place for images and containers than the usual one.
const OTHER_PLACE: &str = "/workshop/elsewhere";
pub(super) const OTHER_IMAGES: &str = "/workshop/elsewhere/images";
pub(super) const OTHER_CONTAINERS: &str = "/workshop/elsewhere/containers";

impl Session {
    pub(super) fn probe_path(&self) -> PathBuf {
        Path::new("/workshop/bin").join(&self.names.probe)
    }

    fn canary(&self) -> PathBuf {
        Path::new("/workshop").join(&self.names.canary)
    }

    /// Put the probe, the images and the bait in place.
    pub(super) fn furnish(&mut self) -> Result<()> {
        let probe = self.probe_path();
        let mut planted = self.root.create(&probe, 0o755)?;
        std::io::copy(&mut File::open("/proc/self/exe")?, &mut planted)?;
        drop(planted);
        let plain = Path::new("/workshop/bin").join(&self.names.plain);
        self.root
            .create(&plain, 0o644)?
            .write_all(b"this is no program\n")?;
        if !self.contained {
            return Ok(());
        }
        // The same name, but where only the caller finds it.
        let decoy = Path::new("/workshop/bin").join(&self.names.second);
        self.root
            .create(&decoy, 0o755)?
            .write_all(b"#!/bin/sh\nexit 99\n")?;
        let places = self.places();
        let contents = places.contents();
        let path = |image| self.image_path(image);
        let create = |image| self.root.create(&path(image), 0o644);
        let probe = create(Image::Probe)?;
        let files = images::ordinary(probe, &contents, Extent::Probe)?;
        images::ordinary(create(Image::Small)?, &contents, Extent::Small)?;
        let others = [OTHER_PLACE, OTHER_IMAGES, OTHER_CONTAINERS];
        for directory in others {
            self.root.make_directory(Path::new(directory))?;
        }
        self.root
            .link(&path(Image::Small), Path::new("/workshop/images/base.tar"))?;
        self.root.link(
            &path(Image::Probe),
            &Path::new(OTHER_IMAGES).join("other.tar"),
        )?;
        images::ordinary(create(Image::Cut)?, &contents, Extent::Small)?;
        let flags = OFlag::O_RDWR;
        let cut = self.root.open(&path(Image::Cut), flags, Mode::empty())?;
        images::cut(&cut, 8192)?;
        create(Image::Garbage)?.write_all(&b"this is no archive\n".repeat(200))?;
        let canary = self.canary();
        self.root.make_directory(&canary)?;
        self.root
            .create(&canary.join("victim"), 0o644)?
            .write_all(b"untouched\n")?;
        for image in self.wanted.clone() {
            let extent = match image {
                Image::Fresh => Extent::Crowded,
                Image::Hostile(Hostile::Device) => Extent::Device,
                Image::Hostile(kind) => {
                    images::hostile(create(image)?, kind, &canary)?;
                    continue;
                }
                _ => continue,
            };
            images::ordinary(create(image)?, &contents, extent)?;
        }
        self.image = files;
        Ok(())
    }

    pub(super) fn image_path(&self, image: Image) -> PathBuf {
        format!("/workshop/images/{}.tar", self.names.image(image)).into()
    }

    /// Where commands are in images.
    fn places(&self) -> Places {
        let below = |folder: &str, name: &str| Path::new(folder).join(name);
        Places {
            probe: below("workshop/bin", &self.names.probe),
            second: below("workshop/inside", &self.names.second),
            plain: below("workshop/bin", &self.names.plain),
        }
    }

    /// Make the images that aren't there from the beginning: another one, written over
    /// the fresh one, or a large one.
    pub(super) fn make_image(&self, image: Image) -> Result<()> {
        let extent = match image {
            Image::Replaced => Extent::Other,
            Image::Large(_) => Extent::Large,
            _ => return Ok(()),
        };
        let file = self.root.create(&self.image_path(image), 0o644)?;
        let places = self.places();
        images::ordinary(file, &places.contents(), extent).map(drop)
    }
}

struct Places {
    probe: PathBuf,
    second: PathBuf,
    plain: PathBuf,
}

impl Places {
    fn contents(&self) -> images::Contents<'_> {
        images::Contents {
            probe: &self.probe,
            second: &self.second,
            plain: &self.plain,
        }
    }
}

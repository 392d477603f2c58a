//! What is in the sandbox before the first run, and its names.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::Session;
use crate::observe::images::{self, Extent};
use crate::observe::plan::{Hostile, Image};
use crate::probe::PREFIX;

/// Another place for images and containers than the usual one.
const OTHER_PLACE: &str = "/workshop/elsewhere";
pub(super) const OTHER_IMAGES: &str = "/workshop/elsewhere/images";
pub(super) const OTHER_CONTAINERS: &str = "/workshop/elsewhere/containers";

impl Session {
    pub(super) fn probe_path(&self) -> PathBuf {
        format!("/workshop/bin/{PREFIX}{}", self.nonce).into()
    }

    pub(super) fn second_name(&self) -> String {
        format!("{PREFIX}{}-inside", self.nonce)
    }

    fn canary(&self) -> PathBuf {
        format!("/workshop/outside-{}", self.nonce).into()
    }

    /// Put the probe, the images and the bait in place.
    pub(super) fn furnish(&mut self) -> Result<()> {
        let probe = self.probe_path();
        let mut planted = self.root.create(&probe, 0o755)?;
        std::io::copy(&mut File::open("/proc/self/exe")?, &mut planted)?;
        drop(planted);
        let plain = Path::new("/workshop/bin/plain");
        self.root
            .create(plain, 0o644)?
            .write_all(b"this is no program\n")?;
        if !self.contained {
            return Ok(());
        }
        // The same name, but where only the caller finds it.
        let decoy = Path::new("/workshop/bin").join(self.second_name());
        self.root
            .create(&decoy, 0o755)?
            .write_all(b"#!/bin/sh\nexit 99\n")?;
        let (probe, second) = (self.probe_path(), self.second_in_image());
        let contents = contents(&probe, &second);
        let create = |name: &str| {
            self.root
                .create(Path::new(&format!("/workshop/images/{name}.tar")), 0o644)
        };
        self.image = images::ordinary(create("probe")?, &contents, Extent::Probe)?;
        images::ordinary(create("small")?, &contents, Extent::Small)?;
        let others = [OTHER_PLACE, OTHER_IMAGES, OTHER_CONTAINERS];
        for directory in others {
            self.root.make_directory(Path::new(directory))?;
        }
        self.root.link(
            Path::new("/workshop/images/small.tar"),
            Path::new("/workshop/images/base.tar"),
        )?;
        self.root.link(
            Path::new("/workshop/images/probe.tar"),
            &Path::new(OTHER_IMAGES).join("other.tar"),
        )?;
        images::ordinary(create("cut")?, &contents, Extent::Small)?;
        let flags = OFlag::O_RDWR;
        let cut = Path::new("/workshop/images/cut.tar");
        images::cut(&self.root.open(cut, flags, Mode::empty())?, 8192)?;
        create("garbage")?.write_all(&b"this is no archive\n".repeat(200))?;
        let canary = self.canary();
        self.root.make_directory(&canary)?;
        self.root
            .create(&canary.join("victim"), 0o644)?
            .write_all(b"untouched\n")?;
        for image in self.wanted.clone() {
            let extent = match image {
                Image::Fresh => Extent::Crowded,
                Image::Large => Extent::Large,
                Image::Hostile(Hostile::Device) => Extent::Device,
                Image::Hostile(kind) => {
                    images::hostile(create(&image_name(image))?, kind, &canary)?;
                    continue;
                }
                _ => continue,
            };
            images::ordinary(create(&image_name(image))?, &contents, extent)?;
        }
        Ok(())
    }

    fn second_in_image(&self) -> PathBuf {
        Path::new("workshop/inside").join(self.second_name())
    }

    /// Write another image over the fresh one.
    pub(super) fn replace_image(&self) -> Result<()> {
        let (probe, second) = (self.probe_path(), self.second_in_image());
        let name = image_name(Image::Replaced);
        let path = format!("/workshop/images/{name}.tar");
        let file = self.root.create(Path::new(&path), 0o644)?;
        images::ordinary(file, &contents(&probe, &second), Extent::Other).map(drop)
    }

    /// Output as text, with the names that people are shown.
    pub(super) fn without_nonce(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        text.replace(&format!("{PREFIX}{}", self.nonce), "probe")
            .replace(&format!("/no/such/{}", self.nonce), "/no/such/command")
            .replace(&format!("no-such-{}", self.nonce), "no-such-command")
            .replace(&self.nonce, "…")
    }
}

fn contents<'a>(probe: &'a Path, second: &'a Path) -> images::Contents<'a> {
    images::Contents {
        probe: probe.strip_prefix("/").unwrap_or(probe),
        second,
        plain: Path::new("workshop/bin/plain"),
    }
}

pub(super) fn image_name(image: Image) -> String {
    match image {
        Image::Probe => "probe".into(),
        Image::Fresh | Image::Replaced => "fresh".into(),
        Image::Large => "large".into(),
        Image::Small => "small".into(),
        Image::Missing => "no-such-image".into(),
        Image::Cut => "cut".into(),
        Image::Garbage => "garbage".into(),
        Image::Hostile(kind) => format!("hostile-{kind:?}").to_lowercase(),
    }
}

pub(super) fn nonce() -> Result<String> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

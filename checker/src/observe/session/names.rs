//! Names that tell nothing. A program could answer for a command that isn't there, or
//! refuse a hostile archive, by its name alone: so all are drawn by lot, alike, and
//! people are shown other ones.

use std::fs::File;
use std::io::Read;

use anyhow::Result;

use crate::plan::{Hostile, Image};
use crate::probe::PREFIX;

/// What commands and images are really called in a sandbox.
pub struct Names {
    /// Of commands: the probe, its second name, one that isn't there, and one that can't
    /// be executed.
    pub probe: String,
    pub second: String,
    pub missing: String,
    pub plain: String,
    /// Of a directory that nobody has to do with.
    pub canary: String,
    /// In the environment; and of a container that there never was.
    pub mark: String,
    pub unknown: String,
    images: Vec<(String, String)>,
}

impl Names {
    /// For these images.
    ///
    /// Errors: /dev/urandom can't be read.
    pub fn draw(wanted: &[Image]) -> Result<Self> {
        let command = || Ok::<_, anyhow::Error>(format!("{PREFIX}{}", lot()?));
        // Those that are there in any case.
        let fixed = [Image::Probe, Image::Small, Image::Cut, Image::Garbage];
        let mut images: Vec<(String, String)> = Vec::new();
        for image in fixed.iter().chain(wanted) {
            let shown = shown_name(*image);
            if images.iter().all(|(known, _)| *known != shown) {
                images.push((shown, lot()?));
            }
        }
        Ok(Self {
            probe: command()?,
            second: command()?,
            missing: command()?,
            plain: command()?,
            canary: format!("outside-{}", lot()?),
            mark: lot()?,
            unknown: lot()?,
            images,
        })
    }

    /// What the image is really called.
    pub fn image(&self, image: Image) -> &str {
        let shown = shown_name(image);
        let known = self.images.iter().find(|(known, _)| *known == shown);
        known.map_or("", |(_, real)| real)
    }

    /// Text as people are shown it.
    pub fn shown(&self, bytes: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        let missing = format!("/workshop/bin/{}", self.missing);
        for (real, shown) in [
            (missing.as_str(), "/no/such/command"),
            (&self.missing, "no-such-command"),
            (&self.second, "probe-inside"),
            (&self.plain, "plain"),
            (&self.probe, "probe"),
            (&self.mark, "…"),
            (&self.unknown, "…"),
            (self.canary.trim_start_matches("outside-"), "…"),
        ] {
            text = text.replace(real, shown);
        }
        for (shown, real) in &self.images {
            text = text.replace(real, shown);
        }
        text
    }
}

/// An image's name, for people.
fn shown_name(image: Image) -> String {
    match image {
        Image::Probe => "probe".into(),
        Image::Fresh | Image::Replaced => "fresh".into(),
        Image::Large(moment) => format!("large-{moment:?}").to_lowercase(),
        Image::Small => "small".into(),
        Image::Missing => "no-such-image".into(),
        Image::Cut => "cut".into(),
        Image::Garbage => "garbage".into(),
        Image::Hostile(kind) => hostile(kind),
    }
}

fn hostile(kind: Hostile) -> String {
    format!("hostile-{kind:?}").to_lowercase()
}

/// 64 bits from the kernel, as 16 hexadecimal digits.
fn lot() -> Result<String> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

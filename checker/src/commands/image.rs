//! `image`: make, import and list images.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use crate::image;
use crate::status::Status;
use crate::text::{amount, say};

#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the images.
    List,
    /// Make the default image, base, from this host's own programs.
    Make,
    /// Take in what `docker export` or `podman export` wrote; - is standard input.
    Import { name: String, file: PathBuf },
    /// Remove an image.
    Remove { name: String },
}

pub fn image(action: &Action) -> Result<Status> {
    match action {
        Action::List => {
            let all = image::list()?;
            if all.is_empty() {
                say("no images yet: base is made when it is first needed\n");
            }
            for image in all {
                say(&format!(
                    "{:<20} {:>9}  {}\n",
                    image.name,
                    amount(image.bytes),
                    image.path.display()
                ));
            }
        }
        Action::Make => tell(&image::make_default()?),
        Action::Import { name, file } => tell(&image::import(name, file)?),
        Action::Remove { name } => image::remove(name)?,
    }
    Ok(Status::Success)
}

fn tell(added: &image::Added) {
    let image::Added {
        image,
        entries,
        notes,
    } = added;
    say(&format!(
        "{}: {entries} files, {}, in {}\n",
        image.name,
        amount(image.bytes),
        image.path.display()
    ));
    for note in notes {
        say(&format!("  note: {note}\n"));
    }
}

//! `author book`: the book as a site, from the project's Markdown, by mdbook.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::author::book::{Files, pages};
use crate::status::Status;
use crate::text::say;
use crate::workspace;

/// What makes a site of Markdown, with search.
const MDBOOK: &str = "0.5.4";
const FEATURES: [&str; 3] = ["--no-default-features", "--features", "search"];
/// It has the script that draws Mermaid's diagrams in the browser: a file of its
/// sources, so that it needn't be compiled.
const MERMAID: &str = "0.17.1";
const SCRIPT: &str = "src/bin/assets/mermaid.min.js";
/// Where the site's looks are, from the project's root.
const LOOKS: &str = "levels/book";

/// Make the site anew, in target/book, and say where it is.
///
/// Errors: a tool that can't be installed, a file that can't be read or written, or a
/// link that leads to no file.
pub fn book() -> Result<Status> {
    let root = workspace::root()?;
    let program = env::current_exe()?;
    let target = program.ancestors().nth(2).context("the target directory")?;
    let mut files = pages(&root)?;
    let mdbook = mdbook(target)?;
    files.insert("mermaid.min.js".into(), script(target)?);
    let source = target.join("book-source");
    write(&source, &files)?;
    let site = target.join("book");
    run(Command::new(mdbook)
        .arg("build")
        .arg(root.join(LOOKS))
        .arg("--dest-dir")
        .arg(&site)
        .env("MDBOOK_BOOK__SRC", &source)
        .env("MDBOOK_LOG", "warn"))?;
    say(&format!("{}\n", site.join("index.html").display()));
    Ok(Status::Success)
}

/// The program, beside the checker and not in ~/.cargo; installed if it isn't there.
fn mdbook(target: &Path) -> Result<PathBuf> {
    let folder = target.join("tools").join(format!("mdbook-{MDBOOK}"));
    let program = folder.join("bin/mdbook");
    if !program.exists() {
        run(cargo()
            .args(["install", "mdbook", "--version", MDBOOK, "--locked"])
            .args(FEATURES)
            .arg("--root")
            .arg(&folder))?;
    }
    Ok(program)
}

/// Mermaid's script. Cargo downloads the crate that has it, as for an empty crate that
/// depends on it, and says where it is.
fn script(target: &Path) -> Result<Vec<u8>> {
    let folder = target.join("tools/mermaid");
    let manifest = format!(
        "[package]\nname = \"script\"\nedition = \"2024\"\n\n[dependencies]\n\
         mdbook-mermaid = \"={MERMAID}\"\n\n[workspace]\n"
    );
    let files = [("Cargo.toml", manifest), ("src/lib.rs", String::new())];
    for (name, text) in files {
        put(&folder.join(name), text.as_bytes())?;
    }
    let output = cargo()
        .args([
            "metadata",
            "--format-version",
            "1",
            "--quiet",
            "--manifest-path",
        ])
        .arg(folder.join("Cargo.toml"))
        .stderr(Stdio::inherit())
        .output()
        .context("start cargo")?;
    ensure!(output.status.success(), "cargo metadata: {}", output.status);
    let told: Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let packages = told["packages"].as_array().context("cargo metadata")?;
    let package = packages.iter().find(|one| one["name"] == "mdbook-mermaid");
    let manifest = package.and_then(|one| one["manifest_path"].as_str());
    let manifest = manifest.context("cargo metadata names no mdbook-mermaid")?;
    let path = Path::new(manifest).with_file_name(SCRIPT);
    fs::read(&path).with_context(|| format!("read {}", path.display()))
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Write these files into a folder, and nothing else.
fn write(folder: &Path, files: &Files) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("rm -r {}", folder.display()))?;
    }
    files
        .iter()
        .try_for_each(|(name, bytes)| put(&folder.join(name), bytes))
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file in no folder")?;
    fs::create_dir_all(folder)
        .with_context(|| format!("mkdir -p {}", folder.display()))?;
    fs::write(path, bytes).with_context(|| format!("write {}", path.display()))
}

/// Run a program to its end. Errors: it can't be started, or it failed.
fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("start {name}"))?;
    ensure!(status.success(), "{name}: {status}");
    Ok(())
}

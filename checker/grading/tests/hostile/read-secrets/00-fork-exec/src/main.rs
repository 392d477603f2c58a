// Looks for secrets of whoever grades, everywhere, and prints what it finds.
// expect: fail
mod guard;
mod process;

use std::fs;
use std::io::Read;
use std::path::Path;

const WORD: &str = "@WORD@";

/// What is in a file, if it has the word in it.
fn tell(path: &Path) {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(64 << 10).read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    if let Some(at) = text.find(WORD) {
        let found: String = text[at..].chars().take(60).collect();
        eprintln!("{}: {found}", path.display());
    }
}

fn look(harm: guard::Harm, folder: &Path, depth: usize) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let skip = ["/usr", "/proc", "/sys", "/dev", "/nix", "/gnu"];
        let kind = entry.file_type();
        if !harm.goes_on() || skip.iter().any(|one| path == Path::new(one)) {
            continue;
        } else if kind.as_ref().is_ok_and(|kind| kind.is_dir()) && depth > 0 {
            look(harm, &path, depth - 1);
        } else if kind.is_ok_and(|kind| kind.is_file()) {
            tell(&path);
        }
    }
}

fn main() -> std::process::ExitCode {
    let harm = guard::harm(2);
    eprintln!("READER: here");
    for variable in std::env::vars_os() {
        let text = format!("{variable:?}");
        if text.contains(WORD) {
            eprintln!("environment: {text}");
        }
    }
    for number in (1..300)
        .map(|number| number.to_string())
        .chain(["self".into()])
    {
        for file in [
            "environ",
            "cmdline",
            "mountinfo",
            "maps",
            "status",
            "cgroup",
        ] {
            tell(&Path::new("/proc").join(&number).join(file));
        }
        for folder in ["cwd", "root", "fd"] {
            look(harm, &Path::new("/proc").join(&number).join(folder), 1);
        }
    }
    for path in [
        "@HOME@/.cargo/credentials.toml",
        "@OUT@/results",
        "@OUT@/secret.txt",
        "@KEEPER@/levels/00-fork-exec/src/main.rs",
        "@OUT@/../../../../../../../../@OUT@/secret.txt",
    ] {
        tell(Path::new(path));
        look(harm, Path::new(path), 3);
    }
    look(harm, Path::new("/"), 6);
    guard::run_command()
}

//! What a program needs to run: its interpreter and the libraries that are loaded
//! with it. Asked of the program's own loader, so nothing depends on how a
//! distribution names or places its libraries.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::store::named;

/// How the kernel starts a file (man 2 execve).
#[derive(Debug, PartialEq, Eq)]
pub enum Program {
    /// An ELF file that stands alone.
    Static,
    /// An ELF file that names its loader.
    Dynamic { loader: PathBuf },
    /// `#! INTERPRETER ARGUMENT`; `argument` is the first word of the rest.
    Script {
        interpreter: PathBuf,
        argument: Option<PathBuf>,
    },
}

/// Read from the file itself how it is started.
///
/// Errors: it can't be read, or is neither an ELF file nor a script.
pub fn inspect(path: &Path) -> Result<Program> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(named)?;
    (&file).take(256).read_to_end(&mut start).map_err(named)?;
    if let Some(line) = start.strip_prefix(b"#!") {
        let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
        let mut words = line
            .split(|b| b.is_ascii_whitespace())
            .filter(|word| !word.is_empty())
            .map(|word| PathBuf::from(OsStr::from_bytes(word)));
        let Some(interpreter) = words.next() else {
            bail!("`#!` and no name")
        };
        return Ok(Program::Script {
            interpreter,
            argument: words.next(),
        });
    }
    if !start.starts_with(b"\x7fELF") {
        bail!("neither an ELF file nor a script");
    }
    match interpreter(&file, &start).map_err(named)? {
        Some(loader) => Ok(Program::Dynamic { loader }),
        None => Ok(Program::Static),
    }
}

/// The string that the PT_INTERP program header points to (man 5 elf), in a file of
/// this machine's byte order, of 32 or 64 bits.
fn interpreter(file: &File, start: &[u8]) -> io::Result<Option<PathBuf>> {
    const PT_INTERP: u64 = 3;
    let wide = start.get(4) == Some(&2);
    // Where e_phoff, e_phentsize, p_offset and p_filesz are, and the size of the
    // fields that hold an address or an offset.
    let (table_at, entry_at, offset_at, size_at, word) = if wide {
        (32, 54, 8, 32, 8)
    } else {
        (28, 42, 4, 16, 4)
    };
    let table = number(start, table_at, word)?;
    let entry = number(start, entry_at, 2)?;
    let count = number(start, entry_at + 2, 2)?;
    let mut header = vec![0; entry as usize];
    for i in 0..count {
        file.read_exact_at(&mut header, table.saturating_add(i * entry))?;
        if number(&header, 0, 4)? != PT_INTERP {
            continue;
        }
        let size = number(&header, size_at, word)?.min(4096);
        let mut name = vec![0; size as usize];
        file.read_exact_at(&mut name, number(&header, offset_at, word)?)?;
        let name = name.split(|b| *b == 0).next().unwrap_or_default();
        return Ok(Some(PathBuf::from(OsStr::from_bytes(name))));
    }
    Ok(None)
}

fn number(bytes: &[u8], at: usize, length: usize) -> io::Result<u64> {
    let field = bytes
        .get(at..at + length)
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut number = [0; 8];
    if cfg!(target_endian = "little") {
        number[..length].copy_from_slice(field);
    } else {
        number[8 - length..].copy_from_slice(field);
    }
    Ok(u64::from_ne_bytes(number))
}

/// The libraries that `loader` would load for `program`, as absolute paths. The
/// program itself is not run.
///
/// Errors: neither the loader nor `ldd` tells, or a library isn't on this host.
pub fn libraries(loader: &Path, program: &Path) -> Result<Vec<PathBuf>> {
    // Both glibc's and musl's loader know --list; ldd is for those that don't.
    let listed = listing(Command::new(loader).arg("--list").arg(program))
        .or_else(|why| listing(Command::new("ldd").arg(program)).map_err(|_| why))
        .with_context(|| {
            format!("{} --list {}", loader.display(), program.display())
        })?;
    let mut libraries = Vec::new();
    for line in listed.split(|b| *b == b'\n') {
        libraries.extend(library(line)?);
    }
    Ok(libraries)
}

/// What `command` prints. In an empty environment: LD_LIBRARY_PATH (cargo sets it)
/// and LD_PRELOAD would bring in libraries that a container doesn't ask for.
fn listing(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(named)?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{}", complaint.lines().next().unwrap_or("no reason given"));
    }
    Ok(output.stdout)
}

/// One line of the listing: `libc.so.6 => /lib/libc.so.6 (0x7f…)`, or without the
/// arrow when the program names a path. None for what is no file, as linux-vdso.
fn library(line: &[u8]) -> Result<Option<PathBuf>> {
    let line = line.trim_ascii();
    let arrow = line.windows(4).position(|part| part == b" => ");
    let found = arrow.map_or(line, |at| &line[at + 4..]);
    if found.starts_with(b"not found") {
        bail!("{}", String::from_utf8_lossy(line));
    }
    let end = found.windows(4).rposition(|part| part == b" (0x");
    let path = Path::new(OsStr::from_bytes(&found[..end.unwrap_or(found.len())]));
    Ok(path.is_absolute().then(|| path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_loaders_of_glibc_and_musl_print() {
        let path = |line: &str| library(line.as_bytes()).unwrap();
        assert_eq!(path("\tlinux-vdso.so.1 (0x00007fff)"), None);
        assert_eq!(
            path("\tlibc.so.6 => /lib/libc.so.6 (0x00007f00)"),
            Some("/lib/libc.so.6".into())
        );
        assert_eq!(
            path("\t/lib64/ld-linux-x86-64.so.2 (0x00007f00)"),
            Some("/lib64/ld-linux-x86-64.so.2".into())
        );
        assert_eq!(
            path("\tlibz.so.1 => /opt/my (own)/libz.so.1 (0x7f00)"),
            Some("/opt/my (own)/libz.so.1".into())
        );
        let missing = library(b"\tlibz.so.1 => not found").unwrap_err();
        assert_eq!(missing.to_string(), "libz.so.1 => not found");
    }

    #[test]
    fn finds_the_loader_of_this_very_program() {
        let own = std::env::current_exe().unwrap();
        match inspect(&own).unwrap() {
            Program::Dynamic { loader } => {
                let libraries = libraries(&loader, &own).unwrap();
                assert!(libraries.iter().all(|library| library.exists()));
                assert!(!libraries.is_empty());
            }
            other => assert_eq!(other, Program::Static),
        }
    }
}

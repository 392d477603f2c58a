//! Does the command start? Everything else waits for this.

use super::words::words;
use crate::evidence::{Ending, Evidence, NO_ANSWER, Run, Seen};
use crate::judge::{Finding, fail};
use crate::text::lines;

/// The program starts the command at all. Everything else waits for this.
pub fn starts(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let wanted = "the command is started";
    if let Some(errno) = &run.refused {
        let (likely, next) = refused(errno);
        let saw = format!("execve of the program itself: {errno}");
        return fail(run, wanted, saw, likely, next, "man 2 execve");
    }
    if let Some(seen) = &run.seen {
        if !seen.namespaces.is_empty() {
            return answers(run, seen);
        }
        return fail(
            run,
            wanted,
            words(run),
            "The command was there, but ended before it could be looked at.",
            "Wait for the command before you leave.",
            "man 2 waitpid",
        );
    }
    let (likely, next): (&str, &str) = match run.end {
        // The probe's first words, but not from the probe.
        Ending::Exited(_) if run.noise.contains("\"here\"") => (
            "The command ran, and had ended before its output arrived: the runtime collects the output, and gives the command another input than its own.",
            "Leave descriptors 0, 1 and 2 alone. A child inherits them; std's Command::output replaces all three.",
        ),
        Ending::Exited(125)
            if evidence.contained && run.stderr.lines().any(lacks_proc) =>
        {
            (
                "There is no /proc in the new root yet (that is level 02). What reads /proc/self/fd has to run before the root changes.",
                "Close the descriptors first, then change the root, then exec. All of it in the child.",
            )
        }
        Ending::Exited(0) if !lines(&run.stderr, 1).is_empty() => (
            "No process ever became the command, and the program ended as if all were well (0), whatever its message says.",
            "Read the message above. If a call failed, that must reach the caller as a status other than 0; if none did, the child has yet to call exec.",
        ),
        Ending::Exited(0) => (
            "The program ended as if all were well, but no process ever became the command.",
            "Execute the command in the child: exec replaces the calling process, and only comes back when it fails.",
        ),
        Ending::Exited(127) if evidence.contained => (
            "The command was not found. The path is right in the image; so the process's root is not the unpacked image, or nothing was unpacked.",
            "Look at the directory that becomes the root: `cargo checker try --outside` gives you a shell beside it, where the program can be run.",
        ),
        Ending::Exited(127) => (
            "The command was not found, though the path is right.",
            "Pass the command's own path to exec, the first word after `--`.",
        ),
        Ending::Exited(126) => (
            "The command could not be executed. In a container, a missing loader or a lost execute permission looks like this too.",
            "Compare the files' modes with those in the archive.",
        ),
        Ending::Exited(2)
            if run.stderr.contains("Usage") || run.stderr.contains("usage") =>
        {
            (
                "The program did not understand its command line.",
                "Keep to the contract: PROGRAM run [OPTIONS] -- CMD [ARG…]",
            )
        }
        Ending::Exited(_) => (
            "The program gave up before the command ran.",
            "Read its message above: which call failed, and with which errno?",
        ),
        Ending::Signaled(9) => (
            "It was killed: by itself, or by the kernel because it used up the sandbox's memory.",
            "Find what it does before the command starts.",
        ),
        Ending::Signaled(_) => (
            "The program crashed before the command ran.",
            "Find the crash: run it by hand with `cargo checker try`.",
        ),
        Ending::TimedOut(_) => (
            "It waits for something that never comes, or loops. The command never ran.",
            "Wait only for the child, and only after it was made.",
        ),
        Ending::TooMuchOutput(_) => (
            "It prints without end. Only the command should write.",
            "Find the loop that prints.",
        ),
        Ending::TooMuchMemory(_) => (
            "It uses memory without end, itself or in its children.",
            "Find the loop that allocates or forks.",
        ),
        Ending::BrokeOut(_) => (
            "It ended everything, its own caller included. reboot(2) in a PID namespace kills that namespace's init.",
            "A runtime has no reason to do that.",
        ),
        Ending::NotRun => ("It was not run.", "This is the checker's mistake."),
    };
    let nameless = run.stderr.lines().any(names_no_call);
    let advice = format!(
        "{next} The message doesn't say which call failed: give each its own name, as in `umount2(…).context(\"umount2\")`."
    );
    let next = if nameless { advice.as_str() } else { next };
    // Who gave up didn't come as far as exec.
    let more = match run.end {
        Ending::Exited(status) if !matches!(status, 0 | 126 | 127) => {
            "the lesson, \"The errors that you will meet\""
        }
        _ => "man 2 execve",
    };
    fail(run, wanted, words(run), likely, next, more)
}

/// Why the kernel doesn't execute the program, and what to do.
fn refused(errno: &str) -> (&'static str, &'static str) {
    match errno {
        "ENOENT" => (
            "The program is there, but not the interpreter that it needs: the one in its #! line, or its dynamic linker. A line that ends as on Windows, in CR LF, names one with a CR at the end of its name.",
            "Look at the first line with `head -n 1 PROGRAM | od -c`; of an executable, `ldd PROGRAM` tells the rest.",
        ),
        "ENOEXEC" => (
            "It is an executable file by its mode, but no program: neither a script with a #! line, nor an executable of this machine's kind.",
            "A script's first two bytes are #!, followed by the interpreter's path. Of everything else, name the compiled program, not its source.",
        ),
        _ => (
            "The program is not an executable file, or it is in a folder that the sandbox can't enter: the host's files are read-only in there, and other people's private folders are closed.",
            "Make it executable (chmod +x), and keep it in a folder that it may enter. `file PROGRAM` tells whether a compiler has made a program of it.",
        ),
    }
}

/// A command that is there does what it is told, if it can read it.
fn answers(run: &Run, seen: &Seen) -> Finding {
    let silent = run.acts.values().any(|outcome| outcome == NO_ANSWER);
    let input = seen.descriptors.iter().find(|open| open.number == 0);
    if !silent || input.is_some_and(|open| open.callers == Some(0)) {
        return Finding::Pass;
    }
    fail(
        run,
        "the command reads what its caller writes",
        match input {
            Some(open) => format!("its standard input is {}", open.target),
            None => "its standard input is closed".into(),
        },
        "The runtime gives the command another standard input than its own.",
        "Leave 0, 1 and 2 alone: a child inherits them.",
        "man 2 dup",
    )
}

/// Is this line an errno and nothing else, as in `level-03: EINVAL: Invalid argument`
/// or, in std's words, `level-03: Invalid argument (os error 22)`?
pub fn names_no_call(line: &str) -> bool {
    let parts: Vec<&str> = line.split(": ").collect();
    let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    match parts[..] {
        [_, errno, _] => errno.starts_with('E') && errno.chars().all(upper),
        [_, words] => words.ends_with(')') && words.contains(" (os error "),
        _ => false,
    }
}

/// Does this line say that something below /proc/self isn't there?
fn lacks_proc(line: &str) -> bool {
    let missing = ["ENOENT", "No such file"];
    line.contains("/proc/self") && missing.iter().any(|words| line.contains(words))
}

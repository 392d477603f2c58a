//! A part of the user's own systemd to make control groups in: ordinary users may not
//! make any where they are logged in, but systemd hands them one on request
//! (man 1 systemd-run; man 5 systemd.resource-control, "Delegate=").

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

use super::cgroup::{Cgroup, Limits};
use super::identity::Identity;

/// The words before a command that is to have such a part.
pub const SCOPE: [&str; 6] = [
    "systemd-run",
    "--user",
    "--scope",
    "--quiet",
    "-p",
    "Delegate=yes",
];
/// Set for the checker in there, so that it doesn't ask again: the name by which it was
/// called before, which systemd-run can't hand on.
const MARK: &str = "RUBBER_CRAB_SCOPE";

/// Start this very program anew in a scope of the user's systemd, if no control group
/// can be handed to sandboxes where it is, and one can there. Comes back otherwise.
pub fn enter_if_needed(limits: Limits) {
    if geteuid().is_root() || env::var_os(MARK).is_some() || can_divide(limits) {
        return;
    }
    let asked = Command::new(SCOPE[0])
        .args(&SCOPE[1..])
        .args(["--", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let program = env::current_exe();
    if let (Ok(true), Ok(program)) = (asked.map(|status| status.success()), program)
    {
        // Who can't be started can't have a scope: then all is as before.
        let _ = Command::new(SCOPE[0])
            .args(&SCOPE[1..])
            .arg("--")
            .arg(program)
            .args(env::args_os().skip(1))
            .env(MARK, called())
            .exec();
    }
}

/// The name by which this program was called (argv[0]), also before it went into a scope.
pub fn called() -> OsString {
    let before = env::var_os(MARK).or_else(|| env::args_os().next());
    before.unwrap_or_default()
}

/// Can a control group be handed to a sandbox?
fn can_divide(limits: Limits) -> bool {
    let made = Cgroup::make(limits, Some(Identity::of_caller()));
    if let Some(cgroup) = &made {
        cgroup.remove();
    }
    made.is_some_and(|cgroup| cgroup.is_divided())
}

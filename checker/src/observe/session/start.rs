//! How a run begins: the command line, the environment, the descriptors.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt,
};
use nix::sys::stat::Mode;
use nix::unistd::pipe2;

use super::furnish::{OTHER_CONTAINERS, OTHER_IMAGES};
use super::{Live, Session, allowed_cpus};
use crate::belt::{End, Gone, Start};
use crate::evidence::Run;
use crate::observe::inside::Inside;
use crate::observe::outside;
use crate::observe::tracer::{Goal, Tracer};
use crate::plan::{Command, LAST_CPU, Options, Plan};
use crate::sys;

/// The number of a descriptor that was left open away from the others: the highest
/// that a POSIX shell has words for.
const FAR: RawFd = 9;

impl Session {
    pub(super) fn begin(&mut self, plan: &Plan) -> Result<Live> {
        let (arguments, shown) = self.arguments(plan);
        let goal = plan.killed.and_then(|when| self.goal(when, plan.image));
        let goal = goal.or(plan.traced.then_some(Goal::Exec));
        let mut live = self.launch(arguments, shown, plan.child, goal)?;
        live.run.has_command = plan.has_command();
        live.closely = self.contained && plan.closely;
        Ok(live)
    }

    /// Begin another call of the program: `pause ID`.
    pub(super) fn begin_call(&mut self, word: &str, id: &str) -> Result<Live> {
        let program = self.program.path.as_os_str().as_encoded_bytes();
        let arguments = vec![program.into(), word.into(), id.into()];
        let shown = format!("{} {word} {id}", self.program.name);
        self.launch(arguments, shown, false, None)
    }

    fn launch(
        &mut self,
        arguments: Vec<Vec<u8>>,
        shown: String,
        child: bool,
        traced: Option<Goal>,
    ) -> Result<Live> {
        let (input_read, input) = pipe2(OFlag::O_CLOEXEC)?;
        let (errors, errors_write) = pipe2(OFlag::O_CLOEXEC)?;
        let (output, output_write) = socketpair(
            AddressFamily::Unix,
            SockType::Stream,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        setsockopt(&output, sockopt::PassCred, &true)?;
        // Older kernels can't: see `discard`.
        let _ = sys::refuse_descriptors(&output);
        for fd in [output.as_fd(), errors.as_fd(), input.as_fd()] {
            fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        // A descriptor too many, as a careless caller may leave one open: the
        // caller's root directory (CVE-2024-21626 began with such a one).
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let stray = self.root.open(Path::new("/"), flags, Mode::empty())?;
        let given: [&dyn AsRawFd; 5] =
            [&input_read, &output_write, &errors_write, &stray, &stray];
        let given: Vec<RawFd> = given.iter().map(|fd| fd.as_raw_fd()).collect();
        let callers = [
            input_read.as_fd(),
            output_write.as_fd(),
            errors_write.as_fd(),
        ]
        .iter()
        .enumerate()
        .map(|(number, fd)| (number as i32, outside::own(fd)))
        .chain([(3, outside::own(&stray))])
        .collect();
        let start = Start {
            program: self.program.path.as_os_str().as_encoded_bytes().to_vec(),
            arguments,
            environment: self.environment(),
            directory: "/workshop".into(),
            umask: 0o027,
            terminal: false,
            numbers: vec![0, 1, 2, 3, FAR],
            child,
            held: traced.is_some(),
            seconds: None,
        };
        let trees = self.trees().to_vec();
        let space = self.used_space();
        let mut tracer = None;
        let mut run = Run {
            shown,
            given_child: child,
            ..Run::default()
        };
        let started = match &mut self.belt {
            Some(belt) => belt.start_with(start, &given, |program| {
                let begin = |goal| Tracer::attach(program, &trees, goal).ok();
                tracer = traced.and_then(begin);
            }),
            // The one that this was to run beside has ended the sandbox.
            None => Err(Gone.into()),
        };
        let (host, inside, ended) = match started {
            Ok(started) => (started.host.as_raw(), started.inside, None),
            Err(error) => {
                match error.downcast_ref::<Errno>() {
                    Some(errno) => run.refused = Some(format!("{errno:?}")),
                    None if error.is::<Gone>() => run.end = self.lose_belt(),
                    None => return Err(error),
                }
                (0, 0, Some((End::Exited(127), Instant::now())))
            }
        };
        Ok(Live {
            run,
            host,
            inside,
            input: Some(input.into()),
            output: Some(output),
            errors: Some(errors.into()),
            callers,
            closely: false,
            awaited: false,
            tracer,
            space,
            lines: BTreeMap::new(),
            printed: 0,
            noise: Vec::new(),
            stderr: Vec::new(),
            probe: None,
            others: Vec::new(),
            reports: Vec::new(),
            doubted: None,
            searched: None,
            kills: self.out_of_memory_kills(),
            begun: Instant::now(),
            ended,
        })
    }

    fn environment(&self) -> Vec<Vec<u8>> {
        let mut path_line = b"PATH=/workshop/bin:/workshop/inside".to_vec();
        for directory in search_path(&self.root) {
            path_line.push(b':');
            path_line.extend(directory.as_os_str().as_encoded_bytes());
        }
        let mark = format!("RUBBER_CRAB_MARK={}", self.names.mark);
        let others = [
            "HOME=/tmp",
            "LANG=C.UTF-8",
            "TERM=dumb",
            "TMPDIR=/tmp",
            &mark,
        ];
        let mut all: Vec<Vec<u8>> =
            others.iter().map(|line| line.as_bytes().into()).collect();
        all.push(path_line);
        all.push(b"RUBBER_CRAB_BYTES=\xff\xfe=x".to_vec());
        all
    }

    /// The runtime's arguments, and the same for people.
    fn arguments(&self, plan: &Plan) -> (Vec<Vec<u8>>, String) {
        let mut all: Vec<Vec<u8>> =
            vec![self.program.path.as_os_str().as_encoded_bytes().into()];
        let mut shown = format!("{} run", self.program.name);
        all.push(b"run".to_vec());
        if self.contained {
            let usual = [
                "-i",
                self.names.image(plan.image),
                "--image-dir",
                "/workshop/images",
                "--container-dir",
                "/workshop/containers",
            ];
            let others = [
                "--container-dir",
                OTHER_CONTAINERS,
                "--image-dir",
                OTHER_IMAGES,
                "--image",
                "other",
            ];
            let options: &[&str] = match plan.options {
                Options::Usual => &usual,
                Options::Others => &others,
            };
            let cpu = allowed_cpus()
                .last()
                .map_or(String::new(), usize::to_string);
            let extra = plan
                .extra
                .iter()
                .map(|option| option.replace(LAST_CPU, &cpu));
            let extra: Vec<String> = extra.collect();
            let extra = extra.iter().map(String::as_str);
            let options: Vec<&str> = options.iter().copied().chain(extra).collect();
            all.extend(options.iter().map(|option| option.as_bytes().to_vec()));
            // The usual directories are the default ones.
            let unsaid = match plan.options {
                Options::Usual => 2..6,
                Options::Others => 0..0,
            };
            for (index, option) in options.iter().enumerate() {
                match option.is_empty() {
                    _ if unsaid.contains(&index) => {}
                    true => shown += " ''",
                    false => {
                        let option = self.names.shown(option.as_bytes());
                        shown += &format!(" {option}");
                    }
                }
            }
        }
        all.push(b"--".to_vec());
        shown += " --";
        let probe = self.probe_path();
        let (command, name) = match plan.command {
            Command::Probe(_) => (probe.display().to_string(), "/probe"),
            Command::Bare => (self.names.probe.clone(), "probe"),
            Command::InsideOnly if self.contained => {
                (self.names.second.clone(), "probe")
            }
            Command::InsideOnly => (self.names.probe.clone(), "probe"),
            Command::OutsideOnly => ("/usr/bin/env".into(), "/usr/bin/env"),
            Command::Missing => {
                let path = format!("/workshop/bin/{}", self.names.missing);
                (path, "/no/such/command")
            }
            Command::MissingBare => (self.names.missing.clone(), "no-such-command"),
            Command::Plain => {
                (format!("/workshop/bin/{}", self.names.plain), "/plain-file")
            }
            Command::Directory => ("/workshop".into(), "/a-directory"),
        };
        all.push(command.into_bytes());
        shown += &format!(" {name}");
        if let Command::Probe(arguments) = plan.command {
            for argument in arguments {
                all.push(argument.to_vec());
                shown += &format!(" '{}'", crate::text::escape(argument));
            }
        }
        if plan.child {
            shown = format!("sh -c 'true & exec {shown}'");
        }
        (all, shown)
    }
}

/// The caller's PATH and the usual directories. One that may not be entered would
/// turn "not found" into "permission denied" (man 3 execvp): what root may enter, its
/// sandbox may not, where owners can't be mapped (see `belt::tree`).
fn search_path(inside: &Inside) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    let all = std::env::split_paths(&path).chain(usual.map(PathBuf::from));
    all.filter(|directory| directory.is_absolute() && inside.may_enter(directory))
        .collect()
}

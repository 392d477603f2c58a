//! A class for tests: every verdict there is, and people who wish reports ill.

use report::{
    CheckInfo, Diagnosis, Finding, Graded, GradedLevel, Judged, Judgement,
    LevelInfo, Machine, Outcome, Place, Submission, Verdict,
};

use super::Head;

/// Everything that some format somewhere takes for more than text.
pub const HOSTILE: &str = "\u{1b}[31mred\u{1b}]0;title\u{7}\n::error::owned\n\
    ##[error]owned\n</td></pre><script>alert(1)</script> &amp; ]]> <!-- --> | a | \
    \\| b `c` ```\n````\n# d\n[e](http://evil.example) ![f](http://evil.example/f.png) \
    www.evil.example eve@evil.example @octocat #1 $x$ %0A\r\u{0}\u{8}\u{7f}\u{85}\
    \u{202e}txt.exe\u{2066}\u{2028}\u{fffe}\u{ffff} \"quoted\" 'single' *bold* _it_";

/// A file's name of 255 bytes, the longest there is. All but `/` and NUL may be in it.
pub fn hostile_name() -> String {
    let name = "eve\n::error::owned\u{1b}[2J<td><img src=x onerror=alert(1)>]]>| a | \
        \\| `b`\u{202e}\u{1}[c](http:evil.example) @octocat $x$ %0A=cmd|' 'C'!A0";
    let room = 255 - name.len();
    format!("{name}{}", "x".repeat(room))
}

/// Five people, three levels, two machines. In this order:
/// - `ada`: all that can be shown there passes
/// - `alice`: a failure with two diagnoses, and a verdict that is not always the same
/// - `bob`: doesn't compile; a check that can't be shown; the checker at fault
/// - the hostile one, in everything that a submission has a say in
/// - `zoë`: an untouched level, and one that wasn't judged at all
pub fn class() -> (Head, Vec<Submission>) {
    let head = Head {
        machines: vec![machine("v1"), machine("v2")],
        missing: Vec::new(),
        levels: levels(),
    };
    let submissions = vec![ada(), alice(), bob(), hostile(), zoe()];
    (head, submissions)
}

fn machine(cgroup: &str) -> Machine {
    Machine {
        kernel: "6.12.9-arch1-1".into(),
        cgroup: cgroup.into(),
        sandbox: "by root, with 65536 ids, in a control group".into(),
        checker: "0.1.0".into(),
        rustc: "rustc 1.85.0 (4d91de4e4 2025-02-17)".into(),
    }
}

fn levels() -> Vec<GradedLevel> {
    let level = |level: &str, name: &str, title: &str, points| GradedLevel {
        info: LevelInfo {
            level: level.into(),
            name: name.into(),
            title: title.into(),
            checks: infos(level),
            given: vec![infos(level)[0].id.clone()],
        },
        points,
    };
    vec![
        level("00", "fork-exec", "fork and exec", 1.0),
        level("05", "uts-ns", "UTS and IPC namespaces", 2.5),
        level("08", "cgroups-cpu", "CPU time", 1.0),
    ]
}

/// Of each level, some checks.
fn infos(level: &str) -> Vec<CheckInfo> {
    let checks: &[(&str, &str)] = match level {
        "00" => &[
            ("process.starts", "the command runs"),
            ("process.status", "its exit status is the runtime's"),
        ],
        "05" => &[
            ("uts.starts", "a container starts"),
            ("uts.hostname", "--hostname is its host name"),
            ("uts.caller-name", "the caller keeps its own name"),
            (
                "uts.too-long",
                "a longer one is refused, with the limit: 64",
            ),
        ],
        _ => &[
            ("cpu.limit", "--cpus is the CPU time that it gets"),
            ("cpu.weight", "--cpu-weight shares what is there"),
        ],
    };
    let info = |(id, claim): &(&str, &str)| CheckInfo {
        id: (*id).into(),
        claim: (*claim).into(),
    };
    checks.iter().map(info).collect()
}

/// A level with a finding for each of its checks.
fn graded(
    level: &str,
    verdict: Verdict,
    findings: Vec<Finding>,
    points: Option<f64>,
) -> Graded {
    let known = levels();
    let known = known.iter().find(|known| known.info.level == level);
    let name = known.map_or("", |known| known.info.name.as_str());
    let judgement = |(info, finding): (CheckInfo, Finding)| Judgement {
        id: info.id,
        claim: info.claim,
        finding,
    };
    let checks = infos(level).into_iter().zip(findings).map(judgement);
    let outcome = Outcome {
        level: level.into(),
        name: name.into(),
        program: format!("level-{level}"),
        verdict,
        checks: checks.collect(),
        milliseconds: 1234,
    };
    let judged = Judged {
        outcome,
        errors: Vec::new(),
        unsteady: Vec::new(),
    };
    Graded { judged, points }
}

fn submission(name: &str, machine: usize, levels: Vec<Graded>) -> Submission {
    let worth = |graded: &Graded| match graded.judged.outcome.level.as_str() {
        "05" => 2.5,
        _ => 1.0,
    };
    let counted = || levels.iter().filter(|graded| graded.points.is_some());
    Submission {
        name: name.into(),
        machine,
        points: levels.iter().filter_map(|graded| graded.points).sum(),
        of: counted().map(worth).sum(),
        levels,
        notes: Vec::new(),
    }
}

fn passed(level: &str, points: f64) -> Graded {
    let findings = infos(level).iter().map(|_| Finding::Pass).collect();
    graded(level, Verdict::Pass, findings, Some(points))
}

fn cannot() -> Graded {
    let verdict = Verdict::Cannot {
        reason: "there is no control group that may be divided up".into(),
        cure: "Run it as root, or in a systemd scope with Delegate=yes.".into(),
    };
    graded("08", verdict, Vec::new(), None)
}

fn fail(saw: &str, likely: &str, next: &str) -> Finding {
    Finding::Fail(Box::new(Diagnosis {
        ran: "level-05 run -i probe --hostname Crab-Pot.2 -- /probe".into(),
        wanted: "the host name inside is \"Crab-Pot.2\"".into(),
        saw: saw.into(),
        likely: likely.into(),
        next: next.into(),
        more: "man 2 sethostname".into(),
    }))
}

fn ada() -> Submission {
    submission(
        "ada",
        0,
        vec![passed("00", 1.0), passed("05", 2.5), cannot()],
    )
}

fn alice() -> Submission {
    let findings = vec![
        Finding::Pass,
        fail(
            "it is \"Crab-Pot\"",
            "The name was cut: at the dot, or by a wrong length.",
            "Pass the option's value to sethostname as it is, all of it.",
        ),
        Finding::Waits {
            on: "uts.hostname".into(),
        },
        fail(
            "the container runs\nand is called \"host\"",
            "The error of sethostname was dropped: CLONE_NEWUTS is not there.",
            "Refuse a name of more than 64 bytes, and tell the limit.",
        ),
    ];
    let uts = graded("05", Verdict::Fail, findings, Some(2.5 / 3.0));
    let findings = vec![
        Finding::Pass,
        fail(
            "half of what was asked for",
            "The weight is that of another group.",
            "Write cpu.weight of the container's own group.",
        ),
    ];
    let mut cpu = graded("08", Verdict::Fail, findings, Some(0.5));
    cpu.judged.unsteady = vec!["pass".into(), "fail: cpu.weight".into()];
    submission("alice", 1, vec![passed("00", 1.0), uts, cpu])
}

fn bob() -> Submission {
    let output = "error[E0308]: mismatched types\n  \
        --> levels/00-fork-exec/src/process.rs:7:14\n   \
        |\n7  |     let pid: Pid = fork()?;\n   \
        |              ---   ^^^^^^^ expected `Pid`, found `ForkResult`\n\n\
        error: could not compile `level-00` due to 1 previous error\n";
    let verdict = Verdict::Unbuilt {
        output: output.into(),
    };
    let mut process = graded("00", verdict, Vec::new(), Some(0.0));
    process.judged.errors = vec![Place {
        file: "levels/00-fork-exec/src/process.rs".into(),
        line: 7,
        column: 14,
        message: "mismatched types".into(),
    }];
    let verdict = Verdict::Broken {
        reason: "read /proc/17/root: EIO: I/O error".into(),
    };
    let uts = graded("05", verdict, Vec::new(), None);
    let findings = vec![
        Finding::Pass,
        Finding::Cannot {
            reason: "this kernel has no CPU weights".into(),
            cure: "Boot one with CONFIG_FAIR_GROUP_SCHED.".into(),
            momentary: false,
        },
    ];
    let verdict = Verdict::Cannot {
        reason: "this kernel has no CPU weights".into(),
        cure: "Boot one with CONFIG_FAIR_GROUP_SCHED.".into(),
    };
    let cpu = graded("08", verdict, findings, None);
    submission("bob", 1, vec![process, uts, cpu])
}

fn hostile() -> Submission {
    let verdict = Verdict::Unbuilt {
        output: format!("error: {HOSTILE}\n{}", "long ".repeat(50_000)),
    };
    let mut process = graded("00", verdict, Vec::new(), Some(0.0));
    let place = |line| Place {
        file: format!("levels/00-fork-exec/src/{HOSTILE}.rs"),
        line,
        column: 1,
        message: HOSTILE.into(),
    };
    process.judged.errors = (1..=50).map(place).collect();
    process.judged.unsteady = vec![HOSTILE.into(); 2];
    let findings = vec![
        fail(HOSTILE, HOSTILE, HOSTILE),
        Finding::Waits {
            on: "uts.starts".into(),
        },
        Finding::Waits {
            on: "uts.starts".into(),
        },
        fail(&"long ".repeat(50_000), "It never ends.", "Stop."),
    ];
    let uts = graded("05", Verdict::Fail, findings, Some(0.0));
    let mut hostile = submission(&hostile_name(), 1, vec![process, uts, cannot()]);
    hostile.notes = vec![format!("left out: {HOSTILE}"); 3];
    hostile
}

fn zoe() -> Submission {
    let verdict = Verdict::Untouched {
        reason: "it is as it was handed out".into(),
    };
    let mut untouched = graded("05", verdict, Vec::new(), Some(0.0));
    untouched.judged.outcome.milliseconds = 0;
    submission("zoë", 1, vec![passed("00", 1.0), untouched])
}

//! Pictures of evidence that is made up: what finished levels look like, the
//! integration tests see.

use std::collections::BTreeMap;

use super::{Picture, svg, terminal};
use crate::evidence::{
    Credentials, Evidence, FileId, Grouped, Link, Mount, Run, Seen,
};
use crate::judge::{Finding, Judgement, levels};

const NAMESPACES: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

/// A container with all namespaces of its own but one, as level 07 sees it.
fn evidence() -> Evidence {
    let numbers = |first: u64| {
        let all = NAMESPACES.into_iter().zip(first..);
        all.map(|(name, number)| (name.to_owned(), number))
            .collect::<BTreeMap<_, _>>()
    };
    let mut evidence = Evidence {
        level: "07".into(),
        caller_root: FileId {
            device: 1,
            inode: 1,
        },
        ..Evidence::default()
    };
    evidence.belt.namespaces = numbers(100);
    evidence.machine.hostname = "host".into();
    let mut seen = Seen {
        own_pid: 1,
        inhabitants: vec![1],
        listed: vec![1],
        namespaces: numbers(200),
        distance: Some(2),
        root_name: "/workshop/containers/c0ffee/rootfs".into(),
        hostname: "c0ffee".into(),
        links: Some(vec![Link {
            name: "lo".into(),
            up: true,
            addresses: vec!["127.0.0.1".into(), "::1".into()],
        }]),
        own_mounts: vec![
            mount("/containers/c0ffee/rootfs", "/"),
            mount("/", "/proc"),
        ],
        credentials: Some(Credentials {
            user: Some(0),
            group: Some(0),
            host_user: 1000,
            host_group: 1000,
            capabilities: 0b101,
            every_capability: 0b111,
        }),
        ..Seen::default()
    };
    seen.namespaces.insert("user".into(), 105);
    evidence.runs.insert(
        "look".into(),
        Run {
            shown: "level-07 run -i probe --cpu-shares 512 -- /probe 'two words'"
                .into(),
            seen: Some(seen),
            ..Run::default()
        },
    );
    evidence
}

fn mount(root: &str, point: &str) -> Mount {
    let line = format!("1 2 0:3 {root} {point} rw - proc proc rw");
    Mount::table(&line).remove(0)
}

fn seen(evidence: &mut Evidence) -> &mut Seen {
    let run = evidence.runs.get_mut("look").expect("a run");
    run.seen.as_mut().expect("a command")
}

fn judged(id: &str, finding: Finding) -> Judgement {
    Judgement {
        id: id.into(),
        claim: String::new(),
        finding,
    }
}

fn picture(evidence: &Evidence, judgements: &[Judgement]) -> Picture {
    let level = levels::find("07").expect("level 07");
    Picture::of(level, evidence, judgements).expect("a picture")
}

/// The group of a container, with these files.
fn group(version: u8, controller: &str, files: &[(&str, &str)]) -> Grouped {
    let file = |(name, text): &(&str, &str)| ((*name).into(), (*text).into());
    Grouped {
        version,
        controllers: vec![controller.into()],
        path: "container-c0ffee".into(),
        runtime: String::new(),
        files: vec![files.iter().map(file).collect()],
    }
}

fn side(picture: &Picture, topic: &str) -> Vec<String> {
    let mut rows = picture.rows.iter();
    let row = rows.find(|row| row.topic == topic).expect("a row");
    row.outside.clone()
}

#[test]
fn both_forms_of_one_picture() {
    let mut evidence = evidence();
    seen(&mut evidence).groups = vec![group(2, "pids", &[("pids.max", "40")])];
    let judgements = [
        judged("limits.memory", Finding::Waits { on: "x".into() }),
        judged("net.namespace", Finding::Pass),
        judged("net.loopback", Finding::Pass),
    ];
    let picture = picture(&evidence, &judgements);
    insta::assert_snapshot!(terminal::render(&picture, 80));
    insta::assert_snapshot!(svg::render(&picture));
}

#[test]
fn limits_are_the_same_on_both_versions() {
    let of = |groups: Vec<Grouped>| {
        let mut evidence = evidence();
        seen(&mut evidence).groups = groups;
        side(&picture(&evidence, &[]), "limits")
    };
    let first = of(vec![
        group(
            1,
            "memory",
            &[
                ("memory.limit_in_bytes", "67108864"),
                ("memory.memsw.limit_in_bytes", "134217728"),
            ],
        ),
        group(1, "pids", &[("pids.max", "40")]),
        group(
            1,
            "cpu",
            &[
                ("cpu.cfs_quota_us", "150000"),
                ("cpu.cfs_period_us", "100000"),
                ("cpu.shares", "512"),
            ],
        ),
    ]);
    let mut unified = group(
        2,
        "memory",
        &[
            ("memory.max", "67108864"),
            ("memory.swap.max", "67108864"),
            ("pids.max", "40"),
            ("cpu.max", "75000 50000"),
            ("cpu.weight", "20"),
        ],
    );
    unified.controllers = vec!["memory".into(), "pids".into(), "cpu".into()];
    assert_eq!(first, of(vec![unified.clone()]));
    // The newer conversion.
    unified.files[0].insert("cpu.weight".into(), "59".into());
    assert_eq!(first, of(vec![unified.clone()]));
    unified.files[0].insert("cpu.weight".into(), "77".into());
    assert_ne!(first, of(vec![unified]));
    insta::assert_snapshot!(first.join("\n"));
}

/// Names that nobody should print as they are, and very many of everything.
#[test]
fn hostile_names_break_neither_form() {
    let name = "\x1b[2J</text><script>&amp;\u{202e}\u{7}日本\n\"'";
    let mut evidence = evidence();
    let run = evidence.runs.get_mut("look").expect("a run");
    run.shown = format!("level-07 run {name} -- /probe");
    run.mounts_during = vec![format!("+ {name}"); 3000];
    run.renamed = Some(name.repeat(100));
    let seen = run.seen.as_mut().expect("a command");
    let mut bad = mount("/", "/x");
    bad.point = format!("/{}", name.repeat(500));
    bad.kind = name.into();
    seen.own_mounts = vec![bad; 3000];
    let link = Link {
        name: name.into(),
        up: true,
        addresses: vec![name.into(); 500],
    };
    seen.links = Some(vec![link; 3000]);
    seen.root_name = name.repeat(1000);
    seen.hostname = name.into();
    seen.distance = Some(63);
    seen.listed = (1..5000).collect();
    seen.groups = vec![group(1, "cpuset", &[("cpuset.cpus", name)])];
    let picture = picture(&evidence, &[]);
    for width in [0, 20, 21, 60, 71, 72, 80, 120] {
        let text = terminal::render(&picture, width);
        let printable =
            |c: char| c == '\n' || c.is_ascii_graphic() || " │└…".contains(c);
        let strange: Vec<char> = text.chars().filter(|c| !printable(*c)).collect();
        assert!(strange.is_empty(), "{width}: {strange:?}");
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(width.max(20)), "{width}: {longest:?}");
        assert!(text.lines().count() < 900, "{width}: bounded");
    }
    let drawn = svg::render(&picture);
    assert!(drawn.contains("and 2988 more"), "bounded:\n{drawn}");
    assert!(drawn.len() < 60_000, "{} bytes", drawn.len());
    assert!(!drawn.chars().any(|c| c.is_control() && c != '\n'));
    let tags = [
        "svg", "title", "desc", "style", "rect", "path", "text", "tspan",
    ];
    for rest in drawn.split('<').skip(1) {
        let name = rest.trim_start_matches('/');
        assert!(tags.iter().any(|tag| name.starts_with(tag)), "<{rest}");
    }
}

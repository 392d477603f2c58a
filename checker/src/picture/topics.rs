//! What is seen from both sides, topic by topic. Lines have 29 characters at most (on the
//! host's side 30), where nobody else chose the words: then they fit 80 columns.

use crate::evidence::{
    Credentials, Evidence, FileKind, Grouped, Link, Mount, Overlay, Run, Seen,
};
use crate::judge::common::{is_callers_group, least, tree_of};
use crate::judge::{Finding, levels};
use crate::text::{clip, escape};

use super::Topic;

/// The most lines of one kind.
const MOST: usize = 12;
/// The longest word that comes from outside, in characters.
const LONGEST: usize = 60;
/// In the order in which levels bring them.
const NAMESPACES: [&str; 7] = ["mnt", "pid", "uts", "ipc", "net", "cgroup", "user"];
const CONTAINERS: &str = "/workshop/containers/";

/// The lines for the container's side, and for the host's.
pub type Sides = (Vec<String>, Vec<String>);

/// One process, in its surroundings.
pub struct View<'a> {
    pub evidence: &'a Evidence,
    pub run: &'a Run,
    pub seen: &'a Seen,
}

impl View<'_> {
    /// The namespaces by name, and whether they are the container's own.
    pub fn namespaces(&self) -> impl Iterator<Item = (&'static str, bool)> {
        NAMESPACES.into_iter().filter_map(|name| {
            let callers = self.evidence.belt.namespaces.get(name)?;
            Some((name, self.seen.namespaces.get(name) != Some(callers)))
        })
    }

    fn owns(&self, namespace: &str) -> bool {
        self.namespaces()
            .any(|(name, own)| name == namespace && own)
    }

    /// Does the container have this for itself?
    pub fn is_own(&self, topic: Topic) -> bool {
        let seen = self.seen;
        match topic {
            Topic::Processes => self.owns("pid"),
            Topic::Root | Topic::Layers => seen.root != self.evidence.caller_root,
            Topic::Mounts => self.owns("mnt"),
            Topic::HostName => self.owns("uts"),
            Topic::Ipc => self.owns("ipc"),
            Topic::Network => self.owns("net"),
            Topic::Limits => self.has_groups(),
            Topic::User => self.owns("user"),
        }
    }

    /// All topics, in the order in which they are shown.
    pub fn topics(&self) -> Vec<(Topic, Sides)> {
        vec![
            (Topic::Processes, self.processes()),
            (Topic::Root, self.root()),
            (Topic::Layers, self.layers()),
            (Topic::Mounts, self.mounts()),
            (Topic::HostName, self.host_name()),
            (Topic::Ipc, self.ipc()),
            (Topic::Network, self.network()),
            (Topic::Limits, self.limits()),
            (Topic::User, self.user()),
        ]
    }

    fn processes(&self) -> Sides {
        let seen = self.seen;
        let own = self.owns("pid");
        let number = match own {
            true => format!("it is PID {}", seen.own_pid),
            false => "its PID is the host's".into(),
        };
        let others = match (seen.listed.as_slice(), own) {
            ([], _) => "no /proc to see others in".into(),
            ([_], true) if seen.listed == seen.inhabitants => {
                "sees itself alone in /proc".into()
            }
            (all, true) if all == seen.inhabitants => {
                format!("sees {} processes, its own", all.len())
            }
            _ => "sees all the host's processes".into(),
        };
        let inside = vec![number, others];
        let pid = match own {
            true => "another PID",
            false => "the same PID",
        };
        let outside = match seen.distance {
            None => vec![
                "the command is no descendant".into(),
                "of its runtime".into(),
            ],
            Some(0) => vec!["the runtime became the command".into()],
            Some(steps) => {
                let mut tree = vec!["the runtime".to_owned()];
                for step in 1..steps.min(MOST as u32) {
                    tree.push(branch(step, "a process between"));
                }
                let last = steps.min(MOST as u32);
                tree.push(branch(last, &format!("the command, {pid}")));
                tree
            }
        };
        (inside, outside)
    }

    fn root(&self) -> Sides {
        let (evidence, seen) = (self.evidence, self.seen);
        if seen.root == evidence.caller_root {
            return (lines(["/ is the host's /"]), lines(["the same directory"]));
        }
        let place = match seen.root_name.strip_prefix(CONTAINERS) {
            Some(rest) => {
                let below = rest.split_once('/').map_or("", |(_, below)| below);
                word(&format!("{CONTAINERS}ID/{below}"))
            }
            None if seen.root_name == "/" => "a mount of its own".into(),
            None => word(&seen.root_name),
        };
        let around = match self.holds("pivot.old-root-gone") {
            true => "nothing of the host's / left",
            false => "the host's / is around it",
        };
        let inside = lines(["/ is the image's /"]);
        (inside, vec![place, around.into()])
    }

    /// Does a check hold, of whichever level it is, that asks the run `look` only?
    fn holds(&self, id: &str) -> bool {
        let checks = levels::ALL.iter().flat_map(|level| level.checks);
        checks
            .filter(|check| check.id == id)
            .any(|check| (check.judge)(self.evidence) == Finding::Pass)
    }

    fn layers(&self) -> Sides {
        let (evidence, seen) = (self.evidence, self.seen);
        if seen.root == evidence.caller_root {
            return (lines(["the host's files"]), lines(["the same files"]));
        }
        match &seen.overlay {
            Some(first) => {
                let later = self.run.looks.get("changed");
                let later = later.and_then(|seen| seen.overlay.as_ref());
                let inside = lines(["the image, with its changes"]);
                (inside, stack(later.unwrap_or(first)))
            }
            None => (lines(["the image"]), lines(["a whole copy, for it alone"])),
        }
    }

    fn mounts(&self) -> Sides {
        let seen = self.seen;
        if !self.owns("mnt") {
            let inside = match seen.own_mounts.is_empty() {
                true => "none within its /",
                false => "all the host's",
            };
            return (lines([inside]), lines(["the same table"]));
        }
        let (devices, others): (Vec<&Mount>, Vec<&Mount>) =
            seen.own_mounts.iter().partition(|mount| is_device(mount));
        let mut inside = table(&others);
        let devices = devices.len();
        if devices > 0 {
            inside.push(format!("{devices} of the host's devices"));
        }
        if inside.is_empty() {
            inside = lines(["none within its /"]);
        }
        let leaks = &self.run.mounts_during;
        let outside = match leaks.is_empty() {
            true => lines(["none of these"]),
            false => {
                let mut all = vec!["its own table changes:".to_owned()];
                all.extend(bounded(leaks, |line| word(line)));
                all
            }
        };
        (inside, outside)
    }

    fn host_name(&self) -> Sides {
        let callers = word(&self.evidence.machine.hostname);
        if !self.owns("uts") {
            return (lines(["the host's"]), vec![callers]);
        }
        let own = &self.seen.hostname;
        let inside = match self.is_id(own) {
            true => "its id".into(),
            false => word(own),
        };
        let outside = match &self.run.renamed {
            Some(name) => format!("renamed: {}", word(name)),
            None => callers,
        };
        (vec![inside], vec![outside])
    }

    /// Is this what the container's directory is called?
    fn is_id(&self, name: &str) -> bool {
        let seen = self.seen;
        let upper = seen.overlay.as_ref().map(|overlay| overlay.upper.as_str());
        let places = [Some(seen.root_name.as_str()), upper];
        places.into_iter().flatten().any(|place| {
            place
                .split('/')
                .any(|part| !name.is_empty() && part == name)
        })
    }

    fn ipc(&self) -> Sides {
        match self.owns("ipc") {
            true => (
                lines(["message queues: its own", "shared memory: its own"]),
                lines(["not among the host's"]),
            ),
            false => (
                lines(["message queues: the host's", "shared memory: the host's"]),
                lines(["the same"]),
            ),
        }
    }

    fn network(&self) -> Sides {
        if !self.owns("net") {
            return (lines(["the host's links"]), lines(["the same links"]));
        }
        let Some(links) = &self.seen.links else {
            return (lines(["links of its own"]), lines(["not among the host's"]));
        };
        // Some kernels put more links into every new namespace. IPv6 may be off.
        let made = &self.evidence.machine.links;
        let shown = links.iter().filter(|link| {
            link.name == "lo" || link.up || !made.contains(&link.name)
        });
        let shown: Vec<&Link> = shown.collect();
        let show = |link: &&Link| {
            let state = if link.up { "up" } else { "down" };
            let mut line = format!("{}: {state}", word(&link.name));
            let addresses = link.addresses.iter().filter(|one| *one != "::1");
            addresses
                .take(MOST)
                .for_each(|one| line += &format!(", {}", word(one)));
            clip(&line, 2 * LONGEST)
        };
        let inside = bounded(&shown, show);
        let outside = match &self.run.relinked {
            Some(_) => "the host's links have changed",
            None => "not among the host's",
        };
        (inside, lines([outside]))
    }

    fn limits(&self) -> Sides {
        let seen = self.seen;
        let sees = match seen
            .own_mounts
            .iter()
            .any(|mount| mount.kind.starts_with("cgroup"))
        {
            true => "its groups, mounted",
            false => "none in sight",
        };
        let outside = match self.has_groups() {
            false => lines(["the same control groups", "no limit of its own"]),
            true => {
                let mut all = lines(["a control group of its own"]);
                all.extend(limits(seen, &self.run.shown));
                all
            }
        };
        (lines([sees]), outside)
    }

    fn has_groups(&self) -> bool {
        let groups = &self.seen.groups;
        !self.seen.in_runtimes_groups
            || groups.iter().any(|tree| !is_callers_group(tree))
    }

    fn user(&self) -> Sides {
        let Some(who) = &self.seen.credentials else {
            return (lines(["unknown"]), lines(["unknown"]));
        };
        let user = match who.user {
            Some(0) => "root, uid 0".into(),
            Some(number) => format!("uid {number}"),
            None => "a user without a number".into(),
        };
        let mut inside = vec![user];
        inside.extend(capabilities(who));
        let outside = match (who.host_user, self.has_initial_user_namespace()) {
            (0, true) => lines(["root of the machine"]),
            (0, false) => lines(["root, in a user namespace"]),
            _ => lines(["an ordinary user", "no power over the host"]),
        };
        (inside, outside)
    }

    /// The machine's own user namespace has this number (PROC_USER_INIT_INO in the
    /// kernel's include/linux/proc_ns.h).
    fn has_initial_user_namespace(&self) -> bool {
        self.seen.namespaces.get("user") == Some(&0xEFFF_FFFD)
    }
}

/// The program's arguments, without the command's.
pub fn command(shown: &str) -> String {
    let arguments = shown.split_once(' ').map_or("", |(_, rest)| rest);
    let (options, command) = arguments.split_once("-- ").unwrap_or((arguments, ""));
    let mut words = command.split(' ');
    let mut text = format!("{options}-- {}", words.next().unwrap_or_default());
    if words.next().is_some() {
        text.push_str(" …");
    }
    // `word` would escape the ellipsis of our own.
    clip(&plain(&text), 3 * LONGEST)
}

/// A process below others.
fn branch(depth: u32, text: &str) -> String {
    format!("{:1$}└ {text}", "", 2 * (depth as usize - 1))
}

/// The layers of an overlay, the uppermost first.
fn stack(overlay: &Overlay) -> Vec<String> {
    let files = || {
        overlay
            .upper_files
            .values()
            .filter(|file| file.kind != FileKind::Directory)
    };
    let deleted = files()
        .filter(|file| file.kind == FileKind::Character && file.device == (0, 0))
        .count();
    let written = files().count() - deleted;
    let upper = match overlay.upper.is_empty() {
        true => "upper: none".into(),
        false => format!("upper: {written} written, {deleted} deleted"),
    };
    let mut all = vec![upper];
    match overlay.lower.len() {
        0 | 1 => all.push("lower: the image, only read".into()),
        count => all.push(format!("lower: {count} layers, only read")),
    }
    all
}

/// A device of the host's, bound below /dev.
fn is_device(mount: &Mount) -> bool {
    mount.point.starts_with("/dev/") && mount.root != "/"
}

/// Where each mount is and of which type, one below the other.
fn table(mounts: &[&Mount]) -> Vec<String> {
    let names = mounts.iter().map(|mount| mount.point.len());
    let width = names.filter(|length| *length <= 10).max().unwrap_or(0);
    bounded(mounts, |mount| {
        format!("{:width$}  {}", word(&mount.point), kind(mount))
    })
}

/// A mount's type; for a directory that is bound, that.
fn kind(mount: &Mount) -> String {
    match mount.root.as_str() {
        "/" => word(&mount.kind),
        _ => "a directory, bound".into(),
    }
}

/// The limits in the files of a process's groups, of either version.
fn limits(seen: &Seen, shown: &str) -> Vec<String> {
    let tree = |name| tree_of(seen, name).filter(|tree| !is_callers_group(tree));
    let mut all = Vec::new();
    if let Some(tree) = tree("memory") {
        let memory = least(tree, "memory.max")
            .or_else(|| least(tree, "memory.limit_in_bytes"));
        let both = match tree.version {
            2 => memory
                .and_then(|memory| Some(memory + least(tree, "memory.swap.max")?)),
            _ => least(tree, "memory.memsw.limit_in_bytes"),
        };
        all.extend(memory.map(|bytes| format!("memory: {}", amount(bytes))));
        all.extend(both.map(|bytes| format!("memory + swap: {}", amount(bytes))));
    }
    if let Some(most) = tree("pids").and_then(|tree| least(tree, "pids.max")) {
        all.push(format!("processes: {most}"));
    }
    if let Some(tree) = tree("cpu") {
        if let Some((quota, period)) = quota(tree) {
            let share = (quota as f64 / period as f64 * 100.0).round() / 100.0;
            all.push(format!("processor time: {share} CPUs"));
        }
        all.extend(weight(tree, shown));
    }
    if let Some(cpus) = tree("cpuset").and_then(|tree| nearest(tree, "cpuset.cpus"))
    {
        all.push(format!("CPUs: {}", word(cpus)));
    }
    all
}

/// An amount of bytes, exactly.
fn amount(bytes: u64) -> String {
    match bytes {
        n if n > 0 && n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n > 0 && n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}

/// What a file says in the process's group, or the nearest one above that has it.
fn nearest<'a>(tree: &'a Grouped, file: &str) -> Option<&'a str> {
    let mut texts = tree.files.iter().filter_map(|files| files.get(file));
    texts.find(|text| !text.is_empty()).map(String::as_str)
}

/// Quota and period of processor time, in µs; none for no limit.
fn quota(tree: &Grouped) -> Option<(u64, u64)> {
    let of = |files: &std::collections::BTreeMap<String, String>| {
        let number = |name: &str| files.get(name)?.trim().parse::<u64>().ok();
        if let Some(both) = files.get("cpu.max") {
            let (quota, period) = both.split_once(' ')?;
            return Some((quota.parse().ok()?, period.parse().ok()?));
        }
        Some((number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?))
    };
    tree.files
        .iter()
        .find_map(of)
        .filter(|(_, period)| *period > 0)
}

/// The weight in the competition for a CPU, in shares if it is what was asked for.
fn weight(tree: &Grouped, shown: &str) -> Option<String> {
    if tree.version == 1 {
        let shares = nearest(tree, "cpu.shares")?.parse::<u64>().ok()?;
        return (shares != 1024).then(|| format!("weight: {shares} (usual: 1024)"));
    }
    let weight = nearest(tree, "cpu.weight")?.parse::<u64>().ok()?;
    let mut words = shown.split(' ').skip_while(|word| *word != "--cpu-shares");
    let asked = words.nth(1).and_then(|word| word.parse::<u64>().ok());
    // The usual conversion, and that of runc and crun since 2025.
    let straight = |shares: u64| 1 + shares.saturating_sub(2) * 9999 / 262_142;
    let newer = |shares: u64| {
        let log = (shares.max(2) as f64).log2();
        10_f64
            .powf((log * log + 125.0 * log) / 612.0 - 7.0 / 34.0)
            .ceil() as u64
    };
    match asked {
        Some(shares) if [straight(shares), newer(shares)].contains(&weight) => {
            Some(format!("weight: {shares} (usual: 1024)"))
        }
        _ => (weight != 100).then(|| format!("weight: {weight} (usual: 100)")),
    }
}

/// How many capabilities it has, of those that there are.
fn capabilities(who: &Credentials) -> Vec<String> {
    let missing = who.every_capability & !who.capabilities;
    match (who.capabilities, missing.count_ones()) {
        (_, 0) => lines(["all capabilities"]),
        (0, _) => lines(["no capability"]),
        (some, _) => vec![format!(
            "{} of {} capabilities",
            some.count_ones(),
            who.every_capability.count_ones()
        )],
    }
}

fn lines<const N: usize>(all: [&str; N]) -> Vec<String> {
    all.map(String::from).into()
}

/// A line each, for some of many.
fn bounded<T>(all: &[T], show: impl Fn(&T) -> String) -> Vec<String> {
    let mut shown: Vec<String> = all.iter().take(MOST).map(show).collect();
    let more = all.len().saturating_sub(MOST);
    if more > 0 {
        shown.push(format!("… and {more} more"));
    }
    shown
}

/// Text from outside: printable, ASCII, not too long.
fn word(text: &str) -> String {
    let some: String = text.chars().take(LONGEST + 1).collect();
    clip(&plain(&some), LONGEST)
}

/// Letters of other scripts may be wide, or run the other way.
fn plain(text: &str) -> String {
    let ours = |c: char| c.is_ascii() || c == '…';
    let show = |c: char| match ours(c) {
        true => c.to_string(),
        false => c.escape_unicode().to_string(),
    };
    escape(text.as_bytes()).chars().map(show).collect()
}

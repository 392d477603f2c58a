//! The examination as text: a line for what is fine, two for what is missing. Words
//! carry the meaning; colours only repeat it.

use colored::Colorize;

use super::{ALL, Costs, Item, SANDBOX, State};
use crate::judge::levels::ALL as LEVELS;

/// Every item on a line, then what to do. In a terminal of so many columns, lines are
/// wrapped; but not the cures, which are commands to be copied.
pub fn render(items: &[Item], columns: Option<usize>) -> String {
    let width = items.iter().map(|item| item.name.chars().count()).max();
    let width = width.unwrap_or(0);
    // The word before, and the spaces between.
    let beside = width + 11;
    let wrapped = |text: &str| match columns {
        None => text.to_owned(),
        Some(columns) => {
            let room = columns.saturating_sub(beside).max(24);
            textwrap::wrap(text, room).join(&format!("\n{:beside$}", ""))
        }
    };
    let mut text = String::new();
    for item in items {
        let name = format!("{:width$}", item.name);
        match &item.state {
            State::Fine { detail } => {
                let word = "fine   ".green();
                let detail = wrapped(detail);
                text.push_str(&format!("{word}  {name}  {detail}\n"));
            }
            State::Missing { what, costs, cure } => {
                let word = "missing".red();
                let what = wrapped(&format!("{what}; costs {costs}"));
                let cure = cure.bold();
                text.push_str(&format!(
                    "{word}  {name}  {what}\n         cure: {cure}\n"
                ));
            }
        }
    }
    text.push_str(&summary(items));
    text
}

fn is_sandbox_missing(item: &Item) -> bool {
    item.name == SANDBOX && !item.is_fine()
}

fn summary(items: &[Item]) -> String {
    let missing = items.iter().filter(|item| !item.is_fine()).count();
    let last = LEVELS.len() as u8 - 1;
    let needed_now = |item: &&Item| match &item.state {
        State::Fine { .. } => false,
        State::Missing { costs, .. } => {
            costs.levels.is_empty()
                || costs.levels.iter().any(|level| *level <= last)
        }
    };
    if missing > 0 && !items.iter().any(|item| needed_now(&item)) {
        return format!("Nothing is missing for levels 00 to {last:02}.\n");
    }
    match missing {
        0 => "This host has all that the levels need.\n".into(),
        _ if items.iter().any(is_sandbox_missing) => {
            "Cure the first one, then ask again.\n".into()
        }
        1 => "One thing is missing; all else works without it.\n".into(),
        n => format!("{n} things are missing; all else works without them.\n"),
    }
}

impl std::fmt::Display for Costs {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        if self.levels.is_empty() {
            return out.write_str("time, and perhaps a wrong verdict");
        }
        if self.partly {
            out.write_str("part of ")?;
        }
        if self.levels.iter().copied().eq(ALL) {
            return out.write_str("every level");
        }
        let word = if self.levels.len() == 1 {
            "level"
        } else {
            "levels"
        };
        write!(out, "{word} {}", ranges(&self.levels).join(", "))
    }
}

/// `02-05`, `07`, …
fn ranges(levels: &[u8]) -> Vec<String> {
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for level in levels {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == *level => *end = *level,
            _ => runs.push((*level, *level)),
        }
    }
    let show = |(from, to): (u8, u8)| match to - from {
        0 => format!("{from:02}"),
        1 => format!("{from:02}, {to:02}"),
        _ => format!("{from:02} to {to:02}"),
    };
    runs.into_iter().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::super::cause::Cause;
    use super::*;

    fn missing(name: &str, costs: Costs) -> Item {
        let cause = Cause {
            reason: "it is off".into(),
            cure: "sudo on".into(),
        };
        Item::missing(name, cause, costs)
    }

    #[test]
    fn lines() {
        colored::control::set_override(false);
        let items = [
            Item::fine("sandbox", "up in 12 ms"),
            missing("links", Costs::of(&[2, 8])),
        ];
        assert_eq!(
            render(&items, None),
            "\
fine     sandbox  up in 12 ms
missing  links    it is off; costs levels 02, 08
         cure: sudo on
One thing is missing; all else works without it.
"
        );
    }

    #[test]
    fn lines_in_a_narrow_terminal() {
        colored::control::set_override(false);
        let items = [Item::fine("sandbox", "up in 12 ms, and one thing more")];
        let text = render(&items, Some(46));
        let lines: Vec<&str> = text.lines().take(2).collect();
        let [first, second] = lines[..] else {
            panic!("{text}")
        };
        assert_eq!(first, "fine     sandbox  up in 12 ms, and one thing");
        assert_eq!(second, "                  more");
    }

    #[test]
    fn missing_for_levels_to_come() {
        colored::control::set_override(false);
        let items = [Item::fine("sandbox", "up"), missing("x", Costs::of(&[28]))];
        let text = render(&items, None);
        assert!(
            text.contains("Nothing is missing for levels 00 to"),
            "{text}"
        );
    }

    #[test]
    fn nothing_missing() {
        colored::control::set_override(false);
        let text = render(&[Item::fine("sandbox", "up")], None);
        assert!(text.ends_with("This host has all that the levels need.\n"));
    }

    #[test]
    fn no_sandbox() {
        colored::control::set_override(false);
        let items = [missing("sandbox", Costs::all()), missing("x", Costs::all())];
        let text = render(&items, None);
        assert!(text.contains("costs every level\n"), "{text}");
        assert!(
            text.ends_with("Cure the first one, then ask again.\n"),
            "{text}"
        );
    }

    #[test]
    fn costs() {
        assert_eq!(Costs::of(&[7]).to_string(), "level 07");
        assert_eq!(
            Costs::part_of(&[11, 14]).to_string(),
            "part of levels 11, 14"
        );
        let most: Vec<u8> = (2..=28).collect();
        assert_eq!(Costs::of(&most).to_string(), "levels 02 to 28");
    }

    #[test]
    fn items_survive_json() {
        let item = missing("cgroups", Costs::of(&[7]));
        let text = serde_json::to_string(&item).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"name":"cgroups","state":"missing","what":"it is off","#,
                r#""costs":{"levels":[7],"partly":false},"cure":"sudo on"}"#
            )
        );
        assert_eq!(serde_json::from_str::<Item>(&text).unwrap(), item);
    }
}

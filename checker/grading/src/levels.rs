//! How people name levels: `03`, `3`, `pivot-root` or `03-pivot-root`; and several of
//! them: `00-03`.

use anyhow::{Result, anyhow, bail};
use report::LevelInfo;

/// The level of that name.
///
/// Errors: there is none.
pub fn find<'a>(all: &'a [LevelInfo], name: &str) -> Result<&'a LevelInfo> {
    let is_it = |level: &&LevelInfo| {
        let number = level.level.parse::<u8>().ok();
        level.level == name
            || level.name == name
            || folder(level) == name
            || number.is_some() && number == name.parse().ok()
    };
    all.iter().find(is_it).ok_or_else(|| {
        let there: Vec<String> = all.iter().map(folder).collect();
        anyhow!("there is no level {name:?}; there are {}", there.join(", "))
    })
}

/// Those of these names, in their order. All, if there is no name.
///
/// Errors: there is none of a name, or a range has no beginning before its end.
pub fn chosen(all: &[LevelInfo], names: &[String]) -> Result<Vec<LevelInfo>> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    let mut chosen = Vec::new();
    for name in names {
        match (find(all, name), range(name)) {
            (Ok(level), _) => chosen.push(level.clone()),
            (Err(_), Some((first, last))) => {
                let (first, last) = (find(all, first)?, find(all, last)?);
                if first.level > last.level {
                    bail!("{name:?} ends before it begins");
                }
                let within = |level: &&LevelInfo| {
                    (&first.level..=&last.level).contains(&&level.level)
                };
                chosen.extend(all.iter().filter(within).cloned());
            }
            (Err(error), None) => return Err(error),
        }
    }
    chosen.sort_by(|one, other| one.level.cmp(&other.level));
    chosen.dedup();
    Ok(chosen)
}

/// Two numbers with a dash between them.
fn range(name: &str) -> Option<(&str, &str)> {
    let is_number = |text: &str| text.parse::<u8>().is_ok();
    let (first, last) = name.split_once('-')?;
    (is_number(first) && is_number(last)).then_some((first, last))
}

fn folder(level: &LevelInfo) -> String {
    format!("{}-{}", level.level, level.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<LevelInfo> {
        let level = |(level, name): (&str, &str)| LevelInfo {
            level: level.into(),
            name: name.into(),
            title: String::new(),
            checks: Vec::new(),
            given: Vec::new(),
        };
        let levels = [
            ("00", "fork-exec"),
            ("03", "pivot-root"),
            ("08", "cgroups-cpu"),
            ("10", "capabilities"),
        ];
        levels.map(level).into()
    }

    fn numbers(names: &[&str]) -> Result<Vec<String>, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        let chosen = chosen(&all(), &names).map_err(|error| error.to_string())?;
        Ok(chosen.into_iter().map(|level| level.level).collect())
    }

    #[test]
    fn a_level_has_a_number_a_name_and_both() {
        for name in ["03", "3", "pivot-root", "03-pivot-root"] {
            assert_eq!(numbers(&[name]).unwrap(), ["03"], "{name}");
        }
        assert_eq!(numbers(&["0"]).unwrap(), ["00"]);
        assert_eq!(numbers(&["8", "00", "fork-exec"]).unwrap(), ["00", "08"]);
        assert_eq!(numbers(&[]).unwrap(), ["00", "03", "08", "10"]);
    }

    #[test]
    fn a_range_goes_from_one_to_another() {
        assert_eq!(numbers(&["00-03"]).unwrap(), ["00", "03"]);
        assert_eq!(numbers(&["3-10", "00"]).unwrap(), ["00", "03", "08", "10"]);
        assert_eq!(numbers(&["08-08"]).unwrap(), ["08"]);
        assert!(numbers(&["08-03"]).unwrap_err().contains("ends before"));
        assert!(numbers(&["00-07"]).unwrap_err().contains("no level \"07\""));
    }

    #[test]
    fn what_is_no_level_is_told_with_those_that_are() {
        for name in [
            "77",
            "pivto",
            "",
            "-",
            "03-fork-exec",
            "pivot-root-08",
            "+3x",
        ] {
            let error = numbers(&[name]).unwrap_err();
            assert!(error.contains("there are 00-fork-exec, 03-pivot-root, "));
        }
    }
}

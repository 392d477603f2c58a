//! Putting the parts of a class together.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use report::LevelInfo;

use crate::store::{Plan, Store, Whose};

/// Put what was judged in these folders into one.
///
/// Errors: a folder has no results, or results that don't go with the others.
pub fn merge(folders: &[PathBuf], into: &Store) -> Result<()> {
    let mut whole: Option<Plan> = None;
    for folder in folders {
        let shown = folder.display();
        if !folder.join("class.json").is_file() {
            bail!("{shown}: `grade` has judged nothing there: no class.json");
        }
        let part = Store::open(folder)?;
        let plan = part.plan()?;
        for name in &plan.submissions {
            let whose = Whose::Submission(name);
            let kept = part.kept(whose);
            let there = whole.as_ref().is_some_and(|p| p.submissions.contains(name));
            if there && into.kept(whose) != kept {
                bail!("{shown}: {name:?} is in two parts, with two outcomes");
            }
            into.keep(whose, &kept)?;
        }
        match &mut whole {
            None => whole = Some(plan),
            Some(whole) => {
                if !are_same(&whole.levels, &plan.levels) {
                    bail!("{shown}: other levels than in {}", folders[0].display());
                }
                whole.join_given(&plan);
                whole.parts.extend(plan.parts);
                whole.submissions.extend(plan.submissions);
            }
        }
    }
    let whole = whole.context("which folders are to be merged?")?;
    into.set_plan(&whole)
}

/// Are these the same levels, but for what held before anybody had done anything?
fn are_same(levels: &[LevelInfo], others: &[LevelInfo]) -> bool {
    let plain = |level: &LevelInfo| LevelInfo {
        given: Vec::new(),
        ..level.clone()
    };
    levels.iter().map(plain).eq(others.iter().map(plain))
}

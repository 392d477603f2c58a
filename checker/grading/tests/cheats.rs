//! Submissions that want a pass without doing the work: none gets one. They know the
//! checker's source, and each begins with a comment that says what it tries.

mod common;

use std::fs;

use common::{can_sandbox, class_of, folder, run, stderr, submissions};

#[test]
fn no_cheat_passes() {
    if !can_sandbox() {
        return;
    }
    let top = folder("cheats");
    let (class, out) = (top.join("class"), top.join("out"));
    let names = class_of("cheats", &class);
    let (output, _) = run(&[
        class.to_str().expect("UTF-8"),
        "--out",
        out.to_str().expect("UTF-8"),
    ]);
    let graded = submissions(&out);
    assert_eq!(graded.len(), names.len(), "{}", stderr(&output));
    let mut passed = Vec::new();
    for submission in &graded {
        let name = submission["name"].as_str().expect("a name");
        for level in submission["levels"].as_array().expect("levels") {
            let folder = format!("{}-{}", level["level"], level["name"]);
            let folder = folder.replace('"', "");
            let handed_in = class.join(name).join("levels").join(&folder).is_dir();
            if handed_in && level["verdict"] != "fail" {
                passed.push(format!("{name} {folder}: {}", level["verdict"]));
            }
        }
    }
    assert!(passed.is_empty(), "{passed:#?}");
    let _ = fs::remove_dir_all(top);
}

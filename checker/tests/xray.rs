//! `xray`: what the finished levels' containers see, and when there is nothing to see.

mod common;

use std::path::PathBuf;

use common::{can_sandbox, can_show, root, run, stderr, stdout};

const ALL: [&str; 10] = ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09"];

/// What `xray` prints of a finished level.
fn finished(level: &str, width: &str) -> String {
    let (output, status) = run(&["xray", level, "--solution", "--width", width]);
    assert_eq!(status, 0, "{level}: {}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

/// The executable of a finished level, built by the checker as everybody builds it.
fn solution(level: &str) -> PathBuf {
    run(&["check", level, "--solutions"]);
    let checker = PathBuf::from(env!("CARGO_BIN_EXE_checker"));
    let folder = checker.parent().expect("a folder");
    folder.join(format!("solution-{level}"))
}

#[test]
fn finished_levels() {
    if !can_sandbox() {
        return;
    }
    for level in ["02", "04", "09"] {
        insta::assert_snapshot!(format!("level-{level}"), finished(level, "80"));
    }
    insta::assert_snapshot!("level-04-narrow", finished("04", "20"));
    if can_show("07") && can_show("08") {
        for level in ["07", "08"] {
            insta::assert_snapshot!(format!("level-{level}"), finished(level, "80"));
        }
    }
}

/// No line is wider than the window, and what is new has a mark and a word.
#[test]
fn every_width() {
    if !can_sandbox() {
        return;
    }
    for level in ALL.into_iter().filter(|level| can_show(level)) {
        for width in [20, 60, 120] {
            let text = finished(level, &width.to_string());
            let longest = text.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(width), "{level}, {width}:\n{text}");
            assert!(text.contains("▶ new"), "{level}, {width}:\n{text}");
            assert!(!text.contains("to do"), "{level}, {width}:\n{text}");
        }
    }
}

/// What a level is to bring, and doesn't yet.
#[test]
fn an_unfinished_level() {
    if !can_sandbox() {
        return;
    }
    let program = solution("03");
    let program = program.to_str().expect("a plain name");
    let (output, status) = run(&["xray", "04", "--bin", program]);
    let text = stdout(&output);
    assert_eq!(status, 0, "{text}{}", stderr(&output));
    assert!(text.contains("○ to do processes"), "{text}");
    assert!(text.contains("pid (to do)"), "{text}");
    assert!(!text.contains("new"), "{text}");
}

#[test]
fn nothing_to_see() {
    if !can_sandbox() {
        return;
    }
    for program in ["/bin/true", "/bin/echo", "/etc/passwd"] {
        let (output, status) = run(&["xray", "04", "--bin", program]);
        let text = stdout(&output);
        assert_eq!(status, 1, "{program}: {text}");
        assert!(text.starts_with("nothing to see yet: "), "{text}");
        for part in ["✗ pid.starts", "wanted", "saw", "likely", "try"] {
            assert!(text.contains(part), "no {part:?} in:\n{text}");
        }
    }
}

#[test]
fn wrong_usage_is_2() {
    let nowhere = "/no/such/folder/picture.svg";
    for arguments in [
        &["xray"][..],
        &["xray", "99"],
        &["xray", "04", "--bin", "/no/such/program"],
        &["xray", "04", "--solution", "--bin", "/bin/true"],
        &["xray", "04", "--svg", nowhere, "--width", "80"],
    ] {
        let (output, status) = run(arguments);
        assert_eq!(status, 2, "{arguments:?}: {}", stderr(&output));
    }
    if can_sandbox() {
        let (output, status) = run(&["xray", "04", "--solution", "--svg", nowhere]);
        assert_eq!(status, 2);
        assert!(stderr(&output).contains(nowhere), "{}", stderr(&output));
    }
}

/// The lessons' pictures are those of the finished levels, on every machine.
#[test]
fn lessons_have_todays_pictures() {
    if !can_sandbox() {
        return;
    }
    let (output, status) = run(&["author", "pictures", "--check"]);
    assert_eq!(status, 0, "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn an_svg_is_the_lessons_picture() {
    if !can_sandbox() {
        return;
    }
    let file = std::env::temp_dir().join(format!("xray-{}.svg", std::process::id()));
    let name = file.to_str().expect("a plain name");
    let program = solution("04");
    let program = program.to_str().expect("a plain name");
    let (output, status) = run(&["xray", "04", "--bin", program, "--svg", name]);
    assert_eq!(status, 0, "{}", stderr(&output));
    let drawn = std::fs::read(&file).expect("the picture");
    std::fs::remove_file(&file).expect("remove it");
    let lesson = root().join("levels/04-pid-ns/picture.svg");
    assert!(drawn == std::fs::read(lesson).expect("the lesson's picture"));
}

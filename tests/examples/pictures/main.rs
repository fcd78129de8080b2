//! Draws the pictures of core's documentation, each from a run on virtual time, as
//! `aiter-core/docs/pictures/*.svg`. With `--check` it draws nothing, and fails if a picture is not
//! what the code does. `ci/pictures.sh` runs it so.

mod scenes;

use aiter_test::{Line, svg};
use std::{collections::BTreeSet, fs, path::Path, process::ExitCode};

/// A picture, which the documentation of an item shows.
struct Picture {
    /// The name of its file, without the ending.
    name: &'static str,
    title: &'static str,
    /// What is to be seen, for those who cannot see it.
    description: &'static str,
    lines: Vec<Line>,
}

fn main() -> ExitCode {
    let is_check = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(_) => {
            eprintln!("usage: pictures [--check]");
            return ExitCode::FAILURE;
        }
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../aiter-core/docs/pictures");
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for picture in scenes::all() {
        let file = format!("{}.svg", picture.name);
        let drawn = svg(picture.title, picture.description, &picture.lines);
        let path = folder.join(&file);
        // A checkout on Windows may have changed the ends of the lines.
        let kept = fs::read_to_string(&path).map(|kept| kept.replace("\r\n", "\n"));
        if kept.ok().as_ref() != Some(&drawn) {
            if !is_check {
                fs::write(&path, drawn).expect("the folder of the pictures can be written");
            }
            wrong.push(file.clone());
        }
        assert!(
            names.insert(file),
            "two pictures are called {}",
            picture.name
        );
    }
    for entry in fs::read_dir(&folder).expect("the folder of the pictures can be read") {
        let path = entry
            .expect("the folder of the pictures can be read")
            .path();
        let file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !names.contains(&file) {
            if !is_check {
                fs::remove_file(&path).expect("the folder of the pictures can be written");
            }
            wrong.push(file);
        }
    }
    let verb = if is_check {
        "is not what the code does"
    } else {
        "is changed"
    };
    for file in &wrong {
        println!("{file} {verb}");
    }
    println!("{} pictures", names.len());
    if is_check && !wrong.is_empty() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

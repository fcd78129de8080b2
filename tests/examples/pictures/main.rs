//! Draws the pictures of core's documentation into a folder, each from a run on virtual time.
//! `ci/pictures.sh` compares them with `aiter-core/docs/pictures`.

mod scenes;

use aiter_test::{Line, svg};
use std::{collections::BTreeSet, env, fs, io, path::PathBuf};

/// A picture, which the documentation of an item shows.
struct Picture {
    /// The name of its file, without the ending.
    name: &'static str,
    title: &'static str,
    /// What is to be seen, for those who cannot see it.
    description: &'static str,
    lines: Vec<Line>,
}

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.expect("usage: pictures FOLDER");
    let mut names = BTreeSet::new();
    for picture in scenes::all() {
        let name = picture.name;
        assert!(names.insert(name), "two pictures have the name {name}");
        let drawn = svg(picture.title, picture.description, &picture.lines);
        fs::write(folder.join(format!("{name}.svg")), drawn)?;
    }
    Ok(())
}

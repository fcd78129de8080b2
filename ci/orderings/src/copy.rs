//! The copy of core in which everything that can be weakened has a switch.

use crate::{
    guards::Guard,
    instrument::{Instrumented, instrument},
};
use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

const WEAKEN: &str = include_str!("weaken.rs.txt");
const PLANTED: &str = include_str!("planted.rs.txt");
/// The files that define atomics and fences. They have no switches; each use of an atomic or a
/// fence has one.
const NOT_SWITCHED: [&str; 2] = ["sync/mod.rs", "weaken.rs"];
/// Modules for tests only.
const OF_TESTS: [&str; 3] = ["loom", "test_support", "tests"];

pub struct Copy {
    /// The names of all switches. The index of a switch is its number.
    pub switches: Vec<String>,
    /// Files by their path within the copy.
    files: BTreeMap<PathBuf, String>,
}

impl Copy {
    pub fn new(root: &Path, guards: &[Guard]) -> Result<Self, String> {
        let mut copy = Self {
            switches: Vec::new(),
            files: BTreeMap::new(),
        };
        let manifest = read(&root.join("Cargo.toml"))?;
        let mut found = false;
        let manifest: String = manifest
            .lines()
            .map(|line| {
                if line.starts_with("members = [") {
                    found = true;
                    return "members = [\"aiter-core\"]\n".to_owned();
                }
                format!("{line}\n")
            })
            .collect();
        if !found {
            return Err(String::from(
                "Cargo.toml: no line begins with `members = [`",
            ));
        }
        copy.files.insert("Cargo.toml".into(), manifest);
        for path in ["Cargo.lock", "aiter-core/Cargo.toml"] {
            copy.files.insert(path.into(), read(&root.join(path))?);
        }
        for folder in ["src", "examples"] {
            copy.add_folder(root, &Path::new("aiter-core").join(folder))?;
        }
        let sources = Path::new("aiter-core/src");
        copy.files
            .insert(sources.join("planted.rs"), PLANTED.to_owned());
        copy.files
            .insert(sources.join("weaken.rs"), WEAKEN.to_owned());
        if let Some(library) = copy.files.get_mut(&sources.join("lib.rs")) {
            library.push_str("\nmod planted;\nmod weaken;\n");
        }
        copy.instrument(guards)?;
        Ok(copy)
    }

    fn add_folder(&mut self, root: &Path, folder: &Path) -> Result<(), String> {
        let context = |error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(root.join(folder)).map_err(context)? {
            let entry = entry.map_err(context)?;
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                self.add_folder(root, &path)?;
            } else {
                let text = read(&entry.path())?;
                self.files.insert(path, text);
            }
        }
        Ok(())
    }

    /// Follows the modules from the root of the crate, so that files which are not built have no
    /// switches.
    fn instrument(&mut self, guards: &[Guard]) -> Result<(), String> {
        let sources = Path::new("aiter-core/src");
        let mut files = vec![PathBuf::from("lib.rs")];
        let mut seen = Vec::new();
        while let Some(file) = files.pop() {
            let name = file.to_string_lossy().replace('\\', "/");
            seen.push(name.clone());
            let path = sources.join(&file);
            let text = &self.files[&path];
            if NOT_SWITCHED.contains(&&*name) {
                continue;
            }
            let Instrumented { text, modules } =
                instrument(&name, text, guards, &mut self.switches)?;
            self.files.insert(path, text);
            let folder = match file.file_name().and_then(|name| name.to_str()) {
                Some("lib.rs" | "mod.rs") => file.with_file_name(""),
                _ => file.with_extension(""),
            };
            for module in modules
                .iter()
                .rev()
                .filter(|module| !OF_TESTS.contains(&&***module))
            {
                let options = [
                    folder.join(format!("{module}.rs")),
                    folder.join(module).join("mod.rs"),
                ];
                let found = options
                    .into_iter()
                    .find(|file| self.files.contains_key(&sources.join(file)));
                files.push(found.ok_or(format!("{name}: no file for the module `{module}`"))?);
            }
        }
        if let Some(guard) = guards.iter().find(|guard| !seen.contains(&guard.file)) {
            return Err(format!(
                "ci/orderings/guards.txt:{}: {} is not in the build of the models: correct the file of the guard, or delete the guard",
                guard.line, guard.file
            ));
        }
        if let Some(weaken) = self.files.get_mut(&sources.join("weaken.rs")) {
            let count = format!("\nconst COUNT: usize = {};\n", self.switches.len());
            weaken.push_str(&count);
        }
        Ok(())
    }

    /// A hash of everything that the behaviour of the models depends on.
    pub fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.files.hash(&mut hasher);
        hasher.finish()
    }

    /// Writes the copy. Files with the right content stay untouched, so that Cargo does not rebuild
    /// them.
    pub fn write(&self, to: &Path) -> Result<(), String> {
        let sources = to.join("aiter-core");
        if sources.exists() {
            self.clean(to, &sources)?;
        }
        for (path, text) in &self.files {
            let path = to.join(path);
            if fs::read_to_string(&path).is_ok_and(|old| old == *text) {
                continue;
            }
            let context = |error| format!("{}: {error}", path.display());
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(context)?;
            }
            fs::write(&path, text).map_err(context)?;
        }
        Ok(())
    }

    /// Deletes files that an earlier copy had.
    fn clean(&self, root: &Path, folder: &Path) -> Result<(), String> {
        let context = |error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(folder).map_err(context)? {
            let path = entry.map_err(context)?.path();
            if path.is_dir() {
                self.clean(root, &path)?;
            } else if !path
                .strip_prefix(root)
                .is_ok_and(|path| self.files.contains_key(path))
            {
                fs::remove_file(&path).map_err(context)?;
            }
        }
        Ok(())
    }
}

pub fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

//! Packages that are part of the program: their files as they lie in the folder `scenarios`.

use crate::Files;

/// A file of a package, and what is in it.
macro_rules! files {
    ($name:literal: $($path:literal),+ $(,)?) => {
        ($name, &[$(($path, include_str!(concat!("../../../scenarios/", $name, "/", $path)))),+])
    };
}

/// All of them, by name.
const ALL: &[(&str, &[(&str, &str)])] = &[files!("office":
    "README.md",
    "scenario.yaml",
    "elements.yaml",
    "roles.yaml",
    "signals.yaml",
    "flows/comfort.yaml",
    "flows/lights-out.yaml",
    "flows/override.yaml",
    "flows/override-ends.yaml",
    "flows/resume.yaml",
    "flows/wall-switch.yaml",
    "simulation/house.yaml",
    "simulation/models.yaml",
)];

/// The names of the packages that there are.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

/// The files of a package.
pub fn files(name: &str) -> Option<Files> {
    let found = ALL.iter().find(|(known, _)| *known == name);
    found.map(|(_, files)| files.iter().copied().collect())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;
    use crate::{Package, Parameters, shown};

    fn walk(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let entry = entry.expect("it can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{below}{name}");
            match entry.path().is_dir() {
                true => walk(&entry.path(), &format!("{path}/"), found),
                false => drop(found.insert(path)),
            }
        }
    }

    #[test]
    fn all_files_of_all_packages_are_built_in() {
        let folder = Path::new("../../scenarios");
        let mut there = BTreeSet::new();
        walk(folder, "", &mut there);
        let known: BTreeSet<String> = ALL
            .iter()
            .flat_map(|(name, files)| files.iter().map(move |(path, _)| format!("{name}/{path}")))
            .collect();
        assert_eq!(there, known);
    }

    #[test]
    fn each_package_is_right_at_each_speed() {
        for name in names() {
            let files = files(name).expect("it is built in");
            for speed in [1.0, 60.0, 3600.0] {
                let said = Parameters {
                    speed,
                    ..Parameters::default()
                };
                let package = Package::read(&files, &said);
                let package = package.unwrap_or_else(|wrongs| panic!("{}", shown(&files, &wrongs)));
                assert_eq!(package.name, name);
            }
        }
    }
}

//! The files of a package: paths with `/`, and texts.

use std::collections::BTreeMap;

use crate::Wrong;

/// A package has no more files.
pub const FILES_MAX: usize = 200;
/// A file has no more bytes.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// The files of a package, by their paths in it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Files(BTreeMap<String, String>);

impl Files {
    /// Adds a file.
    ///
    /// # Errors
    ///
    /// It is too long, no text, or one too many.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), Wrong> {
        if FILE_BYTES_MAX < bytes.len() {
            let what = format!(
                "a file has at most {FILE_BYTES_MAX} bytes; this one has {}",
                bytes.len()
            );
            return Err(Wrong::of(path, what));
        }
        if FILES_MAX <= self.0.len() {
            let what = format!("a scenario has at most {FILES_MAX} files; this is one more");
            return Err(Wrong::of(path, what));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Wrong::of(path, format!("files are text in UTF-8: {error}")))?;
        self.0.insert(path.to_owned(), text.to_owned());
        Ok(())
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// All of them, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (&**path, &**text))
    }

    /// The same with texts made anew.
    #[must_use]
    pub(crate) fn map(&self, mut make: impl FnMut(&str, &str) -> String) -> Self {
        let all = self.0.iter();
        let made = all.map(|(path, text)| (path.clone(), make(path, text)));
        Self(made.collect())
    }
}

impl<'f> FromIterator<(&'f str, &'f str)> for Files {
    fn from_iter<I: IntoIterator<Item = (&'f str, &'f str)>>(files: I) -> Self {
        let files = files.into_iter();
        let owned = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        Self(owned.collect())
    }
}

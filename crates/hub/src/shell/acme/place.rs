//! What is kept of an authority: `tls/acme/{authority}/` in the data folder has the account, the certificate with its key,
//! and what is remembered of orders. Another authority has a folder of its own, so that none is taken for the other.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use quartet_model::Time;
use serde::{Serialize, de::DeserializeOwned};

use super::{Issued, order::Known};
use crate::{
    shell::tls::{TLS, TlsError, write_private},
    trust::Tries,
};

/// The folder of all authorities, in that of certificates.
const ACME: &str = "acme";
/// Characters of a directory's URL in the name of a folder.
const LABEL_CHARS_MAX: usize = 100;

/// The files.
pub(crate) struct Place(PathBuf);

/// What a data folder has of an authority, for whoever looks at it from outside.
pub(crate) struct Kept {
    /// Until when the certificate is good, and for which domains; or why it cannot be read.
    pub(crate) certificate: Option<Result<(Time, Vec<String>), String>>,
    /// When the last order began that led to nothing, and why.
    pub(crate) failed: Option<(Time, String)>,
}

/// What a data folder has of the authority that was asked last, if one was.
pub(crate) fn kept(data: &Path) -> Option<Kept> {
    let folder = fs::read_dir(data.join(TLS).join(ACME)).ok()?;
    let places = folder.flatten().map(|entry| Place(entry.path()));
    let asked = |place: &Place| fs::metadata(place.0.join("tries.json"))?.modified();
    let place = places.max_by_key(|place| asked(place).ok())?;
    let tries = place.tries();
    let about = |issued: Issued| (issued.term().until, issued.names().to_vec());
    Some(Kept {
        certificate: place.certificate().map(|read| read.map(about)),
        failed: tries.last().zip(tries.failure),
    })
}

impl Place {
    /// Of the authority with this directory.
    pub(super) fn of(data: &Path, directory: &str) -> Self {
        let bare = directory.strip_prefix("https://").unwrap_or(directory);
        let fits = |c: char| match c.is_ascii_alphanumeric() || c == '.' {
            true => c.to_ascii_lowercase(),
            false => '-',
        };
        let label: String = bare.chars().take(LABEL_CHARS_MAX).map(fits).collect();
        let label = label.trim_start_matches('.');
        Self(data.join(TLS).join(ACME).join(label))
    }

    pub(super) fn certificate_file(&self) -> PathBuf {
        self.0.join("certificate.pem")
    }

    /// The certificate with its key, or what is wrong with it; `None` if there is none.
    pub(super) fn certificate(&self) -> Option<Result<Issued, String>> {
        match fs::read_to_string(self.certificate_file()) {
            Ok(text) => Some(Issued::read(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(error.to_string())),
        }
    }

    /// Both in one file: they are there together, or not at all.
    pub(super) fn keep_certificate(&self, text: &str) -> Result<(), TlsError> {
        self.write("certificate.pem", text)
    }

    /// What is remembered of orders; what cannot be read was never remembered.
    pub(super) fn tries(&self) -> Tries {
        self.read("tries.json").unwrap_or_default()
    }

    pub(super) fn keep_tries(&self, tries: &Tries) -> Result<(), TlsError> {
        self.write("tries.json", &json(tries))
    }

    /// The account, if there is one that can be read.
    pub(super) fn account(&self) -> Option<Known> {
        self.read("account.json")
    }

    pub(super) fn keep_account(&self, known: &Known) -> Result<(), TlsError> {
        self.write("account.json", &json(known))
    }

    /// The authority does not know it any more.
    pub(super) fn forget_account(&self) {
        let file = self.0.join("account.json");
        if let Err(error) = fs::remove_file(&file) {
            tracing::warn!(%error, file = %file.display(), "an account that is not good any more stays");
        }
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let file = self.0.join(name);
        let text = fs::read_to_string(&file).ok()?;
        let read = serde_json::from_str(&text);
        let said = |error: &serde_json::Error| tracing::warn!(%error, file = %file.display(), "cannot be read, and is made anew");
        read.inspect_err(said).ok()
    }

    fn write(&self, name: &str, text: &str) -> Result<(), TlsError> {
        let path = self.0.join(name);
        let mut folder = fs::DirBuilder::new();
        let made = folder.recursive(true).mode(0o700).create(&self.0);
        let written = made.and_then(|()| write_private(&path, text));
        written.map_err(|source| TlsError::Write { path, source })
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_authority_has_a_folder_of_its_own_below_the_data_folder() {
        let of = |directory: &str| Place::of(Path::new("data"), directory).0;
        let folder = Path::new("data/tls/acme");
        for (directory, name) in [
            (
                "https://acme-v02.api.letsencrypt.org/directory",
                "acme-v02.api.letsencrypt.org-directory",
            ),
            ("https://127.0.0.1:14000/dir", "127.0.0.1-14000-dir"),
            ("https://../..", "-.."),
        ] {
            assert_eq!(of(directory), folder.join(name));
        }
        let long = of(&format!("https://{}", "a".repeat(1000)));
        assert_eq!(long, folder.join("a".repeat(LABEL_CHARS_MAX)));
    }

    #[test]
    fn what_cannot_be_read_was_never_there() {
        let data = tempfile::TempDir::new().unwrap();
        let place = Place::of(data.path(), "https://acme.example/directory");
        assert!(kept(data.path()).is_none());
        assert!(place.certificate().is_none());
        place.write("tries.json", "{").unwrap();
        assert_eq!(place.tries(), Tries::default());
        place.keep_certificate("no").unwrap();
        assert!(place.certificate().unwrap().is_err());
        assert!(kept(data.path()).is_some_and(|kept| kept.failed.is_none()));
    }
}

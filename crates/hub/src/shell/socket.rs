//! A socket in the data folder, for the hub's own user alone: what may be asked of a hub that
//! runs, beside what its clients ask. One line is a question, one line the answer.
//!
//! `backup FOLDER` copies all that is safe to a folder; the answer is `ok` or what went wrong.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use quartet_store::Local;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

use super::{
    kept::JOURNAL,
    tls::{HALF, TLS},
};
use crate::{
    audit::{AUDIT, Audit},
    views::{copy_history, is_table},
};

/// The socket's name in the data folder.
pub const SOCKET: &str = "hub.sock";

pub(super) struct Socket(UnixListener);

impl Socket {
    /// Listens in the data folder.
    pub(super) fn bind(data: &Path) -> io::Result<Self> {
        let path = data.join(SOCKET);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Self(listener))
    }

    /// Answers until the hub ends.
    /// The file `key` stays out of backups.
    pub(super) async fn serve(
        self,
        journal: Arc<Local>,
        data: PathBuf,
        key: Option<PathBuf>,
        audit: Audit,
    ) {
        let site = Arc::new(Site {
            journal,
            data,
            key,
            audit,
        });
        loop {
            let Ok((stream, _)) = self.0.accept().await else {
                return;
            };
            if let Err(error) = answer(stream, Arc::clone(&site)).await {
                tracing::debug!(%error, "somebody asked and did not wait");
            }
        }
    }
}

/// What is copied.
struct Site {
    journal: Arc<Local>,
    data: PathBuf,
    key: Option<PathBuf>,
    audit: Audit,
}

async fn answer(stream: UnixStream, site: Arc<Site>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut question = String::new();
    stream.read_line(&mut question).await?;
    let answer = match question.trim_end_matches('\n').split_once(' ') {
        Some(("backup", folder)) => {
            let folder = PathBuf::from(folder);
            let copied = tokio::task::spawn_blocking(move || backup(&site, &folder));
            match copied.await {
                Ok(Ok(())) => "ok".to_owned(),
                Ok(Err(error)) => error,
                Err(_) => "the copy was broken off".to_owned(),
            }
        }
        _ => format!("there is no question {question:?}"),
    };
    stream.write_all(format!("{answer}\n").as_bytes()).await
}

fn backup(site: &Site, folder: &Path) -> Result<(), String> {
    copy_beside(&site.data, folder, site.key.as_deref()).map_err(|error| error.to_string())?;
    // What it has not got yet is told again from the journal.
    let copied = site.audit.copy_to(&folder.join(AUDIT));
    copied.map_err(|error| error.to_string())?;
    site.journal
        .copy_to(&folder.join(JOURNAL))
        .map_err(|error| error.to_string())
}

/// Copies what lies beside the journal's records: files of the data folder, its certificates and their keys, and where a start
/// begins to read. Before the records, so that these have all that the others speak of. The key
/// of an encrypted journal stays where it is: who finds a backup must not find its key in it. Views are
/// made anew.
pub fn copy_beside(data: &Path, folder: &Path, key: Option<&Path>) -> io::Result<()> {
    fs::create_dir_all(folder.join(JOURNAL))?;
    let is_key = |file: &Path| key.is_some_and(|key| key.file_name() == file.file_name());
    copy_files(data, folder, is_key)?;
    copy_certificates(data, folder, key)?;
    copy_history(data, folder)?;
    match fs::copy(
        data.join(JOURNAL).join("start"),
        folder.join(JOURNAL).join("start"),
    ) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies a data folder's certificates and their keys, if it has any. Who may read them stays as it is.
/// The file `key` stays where it is.
pub fn copy_certificates(from: &Path, to: &Path, key: Option<&Path>) -> io::Result<()> {
    let key = key.and_then(|key| key.canonicalize().ok());
    let is_key = |file: &Path| key.is_some() && file.canonicalize().ok() == key;
    let mut folders = vec![PathBuf::from(TLS)];
    while let Some(folder) = folders.pop() {
        let (from, to) = (from.join(&folder), to.join(&folder));
        if !from.is_dir() {
            continue;
        }
        let mut made = fs::DirBuilder::new();
        made.recursive(true).mode(0o700).create(&to)?;
        copy_files(&from, &to, is_key)?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(folder.join(entry.file_name()));
            }
        }
        fs::File::open(&to)?.sync_all()?;
    }
    Ok(())
}

/// Copies the files of a folder that are whole, and are not made anew.
fn copy_files(from: &Path, to: &Path, is_left_out: impl Fn(&Path) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, file) = (entry.file_name(), entry.path());
        let is_half = file.extension().is_some_and(|end| end == HALF);
        if !entry.file_type()?.is_file() || is_half || is_table(&name) || is_left_out(&file) {
            continue;
        }
        let copy = to.join(name);
        fs::copy(file, &copy)?;
        fs::File::open(copy)?.sync_all()?;
    }
    Ok(())
}

//! `quartet backup`, `restore`, `verify` and `export`: what a hub keeps, as a whole.

use std::{
    fs,
    io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write},
    os::unix::{fs::DirBuilderExt, net::UnixStream},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use quartet_fabric::retained::Cursor;
use quartet_model::Time;
use quartet_store::{Journal, Key, Local, LocalOptions, SHARDS_MAX, Shard, verify};
use serde_json::{Value, json};

use super::out::say;
use crate::{
    audit::{self, AUDIT},
    flow::keep::{Recall, Recalled, Record, record::Subscription},
    http::cloud_event::cloud_event,
    shell::{Clock, JOURNAL, SOCKET, copy_beside, copy_certificates, read_key},
    views,
};

/// Tells that a folder is a backup.
const BACKUP: &str = "backup.json";
/// What this version writes and reads.
const FORMAT: u64 = 1;

/// Arguments of `quartet backup`.
#[derive(Args, Debug)]
#[command(after_help = "\
A hub that runs goes on meanwhile; the backup holds all that was acknowledged when it began. The key of an
encrypted journal is not part of it.

Example:
  quartet backup --data /var/lib/quartet /mnt/backup/2026-11-24")]
pub struct BackupArgs {
    /// Folder for the backup; made if it is not there
    folder: PathBuf,
    #[command(flatten)]
    data: Data,
}

/// Arguments of `quartet restore`.
#[derive(Args, Debug)]
#[command(after_help = "\
Looks first whether the backup is whole. The data folder must hold no hub yet.

Example:
  quartet restore /mnt/backup/2026-11-24 --data /var/lib/quartet")]
pub struct RestoreArgs {
    /// The backup
    backup: PathBuf,
    #[command(flatten)]
    data: Data,
}

/// Arguments of `quartet verify`.
#[derive(Args, Debug)]
#[command(after_help = "\
Reads every byte and checks sums, order and the chain of hashes. The hub must not run; look at a backup of
one that does. Needs no key. Ends with exit code 1 if something is wrong.

Example:
  quartet verify /mnt/backup/2026-11-24")]
pub struct VerifyArgs {
    /// A hub's data folder, or a backup
    #[arg(default_value = "quartet-data")]
    folder: PathBuf,
}

/// Arguments of `quartet export`.
#[derive(Args, Debug)]
#[command(after_help = "\
One JSON value a line: messages that are kept as CloudEvents, then retained messages and sessions as they
are now. The hub must not run; export a backup of one that does.

Example:
  quartet export /mnt/backup/2026-11-24 > site.jsonl")]
pub struct ExportArgs {
    /// A hub's data folder, or a backup
    #[arg(default_value = "quartet-data")]
    folder: PathBuf,
    #[command(flatten)]
    key: KeyFile,
}

#[derive(Args, Debug)]
pub(super) struct Data {
    /// The hub's folder for everything that is kept
    #[arg(
        long,
        env = "QUARTET_DATA",
        value_name = "DIR",
        default_value = "quartet-data"
    )]
    pub(super) data: PathBuf,
    #[command(flatten)]
    pub(super) key: KeyFile,
}

#[derive(Args, Debug)]
pub(super) struct KeyFile {
    /// The file with the key of an encrypted journal
    #[arg(long, env = "QUARTET_JOURNAL_KEY", value_name = "FILE")]
    pub(super) journal_key: Option<PathBuf>,
}

impl KeyFile {
    pub(super) fn read(&self) -> anyhow::Result<Option<Key>> {
        let key = self.journal_key.as_deref().map(read_key).transpose();
        key.map_err(anyhow::Error::msg)
    }
}

impl BackupArgs {
    /// Copies, through the hub if it runs.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let data = &self.data.data;
        if !data.join(JOURNAL).is_dir() {
            bail!(
                "{} is no hub's data folder: it has no journal",
                data.display()
            );
        }
        make_private(&self.folder)
            .with_context(|| format!("cannot make {}", self.folder.display()))?;
        let folder = self.folder.canonicalize()?;
        if fs::read_dir(&folder)?.next().is_some() {
            bail!(
                "{} is not empty; a backup needs a folder of its own",
                folder.display()
            );
        }
        match UnixStream::connect(data.join(SOCKET)) {
            Ok(hub) => ask(hub, &folder)?,
            Err(_) => self.copy(&folder)?,
        }
        let about = json!({
            "format": FORMAT,
            "version": env!("CARGO_PKG_VERSION"),
            "made": Clock::new().now().rfc3339(),
        });
        fs::write(folder.join(BACKUP), format!("{about}\n"))?;
        let bytes = size(&folder)?;
        say(format!(
            "{} holds all that was acknowledged ({} MB).\n",
            folder.display(),
            bytes / 1_000_000
        )
        .as_bytes())?;
        Ok(())
    }

    /// The hub does not run.
    fn copy(&self, folder: &Path) -> anyhow::Result<()> {
        let data = &self.data.data;
        let journal = open(data, self.data.key.read()?)?;
        copy_beside(data, folder, self.data.key.journal_key.as_deref())?;
        if data.join(AUDIT).is_dir() {
            audit::open(data, self.data.key.read()?)?.copy_to(&folder.join(AUDIT))?;
        }
        journal.copy_to(&folder.join(JOURNAL))?;
        Ok(())
    }
}

fn ask(mut hub: UnixStream, folder: &Path) -> anyhow::Result<()> {
    let Some(name) = folder.to_str().filter(|name| !name.contains('\n')) else {
        bail!("the folder's name is no text in one line");
    };
    writeln!(hub, "backup {name}")?;
    let mut answer = String::new();
    BufReader::new(hub).read_line(&mut answer)?;
    match answer.trim_end() {
        "ok" => Ok(()),
        "" => bail!("the hub ended meanwhile"),
        error => bail!("the hub says: {error}"),
    }
}

impl RestoreArgs {
    /// Copies back what is whole.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (backup, data) = (&self.backup, &self.data.data);
        let about = fs::read(backup.join(BACKUP))
            .with_context(|| format!("{} is no backup", backup.display()))?;
        let about: Value = serde_json::from_slice(&about)
            .with_context(|| format!("{BACKUP} of {} cannot be read", backup.display()))?;
        match about["format"].as_u64() {
            Some(1..=FORMAT) => {}
            format => bail!(
                "the backup has format {}; this version reads formats up to {FORMAT}",
                format.map_or_else(|| "unknown".to_owned(), |format| format.to_string())
            ),
        }
        if data.join(JOURNAL).exists() {
            bail!(
                "{} holds a hub already; restore into a folder that does not",
                data.display()
            );
        }
        check(backup)?;
        make_private(data)?;
        views::throw_away(data)?; // of another journal
        // Under another name until all is there: a hub is restored whole or not at all.
        let new = data.join("journal.restored");
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        copy_folder(&backup.join(JOURNAL), &new)?;
        if backup.join(AUDIT).is_dir() {
            copy_folder(&backup.join(AUDIT), &data.join(AUDIT))?;
        }
        for entry in fs::read_dir(backup)? {
            let entry = entry?;
            if entry.file_type()?.is_file() && entry.file_name() != BACKUP {
                copy_file(&entry.path(), &data.join(entry.file_name()))?;
            }
        }
        copy_certificates(backup, data, None)?;
        fs::rename(&new, data.join(JOURNAL))?;
        fs::File::open(data)?.sync_all()?;
        say(format!(
            "{} is a hub again. Start it: quartet run --data {}\n",
            data.display(),
            data.display()
        )
        .as_bytes())?;
        Ok(())
    }
}

/// Makes a folder that is its owner's business, if it is not there.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut made = fs::DirBuilder::new();
    made.recursive(true).mode(0o700).create(folder)
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() != "lock" {
            copy_file(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(fs::File::open(to)?.sync_all()?)
}

fn copy_file(from: &Path, to: &Path) -> anyhow::Result<()> {
    let what = || format!("cannot copy {} to {}", from.display(), to.display());
    fs::copy(from, to).with_context(what)?;
    fs::File::open(to)
        .and_then(|file| file.sync_all())
        .with_context(what)
}

fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.metadata()? {
            about if about.is_dir() => size(&entry.path())?,
            about => about.len(),
        };
    }
    Ok(bytes)
}

impl VerifyArgs {
    /// Looks at everything.
    pub(super) fn run(self) -> anyhow::Result<()> {
        check(&self.folder)
    }
}

/// Looks at a data folder or a backup; fails if something is wrong with it.
fn check(folder: &Path) -> anyhow::Result<()> {
    let journal = folder.join(JOURNAL);
    if !journal.is_dir() {
        bail!("{} holds no journal", folder.display());
    }
    let mut problems = look_at(&journal)?;
    let audit = folder.join(AUDIT);
    if audit.is_dir() {
        say(b"The audit: ")?;
        problems += look_at(&audit)?;
    }
    if problems == 0 {
        say(b"All sums, the order and the chain of hashes are right.\n")?;
        return Ok(());
    }
    bail!("what is kept is damaged; restore a backup (Q0107)")
}

/// Looks at the records in one folder; says how many problems there are.
fn look_at(journal: &Path) -> anyhow::Result<usize> {
    let report = verify(journal)?;
    say(format!(
        "{} records in {} appends and {} segments, {} MB, of {} shards\n",
        report.records,
        report.frames,
        report.segments,
        report.bytes / 1_000_000,
        report.spans.len()
    )
    .as_bytes())?;
    if report.blobs != 0 {
        let megabytes = report.blob_bytes / 1_000_000;
        say(format!("{} long payloads, {megabytes} MB\n", report.blobs).as_bytes())?;
    }
    for problem in &report.problems {
        say(format!("BAD  {problem}\n").as_bytes())?;
    }
    Ok(report.problems.len())
}

impl ExportArgs {
    /// Writes lines until all is written or nobody reads any more.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let journal = open(&self.folder, self.key.read()?)?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        match export(&journal, &mut out).and_then(|()| Ok(out.flush()?)) {
            Err(error) if is_broken_pipe(&error) => Ok(()),
            result => result,
        }
    }
}

pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

fn open(folder: &Path, key: Option<Key>) -> anyhow::Result<Local> {
    let journal = folder.join(JOURNAL);
    if !journal.is_dir() {
        bail!("{} holds no journal", folder.display());
    }
    let options = LocalOptions {
        segment_bytes: 8 << 20, // No more room than needed: little or nothing is appended.
        key,
        ..LocalOptions::default()
    };
    Local::open(&journal, options).context("a hub that runs is backed up first (quartet backup)")
}

fn export(journal: &Local, out: &mut impl Write) -> anyhow::Result<()> {
    let mut recall = Recall::new(1);
    let mut failed = None;
    journal.replay(&[0; SHARDS_MAX], &mut |Shard(shard), seq, bytes| {
        if failed.is_some() {
            return;
        }
        let line = match Record::read(bytes) {
            Ok(Record::Said { event, .. }) => {
                let mut line = cloud_event(&event);
                line["kind"] = "message".into();
                writeln!(out, "{line}")
            }
            _ => Ok(()),
        };
        let recalled = recall.record(shard, seq, bytes);
        failed = match (line, recalled) {
            (Err(error), _) => Some(anyhow::Error::from(error)),
            (_, Err(error)) => Some(anyhow::anyhow!("record {seq} of shard {shard}: {error}")),
            _ => None,
        };
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    for lane in recall.finish() {
        export_state(&lane, out)?;
    }
    Ok(())
}

fn export_state(lane: &Recalled, out: &mut impl Write) -> anyhow::Result<()> {
    let mut from: Option<Cursor> = None;
    loop {
        let mut found = Vec::new();
        from = lane.retained().walk(from, 256, 1 << 20, &mut found);
        for event in &found {
            let mut line = cloud_event(event);
            line["kind"] = "retained".into();
            writeln!(out, "{line}")?;
        }
        if from.is_none() {
            break;
        }
    }
    for session in lane.sessions() {
        let subscriptions: Vec<Value> = session.subscriptions().iter().map(subscription).collect();
        let line = json!({
            "kind": "session",
            "client": session.id(),
            "expiry_s": session.expiry_s(),
            "away_since": session.away_at().map(Time::rfc3339),
            "subscriptions": subscriptions,
            "waiting": session.waiting(),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn subscription(subscription: &Subscription) -> Value {
    let share = Some(&*subscription.share).filter(|share| !share.is_empty());
    json!({
        "filter": &*subscription.filter,
        "share": share,
        "qos": subscription.wish.qos.level(),
    })
}

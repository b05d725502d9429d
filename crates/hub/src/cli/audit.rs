//! `quartet audit`: the record of who came in, who may, who acted and who was refused.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use quartet_people::audit::{BadLine, Verifier, head_of};

use super::{
    out::say,
    site::{KeyFile, is_broken_pipe},
};
use crate::audit::{self, AUDIT, csv};

/// Arguments of `quartet audit`.
#[derive(Args, Debug)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Look whether no line was altered, added or taken away
    Verify(Verify),
    /// Write all lines, the first first
    Export(Export),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Each line names the hash (BLAKE3) of the line before it, so one that was altered, added or taken away is found.
Whoever can write the file could write all of it anew: keep the number and the hash of its last line somewhere
else now and then (`$SYS/audit` and GET /api/audit tell them), and show them with --seen.

Examples:
  curl -H \"Authorization: Bearer $TOKEN\" https://hub.example/api/audit/export > audit.jsonl
  quartet audit verify audit.jsonl --seen 4711:8f43…
  quartet audit verify /mnt/backup/2026-11-26")]
struct Verify {
    /// A file of lines, `-` for what comes in, or the folder of a backup or of a hub that does not run
    #[arg(default_value = "quartet-data")]
    source: PathBuf,
    /// An entry's number and the hash of its line, as they were seen before; may be repeated
    #[arg(long, value_name = "N:HASH", value_parser = seen)]
    seen: Vec<(u64, blake3::Hash)>,
    #[command(flatten)]
    key: KeyFile,
}

#[derive(Args, Debug)]
#[command(after_help = "\
The hub must not run: one that does gives its audit at GET /api/audit/export.

Example:
  quartet audit export /mnt/backup/2026-11-26 --format csv > audit.csv")]
struct Export {
    /// A hub's data folder, or a backup
    #[arg(default_value = "quartet-data")]
    folder: PathBuf,
    /// How it is written
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// From this entry on
    #[arg(long, value_name = "N", default_value_t = 1)]
    from: u64,
    #[command(flatten)]
    key: KeyFile,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Format {
    /// Lines of JSON, as they were written
    Jsonl,
    /// A table
    Csv,
}

fn seen(text: &str) -> Result<(u64, blake3::Hash), String> {
    let right = || "must be like 4711:8f43…, with all 64 digits of the hash".to_owned();
    let (n, hash) = text.split_once(':').ok_or_else(right)?;
    let n = n.parse().map_err(|_| right())?;
    let hash = blake3::Hash::from_hex(hash).map_err(|_| right())?;
    Ok((n, hash))
}

impl AuditArgs {
    /// Does what is asked for.
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Verify(verify) => verify.run(),
            Command::Export(export) => export.run(),
        }
    }
}

/// What was looked at so far.
#[derive(Default)]
struct Looked {
    verifier: Verifier,
    lines: u64,
    /// The hashes that were seen before, and are right.
    met: Vec<u64>,
    wrong: Option<String>,
}

impl Looked {
    /// Looks at a line; says whether to go on.
    fn take(&mut self, line: &str, seen: &[(u64, blake3::Hash)]) -> bool {
        self.lines += 1;
        match self.verifier.take(line) {
            Ok(link) => {
                for (n, hash) in seen.iter().filter(|(n, _)| *n == link.n) {
                    let found = head_of(line);
                    if found != *hash {
                        let what = format!(
                            "entry {n} has the hash {}, and had {} when it was seen",
                            found.to_hex(),
                            hash.to_hex()
                        );
                        self.wrong = Some(what);
                    }
                    self.met.push(*n);
                }
            }
            Err(why) => self.wrong = Some(at_line(self.lines, &why)),
        }
        self.wrong.is_none()
    }
}

fn at_line(line: u64, why: &BadLine) -> String {
    format!("line {line}: {why}")
}

impl Verify {
    fn run(self) -> anyhow::Result<()> {
        let mut looked = Looked::default();
        let mut take = |line: &str| looked.take(line, &self.seen);
        if self.source.is_dir() {
            let log = open(&self.source, &self.key)?;
            audit::lines(&log, 0, &mut |_, line| take(line))?;
        } else if self.source == Path::new("-") {
            read_lines(std::io::stdin().lock(), take)?;
        } else {
            let file = File::open(&self.source)
                .with_context(|| format!("cannot read {}", self.source.display()))?;
            read_lines(BufReader::new(file), take)?;
        }
        if let Some(wrong) = looked.wrong {
            bail!("the audit is not as it was written: {wrong}");
        }
        let missing = self.seen.iter().find(|(n, _)| !looked.met.contains(n));
        if let Some((n, _)) = missing {
            bail!("entry {n}, which was seen, is not there: lines were cut off");
        }
        let Some((first, last, hash)) = looked.verifier.seen() else {
            bail!("there are no lines");
        };
        let begins = match first {
            1 => String::new(),
            first => format!(" What was before {first} is not there: nothing is said of it."),
        };
        let hash = hash.to_hex();
        say(format!(
            "Entries {first} to {last} are as they were written.{begins}\nThe last one: {last}:{hash}\n"
        )
        .as_bytes())?;
        Ok(())
    }
}

/// Hands over line by line until somebody has enough.
fn read_lines(from: impl BufRead, mut take: impl FnMut(&str) -> bool) -> anyhow::Result<()> {
    for line in from.lines() {
        let line = line.context("cannot read a line")?;
        if !line.is_empty() && !take(&line) {
            break;
        }
    }
    Ok(())
}

impl Export {
    fn run(self) -> anyhow::Result<()> {
        let log = open(&self.folder, &self.key)?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        match self.write(&log, &mut out) {
            Err(error) if is_broken_pipe(&error) => Ok(()),
            result => result,
        }
    }

    fn write(&self, log: &quartet_store::Local, out: &mut impl Write) -> anyhow::Result<()> {
        if let Format::Csv = self.format {
            out.write_all(csv::head().as_bytes())?;
        }
        let mut written = Ok(());
        audit::lines(log, self.from, &mut |_, line| {
            written = match self.format {
                Format::Jsonl => writeln!(out, "{line}"),
                Format::Csv => writeln!(out, "{}", csv::row(line)),
            };
            written.is_ok()
        })?;
        written?;
        Ok(out.flush()?)
    }
}

fn open(folder: &Path, key: &KeyFile) -> anyhow::Result<quartet_store::Local> {
    if !folder.join(AUDIT).is_dir() {
        bail!("{} holds no audit", folder.display());
    }
    audit::open(folder, key.read()?)
        .context("a hub that runs gives its audit at GET /api/audit/export")
}

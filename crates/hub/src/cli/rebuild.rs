//! `quartet rebuild`: the lists of sessions and retained messages, made anew from the journal.

use anyhow::{Context, bail};
use clap::Args;
use quartet_store::{Local, LocalOptions, OpenError};

use super::{out::say, site::Data};
use crate::{
    shell::{Clock, JOURNAL},
    views,
};

/// Arguments of `quartet rebuild`.
#[derive(Args, Debug)]
#[command(after_help = "\
The hub does this by itself when views.sqlite is missing or broken; this command is for those who want it done
before the start. The hub must not run. Nothing that the hub keeps is changed.

Example:
  quartet rebuild --data /var/lib/quartet")]
pub struct RebuildArgs {
    #[command(flatten)]
    data: Data,
}

impl RebuildArgs {
    /// Makes them anew and says what is in them.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Data { data, key } = &self.data;
        let folder = data.join(JOURNAL);
        if !folder.is_dir() {
            bail!(
                "{} is no hub's data folder: it has no journal",
                data.display()
            );
        }
        if key.journal_key.is_some() {
            say(b"The journal is encrypted, so its lists are in the hub's memory alone: there is nothing to do.\n")?;
            return Ok(());
        }
        let clock = Clock::new();
        let options = LocalOptions {
            segment_bytes: 8 << 20, // No more room than needed: nothing is appended.
            ..LocalOptions::default()
        };
        let journal = match Local::open(&folder, options) {
            Err(OpenError::InUse { .. }) => bail!(
                "a hub uses {}; stop it first, or just delete views.sqlite: it makes a new one",
                data.display()
            ),
            opened => opened?,
        };
        let made = views::rebuild(data, &journal, clock.now())
            .with_context(|| format!("cannot make the lists of {}", data.display()))?;
        let took = clock.uptime();
        say(format!(
            "{} sessions and {} retained messages, made anew in {:.1} s\n",
            made.sessions,
            made.retained,
            took.as_secs_f64()
        )
        .as_bytes())?;
        Ok(())
    }
}

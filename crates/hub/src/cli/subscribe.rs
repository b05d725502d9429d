//! `quartet sub`: shows what is published.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use quartet_fabric::{
    mqtt::{Publish, RetainHandling, SubscribeFilter, Version},
    topic,
};

use super::{
    connection::Connection,
    out::say,
    show,
    values::{Level, duration},
};
use crate::client::{Client, ClientError, clock};

/// Who wants retained messages only has them all when none has come for so long.
const RETAINED_SILENCE: Duration = Duration::from_secs(1);

/// Between two tries to connect again: at first, and in the end.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Arguments of `quartet sub`.
#[derive(Args, Debug)]
#[command(after_help = "\
Filters: + stands for one level, # at the end for all levels below.

Examples:
  Watch everything but the broker's own figures:
    quartet sub '#'
  What is known right now about the things:
    quartet sub --retained-only 'things/#'
  Wait for the next alarm, for a minute at most, for a script:
    quartet sub --count 1 --timeout 1m --output raw '+/+/events/alarm'
  Collect readings as JSON, one object a line:
    quartet sub --output json 'things/+/properties/#' > readings.jsonl
  Share the work with others who do the same:
    quartet sub '$share/workers/jobs/#'")]
pub struct SubArgs {
    /// What to subscribe to
    #[arg(required = true, value_name = "FILTER")]
    filters: Vec<String>,
    /// 0: may get lost, 1: arrives, perhaps twice, 2: arrives once
    #[arg(short, long, value_name = "0|1|2", default_value = "0")]
    qos: Level,
    /// How to show messages
    #[arg(short, long, value_enum, default_value_t = Output::Readable)]
    output: Output,
    /// End after so many messages
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Leave out what was published before
    #[arg(long, conflicts_with = "retained_only")]
    no_retained: bool,
    /// Show only what was published before and kept, then end
    #[arg(long)]
    retained_only: bool,
    /// Show only messages whose payload contains this text
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Leave out topics that match this filter; may be repeated
    #[arg(short = 'x', long, value_name = "FILTER")]
    exclude: Vec<String>,
    /// End with an error when the connection is lost, instead of connecting again
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    connection: Connection,
}

/// How messages are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Output {
    /// Time, topic and payload; JSON is laid out
    Readable,
    /// One JSON object a line
    Json,
    /// The payload alone, and a line break
    Raw,
}

impl SubArgs {
    /// Shows messages until it is time to end.
    pub(super) fn run(self) -> anyhow::Result<()> {
        for filter in self.filters.iter().chain(&self.exclude) {
            topic::Filter::parse(filter)
                .with_context(|| format!("`{filter}` is no topic filter"))?;
        }
        let mut client = self.connection.connect()?;
        client.subscribe(self.subscriptions())?;
        let deadline = self.timeout.map(|timeout| clock::now() + timeout);
        let mut shown = 0;
        loop {
            let error = match self.watch(client, deadline, &mut shown) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let may_pass = error.downcast_ref().is_some_and(ClientError::may_pass);
            if !may_pass || self.once || self.retained_only {
                return Err(error);
            }
            eprintln!("{error}; trying again, what is said meanwhile is missed");
            let Some(again) = self.connect_again(deadline)? else {
                return self.end_at_deadline(shown);
            };
            eprintln!("connected again");
            client = again;
        }
    }

    /// Shows messages of one connection until it is time to end, or the connection is lost.
    fn watch(
        &self,
        mut client: Client,
        deadline: Option<Instant>,
        shown: &mut u64,
    ) -> anyhow::Result<()> {
        let mut heard_at = clock::now();
        while self.count.is_none_or(|count| *shown < count) {
            let Some(wait) = self.wait(deadline, heard_at) else {
                return self.end_at_deadline(*shown);
            };
            let Some(publish) = client.receive(wait)? else {
                continue;
            };
            if publish.retain {
                heard_at = clock::now();
            }
            if self.wants(&publish) {
                *shown += 1;
                if !self.show(&publish)? {
                    return Ok(());
                }
            }
        }
        client.disconnect()?;
        Ok(())
    }

    /// Tries until the broker is back, more and more rarely; `None` if the time is up before.
    fn connect_again(&self, deadline: Option<Instant>) -> anyhow::Result<Option<Client>> {
        let mut pause = PAUSE_MIN;
        loop {
            let rest = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()));
            if rest.is_some_and(|rest| rest.is_zero()) {
                return Ok(None);
            }
            clock::pause(rest.map_or(pause, |rest| rest.min(pause)));
            pause = (2 * pause).min(PAUSE_MAX);
            let connected = self.connection.connect().and_then(|mut client| {
                client.subscribe(self.subscriptions())?;
                Ok(client)
            });
            match connected {
                Ok(client) => return Ok(Some(client)),
                Err(error) if error.may_pass() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How long may be waited; `None` if it is time to end.
    fn wait(&self, deadline: Option<Instant>, heard_at: Instant) -> Option<Duration> {
        let silent = self.retained_only.then(|| heard_at + RETAINED_SILENCE);
        let Some(end) = deadline.into_iter().chain(silent).min() else {
            return Some(Duration::from_secs(3600));
        };
        end.checked_duration_since(clock::now())
            .filter(|rest| !rest.is_zero())
    }

    fn end_at_deadline(&self, shown: u64) -> anyhow::Result<()> {
        match self.count {
            Some(count) if shown < count => {
                bail!("the time is up: {shown} of {count} messages came")
            }
            _ => Ok(()),
        }
    }

    fn subscriptions(&self) -> Vec<SubscribeFilter> {
        let v5 = self.connection.version() == Version::V5;
        let filters = self.filters.iter().map(|filter| SubscribeFilter {
            filter: filter.as_str().into(),
            qos: self.qos.0,
            no_local: false,
            retain_as_published: false,
            retain_handling: if self.no_retained && v5 {
                RetainHandling::DoNotSend
            } else {
                RetainHandling::Send
            },
        });
        filters.collect()
    }

    fn wants(&self, publish: &Publish) -> bool {
        let excluded = |filter: &String| topic::matches(filter, &publish.topic);
        let is_of_wanted_age = if publish.retain {
            !self.no_retained
        } else {
            !self.retained_only
        };
        is_of_wanted_age
            && !self.exclude.iter().any(excluded)
            && self
                .grep
                .as_ref()
                .is_none_or(|text| contains(&publish.payload, text.as_bytes()))
    }

    /// `false` if nobody reads any more.
    fn show(&self, publish: &Publish) -> anyhow::Result<bool> {
        let mut text = Vec::new();
        match self.output {
            Output::Raw => {
                text.extend_from_slice(&publish.payload);
                text.push(b'\n');
            }
            Output::Json => show::json(publish, &clock::wall(), &mut text),
            Output::Readable => {
                let in_colour =
                    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                show::readable(publish, &clock::wall(), in_colour, &mut text);
            }
        }
        say(&text)
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty()
        || haystack
            .windows(needle.len())
            .any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_any_bytes() {
        assert!(contains(b"\xFFalarm\0", b"alarm"));
        assert!(contains(b"x", b""));
        assert!(!contains(b"alar", b"alarm"));
    }
}

//! `quartet pub`: publishes.

use std::{
    io::{self, BufRead, Read},
    path::PathBuf,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use quartet_fabric::{
    mqtt::{Property, Publish, Reason, Version},
    topic,
};

use super::{
    connection::Connection,
    values::{Level, duration},
};
use crate::client::Client;

/// Lines that are read ahead of what is published.
const LINES_AHEAD: usize = 64;

/// Arguments of `quartet pub`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  Switch a lamp on:
    quartet pub things/lamp/properties/on/write true
  Leave a value for those who ask later; an empty payload takes it away again:
    quartet pub --retain places/ward-3/properties/name 'Ward 3'
    quartet pub --retain places/ward-3/properties/name ''
  Publish each line of a log as a message of its own:
    tail -f app.log | quartet pub -l logs/app
  A reading a second, ten times, that is of no interest after a minute:
    quartet pub --repeat 10 --every 1s --expiry 1m things/pump/properties/rate 12.5")]
pub struct PubArgs {
    /// Where to publish; no + and no #
    topic: String,
    /// What to publish
    #[arg(conflicts_with_all = ["file", "lines"])]
    payload: Option<String>,
    /// Publish the content of a file; - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "lines")]
    file: Option<PathBuf>,
    /// Publish each line of standard input as a message
    #[arg(short, long, conflicts_with = "repeat")]
    lines: bool,
    /// 0: may get lost, 1: arrives, perhaps twice, 2: arrives once
    #[arg(short, long, value_name = "0|1|2", default_value = "0")]
    qos: Level,
    /// Keep the message for those who subscribe later
    #[arg(short, long)]
    retain: bool,
    /// Publish so many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    repeat: u64,
    /// How long to wait between repetitions
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    every: Duration,
    /// A user property; may be repeated (MQTT 5)
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = name_and_value)]
    properties: Vec<(String, String)>,
    /// What the payload is, such as application/json (MQTT 5)
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Where an answer is expected (MQTT 5)
    #[arg(long, value_name = "TOPIC")]
    response_topic: Option<String>,
    /// For how long the message is of interest (MQTT 5)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    expiry: Option<Duration>,
    #[command(flatten)]
    connection: Connection,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a property is written name=value".to_owned()),
    }
}

impl PubArgs {
    /// Publishes all that is to be published.
    pub(super) fn run(self) -> anyhow::Result<()> {
        topic::check_name(&self.topic)
            .with_context(|| format!("cannot publish to `{}`", self.topic))?;
        let message = self.message()?;
        if self.lines {
            return self.publish_lines(&message);
        }
        let payload = self.payload()?;
        let mut client = self.connection.connect()?;
        for i in 0..self.repeat {
            if 0 < i {
                pause(&mut client, self.every)?;
            }
            self.publish(&mut client, &message, payload.clone())?;
        }
        client.disconnect()?;
        Ok(())
    }

    fn publish(
        &self,
        client: &mut Client,
        message: &Publish,
        payload: Bytes,
    ) -> anyhow::Result<()> {
        let publish = Publish {
            payload,
            ..message.clone()
        };
        if client.publish(publish)? == Reason::NoMatchingSubscribers {
            eprintln!("quartet: nobody is subscribed to `{}`", self.topic);
        }
        Ok(())
    }

    fn payload(&self) -> anyhow::Result<Bytes> {
        match (&self.payload, &self.file) {
            (Some(text), _) => Ok(Bytes::from(text.clone())),
            (None, Some(path)) if path.as_os_str() == "-" => {
                let mut bytes = Vec::new();
                io::stdin()
                    .read_to_end(&mut bytes)
                    .context("cannot read standard input")?;
                Ok(bytes.into())
            }
            (None, Some(path)) => std::fs::read(path)
                .map(Into::into)
                .with_context(|| format!("cannot read {}", path.display())),
            (None, None) => bail!(
                "there is nothing to publish: give a PAYLOAD ('' for an empty one), -f FILE, or -l for lines from standard input"
            ),
        }
    }

    fn publish_lines(&self, message: &Publish) -> anyhow::Result<()> {
        let mut client = self.connection.connect()?;
        let (sender, lines) = mpsc::sync_channel(LINES_AHEAD);
        // Standard input cannot be waited for with a limit, and the connection wants a sign of
        // life now and then: so a thread of its own waits.
        thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || {
                for line in io::stdin().lock().split(b'\n') {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            })
            .context("cannot start a thread")?;
        loop {
            match lines.recv_timeout(Duration::from_secs(1)) {
                Ok(line) => {
                    let line = line.context("cannot read standard input")?;
                    self.publish(&mut client, message, line.into())?;
                }
                Err(RecvTimeoutError::Timeout) => {
                    client.receive(Duration::ZERO)?;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    client.disconnect()?;
                    return Ok(());
                }
            }
        }
    }

    /// The message without its payload.
    fn message(&self) -> anyhow::Result<Publish> {
        let mut properties = Vec::new();
        if let Some(text) = &self.content_type {
            Property::ContentType(text.as_str().into()).write(&mut properties);
        }
        if let Some(text) = &self.response_topic {
            topic::check_name(text).with_context(|| format!("no answer can come to `{text}`"))?;
            Property::ResponseTopic(text.as_str().into()).write(&mut properties);
        }
        for (name, value) in &self.properties {
            let property = Property::UserProperty(name.as_str().into(), value.as_str().into());
            property.write(&mut properties);
        }
        let expiry_s = self.expiry.map(|expiry| {
            // What is of interest for less than a second is of interest for one.
            expiry.as_secs().clamp(1, u64::from(u32::MAX)) as u32
        });
        let is_plain = properties.is_empty() && expiry_s.is_none();
        if !is_plain && self.connection.version() != Version::V5 {
            bail!("properties and expiry exist in MQTT 5 only; use --version 5, or leave them out");
        }
        Ok(Publish {
            dup: false,
            qos: self.qos.0,
            retain: self.retain,
            topic: self.topic.as_str().into(),
            packet_id: 0,
            alias: None,
            expiry_s,
            subscription_ids: Vec::new(),
            properties: properties.into(),
            payload: Bytes::new(),
        })
    }
}

/// Waits, and keeps the connection alive meanwhile. Nothing is subscribed to, so nothing comes.
fn pause(client: &mut Client, wait: Duration) -> anyhow::Result<()> {
    client.receive(wait)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_has_a_name_and_a_value() {
        let pair = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        assert_eq!(name_and_value("a=b=c"), pair("a", "b=c"));
        assert_eq!(name_and_value("a="), pair("a", ""));
        assert!(name_and_value("a").is_err());
        assert!(name_and_value("=b").is_err());
    }
}

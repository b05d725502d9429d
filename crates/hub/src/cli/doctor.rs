//! `quartet doctor`: finds out why it does not work, and says what would help.

use std::{
    net::{IpAddr, ToSocketAddrs},
    path::PathBuf,
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use quartet_fabric::mqtt::{Publish, Reason, RetainHandling, SubscribeFilter, Version};
use quartet_model::{Qos, Time};

use super::{connection::Connection, out::say};
use crate::{
    client::{self, Client, ClientError, ConnectOptions, Endpoint, clock},
    load::text,
    shell::{KeptByAcme, kept_by_acme},
};

/// Fewer files than this are few for a broker: each connection is one.
const FILES_WANTED: u64 = 65_536;

/// Less free disk than this is little.
const FREE_BYTES_WANTED: u64 = 1_000_000_000;

/// A clock that shows a year before this one was never set.
const YEAR_MIN: i16 = 2025;

/// Arguments of `quartet doctor`.
#[derive(Args, Debug)]
#[command(after_help = "\
Looks at the broker (name, TCP, CONNECT, a message there and back at each QoS) and at this computer
(clock, files, disk, the certificate for the hub's domains). Ends with exit code 1 if something does not work.

Examples:
  quartet doctor
  quartet doctor --url mqtts://hub.local --cafile quartet-ca.crt --user ana")]
pub struct DoctorArgs {
    /// Folder for everything that is kept
    #[arg(long, env = "QUARTET_DATA", value_name = "DIR", default_value = ".")]
    data: PathBuf,
    #[command(flatten)]
    connection: Connection,
}

/// How a check ended.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Finding {
    Good(String),
    /// It works, but.
    Doubtful(String),
    Bad(String),
}

struct Doctor {
    bad: u32,
}

impl Doctor {
    /// Prints a finding. Says whether it makes sense to look further.
    fn note(&mut self, what: &str, finding: Finding) -> anyhow::Result<bool> {
        let (mark, text) = match &finding {
            Finding::Good(text) => ("ok  ", text),
            Finding::Doubtful(text) => ("hm  ", text),
            Finding::Bad(text) => ("BAD ", text),
        };
        say(format!("{mark}{what:<14}{text}\n").as_bytes())?;
        let is_bad = matches!(finding, Finding::Bad(_));
        self.bad += u32::from(is_bad);
        Ok(!is_bad)
    }
}

impl DoctorArgs {
    /// Checks everything and prints what was found.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut doctor = Doctor { bad: 0 };
        say(format!("The broker at {}\n", self.connection.url).as_bytes())?;
        self.check_broker(&mut doctor)?;
        say(b"\nThis computer\n")?;
        doctor.note("clock", check_clock(&clock::wall()))?;
        doctor.note("open files", check_files())?;
        doctor.note("disk", self.check_disk())?;
        if let Some(kept) = kept_by_acme(&self.data) {
            doctor.note("certificate", check_certificate(&kept, &clock::wall()))?;
        }
        match doctor.bad {
            0 => Ok(()),
            1 => anyhow::bail!("one check failed; see BAD above"),
            n => anyhow::bail!("{n} checks failed; see BAD above"),
        }
    }

    fn check_broker(&self, doctor: &mut Doctor) -> anyhow::Result<()> {
        let url = &self.connection.url;
        if let Endpoint::Tcp { host, port } | Endpoint::Tls { host, port } = url
            && host.parse::<IpAddr>().is_err()
            && !doctor.note("name", check_name(host, *port))?
        {
            return Ok(());
        }
        if !doctor.note("reachable", check_reachable(url, self.connection.patience))? {
            return Ok(());
        }
        let mut options = self.connection.options();
        let Some(mut client) = self.connect(&mut options, doctor)? else {
            return Ok(());
        };
        let topic = format!("quartet-doctor/{}", options.client_id);
        if !doctor.note("subscription", subscribe(&mut client, &topic))? {
            return Ok(());
        }
        for level in 0..3 {
            let qos = Qos::from_level(level).expect("0, 1 and 2 are levels of QoS");
            let finding = round_trip(&mut client, &topic, qos, &options);
            if !doctor.note(&format!("QoS {level}"), finding)? {
                return Ok(());
            }
        }
        // All that was to be found out is found out.
        let _ = client.disconnect();
        Ok(())
    }

    /// Connects; if the broker does not seem to know MQTT 5, with 3.1.1. Some say so, as they
    /// should, others just close the connection.
    fn connect(
        &self,
        options: &mut ConnectOptions,
        doctor: &mut Doctor,
    ) -> anyhow::Result<Option<Client>> {
        let mut begun = clock::now();
        let mut result = Client::connect(&self.connection.url, options.clone());
        let knows_no_v5 = matches!(
            result,
            Err(ClientError::Closed(_)
                | ClientError::Refused {
                    reason: Reason::UnsupportedProtocolVersion,
                    ..
                })
        );
        if knows_no_v5 && options.version == Version::V5 {
            begun = clock::now();
            let older = ConnectOptions {
                version: Version::V311,
                ..options.clone()
            };
            let second = Client::connect(&self.connection.url, older.clone());
            if second.is_ok() {
                let what = "not spoken there; use --version 3.1.1, as is done from here on";
                doctor.note("MQTT 5", Finding::Doubtful(what.to_owned()))?;
                *options = older;
                result = second;
            }
        }
        let took = text_of(clock::now() - begun);
        match result {
            Ok(client) => {
                let what = format!("accepted after {took}");
                doctor.note("CONNECT", Finding::Good(what))?;
                Ok(Some(client))
            }
            Err(error) => {
                doctor.note("CONNECT", Finding::Bad(error.to_string()))?;
                Ok(None)
            }
        }
    }

    fn check_disk(&self) -> Finding {
        // The folder may be still to be made: its disk is that of the nearest one that exists.
        let existing = self.data.ancestors().find(|path| path.exists());
        let path = existing.unwrap_or(&self.data);
        match rustix::fs::statvfs(path) {
            Err(error) => Finding::Bad(format!("cannot look at {}: {error}", path.display())),
            Ok(disk) => disk_finding(
                disk.f_bavail.saturating_mul(disk.f_frsize),
                &path.display().to_string(),
            ),
        }
    }
}

fn disk_finding(free_bytes: u64, path: &str) -> Finding {
    let what = format!("{} free at {path}", text::bytes(free_bytes as f64));
    if free_bytes < FREE_BYTES_WANTED {
        Finding::Doubtful(format!(
            "{what}; that is little: make room, or choose another --data"
        ))
    } else {
        Finding::Good(what)
    }
}

fn check_reachable(url: &Endpoint, patience: Duration) -> Finding {
    let begun = clock::now();
    match client::reach(url, patience) {
        Ok(()) => {
            let took = text_of(clock::now() - begun);
            Finding::Good(format!("something takes connections there, after {took}"))
        }
        Err(error) => Finding::Bad(error.to_string()),
    }
}

fn check_name(host: &str, port: u16) -> Finding {
    let begun = clock::now();
    match (host, port).to_socket_addrs() {
        Ok(addresses) => {
            let mut list: Vec<_> = addresses.map(|address| address.ip().to_string()).collect();
            list.dedup();
            let took = text_of(clock::now() - begun);
            Finding::Good(format!("{host} is {} (found in {took})", list.join(", ")))
        }
        Err(why) => Finding::Bad(
            ClientError::Resolve {
                host: host.to_owned(),
                why,
            }
            .to_string(),
        ),
    }
}

fn subscribe(client: &mut Client, topic: &str) -> Finding {
    let begun = clock::now();
    let filter = SubscribeFilter {
        filter: topic.into(),
        qos: Qos::ExactlyOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    };
    match client.subscribe(vec![filter]) {
        Err(error) => Finding::Bad(error.to_string()),
        Ok(granted) if granted == [Qos::ExactlyOnce] => {
            Finding::Good(format!("granted after {}", text_of(clock::now() - begun)))
        }
        Ok(_) => Finding::Doubtful("granted, but at a lower QoS than asked for".to_owned()),
    }
}

fn round_trip(client: &mut Client, topic: &str, qos: Qos, options: &ConnectOptions) -> Finding {
    let begun = clock::now();
    let publish = Publish {
        dup: false,
        qos,
        retain: false,
        topic: topic.into(),
        packet_id: 0,
        alias: None,
        expiry_s: None,
        subscription_ids: Vec::new(),
        properties: Bytes::new(),
        payload: Bytes::from(format!("how are you, QoS {}?", qos.level())),
    };
    let payload = publish.payload.clone();
    if let Err(error) = client.publish(publish) {
        return Finding::Bad(error.to_string());
    }
    let taken = clock::now() - begun;
    loop {
        match client.receive(options.patience.saturating_sub(clock::now() - begun)) {
            Err(error) => return Finding::Bad(error.to_string()),
            Ok(None) => {
                return Finding::Bad(format!(
                    "the message did not come back within {}; may this client read what it writes to `{topic}`?",
                    text_of(options.patience)
                ));
            }
            Ok(Some(received)) if received.payload == payload => break,
            Ok(Some(_)) => {}
        }
    }
    let back = text_of(clock::now() - begun);
    Finding::Good(match qos {
        Qos::AtMostOnce => format!("there and back in {back}"),
        _ => format!(
            "there and back in {back}, acknowledged after {}",
            text_of(taken)
        ),
    })
}

fn check_clock(now: &jiff::Zoned) -> Finding {
    let shown = now.strftime("%Y-%m-%d %H:%M:%S %Z");
    if now.year() < YEAR_MIN {
        Finding::Bad(format!(
            "it is {shown}, says the clock; set it, certificates and time stamps depend on it"
        ))
    } else {
        Finding::Good(format!("{shown}"))
    }
}

/// What the hub has of an authority, and what became of the last order.
fn check_certificate(kept: &KeptByAcme, now: &jiff::Zoned) -> Finding {
    let now = u64::try_from(now.timestamp().as_microsecond()).map_or(Time::ZERO, Time::from_micros);
    let last = |(at, why): &(Time, String)| format!("; the order of {}: {why}", at.rfc3339());
    let failed = kept.failed.as_ref().map(last);
    let tail = failed.clone().unwrap_or_default();
    match &kept.certificate {
        None => Finding::Bad(format!("no certificate was issued yet{tail}")),
        Some(Err(why)) => Finding::Bad(format!("{why}{tail}")),
        Some(Ok((until, domains))) => {
            let (domains, at) = (domains.join(" "), until.rfc3339());
            match (*until <= now, failed) {
                (true, _) => Finding::Bad(format!("{domains}, over since {at}{tail}")),
                (false, Some(_)) => Finding::Doubtful(format!("{domains}, good until {at}{tail}")),
                (false, None) => Finding::Good(format!("{domains}, good until {at}")),
            }
        }
    }
}

fn check_files() -> Finding {
    let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    files_finding(
        limits.current.unwrap_or(u64::MAX),
        limits.maximum.unwrap_or(u64::MAX),
    )
}

fn files_finding(soft: u64, hard: u64) -> Finding {
    let what = if hard == u64::MAX {
        "as many as wanted".to_owned()
    } else {
        format!(
            "{} at a time, {} if raised",
            text::count(soft),
            text::count(hard)
        )
    };
    if hard < FILES_WANTED {
        Finding::Doubtful(format!(
            "{what}; each connection is one: for more clients set LimitNOFILE= in the service, or `ulimit -n`"
        ))
    } else {
        Finding::Good(what)
    }
}

fn text_of(duration: Duration) -> String {
    text::ns(duration.as_nanos() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_are_doubtful_and_say_what_to_do() {
        let Finding::Doubtful(text) = files_finding(1024, 4096) else {
            panic!("4096 files are few");
        };
        assert!(text.contains("1,024 at a time, 4,096 if raised"), "{text}");
        assert!(text.contains("LimitNOFILE"), "{text}");
        assert!(matches!(files_finding(1024, 1 << 20), Finding::Good(_)));
    }

    #[test]
    fn a_clock_that_was_never_set_is_bad() {
        let epoch = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
        assert!(matches!(check_clock(&epoch), Finding::Bad(_)));
    }

    #[test]
    fn a_full_disk_is_doubtful() {
        assert!(matches!(disk_finding(10, "/"), Finding::Doubtful(_)));
        assert!(matches!(disk_finding(u64::MAX, "/"), Finding::Good(_)));
    }
}

//! The real binary, from spawn to kill.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use quartet_fabric::mqtt::Packet;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::{
    board::now,
    chance::Chance,
    wire::{Wire, connect},
};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Queues and bursts of these tests are larger than a home's.
const LIMITS: &str = "\
[limits]
queue_messages_max = 4_000_000_000
outbox_bytes_max = \"64 MiB\"
publish_rate_max = 0
";

/// What each start needs.
pub(crate) struct Setup<'s> {
    pub(crate) program: &'s Path,
    /// Where configuration and log are.
    pub(crate) folder: &'s Path,
    pub(crate) lanes: u8,
}

/// A hub that was spawned and is not up yet, as far as we know.
pub(crate) struct Spawned {
    child: Child,
    since: Instant,
    addresses: Receiver<SocketAddr>,
}

/// A hub that is up. It is killed when dropped.
pub(crate) struct Hub {
    child: Child,
    pub(crate) at: SocketAddr,
    /// From spawn to CONNACK.
    pub(crate) recovery: Duration,
}

impl Setup<'_> {
    /// Writes the configuration. By chance messages wait in memory or on disk only, and what is
    /// kept is encrypted or not.
    pub(crate) fn prepare(&self, chance: &mut Chance) -> io::Result<()> {
        let queue_bytes_max = match chance.once_in(2) {
            true => "1 KiB",
            false => "2 GiB",
        };
        let mut text = format!("open = true\n{LIMITS}queue_bytes_max = \"{queue_bytes_max}\"\n");
        if chance.once_in(2) {
            text.push_str("[journal]\nkey = \"journal.key\"\n");
            fs::write(self.folder.join("journal.key"), "torture!".repeat(4))?;
        }
        fs::write(self.folder.join("quartet.toml"), text)
    }

    /// Starts the hub on this data folder and waits for nothing.
    pub(crate) fn spawn(&self, data: &Path) -> io::Result<Spawned> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("hub.log"))?;
        let mut command = Command::new(self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("QUARTET_") {
                command.env_remove(name);
            }
        }
        command.args(["run", "--log", "info", "--listen", "mqtt://127.0.0.1:0"]);
        command.args(["--lanes", &self.lanes.to_string()]);
        command
            .arg("--config")
            .arg(self.folder.join("quartet.toml"));
        command.arg("--data").arg(data);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let since = now();
        let mut child = command.spawn()?;
        let (sender, addresses) = mpsc::channel();
        if let Some(out) = child.stdout.take() {
            let reader = thread::Builder::new().name("hub's words".to_owned());
            reader.spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    let address = line.trim().strip_prefix("mqtt://").map(str::parse);
                    if let Some(Ok(address)) = address {
                        let _ = sender.send(address); // Nobody may want to know any more.
                    }
                }
            })?;
        }
        Ok(Spawned {
            child,
            since,
            addresses,
        })
    }

    /// The last lines of the log.
    pub(crate) fn end_of_log(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// All that was logged in all lives.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.folder.join("hub.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Spawned {
    /// Kills it after this time, or at once if it is up before. True if it was not up.
    pub(crate) fn kill_within(mut self, time: Duration) -> bool {
        let was_up = self.addresses.recv_timeout(time).is_ok();
        end(&mut self.child);
        !was_up
    }

    /// Waits until it answers CONNECT; or says why it does not.
    pub(crate) fn up(mut self) -> Result<Hub, String> {
        let at = match self.addresses.recv_timeout(PATIENCE) {
            Ok(at) => at,
            Err(error) => {
                let status = match error {
                    RecvTimeoutError::Timeout => "it says nothing".to_owned(),
                    RecvTimeoutError::Disconnected => match self.child.wait() {
                        Ok(status) => format!("it ended: {status}"),
                        Err(error) => format!("it cannot be waited for: {error}"),
                    },
                };
                end(&mut self.child);
                return Err(status);
            }
        };
        let answer = probe(at);
        let hub = Hub {
            child: self.child,
            at,
            recovery: self.since.elapsed(),
        };
        answer.map(|()| hub)
    }
}

fn probe(at: SocketAddr) -> Result<(), String> {
    let answer = || {
        let mut wire = Wire::open(at)?;
        wire.patience(PATIENCE)?;
        wire.put(&connect("probe", false, 10));
        wire.flush()?;
        wire.answer()
    };
    match answer() {
        Ok(Packet::ConnAck(ack)) if !ack.reason.is_error() => Ok(()),
        Ok(other) => Err(format!("it answers CONNECT with {other:?}")),
        Err(lost) => Err(format!("it does not answer CONNECT: {lost}")),
    }
}

impl Hub {
    /// Ends it as a crash would.
    pub(crate) fn kill(mut self) {
        end(&mut self.child);
    }

    /// Holds it: when this returns, none of its threads runs or waits for the disk.
    pub(crate) fn hold(&self) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("it has no process id"))?;
        kill_process(pid, Signal::STOP)?;
        waitpid(Some(pid), WaitOptions::UNTRACED)?;
        Ok(())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill(); // It may have ended.
    let _ = child.wait();
}

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Answer, Program, http, http::send, wait_for};

/// A hub that runs, with a data folder of its own.
pub(crate) struct Hub {
    program: Program,
    folder: TempDir,
    asked: Vec<String>,
    listeners: Vec<String>,
    /// The token of whoever looks after it, if anybody does.
    owner: Option<String>,
}

/// The binary, without what the environment might say about its configuration.
pub(crate) fn quartet() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quartet"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("QUARTET_") {
            command.env_remove(name);
        }
    }
    command
}

impl Hub {
    /// Starts a hub with these listeners and waits until it is up. Whoever is on this machine may do
    /// everything.
    #[track_caller]
    pub(crate) fn start(listeners: &[&str]) -> Self {
        Self::configured("", listeners)
    }

    /// The same, where nobody comes in without a name.
    #[track_caller]
    pub(crate) fn closed(listeners: &[&str]) -> Self {
        Self::configured("open = false\n", listeners)
    }

    /// The same, with a configuration file of this text; open, unless it says otherwise.
    #[track_caller]
    pub(crate) fn configured(toml: &str, listeners: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        Self::in_folder(folder, toml, listeners)
    }

    /// The same, in a folder that has something in it already, such as certificates.
    #[track_caller]
    pub(crate) fn in_folder(folder: TempDir, toml: &str, listeners: &[&str]) -> Self {
        let file = folder.path().join("quartet.toml");
        let open = match toml.contains("open = ") {
            true => "",
            false => "open = true\n",
        };
        fs::write(&file, format!("log = \"info\"\n{open}{toml}")).unwrap();
        let asked: Vec<String> = listeners.iter().map(ToString::to_string).collect();
        let (program, listeners) = begin(folder.path(), &asked);
        Self {
            program,
            folder,
            asked,
            listeners,
            owner: None,
        }
    }

    /// The same, where nobody comes in without a name, and `people/owner` looks after it.
    #[track_caller]
    pub(crate) fn owned(listeners: &[&str]) -> Self {
        Self::closed(listeners).with_owner()
    }

    /// Makes `people/owner` its owner, by the link that it says.
    #[track_caller]
    pub(crate) fn with_owner(mut self) -> Self {
        let code = self.first_code();
        let claim = json!({ "code": code, "id": "owner", "password": "tree lamp river stone" });
        let claimed = self.claim("POST /api/account/claim", &[], &claim);
        let cookie = claimed.headers["set-cookie"].split(';').next().unwrap();
        let wanted = json!({ "name": "tests" });
        let token = self.claim("POST /api/account/tokens", &[("cookie", cookie)], &wanted);
        self.owner = token.json()["token"].as_str().map(str::to_owned);
        self
    }

    /// The code of the first owner's link, as the hub says it.
    #[track_caller]
    pub(crate) fn first_code(&self) -> String {
        wait_for("the first owner's link", || {
            let said = self.said();
            let link = said.iter().find_map(|line| line.split_once("/start#"));
            link.map(|(_, code)| code.to_owned())
        })
    }

    #[track_caller]
    fn claim(&self, request: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let answer = http(self.at("http://"), request, headers, &body.to_string());
        assert_eq!(answer.status, 201, "{request}: {}", answer.body);
        answer
    }

    /// What its owner shows as bearer; empty if it has none.
    pub(crate) fn owner(&self) -> &str {
        self.owner.as_deref().unwrap_or_default()
    }

    /// A request of its owner, or of nobody if it has none.
    pub(crate) fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send(request, headers, body.as_bytes())
    }

    /// The same with a body that need not be text.
    pub(crate) fn send(&self, request: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let bearer = format!("Bearer {}", self.owner());
        let mut headers = headers.to_vec();
        if self.owner.is_some() {
            headers.push(("authorization", &bearer));
        }
        send(self.at("http://"), request, &headers, body)
    }

    /// Whenever it begins again it listens where it does now, so that those who were there find it.
    pub(crate) fn stays(&mut self) {
        self.asked.clone_from(&self.listeners);
    }

    /// It dies at once, and another one begins in the same folder, with the same configuration.
    #[track_caller]
    pub(crate) fn die_and_begin_again(&mut self) {
        self.program.kill();
        (self.program, self.listeners) = begin(self.folder.path(), &self.asked);
    }

    /// It dies at once; the one that follows it dies as soon as it has been there for this time, up or
    /// not; and then another one begins.
    #[track_caller]
    pub(crate) fn die_twice_and_begin_again(&mut self, after: Duration) {
        self.program.kill();
        self.program = Program::start(&mut run(self.folder.path(), &self.asked));
        thread::park_timeout(after); // It is not waited for anything: this is when it dies.
        self.die_and_begin_again();
    }

    /// The address of the first listener whose URL starts with `start`.
    #[track_caller]
    pub(crate) fn at(&self, start: &str) -> SocketAddr {
        let url = self.listeners.iter().find(|url| url.starts_with(start));
        let url = url.unwrap_or_else(|| panic!("no {start} in {:?}", self.listeners));
        let (_, address) = url.split_once("://").unwrap();
        let address = address.split('?').next().unwrap();
        address.trim_end_matches('/').parse().unwrap()
    }

    /// The port of the first listener of a scheme.
    #[track_caller]
    pub(crate) fn port(&self, scheme: &str) -> u16 {
        self.at(&format!("{scheme}://")).port()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Its configuration file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("quartet.toml")
    }

    /// The folder that is its own, and vanishes with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it said so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.program.out()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.program.err()
    }

    /// Waits until its log contains `text`.
    #[track_caller]
    pub(crate) fn logs(&self, text: &str) {
        self.program.complains(text);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.program.ended()
    }
}

/// A hub that is up, and where it listens.
#[track_caller]
fn begin(folder: &Path, asked: &[String]) -> (Program, Vec<String>) {
    let mut program = Program::start(&mut run(folder, asked));
    program.says("What to do next:");
    let out = program.out();
    let listeners = out.iter().skip_while(|line| !line.starts_with("  "));
    let listeners = listeners.take_while(|line| line.contains("://"));
    let listeners = listeners.map(|line| line.trim().to_owned()).collect();
    (program, listeners)
}

/// What starts a hub.
fn run(folder: &Path, asked: &[String]) -> Command {
    let mut command = quartet();
    command
        .arg("run")
        .arg("--config")
        .arg(folder.join("quartet.toml"));
    command.arg("--data").arg(folder.join("data"));
    for listener in asked {
        command.args(["--listen", listener]);
    }
    command
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.program.kill();
        let log = self.log();
        if thread::panicking() {
            eprintln!("the hub's log:\n{log}");
        } else {
            assert!(!log.contains("panicked"), "{log}");
        }
    }
}

/// Bytes of memory that a process has in use.
pub(crate) fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{PATIENCE, wait_for};

/// A program that runs; what it says is kept line by line. It is killed when dropped.
pub(crate) struct Program {
    child: Child,
    out: Arc<Mutex<Vec<String>>>,
    err: Arc<Mutex<Vec<String>>>,
}

impl Program {
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command.stdin(Stdio::null()))
    }

    #[track_caller]
    fn start_with(command: &mut Command) -> Self {
        let name = command.get_program().to_owned();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot start {name:?} ({error}); `cargo xtask test` installs what is needed"
                )
            });
        let out = keep_lines(child.stdout.take().unwrap());
        let err = keep_lines(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said so far.
    pub(crate) fn out(&self) -> Vec<String> {
        self.out.lock().unwrap().clone()
    }

    /// What it complained about so far.
    pub(crate) fn err(&self) -> String {
        self.err.lock().unwrap().join("\n")
    }

    /// Waits until it says a line that starts with `start`.
    #[track_caller]
    pub(crate) fn says(&mut self, start: &str) -> String {
        self.hears(start, |line| line.starts_with(start))
    }

    #[track_caller]
    fn hears(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        wait_for(what, || {
            let found = self.out().into_iter().find(|line| is_it(line));
            if found.is_none() && self.child.try_wait().unwrap().is_some() {
                let (out, err) = (self.out(), self.err());
                panic!("it ended without saying {what:?}: {out:?} {err}");
            }
            found
        })
    }

    /// Waits until it complains about `text`.
    #[track_caller]
    pub(crate) fn complains(&self, text: &str) {
        wait_for(text, || self.err().contains(text).then_some(()));
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let status = wait_for("the end of a program", || self.child.try_wait().unwrap());
        // Its last lines may still be on their way.
        wait_for("its last lines", || {
            (Arc::strong_count(&self.out) == 1 && Arc::strong_count(&self.err) == 1).then_some(())
        });
        status
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill(); // It may have ended.
        let _ = self.child.wait();
    }
}

/// A foreign program that does steps: each is a line of JSON, and leads to a line with what came
/// out. It is killed when dropped.
pub(crate) struct Driver {
    program: Program,
    steps: ChildStdin,
    /// Lines that were looked at.
    heard: usize,
}

impl Driver {
    /// Starts it, and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with_value(command).0
    }

    /// The same, with what it says when it is.
    #[track_caller]
    pub(crate) fn start_with_value(command: &mut Command) -> (Self, Value) {
        let mut program = Program::start_with(command.stdin(Stdio::piped()));
        let steps = program.child.stdin.take().unwrap();
        let mut driver = Self {
            program,
            steps,
            heard: 0,
        };
        // Some have much to read before they begin.
        let deadline = Instant::now() + 4 * PATIENCE;
        while driver.program.out().is_empty() && Instant::now() < deadline {
            thread::park_timeout(Duration::from_millis(50)); // Other processes cannot wake us.
        }
        let value = driver.result("start");
        (driver, value)
    }

    /// Lets it do a step; it must succeed. Gives what came out.
    #[track_caller]
    pub(crate) fn step(&mut self, step: &Value) -> Value {
        writeln!(self.steps, "{step}").unwrap();
        self.result(step["do"].as_str().unwrap())
    }

    #[track_caller]
    fn result(&mut self, name: &str) -> Value {
        let mut result = wait_for(name, || {
            let out = self.program.out();
            let lines = out.iter().enumerate().skip(self.heard);
            let mut lines = lines.filter_map(|(at, line)| {
                let line: Value = serde_json::from_str(line).ok()?;
                (line["do"] == name).then_some((at, line))
            });
            if let Some((at, line)) = lines.next() {
                self.heard = at + 1;
                return Some(line);
            }
            if self.program.child.try_wait().unwrap().is_some() {
                panic!("it ended: {out:?} {}", self.program.err());
            }
            None
        });
        assert_eq!(result["error"], Value::Null, "{result}");
        result["value"].take()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

fn keep_lines(from: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            kept.lock().unwrap().push(line);
        }
    });
    lines
}

/// Runs a program to its end; it must succeed. Returns what it said.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> Vec<String> {
    let start = Instant::now();
    let mut program = Program::start(command);
    let status = program.ended();
    let (out, err) = (program.out(), program.err());
    assert!(
        status.success() && start.elapsed() < PATIENCE,
        "{command:?}: {status}\n{}\n{err}",
        out.join("\n")
    );
    out
}

/// Python with paho-mqtt.
pub(crate) fn python() -> Command {
    Command::new(tool("QUARTET_TEST_PYTHON", "python/bin/python"))
}

/// Home Assistant's Python.
pub(crate) fn home_assistant() -> Command {
    let python = tool("QUARTET_TEST_HOMEASSISTANT", "homeassistant/bin/python");
    Command::new(python)
}

/// Python with a real ACME server.
pub(crate) fn acme() -> Command {
    Command::new(tool("QUARTET_TEST_ACME", "acme/bin/python"))
}

/// Node that finds mqtt.js.
pub(crate) fn node() -> Command {
    let mut node = Command::new("node");
    node.env(
        "NODE_PATH",
        tool("QUARTET_TEST_NODE_MODULES", "node/node_modules"),
    );
    node
}

/// Node that finds the reference client of the Web of Things.
pub(crate) fn node_wot() -> Command {
    let mut node = Command::new("node");
    node.env(
        "NODE_PATH",
        tool("QUARTET_TEST_NODE_WOT", "node-wot/node_modules"),
    );
    node
}

/// Node that drives a real browser, and finds a real identity provider.
pub(crate) fn browser() -> Command {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found = env::split_paths(&path).map(|folder| folder.join("chromium"));
    let chromium = found.find(|file| file.is_file());
    let chromium = chromium.expect("`cargo xtask test` installs chromium");
    let mut node = Command::new("node");
    node.env("CHROMIUM", chromium);
    node.env(
        "NODE_PATH",
        tool("QUARTET_TEST_BROWSER", "browser/node_modules"),
    );
    node
}

/// Where `cargo xtask test` put something: it says so by a variable; without it, where it
/// usually does.
fn tool(variable: &str, usual: &str) -> PathBuf {
    let cache = || {
        env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| env::home_dir().map(|home| home.join(".cache")))
            .unwrap()
    };
    env::var_os(variable).map_or_else(|| cache().join("quartet").join(usual), PathBuf::from)
}

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Instant,
};

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
        let name = command.get_program().to_owned();
        let mut child = command
            .stdin(Stdio::null())
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

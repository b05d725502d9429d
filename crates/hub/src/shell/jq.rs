//! Expressions that may never end and definitions that somebody tries, computed in a process of its
//! own: nobody can interrupt jq, but a process can be ended.
//!
//! The program runs itself once more as the worker, which reads questions and writes answers, a
//! line of JSON each. Whoever asks ends a worker that has not answered in time; should that one be
//! dead, the kernel does, since each question gets so much time of the processor and no more.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use quartet_process::{expr::Question, fast::Draft};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a worker is asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Asked {
    /// What an expression gives.
    Expression(Question),
    /// What an event would lead to.
    Draft(Draft),
}

/// So long one answer may take.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(1);
/// An answer has no more bytes.
const ANSWER_BYTES_MAX: u64 = 8 << 20;
/// The worker's memory, all of it.
const MEMORY_BYTES_MAX: u64 = 2 << 30;
/// The command that makes a worker of the program.
pub(crate) const COMMAND: &str = "jq-worker";

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("this did not end within {} s", TIME_MAX.as_secs())]
    Late,
    #[error("this takes more memory than an expression may have, or calls itself without an end")]
    Died,
    #[error("this gives more than {ANSWER_BYTES_MAX} bytes")]
    Long,
    #[error("no worker for expressions can be started: {0}")]
    Worker(String),
}

/// Whoever computes expressions for others: one at a time.
#[derive(Default)]
pub(crate) struct Jq {
    worker: Mutex<Option<Worker>>,
}

struct Worker {
    child: Child,
    input: ChildStdin,
    answers: mpsc::Receiver<String>,
}

impl Jq {
    /// Asks a question; blocks until there is an answer, [`TIME_MAX`] after the worker is free.
    pub(crate) fn ask(&self, question: &Asked) -> Result<Value, NoAnswer> {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = serde_json::to_string(question).unwrap_or_default();
        line.push('\n');
        // The worker of the last question may have been ended by somebody else since.
        let mut asked = None;
        for _ in 0..2 {
            let mut one = match worker.take() {
                Some(worker) => worker,
                None => Worker::start().map_err(|why| NoAnswer::Worker(why.to_string()))?,
            };
            if one.input.write_all(line.as_bytes()).is_ok() {
                asked = Some(one);
                break;
            }
            one.end();
        }
        let Some(asked) = asked else {
            return Err(NoAnswer::Died);
        };
        let answer = match asked.answers.recv_timeout(TIME_MAX) {
            Ok(line) if line.ends_with('\n') => {
                serde_json::from_str(&line).map_err(|_| NoAnswer::Died)
            }
            Ok(line) if line.len() as u64 == ANSWER_BYTES_MAX => Err(NoAnswer::Long),
            Ok(_) => Err(NoAnswer::Died),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(NoAnswer::Late),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(NoAnswer::Died),
        };
        match &answer {
            Ok(_) => *worker = Some(asked),
            Err(_) => asked.end(),
        }
        answer
    }
}

impl Drop for Jq {
    fn drop(&mut self) {
        let worker = self.worker.get_mut();
        if let Some(worker) = worker.unwrap_or_else(PoisonError::into_inner).take() {
            worker.end();
        }
    }
}

impl Worker {
    fn start() -> std::io::Result<Self> {
        let mut child = Command::new(program()?)
            .arg(COMMAND)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("it has no input or output"));
        };
        let (said, answers) = mpsc::channel();
        thread::Builder::new()
            .name("jq".to_owned())
            .spawn(move || {
                let mut output = BufReader::new(output);
                loop {
                    // No more of an answer is read than whoever asks takes.
                    let mut line = String::new();
                    let read = (&mut output).take(ANSWER_BYTES_MAX).read_line(&mut line);
                    if !read.is_ok_and(|length| 0 < length) || said.send(line).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            child,
            input,
            answers,
        })
    }

    fn end(mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program that runs, also if another one stands in its place by now.
fn program() -> std::io::Result<std::path::PathBuf> {
    let running = std::path::Path::new("/proc/self/exe");
    match running.exists() {
        true => Ok(running.to_owned()),
        false => std::env::current_exe(),
    }
}

/// The worker: answers what is asked on standard input until nobody asks any more.
pub(crate) fn work() -> anyhow::Result<()> {
    limit_memory();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        limit_time();
        let answer = match serde_json::from_str::<Asked>(&line?) {
            Ok(Asked::Expression(question)) => question.answer(),
            Ok(Asked::Draft(draft)) => draft.answer(),
            Err(error) => json!({ "error": error.to_string() }),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

#[cfg(unix)]
fn limit_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let most = Rlimit {
        current: Some(MEMORY_BYTES_MAX),
        maximum: Some(MEMORY_BYTES_MAX),
    };
    // Without it the time alone is a bound.
    let _ = setrlimit(Resource::As, most);
}

/// The kernel ends the worker some time after whoever asked does, should that be dead.
#[cfg(unix)]
fn limit_time() {
    use rustix::{
        process::{Resource, Rlimit, setrlimit},
        time::{ClockId, clock_gettime},
    };
    let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec;
    let most = u64::try_from(used).unwrap_or_default() + TIME_MAX.as_secs() + 2;
    let most = Rlimit {
        current: Some(most),
        maximum: None,
    };
    let _ = setrlimit(Resource::Cpu, most);
}

#[cfg(not(unix))]
fn limit_memory() {}

#[cfg(not(unix))]
fn limit_time() {}

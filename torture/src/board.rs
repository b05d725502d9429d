//! What the clients and the one who kills the hub tell each other: whether a hub is up and
//! where, how far everybody is, and what is to be done now. All wait here, for conditions.

use std::{
    collections::{BTreeSet, HashSet},
    net::SocketAddr,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    history::{Finding, Kind},
    message::MessageId,
};

/// How long nothing at all may happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same, once something is wrong: what is lost will not come.
const LITTLE_PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether somebody wants us to stop.
const LOOK: Duration = Duration::from_millis(200);

/// What the clients are to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Subscribe; say nothing.
    Begin,
    /// Say as much as goes; come and go.
    Load,
    /// Say nothing new, be there, and finish what was begun.
    Drain,
    /// Say a few last things.
    Farewell,
    /// Stop.
    Over,
}

/// One life of the hub, from a start to a kill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Life {
    /// From 1.
    pub(crate) number: u64,
    /// Where its MQTT port is.
    pub(crate) at: SocketAddr,
    /// How large the payloads are that are said in it, at most.
    pub(crate) payload_bytes_max: usize,
}

/// How far things are.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    life: Option<Life>,
    /// PUBACK and PUBREC that came, in all.
    pub(crate) acks: u64,
    /// Bytes that were heard, in all.
    pub(crate) bytes: u64,
    /// Bytes that were said, in all.
    pub(crate) bytes_said: u64,
    /// Messages that were said.
    said: usize,
    /// What each client has not finished.
    owed: Vec<usize>,
    /// Who has subscribed.
    pub(crate) subscribed: usize,
    /// In which life the farewell of each publisher was said.
    farewells: Vec<u64>,
    /// What each group heard.
    heard: Vec<HashSet<MessageId>>,
    /// Topics where something that was to be retained was acknowledged.
    pub(crate) retained_at: BTreeSet<String>,
    findings: Vec<Finding>,
    /// Counts whatever happens.
    steps: u64,
}

/// What a client did with what it read.
#[derive(Default, Debug)]
pub(crate) struct Progress {
    /// How many bytes came.
    pub(crate) bytes: usize,
    /// How many PUBACK and PUBREC.
    pub(crate) acks: u64,
    /// How many messages were said anew.
    pub(crate) said: usize,
    /// The life in which these are a publisher's last words.
    pub(crate) farewell: Option<u64>,
    /// With how many bytes.
    pub(crate) bytes_said: usize,
    /// What is not finished now.
    pub(crate) owed: usize,
    /// Topics where something that was to be retained was acknowledged.
    pub(crate) retained_at: Vec<String>,
    /// What was heard, and by which group.
    pub(crate) heard: Vec<(usize, MessageId)>,
}

/// Why waiting ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waited {
    /// It holds.
    Holds,
    /// Nothing happened for too long.
    InVain,
    /// Somebody wants us to stop.
    Stopped,
}

/// See the module.
pub(crate) struct Board {
    state: Mutex<State>,
    changed: Condvar,
    stop: Arc<AtomicBool>,
}

impl Board {
    /// For so many clients, the first of which publish, and groups. `stop` ends all waiting.
    pub(crate) fn new(
        clients: usize,
        publishers: usize,
        groups: usize,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let state = State {
            phase: Phase::Begin,
            life: None,
            acks: 0,
            bytes: 0,
            bytes_said: 0,
            said: 0,
            owed: vec![0; clients],
            subscribed: 0,
            farewells: vec![0; publishers],
            heard: vec![HashSet::new(); groups],
            retained_at: BTreeSet::new(),
            findings: Vec::new(),
            steps: 0,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            stop,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        state.steps += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// The hub is up.
    pub(crate) fn open(&self, life: Life) {
        self.change(|state| state.life = Some(life));
    }

    /// The hub is about to be killed: whose connection ends from now on need not wonder.
    pub(crate) fn close(&self) {
        self.change(|state| state.life = None);
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.change(|state| state.phase = phase);
    }

    /// A client says how far it is.
    pub(crate) fn note(&self, client: usize, progress: Progress) {
        self.change(|state| {
            state.acks += progress.acks;
            state.bytes += progress.bytes as u64;
            state.said += progress.said;
            state.bytes_said += progress.bytes_said as u64;
            state.owed[client] = progress.owed;
            if let Some(life) = progress.farewell {
                state.farewells[client] = life;
            }
            state.retained_at.extend(progress.retained_at);
            for (group, id) in progress.heard {
                state.heard[group].insert(id);
            }
        });
    }

    /// A client has its subscriptions.
    pub(crate) fn subscribed(&self) {
        self.change(|state| state.subscribed += 1);
    }

    pub(crate) fn is_farewell_said(&self, publisher: usize, life: Life) -> bool {
        self.state().farewells[publisher] == life.number
    }

    pub(crate) fn find(&self, kind: Kind, says: impl Into<String>) {
        self.change(|state| state.findings.push(Finding::new(kind, says)));
    }

    /// A finding, unless this life has ended: what a dying hub does surprises nobody.
    pub(crate) fn find_in(&self, life: Life, kind: Kind, says: impl Into<String>) {
        self.change(|state| {
            if state.life == Some(life) {
                state.findings.push(Finding::new(kind, says));
            }
        });
    }

    pub(crate) fn take_findings(&self) -> Vec<Finding> {
        std::mem::take(&mut self.state().findings)
    }

    /// The next life of the hub that a client wants; `None` when all is over.
    pub(crate) fn next_life(&self, mut wants: impl FnMut(Life, Phase) -> bool) -> Option<Life> {
        let mut state = self.state();
        loop {
            if state.phase == Phase::Over {
                return None;
            }
            if let Some(life) = state.life
                && wants(life, state.phase)
            {
                return Some(life);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until `holds`, for as long as anything happens.
    pub(crate) fn wait(&self, holds: impl Fn(&State) -> bool) -> Waited {
        let mut state = self.state();
        let mut last = (state.steps, now());
        loop {
            if holds(&state) {
                return Waited::Holds;
            }
            if self.stop.load(Ordering::Relaxed) {
                return Waited::Stopped;
            }
            let patience = match state.findings.is_empty() {
                true => PATIENCE,
                false => LITTLE_PATIENCE,
            };
            if state.steps != last.0 {
                last = (state.steps, now());
            } else if patience < last.1.elapsed() {
                return Waited::InVain;
            }
            let waited = self.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl State {
    /// Everything said was acknowledged, heard by all, and nobody owes anything.
    pub(crate) fn is_drained(&self) -> bool {
        let is_heard = |heard: &HashSet<MessageId>| heard.len() == self.said;
        self.owed.iter().all(|&owed| owed == 0) && self.heard.iter().all(is_heard)
    }

    /// Everybody said farewell in this life.
    pub(crate) fn all_said_farewell(&self, life: u64) -> bool {
        self.farewells.iter().all(|&said| said == life)
    }

    /// What is missing, for a message.
    pub(crate) fn missing(&self) -> String {
        let heard: Vec<usize> = self.heard.iter().map(HashSet::len).collect();
        format!(
            "{} messages were said, the groups heard {heard:?}, the clients have not finished {:?}",
            self.said, self.owed
        )
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the torture measures and waits in real time"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

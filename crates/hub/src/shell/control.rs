//! How the rest of the hub asks the lanes: questions and messages of the HTTP API, figures,
//! new limits. Everything runs on the lane that it concerns, between two of its turns.

use std::sync::Arc;

use quartet_fabric::mqtt::Fault;
use quartet_model::{Event, Said, Time};
use quartet_store::Journal;
use tokio::sync::{mpsc, oneshot};

use super::{
    clock::Clock,
    letterbox::{Letter, LetterBox},
};
use crate::{
    config::Limits,
    flow::{Figures, Flow, Who, home},
};

/// A handle on all lanes; cheap to clone.
#[derive(Clone)]
pub struct Control {
    boxes: Arc<[Arc<LetterBox>]>,
    clock: Clock,
    journal: Arc<dyn Journal>,
}

/// The lanes ended: the hub is going down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the hub is shutting down")]
pub struct Ended;

/// What a stream of the API brings.
#[derive(Clone, Debug)]
pub enum StreamItem {
    /// Something that was said.
    Event(Arc<Event>),
    /// So many events came faster than they were read.
    Missed(u64),
}

/// What a lane needs to begin a stream.
pub(super) struct OpenStream {
    pub(super) who: Who,
    pub(super) filters: Vec<String>,
    pub(super) items: mpsc::Sender<StreamItem>,
    pub(super) answer: oneshot::Sender<Result<(), Fault>>,
}

/// A message of the API, on its way to a lane.
pub(super) struct Call {
    pub(super) who: Who,
    pub(super) said: Said,
    pub(super) answer: oneshot::Sender<Result<bool, Fault>>,
}

/// Events that a stream may be behind.
const STREAM_EVENTS_MAX: usize = 1024;

impl Control {
    pub(super) fn new(
        boxes: Arc<[Arc<LetterBox>]>,
        clock: Clock,
        journal: Arc<dyn Journal>,
    ) -> Self {
        Self {
            boxes,
            clock,
            journal,
        }
    }

    /// How much room the journal takes on the disk, in bytes.
    pub fn journal_bytes(&self) -> u64 {
        self.journal.bytes()
    }

    /// How much of that long payloads take, as files beside it.
    pub fn blob_bytes(&self) -> u64 {
        self.journal.body_bytes()
    }

    /// How many lanes there are.
    pub fn lanes(&self) -> usize {
        self.boxes.len()
    }

    /// The hub's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Asks one lane.
    pub async fn ask<A: Send + 'static>(
        &self,
        lane: usize,
        question: impl FnOnce(&mut Flow, Time) -> A + Send + 'static,
    ) -> Result<A, Ended> {
        let (answer, answered) = oneshot::channel();
        self.boxes[lane].post(Letter::Do(Box::new(move |flow, now| {
            // Whoever asked may have gone.
            let _ = answer.send(question(flow, now));
        })));
        answered.await.map_err(|_| Ended)
    }

    /// Tells all lanes.
    pub fn tell_all(&self, tell: impl Fn(&mut Flow, Time) + Clone + Send + 'static) {
        for box_ in &*self.boxes {
            let tell = tell.clone();
            box_.post(Letter::Do(Box::new(move |flow, now| tell(flow, now))));
        }
    }

    /// Tells the lane that `name` belongs to.
    pub fn tell_home(&self, name: &str, tell: impl FnOnce(&mut Flow, Time) + Send + 'static) {
        let lane = home(name, self.lanes());
        self.boxes[usize::from(lane)].post(Letter::Do(Box::new(tell)));
    }

    /// Asks the lane that `name` belongs to.
    pub async fn ask_home<A: Send + 'static>(
        &self,
        name: &str,
        question: impl FnOnce(&mut Flow, Time) -> A + Send + 'static,
    ) -> Result<A, Ended> {
        let lane = home(name, self.lanes());
        self.ask(usize::from(lane), question).await
    }

    /// Publishes for the API. Says whether anybody gets it, once it is safe if it is of QoS 1 or
    /// 2.
    pub async fn say(&self, who: Who, said: Said) -> Result<Result<bool, Fault>, Ended> {
        let topic = said.topic.clone();
        let (answer, answered) = oneshot::channel();
        let lane = home(&topic, self.lanes());
        self.boxes[usize::from(lane)].post(Letter::Say(Box::new(Call { who, said, answer })));
        answered.await.map_err(|_| Ended)
    }

    /// Begins to receive what matches any of `filters`.
    pub async fn listen(
        &self,
        who: Who,
        filters: Vec<String>,
    ) -> Result<Result<mpsc::Receiver<StreamItem>, Fault>, Ended> {
        let (items, received) = mpsc::channel(STREAM_EVENTS_MAX);
        let (answer, answered) = oneshot::channel();
        let lane = home(filters.first().map_or("", |filter| filter), self.lanes());
        self.boxes[usize::from(lane)].post(Letter::OpenStream(OpenStream {
            who,
            filters,
            items,
            answer,
        }));
        let answer = answered.await.map_err(|_| Ended)?;
        Ok(answer.map(|()| received))
    }

    /// What all lanes counted.
    pub async fn figures(&self) -> Result<Figures, Ended> {
        let mut sum = Figures::default();
        for lane in 0..self.lanes() {
            sum = sum.plus(&self.ask(lane, |flow, _| flow.figures()).await?);
        }
        Ok(sum)
    }

    /// New limits for what happens from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.tell_all(move |flow, _| flow.set_limits(limits));
    }

    pub(super) fn shut_down(&self) {
        for box_ in &*self.boxes {
            box_.post(Letter::ShutDown);
        }
    }
}

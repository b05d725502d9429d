//! How the rest of the hub asks the lanes: questions and messages of the HTTP API, figures,
//! new limits. Everything runs on the lane that it concerns, between two of its turns.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use quartet_fabric::mqtt::Fault;
use quartet_model::{Event, EventId, Said, Time};
use quartet_store::Journal;
use tokio::sync::{mpsc, oneshot};

use super::{
    clock::Clock,
    letterbox::{Letter, LetterBox},
};
use crate::{
    config::Limits,
    flow::{Figures, Flow, Who, home_of_topic},
};

/// A handle on all lanes; cheap to clone.
#[derive(Clone)]
pub struct Control {
    boxes: Arc<[Arc<LetterBox>]>,
    flows: Arc<[Arc<Mutex<Flow>>]>,
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

/// What became of a message of the API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// The event that it became.
    pub id: EventId,
    /// Whether anybody gets it.
    pub has_receivers: bool,
}

/// What makes a message.
type Prepare = dyn FnOnce(&mut Flow, Time) -> Option<Said> + Send;

/// A message of the API, on its way to a lane.
pub(super) struct Call {
    pub(super) who: Who,
    /// Makes the message of what the lane knows, if there is to be one.
    pub(super) prepare: Box<Prepare>,
    pub(super) answer: oneshot::Sender<Result<Told, Fault>>,
}

/// How long to wait for others that look at a lane.
const LOOK: Duration = Duration::from_micros(50);
/// Events that a stream may be behind.
const STREAM_EVENTS_MAX: usize = 1024;

impl Control {
    pub(super) fn new(
        boxes: Arc<[Arc<LetterBox>]>,
        flows: Arc<[Arc<Mutex<Flow>>]>,
        clock: Clock,
        journal: Arc<dyn Journal>,
    ) -> Self {
        Self {
            boxes,
            flows,
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

    /// Asks one lane, between two of its turns.
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

    /// Looks at what one lane knows: at once if it sleeps, else between two of its turns.
    ///
    /// `look` changes nothing that anybody is to be told of: the lane would not notice.
    pub async fn look<A: Send + 'static>(
        &self,
        lane: usize,
        look: impl FnOnce(&mut Flow, Time) -> A + Send + 'static,
    ) -> Result<A, Ended> {
        match self.look_now(lane, look) {
            Ok(answer) => Ok(answer),
            Err(look) => self.ask(lane, look).await,
        }
    }

    /// The same if the lane sleeps and has nothing in its box; else gives the question back.
    fn look_now<A, L: FnOnce(&mut Flow, Time) -> A>(&self, lane: usize, look: L) -> Result<A, L> {
        let box_ = &self.boxes[lane];
        if !box_.is_asleep() {
            return Err(look);
        }
        // Whoever else looks is ready in a moment.
        match self.flows[lane].try_lock_for(LOOK) {
            // What was posted before this question comes before it.
            Some(mut flow) if !box_.has_letters() => Ok(look(&mut flow, self.clock.now())),
            _ => Err(look),
        }
    }

    /// Looks at what the lane that keeps a topic knows.
    pub async fn look_home<A: Send + 'static>(
        &self,
        topic: &str,
        look: impl FnOnce(&mut Flow, Time) -> A + Send + 'static,
    ) -> Result<A, Ended> {
        let lane = home_of_topic(topic, self.lanes());
        self.look(usize::from(lane), look).await
    }

    /// Tells all lanes.
    pub fn tell_all(&self, tell: impl Fn(&mut Flow, Time) + Clone + Send + 'static) {
        for box_ in &*self.boxes {
            let tell = tell.clone();
            box_.post(Letter::Do(Box::new(move |flow, now| tell(flow, now))));
        }
    }

    /// Tells the lane that keeps a topic.
    pub fn tell_home(&self, topic: &str, tell: impl FnOnce(&mut Flow, Time) + Send + 'static) {
        let lane = home_of_topic(topic, self.lanes());
        self.boxes[usize::from(lane)].post(Letter::Do(Box::new(tell)));
    }

    /// Publishes for the API. Says what became of it, once it is safe if it is of QoS 1 or 2.
    pub async fn say(&self, who: Who, said: Said) -> Result<Result<Told, Fault>, Ended> {
        let topic = said.topic.clone();
        self.say_if(who, &topic, |_, _| Ok(said)).await
    }

    /// The same for what `prepare` makes of what the lane that keeps `topic` knows; nothing
    /// comes in between.
    pub async fn say_if<E: From<Fault> + Send + 'static>(
        &self,
        who: Who,
        topic: &str,
        prepare: impl FnOnce(&mut Flow, Time) -> Result<Said, E> + Send + 'static,
    ) -> Result<Result<Told, E>, Ended> {
        let (answer, answered) = oneshot::channel();
        let (object, objected) = oneshot::channel();
        let prepare = |flow: &mut Flow, now| match prepare(flow, now) {
            Ok(said) => Some(said),
            Err(why) => {
                let _ = object.send(why); // Whoever asked may have gone.
                None
            }
        };
        let call = Call {
            who,
            prepare: Box::new(prepare),
            answer,
        };
        let lane = home_of_topic(topic, self.lanes());
        self.boxes[usize::from(lane)].post(Letter::Say(Box::new(call)));
        if let Ok(answer) = answered.await {
            return Ok(answer.map_err(E::from));
        }
        objected.await.map(Err).map_err(|_| Ended)
    }

    /// Returns when all that the lane that keeps `topic` has done so far is safe.
    pub async fn settle(&self, topic: &str) -> Result<(), Ended> {
        let (answer, answered) = oneshot::channel();
        self.tell_home(topic, move |flow, now| {
            flow.when_safe(
                Box::new(move || {
                    let _ = answer.send(()); // Whoever asked may have gone.
                }),
                now,
            );
        });
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
        let lane = home_of_topic(filters.first().map_or("", |filter| filter), self.lanes());
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
            sum = sum.plus(&self.look(lane, |flow, _| flow.figures()).await?);
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

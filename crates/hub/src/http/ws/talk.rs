use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    pin::Pin,
    time::Duration,
};

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, close_code},
    http::StatusCode,
};
use quartet_model::EventId;
use quartet_people::audit::Door;
use quartet_things::webthing::{
    self, Body, Head, Interest, Outgoing, Subscriptions, Tasks, Unread,
};
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_stream::{Stream, StreamExt, StreamMap, wrappers::ReceiverStream};

use super::{
    super::{Api, audit::Tried, problem::Problem},
    consumer::Asked,
    key_of, thing,
};
use crate::shell::{Ended, StreamItem};

/// How often the other side is asked whether it is there; it must answer before the next time.
const PING: Duration = Duration::from_secs(30);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Where something was heard.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Source {
    /// What a consumer wants to hear.
    Interest(Interest),
    /// How far an invocation is that a consumer asked for.
    Invocation(EventId),
    /// What is wanted of an element that is served here.
    Served(String),
}

/// What comes of a source.
pub(super) enum Heard {
    Item(StreamItem),
    /// Nothing more: whoever listens may not any longer.
    End,
}

/// Why a socket ends.
#[derive(Debug)]
pub(super) enum End {
    /// The other side said goodbye.
    Goodbye,
    /// It is gone.
    Lost(&'static str),
    /// The hub ends it: a code of RFC 6455, section 7.4, and a reason for people.
    Close(u16, Cow<'static, str>),
}

/// Why nobody can stay who may not come in any more.
const REVOKED: &str = "the credential holds no more; come in with another one";

/// What has to be there before a socket is.
pub(super) struct Talk {
    api: Api,
    /// Ends when whoever came in may not be here any more, or the hub ends.
    watch: mpsc::Receiver<StreamItem>,
    served: Vec<(String, mpsc::Receiver<StreamItem>)>,
    patience: Duration,
}

/// One socket and all that is known of it.
pub(super) struct Open {
    pub(super) api: Api,
    socket: WebSocket,
    patience: Duration,
    ping: Interval,
    is_there: bool,
    pub(super) heard: StreamMap<Source, Pin<Box<dyn Stream<Item = Heard> + Send>>>,
    pub(super) subscriptions: Subscriptions,
    pub(super) asked: HashMap<EventId, Asked>,
    /// When the answers to synchronous actions are due, the first one first.
    pub(super) due: VecDeque<(Instant, EventId)>,
    pub(super) tasks: Tasks,
}

impl Talk {
    /// Looks whether whoever asks may be here, and listens to what is wanted of what it serves.
    pub(super) async fn prepare(api: Api, keys: &[String]) -> Result<Self, Problem> {
        // Nothing is heard there but that it ends.
        let own = api
            .who()
            .holder()
            .map(|holder| holder.element().to_string());
        let own = own.unwrap_or_else(|| "$quartet/nothing".to_owned());
        let watch = api.listen(vec![own]).await?;
        let mut served = Vec::new();
        for key in keys {
            served.push((key.clone(), thing::listen(&api, key).await?));
        }
        let limits = api.control.look(0, |flow, _| *flow.limits()).await?;
        Ok(Self {
            api,
            watch,
            served,
            patience: Duration::from_secs(limits.slow_consumer_s.into()),
        })
    }

    /// Talks until one side ends it.
    pub(super) async fn hold(self, socket: WebSocket) {
        let Self {
            api,
            mut watch,
            served,
            patience,
        } = self;
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        let mut open = Open {
            api: api.clone(),
            socket,
            patience,
            ping,
            is_there: true,
            heard: StreamMap::new(),
            subscriptions: Subscriptions::default(),
            asked: HashMap::new(),
            due: VecDeque::new(),
            tasks: Tasks::default(),
        };
        let keys: Vec<String> = served.iter().map(|(key, _)| key.clone()).collect();
        thing::begin(&api, &keys);
        let end = tokio::select! {
            end = open.talk(served) => end,
            () = ended(&mut watch) => cut_off(&api, REVOKED).await,
        };
        thing::end(&api, &keys, &end);
        tracing::debug!(?end, "a web socket of things ended");
        let _ = timeout(GOODBYE, open.say_goodbye(end)).await; // It may be gone.
    }
}

/// Returns when nothing more is heard.
async fn ended(watch: &mut mpsc::Receiver<StreamItem>) {
    while watch.recv().await.is_some() {}
}

/// Nothing more is heard: the hub ends, or else that is why.
async fn cut_off(api: &Api, otherwise: &'static str) -> End {
    let mut is_ending = api.who().holder().is_none(); // Nobody takes anything from others.
    for lane in 0..api.control.lanes() {
        is_ending = is_ending || api.control.look(lane, |_, _| ()).await.is_err();
    }
    match is_ending {
        true => End::Close(close_code::AWAY, Ended.to_string().into()),
        false => End::Close(close_code::POLICY, otherwise.into()),
    }
}

impl Open {
    async fn talk(&mut self, served: Vec<(String, mpsc::Receiver<StreamItem>)>) -> End {
        for (key, items) in served {
            self.follow(Source::Served(key.clone()), items);
            if let Err(end) = self.ask_what_waits(&key).await {
                return end;
            }
        }
        loop {
            let due = self.due.front().map(|(at, _)| *at);
            let done = tokio::select! {
                message = self.socket.recv() => self.take(message).await,
                Some((source, heard)) = self.heard.next() => self.pass_on(source, heard).await,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.answer_late().await,
                _ = self.ping.tick() => self.ping().await,
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// From now on what comes there is heard.
    pub(super) fn follow(&mut self, source: Source, items: mpsc::Receiver<StreamItem>) {
        let items = ReceiverStream::new(items).map(Heard::Item);
        let all = items.chain(tokio_stream::once(Heard::End));
        self.heard.insert(source, Box::pin(all));
    }

    async fn take(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.is_there = true;
        match message {
            None => Err(End::Lost("its connection broke")),
            Some(Err(error)) => Err(end_of(error)),
            Some(Ok(Message::Text(text))) => self.hear(text.as_str()).await,
            Some(Ok(Message::Binary(_))) => {
                let what = "messages are JSON, as text; this one is binary";
                Err(End::Close(close_code::UNSUPPORTED, what.into()))
            }
            Some(Ok(Message::Close(_))) => Err(End::Goodbye),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()), // The library answers.
        }
    }

    async fn hear(&mut self, text: &str) -> Result<(), End> {
        // What was granted and taken since it came in holds now, as it does for each request over HTTP.
        match self.api.still().await {
            Ok(who) => self.api.who = who,
            Err(_) => return Err(cut_off(&self.api, REVOKED).await),
        }
        let message = match webthing::read(text) {
            Ok(message) => message,
            Err(Unread { head, what }) => {
                return self
                    .refuse(&head, &Problem::new(StatusCode::BAD_REQUEST, what))
                    .await;
            }
        };
        let head = message.head;
        let key = match key_of(&message.thing) {
            Ok(key) => key,
            Err(problem) => return self.refuse(&head, &problem).await,
        };
        let done = match message.body {
            Body::Request(request) => match self.answer(&head, &key, request).await {
                Ok(Some(outgoing)) => return self.send(&outgoing).await,
                Ok(None) => Ok(()),
                Err(problem) => Err(problem),
            },
            Body::Response(response) => self.hear_response(&head, response).await?,
            Body::Notification(notification) => {
                self.hear_notification(&head, &key, notification).await?
            }
        };
        match done {
            Ok(()) => Ok(()),
            Err(problem) => self.refuse(&head, &problem).await,
        }
    }

    async fn pass_on(&mut self, source: Source, heard: Heard) -> Result<(), End> {
        let item = match heard {
            Heard::Item(item) => item,
            Heard::End if matches!(source, Source::Invocation(_)) => return Ok(()),
            Heard::End => {
                let what = "what may be heard here was changed; come in again";
                return Err(cut_off(&self.api, what).await);
            }
        };
        match source {
            Source::Interest(interest) => self.tell(&interest, item).await,
            Source::Invocation(id) => self.tell_status(id, item).await,
            Source::Served(key) => self.ask_thing(&key, item).await,
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        if !self.is_there {
            return Err(End::Lost("it does not answer"));
        }
        self.is_there = false;
        self.put(Message::Ping(bytes::Bytes::new())).await
    }

    pub(super) async fn refuse(&mut self, head: &Head, problem: &Problem) -> Result<(), End> {
        self.api.note_refusal(
            problem,
            &Tried {
                door: Door::WebSocket,
                demand: None,
                method: head.operation.as_deref().unwrap_or_default(),
                path: head.thing.as_deref().unwrap_or("/api/ws"),
            },
        );
        let refusal = refusal(head, problem);
        self.send(&refusal).await
    }

    pub(super) async fn send(&mut self, outgoing: &Outgoing) -> Result<(), End> {
        self.put(Message::text(outgoing.to_text())).await
    }

    /// Whoever does not read holds up nobody but itself, and that not for ever.
    async fn put(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.patience, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Lost("its connection broke")),
            Err(_) => Err(End::Lost("it does not read")),
        }
    }

    async fn say_goodbye(&mut self, end: End) {
        if let End::Close(code, reason) = end {
            let reason = short(&reason).into();
            let close = Message::Close(Some(CloseFrame { code, reason }));
            if self.socket.send(close).await.is_err() {
                return;
            }
        }
        // The close of the other side, or what is still on its way before it.
        while let Some(Ok(_)) = self.socket.recv().await {}
    }
}

/// A refusal as a message. The draft has types of its own for what is common.
pub(super) fn refusal(head: &Head, problem: &Problem) -> Outgoing {
    let mut error = problem.to_json();
    let status = problem.status().as_u16();
    if matches!(status, 400 | 403 | 404 | 500 | 503) {
        error["type"] = format!("https://w3c.github.io/web-thing-protocol/errors#{status}").into();
    }
    Outgoing {
        error: Some(error),
        ..Outgoing::response(head, new_id())
    }
}

/// The name of a message that nobody else has.
pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// What the other side did that no WebSocket does.
fn end_of(error: axum::Error) -> End {
    use tungstenite::Error;
    let error = error.into_inner();
    let code = match error.downcast_ref::<Error>() {
        Some(Error::Capacity(_)) => close_code::SIZE,
        Some(Error::Utf8(_)) => close_code::INVALID,
        Some(Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
            return End::Lost("its connection broke");
        }
        Some(Error::Protocol(_)) => close_code::PROTOCOL,
        _ => return End::Lost("its connection broke"),
    };
    End::Close(code, error.to_string().into())
}

/// As much as a close frame can say (RFC 6455, section 5.5).
fn short(reason: &str) -> &str {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

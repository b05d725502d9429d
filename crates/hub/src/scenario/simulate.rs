//! A world with sockets and a clock: each of its clients is an MQTT connection of its own, with a thread that speaks and
//! listens; the world itself goes on in one place, and is told the time and what was heard.
//!
//! A connection that is lost is made again, and says anew what there is. What is retained and said faster than it is taken is
//! said as it is last.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, SyncSender, TryRecvError, TrySendError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bytes::Bytes;
use quartet_fabric::mqtt::{Login as MqttLogin, Publish, RetainHandling, SubscribeFilter, Will};
use quartet_model::{Qos, Time};
use quartet_scenario::world::{self, Message, Out, World};
use serde_json::Value;

use crate::client::{Asker, Client, ClientError, ConnectOptions, Endpoint, Trust, clock};

/// How long a client listens before it looks whether there is something to say.
const LISTEN: Duration = Duration::from_millis(5);
/// Messages that wait for a client; while there are more the world waits.
const WAITING_MAX: usize = 1000;
/// What was heard and not looked at yet.
const HEARD_MAX: usize = 10_000;
const PAUSE: Duration = Duration::from_millis(500);
/// The world is looked at so often at least.
const TURN_MAX: Duration = Duration::from_millis(200);

/// By what a client comes in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// Where the broker is, and whose certificate is believed.
#[derive(Clone, Debug)]
pub(crate) struct Sockets {
    pub(crate) url: Endpoint,
    pub(crate) trust: Trust,
}

impl Sockets {
    /// Where the hub says that it listens for MQTT.
    pub(crate) fn of(hub: &Asker, url: Option<&Endpoint>) -> anyhow::Result<Self> {
        let trust = match hub.cafile() {
            Some(file) => Trust::CaFile(file.clone()),
            None => Trust::None,
        };
        if let Some(url) = url {
            let url = url.clone();
            return Ok(Self { url, trust });
        }
        // Each description says how its element is reached through the hub.
        let some = hub.ask("GET", "/things?limit=100", None)?.body;
        let mut found = Vec::new();
        addresses(&some, &mut found);
        let plain = found.iter().find(|url| url.starts_with("mqtt://"));
        let Some(url) = plain.or(found.first()) else {
            bail!("the hub does not say where it listens for MQTT; say it with --url");
        };
        let end = url.find("://").map_or(0, |at| at + 3);
        let length = url[end..].find('/').map_or(url.len(), |at| end + at);
        let url = url[..length].parse();
        let url = url.context("the hub says where it listens for MQTT in words of its own")?;
        Ok(Self { url, trust })
    }
}

/// All addresses of MQTT in a description.
fn addresses(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(href) = members.get("href").and_then(Value::as_str)
                && (href.starts_with("mqtt://") || href.starts_with("mqtts://"))
                && !href.starts_with("mqtt:///")
            {
                found.push(href.to_owned());
            }
            members.values().for_each(|value| addresses(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| addresses(value, found)),
        _ => {}
    }
}

/// What a client tells the world.
enum News {
    /// It is connected, and hears what it wants to.
    Came(usize),
    /// It heard something.
    Heard(usize, String, Bytes),
    /// It cannot come in, or not any more.
    Ended(String, ClientError),
}

/// A simulation that runs.
pub(crate) struct Simulation {
    world: World,
    speed: f64,
    begun: Instant,
    clients: Vec<Speaker>,
    news: Receiver<News>,
    stop: Arc<AtomicBool>,
    has_begun: bool,
    came: Vec<bool>,
    ended: Option<String>,
}

struct Speaker {
    says: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
    /// What its queue had no room for, the last at each topic that retains.
    waits: Vec<Message>,
}

impl Simulation {
    /// Lets all clients come in. The world begins when all of them are there.
    pub(crate) fn start(
        world: World,
        speed: f64,
        sockets: &Sockets,
        logins: Vec<Login>,
    ) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, news) = mpsc::sync_channel(HEARD_MAX);
        let mut clients = Vec::new();
        for (at, login) in logins.into_iter().enumerate() {
            let (says, to_say) = mpsc::sync_channel(WAITING_MAX);
            let connection = Connection {
                at,
                client: world.clients()[at].clone(),
                sockets: sockets.clone(),
                login,
                to_say,
                tell: tell.clone(),
                stop: Arc::clone(&stop),
            };
            let thread = thread::Builder::new()
                .name(format!("simulated-{at}"))
                .spawn(move || connection.run())
                .context("cannot start a thread")?;
            clients.push(Speaker {
                says,
                thread: Some(thread),
                waits: Vec::new(),
            });
        }
        let came = vec![false; clients.len()];
        Ok(Self {
            world,
            speed,
            begun: clock::now(),
            clients,
            news,
            stop,
            has_begun: false,
            came,
            ended: None,
        })
    }

    /// Why it cannot go on, if it cannot.
    pub(crate) fn ended(&self) -> Option<String> {
        self.ended.clone()
    }

    /// The time of the story.
    pub(crate) fn time(&self) -> Time {
        let passed = (clock::now() - self.begun).mul_f64(self.speed);
        self.world.begins().after(passed)
    }

    /// One turn: what was heard, what time brought, and what follows from both. Says what failed in the files, once.
    pub(crate) fn turn(&mut self) -> Option<String> {
        let wait = self.world.tick().div_f64(self.speed.max(0.001));
        let first = self.news.recv_timeout(wait.clamp(LISTEN, TURN_MAX)).ok();
        let mut out = Vec::new();
        let mut next = first;
        while let Some(news) = next {
            match news {
                News::Came(at) => self.note_coming(at, &mut out),
                News::Heard(at, topic, payload) if self.has_begun => {
                    out.extend(self.world.hear(at, &topic, &payload));
                }
                News::Heard(..) => {}
                News::Ended(who, why) => {
                    self.ended = Some(format!("{who} cannot come in: {why}"));
                }
            }
            next = self.news.try_recv().ok();
        }
        if self.has_begun {
            let now = self.time();
            out.extend(latest(self.world.advance(now)));
        }
        self.say(out);
        self.world.take_failure()
    }

    fn note_coming(&mut self, at: usize, out: &mut Vec<Out>) {
        let is_again = std::mem::replace(&mut self.came[at], true);
        if self.has_begun && is_again {
            out.extend(self.world.say_again(at));
        } else if !self.has_begun && self.came.iter().all(|came| *came) {
            self.has_begun = true;
            self.begun = clock::now();
            out.extend(self.world.begin());
        }
    }

    fn say(&mut self, out: Vec<Out>) {
        for Out { client, message } in out {
            let waits = &mut self.clients[client].waits;
            if message.retain {
                waits.retain(|older| !(older.retain && older.topic == message.topic));
            }
            waits.push(message);
        }
        for speaker in &mut self.clients {
            let mut rest = Vec::new();
            for message in std::mem::take(&mut speaker.waits) {
                if !rest.is_empty() {
                    rest.push(message);
                    continue;
                }
                match speaker.says.try_send(message) {
                    Ok(()) | Err(TrySendError::Disconnected(_)) => {}
                    Err(TrySendError::Full(message)) => rest.push(message),
                }
            }
            // Whoever is away for long misses what does not stay.
            let excess = rest.len().saturating_sub(WAITING_MAX);
            rest.drain(..excess);
            speaker.waits = rest;
        }
    }

    /// The clients say what they say last, and go.
    pub(crate) fn end(mut self) {
        if self.has_begun {
            let out = self.world.end();
            self.say(out);
        }
        self.stop.store(true, Ordering::Relaxed);
        for speaker in &mut self.clients {
            if let Some(thread) = speaker.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

/// What is said in one go, each retained topic as it is last.
fn latest(out: Vec<Out>) -> Vec<Out> {
    let mut last: HashMap<(usize, String), usize> = HashMap::new();
    for (at, one) in out.iter().enumerate() {
        if one.message.retain {
            last.insert((one.client, one.message.topic.clone()), at);
        }
    }
    let kept = out.into_iter().enumerate().filter(|(at, one)| {
        let key = (one.client, one.message.topic.clone());
        !one.message.retain || last.get(&key) == Some(at)
    });
    kept.map(|(_, one)| one).collect()
}

/// One connection, in its thread.
struct Connection {
    at: usize,
    client: world::Client,
    sockets: Sockets,
    login: Login,
    to_say: Receiver<Message>,
    tell: SyncSender<News>,
    stop: Arc<AtomicBool>,
}

impl Connection {
    fn run(self) {
        while !self.stop.load(Ordering::Relaxed) {
            match self.session() {
                Ok(()) => return,
                Err(error) if error.may_pass() => clock::pause(PAUSE),
                Err(error) => {
                    let who = self.client.element.clone();
                    let _ = self.tell.send(News::Ended(who, error));
                    return;
                }
            }
        }
    }

    /// One connection from its beginning to its end.
    fn session(&self) -> Result<(), ClientError> {
        let will = self.client.will.as_ref().map(|will| Will {
            topic: will.topic.as_str().into(),
            payload: will.payload.clone().into(),
            qos: Qos::AtLeastOnce,
            retain: will.retain,
            delay_s: 0,
            expiry_s: None,
            properties: Bytes::new(),
        });
        let options = ConnectOptions {
            client_id: format!("scenario-{}-{}", self.client.name, std::process::id()),
            login: MqttLogin {
                user_name: Some(self.login.user.as_str().into()),
                password: Some(self.login.password.clone().into()),
            },
            will,
            keep_alive_s: 20,
            trust: self.sockets.trust.clone(),
            ..ConnectOptions::default()
        };
        let mut client = Client::connect(&self.sockets.url, options)?;
        let filters = self.client.hears.iter().map(|filter| SubscribeFilter {
            filter: filter.as_str().into(),
            qos: Qos::AtLeastOnce,
            no_local: true,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        });
        let filters: Vec<SubscribeFilter> = filters.collect();
        if !filters.is_empty() {
            client.subscribe(filters)?;
        }
        if self.tell.send(News::Came(self.at)).is_err() {
            return Ok(());
        }
        loop {
            let is_over = self.stop.load(Ordering::Relaxed);
            loop {
                match self.to_say.try_recv() {
                    Ok(message) => {
                        client.publish(publish(message))?;
                    }
                    Err(TryRecvError::Empty) if !is_over => break,
                    Err(_) => return client.disconnect(),
                }
            }
            let mut heard = client.receive(LISTEN)?;
            while let Some(publish) = heard {
                let news = News::Heard(self.at, publish.topic.to_string(), publish.payload);
                match self.tell.try_send(news) {
                    // A device that is told more than it can take misses some of it.
                    Ok(()) | Err(TrySendError::Full(_)) => {}
                    Err(TrySendError::Disconnected(_)) => return client.disconnect(),
                }
                heard = client.receive(Duration::ZERO)?;
            }
        }
    }
}

fn publish(message: Message) -> Publish {
    Publish {
        dup: false,
        qos: Qos::AtLeastOnce,
        retain: message.retain,
        topic: message.topic.into(),
        packet_id: 0,
        alias: None,
        expiry_s: None,
        subscription_ids: Vec::new(),
        properties: Bytes::new(),
        payload: message.payload.into(),
    }
}

//! The hub is killed while many wishes are said, many values reported and many commands given.

use std::{
    collections::{HashMap, HashSet},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use bytes::{Bytes, BytesMut};
use quartet_fabric::mqtt::{
    Ack, Connect, Packet, Properties, Property, Publish, Reason, Subscribe, Version, decode,
    frame_length,
};
use quartet_model::Qos;
use serde_json::{Value, json};

use crate::support::{Hub, PATIENCE, http, wait_for};

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];
const THINGS: usize = 20;
const UPDATES: usize = 10_000;
const COMMANDS: usize = 1_000;

/// What was acknowledged, and by whom.
#[derive(Default)]
struct Promises {
    /// The last value that each thing reported.
    reported: HashMap<usize, u64>,
    /// The last wish that was said to each thing.
    wanted: HashMap<usize, u64>,
    /// Where it is said what became of each command, with its input.
    asked: Vec<(String, u64)>,
    /// How often each command was carried out, by where that is said.
    runs: HashMap<String, u32>,
    /// Commands that the hub knows to be carried out.
    confirmed: HashSet<String>,
}

/// A client of MQTT that says one thing after the other.
struct Device {
    wire: TcpStream,
    buffer: BytesMut,
}

impl Device {
    fn connect(at: SocketAddr, id: &str, is_lasting: bool) -> Option<Self> {
        let wire = TcpStream::connect(at).ok()?;
        wire.set_read_timeout(Some(PATIENCE)).ok()?;
        wire.set_nodelay(true).ok()?;
        let mut device = Self {
            wire,
            buffer: BytesMut::new(),
        };
        let expiry = Property::SessionExpiryInterval(if is_lasting { 3600 } else { 0 });
        let connect = Connect {
            version: Version::V5,
            client_id: id.into(),
            clean_start: !is_lasting,
            keep_alive_s: 0,
            login: Default::default(),
            will: None,
            properties: Properties::none().with(expiry),
        };
        device.say(&Packet::Connect(Box::new(connect)))?;
        match device.hear()? {
            Packet::ConnAck(ack) if ack.reason == Reason::Success => Some(device),
            other => panic!("{other:?}"),
        }
    }

    /// `None` when the hub is gone.
    fn say(&mut self, packet: &Packet) -> Option<()> {
        let mut bytes = Vec::new();
        packet.encode(Version::V5, &mut bytes);
        self.wire.write_all(&bytes).ok()
    }

    fn hear(&mut self) -> Option<Packet> {
        loop {
            if let Some(length) = frame_length(&self.buffer, usize::MAX).unwrap()
                && length <= self.buffer.len()
            {
                let frame: Bytes = self.buffer.split_to(length).freeze();
                return Some(decode(&frame, Version::V5).unwrap());
            }
            let mut part = [0; 4096];
            match self.wire.read(&mut part) {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.buffer.extend_from_slice(&part[..read]),
            }
        }
    }

    fn publish(&mut self, packet_id: u16, topic: &str, payload: &str) -> Option<()> {
        self.say(&Packet::Publish(Publish {
            dup: false,
            qos: Qos::AtLeastOnce,
            retain: false,
            topic: topic.into(),
            packet_id,
            alias: None,
            expiry_s: None,
            subscription_ids: Vec::new(),
            properties: Bytes::new(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        }))
    }
}

fn td(n: usize) -> String {
    let forms = json!([{ "href": "coap://a.example/" }]);
    json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "id": format!("urn:quartet:things:t{n}"),
        "title": format!("Thing {n}"),
        "securityDefinitions": { "none": { "scheme": "nosec" } },
        "security": "none",
        "properties": {
            "level": { "type": "integer", "forms": forms },
            "count": { "type": "integer", "readOnly": true, "forms": forms },
        },
        "actions": { "run": { "input": { "type": "integer" }, "forms": forms } },
    })
    .to_string()
}

/// Reports values until enough were said or the hub dies.
fn report(at: SocketAddr, first: usize, promises: &Mutex<Promises>, said: &AtomicUsize) {
    let Some(mut device) = Device::connect(at, &format!("reporter-{first}"), false) else {
        return;
    };
    for round in 1_u64.. {
        for n in (first..THINGS).step_by(2) {
            if UPDATES <= said.fetch_add(1, Ordering::Relaxed) {
                return;
            }
            let topic = format!("things/t{n}/properties/count");
            let is_acknowledged = device
                .publish(1, &topic, &round.to_string())
                .and_then(|()| device.hear());
            match is_acknowledged {
                Some(Packet::PubAck(_)) => {
                    promises.lock().unwrap().reported.insert(n, round);
                }
                Some(other) => panic!("{other:?}"),
                None => return,
            }
        }
    }
}

/// Says wishes and gives commands over MQTT until enough were given or the hub dies; what an
/// acknowledgement promises is that the hub has them.
fn ask(at: SocketAddr, first: usize, promises: &Mutex<Promises>, asked: &AtomicUsize) {
    for round in 1_u64.. {
        for n in (first..THINGS).step_by(2) {
            if COMMANDS <= asked.fetch_add(1, Ordering::Relaxed) {
                return;
            }
            let put = format!("PUT /api/things/t{n}/properties/level");
            match request(at, &put, round) {
                Some((204, _)) => {
                    promises.lock().unwrap().wanted.insert(n, round);
                }
                Some(other) => panic!("{other:?}"),
                None => return,
            }
            let input = round * 1000 + n as u64;
            match request(at, &format!("POST /api/things/t{n}/actions/run"), input) {
                Some((201, location)) => promises.lock().unwrap().asked.push((location, input)),
                Some(other) => panic!("{other:?}"),
                None => return,
            }
        }
    }
}

/// A request and its answer, as status and `Location`; `None` when the hub is gone.
fn request(at: SocketAddr, what: &str, body: u64) -> Option<(u16, String)> {
    let mut wire = TcpStream::connect(at).ok()?;
    wire.set_read_timeout(Some(PATIENCE)).ok()?;
    let body = body.to_string();
    let head = format!(
        "{what} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    wire.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    wire.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let location = answer
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    Some((status, location.unwrap_or_default().to_owned()))
}

/// Carries out what the things are asked to do, until the hub dies: it runs the command, says so,
/// and acknowledges the command then.
fn carry_out(mut device: Device, promises: &Mutex<Promises>) {
    let mut said: HashMap<u16, String> = HashMap::new();
    let mut next_id = 1_u16;
    while let Some(packet) = device.hear() {
        match packet {
            Packet::Publish(told) => {
                let properties = Properties::of_wire(&told.properties);
                let answer_at = properties.find(|property| match property {
                    Property::ResponseTopic(topic) => Some(topic.to_string()),
                    _ => None,
                });
                let answer_at = answer_at.expect("where to answer");
                *promises
                    .lock()
                    .unwrap()
                    .runs
                    .entry(answer_at.clone())
                    .or_default() += 1;
                said.insert(next_id, answer_at.clone());
                let done = format!(
                    "{{\"status\":\"completed\",\"output\":{}}}",
                    String::from_utf8_lossy(&told.payload)
                );
                let ack = Ack {
                    packet_id: told.packet_id,
                    reason: Reason::Success,
                    properties: Properties::none(),
                };
                let is_said = device.publish(next_id, &answer_at, &done);
                if is_said
                    .and_then(|()| device.say(&Packet::PubAck(ack)))
                    .is_none()
                {
                    return;
                }
                next_id = if next_id == u16::MAX { 1 } else { next_id + 1 };
            }
            Packet::PubAck(ack) => {
                if let Some(done) = said.remove(&ack.packet_id) {
                    promises.lock().unwrap().confirmed.insert(done);
                }
            }
            Packet::SubAck(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The device of all the things; it stays away from nothing that was asked.
fn device(at: SocketAddr) -> Device {
    let mut device = Device::connect(at, "device", true).unwrap();
    let subscribe = Subscribe {
        packet_id: 1,
        filters: vec![quartet_fabric::mqtt::SubscribeFilter {
            filter: "things/+/actions/run".into(),
            qos: Qos::AtLeastOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: quartet_fabric::mqtt::RetainHandling::Send,
        }],
        properties: Properties::none(),
    };
    device.say(&Packet::Subscribe(subscribe)).unwrap();
    device
}

#[test]
fn what_was_acknowledged_is_there_and_nothing_that_was_confirmed_runs_twice() {
    let mut hub = Hub::start(&LISTENERS);
    let at = hub.at("http://");
    for n in 0..THINGS {
        let put = format!("PUT /things/urn:quartet:things:t{n}");
        let kind = ("content-type", "application/td+json");
        assert_eq!(http(at, &put, &[kind], &td(n)).status, 201);
    }
    let promises = Arc::new(Mutex::new(Promises::default()));
    let (said, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut kills = 0;
    while said.load(Ordering::Relaxed) < UPDATES || asked.load(Ordering::Relaxed) < COMMANDS {
        let (mqtt, api) = (hub.at("mqtt://"), hub.at("http://"));
        let mut threads = Vec::new();
        for first in 0..2 {
            let (promises, said) = (Arc::clone(&promises), Arc::clone(&said));
            threads.push(thread::spawn(move || report(mqtt, first, &promises, &said)));
        }
        for first in 0..2 {
            let (promises, asked) = (Arc::clone(&promises), Arc::clone(&asked));
            threads.push(thread::spawn(move || ask(api, first, &promises, &asked)));
        }
        let device = device(mqtt);
        let obedient = Arc::clone(&promises);
        threads.push(thread::spawn(move || carry_out(device, &obedient)));
        // It dies in the midst of it: when so much more has been acknowledged.
        let goal = |it: &Promises| it.asked.len() + it.confirmed.len();
        let before = goal(&promises.lock().unwrap());
        wait_for("the midst of it", || {
            let is_all = UPDATES <= said.load(Ordering::Relaxed)
                && COMMANDS <= asked.load(Ordering::Relaxed);
            (before + 300 <= goal(&promises.lock().unwrap()) || is_all).then_some(())
        });
        hub.die_and_begin_again();
        kills += 1;
        for thread in threads {
            thread.join().unwrap();
        }
        check(&hub, &promises.lock().unwrap());
    }
    assert!(2 <= kills, "it was not much of a test: {kills} kills");
    // In the end each command is carried out, and none that was confirmed a second time.
    let confirmed = promises.lock().unwrap().confirmed.clone();
    let runs_before = promises.lock().unwrap().runs.clone();
    let device = device(hub.at("mqtt://"));
    let obedient = Arc::clone(&promises);
    let last = thread::spawn(move || carry_out(device, &obedient));
    let api = hub.at("http://");
    let is_over = |(at, input): &(String, u64)| {
        let status = http(api, &format!("GET {at}"), &[], "").json();
        status["status"] == "completed" && status["output"] == json!(input)
    };
    let asked = promises.lock().unwrap().asked.clone();
    for one in &asked {
        wait_for(&one.0, || is_over(one).then_some(()));
    }
    for done in &confirmed {
        let runs = promises.lock().unwrap().runs[done];
        assert_eq!(
            runs, runs_before[done],
            "{done} ran again though it was confirmed"
        );
    }
    println!(
        "{kills} kills, {} commands, {} runs",
        asked.len(),
        runs_before.len()
    );
    hub.die_and_begin_again();
    last.join().unwrap();
}

/// All that was acknowledged is there; something later may be, too.
fn check(hub: &Hub, promises: &Promises) {
    let api = hub.at("http://");
    let twin = |n: usize| http(api, &format!("GET /api/things/t{n}/twin"), &[], "").json();
    for n in 0..THINGS {
        let count = promises.reported.get(&n).copied().unwrap_or(0);
        let level = promises.wanted.get(&n).copied().unwrap_or(0);
        // What was acknowledged takes effect when the hub has begun.
        wait_for("what was promised", || {
            let twin = twin(n);
            let number = |value: &Value| value.as_u64().unwrap_or(0);
            let is_there = count <= number(&twin["count"]["reported"]["value"])
                && level <= number(&twin["level"]["desired"]["value"]);
            is_there.then_some(())
        });
    }
    for (at, _) in &promises.asked {
        let status = http(api, &format!("GET {at}"), &[], "");
        assert_eq!(status.status, 200, "{at}: {status:?}");
    }
}

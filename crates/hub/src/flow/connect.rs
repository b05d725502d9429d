//! CONNECT: who comes in, to which session (MQTT 5.0, section 3.1.4).

use bytes::Bytes;
use bytestring::ByteString;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use quartet_fabric::{
    mqtt::{
        Connect, Fault, Line, Open, Packet, Property, Reason, Session, Version, View,
        session_expiry_s,
    },
    outbox::Outbox,
};
use quartet_model::{Event, Time};
use std::{hash::BuildHasher, time::Duration};

use super::{
    Client, ClientKey, ConnKey, Flow, Why,
    admit::By,
    authenticate::method_of,
    conn::{More, Next, Stage},
    elements::Presence,
    home_of_client,
    keep::{Record, Waiting, record::Opened, shard_of_client},
    timers::Timer,
};

/// Names longer than this are refused; nobody needs them, and they would be kept.
const CLIENT_ID_BYTES_MAX: usize = 1024;
/// A session with its will, many subscriptions and much that waits must fit into a record.
const WILL_BYTES_MAX: usize = 512 << 10;

impl Flow {
    /// A CONNECT that is well-formed. Whoever belongs to another lane is handed over.
    pub(super) fn connect(
        &mut self,
        key: ConnKey,
        connect: Connect,
        now: Time,
    ) -> Result<Next, Fault> {
        let claimed = self.claimed_name(key, &connect);
        let next = self.look_at_connect(key, connect, now);
        if let Err(why) = &next {
            self.note_not_let_in(key, &claimed, why, now);
        }
        next
    }

    fn look_at_connect(
        &mut self,
        key: ConnKey,
        mut connect: Connect,
        now: Time,
    ) -> Result<Next, Fault> {
        check_client_id(&connect)?;
        if !connect.client_id.is_empty() {
            let home = home_of_client(&connect.client_id, self.lanes);
            if home != self.lane {
                return Ok(Next::HandOver(home));
            }
        }
        // [MQTT-3.1.4-2]
        if !self.recognise(key, &connect, now)? {
            return Ok(Next::Wait);
        }
        self.check_owner(key, &connect.client_id)?;
        if let Some(will) = &connect.will {
            let to_be_kept = will.retain && !will.payload.is_empty();
            self.check_said(&will.topic, to_be_kept)?;
            self.may_publish(&self.conns[key].who, &will.topic, now)?;
            self.check_room_to_keep(0, 0)?;
            let bytes = will.topic.len() + will.properties.len() + will.payload.len();
            if WILL_BYTES_MAX < bytes {
                return Err(Fault::new(
                    Reason::PacketTooLarge,
                    "a will may have at most 512 KiB: it is a part of its session's records",
                ));
            }
        }
        if self.is_full {
            return Err(Fault::new(
                Reason::ServerBusy,
                "the hub's memory is used up; come back later",
            ));
        }
        if !self.is_old_session_over(key, &connect, now) {
            return Ok(Next::Wait);
        }
        if !self.has_disk_room(0) && session_expiry_s(&connect) != 0 {
            return Err(Fault::new(
                Reason::ServerBusy,
                "the hub's disk is full; only sessions that end with their connections may begin",
            ));
        }
        if let Some(method) = method_of(&connect.properties) {
            return match self.begin_authentication(key, connect, method)? {
                Some((accepted, data)) => self.come_in(key, accepted, Some(data), now),
                None => Ok(Next::Packet),
            };
        }
        // In memory of their own: they outlive the buffer that they were read into.
        connect.client_id = ByteString::from(&*connect.client_id);
        self.come_in(key, connect, None, now)
    }

    /// Whether nothing of an earlier session is left for who begins a clean one: it must have
    /// ended for good before the CONNACK says so. Who has to prove first who it is ends nothing
    /// before.
    fn is_old_session_over(&mut self, key: ConnKey, connect: &Connect, now: Time) -> bool {
        if !connect.clean_start || method_of(&connect.properties).is_some() {
            return true;
        }
        if let Some(old) = self.find_client(&connect.client_id)
            && self.clients[old].number != 0
        {
            self.take_over(old, true, now);
            if !self.is_settled() {
                self.wait(Waiting::Resume(key), now);
                return false;
            }
        }
        true
    }

    /// Whoever this is may come in: find or make the session, answer, send what waits.
    pub(super) fn come_in(
        &mut self,
        key: ConnKey,
        mut connect: Connect,
        authentication_data: Option<Bytes>,
        now: Time,
    ) -> Result<Next, Fault> {
        let assigned = connect.client_id.is_empty().then(|| self.new_client_id());
        if let Some(id) = &assigned {
            connect.client_id = id.clone(); // [MQTT-3.1.3-6] [MQTT-3.1.3-7]
        }
        let terms = self.terms();
        let (open, mut connack) = Open::accept(&connect, &terms, assigned.as_ref());
        if let Some(data) = authentication_data {
            connack.properties.push(Property::AuthenticationData(data));
        }
        if !open.takes(&Packet::ConnAck(connack.clone())) {
            return Err(Fault::new(
                Reason::PacketTooLarge,
                "the client takes no packet as large as its CONNACK",
            ));
        }
        let before = self.find_client(&connect.client_id);
        if let Some(before) = before {
            self.take_over(before, connect.clean_start, now);
        }
        // A session that was to end with its old connection is gone by now.
        let before = before.filter(|&before| self.clients.contains_key(before));
        connack.session_present = before.is_some(); // [MQTT-3.2.2-2] [MQTT-3.2.2-3]
        // [MQTT-3.1.2-5] [MQTT-3.1.2-6]
        let client = before.unwrap_or_else(|| self.add_client(&connect.client_id));

        let owner = self.conns[key].who.holder().cloned();
        self.own(client, owner, now);
        self.note_came_in(key, client, now);
        if self.clients[client].speaks {
            let session = self.session_ref(client);
            self.say_presence(Presence::Came { session }, now);
        }
        let conn = &mut self.conns[key];
        let there = &mut self.clients[client];
        there.conn = Some(key);
        there.expiry_s = open.session_expiry_s;
        there.ends_at = Time::NEVER;
        if let Some(will) = connect.will {
            let more: &mut More = there.more.get_or_insert_default();
            more.will = Some(will.detached()); // [MQTT-3.1.2-7]
            more.will_at = None;
        } else if let Some(more) = &mut there.more {
            more.will = None;
            more.will_at = None;
        }
        if let Some(more) = &mut there.more {
            more.away_at = None;
        }
        let keep_alive_s = open.keep_alive_s;
        open.write(Packet::ConnAck(connack), &mut conn.outbox); // [MQTT-3.1.4-5] [MQTT-3.2.0-1]
        conn.stage = Stage::Open(client, open);
        self.write_opened(client);
        if before.is_some() {
            self.resume(key, client, now);
        }
        self.touch(key);
        if keep_alive_s != 0 {
            self.timers
                .add(now.after(patience(keep_alive_s)), Timer::Conn(key));
        }
        Ok(Next::Packet)
    }

    /// A session that outlives its connection, or has a will to be published after it, is
    /// written down.
    fn write_opened(&mut self, client: ClientKey) {
        let there = &mut self.clients[client];
        let will = there.more.as_ref().and_then(|more| more.will.clone());
        if there.number == 0 && there.expiry_s == 0 && will.is_none() {
            return;
        }
        if there.number == 0 {
            there.number = self.keep.new_session(there.shard);
        }
        self.write_about(client, |session, there| {
            Record::Opened(Box::new(Opened {
                session,
                id: (&*there.id).into(),
                owner: there.owner_key().into(),
                expiry_s: there.expiry_s,
                will,
            }))
        });
    }

    fn resume(&mut self, key: ConnKey, client: ClientKey, now: Time) {
        let limits = self.session_limits();
        let conn = &mut self.conns[key];
        let there = &mut self.clients[client];
        let mut notes = std::mem::take(&mut self.notes);
        let mut held = Outbox::default();
        let graph = &self.known.graph;
        let mut view = there
            .sight
            .as_deref_mut()
            .map(|sight| Box::new(|event: &Event| sight.see(graph, event, now)));
        if let Stage::Open(_, open) = &mut conn.stage {
            let line = Line {
                open,
                outbox: &mut conn.outbox,
                held: (there.number != 0).then_some(&mut held),
                holds_all: false,
                view: view.as_deref_mut().map(|view| view as &mut View<'_>),
            };
            let frames = &mut self.frames;
            there.session.resume(line, frames, &limits, now, &mut notes);
        }
        self.settle_notes(key, client, notes, held, now);
        self.share_online(client, true);
    }

    /// The client is here already, or was: its old connection ends [MQTT-3.1.4-3], and with a
    /// clean start its old session, too [MQTT-3.1.4-4] [MQTT-3.1.2-4].
    fn take_over(&mut self, client: ClientKey, clean_start: bool, now: Time) {
        if let Some(old) = self.clients[client].conn {
            let conn = &mut self.conns[old];
            if let Stage::Open(_, open) = &conn.stage {
                let why = "another connection came in under this client identifier";
                open.write_disconnect(Reason::SessionTakenOver, why, &mut conn.outbox);
            }
            self.touch(old);
            self.close_for(old, Why::TakenOver, clean_start, now);
        }
        if clean_start && self.clients.contains_key(client) {
            self.end_session(client, now);
        }
    }

    /// Looks a client up by name [MQTT-3.1.3-2].
    pub(super) fn find_client(&self, id: &str) -> Option<ClientKey> {
        let hash = self.hasher.hash_one(id);
        self.by_id
            .find(hash, |&client| &*self.clients[client].id == id)
            .copied()
    }

    pub(super) fn add_client(&mut self, id: &str) -> ClientKey {
        let client = self.clients.insert(Client {
            id: id.into(),
            owner: None,
            sight: None,
            sees_whole_at: 0,
            session: Session::default(),
            conn: None,
            expiry_s: 0,
            number: 0,
            shard: shard_of_client(id),
            speaks: false,
            subscriptions: HashSet::with_hasher(FixedState::default()),
            more: None,
            ends_at: Time::NEVER,
        });
        let hash = self.hasher.hash_one(id);
        let Self {
            by_id,
            clients,
            hasher,
            ..
        } = self;
        by_id.insert_unique(hash, client, |&client| {
            hasher.hash_one(&*clients[client].id)
        });
        client
    }

    pub(super) fn remove_client(&mut self, key: ClientKey) -> Option<Client> {
        let client = self.clients.get(key)?;
        let hash = self.hasher.hash_one(&*client.id);
        if let Ok(entry) = self.by_id.find_entry(hash, |&there| there == key) {
            entry.remove();
        }
        let client = self.clients.remove(key)?;
        if let Some(owner) = &client.owner {
            self.held.remove(owner, By::Client(key));
        }
        Some(client)
    }

    /// A name for a client that has none; one that belongs to this lane.
    fn new_client_id(&mut self) -> ByteString {
        loop {
            self.serial = (self.serial + 1) & 0x00FF_FFFF;
            let unique = self.hasher.hash_one((self.seed, self.lane, self.serial));
            let id = format!("quartet-{unique:016x}");
            if home_of_client(&id, self.lanes) == self.lane && self.find_client(&id).is_none() {
                return id.into();
            }
        }
    }
}

/// One and a half times what the client promised [MQTT-3.1.2-22].
pub(super) fn patience(keep_alive_s: u16) -> Duration {
    Duration::from_millis(u64::from(keep_alive_s) * 1500)
}

fn check_client_id(connect: &Connect) -> Result<(), Fault> {
    let invalid = |what| Err(Fault::new(Reason::ClientIdentifierNotValid, what));
    let id = &connect.client_id;
    if CLIENT_ID_BYTES_MAX < id.len() {
        // [MQTT-3.1.3-8]
        return invalid("the client identifier is longer than 1,024 bytes");
    }
    match connect.version {
        // Up to 3.1.1 only a clean session can do without a name [3.1.1 MQTT-3.1.3-7]
        // [3.1.1 MQTT-3.1.3-8] [3.1.1 MQTT-3.1.3-9].
        Version::V311 if id.is_empty() && !connect.clean_start => {
            invalid("a session that is kept needs a client identifier")
        }
        Version::V31 if id.is_empty() => invalid("MQTT 3.1 demands a client identifier"),
        _ => Ok(()),
    }
}

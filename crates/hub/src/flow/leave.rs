//! How connections and sessions end, and what is then published (MQTT 5.0, sections 3.1.2.5,
//! 3.14, 4.1).

use std::{sync::Arc, time::Duration};

use quartet_fabric::mqtt::{Fault, Leave, Reason, Will};
use quartet_model::{Actor, Address, Event, Said, Time};
use quartet_people::{holder::Holder, role::Deed};

use super::{
    ClientKey, ConnKey, Flow, Who,
    conn::{More, Stage},
    connect::patience,
    elements::Presence,
    keep::{self, Answer, Record, Waiting, record::SessionNumber},
    publish::expires,
    timers::Timer,
};

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Why {
    /// The client said goodbye.
    #[error("the client left")]
    Left,
    /// The socket was closed or broke.
    #[error("the connection was lost")]
    Lost,
    /// The client broke the protocol, or was refused.
    #[error("{0}")]
    Fault(Fault),
    /// Nothing was heard for one and a half keep-alive periods.
    #[error("nothing was heard for one and a half times the keep alive")]
    Silent,
    /// No CONNECT came in time.
    #[error("no complete CONNECT came in time")]
    NeverConnected,
    /// Another connection came in under the same client identifier.
    #[error("another connection took the session over")]
    TakenOver,
    /// The client did not read what was sent to it.
    #[error("the client does not read what is sent to it")]
    Slow,
    /// What it came in with holds no more.
    #[error("the credential that it came in with was revoked or is over")]
    Revoked,
    /// The hub is going down.
    #[error("the hub is shutting down")]
    Shutdown,
}

impl Flow {
    /// The client says goodbye.
    pub(super) fn leave(&mut self, key: ConnKey, client: ClientKey, leave: Leave, now: Time) {
        let there = &mut self.clients[client];
        if let Some(s) = leave.session_expiry_s {
            there.expiry_s = s.min(self.limits.session_expiry_s_max);
        }
        if !leave.with_will
            && let Some(more) = &mut there.more
        {
            more.will = None; // [MQTT-3.1.2-10] [MQTT-3.14.4-3]
        }
        self.close(key, Why::Left, now);
    }

    /// The connection ends: its client, if it came in, is away from now on.
    pub fn close(&mut self, key: ConnKey, why: Why, now: Time) {
        self.close_for(key, why, false, now);
    }

    /// The same; `for_clean_start` if the session ends with it in any case.
    pub(super) fn close_for(&mut self, key: ConnKey, why: Why, for_clean_start: bool, now: Time) {
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let stage = std::mem::replace(&mut conn.stage, Stage::Closing);
        match stage {
            Stage::Closing => return,
            Stage::Open(client, _) => {
                self.say_away(client, &why, now);
                self.away(client, for_clean_start, now);
            }
            Stage::AwaitConnect | Stage::AwaitAuth(_) | Stage::Refused(_) => {}
        }
        self.touch(key);
        self.out.closed.push((key, why));
    }

    /// Closes a connection with a last word [MQTT-3.14.4-2].
    pub fn dismiss(&mut self, key: ConnKey, reason: Reason, why: Why, now: Time) {
        if let Some(conn) = self.conns.get_mut(key) {
            if let Stage::Open(_, open) = &conn.stage {
                open.write_disconnect(reason, &why.to_string(), &mut conn.outbox);
            }
            self.close(key, why, now);
        }
    }

    /// The hub goes down: everyone is told.
    pub fn shut_down(&mut self, now: Time) {
        self.end_host(now);
        for key in self.conns.keys().collect::<Vec<_>>() {
            self.dismiss(key, Reason::ServerShuttingDown, Why::Shutdown, now);
        }
    }

    /// Elements for which the client speaks are told.
    fn say_away(&mut self, client: ClientKey, why: &Why, now: Time) {
        // Who takes a session over is there; and when the hub goes, nobody else does.
        if !self.clients[client].speaks || matches!(why, Why::TakenOver | Why::Shutdown) {
            return;
        }
        let news = Presence::Went {
            session: self.session_ref(client),
            said_goodbye: *why == Why::Left,
            why: why.to_string(),
        };
        self.say_presence(news, now);
    }

    fn away(&mut self, client: ClientKey, for_clean_start: bool, now: Time) {
        let there = &mut self.clients[client];
        there.conn = None;
        if there.number != 0 {
            there.session.rest();
            there.more.get_or_insert_default().away_at = Some(now);
            self.write_away(client, now);
        }
        let there = &mut self.clients[client];
        if for_clean_start || there.expiry_s == 0 {
            // [MQTT-3.1.2-23] [MQTT-4.1.0-1] [3.1.1 MQTT-3.1.2-4] [3.1.1 MQTT-3.1.2-6]
            return self.end_session(client, now);
        }
        there.ends_at = match there.expiry_s {
            u32::MAX => Time::NEVER,
            s => now.after(Duration::from_secs(s.into())),
        };
        self.timers.add(there.ends_at, Timer::Client(client));
        if let Some(More {
            will: Some(will),
            will_at,
            ..
        }) = there.more.as_deref_mut()
        {
            let at = now.after(Duration::from_secs(will.delay_s.into()));
            *will_at = Some(at);
            self.timers.add(at, Timer::Client(client));
        }
        self.share_online(client, false);
        self.look_at_client(client, now);
    }

    /// Forgets a session with all that belongs to it; its will, if still to come, comes now
    /// [MQTT-3.1.2-8] [MQTT-3.1.3-9].
    pub(super) fn end_session(&mut self, client: ClientKey, now: Time) {
        self.unsubscribe_all(client);
        let Some(there) = self.remove_client(client) else {
            return;
        };
        let (shard, number) = (there.shard, there.number);
        let by = (Arc::clone(there.name()), there.owner);
        if let Some(will) = there.more.and_then(|more| more.will) {
            self.publish_will(client, by, (shard, number), will, now);
        }
        if number != 0 {
            self.write_record(shard, &Record::Ended(number));
        }
    }

    /// Writes down that the client is away, and whether its will is still wanted.
    pub(super) fn write_away(&mut self, client: ClientKey, now: Time) {
        self.write_about(client, |session, there| Record::Away {
            session,
            at: now,
            expiry_s: there.expiry_s,
            forgets_will: there.more.as_ref().is_none_or(|more| more.will.is_none()),
        });
    }

    fn publish_will(
        &mut self,
        client: ClientKey,
        (author, owner): (Arc<str>, Option<Arc<Holder>>),
        (shard, number): (u8, SessionNumber),
        will: Will,
        now: Time,
    ) {
        let allowed = owner.map_or(Ok(()), |owner| self.may_still_say(owner, &will.topic, now));
        if let Err(fault) = allowed {
            self.figures.refused += 1;
            let deed = Deed::of_topic(&will.topic);
            self.note_refused((&author, None), deed, &will.topic, &fault, now);
            if number != 0 {
                self.write_record(shard, &Record::WillGone(number));
            }
            return;
        }
        let said = Said {
            topic: will.topic,
            payload: will.payload,
            properties: will.properties,
            qos: will.qos,
            retain: will.retain, // [MQTT-3.1.2-14] [MQTT-3.1.2-15]
            expires: expires(will.expiry_s, now),
        };
        let by = Actor::Session(self.session_ref(client));
        let event = Event::new(self.next_id(now), by, said).said_by(author);
        self.figures.published += 1;
        let event = if keep::must_be_kept(&event) {
            self.write_said(shard, number, 0, true, &event)
        } else {
            if number != 0 {
                self.write_record(shard, &Record::WillGone(number));
            }
            Arc::new(event)
        };
        // It follows what the client said before.
        self.wait(Waiting::Follow(event, Answer::None), now);
    }

    /// Whether somebody who is away may say what it was allowed to say when it was there. What it was
    /// granted beside its relations is not known of whoever was here before the hub started.
    fn may_still_say(&self, owner: Arc<Holder>, topic: &str, now: Time) -> Result<(), Fault> {
        let is_granted = owner.credential().is_empty() && Address::element_of(topic).is_none();
        match is_granted {
            true => Ok(()),
            false => self.may_publish(&Who::Holder(owner), topic, now),
        }
    }

    /// Something may be due.
    pub(super) fn fire(&mut self, timer: Timer, now: Time) {
        match timer {
            Timer::Conn(key) => self.look_at_conn(key, now),
            Timer::Client(client) => self.look_at_client(client, now),
            Timer::Credential(key) => self.look_at_credential(key, now),
            Timer::Stream(stream) => self.look_at_stream_credential(stream, now),
        }
    }

    fn look_at_conn(&mut self, key: ConnKey, now: Time) {
        let Some(conn) = self.conns.get(key) else {
            return;
        };
        match &conn.stage {
            // [3.1.1 MQTT-3.1.4-5], and nobody may hold a socket for nothing.
            Stage::AwaitConnect | Stage::AwaitAuth(_) | Stage::Refused(_) => {
                self.close(key, Why::NeverConnected, now);
            }
            Stage::Open(_, open) if open.keep_alive_s != 0 => {
                let deadline = conn.last_heard.after(patience(open.keep_alive_s));
                if now < deadline {
                    self.timers.add(deadline, Timer::Conn(key));
                } else {
                    // [MQTT-3.1.2-22]
                    self.dismiss(key, Reason::KeepAliveTimeout, Why::Silent, now);
                }
            }
            Stage::Open(..) | Stage::Closing => {}
        }
    }

    fn look_at_client(&mut self, key: ClientKey, now: Time) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        if client.conn.is_some() {
            return; // It came back.
        }
        if client.ends_at <= now {
            // [MQTT-4.1.0-2]
            self.figures.sessions_expired += 1;
            return self.end_session(key, now);
        }
        let due = client.more.as_deref_mut().and_then(|more| {
            let is_due = more.will_at.is_some_and(|at| at <= now);
            is_due.then(|| more.will.take()).flatten()
        });
        let by = (Arc::clone(client.name()), client.owner.clone());
        let of = (client.shard, client.number);
        if let Some(will) = due {
            self.publish_will(key, by, of, will, now);
        }
    }
}

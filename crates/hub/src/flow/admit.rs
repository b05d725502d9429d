//! Who comes in with a credential, and goes when that holds no more.
//!
//! An element's credentials are retained at a topic of its own, on the lane where the element lives.
//! That lane says who is right; every lane hears of changes, and looks after those that it let in.

use std::{collections::HashMap, sync::Arc};

use quartet_fabric::{
    mqtt::{Connect, Fault, Reason},
    routes::Lane,
};
use quartet_model::{Address, Effect, Event, Kind, Said, Time};
use quartet_people::{
    account::{self, Account},
    credentials::{self, Credentials, Proof, Refused, Shown},
    holder::Holder,
    invitation::{self, Invitation},
    relation,
    scim::provisioned,
};
use quartet_things::identity;

use super::{
    ClientKey, ConnKey, Flow, Mail, Receiver, StreamKey, Who, Why,
    conn::Stage,
    dialects::WISH,
    home_of_topic,
    keep::record::Record,
    may,
    may::Sees,
    sight::{Sight, all_of},
    timers::Timer,
};

/// What is there under an element's name, by element.
#[derive(Default)]
pub(super) struct Held(HashMap<Arc<str>, Vec<By>>);

/// What somebody holds with a credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// A connection.
    Conn(ConnKey),
    /// A session.
    Client(ClientKey),
    /// A subscription of the HTTP API.
    Stream(StreamKey),
}

impl Held {
    pub(super) fn add(&mut self, holder: &Holder, by: By) {
        let there = self.0.entry(Arc::clone(holder.element())).or_default();
        if !there.contains(&by) {
            there.push(by);
        }
    }

    pub(super) fn remove(&mut self, holder: &Holder, by: By) {
        if let Some(there) = self.0.get_mut(holder.element()) {
            there.retain(|one| *one != by);
            if there.is_empty() {
                self.0.remove(holder.element());
            }
        }
    }

    fn of(&self, element: &str) -> Vec<By> {
        self.0.get(element).cloned().unwrap_or_default()
    }
}

/// The question of a lane who somebody is.
#[derive(Debug)]
pub struct Question {
    from: Lane,
    conn: ConnKey,
    element: Box<str>,
    proof: Proof,
}

/// The answer.
#[derive(Debug)]
pub struct Verdict {
    conn: ConnKey,
    holder: Result<Arc<Holder>, Fault>,
}

/// The element that a user name means: its key, or the name or identifier of a thing.
pub fn element_of_name(name: &str) -> Option<String> {
    if Address::element_of(name) == Some(name) {
        return Some(name.to_owned());
    }
    let key = identity::key(Kind::Thing, name).or_else(|_| identity::key_of(name));
    key.ok()
}

/// A refusal in the words of MQTT.
fn fault(refused: &Refused) -> Fault {
    let what = match refused {
        Refused::Unknown => "the user name or the password is wrong, or it was revoked",
        Refused::Expired(_) => "this credential was good until lately; ask for a new one",
        Refused::Suspended => "this account is suspended by whoever provisions it; ask there",
    };
    Fault::new(Reason::BadUserNameOrPassword, what)
}

impl Flow {
    /// Every lane hears when credentials change.
    pub(super) fn begin_admitting(&mut self) {
        self.join(&credentials::filter(), Receiver::Door, WISH);
    }

    /// Who somebody is that shows this for an element of this lane.
    pub fn admit(&self, element: &str, proof: Proof, now: Time) -> Result<Holder, Refused> {
        self.credentials(element, now).admit(element, proof, now)
    }

    /// The credentials of an element of this lane.
    pub fn credentials(&self, element: &str, now: Time) -> Credentials {
        let kept = self.said_at(&credentials::topic_of(element), now);
        let kept = kept.map(|event| Credentials::read(&event.payload));
        kept.and_then(Result::ok).unwrap_or_default()
    }

    /// The account of a person of this lane; an empty one if there is none.
    pub fn account(&self, person: &str, now: Time) -> Account {
        let kept = self.said_at(&account::topic_of(person), now);
        let kept = kept.map(|event| Account::read(&event.payload));
        kept.and_then(Result::ok).unwrap_or_default()
    }

    /// Whether any person of this lane has an account.
    pub fn has_accounts(&self, now: Time) -> bool {
        let mut found = Vec::new();
        let mut from = None;
        loop {
            from = self
                .retained
                .scan(&account::filter(), from, 1, now, &mut found);
            if from.is_none() || !found.is_empty() {
                return !found.is_empty();
            }
        }
    }

    /// What follows when an element was forgotten: nothing opens the door to it any more.
    pub(super) fn without_credentials(&self, element: &str, now: Time) -> Vec<Effect> {
        let kept = [
            credentials::topic_of(element),
            account::topic_of(element),
            relation::topic_of(element),
            provisioned::topic_of(element),
        ];
        let kept = kept
            .into_iter()
            .filter(|topic| self.said_at(topic, now).is_some());
        kept.map(|topic| Effect::Emit(Said::kept(topic, "")))
            .collect()
    }

    /// What providers said of elements of this lane that are of a kind, as events.
    pub fn provisioned(&self, folder: &str, now: Time) -> Vec<Event> {
        self.all_said_at(&provisioned::filter(folder), now)
    }

    /// The invitations on this lane that are good, with the topics at which they are kept.
    pub fn invitations(&self, now: Time) -> Vec<(String, Invitation)> {
        let kept = self.all_said_at(&invitation::filter(), now);
        let read =
            |event: Event| Some((event.topic.to_string(), Invitation::read(&event.payload)?));
        kept.into_iter().filter_map(read).collect()
    }

    /// Finds out who wants to come in, if it says a name. Says whether that is known already: if
    /// not, another lane is asked, and CONNECT waits.
    pub(super) fn recognise(
        &mut self,
        key: ConnKey,
        connect: &Connect,
        now: Time,
    ) -> Result<bool, Fault> {
        let conn = &mut self.conns[key];
        if conn.who.holder().is_some() {
            return Ok(true);
        }
        if let Stage::Refused(fault) = conn.stage {
            conn.stage = Stage::AwaitConnect;
            return self.refuse_name(key, fault);
        }
        let login = &connect.login;
        // Some clients say empty ones when they mean none.
        let says_name = login
            .user_name
            .as_deref()
            .is_some_and(|name| !name.is_empty());
        let says_password = login
            .password
            .as_deref()
            .is_some_and(|word| !word.is_empty());
        let shown = if says_name || says_password {
            let password = login.password.as_deref().map(std::str::from_utf8);
            match password.transpose() {
                Ok(password) => Shown::of_login(login.user_name.as_deref(), password),
                Err(_) => None, // The hub's are all text.
            }
        } else if let Some(shown) = conn.shown.take() {
            Some(*shown)
        } else {
            may::may_enter(conn.peer)?;
            return Ok(true);
        };
        let found = shown.and_then(|shown| Some((element_of_name(&shown.name)?, shown.proof)));
        let Some((element, proof)) = found else {
            return self.refuse_name(key, fault(&Refused::Unknown));
        };
        let home = home_of_topic(&element, self.lanes);
        if home == self.lane {
            return match self.admit(&element, proof, now) {
                Ok(holder) => {
                    self.let_in(key, Arc::new(holder));
                    Ok(true)
                }
                Err(refused) => self.refuse_name(key, fault(&refused)),
            };
        }
        let question = Box::new(Question {
            from: self.lane,
            conn: key,
            element: element.into(),
            proof,
        });
        self.out.mail.push((home, Mail::Recognise(question)));
        Ok(false)
    }

    /// Nobody is known by this name. Where everything is open, that does not matter.
    fn refuse_name(&self, key: ConnKey, fault: Fault) -> Result<bool, Fault> {
        match self.conns[key].who {
            Who::Anyone => Ok(true),
            _ => Err(fault),
        }
    }

    /// Another lane asks who somebody is that comes in there.
    pub(super) fn answer_who(&mut self, question: &Question, now: Time) {
        let admitted = self.admit(&question.element, question.proof, now);
        let verdict = Box::new(Verdict {
            conn: question.conn,
            holder: admitted.map(Arc::new).map_err(|why| fault(&why)),
        });
        let verdict = Mail::Recognised(verdict);
        self.out.mail.push((question.from, verdict));
    }

    /// The answer is there: CONNECT goes on.
    pub(super) fn recognised(&mut self, verdict: Verdict) {
        let Verdict { conn: key, holder } = verdict;
        let Some(conn) = self.conns.get_mut(key) else {
            return; // It did not wait.
        };
        if !matches!(conn.stage, Stage::AwaitConnect) {
            return;
        }
        match holder {
            Ok(holder) => self.let_in(key, holder),
            Err(fault) => conn.stage = Stage::Refused(fault),
        }
        self.out.resumed.push(key);
    }

    fn let_in(&mut self, key: ConnKey, holder: Arc<Holder>) {
        self.held.add(&holder, By::Conn(key));
        self.timers.add(holder.expires_at(), Timer::Credential(key));
        self.conns[key].who = Who::Holder(holder);
    }

    /// Whether a session that was left by an element with a credential is resumed by the same.
    pub(super) fn check_owner(&self, key: ConnKey, client_id: &str) -> Result<(), Fault> {
        let client = self.find_client(client_id);
        let owner = client.and_then(|client| self.clients[client].owner.as_deref());
        let who = self.conns[key].who.holder();
        match owner {
            Some(owner) if who.is_none_or(|who| who.element() != owner.element()) => {
                Err(Fault::new(
                    Reason::ClientIdentifierNotValid,
                    "the session of this client identifier belongs to an element that comes in with a credential; choose another",
                ))
            }
            _ => Ok(()),
        }
    }

    /// A session belongs to whoever came in with it, and has what that may have.
    pub(super) fn own(&mut self, client: ClientKey, owner: Option<Arc<Holder>>, now: Time) {
        let before = self.clients[client].owner.clone();
        if let Some(before) = before {
            self.held.remove(&before, By::Client(client));
        }
        if let Some(owner) = &owner {
            self.held.add(owner, By::Client(client));
        }
        let there = &mut self.clients[client];
        there.sees_whole_at = 0;
        match (&mut there.sight, &owner) {
            (Some(sight), Some(owner)) => sight.is_of(Arc::clone(owner)),
            (sight, None) => *sight = None,
            (None, Some(_)) => {}
        }
        there.owner = owner;
        self.keep_to_rights(client, now);
    }

    /// Whose session this was before the hub started. What that may is seen when it comes back.
    pub(super) fn recall_owner(&mut self, client: ClientKey, element: &str) {
        let owner = Holder::new(element, "", Time::NEVER);
        self.held.add(&owner, By::Client(client));
        self.clients[client].owner = Some(Arc::new(owner));
    }

    /// What a session may have no more is taken from it.
    fn keep_to_rights(&mut self, client: ClientKey, now: Time) {
        let there = &self.clients[client];
        let Some(owner) = there.owner.clone() else {
            return;
        };
        let own = there.subscriptions.iter();
        let own = own.map(|&node| (None, self.routes.filter_at(node).into()));
        let shares = there.more.iter().flat_map(|more| &more.shares);
        let shares = shares.map(|(share, filter, _)| (Some(share.clone()), filter.clone()));
        let all: Vec<(Option<Box<str>>, Box<str>)> = own.chain(shares).collect();
        let who = Who::Holder(owner);
        for (share, filter) in all {
            match self.may_subscribe(&who, &filter, share.is_some(), now) {
                Ok(sees) => self.look_out(client, sees, share.is_some()),
                Err(_) => {
                    self.unsubscribe_from(client, share.as_deref(), &filter);
                }
            }
        }
        let there = &self.clients[client];
        let (shard, number) = (there.shard, there.number);
        let will = there.more.as_ref().and_then(|more| more.will.as_ref());
        if will.is_some_and(|will| self.may_publish(&who, &will.topic, now).is_err()) {
            if let Some(more) = &mut self.clients[client].more {
                more.will = None;
            }
            if number != 0 {
                self.write_record(shard, &Record::WillGone(number));
            }
        }
    }

    /// A client receives something that relations allow it: each message is looked at from now on.
    pub(super) fn look_out(&mut self, client: ClientKey, sees: Sees, is_shared: bool) {
        let there = &mut self.clients[client];
        if sees == Sees::All {
            return;
        }
        let Some(owner) = there.owner.clone() else {
            return;
        };
        there
            .sight
            .get_or_insert_with(|| Box::new(Sight::of(owner)));
        if is_shared {
            self.known.sharing.insert(client);
            self.known.shares_until = Time::ZERO; // That is found out at once.
        }
    }

    /// Relations changed, or their time is over: whoever may not see all of a shared subscription any
    /// more leaves it.
    pub(super) fn look_at_shares(&mut self, now: Time) {
        self.known.shares_until = Time::NEVER;
        for client in self.known.sharing.clone() {
            let there = self.clients.get(client);
            let Some(owner) = there.and_then(|there| there.owner.clone()) else {
                self.known.sharing.remove(&client);
                continue;
            };
            let who = Who::Holder(owner);
            let more = self.clients[client].more.as_ref();
            let shares = more.iter().flat_map(|more| &more.shares);
            let shares: Vec<_> = shares.map(|(s, f, _)| (s.clone(), f.clone())).collect();
            for (share, filter) in shares {
                if self.may_subscribe(&who, &filter, true, now).is_err() {
                    self.unsubscribe_from(client, Some(&share), &filter);
                    continue;
                }
                let (verdict, _) = all_of(&self.known.graph, &who.name(), &filter, now);
                self.known.shares_until = self.known.shares_until.min(verdict.until);
            }
        }
    }

    /// An element's credentials changed: who came in with one that holds no more goes.
    pub(super) fn hear_credentials(&mut self, event: &Event, now: Time) {
        let Some(element) = credentials::element_at(&event.topic) else {
            return;
        };
        let held = self.held.of(element);
        if held.is_empty() {
            return;
        }
        // What cannot be read opens nothing.
        let all = Credentials::read(&event.payload).unwrap_or_default();
        for by in held {
            match by {
                By::Conn(key) => self.look_at_holder(key, &all, now),
                By::Client(client) => {
                    // Its session may have ended with its connection.
                    let there = self.clients.get(client);
                    let Some(owner) = there.and_then(|there| there.owner.as_deref()) else {
                        continue;
                    };
                    let topics = all.topics().iter().map(|topic| topic.as_str().into());
                    let owner = Holder::clone(owner).with_topics(topics);
                    self.own(client, Some(Arc::new(owner)), now);
                }
                By::Stream(stream) => self.look_at_stream(stream, &all, now),
            }
        }
    }

    fn look_at_holder(&mut self, key: ConnKey, all: &Credentials, now: Time) {
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let Some(holder) = conn.who.holder() else {
            return;
        };
        match all.still_admit(holder, now) {
            Some(holder) => {
                self.timers.add(holder.expires_at(), Timer::Credential(key));
                conn.who = Who::Holder(Arc::new(holder));
            }
            None => self.dismiss(key, Reason::NotAuthorized, Why::Revoked, now),
        }
    }

    /// A credential may be over.
    pub(super) fn look_at_credential(&mut self, key: ConnKey, now: Time) {
        let conn = self.conns.get(key);
        let holder = conn.and_then(|conn| conn.who.holder());
        if holder.is_some_and(|holder| holder.expires_at() <= now) {
            self.dismiss(key, Reason::NotAuthorized, Why::Revoked, now);
        }
    }
}

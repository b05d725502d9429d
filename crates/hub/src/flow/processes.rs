//! Flows on the message path: what an event starts runs at once, before anything else happens, and
//! what it does is written down together.
//!
//! All lanes know all flows ([`quartet_process::state`]), from what is retained at
//! `$quartet/flows/{name}`. The lane that follows an event starts what waits for it. A flow with a
//! `storm` of its own is started by the lane where its element lives, which alone counts its starts.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use quartet_fabric::{
    mqtt::{Properties, Property, Seen},
    routes::Lane,
    topic,
};
use quartet_model::{Actor, Address, Event, EventId, HOPS_MAX, Qos, Said, Time};
use quartet_people::{holder::Holder, is_secret, role::Deed};
use quartet_process::{
    cloud::{Attributes, value_of},
    deployment::{self, Deployment, State},
    fast::{self, Act, Look, Looked, Message, Outcome},
    fault::Fault,
    policy::Mode,
    state::{FlowKey, Flows, Trigger},
    step::{Begun, Heard, Start, VIA},
};
use quartet_store::BATCH_BYTES_MAX;
use serde_json::{Value, json};
use slotmap::SecondaryMap;

use super::{
    Carried, Flow, Mail, Receiver, Who,
    dialects::WISH,
    fnv, home_of_topic,
    journeys::Ran,
    keep::{self, Origin, Waiting, record::Via, shard_of_topic},
    may::publishing,
    sight::Sight,
};

/// Events of flows that are followed before anything else is.
const FOLLOWED_MAX: usize = 1000;
/// Events of flows that wait to be followed; while there are more no flow starts.
const SAID_MAX: usize = 10_000;
/// What one run says, all together: a part of what a batch of the journal takes.
const RUN_BYTES_MAX: usize = BATCH_BYTES_MAX * 3 / 8;
/// Runs that wait for what they read on other lanes.
const PENDING_MAX: usize = 10_000;

/// The flows of a lane.
pub(super) struct Processes {
    pub(super) flows: Flows,
    rights: SecondaryMap<FlowKey, Rights>,
    pending: HashMap<u64, Pending>,
    questions: u64,
    /// What flows said that need not be safe first.
    said: VecDeque<Arc<Event>>,
    is_following: bool,
    found: Vec<(Trigger, u8)>,
    /// Whether everything is open to everybody, so that flows of nobody may all.
    is_open: bool,
}

impl Processes {
    pub(super) fn new(is_open: bool) -> Self {
        Self {
            flows: Flows::default(),
            rights: SecondaryMap::new(),
            pending: HashMap::new(),
            questions: 0,
            said: VecDeque::new(),
            is_following: false,
            found: Vec::new(),
            is_open,
        }
    }

    pub(super) fn wake_at(&self) -> Time {
        match self.said.is_empty() {
            true => self.flows.wake_at(),
            false => Time::ZERO,
        }
    }
}

/// What a flow may: as itself, and never more than its owner.
struct Rights {
    itself: RefCell<Party>,
    owner: Option<RefCell<Party>>,
    /// Nobody asks.
    is_free: bool,
}

/// One of both, with what was decided for it.
struct Party {
    who: Who,
    sight: Sight,
}

impl Party {
    fn new(key: &str) -> RefCell<Self> {
        let holder = Arc::new(Holder::new(key, "flow", Time::NEVER));
        RefCell::new(Self {
            who: Who::Holder(Arc::clone(&holder)),
            sight: Sight::of(holder),
        })
    }
}

/// A run on its way.
struct Run {
    start: Start,
    trigger: Trigger,
    id: EventId,
    /// What it reads that other lanes know.
    known: BTreeMap<(String, String), Looked>,
    /// The step that is not over before it is; 0 if nobody waits.
    step: u64,
    /// What is said with what it does, whatever that is.
    with: Option<Said>,
}

struct Pending {
    run: Run,
    event: Arc<Event>,
    /// Lanes that have not answered.
    outstanding: usize,
}

/// What a run looks at.
struct View<'v> {
    hub: &'v Flow,
    flow: &'v str,
    rights: &'v Rights,
    known: &'v BTreeMap<(String, String), Looked>,
    /// What it wants said so far.
    said: RefCell<Vec<Message>>,
    /// How much that is.
    bytes: Cell<usize>,
    now: Time,
}

impl Look for View<'_> {
    fn property(&self, key: &str, name: &str) -> Looked {
        if let Some(known) = self.known.get(&(key.to_owned(), name.to_owned())) {
            return known.clone();
        }
        match home_of_topic(key, self.hub.lanes) == self.hub.lane {
            true => self.hub.look_at(key, name, self.now),
            false => Looked::Elsewhere,
        }
    }

    fn may(&self, act: &Act) -> Result<(), String> {
        let message = act.message(self.flow)?;
        let Message { topic, payload, .. } = &message;
        let attributes = act.attributes();
        let attributes: usize = attributes
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let bytes = self.bytes.get() + topic.len() + payload.len() + attributes;
        topic::check_name(topic).map_err(|error| format!("`{topic}`: {}", error.what()))?;
        // All of it is safe together.
        if RUN_BYTES_MAX < bytes {
            return Err(format!("a run says at most {RUN_BYTES_MAX} bytes"));
        }
        self.bytes.set(bytes);
        let fits = self.hub.check_said(topic, false);
        let fits = fits.and_then(|()| self.hub.check_room_to_keep(topic.len(), payload.len()));
        fits.map_err(|fault| fault.what.to_owned())?;
        self.each_party(|party| {
            let Party { who, sight } = party;
            let needs = publishing(who, topic).map_err(|fault| fault.what.to_owned())?;
            match needs {
                Some((_, deed)) if !self.rights.is_free => {
                    match sight.may_say(self.hub.graph(), deed, topic, self.now) {
                        true => Ok(()),
                        false => Err(self.why_not(who, deed, topic)),
                    }
                }
                _ => Ok(()),
            }
        })?;
        self.said.borrow_mut().push(message);
        Ok(())
    }

    fn may_read(&self, key: &str, name: &str) -> Result<(), String> {
        if self.rights.is_free {
            return Ok(());
        }
        let topic = format!("{key}/properties/{name}");
        self.each_party(|party| {
            let Party { who, .. } = party;
            match self.hub.may(who, Deed::Read, &topic, self.now) {
                Ok(fields) if fields.is_all() => Ok(()),
                _ => Err(self.why_not(who, Deed::Read, &topic)),
            }
        })
    }
}

impl View<'_> {
    /// Asks whether the flow itself may, and whether its owner may.
    fn each_party(
        &self,
        mut may: impl FnMut(&mut Party) -> Result<(), String>,
    ) -> Result<(), String> {
        may(&mut self.rights.itself.borrow_mut())?;
        match &self.rights.owner {
            Some(owner) => {
                may(&mut owner.borrow_mut()).map_err(|why| format!("its owner may not: {why}"))
            }
            None if self.rights.is_free => Ok(()),
            None => Err(NOBODYS.to_owned()),
        }
    }

    fn why_not(&self, who: &Who, deed: Deed, topic: &str) -> String {
        let why = self.hub.why_not(who, deed, topic, self.now);
        why.unwrap_or_else(|| format!("{} may not {deed} `{topic}`", who.name()))
    }
}

const NOBODYS: &str = "nobody owns it, since it was deployed where everything was open to everybody; deploy it again as somebody";

impl Flow {
    /// Every lane hears which flows are deployed.
    pub(super) fn begin_processes(&mut self) {
        self.join(&deployment::filter(), Receiver::Door, WISH);
    }

    /// All deployments that are kept on this lane.
    pub(super) fn all_deployed(&self, now: Time) -> Vec<Event> {
        self.all_said_at(&deployment::filter(), now)
    }

    /// The flows, as this lane knows them.
    pub fn flows(&self) -> &Flows {
        &self.processes.flows
    }

    /// A flow is deployed, changed or taken back, if that is what an event says.
    pub(super) fn hear_flows(&mut self, event: &Event, now: Time) {
        let Some(name) = deployment::name_at(&event.topic) else {
            return;
        };
        let deployment = match Deployment::read(&event.payload) {
            Ok(deployment) => Some(deployment),
            Err(why) => {
                if !event.payload.is_empty() {
                    tracing::warn!(name, %why, "this is no deployment of a flow");
                }
                None
            }
        };
        let key: Arc<str> = deployment::key_of(name).into();
        let processes = &mut self.processes;
        let rights = deployment.as_ref().map(|deployment| {
            let owner = deployment.owner.as_deref();
            Rights {
                itself: Party::new(&key),
                owner: owner.map(Party::new),
                is_free: owner.is_none() && processes.is_open,
            }
        });
        let flow = processes.flows.set(name, deployment);
        if let Some((flow, rights)) = flow.zip(rights) {
            processes.rights.insert(flow, rights);
        }
        self.set_clock(&key, now);
    }

    /// Starts whatever waits for an event; this lane follows it in this step.
    pub(super) fn start_flows(&mut self, event: Carried<'_>, step: u64, now: Time) {
        if self.processes.flows.is_empty() || event.topic.starts_with("$quartet/") {
            return;
        }
        let attributes = self.attributes_of(&event);
        let mut heard = Heard::new(&event, &attributes);
        let mut found = std::mem::take(&mut self.processes.found);
        found.clear();
        self.processes.flows.candidates(&heard, &mut found);
        for of_flow in found.chunk_by(|a, b| a.0.flow == b.0.flow) {
            self.start_flow(of_flow, &mut heard, step, now);
        }
        self.processes.found = found;
    }

    /// A flow that lives here may be started by this; another lane follows it.
    pub(super) fn start_flow_for(
        &mut self,
        key: &str,
        event: &Arc<Event>,
        (from, step): (Lane, u64),
        now: Time,
    ) {
        let attributes = self.attributes_of(event);
        let mut heard = Heard::new(event, &attributes);
        let mut found = Vec::new();
        let flows = &self.processes.flows;
        flows.candidates(&heard, &mut found);
        found.retain(|(trigger, _)| {
            let flow = flows.flow_of(*trigger);
            flow.is_some_and(|(flow, _)| *flow.key == *key)
        });
        let step = self.begin_step(event.place, Origin::Lane(from, step));
        self.start_flow(&found, &mut heard, step, now);
        if step != 0 {
            self.wait(Waiting::Passed(step), now);
        }
        self.follow_flows(now);
    }

    /// Shows a flow an event that some of its filters may fit.
    fn start_flow(&mut self, which: &[(Trigger, u8)], heard: &mut Heard<'_>, step: u64, now: Time) {
        let Some((first, _)) = which.first() else {
            return;
        };
        let Some((flow, _)) = self.processes.flows.flow_of(*first) else {
            return;
        };
        let event = heard.event;
        let via = || Via::Process(fnv(&flow.key));
        if event.place.is_some() && self.keep.anybody_has_taken(event.place, via()) {
            return;
        }
        if flow.policy.storm.is_some() {
            let home = home_of_topic(&flow.key, self.lanes);
            if home != self.lane {
                let start = Mail::Start {
                    from: self.lane,
                    step,
                    flow: (&*flow.key).into(),
                    event: Arc::new(event.detached()),
                };
                self.one_more(step);
                self.out.mail_last.push((home, start));
                return;
            }
        }
        match self.flow_sees(first.flow, event, now) {
            Err(why) => self.processes.flows.hidden(*first, heard, why, now),
            Ok(None) => self.begin_flow(which, heard, 0, step, now),
            Ok(Some(part)) => {
                // What came with it may tell more than may be seen; what led to it is needed.
                let mut attributes = heard.attributes.clone();
                attributes.by_name.retain(|(name, _)| &**name == VIA);
                let mut heard = Heard::new(&part, &attributes);
                self.begin_flow(which, &mut heard, 0, step, now);
            }
        }
    }

    fn begin_flow(
        &mut self,
        which: &[(Trigger, u8)],
        heard: &mut Heard<'_>,
        grouped: u32,
        step: u64,
        now: Time,
    ) {
        for &(trigger, face) in which {
            let flows = &mut self.processes.flows;
            match flows.begin((trigger, face), heard, grouped, now) {
                Begun::Missed => continue,
                Begun::Start(start) => self.start_run(*start, trigger, heard, step, now),
                Begun::Loop(flows) => self.tell_of_loop(&flows, now),
                Begun::Suspend(why) => self.suspend_flow(trigger, why, now),
            }
            return;
        }
    }

    fn start_run(
        &mut self,
        start: Start,
        trigger: Trigger,
        heard: &Heard<'_>,
        step: u64,
        now: Time,
    ) {
        let processes = &mut self.processes;
        let is_single = start.flow.policy.mode == Some(Mode::Single);
        let is_busy = is_single
            && processes.pending.values().any(|pending| {
                let other = &pending.run.start;
                other.flow.key == start.flow.key && other.key == start.key
            });
        if is_busy || SAID_MAX <= processes.said.len() {
            return processes.flows.busy(trigger, heard, now);
        }
        let run = Run {
            start,
            trigger,
            id: self.next_id(now),
            known: BTreeMap::new(),
            step,
            with: None,
        };
        self.run_flow(run, heard.event, now);
    }

    /// The clock starts a flow.
    pub(super) fn start_by_clock(
        &mut self,
        key: &str,
        event: Event,
        input: Value,
        with: Said,
        now: Time,
    ) {
        let Some((start, trigger)) = self.processes.flows.by_clock(key, input) else {
            return;
        };
        let run = Run {
            start,
            trigger,
            id: self.next_id(now),
            known: BTreeMap::new(),
            step: 0,
            with: Some(with),
        };
        self.run_flow(run, &event, now);
    }

    /// Runs a flow to its end, unless it reads what another lane knows: that is asked for first.
    fn run_flow(&mut self, mut run: Run, event: &Event, now: Time) {
        let flow = Arc::clone(&run.start.flow);
        let (outcome, answers, said) = {
            let Some(rights) = self.processes.rights.get(run.trigger.flow) else {
                return;
            };
            let look = View {
                hub: self,
                flow: &flow.key,
                rights,
                known: &run.known,
                said: RefCell::default(),
                bytes: Cell::new(0),
                now,
            };
            let input = Arc::clone(&run.start.input);
            let (outcome, answers) = fast::run(&flow, run.id, input, now, &look);
            (outcome, answers, look.said.into_inner())
        };
        let flows = &mut self.processes.flows;
        flows.computed(run.trigger, answers.steps, now);
        let (did, failed): (Vec<_>, _) = match &outcome {
            Outcome::Needs(needs) => return self.look_elsewhere(run, event, needs),
            Outcome::Done { acts, .. } => (acts.iter().zip(said).collect(), None),
            Outcome::Failed(fault) => (Vec::new(), Some(reason(fault))),
        };
        let ran = Ran {
            did: did.len(),
            failed,
        };
        self.journeys.note_run(run.id, &flow.key, event, ran);
        if !did.is_empty() || run.with.is_some() {
            self.perform(&mut run, event, did, now);
        }
        let Run {
            trigger, start, id, ..
        } = run;
        let flows = &mut self.processes.flows;
        flows.ran(trigger, (event, start), (id, now), &outcome, answers);
        self.work += 1;
    }

    /// Does what a run wants done: all of it is safe together, or nothing.
    fn perform(&mut self, run: &mut Run, event: &Event, did: Vec<(&Act, Message)>, now: Time) {
        let with = run.with.take();
        let key = &run.start.flow.key;
        let shard = self.shard_of_run(event, key);
        if event.place.is_some() || with.is_some() {
            self.keep.begin_whole(shard);
        }
        if let Some(said) = with {
            let said = Event::new(self.next_id(now), Actor::Hub, said);
            self.set_out(said, Some(shard), keep::Answer::None, now);
        }
        for (act, message) in did {
            let properties = properties_of(act, &run.start);
            let said = Said {
                topic: message.topic.into(),
                payload: message.payload.into(),
                properties,
                // It is as sure as what led to it.
                qos: event.qos.min(Qos::AtLeastOnce),
                retain: false,
                expires: message.expires.map_or(Time::NEVER, |span| now.after(span)),
            };
            let said = Event::new(self.next_id(now), Actor::Api, said);
            let said = said.because_of(event).said_by(Arc::clone(key));
            if HOPS_MAX < said.hops {
                self.figures.loops_cut += 1;
                continue;
            }
            self.figures.published += 1;
            self.journeys.note_said(run.id, &said);
            match keep::must_be_kept(&said) || self.keep.must_wait(&said.topic) {
                true => self.set_out(said, Some(shard), keep::Answer::None, now),
                false => self.processes.said.push_back(Arc::new(said)),
            }
        }
        if let Some(from) = event.place {
            let via = Via::Process(fnv(key));
            self.write_reaction(shard, Some(from), via);
        }
    }

    /// What an event says of itself as a CloudEvent. Who speaks at an element's address speaks of
    /// that element; flows and the hub may say of what they speak. Signals are told by the hub alone.
    fn attributes_of(&self, event: &Event) -> Attributes {
        if event.properties.is_empty() {
            return Attributes::default();
        }
        let properties = Properties::of_wire(&event.properties);
        let mut by_name = Vec::new();
        for property in properties.iter() {
            if let Property::UserProperty(name, value) = property {
                by_name.push((name.clone(), value.clone()));
            }
        }
        let is_ours = event.by == Actor::Hub || deployment::is_flow(event.author());
        if !is_ours && Address::element_of(&event.topic).is_some() {
            by_name.retain(|(name, _)| &**name != "subject");
        }
        if event.by != Actor::Hub {
            by_name.retain(|(name, kind)| &**name != "type" || !self.signals.tells(kind));
        }
        Attributes { by_name }
    }

    /// A shard of this lane that a run belongs to.
    fn shard_of_run(&self, event: &Event, key: &str) -> u8 {
        let is_own = |shard: &u8| usize::from(*shard) % self.lanes == usize::from(self.lane);
        let of_topic = Some(shard_of_topic(&event.topic));
        let of_place = event.place.map(|place| place.shard());
        let mut shards = [of_topic, of_place, Some(shard_of_topic(key))].into_iter();
        // The shard with a lane's own number is always its own.
        shards
            .find_map(|shard| shard.filter(is_own))
            .unwrap_or(self.lane)
    }

    /// What flows said is followed when what led to it was.
    pub(super) fn follow_flows(&mut self, now: Time) {
        if self.processes.said.is_empty() || self.processes.is_following {
            return;
        }
        self.processes.is_following = true;
        for _ in 0..FOLLOWED_MAX {
            let Some(event) = self.processes.said.pop_front() else {
                break;
            };
            self.follow_from(Carried::shared_by(&event), Origin::Here, now);
        }
        self.processes.is_following = false;
    }

    /// Starts what came too often and may start now.
    pub(super) fn wake_processes(&mut self, now: Time) {
        self.follow_flows(now);
        for due in self.processes.flows.due(now) {
            let mut heard = Heard::new(&due.event, &due.attributes);
            self.begin_flow(&[due.which], &mut heard, due.count, 0, now);
        }
        self.follow_flows(now);
    }

    /// What a property of an element of this lane is.
    fn look_at(&self, key: &str, name: &str, now: Time) -> Looked {
        match self.said_at(&format!("{key}/properties/{name}"), now) {
            Some(event) => Looked::Is(value_of(&event.payload)),
            None => Looked::Unknown,
        }
    }

    /// Asks other lanes for what a run reads.
    fn look_elsewhere(&mut self, mut run: Run, event: &Event, needs: &BTreeSet<(String, String)>) {
        let mut by_lane: BTreeMap<Lane, Vec<(String, String)>> = BTreeMap::new();
        for (key, name) in needs {
            let lane = home_of_topic(key, self.lanes);
            by_lane
                .entry(lane)
                .or_default()
                .push((key.clone(), name.clone()));
        }
        if PENDING_MAX <= self.processes.pending.len() {
            // The other lane is far behind; what it knows is not known here.
            let all = by_lane.into_values().flatten();
            run.known.extend(all.map(|about| (about, Looked::Unknown)));
            let now = run.id.at;
            return self.run_flow(run, event, now);
        }
        self.processes.questions += 1;
        let number = self.processes.questions;
        self.one_more(run.step);
        let outstanding = by_lane.len();
        for (lane, asked) in by_lane {
            let from = self.lane;
            let look = Mail::Look {
                from,
                number,
                asked,
            };
            self.out.mail.push((lane, look));
        }
        let pending = Pending {
            run,
            event: Arc::new(event.clone()),
            outstanding,
        };
        self.processes.pending.insert(number, pending);
    }

    /// Another lane's run reads what this one knows.
    pub(super) fn hear_look(
        &mut self,
        from: Lane,
        number: u64,
        asked: Vec<(String, String)>,
        now: Time,
    ) {
        let looked = asked.into_iter().map(|(key, name)| {
            let looked = self.look_at(&key, &name, now);
            ((key, name), looked)
        });
        let found = looked.collect();
        self.out.mail.push((from, Mail::Looked { number, found }));
    }

    /// What a run asked for.
    pub(super) fn looked(
        &mut self,
        number: u64,
        found: Vec<((String, String), Looked)>,
        now: Time,
    ) {
        let Some(pending) = self.processes.pending.get_mut(&number) else {
            return;
        };
        pending.run.known.extend(found);
        pending.outstanding -= 1;
        if pending.outstanding != 0 {
            return;
        }
        if let Some(Pending { run, event, .. }) = self.processes.pending.remove(&number) {
            let step = run.step;
            self.run_flow(run, &event, now);
            if step != 0 {
                self.wait(Waiting::Passed(step), now);
            }
            self.follow_flows(now);
        }
    }

    /// What a flow sees of an event: all of it, or this part. Why not, if nothing.
    fn flow_sees(&self, flow: FlowKey, event: &Event, now: Time) -> Result<Option<Event>, String> {
        if is_secret(&event.topic) {
            return Err("what the hub keeps here is for itself only".to_owned());
        }
        let Some(rights) = self.processes.rights.get(flow) else {
            return Err(NOBODYS.to_owned());
        };
        if rights.is_free {
            return Ok(None);
        }
        let Some(owner) = &rights.owner else {
            return Err(NOBODYS.to_owned());
        };
        let mut part: Option<Event> = None;
        for (party, whose) in [(&rights.itself, ""), (owner, "its owner may not: ")] {
            let mut party = party.borrow_mut();
            let Party { who, sight } = &mut *party;
            let seen = sight.see(self.graph(), part.as_ref().unwrap_or(event), now);
            match seen {
                Seen::Whole => {}
                Seen::Part(less) => part = Some(Event::clone(&less)),
                Seen::Nothing => {
                    let why = self.why_not(who, Deed::Read, &event.topic, now);
                    let why = why.unwrap_or_else(|| {
                        format!("{} may not read `{}`", who.name(), event.topic)
                    });
                    return Err(format!("{whose}{why}"));
                }
            }
        }
        Ok(part)
    }

    /// Flows that start each other were stopped.
    fn tell_of_loop(&mut self, flows: &[String], now: Time) {
        self.figures.loops_cut += 1;
        tracing::warn!(flows = flows.join(" → "), "flows go in a circle; it is cut");
        let Some(last) = flows.last() else {
            return;
        };
        let mut said = Said::kept(
            format!("{last}/events/loop"),
            json!({ "flows": flows, "at": now.rfc3339() }).to_string(),
        );
        said.retain = false;
        self.announce(said, now);
    }

    /// A flow starts no more until somebody says so.
    fn suspend_flow(&mut self, trigger: Trigger, why: String, now: Time) {
        let Some((flow, entry)) = self.processes.flows.flow_of(trigger) else {
            return;
        };
        let (key, mut deployment) = (Arc::clone(&flow.key), entry.deployment.clone());
        let Some(name) = deployment::name_of(&key) else {
            return;
        };
        tracing::warn!(flow = name, why, "a flow is suspended");
        deployment.state = State::Suspended;
        deployment.because = Some(why);
        let said = Said::kept(deployment::topic_of(name), deployment.to_text());
        // Until all lanes have heard of it this one starts it no more.
        self.processes.flows.set(name, Some(deployment));
        self.announce(said, now);
    }
}

fn reason(fault: &Fault) -> String {
    fault.detail.as_ref().unwrap_or(&fault.title).clone()
}

/// What goes with a message of a run.
fn properties_of(act: &Act, start: &Start) -> bytes::Bytes {
    if !matches!(act, Act::Emit { .. }) {
        return bytes::Bytes::new();
    }
    let mut bytes = Vec::with_capacity(256);
    for (name, value) in act.attributes() {
        match name {
            "datacontenttype" => Property::ContentType((*value).into()).write(&mut bytes),
            VIA => {}
            name => Property::write_user(name, &value, &mut bytes),
        }
    }
    Property::write_user(VIA, &start.via, &mut bytes);
    bytes.into()
}

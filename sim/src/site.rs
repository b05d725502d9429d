//! A hub in memory: its lanes, its sockets, its clock.

use std::{
    cell::{RefCell, RefMut},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use quartet_fabric::mqtt::{Connect, Packet, Reason};
use quartet_hub::{
    config::Limits,
    flow::{
        Authenticate, Flow, NoMethods, Peer, Setup,
        keep::{Recall, recover},
    },
};
use quartet_model::{Said, Time};
use quartet_people::audit::Entry;

use crate::{
    Chance, Client,
    journal::Journal,
    lane::{Lane, Letter},
    socket::{Socket, SocketId},
};

/// What a site is made with.
#[derive(Clone)]
pub struct Plan {
    /// How many lanes it has.
    pub lanes: usize,
    /// Whatever is left to chance comes from this.
    pub seed: u64,
    /// What clients may use up.
    pub limits: Limits,
    /// The methods of enhanced authentication, for each lane.
    pub authenticate: fn() -> Box<dyn Authenticate>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            lanes: 1,
            seed: 0,
            limits: Limits::default(),
            authenticate: || Box::new(NoMethods),
        }
    }
}

/// A hub in memory. Clones are the same site.
#[derive(Clone)]
pub struct Site(Rc<RefCell<World>>);

pub(crate) struct World {
    now: Time,
    chance: Chance,
    lanes: Vec<Lane>,
    journal: Journal,
    plan: Plan,
    pub(crate) sockets: Vec<Socket>,
}

/// Tells the same story at hubs of one lane and of three, and with other chances.
pub fn on_every_site(story: impl Fn(&Site)) {
    for lanes in [1, 3] {
        for seed in 0..3 {
            let plan = Plan {
                lanes,
                seed,
                ..Plan::default()
            };
            eprintln!("a site of {lanes} lanes from seed {seed}");
            story(&Site::of(&plan));
        }
    }
}

impl Site {
    /// A hub with the default limits.
    pub fn new(lanes: usize, seed: u64) -> Self {
        Self::of(&Plan {
            lanes,
            seed,
            ..Plan::default()
        })
    }

    /// A hub with these limits: one lane.
    pub fn with_limits(limits: Limits) -> Self {
        Self::of(&Plan {
            limits,
            ..Plan::default()
        })
    }

    /// A hub as planned.
    pub fn of(plan: &Plan) -> Self {
        let journal = Journal::new(plan.lanes);
        let now = Time::from_micros(1_000_000_000);
        Self(Rc::new(RefCell::new(World {
            now,
            chance: Chance::new(plan.seed),
            lanes: start(plan, &journal, now),
            journal,
            plan: plan.clone(),
            sockets: Vec::new(),
        })))
    }

    /// The hub dies at once, as it is, and comes back with so many lanes.
    pub fn crash(&self, lanes: usize) {
        let mut world = self.world();
        let World {
            chance,
            journal,
            plan,
            sockets,
            ..
        } = &mut *world;
        for socket in sockets {
            socket.is_closed = true;
            socket.is_lost = true;
        }
        journal.crash(lanes, chance);
        plan.lanes = lanes;
        world.lanes = start(&world.plan, &world.journal, world.now);
    }

    /// The clock is set back, as it may be while a hub is down.
    pub fn set_clock_back(&self, by: Duration) {
        let mut world = self.world();
        world.now = Time::from_micros(world.now.as_micros() - by.as_micros() as u64);
    }

    /// The clock goes on by so much; nothing else does.
    pub fn set_clock_on(&self, by: Duration) {
        let mut world = self.world();
        world.now = world.now.after(by);
    }

    /// From now on nothing becomes safe, or what was written does again.
    pub fn stick_journal(&self, is_stuck: bool) {
        self.world().journal.is_stuck = is_stuck;
    }

    /// From now on nothing of one lane becomes safe, or what was written does again.
    pub fn stick_lane(&self, lane: Option<usize>) {
        self.world().journal.stuck_lane = lane;
    }

    /// Does so many steps, or all that can be done without waiting.
    pub fn run(&self, steps: usize) {
        let mut world = self.world();
        for _ in 0..steps {
            if !world.step() {
                return;
            }
        }
    }

    /// Begins to write all that holds down anew, as far as one turn goes.
    pub fn begin_round(&self) {
        self.settle();
        for lane in &mut self.world().lanes {
            lane.flow.begin_round();
            lane.flow.go_round();
            lane.flow.step_round();
            lane.post_soon();
        }
        self.settle();
    }

    /// Writes all that holds down anew, and forgets what was written before that.
    pub fn round(&self) {
        self.settle();
        for lane in &mut self.world().lanes {
            lane.flow.begin_round();
            lane.post_soon();
        }
        self.settle();
        for lane in &mut self.world().lanes {
            lane.flow.go_round();
        }
        loop {
            let mut world = self.world();
            let is_going = world.lanes.iter_mut().any(|lane| {
                lane.flow.step_round();
                lane.post_soon();
                lane.flow.has_round_to_go()
            });
            drop(world);
            self.settle();
            if !is_going {
                break;
            }
        }
        let mut world = self.world();
        let done: Vec<_> = world
            .lanes
            .iter_mut()
            .map(|lane| lane.flow.take_round().expect("all lanes have finished"))
            .collect();
        world.journal.forget(&done);
    }

    /// Somebody of this machine opens a connection.
    pub fn client(&self) -> Client {
        self.client_from(Peer {
            ip: None,
            is_local: true,
            is_open: true,
            is_certified: false,
        })
    }

    /// Somebody opens a connection.
    pub fn client_from(&self, peer: Peer) -> Client {
        let mut world = self.world();
        world.sockets.push(Socket::new(peer));
        let socket = world.sockets.len() - 1;
        let count = world.lanes.len();
        let lane = world.chance.below(count);
        let letter = Letter::Adopt(socket, Bytes::new());
        world.lanes[lane].letters.push_back(letter);
        Client::new(self.clone(), socket)
    }

    /// Somebody connects and comes in.
    pub fn connected(&self, connect: Connect) -> Client {
        let client = self.client();
        client.send(connect);
        match &*client.receive() {
            [Packet::ConnAck(connack), ..] if connack.reason == Reason::Success => client,
            other => panic!("the hub does not let the client in: {other:?}"),
        }
    }

    /// Does all that can be done without waiting.
    pub fn settle(&self) {
        let mut world = self.world();
        while world.step() {}
    }

    /// Time goes by, and what is due happens in its time.
    pub fn pass(&self, wait: Duration) {
        self.settle();
        let end = self.now().after(wait);
        loop {
            let mut world = self.world();
            let next = world.lanes.iter().map(Lane::wake_at).min();
            let next = next.unwrap_or(Time::NEVER).max(world.now);
            world.now = next.min(end);
            drop(world);
            self.settle();
            if end <= next {
                return;
            }
        }
    }

    /// So much time goes by while the hub is not there.
    pub fn miss(&self, wait: Duration) {
        self.settle();
        let mut world = self.world();
        world.now = world.now.after(wait);
    }

    /// What time it is at the site.
    pub fn now(&self) -> Time {
        self.world().now
    }

    /// The hub says something about itself.
    pub fn announce(&self, said: Said) {
        self.settle();
        let mut world = self.world();
        let now = world.now;
        world.lanes[0].flow.announce(said, now);
        world.lanes[0].post_soon();
        drop(world);
        self.settle();
    }

    /// The hub says that it is there for Sparkplug nodes, as one that runs does.
    pub fn be_host(&self) {
        let mut world = self.world();
        let now = world.now;
        for lane in &mut world.lanes {
            lane.flow.be_host(now);
            lane.post_soon();
        }
        drop(world);
        self.settle();
    }

    /// The machine's memory is used up, or is not any more.
    pub fn set_full(&self, is_full: bool) {
        for lane in &mut self.world().lanes {
            lane.flow.set_full(is_full);
        }
    }

    /// There is no room on the disk, or there is again.
    pub fn set_disk_full(&self, is_full: bool) {
        self.set_room((!is_full).then_some(u64::MAX));
    }

    /// What was written down so far, in bytes: what rounds are worth.
    pub fn bytes_written(&self) -> u64 {
        let world = self.world();
        let figures = world.lanes.iter().map(|lane| lane.flow.figures());
        figures.map(|figures| figures.journal_bytes).sum()
    }

    /// There is room on the disk for a payload of so many bytes; for nothing, if `None`.
    pub fn set_room(&self, bytes: Option<u64>) {
        for lane in &mut self.world().lanes {
            lane.flow.set_room(bytes);
        }
    }

    /// The hub goes down.
    pub fn shut_down(&self) {
        self.settle();
        let mut world = self.world();
        let now = world.now;
        for lane in &mut world.lanes {
            lane.flow.shut_down(now);
        }
        drop(world);
        self.settle();
    }

    /// How many sessions the hub holds.
    pub fn sessions(&self) -> u64 {
        let world = self.world();
        let figures = world.lanes.iter().map(|lane| lane.flow.figures());
        figures.map(|figures| figures.sessions).sum()
    }

    /// What the audit was told since it was last asked.
    pub fn noted(&self) -> Vec<Entry> {
        let mut world = self.world();
        let lanes = world.lanes.iter_mut();
        lanes
            .flat_map(|lane| std::mem::take(&mut lane.flow.out().noted))
            .collect()
    }

    /// Looks at what each lane knows.
    pub fn look<A>(&self, look: impl Fn(&Flow) -> A) -> Vec<A> {
        let world = self.world();
        world.lanes.iter().map(|lane| look(&lane.flow)).collect()
    }

    /// Panics unless what must hold of each lane at any moment does.
    pub fn assert_sound(&self) {
        for lane in &self.world().lanes {
            lane.flow.assert_sound();
        }
    }

    pub(crate) fn world(&self) -> RefMut<'_, World> {
        self.0.borrow_mut()
    }

    pub(crate) fn with_socket<T>(&self, id: SocketId, act: impl FnOnce(&mut Socket) -> T) -> T {
        act(&mut self.world().sockets[id])
    }
}

/// A hub as the journal knows it.
fn start(plan: &Plan, journal: &Journal, now: Time) -> Vec<Lane> {
    let flow = |lane| {
        Flow::new(Setup {
            lane: lane as u8,
            lanes: plan.lanes,
            seed: plan.seed,
            limits: plan.limits,
            authenticate: (plan.authenticate)(),
            tells_home_assistant: true,
            is_open: true,
        })
    };
    let mut flows: Vec<Flow> = (0..plan.lanes).map(flow).collect();
    let mut recall = Recall::new(plan.lanes);
    for (shard, seq, record) in journal.records() {
        recall
            .record(shard, seq, record)
            .expect("what was written can be read");
    }
    recover(&mut flows, recall.finish(), &journal.next(), now);
    flows.into_iter().map(Lane::new).collect()
}

impl World {
    /// Some lane that has work takes a step. Says whether there was one.
    fn step(&mut self) -> bool {
        let Self {
            now,
            chance,
            lanes,
            journal,
            sockets,
            ..
        } = self;
        for (own, lane) in lanes.iter_mut().enumerate() {
            lane.keep(own, journal);
        }
        let busy: Vec<usize> = (0..lanes.len())
            .filter(|&lane| lanes[lane].has_work(sockets, *now))
            .collect();
        let unsafe_lanes = journal.busy();
        if busy.is_empty() || !unsafe_lanes.is_empty() && chance.once_in(2) {
            let Some(&lane) = unsafe_lanes.get(chance.below(unsafe_lanes.len())) else {
                return false;
            };
            if let Some(ticket) = journal.commit(lane) {
                lanes[lane].letters.push_back(Letter::Committed(ticket));
            }
            return true;
        }
        let lane = *chance.pick(&busy);
        if let Some((to, letters)) = lanes[lane].step(sockets, chance, *now) {
            lanes[to].letters.extend(letters);
        }
        true
    }
}

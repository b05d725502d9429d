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
    flow::{Authenticate, ElementsSeed, Flow, NoMethods, Peer, Setup},
};
use quartet_model::{Said, Time};

use crate::{
    Chance, Client,
    lane::{Lane, Letter},
    socket::{Socket, SocketId},
};

/// What a site is made with.
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
        let lane = |lane| {
            Lane::new(Flow::new(Setup {
                lane: lane as u8,
                lanes: plan.lanes,
                seed: plan.seed,
                limits: plan.limits,
                authenticate: (plan.authenticate)(),
                elements: ElementsSeed::default(),
            }))
        };
        Self(Rc::new(RefCell::new(World {
            now: Time::from_micros(1_000_000_000),
            chance: Chance::new(plan.seed),
            lanes: (0..plan.lanes).map(lane).collect(),
            sockets: Vec::new(),
        })))
    }

    /// Somebody of this machine opens a connection.
    pub fn client(&self) -> Client {
        self.client_from(Peer {
            is_local: true,
            is_open: false,
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

    /// The machine's memory is used up, or is not any more.
    pub fn set_full(&self, is_full: bool) {
        for lane in &mut self.world().lanes {
            lane.flow.set_full(is_full);
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

impl World {
    /// Some lane that has work takes a step. Says whether there was one.
    fn step(&mut self) -> bool {
        let Self {
            now,
            chance,
            lanes,
            sockets,
        } = self;
        let busy: Vec<usize> = (0..lanes.len())
            .filter(|&lane| lanes[lane].has_work(sockets, *now))
            .collect();
        if busy.is_empty() {
            return false;
        }
        let lane = *chance.pick(&busy);
        if let Some((to, letters)) = lanes[lane].step(sockets, chance, *now) {
            lanes[to].letters.extend(letters);
        }
        true
    }
}

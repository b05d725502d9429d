//! One series: a hub on one data folder, its clients, and the one who kills it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs, io,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

use quartet_fabric::mqtt::{Packet, RetainHandling};
use quartet_model::Qos;

use crate::{
    Plan, Report, TortureError,
    board::{Board, Life, Phase, State, Waited},
    chance::Chance,
    disk::Disk,
    history::{Group, Heard, History, Kind, Said},
    hub::{Hub, Setup},
    message::{self, MessageId},
    publisher::Publisher,
    subscriber::{Habits, Subscriber},
    wire::{Lost, Wire, connect, subscribe, unexpected},
};

const PUBLISHERS: usize = 3;
const GROUPS: usize = 4;
const ALL: &str = "torture/#";
/// One in so many kills comes while the hub starts.
const WHILE_STARTING: u64 = 6;
/// Payloads, but in long lives.
const PAYLOAD_BYTES_MAX: usize = 400;
/// Payloads in long lives.
const LARGE_PAYLOAD_BYTES_MAX: usize = 120 << 10;
/// What is said in a long life before its death is drawn: more than makes the hub tidy up.
const LONG_LIFE_BYTES: u64 = 70 << 20;
/// How long a retained message may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// How one life of the hub ends, and after how much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Death {
    fault: Fault,
    is_after_a_long_life: bool,
}

/// What happens to the hub.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// SIGKILL.
    Kill,
    /// Its disk has what was safe, and nothing else.
    PowerCut,
}

/// Runs one series and says what was found.
pub fn run(plan: &Plan) -> Result<Report, TortureError> {
    let board = Arc::new(Board::new(
        PUBLISHERS + habits().len(),
        PUBLISHERS,
        GROUPS,
        Arc::clone(&plan.stop),
    ));
    let disk = match plan.power_cuts {
        0 => None,
        _ => Some(Disk::make(&plan.folder)?),
    };
    let mut killer = Killer {
        plan,
        chance: Chance::new(plan.seed),
        board: Arc::clone(&board),
        disk,
        hub: None,
        lives: 0,
        start: String::new(),
        report: Report {
            series: 1,
            ..Report::default()
        },
    };
    let clients = Clients::start(&board, plan.seed)?;
    let retained = killer.torture();
    board.close();
    board.enter(Phase::Over);
    killer.hub = None; // Who still listens to it hears its end.
    let mut history = clients.join();
    let mut report = killer.report;
    report.findings = board.take_findings();
    if let Some(retained) = retained? {
        history.retained = retained;
        report.findings.extend(history.findings());
    }
    let place = format!("series {}: ", plan.seed);
    for finding in &mut report.findings {
        finding.says.insert_str(0, &place);
    }
    report.acknowledged = history.acknowledged();
    report.said = history.said.iter().map(Vec::len).sum();
    for member in history.groups.iter().flat_map(|group| &group.members) {
        let different: HashSet<MessageId> = member.iter().map(|one| one.id).collect();
        report.heard += member.len();
        report.heard_again += member.len() - different.len();
    }
    Ok(report)
}

/// Who listens: at QoS 2, at QoS 1, one that is mostly away, two that share.
fn habits() -> Vec<Habits> {
    let usual = Habits {
        name: "subscriber at QoS 2".to_owned(),
        filter: ALL.to_owned(),
        qos: Qos::ExactlyOnce,
        group: 0,
        receive_maximum: 100,
        comes_once_in: 1,
        is_restless: false,
    };
    let member = Habits {
        filter: format!("$share/torture/{ALL}"),
        group: 3,
        receive_maximum: 20,
        is_restless: true,
        ..usual.clone()
    };
    vec![
        Habits {
            name: "subscriber at QoS 1".to_owned(),
            qos: Qos::AtLeastOnce,
            group: 1,
            receive_maximum: 20,
            is_restless: true,
            ..usual.clone()
        },
        Habits {
            name: "subscriber that is mostly away".to_owned(),
            group: 2,
            comes_once_in: 6,
            ..usual.clone()
        },
        Habits {
            name: "a member".to_owned(),
            ..member.clone()
        },
        Habits {
            name: "another member".to_owned(),
            ..member
        },
        usual,
    ]
}

/// The clients' threads.
struct Clients {
    publishers: Vec<JoinHandle<Vec<Said>>>,
    subscribers: Vec<(Habits, JoinHandle<Vec<Heard>>)>,
}

impl Clients {
    fn start(board: &Arc<Board>, seed: u64) -> Result<Self, TortureError> {
        let error = TortureError::system("start a thread");
        Self::try_start(board, seed).map_err(error)
    }

    fn try_start(board: &Arc<Board>, seed: u64) -> io::Result<Self> {
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let mut publishers = Vec::new();
        for number in 0..PUBLISHERS {
            let board = Arc::clone(board);
            let chance = Chance::for_part(seed, number as u64);
            let publish = move || Publisher::new(&board, number, chance).run();
            publishers.push(named("publisher").spawn(publish)?);
        }
        let mut subscribers = Vec::new();
        for (number, habits) in (PUBLISHERS..).zip(habits()) {
            let board = Arc::clone(board);
            let of = habits.clone();
            let listen = move || Subscriber::new(&board, number, of, seed).run();
            subscribers.push((habits, named("subscriber").spawn(listen)?));
        }
        Ok(Self {
            publishers,
            subscribers,
        })
    }

    /// What they saw, once all is over.
    fn join(self) -> History {
        let mut history = History {
            groups: vec![Group::default(); GROUPS],
            ..History::default()
        };
        for publisher in self.publishers {
            let said = publisher
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            history.said.push(said);
        }
        for (habits, subscriber) in self.subscribers {
            let heard = subscriber
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let group = &mut history.groups[habits.group];
            group.name = habits.name;
            group.qos = habits.qos;
            group.members.push(heard);
        }
        history
    }
}

/// Starts the hub and kills it.
struct Killer<'p> {
    plan: &'p Plan,
    chance: Chance,
    board: Arc<Board>,
    // The hub first: it must be gone before its disk is unmounted.
    hub: Option<Hub>,
    disk: Option<Disk>,
    lives: u64,
    /// What the hub noted about where to begin to read.
    start: String,
    report: Report,
}

impl Killer<'_> {
    /// The whole story. Gives what is retained at the end, if it came to that.
    fn torture(&mut self) -> Result<Option<BTreeMap<String, MessageId>>, TortureError> {
        let folder = &self.plan.folder;
        fs::create_dir_all(folder).map_err(TortureError::system("make a folder"))?;
        let mut chance = self.chance.clone();
        self.setup()
            .prepare(&mut chance)
            .map_err(TortureError::system("write a configuration"))?;
        self.chance = chance;
        let mut deaths = self.deaths();
        self.live(deaths.first())?;
        let subscribers = habits().len();
        if !self.waited("subscribing", |state| state.subscribed == subscribers)? {
            return Ok(None);
        }
        self.board.enter(Phase::Load);
        while let Some(&death) = deaths.first() {
            deaths.remove(0);
            if !self.wait_for_the_moment(death)? {
                return Ok(None);
            }
            self.die(death.fault)?;
            self.live(deaths.first())?;
        }
        self.board.enter(Phase::Drain);
        if !self.waited("draining", State::is_drained)? {
            return self.retained().map(Some);
        }
        self.die(Fault::Kill)?;
        self.board.enter(Phase::Farewell);
        self.live(None)?;
        let life = self.lives;
        let is_over = |state: &State| state.all_said_farewell(life) && state.is_drained();
        self.waited("saying farewell", is_over)?;
        let retained = self.retained()?;
        if self.setup().log().contains("panicked") {
            self.board.find(Kind::Broken, "the hub panicked");
        }
        Ok(Some(retained))
    }

    fn setup(&self) -> Setup<'_> {
        Setup {
            program: &self.plan.program,
            folder: &self.plan.folder,
            lanes: self.plan.lanes,
        }
    }

    fn data(&self) -> PathBuf {
        let disk = self.disk.as_ref().map(Disk::path);
        disk.unwrap_or(&self.plan.folder).join("data")
    }

    /// Kills and power cuts in random order; the last kill comes after the load.
    fn deaths(&mut self) -> Vec<Death> {
        let mut faults = vec![Fault::PowerCut; self.plan.power_cuts];
        let kills = self.plan.kills.saturating_sub(1);
        faults.resize(faults.len() + kills, Fault::Kill);
        let deaths = faults.into_iter().map(|fault| Death {
            fault,
            is_after_a_long_life: false,
        });
        let mut deaths: Vec<Death> = deaths.collect();
        self.shuffle(&mut deaths);
        for death in deaths.iter_mut().take(self.plan.long_lives) {
            death.is_after_a_long_life = true;
        }
        self.shuffle(&mut deaths);
        deaths
    }

    fn shuffle(&mut self, deaths: &mut [Death]) {
        for index in (1..deaths.len()).rev() {
            deaths.swap(index, self.chance.below(index as u64 + 1) as usize);
        }
    }

    /// Waits until the hub is to die; false if nothing moves any more.
    fn wait_for_the_moment(&mut self, death: Death) -> Result<bool, TortureError> {
        if death.is_after_a_long_life && !self.wait_for_a_long_time()? {
            return Ok(false);
        }
        let (acks, bytes) = {
            let state = self.board.state();
            (state.acks, state.bytes)
        };
        if self.chance.once_in(2) {
            let acks = acks + self.chance.up_to(self.plan.acks_max);
            self.waited("a moment to die", |state| acks <= state.acks)
        } else {
            let bytes = bytes + self.chance.up_to(self.plan.acks_max * 500);
            self.waited("a moment to die", |state| bytes <= state.bytes)
        }
    }

    /// Waits until much was said; half the time until the hub has tidied up after that.
    fn wait_for_a_long_time(&mut self) -> Result<bool, TortureError> {
        let waits_for_round = self.chance.once_in(2);
        let said = self.board.state().bytes_said;
        self.waited("saying much", |state| {
            let said = state.bytes_said - said;
            let is_enough = !waits_for_round || self.start() != self.start;
            LONG_LIFE_BYTES <= said && (is_enough || 8 * LONG_LIFE_BYTES <= said)
        })
    }

    /// What the hub notes about where to begin to read, when it has tidied up.
    fn start(&self) -> String {
        fs::read_to_string(self.data().join("journal/start")).unwrap_or_default()
    }

    fn die(&mut self, fault: Fault) -> Result<(), TortureError> {
        let Some(hub) = self.hub.take() else {
            return Ok(());
        };
        self.board.close();
        match (fault, &mut self.disk) {
            (Fault::PowerCut, Some(disk)) => {
                self.report.power_cuts += 1;
                disk.cut(hub)?;
            }
            _ => {
                self.report.kills += 1;
                hub.kill();
            }
        }
        let start = self.start();
        if self.start != start {
            self.report.rounds += 1;
            self.start = start;
        }
        Ok(())
    }

    /// Starts the hub, perhaps not at the first attempt, for a life that ends so.
    fn live(&mut self, death: Option<&Death>) -> Result<(), TortureError> {
        let data = self.data();
        let cannot_spawn = || TortureError::system("start the hub");
        while 0 < self.lives && death.is_some() && self.chance.once_in(WHILE_STARTING) {
            self.lives += 1;
            let usual = self.report.recovery().0.as_micros() as u64;
            let time = Duration::from_micros(self.chance.below(usual));
            let spawned = self.setup().spawn(&data).map_err(cannot_spawn())?;
            self.report.kills += 1;
            if spawned.kill_within(time) {
                self.report.kills_while_starting += 1;
            }
        }
        self.lives += 1;
        if let Some(spoil) = self.plan.spoil {
            spoil(&data);
        }
        let spawned = self.setup().spawn(&data).map_err(cannot_spawn())?;
        let hub = spawned.up().map_err(|why| {
            // Who wants us to stop may have told the hub as well.
            if self.plan.stop.load(Ordering::Relaxed) {
                return TortureError::Stopped;
            }
            TortureError::Start {
                series: self.plan.seed,
                life: self.lives,
                why,
                log: self.setup().end_of_log(),
            }
        })?;
        self.report.recoveries.push(hub.recovery);
        self.board.open(Life {
            number: self.lives,
            at: hub.at,
            payload_bytes_max: match death {
                Some(death) if death.is_after_a_long_life => LARGE_PAYLOAD_BYTES_MAX,
                _ => PAYLOAD_BYTES_MAX,
            },
        });
        self.hub = Some(hub);
        Ok(())
    }

    /// Waits until something holds; a finding and false if nothing moves any more.
    fn waited(&self, what: &str, holds: impl Fn(&State) -> bool) -> Result<bool, TortureError> {
        match self.board.wait(holds) {
            Waited::Holds => Ok(true),
            Waited::Stopped => Err(TortureError::Stopped),
            Waited::InVain => {
                let missing = self.board.state().missing();
                let says = format!(
                    "nothing moves while {what} in life {}: {missing}",
                    self.lives
                );
                self.board.find(Kind::Broken, says);
                Ok(false)
            }
        }
    }

    /// What a client that comes anew finds retained.
    fn retained(&self) -> Result<BTreeMap<String, MessageId>, TortureError> {
        let mut retained = BTreeMap::new();
        let Some(hub) = &self.hub else {
            return Ok(retained);
        };
        let topics = self.board.state().retained_at.clone();
        match hear_retained(hub, &topics, &mut retained) {
            // What did not come in time is not there.
            Ok(()) | Err(Lost::Io(_)) => {}
            Err(lost) => {
                let says = format!("asking for what is retained: {lost}");
                self.board.find(Kind::Broken, says);
            }
        }
        Ok(retained)
    }
}

fn hear_retained(
    hub: &Hub,
    topics: &BTreeSet<String>,
    retained: &mut BTreeMap<String, MessageId>,
) -> Result<(), Lost> {
    let mut wire = Wire::open(hub.at)?;
    wire.patience(PATIENCE)?;
    wire.put(&connect("who looks at the end", false, 100));
    wire.put(&subscribe(1, ALL, Qos::AtLeastOnce, RetainHandling::Send));
    wire.flush()?;
    while topics.iter().any(|topic| !retained.contains_key(topic)) {
        for packet in wire.read()?.0 {
            match packet {
                Packet::ConnAck(ack) if !ack.reason.is_error() => {}
                Packet::SubAck(ack) if !ack.reasons.iter().any(|one| one.is_error()) => {}
                Packet::Publish(publish) if publish.retain => {
                    let id = message::read(&publish.payload);
                    let id = id.ok_or_else(|| Lost::Unexpected(format!("{publish:?}")))?;
                    if retained.insert(publish.topic.to_string(), id).is_some() {
                        return Err(Lost::Unexpected(format!("twice {}", publish.topic)));
                    }
                }
                other => return Err(unexpected(&other)),
            }
        }
    }
    Ok(())
}

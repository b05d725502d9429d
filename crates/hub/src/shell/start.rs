//! Everything together, from start to end.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    os::unix::fs::DirBuilderExt,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use quartet_fabric::mqtt::{Fault, Reason};
use quartet_model::Said;
use quartet_people::{
    credentials::{self, Credential, Proof, Replaces},
    secret::{SECRET_BYTES, Secret},
};
use quartet_store::Key;
use quartet_things::registration;
use serde_json::json;

use super::{
    acme::Answers,
    aside::give_way,
    authority::Authority,
    clock::{Clock, Set},
    computer::Computer,
    control::Control,
    discovery::{self, Announcement},
    door::{Bound, Closer, Door, OpenConnections, Rules},
    identity::Identity,
    journal::{Desk, Failure, Room, fetch_all, fetch_channel},
    kept::{Kept, read_key},
    lane::{Lane, prepare},
    letterbox::LetterBox,
    socket::Socket,
    tls::{Certificates, TlsError},
};
use crate::{
    audit::{self, AUDIT, Audit, Keeper, NotKept},
    coap,
    config::{At, ClientCertificates, Config, Limits, Listener, Scheme},
    flow::{Figures, Flow, NoMethods, Setup, Who},
    http::{self, Accounts, Doors, First, Providers, Web},
    trust,
    views::{Audited, Follower, Views, Where},
};

/// Why the hub did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {url}: {source}")]
    Listen {
        /// The listener.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error("cannot use the data folder {path}: {source}")]
    Data {
        /// The folder.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// What the hub kept cannot be read.
    #[error("Q0107: cannot open the journal in {path}: {why}")]
    Journal {
        /// The folder.
        path: String,
        /// Why.
        why: String,
    },
    /// Certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gives no thread, no poll.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// The hub could not keep anything any more.
#[derive(Debug, thiserror::Error)]
#[error("Q0108: the hub stopped because its journal failed: {0}")]
pub struct StopError(String);

/// A hub that runs.
pub struct Running {
    control: Control,
    closer: Closer,
    threads: Vec<JoinHandle<()>>,
    follower: Follower,
    runtime: tokio::runtime::Runtime,
    listeners: Vec<Listener>,
    rules: Arc<RwLock<Rules>>,
    identity: Arc<Identity>,
    machine: Machine,
    failure: Failure,
    open: Arc<OpenConnections>,
    memory_bytes_max: Arc<AtomicU64>,
    journal_bytes_max: Arc<AtomicU64>,
    audit_bytes_max: Arc<AtomicU64>,
    config: Config,
    announcements: Vec<Announcement>,
    first_steps: Option<FirstSteps>,
}

/// What whoever starts a hub that nobody looks after yet needs.
#[derive(Debug)]
pub struct FirstSteps {
    /// Opens the account of the first owner, at `/start#{code}`.
    pub code: Secret,
    /// The secret of a first thing, [`HELLO`]; good for a day.
    pub secret: Secret,
}

/// How far answers over HTTP give way to lanes: a third of a lane's share where both want a core.
const CONTROL_NICE: i32 = 5;

/// A first thing to try with.
pub const HELLO: &str = "things/hello";
/// How long its secret is good.
const HELLO_LASTS: Duration = Duration::from_secs(24 * 3600);

/// What limits that are 0 stand for, on this machine.
struct Machine {
    descriptors: usize,
    memory_bytes: u64,
}

impl Machine {
    fn connections_max(&self, limits: &Limits) -> usize {
        match limits.connections_max {
            0 => self.descriptors.saturating_sub(64).max(16),
            max => max,
        }
    }

    fn memory_bytes_max(&self, limits: &Limits) -> u64 {
        match limits.memory_bytes_max {
            0 => self.memory_bytes / 4 * 3,
            max => max,
        }
    }
}

/// Starts a hub. It runs until [`Running::stop`].
pub fn start(config: Config) -> Result<Running, StartError> {
    // What clients say is nobody else's business.
    let mut folder = std::fs::DirBuilder::new();
    let made = folder.recursive(true).mode(0o700).create(&config.data);
    made.map_err(|source| StartError::Data {
        path: config.data.display().to_string(),
        source,
    })?;
    let clock = Clock::new();
    let mut computer = Computer::new(&config.data);
    let lanes = match config.lanes {
        0 => std::thread::available_parallelism()?.get(),
        lanes => lanes,
    }
    .min(quartet_fabric::routes::LANES_MAX);
    let descriptors = raise_descriptor_limit();

    let is_http = |listener: &&Listener| matches!(listener.scheme, Scheme::Http | Scheme::Https);
    let is_coap = |listener: &&Listener| listener.scheme == Scheme::Coap;
    let datagrams = config.listeners.iter().filter(is_coap).map(bind_coap);
    let datagrams = datagrams.collect::<Result<Vec<_>, _>>()?;
    let mut bound = Vec::new();
    for listener in config
        .listeners
        .iter()
        .filter(|l| !is_http(l) && !is_coap(l))
    {
        bound.push(Bound::bind(listener).map_err(|source| listen_error(listener, source))?);
    }
    let mut listeners: Vec<Listener> = bound.iter().map(Bound::listener).collect();
    let asks = |listener: &Listener| listener.client_certificates != ClientCertificates::None;
    let authority = (config.listeners.iter().any(asks))
        .then(|| Authority::open(&config.data).map(Arc::new))
        .transpose()?;
    let identity = Arc::new(Identity::open(&config, clock, authority.as_ref())?);

    let mut polls = Vec::new();
    let mut boxes = Vec::new();
    for _ in 0..lanes {
        let (poll, box_) = prepare()?;
        polls.push(poll);
        boxes.push(Arc::new(box_));
    }
    let boxes: Arc<[Arc<LetterBox>]> = boxes.into();
    let machine = Machine {
        descriptors,
        memory_bytes: computer.memory_total_bytes(),
    };
    let open = Arc::new(OpenConnections::new(
        machine.connections_max(&config.limits),
    ));
    let seed = seed();
    let mut threads = Vec::new();
    let flow = |lane| {
        Flow::new(Setup {
            lane: lane as u8,
            lanes,
            seed,
            limits: config.limits,
            authenticate: Box::new(NoMethods),
            tells_home_assistant: config.tells_home_assistant,
            is_open: config.open,
        })
    };
    let mut flows: Vec<Flow> = (0..lanes).map(flow).collect();
    let kept = Kept::open(&config, &mut flows, clock)?;
    let audit = Audit::new(&config.data);
    let failure = Failure::default();
    let (fetches, to_fetch) = fetch_channel();
    let journal = Arc::clone(&kept.journal);
    let thread = std::thread::Builder::new().name("fetch".to_owned());
    threads.push(thread.spawn(move || fetch_all(&*journal, &to_fetch))?);
    let audit_bytes_max = Arc::new(AtomicU64::new(config.limits.audit_bytes_max));
    let (follower, views) = follow(&config, &kept, clock, &audit, &audit_bytes_max)?;
    let room = Room::new(Arc::<quartet_store::Local>::clone(&kept.journal));
    let desk = Desk::new(
        Arc::<quartet_store::Local>::clone(&kept.journal),
        Arc::clone(&kept.owners),
        fetches,
        failure.clone(),
        room.clone(),
        audit.notes().clone(),
    );
    // Only the lanes hold on to it: when they end, so does the thread that fetches.
    let desks = std::iter::repeat_n(desk, lanes);
    let flows: Arc<[Arc<Mutex<Flow>>]> = flows.into_iter().map(Mutex::new).map(Arc::new).collect();
    for (own, (poll, desk)) in polls.into_iter().zip(desks).enumerate() {
        let flow = Arc::clone(&flows[own]);
        let boxes = boxes.to_vec();
        let open = Arc::clone(&open);
        let lane = move || Lane::new(poll, &flow, clock, boxes, own, open, desk).run();
        let thread = std::thread::Builder::new().name(format!("lane-{own}"));
        threads.push(thread.spawn(lane)?);
    }

    let rules = Arc::new(RwLock::new(rules(&config)));
    let (door, closer) = Door::new(
        bound,
        Arc::clone(&boxes),
        Arc::clone(&rules),
        identity.mqtt().cloned(),
        Arc::clone(&open),
        clock,
    )?;
    let thread = std::thread::Builder::new().name("door".to_owned());
    threads.push(thread.spawn(move || door.run())?);

    let control = Control::new(
        boxes,
        flows,
        clock,
        Arc::<quartet_store::Local>::clone(&kept.journal),
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(lanes)
        .thread_name("control")
        // Whatever is asked, or tried, over HTTP: what lanes have to do comes first.
        .on_thread_start(|| give_way(CONTROL_NICE))
        .enable_all()
        .build()?;
    runtime.block_on(introduce(&control));
    let news = http::News::new();
    // Whoever can change the directory finds that it is listened to.
    runtime.block_on(news.follow(&control));
    let mut doors = Doors {
        web: Web::Here,
        mqtt: port(&listeners, Scheme::Mqtt),
        coap: datagrams.first().map(|(_, address)| address.port()),
    };
    let first = runtime.block_on(first_steps(&control));
    let code = first.as_ref().map(|first| First::of(&first.code));
    let providers = Providers::new(config.providers.clone());
    let accounts = Arc::new(Accounts::new(code.unwrap_or_default(), providers));
    let app = |doors| {
        let (control, views, news) = (control.clone(), views.clone(), news.clone());
        let (identity, accounts) = (Arc::clone(&identity), Arc::clone(&accounts));
        http::app(control, config.open, doors, views, news, identity, accounts)
    };
    for listener in config.listeners.iter().filter(is_http) {
        let is_encrypted = listener.scheme.is_encrypted();
        let https = identity.https().filter(|_| is_encrypted).cloned();
        let answers = identity.acme().map(|acme| Arc::clone(acme.answers()));
        let app = app(doors);
        listeners.push(serve_http(&runtime, listener, app, https, answers)?);
    }
    doors.web = web(&listeners);
    let coap = config.listeners.iter().filter(is_coap);
    for (listener, (socket, address)) in coap.zip(datagrams) {
        runtime.spawn(coap::serve(socket, app(doors), clock, seed));
        listeners.push(Listener {
            at: At::Udp(address),
            ..listener.clone()
        });
    }
    identity.listens(&listeners);
    runtime.spawn(Arc::clone(&identity).keep());
    if let Some(acme) = identity.acme() {
        runtime.spawn(Arc::clone(acme).keep());
    }
    let announcements = discovery::announce(config.discovery, &listeners, &Computer::name());
    let memory_bytes_max = Arc::new(AtomicU64::new(machine.memory_bytes_max(&config.limits)));
    runtime.spawn(watch_memory(control.clone(), Arc::clone(&memory_bytes_max)));
    runtime.spawn(watch_clock(control.clone()));
    runtime.spawn(look_at_computer(control.clone(), computer));
    runtime.spawn(report(control.clone(), audit.clone()));
    runtime.spawn(watch_disk(room));
    let journal_bytes_max = Arc::new(AtomicU64::new(config.limits.journal_bytes_max));
    let bytes_max = Arc::clone(&journal_bytes_max);
    listen_on_socket(&runtime, &config, &kept, audit);
    runtime.spawn(kept.rounds(control.clone(), bytes_max).run());
    Ok(Running {
        control,
        closer,
        threads,
        follower,
        runtime,
        listeners,
        rules,
        identity,
        machine,
        failure,
        open,
        memory_bytes_max,
        journal_bytes_max,
        audit_bytes_max,
        config,
        announcements,
        first_steps: first,
    })
}

impl Running {
    /// Where it listens, with the ports that were picked.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// What to do first, if nobody looks after the hub yet.
    pub fn first_steps(&self) -> Option<&FirstSteps> {
        self.first_steps.as_ref()
    }

    /// Where other devices find it by its certificate: addresses of the first HTTPS listener that they reach, the most likely
    /// one first.
    pub fn urls(&self) -> Vec<String> {
        let mut listeners = self.listeners.iter();
        let https = listeners.find(|one| one.scheme == Scheme::Https && !one.is_local());
        https.map_or_else(Vec::new, |https| {
            trust::urls(https, &self.identity.notice().called)
        })
    }

    /// A handle on the lanes.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Takes over what can change without a restart; says what could not be done.
    pub fn reload(&mut self, config: Config) -> Result<(), TlsError> {
        self.identity.reload(&config.tls)?;
        let limits = &config.limits;
        self.control.set_limits(*limits);
        self.open.set_max(self.machine.connections_max(limits));
        let bytes_max = self.machine.memory_bytes_max(limits);
        self.memory_bytes_max.store(bytes_max, Ordering::Relaxed);
        self.journal_bytes_max
            .store(limits.journal_bytes_max, Ordering::Relaxed);
        self.audit_bytes_max
            .store(limits.audit_bytes_max, Ordering::Relaxed);
        *self
            .rules
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = rules(&config);
        self.config = config;
        Ok(())
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Takes no more connections, tells everyone goodbye, and ends when all is written and
    /// safe. Says what went wrong, if the hub had to stop because of that.
    pub fn stop(self) -> Result<(), StopError> {
        drop(self.announcements);
        self.closer.close();
        self.control.shut_down();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread ended with a panic");
            }
        }
        // All is safe now: the views end with it.
        drop(self.follower);
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        match self.failure.what() {
            None => Ok(()),
            Some(why) => Err(StopError(why.to_owned())),
        }
    }
}

fn listen_error(listener: &Listener, source: io::Error) -> StartError {
    StartError::Listen {
        url: listener.to_string(),
        source,
    }
}

fn port(listeners: &[Listener], scheme: Scheme) -> Option<u16> {
    listeners.iter().find_map(|listener| match listener.at {
        At::Tcp(address) if listener.scheme == scheme => Some(address.port()),
        _ => None,
    })
}

/// Where HTTP is, for those who come over something else.
fn web(listeners: &[Listener]) -> Web {
    let at = |scheme: Scheme| {
        Some(Web::At {
            port: port(listeners, scheme)?,
            is_encrypted: scheme.is_encrypted(),
        })
    };
    let found = at(Scheme::Http).or_else(|| at(Scheme::Https));
    found.unwrap_or(Web::Nowhere)
}

fn bind_coap(listener: &Listener) -> Result<(UdpSocket, SocketAddr), StartError> {
    let bound = match listener.at {
        At::Udp(address) => coap::bind(address),
        _ => Err(io::Error::other("CoAP is served over UDP only")),
    };
    bound.map_err(|source| listen_error(listener, source))
}

fn rules(config: &Config) -> Rules {
    let origins = config.websocket.origins.clone();
    Rules {
        is_open: config.open,
        limits: config.limits,
        may_come_from: Arc::new(move |origin, host| {
            let origin_host = origin.split_once("://").map_or(origin, |(_, host)| host);
            // A foreign name may have been bent to this machine: the browser then calls the
            // foreign page and the hub one site.
            (origin_host.eq_ignore_ascii_case(host) && http::is_this_machine(host))
                || origins
                    .iter()
                    .any(|allowed| allowed == "*" || allowed == origin)
        }),
    }
}

fn serve_http(
    runtime: &tokio::runtime::Runtime,
    listener: &Listener,
    app: axum::Router,
    https: Option<Arc<Certificates>>,
    answers: Option<Arc<Answers>>,
) -> Result<Listener, StartError> {
    let At::Tcp(address) = listener.at else {
        let source = io::Error::other("HTTP is served over TCP only");
        return Err(listen_error(listener, source));
    };
    let client_certificates = listener.client_certificates;
    let tls = https.map(|certificates| http::Tls {
        authority: certificates.authority().cloned(),
        answers,
        config: Arc::new(move || certificates.config(client_certificates)),
    });
    let (task, local): (_, SocketAddr) = runtime
        .block_on(http::serve(address, app, tls))
        .map_err(|source| listen_error(listener, source))?;
    runtime.spawn(task);
    Ok(Listener {
        at: At::Tcp(local),
        ..listener.clone()
    })
}

/// As many descriptors as the system lets us have; says how many that are.
fn raise_descriptor_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let in_force = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    in_force.map_or(1 << 20, |limit| limit as usize)
}

/// What nobody can guess, from the system's own source.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one("quartet")
}

/// Refuses new work while the process holds more memory than it may.
async fn watch_memory(control: Control, bytes_max: Arc<AtomicU64>) {
    let mut was_full = false;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let bytes_max = bytes_max.load(Ordering::Relaxed);
        let is_full = bytes_max < http::resident_bytes();
        if is_full != was_full {
            was_full = is_full;
            if is_full {
                tracing::warn!(bytes_max, "memory is used up; nothing new is taken on");
            } else {
                tracing::info!("there is memory again");
            }
            control.tell_all(move |flow, _| flow.set_full(is_full));
        }
    }
}

/// Follows the system's clock where it is set forward, and says so where it is set back.
async fn watch_clock(control: Control) {
    let mut was_back = false;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        match control.clock().follow() {
            Some(Set::Forward(by)) => {
                tracing::warn!(
                    ?by,
                    "the system's clock was set forward, and the hub follows"
                );
                // What is due by now is done now.
                control.tell_all(|_, _| ());
            }
            Some(Set::Back(by)) if !was_back => {
                was_back = true;
                tracing::warn!(
                    ?by,
                    "the system's clock was set back; the hub keeps its own time until it starts again"
                );
            }
            Some(Set::Back(_)) => {}
            None => was_back = false,
        }
    }
}

/// Refuses what must be kept while the disk is full.
async fn watch_disk(room: Room) {
    let mut was_low = false;
    loop {
        room.look();
        if was_low != room.is_low() {
            was_low = !was_low;
            if was_low {
                tracing::warn!("the disk is full; no more messages of QoS 1 and 2 are taken");
            } else {
                tracing::info!("there is room on the disk again");
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Has the views, the history and the audit follow the journal.
fn follow(
    config: &Config,
    kept: &Kept,
    clock: Clock,
    audit: &Audit,
    bytes_max: &Arc<AtomicU64>,
) -> Result<(Follower, Views), StartError> {
    let place = Where::of(&config.data, config.journal_key.is_some());
    let journal = Arc::<quartet_store::Local>::clone(&kept.journal);
    let mut next = [0; quartet_store::SHARDS_MAX];
    for owner in &*kept.owners {
        next[usize::from(owner.shard.0)] = owner.next;
    }
    let key = config.journal_key.as_deref().map(read_key).transpose();
    let error = |why: String| StartError::Journal {
        path: config.data.join(AUDIT).display().to_string(),
        why,
    };
    let key = key.map_err(error)?;
    let keeper = open_audit(audit, key.clone(), clock).map_err(|why| error(why.to_string()))?;
    let audited = Audited {
        audit: audit.clone(),
        keeper,
        key,
        bytes_max: Arc::clone(bytes_max),
    };
    let started = Follower::start(place, journal, &config.data, next, clock, audited);
    Ok(started?)
}

/// Opens the audit. One that cannot be read is put aside: the hub goes on, and a new one says so.
fn open_audit(audit: &Audit, key: Option<Key>, clock: Clock) -> Result<Keeper, NotKept> {
    let now = clock.now();
    let why = match Keeper::open(audit, key.clone(), now) {
        Err(error) if error.is_damage() => error.to_string(),
        opened => return opened,
    };
    let broken = audit::set_aside(audit, now).map_err(NotKept::SetAside)?;
    let broken = broken.display().to_string();
    tracing::error!(%why, broken, "the audit cannot be read and is put aside; a new one begins");
    let mut keeper = Keeper::open(audit, key, now)?;
    keeper.say_why(&format!("the one before cannot be read: {why}"), now);
    Ok(keeper)
}

/// Lets the hub's own user ask for backups while it runs.
fn listen_on_socket(runtime: &tokio::runtime::Runtime, config: &Config, kept: &Kept, audit: Audit) {
    let _in_runtime = runtime.enter();
    match Socket::bind(&config.data) {
        Ok(socket) => {
            let key = config.journal_key.clone();
            let journal = Arc::clone(&kept.journal);
            runtime.spawn(socket.serve(journal, config.data.clone(), key, audit));
        }
        Err(error) => {
            tracing::warn!(%error, "no backups while the hub runs: there is no socket to ask on");
        }
    }
}

/// Says what there is from the beginning: this computer, and the directory of all things. Returns
/// when everybody finds them.
async fn introduce(control: &Control) {
    let name = Computer::name();
    let own = [
        quartet_things::computer::describe(&name),
        quartet_things::directory::describe(&name),
    ];
    for (key, description) in own {
        control.tell_home(key, move |flow, now| {
            flow.announce(registration::own(key, &description, now), now);
        });
        let _ = control.settle(key).await; // The hub may end already.
    }
}

/// While nobody has an account: what makes the first owner. Void with the next start.
async fn first_steps(control: &Control) -> Option<FirstSteps> {
    for lane in 0..control.lanes() {
        // A hub that ends already needs no owner.
        let look = control.look(lane, |flow, now| flow.has_accounts(now));
        if look.await.unwrap_or(true) {
            return None;
        }
    }
    let mut random = [[0; SECRET_BYTES]; 2];
    if let Err(error) = getrandom::fill(random.as_flattened_mut()) {
        tracing::error!(%error, "the system gives no randomness: there is no link for the first owner");
        return None;
    }
    let [code, secret] = random.map(|random| Secret::of(&random));
    let proof = Proof::Secret(secret.hash());
    let topic = credentials::topic_of(HELLO);
    let issue = move |flow: &mut Flow, now| {
        let mut all = flow.credentials(HELLO, now);
        // The one of the last start is void.
        all.revoke("hello");
        let credential = Credential {
            id: "hello".to_owned(),
            name: Some("first steps".to_owned()),
            proof,
            issued_at: now,
            issued_by: "hub".to_owned(),
            expires_at: now.after(HELLO_LASTS),
            scope: None,
            session: None,
        };
        all.issue(credential, &Replaces::Nothing, now)
            .map_err(|_| {
                Fault::new(
                    Reason::QuotaExceeded,
                    "things/hello has too many credentials",
                )
            })?;
        Ok(Said::kept(credentials::topic_of(HELLO), all.text()))
    };
    match control.say_if::<Fault>(Who::hub(), &topic, issue).await {
        Ok(Ok(_)) => Some(FirstSteps { code, secret }),
        Ok(Err(fault)) => {
            tracing::warn!(why = %fault.what, "there are no first steps");
            None
        }
        Err(_) => None, // The hub ends already.
    }
}

/// Says again and again how this computer is.
async fn look_at_computer(control: Control, mut computer: Computer) {
    const EVERY: Duration = Duration::from_secs(2);
    let key = quartet_things::computer::KEY;
    loop {
        let Ok((sample, back)) = tokio::task::spawn_blocking(move || {
            let sample = computer.look(EVERY.as_secs_f64());
            (sample, computer)
        })
        .await
        else {
            return;
        };
        computer = back;
        control.tell_home(key, move |flow, now| flow.sample(&sample, now));
        tokio::time::sleep(EVERY).await;
    }
}

/// Says at `$SYS` how the hub is, under the names that others use.
async fn report(control: Control, audit: Audit) {
    const EVERY: Duration = Duration::from_secs(10);
    let mut before = Figures::default();
    loop {
        let Ok(figures) = control.figures().await else {
            return;
        };
        let uptime = control.clock().uptime();
        let lines = sys_topics(&figures, &before, uptime, EVERY);
        before = figures;
        // Whoever keeps it elsewhere can tell later whether the audit was altered.
        let head = audit.head().ok().flatten();
        let head = head.map(|(n, hash)| json!({ "n": n, "hash": hash.to_hex().as_str() }));
        control.tell_home("$SYS", move |flow, now| {
            if let Some(head) = head {
                let payload = Bytes::from(head.to_string());
                flow.announce(Said::state("$SYS/audit", payload), now);
            }
            for (topic, value) in lines {
                let payload = Bytes::from(value);
                flow.announce(Said::state(format!("$SYS/broker/{topic}"), payload), now);
            }
        });
        tokio::time::sleep(EVERY).await;
    }
}

fn sys_topics(
    now: &Figures,
    before: &Figures,
    uptime: Duration,
    period: Duration,
) -> Vec<(&'static str, String)> {
    let per_minute = |now: u64, before: u64| {
        format!("{:.2}", (now - before) as f64 * 60.0 / period.as_secs_f64())
    };
    let dropped = now.dropped_socket + now.dropped_queue;
    vec![
        (
            "version",
            concat!("quartet ", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        ("uptime", format!("{} seconds", uptime.as_secs())),
        ("clients/total", now.sessions.to_string()),
        ("clients/connected", now.connections.to_string()),
        ("clients/active", now.connections.to_string()),
        (
            "clients/disconnected",
            now.sessions.saturating_sub(now.connections).to_string(),
        ),
        ("clients/expired", now.sessions_expired.to_string()),
        ("subscriptions/count", now.subscriptions.to_string()),
        ("retained messages/count", now.retained.to_string()),
        ("store/messages/bytes", now.retained_bytes.to_string()),
        ("messages/received", now.published.to_string()),
        ("messages/sent", now.delivered.to_string()),
        ("publish/messages/received", now.published.to_string()),
        ("publish/messages/sent", now.delivered.to_string()),
        ("publish/messages/dropped", dropped.to_string()),
        ("publish/bytes/received", now.published_bytes.to_string()),
        ("publish/bytes/sent", now.delivered_bytes.to_string()),
        ("bytes/received", now.bytes_received.to_string()),
        ("bytes/sent", now.bytes_sent.to_string()),
        (
            "load/publish/received/1min",
            per_minute(now.published, before.published),
        ),
        (
            "load/publish/sent/1min",
            per_minute(now.delivered, before.delivered),
        ),
        (
            "load/bytes/received/1min",
            per_minute(now.bytes_received, before.bytes_received),
        ),
        (
            "load/bytes/sent/1min",
            per_minute(now.bytes_sent, before.bytes_sent),
        ),
        (
            "load/connections/1min",
            per_minute(now.connections_opened, before.connections_opened),
        ),
        ("heap/current", http::resident_bytes().to_string()),
    ]
}

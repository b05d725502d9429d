//! Certificates that an authority of the Internet issues for domains (ACME, RFC 8555): ordered, kept, shown, renewed.
//!
//! When an order begins says [`Tries`], which is pure. While there is no certificate, and for all other names, the hub
//! shows the one of its own authority. Nothing here stops the hub: what fails is said, and tried again.

mod answers; // what the authority finds when it looks whether a domain is the hub's
mod ask; // how the authority is asked
mod issued; // a certificate that was issued, and whether it is what was ordered
mod order; // one order, from the account to the certificate
mod place; // what is kept of it
mod window; // when the authority suggests to renew

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use quartet_model::Time;
use rustls::sign::CertifiedKey;

pub(crate) use answers::Answers;
pub(crate) use issued::Issued;
use order::{NotIssued, Order};
use place::Place;
pub(crate) use place::{Kept, kept};

use super::{clock::Clock, tls::TlsError};
use crate::{
    config::{self, Config, Listener, Scheme},
    trust::Tries,
};

/// How long one order may take, with all that the authority does meanwhile.
const ORDER: Duration = Duration::from_secs(5 * 60);
/// How often the clock is looked at: it may be set.
const LOOK: Duration = Duration::from_secs(60);
/// How often the authority is asked when to renew, whatever it says itself.
const ASK_MIN: Duration = Duration::from_secs(3600);
const ASK_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long it is left alone if it did not say.
const ASK_LATER: Duration = Duration::from_secs(6 * 3600);

/// How the authority finds out that a domain is the hub's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Proof {
    /// A certificate at port 443 (TLS-ALPN-01, RFC 8737).
    Tls,
    /// A text at port 80 (HTTP-01, RFC 8555, section 8.3).
    Http,
}

/// Domains and their certificate.
pub(crate) struct Acme {
    config: config::Acme,
    place: Place,
    clock: Clock,
    proofs: Vec<Proof>,
    shown: RwLock<Option<Arc<Issued>>>,
    answers: Arc<Answers>,
    tries: Mutex<Tries>,
    /// When the next order begins.
    next: Mutex<Option<Time>>,
    /// When the authority is asked when to renew.
    ask: Mutex<Time>,
    /// Orders that led to nothing since the hub began.
    failures: AtomicU64,
}

/// How it is.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) shown: Option<Arc<Issued>>,
    /// When the last order began that led to nothing, and why it did.
    pub(crate) failed: Option<(Time, String)>,
    /// Those in a row.
    pub(crate) in_vain: u32,
    pub(crate) failures: u64,
    pub(crate) next: Option<Time>,
}

impl Acme {
    /// With what a data folder has of it; `None` if no domain is configured.
    pub(super) fn open(config: &Config, clock: Clock) -> Result<Option<Arc<Self>>, TlsError> {
        let acme = config.acme.clone();
        if !acme.is_on() {
            return Ok(None);
        }
        let place = Place::of(&config.data, &acme.directory);
        let tries = place.tries();
        let shown = match place.certificate() {
            None => None,
            Some(read) => {
                let ours = read.map(|issued| issued.of(&acme.domains)).map(Arc::new);
                let said = |why: &String| {
                    tracing::warn!(%why, file = %place.certificate_file().display(), "the certificate that was kept cannot be used; another one is ordered");
                };
                ours.inspect_err(said).ok()
            }
        };
        // A file that is not there is found now, not in sixty days.
        if let Some(root) = &acme.root {
            ask::roots(root)?;
        }
        Ok(Some(Arc::new(Self {
            proofs: proofs(&config.listeners),
            place,
            clock,
            shown: RwLock::new(shown),
            answers: Answers::new()?,
            tries: Mutex::new(tries),
            next: Mutex::default(),
            ask: Mutex::new(Time::ZERO),
            failures: AtomicU64::default(),
            config: acme,
        })))
    }

    /// What was configured.
    pub(crate) fn config(&self) -> &config::Acme {
        &self.config
    }

    /// What the authority finds when it looks.
    pub(crate) fn answers(&self) -> &Arc<Answers> {
        &self.answers
    }

    /// The certificate for a name, if it is one of the domains and there is one.
    pub(super) fn certificate(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let shown = self.shown.read();
        let issued = shown.as_ref().filter(|issued| issued.is_for(name))?;
        Some(Arc::clone(issued.key()))
    }

    /// How it is.
    pub(crate) fn state(&self) -> State {
        let tries = self.tries.lock();
        let failed = tries.last().zip(tries.failure.clone());
        State {
            shown: self.shown.read().clone(),
            failed,
            in_vain: tries.in_vain,
            failures: self.failures.load(Ordering::Relaxed),
            next: *self.next.lock(),
        }
    }

    /// Orders, and renews, until the hub ends.
    pub(super) async fn keep(self: Arc<Self>) {
        if self.proofs.is_empty() {
            return; // The configuration sees to it that there is one.
        }
        let mut chance = chance();
        loop {
            let now = self.clock.wall();
            if *self.ask.lock() <= now {
                self.ask_when(now).await;
            }
            let next = self.tries.lock().next(self.covering(), now, chance);
            let told = self.next.lock().replace(next);
            if now < next {
                if told != Some(next) {
                    tracing::debug!(at = next.rfc3339(), "the next order of a certificate");
                }
                tokio::time::sleep(next.since(now).min(LOOK)).await;
                continue;
            }
            chance = self::chance();
            self.order(now, chance).await;
        }
    }

    /// Asks the authority when what is shown is to be renewed. It need not say.
    async fn ask_when(&self, now: Time) {
        let shown = self.shown.read().clone();
        let Some(issued) = shown.filter(|_| self.covering().is_some()) else {
            return; // One is ordered anyway.
        };
        let asked = window::window(&self.config, &self.place, &issued);
        let again = match tokio::time::timeout(ORDER, asked).await {
            Ok(Ok((from, until, again))) => {
                let is_news = self.tries.lock().suggest(from, until, chance());
                if is_news && let Err(error) = self.remember() {
                    tracing::warn!(%error, "when to renew the certificate is not remembered over a restart");
                }
                again.clamp(ASK_MIN, ASK_MAX)
            }
            Ok(Err(why)) => {
                tracing::debug!(%why, "the authority does not say when to renew the certificate");
                ASK_LATER
            }
            Err(_) => ASK_LATER,
        };
        *self.ask.lock() = now.after(again);
    }

    /// The term of the certificate that is shown, if it is for all domains.
    fn covering(&self) -> Option<crate::trust::Term> {
        let shown = self.shown.read();
        let all = |issued: &&Arc<Issued>| {
            let mut domains = self.config.domains.iter();
            domains.all(|domain| issued.is_for(domain))
        };
        shown.as_ref().filter(all).map(|issued| issued.term())
    }

    async fn order(&self, now: Time, chance: f64) {
        let in_vain = self.tries.lock().in_vain as usize;
        // What did not work is followed by what else there is.
        let proof = self.proofs[in_vain % self.proofs.len()];
        self.tries.lock().begin(now);
        let mut patience = None;
        let issued = match self.remember() {
            // Who cannot write that it was tried would try again and again.
            Err(error) => Err(NotIssued::Kept(error)),
            Ok(()) => {
                let order = Order {
                    config: &self.config,
                    place: &self.place,
                    answers: &self.answers,
                    proof,
                    now: self.clock.wall(),
                };
                tracing::info!(
                    domains = self.config.domains.join(" "),
                    directory = self.config.directory,
                    "ordering a certificate"
                );
                let issued = tokio::time::timeout(ORDER, order.run(&mut patience)).await;
                self.answers.clear();
                issued.unwrap_or(Err(NotIssued::Slow))
            }
        };
        match issued {
            Ok(issued) => self.show(issued),
            Err(why) => self.fail(&why.to_string(), patience, chance),
        }
        if let Err(error) = self.remember() {
            tracing::error!(%error, "what became of the order is not remembered over a restart");
        }
    }

    fn show(&self, issued: Issued) {
        let until = issued.term().until.rfc3339();
        tracing::info!(
            domains = self.config.domains.join(" "),
            issuer = issued.issuer(),
            until,
            "new connections are shown a new certificate of the authority"
        );
        *self.shown.write() = Some(Arc::new(issued));
        *self.ask.lock() = Time::ZERO;
        self.tries.lock().succeed(self.clock.wall());
    }

    fn fail(&self, why: &str, patience: Option<Duration>, chance: f64) {
        let now = self.clock.wall();
        let mut tries = self.tries.lock();
        tries.fail(why.to_owned(), now, patience);
        self.failures.fetch_add(1, Ordering::Relaxed);
        let next = tries.next(self.covering(), now, chance).rfc3339();
        let until = self.shown.read().as_ref().map_or_else(
            || "none is shown yet".to_owned(),
            |issued| {
                format!(
                    "the one that is shown is good until {}",
                    issued.term().until.rfc3339()
                )
            },
        );
        tracing::warn!(
            %why,
            domains = self.config.domains.join(" "),
            certificate = until,
            next,
            "no certificate was issued"
        );
    }

    fn remember(&self) -> Result<(), TlsError> {
        let tries = self.tries.lock().clone();
        self.place.keep_tries(&tries)
    }
}

/// How an authority can find out, with these listeners, what works best first. One that listens for plain HTTP on this
/// machine only is not where an authority looks, unless there is nothing else.
fn proofs(listeners: &[Listener]) -> Vec<Proof> {
    let of = |scheme: Scheme| listeners.iter().filter(move |one| one.scheme == scheme);
    let has_tls = of(Scheme::Https).next().is_some();
    let has_http = of(Scheme::Http).any(|one| !has_tls || !one.is_local());
    let tls = has_tls.then_some(Proof::Tls);
    let http = has_http.then_some(Proof::Http);
    tls.into_iter().chain(http).collect()
}

/// From 0 to 1.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness all hubs come back at once, which is no harm of theirs.
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

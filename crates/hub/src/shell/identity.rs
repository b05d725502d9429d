//! Who the hub is to whoever connects with TLS: the one place that decides which certificate is shown, and sees to it that it
//! stays good. Open connections are never touched.

use std::{path::PathBuf, sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock};

use super::{
    acme::Acme,
    authority::Authority,
    clock::Clock,
    computer::Computer,
    servers::{Public, Servers},
    tls::{Certificates, Pair, TlsError},
};
use crate::{
    config::{Config, Discovery, Listener, Scheme, Tls},
    trust::Called,
};

/// How often names, addresses and the time that is left are looked at.
const EVERY: Duration = Duration::from_secs(60);

/// The hub's identity.
pub(crate) struct Identity {
    data: PathBuf,
    clock: Clock,
    is_announced: bool,
    /// What is shown, and by what rules; `None` while nothing is.
    held: Mutex<Held>,
    mqtt: Option<Arc<Certificates>>,
    https: Option<Arc<Certificates>>,
    /// Who issues certificates to things, if a listener asks for them.
    things: Option<Arc<Authority>>,
    /// Domains with a certificate of their own, if there are any.
    acme: Option<Arc<Acme>>,
    notice: RwLock<Arc<Notice>>,
}

#[derive(Default)]
struct Held {
    tls: Tls,
    /// Opened when it is needed first.
    servers: Option<Servers>,
    /// What went wrong last, so that it is said once.
    complaint: Option<String>,
}

/// What was decided.
struct Decided {
    pair: Pair,
    is_new: bool,
    shown: Shown,
    called: Called,
}

/// Which certificate is shown.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// None: no listener is encrypted.
    Nothing,
    /// One of the administrator.
    Given,
    /// One by the hub's own authority.
    Own(Public),
}

/// What everybody may know of who the hub is and where.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) shown: Shown,
    pub(crate) called: Called,
    /// Where it listens, once it does.
    pub(crate) listeners: Vec<Listener>,
}

impl Identity {
    /// For the listeners of a configuration; makes what they need.
    pub(super) fn open(
        config: &Config,
        clock: Clock,
        things: Option<&Arc<Authority>>,
    ) -> Result<Self, TlsError> {
        let needs = |schemes: &[Scheme]| {
            let mut listeners = config.listeners.iter();
            listeners.any(|listener| schemes.contains(&listener.scheme))
        };
        let is_announced = config.discovery != Discovery::Never;
        let called = called(&config.tls, is_announced);
        let mut identity = Self {
            data: config.data.clone(),
            clock,
            is_announced,
            held: Mutex::default(),
            mqtt: None,
            https: None,
            things: things.cloned(),
            acme: Acme::open(config, clock)?,
            notice: RwLock::new(Arc::new(Notice {
                shown: Shown::Nothing,
                called,
                listeners: Vec::new(),
            })),
        };
        let mqtt = needs(&[Scheme::Mqtts, Scheme::Wss]);
        let https = needs(&[Scheme::Https]);
        if !mqtt && !https {
            return Ok(identity);
        }
        let mut held = Held::default();
        let decided = identity.decide(&mut held, &config.tls)?;
        let certificates = |protocols| {
            let client_ca = config.tls.client_ca.as_deref();
            let (things, acme) = (things.cloned(), identity.acme.clone());
            let made = Certificates::new(protocols, &decided.pair, client_ca, things, acme);
            made.map(Arc::new)
        };
        identity.mqtt = mqtt.then(|| certificates(Certificates::MQTT)).transpose()?;
        identity.https = https
            .then(|| certificates(Certificates::HTTPS))
            .transpose()?;
        held.tls = config.tls.clone();
        identity.tell(decided);
        *identity.held.lock() = held;
        Ok(identity)
    }

    /// What connections of MQTT are shown.
    pub(super) fn mqtt(&self) -> Option<&Arc<Certificates>> {
        self.mqtt.as_ref()
    }

    /// What connections of HTTPS are shown.
    pub(super) fn https(&self) -> Option<&Arc<Certificates>> {
        self.https.as_ref()
    }

    /// Who issues certificates to things.
    pub(crate) fn things(&self) -> Option<&Arc<Authority>> {
        self.things.as_ref()
    }

    /// Domains with a certificate of their own.
    pub(crate) fn acme(&self) -> Option<&Arc<Acme>> {
        self.acme.as_ref()
    }

    /// What everybody may know.
    pub(crate) fn notice(&self) -> Arc<Notice> {
        Arc::clone(&self.notice.read())
    }

    /// Takes note of where the hub listens.
    pub(super) fn listens(&self, listeners: &[Listener]) {
        let mut notice = self.notice.write();
        let listeners = listeners.to_vec();
        *notice = Arc::new(Notice {
            listeners,
            ..Notice::clone(&notice)
        });
    }

    /// Shows what a configuration says from now on. If that cannot be, everything stays as it is.
    pub(super) fn reload(&self, tls: &Tls) -> Result<(), TlsError> {
        self.show(&mut self.held.lock(), tls)
    }

    fn show(&self, held: &mut Held, tls: &Tls) -> Result<(), TlsError> {
        let all: Vec<_> = [&self.mqtt, &self.https].into_iter().flatten().collect();
        if all.is_empty() {
            return Ok(());
        }
        let decided = self.decide(held, tls)?;
        let client_ca = tls.client_ca.as_deref();
        let read = all.iter().map(|one| one.read(&decided.pair, client_ca));
        let read = read.collect::<Result<Vec<_>, _>>()?;
        for (certificates, configs) in all.into_iter().zip(read) {
            certificates.take_over(configs);
        }
        held.tls = tls.clone();
        if decided.is_new {
            let names = decided.called.all();
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            tracing::info!(
                names = names.join(" "),
                "new connections are shown a new certificate of the hub"
            );
        }
        self.tell(decided);
        Ok(())
    }

    /// Looks again and again whether the hub's own certificate still says what the hub is called, and is still good for long.
    pub(super) async fn keep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(EVERY).await;
            let identity = Arc::clone(&self);
            // It reads and writes files.
            if tokio::task::spawn_blocking(move || identity.look())
                .await
                .is_err()
            {
                return;
            }
        }
    }

    fn look(&self) {
        let mut held = self.held.lock();
        if self.is_good(&held) {
            return;
        }
        let tls = held.tls.clone();
        let complaint = self.show(&mut held, &tls).err();
        let complaint = complaint.map(|error| error.to_string());
        if let Some(why) = &complaint
            && held.complaint != complaint
        {
            tracing::warn!(%why, "the hub's certificate stays as it is");
        }
        held.complaint = complaint;
    }

    /// Whether nothing of the hub's own is shown, or what says what it should.
    fn is_good(&self, held: &Held) -> bool {
        let own = held.servers.as_ref().filter(|_| is_own(&held.tls));
        own.is_none_or(|servers| {
            let called = servers.narrow(called(&held.tls, self.is_announced));
            let is_shown = |called| servers.is_shown(&self.data, &called, self.clock.wall());
            called.is_ok_and(is_shown)
        })
    }

    /// Which certificate is to be shown.
    fn decide(&self, held: &mut Held, tls: &Tls) -> Result<Decided, TlsError> {
        let called = called(tls, self.is_announced);
        if let (Some(certificate), Some(key)) = (tls.certificate.clone(), tls.key.clone()) {
            return Ok(Decided {
                pair: Pair { certificate, key },
                is_new: false,
                shown: Shown::Given,
                called,
            });
        }
        let now = self.clock.wall();
        let servers = match held.servers.take() {
            Some(servers) => servers,
            None => {
                let servers = Servers::open(&self.data, &Computer::name(), &tls.names, now)?;
                if let Some(warning) = servers.warning(now) {
                    tracing::warn!("{warning}");
                }
                servers
            }
        };
        let servers = held.servers.insert(servers);
        let called = servers.narrow(called)?;
        let (pair, is_new) = servers.certify(&self.data, &called, now)?;
        let shown = Shown::Own(servers.public()?);
        Ok(Decided {
            pair,
            is_new,
            shown,
            called,
        })
    }

    fn tell(&self, decided: Decided) {
        let mut notice = self.notice.write();
        *notice = Arc::new(Notice {
            shown: decided.shown,
            called: decided.called,
            listeners: notice.listeners.clone(),
        });
    }
}

fn is_own(tls: &Tls) -> bool {
    tls.certificate.is_none()
}

/// What the hub is called on this computer, now.
fn called(tls: &Tls, is_announced: bool) -> Called {
    let computer = Computer::name();
    let called = Called::of(&computer, &tls.names, &Computer::addresses());
    match is_announced {
        true => called,
        false => called.unannounced(&computer),
    }
}

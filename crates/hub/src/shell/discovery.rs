//! The hub makes itself known on the networks where its HTTP API is reached: as a directory of Things, by
//! DNS-SD over multicast DNS (WoT Discovery 1.0, section 6.3; RFC 6762, RFC 6763).

use std::{net::IpAddr, time::Duration};

use mdns_sd::{Error, IfKind, ServiceDaemon, ServiceInfo};

use crate::{
    config::{At, Discovery, Listener, Scheme},
    trust::announced,
};

/// What is looked for: directories among what speaks of Things.
const SERVICE: &str = "_directory._sub._wot._tcp.local.";
/// Where the directory's own description is.
const PATH: &str = "/.well-known/wot";
/// How long it may take to say that the hub is no more.
const GOODBYE: Duration = Duration::from_millis(500);
/// Bytes that a name may have in DNS, without what is put behind it.
const NAME_BYTES_MAX: usize = 48;

/// One listener that is made known, until this is dropped.
pub(super) struct Announcement(ServiceDaemon);

/// Makes HTTP listeners known: one that is encrypted and one that is not, if there are such. A network
/// that does not let that be is no reason not to start.
pub(super) fn announce(
    discovery: Discovery,
    listeners: &[Listener],
    name: &str,
) -> Vec<Announcement> {
    let first = |scheme| {
        let mut known = listeners.iter().filter_map(|listener| match listener.at {
            At::Tcp(at) if listener.scheme == scheme => Some((scheme, at)),
            _ => None,
        });
        known.find(|(_, at)| is_wanted(discovery, at.ip()))
    };
    let known = [Scheme::Http, Scheme::Https].into_iter().filter_map(first);
    known
        .filter_map(|(scheme, at)| {
            let made = Announcement::make(discovery, scheme, at.ip(), at.port(), name);
            made.inspect_err(|why| {
                tracing::warn!(%why, "the hub cannot make itself known by multicast DNS");
            })
            .ok()
        })
        .collect()
}

fn is_wanted(discovery: Discovery, ip: IpAddr) -> bool {
    match discovery {
        Discovery::Auto => !ip.is_loopback(),
        Discovery::Always => true,
        Discovery::Never => false,
    }
}

impl Announcement {
    fn make(
        discovery: Discovery,
        scheme: Scheme,
        ip: IpAddr,
        port: u16,
        name: &str,
    ) -> Result<Self, Error> {
        let daemon = ServiceDaemon::new()?;
        let loopback = vec![IfKind::LoopbackV4, IfKind::LoopbackV6];
        if ip.is_unspecified() {
            if discovery == Discovery::Auto {
                daemon.disable_interface(loopback)?;
            }
        } else {
            daemon.disable_interface(IfKind::All)?;
            daemon.enable_interface(IfKind::Addr(ip))?;
        }
        let properties = [
            ("td", PATH),
            ("type", "Directory"),
            ("scheme", scheme.as_str()),
        ];
        let (instance, host) = names(name, scheme);
        let at: &[IpAddr] = if ip.is_unspecified() { &[] } else { &[ip] };
        let known = ServiceInfo::new(SERVICE, &instance, &host, at, port, &properties[..])?;
        daemon.register(match at {
            [] => known.enable_addr_auto(),
            _ => known,
        })?;
        Ok(Self(daemon))
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Others forget it by themselves when they are not told.
        if let Ok(told) = self.0.shutdown() {
            let _ = told.recv_timeout(GOODBYE);
        }
    }
}

/// What the listener is called, and its host.
fn names(name: &str, scheme: Scheme) -> (String, String) {
    let short: String = name
        .chars()
        .scan(0, |bytes, c| {
            *bytes += c.len_utf8();
            (*bytes <= NAME_BYTES_MAX).then_some(c)
        })
        .collect();
    let instance = match scheme {
        Scheme::Https => format!("{short} (https)"),
        _ => short,
    };
    (instance.replace('.', "-"), format!("{}.", announced(name)))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn what_only_this_machine_reaches_is_made_known_only_if_somebody_says_so() {
        let home = IpAddr::from(Ipv4Addr::LOCALHOST);
        let home_6 = IpAddr::from(Ipv6Addr::LOCALHOST);
        let all = IpAddr::from(Ipv4Addr::UNSPECIFIED);
        let auto = |ip| is_wanted(Discovery::Auto, ip);
        assert_eq!([home, home_6, all].map(auto), [false, false, true]);
        assert!(is_wanted(Discovery::Always, home));
        assert!(!is_wanted(Discovery::Never, all));
    }

    #[test]
    fn names_are_what_dns_can_carry() {
        let (instance, host) = names("Frau Müllers Rechner v1.2", Scheme::Http);
        assert_eq!(instance, "Frau Müllers Rechner v1-2");
        assert_eq!(host, "quartet-frau-m-llers-rechner-v1-2.local.");
        let (instance, host) = names(&"ü".repeat(500), Scheme::Https);
        assert!(
            instance.len() <= 63 && host.len() <= 70,
            "{instance} {host}"
        );
    }
}

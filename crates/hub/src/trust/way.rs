//! Where a phone finds the hub, and what is to be said if it finds it nowhere.

use std::net::IpAddr;

use super::{Called, Name};
use crate::config::{At, Listener, Scheme};

/// How other devices on the network get to the hub.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Encrypted, at this address.
    Encrypted(String),
    /// At this address, which everybody on the way can read; and how to begin the hub so that it is encrypted.
    Plain(String, String),
    /// Not at all; and how to begin the hub so that they do.
    None(String),
}

impl Way {
    /// The way to a hub that listens there and is called like that.
    pub(crate) fn to(listeners: &[Listener], called: &Called) -> Self {
        let at = |scheme| {
            let mut there = listeners.iter().filter(|one| one.scheme == scheme);
            there.find_map(|one| {
                let url = urls(one, called).into_iter().next()?;
                (!one.is_local()).then_some(url)
            })
        };
        match (at(Scheme::Https), at(Scheme::Http)) {
            (Some(url), _) => Self::Encrypted(url),
            (None, Some(url)) => Self::Plain(url, command(listeners)),
            (None, None) => Self::None(command(listeners)),
        }
    }
}

/// The addresses of a listener that works for those who look at certificates: the one that is the most likely to be found first.
pub(crate) fn urls(listener: &Listener, called: &Called) -> Vec<String> {
    let At::Tcp(at) = listener.at else {
        return Vec::new();
    };
    let url = |name: Name| {
        format!(
            "{}://{}:{}",
            listener.scheme.as_str(),
            name.in_url(),
            at.port()
        )
    };
    if listener.is_local() {
        return vec![url(Name::Dns("localhost".to_owned()))];
    }
    let listens_at = |ip: &&IpAddr| match at.ip() {
        own if own.is_unspecified() => own.is_ipv6() || ip.is_ipv4(),
        own => own.to_canonical() == **ip,
    };
    let mut addresses: Vec<IpAddr> = called
        .addresses
        .iter()
        .filter(listens_at)
        .copied()
        .collect();
    addresses.sort_by_key(IpAddr::is_ipv6); // A stable order: the one towards the world stays first.
    let addresses = addresses.into_iter().map(Name::Ip);
    let is_own = |name: &&Name| match name {
        Name::Dns(name) => name != "localhost",
        Name::Ip(ip) => !ip.is_loopback(),
    };
    let configured = called.configured.iter().filter(is_own).cloned();
    // Not every phone asks multicast DNS.
    let names = configured
        .chain(addresses)
        .chain(called.local.iter().cloned());
    names.map(url).collect()
}

/// The command that begins the hub with what it has and an encrypted listener that others reach.
fn command(listeners: &[Listener]) -> String {
    let mut listeners = listeners.to_vec();
    let taken = |listeners: &[Listener], port| {
        listeners
            .iter()
            .any(|one| matches!(one.at, At::Tcp(at) if at.port() == port))
    };
    let everywhere = |port| At::Tcp(([0, 0, 0, 0], port).into());
    // It stands at the end: whoever writes a file needs it alone.
    let found = listeners.iter().position(|one| one.scheme == Scheme::Https);
    let first = Scheme::Https.default_port();
    let https = match found.map(|at| listeners.remove(at)) {
        Some(https) => {
            let port = match https.at {
                At::Tcp(at) => at.port(),
                _ => first,
            };
            let at = everywhere(port);
            Listener { at, ..https }
        }
        None => {
            let port = (first..=u16::MAX).find(|port| !taken(&listeners, *port));
            Listener::new(Scheme::Https, everywhere(port.unwrap_or(first)))
        }
    };
    listeners.push(https);
    let quoted = |url: String| match url.contains(['?', '&']) {
        true => format!("'{url}'"),
        false => url,
    };
    let listen = listeners
        .iter()
        .map(|one| format!(" --listen {}", quoted(one.to_string())));
    format!("quartet run{}", listen.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn listeners(urls: &[&str]) -> Vec<Listener> {
        parse(&format!("listeners = {urls:?}"), None)
            .unwrap()
            .listeners
    }

    fn called(configured: &[&str]) -> Called {
        let configured: Vec<Name> = configured
            .iter()
            .map(|name| name.parse().unwrap())
            .collect();
        let addresses = ["fd00::7", "192.168.0.7", "172.17.0.1"].map(|ip| ip.parse().unwrap());
        Called::of("kitchen", &configured, &addresses)
    }

    #[test]
    fn a_phone_takes_the_encrypted_way_by_a_name_that_is_configured_or_by_address() {
        let both = listeners(&["http://0.0.0.0:8080?expose=yes", "https://0.0.0.0:8443"]);
        let way = |configured: &[&str]| Way::to(&both, &called(configured));
        assert_eq!(
            way(&[]),
            Way::Encrypted("https://192.168.0.7:8443".to_owned())
        );
        assert_eq!(
            way(&["localhost", "hub.lan"]),
            Way::Encrypted("https://hub.lan:8443".to_owned())
        );
        let all = urls(&both[1], &called(&[]));
        assert_eq!(
            all[1..],
            ["172.17.0.1", "quartet-kitchen.local", "kitchen.local"]
                .map(|name| format!("https://{name}:8443"))
        );
    }

    #[test]
    fn a_listener_of_one_address_is_found_there() {
        let one = listeners(&["https://172.17.0.1:8443"]);
        assert_eq!(
            Way::to(&one, &called(&[])),
            Way::Encrypted("https://172.17.0.1:8443".to_owned())
        );
        let six = listeners(&["https://[fd00::7]:8443"]);
        assert_eq!(
            Way::to(&six, &called(&[])),
            Way::Encrypted("https://[fd00::7]:8443".to_owned())
        );
        // One that no certificate is for, such as a public one: by name.
        let other = listeners(&["https://203.0.113.9:8443"]);
        assert_eq!(
            Way::to(&other, &called(&[])),
            Way::Encrypted("https://quartet-kitchen.local:8443".to_owned())
        );
    }

    #[test]
    fn a_hub_that_nobody_reaches_says_how_to_begin_it_so_that_they_do() {
        let usual = Way::to(&crate::config::Config::default().listeners, &called(&[]));
        let command = "quartet run --listen mqtt://127.0.0.1:1883 --listen ws://127.0.0.1:8083 --listen http://127.0.0.1:8080 --listen coap://127.0.0.1:5683 --listen https://0.0.0.0:8443";
        assert_eq!(usual, Way::None(command.to_owned()));
        let local = listeners(&[
            "https://127.0.0.1:9000?client-certificates=optional",
            "mqtt://127.0.0.1:1883",
        ]);
        let command = "quartet run --listen mqtt://127.0.0.1:1883 --listen 'https://0.0.0.0:9000?client-certificates=optional'";
        assert_eq!(Way::to(&local, &called(&[])), Way::None(command.to_owned()));
        let plain = listeners(&["http://0.0.0.0:8443?expose=yes"]);
        let command =
            "quartet run --listen 'http://0.0.0.0:8443?expose=yes' --listen https://0.0.0.0:8444";
        assert_eq!(
            Way::to(&plain, &called(&[])),
            Way::Plain("http://192.168.0.7:8443".to_owned(), command.to_owned())
        );
    }
}

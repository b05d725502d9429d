//! All that the hub is called: what somebody configured, what multicast DNS says, the computer's own name, its addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Name, Scope};

/// Names that a certificate holds at most: a computer with more addresses than that has them for others than people.
const NAMES_MAX: usize = 100;
/// Bytes of a computer's name that stand in the one that the hub makes known.
const LABEL_BYTES_MAX: usize = 48;

/// What the hub is called, by where that comes from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Called {
    /// What somebody said in `tls.names`.
    pub(crate) configured: Vec<Name>,
    /// What multicast DNS finds: as the hub makes it known, and as the computer does.
    pub(crate) local: Vec<Name>,
    /// The computer's own name.
    pub(crate) computer: Option<Name>,
    /// Its addresses on networks, the one towards the world first.
    pub(crate) addresses: Vec<IpAddr>,
}

impl Called {
    /// What a computer of this name and with these addresses is called.
    pub(crate) fn of(computer: &str, configured: &[Name], addresses: &[IpAddr]) -> Self {
        let label = computer.split('.').next().unwrap_or_default();
        let local = [announced(computer), format!("{label}.local")];
        let dns = |text: &str| match text.parse() {
            Ok(Name::Dns(name)) => Some(Name::Dns(name)),
            _ => None,
        };
        // Whoever has a link-local address of IPv6 also needs a zone, which no URL has.
        let is_of_network = |ip: &IpAddr| match ip {
            IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_unspecified(),
            IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
        };
        Self {
            configured: configured.to_vec(),
            local: local.iter().filter_map(|name| dns(name)).collect(),
            computer: dns(computer),
            addresses: addresses.iter().copied().filter(is_of_network).collect(),
        }
    }

    /// The same where the hub does not make itself known by multicast DNS.
    pub(crate) fn unannounced(mut self, computer: &str) -> Self {
        let own = Name::Dns(announced(computer));
        self.local.retain(|name| *name != own);
        self
    }

    /// The same without what the authority may not vouch for. What was configured stays: whoever configured it is told.
    pub(crate) fn within(mut self, scope: &Scope) -> Self {
        self.local.retain(|name| scope.permits(name));
        self.computer = self.computer.filter(|name| scope.permits(name));
        self.addresses.retain(|ip| scope.permits(&Name::Ip(*ip)));
        self
    }

    /// All of them, each once, as they stand in a certificate; this machine's own come first, so that these are never
    /// those that are too many.
    pub(crate) fn all(&self) -> Vec<Name> {
        let own = [
            Name::Dns("localhost".to_owned()),
            Name::Ip(Ipv4Addr::LOCALHOST.into()),
            Name::Ip(Ipv6Addr::LOCALHOST.into()),
        ];
        let addresses = self.addresses.iter().copied().map(Name::Ip);
        let others = self
            .configured
            .iter()
            .chain(&self.local)
            .chain(&self.computer);
        let mut all = Vec::new();
        for name in own.into_iter().chain(others.cloned()).chain(addresses) {
            if !all.contains(&name) && all.len() < NAMES_MAX {
                all.push(name);
            }
        }
        all
    }
}

/// As the hub makes itself known by multicast DNS on a computer of this name: `quartet-kitchen.local`.
pub(crate) fn announced(computer: &str) -> String {
    let label: String = shortened(computer)
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let host = format!("quartet-{label}");
    format!("{}.local", host.trim_end_matches('-'))
}

/// The beginning of a name that is not too long for DNS.
fn shortened(name: &str) -> &str {
    let fits = |at: &usize| name.is_char_boundary(*at);
    let end = (0..=name.len().min(LABEL_BYTES_MAX)).rev().find(fits);
    &name[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(called: &Called) -> Vec<String> {
        called.all().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_hub_has_names_of_its_computer_its_networks_and_its_administrator() {
        let addresses = [
            "192.168.0.7",
            "fe80::1",
            "fd00::7",
            "203.0.113.9",
            "127.0.0.1",
        ];
        let addresses = addresses.map(|ip| ip.parse().unwrap());
        let configured = ["hub.example".parse().unwrap(), "10.1.1.1".parse().unwrap()];
        let scope = Scope::of("pi-4", &configured);
        let called = Called::of("pi-4", &configured, &addresses).within(&scope);
        let expected = [
            "localhost",
            "127.0.0.1",
            "::1",
            "hub.example",
            "10.1.1.1",
            "quartet-pi-4.local",
            "pi-4.local",
            "pi-4",
            "192.168.0.7",
            "fd00::7",
        ];
        assert_eq!(names(&called), expected);
    }

    #[test]
    fn a_computer_whose_name_is_none_of_dns_is_found_by_the_hubs() {
        let called = Called::of("Frau Müllers Rechner", &[], &[]);
        let expected = [
            "localhost",
            "127.0.0.1",
            "::1",
            "quartet-frau-m-llers-rechner.local",
        ];
        assert_eq!(names(&called), expected);
        assert_eq!(announced(&"ü".repeat(500)), "quartet.local");
        let long = announced(&"a".repeat(500));
        assert!(long.len() <= 63 && long.parse::<Name>().is_ok(), "{long}");
    }

    #[test]
    fn a_name_with_dots_is_one_and_its_first_part_is_found_on_the_network() {
        let called = Called::of("hub.example.com", &[], &[]);
        assert_eq!(
            names(&called)[3..],
            [
                "quartet-hub-example-com.local",
                "hub.local",
                "hub.example.com"
            ]
        );
        let silent = called.unannounced("hub.example.com");
        assert_eq!(names(&silent)[3..], ["hub.local", "hub.example.com"]);
    }

    #[test]
    fn a_certificate_does_not_grow_without_end() {
        let many = (0..=255).map(|low| IpAddr::from([10, 0, 0, low]));
        let called = Called::of("pi-4", &[], &many.collect::<Vec<_>>());
        assert_eq!(called.all().len(), NAMES_MAX);
    }
}

//! What the hub's own authority may vouch for (name constraints, RFC 5280, section 4.2.1.10): names and addresses that nobody
//! has on the Internet. Whoever trusts it cannot be deceived about anything else, even by somebody who stole its key.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::Name;

/// Domains that are nobody's: set aside (RFC 6761, 6762, 8375; `internal` by ICANN), or withheld for good because so many
/// networks use them. Not the `box` of some routers, which is sold.
const DOMAINS: [&str; 8] = [
    "localhost",
    "local",
    "lan",
    "home",
    "home.arpa",
    "internal",
    "corp",
    "test",
];
/// Addresses of this machine and of private networks (RFC 1122, 1918, 3927, 6598, 4291, 4193).
const NETWORKS: [Network; 9] = [
    Network::v4([127, 0, 0, 0], 8),
    Network::v4([10, 0, 0, 0], 8),
    Network::v4([172, 16, 0, 0], 12),
    Network::v4([192, 168, 0, 0], 16),
    Network::v4([169, 254, 0, 0], 16),
    Network::v4([100, 64, 0, 0], 10),
    Network::v6(Ipv6Addr::LOCALHOST, 128),
    Network::v6(Ipv6Addr::new(0xFC00, 0, 0, 0, 0, 0, 0, 0), 7),
    Network::v6(Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0), 10),
];

/// Domains and networks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Scope {
    /// Each with all that is below it.
    pub(crate) domains: Vec<String>,
    pub(crate) networks: Vec<Network>,
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Network {
    pub(crate) address: IpAddr,
    pub(crate) bits: u8,
}

impl Scope {
    /// For a computer of this name, with what is configured.
    pub(crate) fn of(computer: &str, configured: &[Name]) -> Self {
        let mut scope = Self {
            domains: DOMAINS.map(str::to_owned).to_vec(),
            networks: NETWORKS.to_vec(),
        };
        let computer = computer.parse().ok();
        for name in configured.iter().chain(&computer) {
            match name {
                name if scope.permits(name) => {}
                Name::Dns(name) if may_be_top_level(name) => {}
                Name::Dns(name) => scope.domains.push(name.clone()),
                Name::Ip(ip) => scope.networks.push(Network::of_one(*ip)),
            }
        }
        scope
    }

    /// Whether the authority may vouch for a name.
    pub(crate) fn permits(&self, name: &Name) -> bool {
        match name {
            Name::Dns(name) => self.domains.iter().any(|domain| {
                let before = name.strip_suffix(domain.as_str());
                before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
            }),
            Name::Ip(ip) => self.networks.iter().any(|network| network.has(*ip)),
        }
    }
}

/// Whether a name could be a domain of the whole Internet, as `dev` is: all below it would be permitted, too. Those consist of
/// letters, or are other letters written with these (RFC 1123, section 2.1; RFC 5890).
fn may_be_top_level(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_lowercase())
        || (name.starts_with("xn--") && !name.contains('.'))
}

impl Network {
    const fn v4(address: [u8; 4], bits: u8) -> Self {
        let [a, b, c, d] = address;
        let address = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        Self { address, bits }
    }

    const fn v6(address: Ipv6Addr, bits: u8) -> Self {
        let address = IpAddr::V6(address);
        Self { address, bits }
    }

    const fn of_one(address: IpAddr) -> Self {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Self { address, bits }
    }

    /// As certificates write it: an address and a mask of the same length.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (address, mask) = bytes.split_at_checked(bytes.len() / 2)?;
        let address: IpAddr = match *address {
            [a, b, c, d] => [a, b, c, d].into(),
            _ => <[u8; 16]>::try_from(address).ok()?.into(),
        };
        let bits = mask.iter().map(|byte| byte.leading_ones()).sum::<u32>();
        let bits = u8::try_from(bits).ok()?;
        (mask.len() * 2 == bytes.len()).then_some(Self { address, bits })
    }

    fn has(self, ip: IpAddr) -> bool {
        let differ = match (self.address, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => (own.to_bits() ^ ip.to_bits()).leading_zeros(),
            (IpAddr::V6(own), IpAddr::V6(ip)) => (own.to_bits() ^ ip.to_bits()).leading_zeros(),
            _ => return false,
        };
        u32::from(self.bits) <= differ
    }
}

impl fmt::Display for Scope {
    /// The domains; private addresses in a word, others one by one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} and addresses of private networks",
            self.domains.join(", ")
        )?;
        let others = self
            .networks
            .iter()
            .filter(|network| !NETWORKS.contains(network));
        others
            .into_iter()
            .try_for_each(|other| write!(f, ", {}", other.address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scope: &Scope, name: &str, expected: bool) {
        assert_eq!(scope.permits(&name.parse().unwrap()), expected, "{name}");
    }

    #[test]
    fn an_authority_vouches_for_what_is_nobodys_on_the_internet() {
        let scope = Scope::of("kitchen", &[]);
        for name in [
            "localhost",
            "kitchen.local",
            "a.b.lan",
            "hub.home.arpa",
            "127.8.8.8",
            "::1",
            "192.168.255.1",
            "172.31.0.1",
            "10.0.0.1",
            "fd12::1",
            "fe80::1",
            "169.254.1.1",
            "100.64.0.1",
        ] {
            check(&scope, name, true);
        }
        for name in [
            "example.com",
            "evil-local",
            "local.example",
            "arpa",
            "kitchen",
            "8.8.8.8",
            "172.32.0.1",
            "192.169.0.1",
            "128.0.0.1",
            "2001:db8::1",
            "fritz.box",
        ] {
            check(&scope, name, false);
        }
    }

    #[test]
    fn what_is_configured_is_vouched_for_and_nothing_beside_it() {
        let configured = ["hub.fritz.box", "203.0.113.9", "2001:db8::9"];
        let scope = Scope::of("pi-4", &configured.map(|name| name.parse().unwrap()));
        for name in configured.into_iter().chain(["pi-4", "a.hub.fritz.box"]) {
            check(&scope, name, true);
        }
        for name in ["fritz.box", "other.fritz.box", "203.0.113.8", "2001:db8::8"] {
            check(&scope, name, false);
        }
        let text = scope.to_string();
        assert!(
            text.ends_with(
                "hub.fritz.box, pi-4 and addresses of private networks, 203.0.113.9, 2001:db8::9"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_computer_that_is_called_as_a_top_level_domain_does_not_get_it() {
        for computer in ["dev", "app", "com", "xn--p1ai"] {
            let scope = Scope::of(computer, &[computer.parse().unwrap()]);
            check(&scope, computer, false);
            check(&scope, &format!("shop.{computer}"), false);
        }
        check(&Scope::of("hub.example.com", &[]), "hub.example.com", true);
    }

    #[test]
    fn a_network_is_read_as_certificates_write_it() {
        for network in NETWORKS {
            let octets = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            };
            let address = octets(network.address);
            let bits = usize::from(network.bits);
            let mask = (0..address.len())
                .map(|at| !(0xFF_u16 >> bits.saturating_sub(at * 8).min(8)) as u8);
            let written: Vec<u8> = address.iter().copied().chain(mask).collect();
            assert_eq!(Network::of_bytes(&written), Some(network));
        }
        for odd in [&[][..], &[1, 2], &[0; 7], &[0; 33]] {
            assert_eq!(Network::of_bytes(odd), None);
        }
    }
}

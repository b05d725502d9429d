//! A listener as a URL, to and fro: `mqtts://0.0.0.0:8883?client-certificates=required`,
//! `unix:///run/quartet.sock?proxy=v2`. What is wrong is said with what would be right.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr, SocketAddrV6},
    str::FromStr,
};

use super::{At, ClientCertificates, Listener, ListenerError, Scheme, wrong};
use crate::config::words::{nearest, quoted};

impl Listener {
    /// Reads a URL without judging it, since a table may add options to it.
    pub(in crate::config) fn read(url: &str) -> Result<Self, ListenerError> {
        let (address, query) = match url.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (url, None),
        };
        let Some((scheme, rest)) = address.split_once("://") else {
            return wrong(
                format!("{} is no URL", quoted(url)),
                format!("write {}", quoted(&format!("mqtt://{url}"))),
            );
        };
        let mut listener = match scheme.to_ascii_lowercase().as_str() {
            "unix" | "mqtt+unix" => Self::new(Scheme::Mqtt, unix(rest)?),
            scheme => {
                let scheme = known(scheme)?;
                let address = socket_address(scheme, rest)?;
                let at = match scheme.is_datagrams() {
                    true => At::Udp(address),
                    false => At::Tcp(address),
                };
                Self::new(scheme, at)
            }
        };
        for option in query.into_iter().flat_map(|query| query.split('&')) {
            listener.option(option)?;
        }
        Ok(listener)
    }

    fn option(&mut self, option: &str) -> Result<(), ListenerError> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match (name, value) {
            ("proxy", "v2") => self.proxy_protocol = true,
            ("expose", "yes") => self.expose = true,
            ("client-certificates", "optional" | "required")
                if self.client_certificates != ClientCertificates::None =>
            {
                return wrong("client-certificates is given twice", "say it once");
            }
            ("client-certificates", "optional") => {
                self.client_certificates = ClientCertificates::Optional;
            }
            ("client-certificates", "required") => {
                self.client_certificates = ClientCertificates::Required;
            }
            ("proxy" | "expose" | "client-certificates", _) => {
                let right = match name {
                    "proxy" => "write proxy=v2 or leave it out",
                    "expose" => "write expose=yes or leave it out",
                    _ => {
                        "write client-certificates=optional or client-certificates=required, or leave it out"
                    }
                };
                return wrong(format!("the option {} is unknown", quoted(option)), right);
            }
            _ => {
                return wrong(
                    format!("the option {} is unknown", quoted(option)),
                    "a listener takes proxy=v2, client-certificates=optional, client-certificates=required and expose=yes",
                );
            }
        }
        Ok(())
    }
}

impl FromStr for Listener {
    type Err = ListenerError;

    /// Reads a URL and judges it.
    fn from_str(url: &str) -> Result<Self, ListenerError> {
        let listener = Self::read(url)?;
        listener.check()?;
        Ok(listener)
    }
}

impl fmt::Display for Listener {
    /// The URL that it is read back from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            At::Tcp(at) | At::Udp(at) => write!(f, "{}://{at}", self.scheme.as_str())?,
            At::Unix(path) => {
                f.write_str("unix://")?;
                for part in path.to_string_lossy().chars() {
                    match u8::try_from(part) {
                        Ok(byte) if is_special(byte) => write!(f, "%{byte:02X}")?,
                        _ => write!(f, "{part}")?,
                    }
                }
            }
        }
        let certificates = match self.client_certificates {
            ClientCertificates::None => "",
            ClientCertificates::Optional => "client-certificates=optional",
            ClientCertificates::Required => "client-certificates=required",
        };
        let options = [
            if self.proxy_protocol { "proxy=v2" } else { "" },
            certificates,
            if self.expose { "expose=yes" } else { "" },
        ];
        let mut sign = '?';
        for option in options.into_iter().filter(|option| !option.is_empty()) {
            write!(f, "{sign}{option}")?;
            sign = '&';
        }
        Ok(())
    }
}

fn known(scheme: &str) -> Result<Scheme, ListenerError> {
    if let Some(known) = Scheme::ALL.into_iter().find(|it| it.as_str() == scheme) {
        return Ok(known);
    }
    let what = format!("{} is no scheme of a listener", quoted(scheme));
    if scheme == "coaps" {
        return wrong(
            format!("{what}: CoAP over DTLS is not built yet"),
            "use coap:// on this machine, or https:// from others",
        );
    }
    // How other brokers write them.
    let meant = match scheme {
        "tcp" | "mqtt+tcp" => Some("mqtt"),
        "ssl" | "tls" | "mqtt+ssl" | "mqtt+tls" => Some("mqtts"),
        "ipc" | "uds" => Some("unix"),
        _ => nearest(
            scheme,
            Scheme::ALL.iter().map(|it| it.as_str()).chain(["unix"]),
        ),
    };
    match meant {
        Some(meant) => wrong(what, format!("did you mean {meant}://?")),
        None => wrong(
            what,
            "use mqtt, mqtts, ws, wss, http, https, coap or unix followed by ://",
        ),
    }
}

fn socket_address(scheme: Scheme, rest: &str) -> Result<SocketAddr, ListenerError> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if let Some((host, _)) = rest.split_once(['/', '#', '@']) {
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        return wrong(
            format!("{} is more than a host and a port", quoted(rest)),
            format!("write only the address, like {}://{host}", scheme.as_str()),
        );
    }
    let (host, port) = match rest.rfind(']') {
        Some(end) => rest.split_at(end + 1),
        None if rest.matches(':').count() > 1 => {
            return wrong(
                format!("{} is an IPv6 address without brackets", quoted(rest)),
                format!(
                    "write it as {}://[::1]:{}",
                    scheme.as_str(),
                    scheme.default_port()
                ),
            );
        }
        None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
    };
    let port = match port {
        "" => scheme.default_port(),
        port => number(port)?,
    };
    address(scheme, host, port)
}

fn number(port: &str) -> Result<u16, ListenerError> {
    let digits = port.trim_start_matches(':');
    // `parse` alone would take a sign as well.
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(number) if is_number && port.len() == digits.len() + 1 => Ok(number),
        _ => wrong(
            format!("{} is no port", quoted(digits)),
            "write a whole number from 0 to 65535; 0 takes a free port",
        ),
    }
}

fn address(scheme: Scheme, host: &str, port: u16) -> Result<SocketAddr, ListenerError> {
    if host.starts_with('[') {
        // With its zone, if any: only a whole socket address is read with it.
        return match format!("{host}:{port}").parse::<SocketAddrV6>() {
            Ok(address) => Ok(address.into()),
            Err(_) => wrong(
                format!("{} is no IPv6 address", quoted(host)),
                "write it like [::1] or [2001:db8::7]",
            ),
        };
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    match host.parse::<Ipv4Addr>() {
        Ok(ip) => Ok((ip, port).into()),
        Err(_) if host.is_empty() || host == "*" => wrong(
            format!("{} names no address", quoted(&format!("{host}:{port}"))),
            format!(
                "write {}://127.0.0.1:{port} for this machine only, or 0.0.0.0 or [::] for every address",
                scheme.as_str()
            ),
        ),
        Err(_) => wrong(
            format!("{} is no IP address", quoted(host)),
            "write an IP address of this machine, localhost, or 0.0.0.0 or [::] for every address",
        ),
    }
}

fn unix(rest: &str) -> Result<At, ListenerError> {
    if !rest.starts_with('/') {
        return wrong(
            format!("{} is no absolute path", quoted(rest)),
            format!("write three slashes: unix:///{rest}"),
        );
    }
    let path = match decode(rest) {
        Some(path) if !path.contains('\0') => path,
        _ => {
            return wrong(
                format!("{} is no path", quoted(rest)),
                "write % itself as %25, and other characters as themselves or as %XX",
            );
        }
    };
    if path.len() > Listener::UNIX_PATH_BYTES_MAX {
        return wrong(
            format!("the path of the Unix socket has {} bytes", path.len()),
            format!("use one of at most {} bytes", Listener::UNIX_PATH_BYTES_MAX),
        );
    }
    if path.ends_with('/') {
        return wrong(
            format!("{} is a folder", quoted(&path)),
            "write the path of the socket in it, like unix:///run/quartet/mqtt.sock",
        );
    }
    Ok(At::Unix(path.into()))
}

/// Bytes of a path that mean something else in a URL or in a list of URLs.
const fn is_special(byte: u8) -> bool {
    matches!(byte, b'%' | b'?' | b'#' | b',' | b'\\' | b'"') || byte <= b' ' || byte == 0x7f
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

//! Origins of web pages as browsers write them.

use std::net::Ipv6Addr;

use super::Draft;
use crate::config::value::{Raw, Value};

impl Draft<'_> {
    pub(super) fn origins(&mut self, value: &Value) {
        let Raw::List(items) = &value.raw else {
            return self.expected("websocket.origins", value, "a list of texts");
        };
        self.config.websocket.origins.clear();
        for item in items {
            let origin = match &item.raw {
                Raw::Text(text) => origin(text),
                _ => None,
            };
            match origin {
                Some(origin) => self.config.websocket.origins.push(origin),
                None => self.expected(
                    "websocket.origins",
                    item,
                    "scheme, host and maybe port of a page, like \"https://app.example:8443\"",
                ),
            }
        }
    }
}

/// An origin as browsers write it (RFC 6454 section 6.2), if the text is one.
fn origin(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://")?;
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let rest = rest.strip_suffix(default_port).unwrap_or(rest);
    let (host, port) = match rest.rfind(']') {
        Some(end) => rest.split_at(end + 1),
        None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
    };
    let is_host = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']')?.parse::<Ipv6Addr>().is_ok(),
        None => {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            !host.is_empty() && host.chars().all(fits)
        }
    };
    let is_port = match port.strip_prefix(':') {
        Some(port) => !port.starts_with('+') && port.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    (is_host && is_port).then(|| format!("{scheme}://{host}{port}"))
}

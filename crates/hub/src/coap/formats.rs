//! Content formats (the registry of CoAP Content-Formats) and the media types that they are.

use std::borrow::Cow;

pub(super) const TEXT: u16 = 0;
pub(super) const OCTETS: u16 = 42;
pub(super) const JSON: u16 = 50;
pub(super) const CBOR: u16 = 60;

const KNOWN: [(u16, &str); 16] = [
    (TEXT, "text/plain"),
    (40, "application/link-format"),
    (41, "application/xml"),
    (OCTETS, "application/octet-stream"),
    (47, "application/exi"),
    (JSON, "application/json"),
    (51, "application/json-patch+json"),
    (52, "application/merge-patch+json"),
    (CBOR, "application/cbor"),
    (63, "application/cbor-seq"),
    (110, "application/senml+json"),
    (111, "application/sensml+json"),
    (112, "application/senml+cbor"),
    (113, "application/sensml+cbor"),
    (310, "application/senml+xml"),
    (432, "application/td+json"),
];

/// The media type of a format; one that is not known here is named by its number (RFC 8075,
/// section 6.1).
pub(super) fn media_type(format: u16) -> Cow<'static, str> {
    match KNOWN.iter().find(|(number, _)| *number == format) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(format!("application/coap-payload;cf={format}")),
    }
}

/// Whether the media type of a format is known.
pub(super) fn is_known(format: u16) -> bool {
    KNOWN.iter().any(|(number, _)| *number == format)
}

/// The format of a media type; of one without a number, that of what it is made of.
pub(super) fn format(media_type: &str) -> u16 {
    let name = media_type.split(';').next().unwrap_or_default().trim();
    let name = name.to_ascii_lowercase();
    if let Some((number, _)) = KNOWN.iter().find(|(_, known)| *known == name) {
        return *number;
    }
    match name.rsplit_once('+') {
        Some((_, "json")) => JSON,
        Some((_, "cbor")) => CBOR,
        _ if name.starts_with("text/") => TEXT,
        _ => OCTETS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_a_media_type_and_the_reverse() {
        for (number, name) in KNOWN {
            assert_eq!(media_type(number), name);
            assert_eq!(format(name), number);
        }
        assert_eq!(media_type(11542), "application/coap-payload;cf=11542");
        assert_eq!(format("application/ld+json"), JSON);
        assert_eq!(format("Text/Plain; charset=utf-8"), TEXT);
        assert_eq!(format("text/html"), TEXT);
        assert_eq!(format("image/png"), OCTETS);
    }
}

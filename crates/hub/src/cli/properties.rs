//! The properties of a received message that are passed on from its publisher (MQTT 5.0,
//! section 3.3.2.3), out of their wire form, which the decoder has checked already.

use serde::Serialize;

/// The properties, as far as there are any.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct MessageProperties<'b> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<&'b str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_topic: Option<&'b str>,
    #[serde(
        rename = "correlation_data_base64",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) correlation_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload_is_text: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expiry_s: Option<u32>,
    /// In their order; a name may come more than once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) user: Vec<(&'b str, &'b str)>,
}

impl<'b> MessageProperties<'b> {
    /// Reads as many as make sense.
    pub(super) fn of_wire(mut rest: &'b [u8]) -> Self {
        let mut properties = Self::default();
        while properties.take_one(&mut rest).is_some() {}
        properties
    }

    fn take_one(&mut self, rest: &mut &'b [u8]) -> Option<()> {
        match take(rest, 1)?[0] {
            1 => self.payload_is_text = Some(take(rest, 1)?[0] == 1),
            3 => self.content_type = Some(text(rest)?),
            8 => self.response_topic = Some(text(rest)?),
            9 => self.correlation_data = Some(base64(binary(rest)?)),
            38 => {
                let name = text(rest)?;
                self.user.push((name, text(rest)?));
            }
            _ => return None,
        }
        Some(())
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Bytes as JSON can hold them.
pub(super) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(taken)
}

fn binary<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = take(rest, 2)?;
    take(
        rest,
        usize::from(u16::from_be_bytes([length[0], length[1]])),
    )
}

fn text<'b>(rest: &mut &'b [u8]) -> Option<&'b str> {
    std::str::from_utf8(binary(rest)?).ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use quartet_fabric::mqtt::Property;

    use super::*;

    #[test]
    fn what_the_codec_writes_is_read() {
        let mut wire = Vec::new();
        for property in [
            Property::PayloadFormatIndicator(true),
            Property::ContentType("text/plain".into()),
            Property::ResponseTopic("answers/7".into()),
            Property::CorrelationData(Bytes::from_static(b"\x01\x02")),
            Property::UserProperty("a".into(), "1".into()),
            Property::UserProperty("a".into(), "2".into()),
        ] {
            property.write(&mut wire);
        }
        let expected = MessageProperties {
            content_type: Some("text/plain"),
            response_topic: Some("answers/7"),
            correlation_data: Some("AQI=".to_owned()),
            payload_is_text: Some(true),
            expiry_s: None,
            user: vec![("a", "1"), ("a", "2")],
        };
        assert_eq!(MessageProperties::of_wire(&wire), expected);
        assert!(MessageProperties::of_wire(&[]).is_empty());
    }
}

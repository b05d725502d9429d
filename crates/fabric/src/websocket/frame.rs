/// Why the server ends a WebSocket connection (RFC 6455, section 7.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[repr(u16)]
pub enum CloseCode {
    /// The other side said goodbye.
    #[error("normal closure")]
    Normal = 1000,
    /// A frame that breaks the protocol.
    #[error("protocol error")]
    Protocol = 1002,
    /// Text, where MQTT is binary [MQTT-6.0.0-1].
    #[error("a text frame where MQTT is binary")]
    Unsupported = 1003,
}

/// The frame that closes a connection with a code.
pub fn close_frame(code: CloseCode) -> [u8; 4] {
    let [high, low] = (code as u16).to_be_bytes();
    [0x88, 2, high, low]
}

/// Writes the header of a binary frame that `payload_bytes` follow.
pub fn put_header(payload_bytes: usize, out: &mut Vec<u8>) {
    out.push(0x82);
    match payload_bytes {
        0..=125 => out.push(payload_bytes as u8),
        126..=0xFFFF => {
            out.push(126);
            out.extend_from_slice(&(payload_bytes as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
        }
    }
}

/// Takes frames of the client apart. Payload is handed on as it comes, so that a frame of any
/// size needs no memory; MQTT packets may begin and end anywhere in frames [MQTT-6.0.0-2].
#[derive(Default, Debug)]
pub struct Decoder {
    header: Vec<u8>,
    payload: Option<Payload>,
    in_message: bool,
}

#[derive(Debug)]
struct Payload {
    left: u64,
    mask: [u8; 4],
    at: usize,
    /// The bytes of a control frame; data is handed on instead.
    control: Option<(u8, Vec<u8>)>,
}

impl Decoder {
    /// Takes what was read. Data is appended to `data`; what the protocol wants answered, to
    /// `reply`.
    pub fn decode(
        &mut self,
        mut bytes: &[u8],
        data: &mut Vec<u8>,
        reply: &mut Vec<u8>,
    ) -> Result<(), CloseCode> {
        while !bytes.is_empty()
            || self
                .payload
                .as_ref()
                .is_some_and(|payload| payload.left == 0)
        {
            let Some(mut payload) = self.payload.take() else {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                self.payload = self.read_header()?;
                continue;
            };
            let take = usize::try_from(payload.left)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            let (part, rest) = bytes.split_at(take);
            bytes = rest;
            let into = match &mut payload.control {
                Some((_, control)) => control,
                None => &mut *data,
            };
            unmask(part, &mut payload.at, payload.mask, into);
            payload.left -= take as u64;
            if 0 < payload.left {
                self.payload = Some(payload);
            } else if let Some((opcode, control)) = payload.control {
                answer(opcode, &control, reply)?;
            }
        }
        Ok(())
    }

    /// The frame's payload, once its header is complete (section 5.2).
    fn read_header(&mut self) -> Result<Option<Payload>, CloseCode> {
        let &[first, second, ref more @ ..] = &self.header[..] else {
            return Ok(None);
        };
        let length_bytes = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if more.len() < length_bytes + 4 {
            // Clients must mask; extensions were not agreed (sections 5.1, 5.2).
            if second & 0x80 == 0 || first & 0x70 != 0 {
                return Err(CloseCode::Protocol);
            }
            return Ok(None);
        }
        let (length, mask) = more.split_at(length_bytes);
        let left = match length {
            [] => u64::from(second & 0x7F),
            length => length
                .iter()
                .fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
        };
        let mask = [mask[0], mask[1], mask[2], mask[3]];
        let is_final = first & 0x80 != 0;
        let control = match first & 0x0F {
            0 if self.in_message => None,
            2 if !self.in_message => None,
            1 => return Err(CloseCode::Unsupported),
            opcode @ (8..=10) if is_final && left <= 125 => Some((opcode, Vec::new())),
            _ => return Err(CloseCode::Protocol),
        };
        if control.is_none() {
            self.in_message = !is_final;
        }
        self.header.clear();
        Ok(Some(Payload {
            left,
            mask,
            at: 0,
            control,
        }))
    }
}

fn unmask(part: &[u8], at: &mut usize, mask: [u8; 4], into: &mut Vec<u8>) {
    let start = *at;
    into.extend(
        part.iter()
            .enumerate()
            .map(|(i, byte)| byte ^ mask[(start + i) % 4]),
    );
    *at = (start + part.len()) % 4;
}

fn answer(opcode: u8, payload: &[u8], reply: &mut Vec<u8>) -> Result<(), CloseCode> {
    match opcode {
        8 => return Err(CloseCode::Normal),
        9 => {
            reply.push(0x8A);
            reply.push(payload.len() as u8);
            reply.extend_from_slice(payload);
        }
        _ => {} // A pong that nobody asked for is fine (section 5.5.3).
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        put_header(payload.len(), &mut frame);
        frame[0] = first;
        frame[1] |= 0x80;
        let mask = [1, 2, 3, 4];
        frame.extend_from_slice(&mask);
        unmask(payload, &mut 0, mask, &mut frame);
        frame
    }

    fn decode(bytes: &[u8], step: usize) -> (Vec<u8>, Vec<u8>, Result<(), CloseCode>) {
        let mut decoder = Decoder::default();
        let (mut data, mut reply) = (Vec::new(), Vec::new());
        let result = bytes
            .chunks(step)
            .try_for_each(|part| decoder.decode(part, &mut data, &mut reply));
        (data, reply, result)
    }

    proptest! {
        #[test]
        fn mqtt_6_0_0_2_data_comes_out_as_it_went_in_however_it_is_framed(
            parts in vec(vec(any::<u8>(), 0..300), 1..8),
            step in 1..700_usize,
        ) {
            let mut bytes = Vec::new();
            for (i, part) in parts.iter().enumerate() {
                let is_final = if i + 1 == parts.len() { 0x80 } else { 0 };
                let opcode = if i == 0 { 2 } else { 0 };
                bytes.extend(masked(is_final | opcode, part));
                bytes.extend(masked(0x89, b"ping"));
            }
            let (data, reply, result) = decode(&bytes, step);
            prop_assert_eq!(result, Ok(()));
            prop_assert_eq!(data, parts.concat());
            prop_assert_eq!(reply, b"\x8A\x04ping".repeat(parts.len()));
        }

        #[test]
        fn random_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..200), step in 1..20_usize) {
            let _ = decode(&bytes, step);
        }
    }

    #[test]
    fn mqtt_6_0_0_1_text_is_refused() {
        assert_eq!(
            decode(&masked(0x81, b"hello"), 99).2,
            Err(CloseCode::Unsupported)
        );
    }

    #[test]
    fn what_breaks_the_protocol_is_refused() {
        for frame in [
            vec![0x82, 5, b'h', b'e', b'l', b'l', b'o'], // not masked
            masked(0xC2, b"x"),                          // a reserved bit
            masked(0x80, b"x"),                          // continues nothing
            masked(0x83, b"x"),                          // a reserved opcode
            masked(0x09, b"x"),                          // a control frame in parts
            masked(0x89, &[0; 126]),                     // a control frame too long
        ] {
            assert_eq!(decode(&frame, 99).2, Err(CloseCode::Protocol), "{frame:?}");
        }
        assert_eq!(decode(&masked(0x88, &[]), 99).2, Err(CloseCode::Normal));
    }
}

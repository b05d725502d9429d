//! The fields of a frame, front to back.

use bytes::Bytes;
use bytestring::ByteString;

use super::Fault;
use crate::mqtt::Reason;

/// Reads the fields of a frame. What is kept of it are slices that share its memory.
pub(in crate::mqtt) struct Reader<'f> {
    frame: &'f Bytes,
    rest: &'f [u8],
}

impl<'f> Reader<'f> {
    pub(in crate::mqtt) fn of(bytes: &'f Bytes) -> Self {
        Self {
            frame: bytes,
            rest: bytes,
        }
    }

    /// Reads what follows the length.
    pub(super) fn of_frame(frame: &'f Bytes) -> Result<Self, Fault> {
        let header = frame
            .iter()
            .skip(1)
            .position(|byte| byte & 0x80 == 0)
            .ok_or(Fault::malformed("the packet has no length"))?;
        Ok(Self {
            frame,
            rest: &frame[header + 2..],
        })
    }

    pub(in crate::mqtt) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'f [u8] {
        self.rest
    }

    /// A part of the frame that can be kept.
    pub(super) fn slice(&self, part: &[u8]) -> Bytes {
        self.frame.slice_ref(part)
    }

    fn take(&mut self, length: usize) -> Result<&'f [u8], Fault> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(Fault::malformed("the packet ends in the middle of a field"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(in crate::mqtt) fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(|[byte]| byte)
    }

    pub(in crate::mqtt) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    pub(in crate::mqtt) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    /// A byte that is 0 or 1; anything else is a protocol error.
    pub(in crate::mqtt) fn flag(&mut self, what: &'static str) -> Result<bool, Fault> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Fault::protocol(what)),
        }
    }

    pub(super) fn reason(&mut self) -> Result<Reason, Fault> {
        Reason::from_code(self.u8()?).ok_or(Fault::malformed("unknown reason code"))
    }

    pub(super) fn packet_id(&mut self) -> Result<u16, Fault> {
        match self.u16()? {
            // [MQTT-2.2.1-3] [MQTT-2.2.1-4]
            0 => Err(Fault::protocol("a packet identifier is 0")),
            id => Ok(id),
        }
    }

    pub(in crate::mqtt) fn varint(&mut self) -> Result<u32, Fault> {
        let mut value = 0;
        for i in 0..4 {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F) << (7 * i);
            if byte & 0x80 == 0 {
                if byte == 0 && 0 < i {
                    return Err(Fault::malformed("a number is written with needless bytes"));
                }
                return Ok(value);
            }
        }
        Err(Fault::malformed("a number is longer than four bytes"))
    }

    /// Bytes with a length in front (section 1.5.6).
    pub(in crate::mqtt) fn binary(&mut self) -> Result<Bytes, Fault> {
        let length = usize::from(self.u16()?);
        let bytes = self.take(length)?;
        Ok(self.slice(bytes))
    }

    /// UTF-8 text without U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2]; a byte order mark stays
    /// where it is [MQTT-1.5.4-3].
    pub(in crate::mqtt) fn text(&mut self) -> Result<ByteString, Fault> {
        let text = ByteString::try_from(self.binary()?)
            .map_err(|_| Fault::malformed("a text is not UTF-8"))?;
        if text.as_bytes().contains(&0) {
            return Err(Fault::malformed("a text contains U+0000"));
        }
        Ok(text)
    }

    /// The bytes that a variable length in front counts: a list of properties.
    pub(in crate::mqtt) fn part(&mut self) -> Result<Self, Fault> {
        let length = self.varint()? as usize;
        Ok(Self {
            frame: self.frame,
            rest: self.take(length)?,
        })
    }
}

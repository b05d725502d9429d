/// Which part of a body a message carries or asks for (RFC 7959, section 2.2):
///
/// ```text
///  number (up to 20 bits) | more (1) | size exponent (3): 16 to 1024 bytes
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Block {
    pub(super) number: u32,
    pub(super) more: bool,
    /// 0 to 6: a block has `16 << exponent` bytes.
    pub(super) exponent: u8,
}

impl Block {
    /// The largest blocks, which are sent if nobody wants smaller ones.
    pub(super) const LARGEST: Self = Self {
        number: 0,
        more: false,
        exponent: 6,
    };

    /// Reads an option's value; `None` if it is none. Exponent 7 is reserved and must not be used.
    pub(super) fn read(value: u32) -> Option<Self> {
        let exponent = (value & 7) as u8;
        (exponent < 7 && value < 1 << 24).then_some(Self {
            number: value >> 4,
            more: value & 8 != 0,
            exponent,
        })
    }

    pub(super) const fn value(self) -> u32 {
        self.number << 4 | (self.more as u32) << 3 | self.exponent as u32
    }

    /// Bytes of a whole block.
    pub(super) const fn size(self) -> usize {
        16 << self.exponent
    }

    /// Where it begins, in bytes.
    pub(super) const fn offset(self) -> usize {
        self.number as usize * self.size()
    }
}

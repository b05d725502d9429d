/// Choices out of bytes, from front to back; zeros when they are used up.
pub(super) struct Supply<'b>(&'b [u8]);

impl<'b> Supply<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&first, rest)) => {
                self.0 = rest;
                first
            }
            None => 0,
        }
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let high = if end <= 256 { 0 } else { self.byte() };
        usize::from(u16::from_be_bytes([high, self.byte()])) % end
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// At most so many bytes.
    pub(super) fn bytes(&mut self, bytes_max: usize) -> &'b [u8] {
        let (taken, rest) = self.0.split_at(bytes_max.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(super) fn rest(&mut self) -> &'b [u8] {
        std::mem::take(&mut self.0)
    }

    /// Cuts bytes into parts, of which the first few have lengths of chance.
    pub(super) fn cut<'p>(&mut self, mut bytes: &'p [u8], cuts: usize) -> Vec<&'p [u8]> {
        let mut parts = Vec::new();
        for _ in 0..cuts {
            let (part, rest) = bytes.split_at(usize::from(self.byte()).min(bytes.len()));
            parts.push(part);
            bytes = rest;
        }
        parts.push(bytes);
        parts
    }
}

//! What is left to chance, from a seed (SplitMix64, Steele et al. 2014).

/// Draws numbers; the same seed draws the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another one, for `part` of what this one's seed is for.
    pub(crate) fn for_part(seed: u64, part: u64) -> Self {
        Self(Self(seed).number() ^ Self(part).number())
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.number().checked_rem(end).unwrap_or(0)
    }

    /// A number up to `max`; small ones are as likely as large ones.
    pub(crate) fn up_to(&mut self, max: u64) -> u64 {
        let bits = u64::from(u64::BITS - max.leading_zeros());
        let end = 1 << self.below(bits + 1);
        self.below(end).min(max)
    }

    /// True once in `times` times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_bounds_and_are_not_all_the_same() {
        let mut chance = Chance::for_part(1, 2);
        let drawn: Vec<u64> = (0..1_000).map(|_| chance.up_to(100)).collect();
        assert!(drawn.iter().all(|&number| number <= 100));
        assert!(drawn.contains(&0) && drawn.iter().any(|&number| 64 < number));
        assert_eq!(chance.below(0), 0);
    }
}

//! Chance that a seed decides.

/// A stream of numbers: SplitMix64, which is small, passes the usual tests, and is the same
/// everywhere and for ever.
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// Returns the stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns the stream of `seed` for the thing called `name`: it does not depend on what was
    /// drawn for others.
    pub fn named(seed: u64, name: &str) -> Self {
        let mixed = name.bytes().fold(seed, |state, byte| Self::new(state ^ u64::from(byte)).draw());
        Self::new(mixed)
    }

    /// Returns the next number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.draw() % bound }
    }

    /// Returns whether something happens that happens `times` in a thousand.
    pub fn in_thousand(&mut self, times: u64) -> bool {
        self.below(1000) < times
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn a_seed_is_a_stream() {
        let numbers = |mut chance: Chance| [chance.draw(), chance.draw(), chance.below(10)];
        assert_eq!(numbers(Chance::new(7)), numbers(Chance::new(7)));
        assert_ne!(numbers(Chance::new(7)), numbers(Chance::new(8)));
        assert_ne!(numbers(Chance::named(7, "a")), numbers(Chance::named(7, "b")));
        assert_eq!(Chance::new(1).below(0), 0);
        // The first number of the published algorithm for this seed.
        assert_eq!(Chance::new(1_234_567).draw(), 6_457_827_717_110_365_317);
    }
}

//! Each fuzz target on some thousand inputs: valid ones, mutated from a fixed seed. The long
//! runs are those of `cargo fuzz`, see fuzz/README.md.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quartet_sim::fuzz::{TARGETS, Target};

/// Xorshift64 (Marsaglia 2003).
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// Flips bits, sets bytes, cuts, repeats and splices, once or a few times.
fn mutated(samples: &[Vec<u8>], chance: &mut Xorshift) -> Vec<u8> {
    const EDGES: [u8; 8] = [0, 1, 0x7F, 0x80, 0xFF, b'/', b'#', b'\n'];
    let mut bytes = samples[chance.below(samples.len())].clone();
    for _ in 0..1 + chance.below(4) {
        let at = chance.below(bytes.len());
        match chance.below(6) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << chance.below(8),
            2 if !bytes.is_empty() => bytes[at] = EDGES[chance.below(EDGES.len())],
            3 => bytes.truncate(at),
            4 if bytes.len() < 4096 => bytes.extend_from_within(at..),
            _ => {
                let other = &samples[chance.below(samples.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[chance.below(other.len())..]);
            }
        }
    }
    bytes
}

/// The first input, if any, at which the target panics.
fn first_failure(target: &Target, inputs: usize) -> Option<Vec<u8>> {
    let samples = (target.samples)();
    let mut chance = Xorshift(0x9E37_79B9_7F4A_7C15);
    let mutants = (0..inputs).map(|_| mutated(&samples, &mut chance));
    let mut all = samples.iter().cloned().chain(mutants);
    all.find(|input| catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err())
}

#[track_caller]
fn check(name: &str, inputs: usize) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.expect("the target is in the list");
    if let Some(input) = first_failure(target, inputs) {
        panic!("{name} fails at \"{}\"", input.escape_ascii());
    }
}

#[test]
fn codec_holds() {
    check("codec", 100_000);
}

#[test]
fn frames_hold() {
    check("frames", 4_000);
}

#[test]
fn websocket_holds() {
    check("websocket", 50_000);
}

#[test]
fn upgrade_holds() {
    check("upgrade", 4_000);
}

#[test]
fn proxy_holds() {
    check("proxy", 50_000);
}

#[test]
fn topics_hold() {
    check("topics", 10_000);
}

#[test]
fn config_holds() {
    check("config", 10_000);
}

#[test]
fn two_parties_hold() {
    check("two_parties", 1_000);
}

#[test]
fn a_target_that_fails_for_one_flipped_bit_is_noticed() {
    let canary = Target {
        name: "canary",
        run: |bytes| assert_ne!(bytes.get(1), Some(&0x40), "the canary"),
        samples: || vec![vec![0; 4]],
    };
    let input = first_failure(&canary, 20_000).expect("the canary is noticed");
    assert_eq!(input[1], 0x40);
}

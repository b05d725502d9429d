//! What must hold for any bytes at all: one function per thing that takes bytes of strangers.
//! Each panics if it does not hold. They are driven by `cargo fuzz` (folder `fuzz/`) and, for
//! a second or two, by the normal tests (`tests/fuzz_smoke.rs`).

mod bytes; // what decoders must keep
mod parties; // a hub with strangers at it
mod samples; // valid input, to begin with
mod supply; // choices out of bytes

pub use bytes::{codec, config, frames, proxy, topics, upgrade, websocket};
pub use parties::two_parties;
pub use samples::{TARGETS, Target, packets};

use bytes::Bytes;
use bytestring::ByteString;

use crate::Said;

/// What should happen next, as a value. The core lists effects; the shell performs them.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A new fact, which takes the same path as every other.
    Emit(Said),
    /// The same; whoever acts on it is to answer.
    Ask {
        /// What is asked.
        said: Said,
        /// At which topic the answer is expected.
        answer_at: ByteString,
        /// What the answer is to carry, so that it is known what it answers.
        correlation: Bytes,
    },
    /// The same, as the answer to somebody who asked.
    Answer {
        /// What is answered.
        said: Said,
        /// What the question carried.
        correlation: Bytes,
    },
    /// What is retained at this topic is of no interest any more; nobody is told.
    Forget(ByteString),
}

/// What follows from one step, in order.
pub type Effects = Vec<Effect>;

use crate::Said;

/// What should happen next, as a value. The core lists effects; the shell performs them.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A new fact, which takes the same path as every other.
    Emit(Said),
}

/// What follows from one step, in order.
pub type Effects = Vec<Effect>;

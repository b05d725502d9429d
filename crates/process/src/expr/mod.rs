//! Expressions: what is computed, in jq.
//!
//! Two strengths. The *total* part (paths, literals, comparison, arithmetic, `if`, construction,
//! the functions listed in [`functions`]) is compiled to closures, gives exactly one value and is
//! known to end. All else runs in `jaq`, wherever somebody else watches the time.

/// What a compiled expression may name: variables, by their place in [`Scope`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names(Vec<String>);

//! Two ends and a clock that a test moves.

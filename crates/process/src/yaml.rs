//! Definitions as text, with positions.

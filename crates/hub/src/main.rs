//! The binary `quartet`.

fn main() {}

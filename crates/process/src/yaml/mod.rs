//! Definitions as text, with positions: YAML 1.2 (and so JSON), core schema.
//!
//! A [`Node`] knows where it stands, so that whatever is wrong with it can be pointed at. What
//! JSON has no word for (tags, several documents, infinity, two keys of one name) is refused.

mod node; // what was read
mod print; // and written back
mod read; // text to nodes

pub use node::{Key, Map, Node, Text, What};
pub use print::print;
pub use read::{NODES_MAX, TEXT_BYTES_MAX, read};

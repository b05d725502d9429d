//! JSON as text that loses nothing.
//!
//! A tree would change numbers (`1.10`, `1e400`, 2^70) and costs many times its text. So documents
//! stay text; the functions here read it strictly once, and then cut it and put it together.
//! All but [`read`] take text that [`read`] has made: valid, and without white space.

mod merge; // RFC 7396: JSON merge patch
mod parts; // members of objects, elements of arrays, and back
mod read; // RFC 8259, strictly: from any bytes to compact text and a tree
mod rewrite; // values replaced by others

pub(crate) use merge::merge;
pub(crate) use parts::{Object, decode, elements, encode, is_object, member, members, pointer};
pub(crate) use read::read;
pub use read::{DEPTH_MAX, Malformed};
pub(crate) use rewrite::rewrite;

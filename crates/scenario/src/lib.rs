//! Scenarios: places, things, people and processes as a folder of files, with what is simulated in them.
//!
//! Here is what is pure: a package is read and checked (each mistake with its file and place), its parameters are put in,
//! and its [`world`] steps from a time to the next. Nothing here has a socket, a clock or a hub: the shell in `hub` carries
//! what a world says to a broker, and what it hears back. It is a crate of its own because it knows the words of all
//! elements (descriptions, roles, flows, signals) and none of the hub's, and is built and tested without it.

pub mod built_in; // packages that are part of the program
mod element; // what is described, and its relations
mod files; // the files of a package
mod package; // all of it, checked
mod parameters; // what may be said when it is run
mod problem; // what is wrong, in which file, and where
pub mod series; // times and values of a CSV file
mod template; // values with expressions in them
mod typed; // YAML into types, with the places of mistakes
pub mod world; // what is simulated

pub use element::Element;
pub use files::{FILE_BYTES_MAX, FILES_MAX, Files};
pub use package::{Flow, LookAt, Package};
pub use parameters::{Parameters, Setting};
pub use problem::{Wrong, shown};

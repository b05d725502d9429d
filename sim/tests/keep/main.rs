//! Acknowledged means committed: what survives when the hub dies, in scripted and in random
//! stories. The journal of these tests is as bad as its contract allows.

mod random; // random stories with crashes
mod scripted; // one story for each thing that survives
mod stubborn; // a client that keeps its promises, whatever happens to the hub

use quartet_model::Qos;

const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;
const Q2: Qos = Qos::ExactlyOnce;

//! The shell: the only place with sockets, clocks and threads. It takes what happens to the
//! lanes' [`Flow`](crate::flow::Flow)s and performs what they answer.

mod acme; // certificates by an authority of the Internet
mod aside; // work that gives way to all else
mod authority; // certificates of things
mod clock; // what time it is
mod computer; // looking at this computer
mod connection; // one socket
mod control; // how the rest of the hub asks the lanes
mod discovery; // how the hub is found on a network
mod door; // where connections come in
mod identity; // which certificate is shown
mod journal; // what the lanes put into the journal and fetch from it
pub(crate) mod jq; // expressions that may never end
mod kept; // what is known again after a start
mod lane; // one lane: a thread with its connections
mod layers; // what lies between a socket and MQTT: PROXY, TLS, WebSocket
mod letterbox; // what others put into a lane's box
mod root; // a certificate that signs others
mod rounds; // all that holds is written down anew now and then
mod servers; // certificates of the hub itself
mod socket; // what the hub's own user may ask of one that runs
mod start; // everything together, from start to end
mod tls; // certificates in files, and what connections are shown

pub(crate) use acme::{Acme, Answers, Kept as KeptByAcme, kept as kept_by_acme};
pub(crate) use aside::aside;
pub(crate) use authority::Authority;
pub use clock::Clock;
pub use control::{Control, Ended, StreamItem, Told};
pub(crate) use identity::{Identity, Notice, Shown};
pub use kept::{JOURNAL, read_key};
pub(crate) use rounds::{Start, start_of};
pub(crate) use servers::Public;
pub use socket::{SOCKET, copy_beside, copy_certificates};
pub use start::{FirstSteps, HELLO, Running, StartError, StopError, start};

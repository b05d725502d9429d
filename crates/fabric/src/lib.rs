//! How elements connect: protocols, topics, routes, sessions, retained messages.
//!
//! Everything here is a function over values: bytes and time go in, bytes and requests come
//! out. Sockets, clocks and threads live in `hub`.

pub mod coap; // CoAP over UDP, the server's half
pub mod mqtt; // MQTT 3.1, 3.1.1 and 5.0
pub mod outbox; // what is to be written to one connection
pub mod proxy; // PROXY protocol v2, in front of everything else
pub mod retained; // what was last said at each topic
pub mod routes; // who receives what: the topic tree
pub mod topic; // names and filters
pub mod websocket; // RFC 6455, the server's half

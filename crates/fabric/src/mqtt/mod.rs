//! MQTT 3.1, 3.1.1 and 5.0 without sockets or clocks.
//!
//! Section numbers and statements like `[MQTT-3.1.0-1]` are those of the OASIS standard
//! MQTT 5.0; statements of 3.1.1 are marked `[3.1.1 MQTT-3.1.0-1]` where they differ.

mod codec; // bytes <-> packets
mod frame; // a PUBLISH encoded once for all who receive it
mod link; // one connection: from CONNECT to DISCONNECT
mod packet; // the packets
mod property; // the properties of MQTT 5
mod reason; // reason codes
mod session; // what a client and the hub owe each other, beyond one connection

pub use codec::{Fault, MAX_REMAINING_LENGTH, connect_version, decode, frame_length, put_publish};
pub use frame::{Fanout, Frames};
pub use link::{
    Leave, Open, Request, Terms, packet_bytes_max, refuse_connection, session_expiry_s,
};
pub use packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, Login, Packet, PacketKind, Publish, RetainHandling,
    SubAck, Subscribe, SubscribeFilter, Unsubscribe, Version, Will,
};
pub use property::{Properties, Property};
pub use reason::Reason;
pub use session::{Congestion, Delivery, Line, Note, Seen, Session, SessionLimits, Settled, View};

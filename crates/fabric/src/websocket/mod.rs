//! WebSocket, the server's half, without sockets (RFC 6455): the upgrade request and the frames
//! that carry MQTT (MQTT 5.0, section 6).

mod frame; // frames to bytes and back
mod upgrade; // the HTTP request that begins it

pub use frame::{CloseCode, Decoder, close_frame, put_header};
pub use upgrade::{Refusal, Upgrade, upgrade};

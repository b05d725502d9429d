//! Where connections come in, and who may.

mod browser; // pages of other sites on the WebSocket listener
mod certificates; // of clients
mod http; // the API
mod metrics; // as OpenMetrics
mod proxy; // behind a balancer
mod unix; // a socket in the file system
mod websocket; // what its frames do to the packets in them

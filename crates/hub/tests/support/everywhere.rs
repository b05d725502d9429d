use std::path::PathBuf;

use tempfile::TempDir;

use super::{Authority, Hub};

/// A hub that listens in every way there is, with a certificate by an authority of ours.
pub(crate) struct Everywhere {
    pub(crate) hub: Hub,
    pub(crate) authority: Authority,
    /// Its Unix socket.
    pub(crate) socket: PathBuf,
}

impl Everywhere {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let authority = Authority::new(folder.path(), "authority");
        let certificate = authority.server("hub");
        let socket = folder.path().join("mqtt.sock");
        let unix = format!("unix://{}", socket.display());
        let mut listeners: Vec<&str> = SCHEMES.to_vec();
        listeners.push(&unix);
        let hub = Hub::in_folder(folder, &certificate.toml(), &listeners);
        Self {
            hub,
            authority,
            socket,
        }
    }
}

const SCHEMES: [&str; 6] = [
    "mqtt://127.0.0.1:0",
    "mqtts://127.0.0.1:0",
    "ws://127.0.0.1:0",
    "wss://127.0.0.1:0",
    "http://127.0.0.1:0",
    "https://127.0.0.1:0",
];

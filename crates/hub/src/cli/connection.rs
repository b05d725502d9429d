//! How `pub`, `sub` and `doctor` reach a broker.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use quartet_fabric::mqtt::{Login, Version};

use super::values::{Protocol, duration};
use crate::client::{Client, ClientError, ConnectOptions, Endpoint, Trust};

/// Options of everything that connects.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// The broker: mqtt://host:port, mqtts://host:port or unix:///path
    #[arg(
        short,
        long,
        env = "QUARTET_URL",
        default_value = "mqtt://127.0.0.1:1883"
    )]
    pub(super) url: Endpoint,
    /// Version of MQTT
    #[arg(long, value_enum, default_value_t = Protocol::V5)]
    pub(super) version: Protocol,
    /// Client identifier; unless given, one that nobody else has
    #[arg(long, value_name = "ID")]
    pub(super) id: Option<String>,
    /// User name
    #[arg(long, env = "QUARTET_USER", value_name = "NAME")]
    pub(super) user: Option<String>,
    /// Password; better in the environment, where other users do not see it
    #[arg(long, env = "QUARTET_PASSWORD", hide_env_values = true)]
    pub(super) password: Option<String>,
    /// For mqtts: PEM file with the certificate of whoever signed the broker's
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub(super) cafile: Option<PathBuf>,
    /// For mqtts: do not check who answers
    #[arg(long)]
    pub(super) insecure: bool,
    /// How long to wait for each answer of the broker
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) patience: Duration,
}

impl Connection {
    /// Connects.
    pub(super) fn connect(&self) -> Result<Client, ClientError> {
        Client::connect(&self.url, self.options())
    }

    pub(super) fn version(&self) -> Version {
        self.version.into()
    }

    pub(super) fn options(&self) -> ConnectOptions {
        let trust = match &self.cafile {
            _ if self.insecure => Trust::Anybody,
            Some(path) => Trust::CaFile(path.clone()),
            None => Trust::None,
        };
        ConnectOptions {
            version: self.version(),
            client_id: self.id.clone().unwrap_or_else(own_id),
            login: Login {
                user_name: self.user.as_deref().map(Into::into),
                password: self.password.clone().map(Into::into),
            },
            trust,
            patience: self.patience,
            ..ConnectOptions::default()
        }
    }
}

/// An identifier that no other client has: at most 23 letters and digits.
fn own_id() -> String {
    let at = crate::client::clock::wall().timestamp().as_microsecond();
    format!("quartet{:x}x{:x}", std::process::id(), at & 0xFFFF_FFFF)
}

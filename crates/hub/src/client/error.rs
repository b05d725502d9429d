//! What can go wrong between this program and a broker, in words that say what to do.

use std::{io, path::PathBuf};

use quartet_fabric::mqtt::{Fault, Reason};

use super::Endpoint;

/// Why the client did not get what it wanted.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The host has no address.
    #[error(
        "cannot find the address of `{host}`: {why}; check the spelling, or give an address instead of the name"
    )]
    Resolve {
        /// The name that was looked up.
        host: String,
        /// What went wrong.
        why: io::Error,
    },
    /// Nobody takes the connection.
    #[error("cannot connect to {endpoint}: {}", connect_advice(why))]
    Connect {
        /// What was tried.
        endpoint: Endpoint,
        /// What went wrong.
        why: io::Error,
    },
    /// A file with certificates is not what it should be.
    #[error("cannot read certificates from {}: {why}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// `mqtts://` without anything to check the certificate by.
    #[error(
        "{0} needs --cafile with the certificate of whoever signed the broker's (a Quartet hub has its own at /ca.crt of its web address), or --insecure to trust anybody"
    )]
    NoTrust(Endpoint),
    /// TLS did not come about.
    #[error(
        "the TLS handshake with {endpoint} failed: {}{}",
        tls_words(why),
        tls_advice(why)
    )]
    Tls {
        /// What was tried.
        endpoint: Endpoint,
        /// What went wrong.
        why: rustls::Error,
    },
    /// CONNACK says no.
    #[error("the broker refused the connection: {reason}{}{}", told(explanation), refusal_advice(*reason))]
    Refused {
        /// The reason code.
        reason: Reason,
        /// What the broker says about it.
        explanation: Option<String>,
    },
    /// SUBACK says no.
    #[error("the broker refused the subscription to `{filter}`: {reason}")]
    NotSubscribed {
        /// The filter.
        filter: String,
        /// The reason code.
        reason: Reason,
    },
    /// PUBACK or PUBREC says no.
    #[error(
        "the broker refused the message to `{topic}`: {reason}{}",
        told(explanation)
    )]
    NotPublished {
        /// The topic.
        topic: String,
        /// The reason code.
        reason: Reason,
        /// What the broker says about it.
        explanation: Option<String>,
    },
    /// The broker said goodbye.
    #[error("the broker ended the connection: {reason}{}", told(explanation))]
    Disconnected {
        /// The reason code.
        reason: Reason,
        /// What the broker says about it.
        explanation: Option<String>,
    },
    /// The connection is gone.
    #[error("the broker closed the connection without a word{0}")]
    Closed(&'static str),
    /// No answer.
    #[error("the broker did not answer {what} within {seconds} s")]
    Silent {
        /// What was asked.
        what: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// What came is not MQTT.
    #[error("what the broker sent is not MQTT ({0}); is it an MQTT listener at all?")]
    Fault(#[from] Fault),
    /// The connection broke.
    #[error("the connection to the broker broke: {0}")]
    Io(io::Error),
}

impl ClientError {
    /// Whether it may be better with the next try: the broker or the way to it was gone. What
    /// somebody decided stays so.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Closed(_) | Self::Silent { .. } | Self::Io(_) => true,
            Self::Disconnected { reason, .. } | Self::Refused { reason, .. } => matches!(
                reason,
                Reason::ServerShuttingDown
                    | Reason::ServerBusy
                    | Reason::ServerUnavailable
                    | Reason::KeepAliveTimeout
                    | Reason::QuotaExceeded
                    | Reason::ConnectionRateExceeded
            ),
            Self::Resolve { .. }
            | Self::CaFile { .. }
            | Self::NoTrust(_)
            | Self::Tls { .. }
            | Self::NotSubscribed { .. }
            | Self::NotPublished { .. }
            | Self::Fault(_) => false,
        }
    }
}

fn connect_advice(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::ConnectionRefused => {
            "nobody listens there; is the broker running, and is the port right?".to_owned()
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            "no answer; a firewall may drop the packets, or the host is off".to_owned()
        }
        io::ErrorKind::NotFound => {
            "there is no such socket file; is the broker running?".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            format!("{why}; this user may not open the socket file")
        }
        _ => why.to_string(),
    }
}

/// What the transport said comes wrapped, and reads better without.
fn tls_words(why: &rustls::Error) -> String {
    match why {
        rustls::Error::General(text) => text.clone(),
        other => other.to_string(),
    }
}

fn tls_advice(why: &rustls::Error) -> &'static str {
    match why {
        rustls::Error::InvalidCertificate(_) => {
            "; --cafile must hold the certificate of whoever signed the broker's (a Quartet hub has its own at /ca.crt of its web address), and the URL the name that it was signed for"
        }
        rustls::Error::InvalidMessage(_) | rustls::Error::General(_) => {
            "; is it a listener for TLS, or does it speak plain mqtt://?"
        }
        _ => "",
    }
}

fn told(explanation: &Option<String>) -> String {
    match explanation {
        Some(text) => format!(": {text}"),
        None => String::new(),
    }
}

fn refusal_advice(reason: Reason) -> &'static str {
    match reason {
        Reason::BadUserNameOrPassword | Reason::NotAuthorized => {
            "; give --user and --password (or QUARTET_USER and QUARTET_PASSWORD) of somebody who may"
        }
        Reason::UnsupportedProtocolVersion => "; try another --version",
        Reason::ClientIdentifierNotValid => "; give another --id",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: &ClientError, expected: &str) {
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn an_error_says_what_was_tried_what_happened_and_what_would_help() {
        check(
            &ClientError::Connect {
                endpoint: Endpoint::parse("mqtt://hub:1").unwrap(),
                why: io::Error::from(io::ErrorKind::ConnectionRefused),
            },
            "cannot connect to mqtt://hub:1: nobody listens there; is the broker running, and is the port right?",
        );
        check(
            &ClientError::Refused {
                reason: Reason::NotAuthorized,
                explanation: Some("who are you".to_owned()),
            },
            "the broker refused the connection: not authorized (0x87): who are you; give --user and --password (or QUARTET_USER and QUARTET_PASSWORD) of somebody who may",
        );
    }
}

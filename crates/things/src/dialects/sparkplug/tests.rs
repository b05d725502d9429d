mod births; // descriptions
mod hosts; // one message after the other
mod values; // values as JSON, and the reverse

use prost::Message;
use serde_json::Value;

use super::wire::{Metric, Scalar};

/// What `sparkplug-client` says [tests/recorded/sparkplug.jsonl]: topics and payloads, in order.
fn recorded() -> Vec<(String, Vec<u8>)> {
    let lines = include_str!("../../../tests/recorded/sparkplug.jsonl").lines();
    let said = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    said.map(|said| {
        let hex = said["hex"].as_str().unwrap();
        let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes = (0..hex.len()).step_by(2).map(digits).collect();
        (said["topic"].as_str().unwrap().to_owned(), bytes)
    })
    .collect()
}

/// The payload of a message with this sequence number.
fn payload(seq: Option<u64>, metrics: &[Metric]) -> Vec<u8> {
    #[derive(Clone, PartialEq, Message)]
    struct Said {
        #[prost(message, repeated, tag = "2")]
        metrics: Vec<Metric>,
        #[prost(uint64, optional, tag = "3")]
        seq: Option<u64>,
    }
    let metrics = metrics.to_vec();
    Said { metrics, seq }.encode_to_vec()
}

/// A metric with its name.
fn named(name: &str, datatype: u32, value: Scalar) -> Metric {
    Metric {
        name: Some(name.to_owned()),
        datatype: Some(datatype),
        value: Some(value),
        ..Metric::default()
    }
}

/// A metric that only its alias tells.
fn aliased(alias: u64, value: Scalar) -> Metric {
    Metric {
        alias: Some(alias),
        value: Some(value),
        ..Metric::default()
    }
}

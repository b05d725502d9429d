//! Points in time in documents that are kept: as RFC 3339 says.

use quartet_model::Time;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

pub(crate) fn serialize<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&time.rfc3339())
}

pub(crate) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Time, D::Error> {
    let text = String::deserialize(from)?;
    Time::of_rfc3339(&text).ok_or_else(|| D::Error::custom("is no time of RFC 3339"))
}

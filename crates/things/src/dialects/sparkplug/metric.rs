//! One metric by a form: what is told to it, and what a payload says of it.

use prost::Message;
use quartet_model::Time;
use serde_json::Value;

use super::{
    Unreadable,
    datatype::DataType,
    value,
    wire::{Metric, Payload},
};
use crate::td::Problem;

/// Which metric a form is about.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::dialects) struct At {
    /// `quartet:metric`.
    pub(super) name: Box<str>,
    /// `quartet:alias`: a payload may have this instead of the name.
    pub(super) alias: Option<u64>,
    /// `quartet:dataType`: how a value is written; a payload says it itself.
    pub(super) datatype: Option<DataType>,
}

impl At {
    /// Reads it from the members of a form.
    pub(in crate::dialects) fn of(form: &Value) -> Result<Self, Problem> {
        let name = form["quartet:metric"]
            .as_str()
            .ok_or_else(|| Problem::new("quartet:metric", "must be the name of a metric"))?;
        let alias = match &form["quartet:alias"] {
            Value::Null => None,
            said => Some(
                said.as_u64()
                    .ok_or_else(|| Problem::new("quartet:alias", "must be a number from 0"))?,
            ),
        };
        let datatype = match &form["quartet:dataType"] {
            Value::Null => None,
            said => Some(said.as_str().and_then(DataType::named).ok_or_else(|| {
                Problem::new("quartet:dataType", "must be a data type such as Int32")
            })?),
        };
        Ok(Self {
            name: name.into(),
            alias,
            datatype,
        })
    }

    /// What a payload says of the metric, and when that was so, in seconds since 1970. `None` if it
    /// says nothing of it, or only of the past.
    pub(in crate::dialects) fn read(
        &self,
        payload: &[u8],
    ) -> Result<Option<(Value, Option<f64>)>, Unreadable> {
        let payload = Payload::read(payload)?;
        let is_it = |metric: &Metric| match &metric.name {
            Some(name) => **name == *self.name,
            None => metric.alias.is_some() && metric.alias == self.alias,
        };
        let is_now = |metric: &Metric| metric.is_historical != Some(true);
        // What comes later in a payload was later [tck-id-operational-behavior-data-publish-nbirth-order].
        let mut metrics = payload.metrics()?.into_iter().rev();
        let Some(metric) = metrics.find(|metric| is_it(metric) && is_now(metric)) else {
            return Ok(None);
        };
        let at = metric.timestamp.or(payload.timestamp);
        let datatype = match metric.datatype {
            Some(number) => DataType::of(number).ok_or(Unreadable::Type(number))?,
            None => self.datatype.ok_or(Unreadable::Type(0))?,
        };
        let value = value::of_metric(metric, datatype)?;
        Ok(Some((value, at.map(|ms| ms as f64 / 1000.0))))
    }

    /// The payload of a command that tells the metric a value, at a time; `None` if its type is of
    /// another kind. An action has no value: its metric is told `true`.
    pub(in crate::dialects) fn write(&self, value: &Value, at: Time) -> Option<Vec<u8>> {
        let datatype = self.datatype?;
        let is_trigger = datatype == DataType::Boolean && value.is_null();
        let value = if is_trigger {
            &Value::Bool(true)
        } else {
            value
        };
        let value = value::scalar(value, datatype)?;
        Some(self.command(datatype, value, at))
    }

    fn command(&self, datatype: DataType, value: super::wire::Scalar, at: Time) -> Vec<u8> {
        let now_ms = at.as_micros() / 1000;
        // [tck-id-payloads-alias-data-cmd-requirement]
        let name = self.alias.is_none().then(|| self.name.to_string());
        let metric = Metric {
            name,
            alias: self.alias,
            timestamp: Some(now_ms),
            datatype: Some(datatype.number()),
            value: Some(value),
            ..Metric::default()
        };
        Payload::of(now_ms, &metric).encode_to_vec()
    }
}

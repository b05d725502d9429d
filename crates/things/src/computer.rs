//! This computer, the first thing: so that a hub that was just started shows something true.
//!
//! The shell looks at the machine now and then; here is decided what of it is news.

use quartet_model::{Effect, Effects, Said, Time};
use serde_json::{Value, json};

use crate::{CONNECTIVITY, Elements, presence};

/// Its id: `things/this-computer/…`.
pub const ID: &str = "this-computer";
/// The first two levels of its address.
pub const KEY: &str = "things/this-computer";

/// What the machine looked like at one moment.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Sample {
    /// Share of all processors' time that was used, in percent.
    pub processor_load_percent: f32,
    /// How many processors there are.
    pub processors: u32,
    /// Memory in use.
    pub memory_used_bytes: u64,
    /// Memory there is.
    pub memory_total_bytes: u64,
    /// Free space where the hub keeps its data.
    pub disk_free_bytes: u64,
    /// All space there.
    pub disk_total_bytes: u64,
    /// Received over all networks but loopback.
    pub network_received_bytes_per_s: u64,
    /// Sent over all networks but loopback.
    pub network_sent_bytes_per_s: u64,
}

impl Sample {
    /// The same, rounded to what is worth a message.
    fn rounded(self) -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            processor_load_percent: self.processor_load_percent.round(),
            memory_used_bytes: self.memory_used_bytes / (16 * MIB) * (16 * MIB),
            disk_free_bytes: self.disk_free_bytes / (16 * MIB) * (16 * MIB),
            network_received_bytes_per_s: self.network_received_bytes_per_s / 1000 * 1000,
            network_sent_bytes_per_s: self.network_sent_bytes_per_s / 1000 * 1000,
            ..self
        }
    }

    fn properties(&self) -> [(&'static str, Value); 4] {
        [
            (
                "processor",
                json!({ "load_percent": self.processor_load_percent, "processors": self.processors }),
            ),
            (
                "memory",
                json!({ "used_bytes": self.memory_used_bytes, "total_bytes": self.memory_total_bytes }),
            ),
            (
                "disk",
                json!({ "free_bytes": self.disk_free_bytes, "total_bytes": self.disk_total_bytes }),
            ),
            (
                "network",
                json!({
                    "received_bytes_per_s": self.network_received_bytes_per_s,
                    "sent_bytes_per_s": self.network_sent_bytes_per_s,
                }),
            ),
        ]
    }
}

/// Says what changed since it was last said.
pub fn step(elements: &mut Elements, sample: &Sample, now: Time, effects: &mut Effects) {
    let sample = sample.rounded();
    let before = elements.last_sample.replace(sample);
    let before = before.map(|before| before.properties());
    if before.is_none() {
        let topic = format!("{KEY}/properties/{}", CONNECTIVITY);
        let online = json!({ "state": "online", "since": now.rfc3339() });
        effects.push(Effect::Emit(Said::state(topic, online.to_string())));
    }
    for (index, (name, value)) in sample.properties().into_iter().enumerate() {
        if before
            .as_ref()
            .is_none_or(|before| before[index].1 != value)
        {
            let topic = format!("{KEY}/properties/{name}");
            effects.push(Effect::Emit(Said::state(topic, value.to_string())));
        }
    }
}

/// Its Thing Description (W3C WoT TD 1.1).
pub fn describe(title: &str) -> (&'static str, Value) {
    let number = |unit: &str| json!({ "type": "number", "unit": unit, "readOnly": true });
    let property = |title: &str, fields: Value| {
        json!({
            "title": title,
            "type": "object",
            "readOnly": true,
            "observable": true,
            "properties": fields,
        })
    };
    let description = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "id": format!("urn:quartet:things:{ID}"),
        "title": title,
        "description": "The computer that this hub runs on.",
        "properties": {
            "processor": property("Processor", json!({
                "load_percent": number("%"),
                "processors": number("1"),
            })),
            "memory": property("Memory", json!({
                "used_bytes": number("By"),
                "total_bytes": number("By"),
            })),
            "disk": property("Disk", json!({
                "free_bytes": number("By"),
                "total_bytes": number("By"),
            })),
            CONNECTIVITY: presence::describe(),
            "network": property("Network", json!({
                "received_bytes_per_s": number("By/s"),
                "sent_bytes_per_s": number("By/s"),
            })),
        },
    });
    (KEY, description)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Sample {
        Sample {
            processor_load_percent: 12.4,
            processors: 2,
            memory_used_bytes: 1 << 30,
            memory_total_bytes: 4 << 30,
            ..Sample::default()
        }
    }

    fn topics(effects: &Effects) -> Vec<&str> {
        effects
            .iter()
            .map(|effect| match effect {
                Effect::Emit(said) => &*said.topic,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn only_what_changed_noticeably_is_said() {
        let mut elements = Elements::default();
        let mut effects = Effects::new();
        step(&mut elements, &sample(), Time::ZERO, &mut effects);
        assert_eq!(effects.len(), 5);
        effects.clear();
        let nearly_the_same = Sample {
            processor_load_percent: 12.3,
            memory_used_bytes: (1 << 30) + 5000,
            ..sample()
        };
        step(&mut elements, &nearly_the_same, Time::ZERO, &mut effects);
        assert_eq!(topics(&effects), [""; 0]);
        let busy = Sample {
            processor_load_percent: 80.0,
            ..sample()
        };
        step(&mut elements, &busy, Time::ZERO, &mut effects);
        assert_eq!(
            topics(&effects),
            ["things/this-computer/properties/processor"]
        );
    }
}

//! This computer, the first thing: so that a hub that was just started shows something true.
//!
//! The shell looks at the machine now and then; here is decided what of it is news.

use quartet_model::{Effect, Effects, Said, Time};
use serde_json::{Value, json};

use crate::Things;

/// Its id: `things/this-computer/…`.
pub const ID: &str = "this-computer";

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
pub fn step(things: &mut Things, sample: &Sample, _now: Time, effects: &mut Effects) {
    let sample = sample.rounded();
    let before = things.last_sample.replace(sample);
    let before = before.map(|before| before.properties());
    for (index, (name, value)) in sample.properties().into_iter().enumerate() {
        if before
            .as_ref()
            .is_none_or(|before| before[index].1 != value)
        {
            let topic = format!("things/{ID}/properties/{name}");
            effects.push(Effect::Emit(Said::state(topic, value.to_string())));
        }
    }
}

/// Its Thing Description (W3C WoT TD 1.1).
pub fn describe(title: &str) -> Value {
    let number = |unit: &str| json!({ "type": "number", "unit": unit, "readOnly": true });
    let property = |name: &str, title: &str, fields: Value| {
        json!({
            "title": title,
            "type": "object",
            "readOnly": true,
            "observable": true,
            "properties": fields,
            "forms": [{
                "href": format!("/api/things/{ID}/properties/{name}"),
                "contentType": "application/json",
                "op": ["readproperty"],
            }],
        })
    };
    json!({
        "@context": ["https://www.w3.org/2022/wot/td/v1.1", { "qudt": "http://qudt.org/vocab/unit/" }],
        "id": format!("urn:quartet:things:{ID}"),
        "title": title,
        "description": "The computer that this hub runs on.",
        "securityDefinitions": { "nosec": { "scheme": "nosec" } },
        "security": "nosec",
        "properties": {
            "processor": property("processor", "Processor", json!({
                "load_percent": number("percent"),
                "processors": number("count"),
            })),
            "memory": property("memory", "Memory", json!({
                "used_bytes": number("byte"),
                "total_bytes": number("byte"),
            })),
            "disk": property("disk", "Disk", json!({
                "free_bytes": number("byte"),
                "total_bytes": number("byte"),
            })),
            "network": property("network", "Network", json!({
                "received_bytes_per_s": number("byte per second"),
                "sent_bytes_per_s": number("byte per second"),
            })),
        },
    })
}

#[cfg(test)]
mod tests {
    use quartet_model::{Actor, Event, EventId};

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
            .map(|Effect::Emit(said)| &*said.topic)
            .collect()
    }

    #[test]
    fn only_what_changed_noticeably_is_said() {
        let mut things = Things::default();
        let mut effects = Effects::new();
        step(&mut things, &sample(), Time::ZERO, &mut effects);
        assert_eq!(effects.len(), 4);
        effects.clear();
        let nearly_the_same = Sample {
            processor_load_percent: 12.3,
            memory_used_bytes: (1 << 30) + 5000,
            ..sample()
        };
        step(&mut things, &nearly_the_same, Time::ZERO, &mut effects);
        assert_eq!(topics(&effects), [""; 0]);
        let busy = Sample {
            processor_load_percent: 80.0,
            ..sample()
        };
        step(&mut things, &busy, Time::ZERO, &mut effects);
        assert_eq!(
            topics(&effects),
            ["things/this-computer/properties/processor"]
        );
    }

    #[test]
    fn what_it_says_becomes_its_twin() {
        let mut things = Things::default();
        things.declare(describe("Reception"));
        let mut effects = Effects::new();
        step(&mut things, &sample(), Time::ZERO, &mut effects);
        let id = EventId {
            at: Time::ZERO,
            serial: 1,
        };
        for Effect::Emit(said) in effects {
            let event = Event::new(id, Actor::Hub, said);
            crate::step(&mut things, &event, Time::ZERO, &mut Effects::new());
        }
        assert_eq!(things.ids().collect::<Vec<_>>(), [ID]);
        assert_eq!(things.properties(ID).count(), 4);
        let processor = things.property(ID, "processor").unwrap();
        assert_eq!(
            &processor.payload[..],
            br#"{"load_percent":12.0,"processors":2}"#
        );
        assert_eq!(things.description(ID).unwrap()["title"], "Reception");
    }
}

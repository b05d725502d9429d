//! How much of everything: one list from which the struct, its defaults and the keys come.
//! Each limit says its unit, its range and, where 0 is special, what 0 means.

use super::quantity::Unit;

/// One limit as a key of the configuration.
#[derive(Clone, Copy)]
pub struct Limit {
    /// Its key: `limits.{name}`.
    pub key: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// The least that it may be, beside 0 if [`Self::zero`] gives that a meaning.
    pub min: u64,
    /// The most that it may be.
    pub max: u64,
    /// What 0 stands for, if it is not simply none.
    pub zero: Option<&'static str>,
    get: fn(&Limits) -> u64,
    set: fn(&mut Limits, u64) -> bool,
}

impl Limit {
    /// All of them, in the order of the reference.
    pub const ALL: &'static [Self] = ALL;

    /// What it is set to.
    pub fn get(&self, limits: &Limits) -> u64 {
        (self.get)(limits)
    }

    /// Sets it, if the value is in range; says whether it was.
    pub fn set(&self, limits: &mut Limits, value: u64) -> bool {
        let special = value == 0 && self.zero.is_some();
        (special || (self.min..=self.max).contains(&value)) && (self.set)(limits, value)
    }

    /// What it may be, in words: `a whole number from 1 to 65535`.
    pub fn right(&self) -> String {
        let range = format!("from {} to {}", self.min, self.max);
        let zero = self.zero.map(|means| format!(", or 0 for {means}"));
        format!("{} {range}{}", self.unit.noun(), zero.unwrap_or_default())
    }
}

macro_rules! limits {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: $type:ty = $default:expr, $unit:expr, $min:literal..=$max:expr $(, 0 = $zero:literal)?;
    )+) => {
        /// How much of everything; see docs/configuration.md for what happens at each limit.
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        const ALL: &[Limit] = &[$(Limit {
            key: concat!("limits.", stringify!($name)),
            unit: $unit,
            min: $min,
            max: $max as u64,
            zero: [$(Some($zero),)? None][0],
            get: |limits| limits.$name as u64,
            set: |limits, value| match <$type>::try_from(value) {
                Ok(value) => {
                    limits.$name = value;
                    true
                }
                Err(_) => false,
            },
        },)+];
    };
}

limits! {
    /// The largest packet that a client may send, in bytes.
    packet_bytes_max: usize = 1 << 20, Unit::Bytes, 128..=268_435_460_u32;
    /// The largest packet before login, in bytes; never more than `packet_bytes_max`.
    first_packet_bytes_max: usize = 64 << 10, Unit::Bytes, 128..=268_435_460_u32;
    /// From accept to a complete CONNECT, in seconds.
    connect_timeout_s: u32 = 5, Unit::Seconds, 1..=3_600;
    /// QoS 1 and 2 messages that a client may have unacknowledged towards the hub.
    receive_maximum: u16 = 256, Unit::Count("messages"), 1..=u16::MAX;
    /// QoS 1 and 2 messages that the hub has unacknowledged towards a client.
    inflight_max: u16 = 256, Unit::Count("messages"), 1..=u16::MAX;
    /// Messages that wait in one session.
    queue_messages_max: usize = 100_000, Unit::Count("messages"), 1..=u32::MAX;
    /// Bytes of the messages that wait in one session and are in memory.
    queue_bytes_max: usize = 8 << 20, Unit::Bytes, 1_024..=u32::MAX;
    /// Bytes that wait for a slow socket.
    outbox_bytes_max: usize = 1 << 20, Unit::Bytes, 1_024..=u32::MAX;
    /// Without progress for so many seconds while data waits, a client is disconnected.
    slow_consumer_s: u32 = 10, Unit::Seconds, 1..=3_600;
    /// Subscriptions of one session.
    subscriptions_max: usize = 1_000, Unit::Count("subscriptions"), 1..=u32::MAX;
    /// Levels of a topic.
    topic_levels_max: usize = 64, Unit::Count("levels"), 1..=u16::MAX;
    /// Topic aliases that a client may use; 0 for none.
    topic_alias_max: u16 = 32, Unit::Count("aliases"), 0..=u16::MAX;
    /// The longest silence that a client may ask for, in seconds; 0 for no limit.
    keep_alive_s_max: u16 = 7_200, Unit::Seconds, 1..=u16::MAX, 0 = "no limit";
    /// How long a session may outlive its connection, in seconds; 0 for not at all.
    session_expiry_s_max: u32 = 604_800, Unit::Seconds, 0..=u32::MAX;
    /// Messages that one connection may publish per second; 0 for no limit.
    publish_rate_max: u32 = 10_000, Unit::Count("messages/s"), 1..=u32::MAX, 0 = "no limit";
    /// Messages that one connection may publish at once after a pause.
    publish_burst: u32 = 20_000, Unit::Count("messages"), 1..=u32::MAX;
    /// Connections per second from one address; loopback is not counted.
    connect_rate_max: u32 = 50, Unit::Count("connections/s"), 1..=u32::MAX;
    /// Connections from one address at once after a pause.
    connect_burst: u32 = 200, Unit::Count("connections"), 1..=u32::MAX;
    /// Connections in all; 0 for what the file-descriptor limit allows.
    connections_max: usize = 0, Unit::Count("connections"), 1..=u32::MAX,
        0 = "what the file-descriptor limit allows";
    /// Retained messages in all.
    retained_messages_max: usize = 10_000_000, Unit::Count("messages"), 1..=u32::MAX;
    /// Disk that the journal may take, in bytes; 0 for no limit but the disk's.
    journal_bytes_max: u64 = 16 << 30, Unit::Bytes, 268_435_456..=i64::MAX,
        0 = "no limit but the disk's";
    /// Disk that the audit may take, in bytes; 0 for no limit but the disk's.
    audit_bytes_max: u64 = 4 << 30, Unit::Bytes, 67_108_864..=i64::MAX,
        0 = "no limit but the disk's";
    /// Memory that recent values of elements may take, in bytes; 0 for none.
    recent_values_bytes_max: usize = 64 << 20, Unit::Bytes, 1_048_576..=i64::MAX,
        0 = "no recent values";
    /// Memory that the hub may use, in bytes; 0 for three quarters of the machine's.
    memory_bytes_max: u64 = 0, Unit::Bytes, 16_777_216..=i64::MAX,
        0 = "three quarters of the machine's memory";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_default_is_in_its_range() {
        let mut limits = Limits::default();
        for limit in Limit::ALL {
            let default = limit.get(&limits);
            assert!(limit.set(&mut limits, default), "{}", limit.key);
        }
        assert_eq!(limits, Limits::default());
    }

    #[test]
    fn each_end_of_a_range_is_taken_and_what_is_beyond_is_not() {
        for limit in Limit::ALL {
            let mut limits = Limits::default();
            for end in [limit.min, limit.max] {
                assert!(limit.set(&mut limits, end), "{}: {end}", limit.key);
                assert_eq!(limit.get(&limits), end, "{}", limit.key);
            }
            assert!(!limit.set(&mut limits, limit.max + 1), "{}", limit.key);
            let zero = limit.set(&mut limits, 0);
            assert_eq!(
                zero,
                limit.zero.is_some() || limit.min == 0,
                "{}",
                limit.key
            );
        }
    }
}

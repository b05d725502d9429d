//! Values of options, and how they are read.

use std::{str::FromStr, time::Duration};

use clap::ValueEnum;
use quartet_fabric::mqtt::Version;
use quartet_model::Qos;

/// `--version`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Protocol {
    /// MQTT 3.1.1
    #[value(name = "3.1.1", alias = "4")]
    V311,
    /// MQTT 5.0
    #[value(name = "5", alias = "5.0")]
    V5,
}

impl From<Protocol> for Version {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::V311 => Self::V311,
            Protocol::V5 => Self::V5,
        }
    }
}

/// `--qos`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Level(pub(super) Qos);

impl FromStr for Level {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let level = text.parse().ok().and_then(Qos::from_level).map(Self);
        level.ok_or("QoS is 0 (may get lost), 1 (arrives, perhaps twice) or 2 (arrives once)")
    }
}

/// A number of seconds: `10`, `0.5`.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    seconds
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .filter(|duration| *duration <= Duration::from_secs(30 * 86_400))
        .ok_or_else(|| "a number of seconds is expected, such as 10 or 0.5".to_owned())
}

/// A time with its unit: `500ms`, `10s`, `5m`, `2h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let unit_s = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("a time is a number with its unit: 500ms, 10s, 5m, 2h".to_owned()),
    };
    let number = number.parse::<f64>().ok();
    number
        .and_then(|n| Duration::try_from_secs_f64(n * unit_s).ok())
        .ok_or_else(|| "a time is a number with its unit: 500ms, 10s, 5m, 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        let ms = |text| duration(text).map(|duration| duration.as_millis());
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("1.5s"), Ok(1500));
        assert_eq!(ms("3"), Ok(3000));
        assert_eq!(ms("5m"), Ok(300_000));
        assert_eq!(ms("2h"), Ok(7_200_000));
        for wrong in ["", "s", "5 apples", "1..5s", "-3s"] {
            assert!(ms(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seconds_are_positive_and_end() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["-1", "NaN", "1e300", "ten"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn there_are_three_levels_of_qos() {
        assert_eq!("2".parse(), Ok(Level(Qos::ExactlyOnce)));
        assert!("3".parse::<Level>().is_err());
    }
}

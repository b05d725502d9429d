//! Units as devices write them, as UCUM writes them, and what one is in another.

use Quantity::*;
use serde_json::{Value, json};

/// What can be told in one unit can be told in another of the same quantity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Quantity {
    Temperature,
    Length,
    Mass,
    Energy,
    ReactiveEnergy,
    Power,
    Apparent,
    Reactive,
    Pressure,
    Time,
    Speed,
    Volume,
    Flow,
    Voltage,
    Current,
    Frequency,
    Illuminance,
    Share,
    Angle,
    MassConcentration,
    Conductivity,
    Information,
    Other,
}

/// Code, quantity, and how many of the quantity's first unit it is; temperatures have an offset.
type Unit = (&'static str, Quantity, f64, f64);

#[rustfmt::skip]
const UNITS: &[Unit] = &[
    ("K", Temperature, 1.0, 0.0), ("Cel", Temperature, 1.0, 273.15),
    ("[degF]", Temperature, 5.0 / 9.0, 459.67 * 5.0 / 9.0),
    ("m", Length, 1.0, 0.0), ("mm", Length, 1e-3, 0.0), ("cm", Length, 1e-2, 0.0),
    ("km", Length, 1e3, 0.0), ("um", Length, 1e-6, 0.0), ("[in_i]", Length, 0.0254, 0.0),
    ("[ft_i]", Length, 0.3048, 0.0), ("[yd_i]", Length, 0.9144, 0.0), ("[mi_i]", Length, 1609.344, 0.0),
    ("[nmi_i]", Length, 1852.0, 0.0),
    ("kg", Mass, 1.0, 0.0), ("g", Mass, 1e-3, 0.0), ("mg", Mass, 1e-6, 0.0), ("ug", Mass, 1e-9, 0.0),
    ("t", Mass, 1e3, 0.0), ("[oz_av]", Mass, 0.028349523125, 0.0), ("[lb_av]", Mass, 0.45359237, 0.0),
    ("J", Energy, 1.0, 0.0), ("kJ", Energy, 1e3, 0.0), ("MJ", Energy, 1e6, 0.0), ("GJ", Energy, 1e9, 0.0),
    ("W.h", Energy, 3600.0, 0.0), ("kW.h", Energy, 3.6e6, 0.0), ("MW.h", Energy, 3.6e9, 0.0),
    ("W.s", Energy, 1.0, 0.0), ("cal", Energy, 4.184, 0.0), ("kcal", Energy, 4184.0, 0.0),
    ("var.h", ReactiveEnergy, 1.0, 0.0), ("kvar.h", ReactiveEnergy, 1e3, 0.0),
    ("W", Power, 1.0, 0.0), ("mW", Power, 1e-3, 0.0), ("kW", Power, 1e3, 0.0), ("MW", Power, 1e6, 0.0),
    ("V.A", Apparent, 1.0, 0.0), ("kV.A", Apparent, 1e3, 0.0), ("var", Reactive, 1.0, 0.0), ("kvar", Reactive, 1e3, 0.0),
    ("Pa", Pressure, 1.0, 0.0), ("hPa", Pressure, 100.0, 0.0), ("kPa", Pressure, 1e3, 0.0), ("MPa", Pressure, 1e6, 0.0),
    ("mbar", Pressure, 100.0, 0.0), ("bar", Pressure, 1e5, 0.0), ("[psi]", Pressure, 6894.757293168, 0.0),
    ("mm[Hg]", Pressure, 133.322387415, 0.0), ("[in_i'Hg]", Pressure, 3386.388640341, 0.0), ("atm", Pressure, 101_325.0, 0.0),
    ("s", Time, 1.0, 0.0), ("ms", Time, 1e-3, 0.0), ("us", Time, 1e-6, 0.0), ("min", Time, 60.0, 0.0),
    ("h", Time, 3600.0, 0.0), ("d", Time, 86_400.0, 0.0), ("wk", Time, 604_800.0, 0.0),
    ("mo", Time, 2_629_800.0, 0.0), ("a", Time, 31_557_600.0, 0.0),
    ("m/s", Speed, 1.0, 0.0), ("km/h", Speed, 1.0 / 3.6, 0.0), ("mm/s", Speed, 1e-3, 0.0), ("mm/h", Speed, 1e-3 / 3600.0, 0.0),
    ("[mi_i]/h", Speed, 0.44704, 0.0), ("[kn_i]", Speed, 1852.0 / 3600.0, 0.0), ("[ft_i]/s", Speed, 0.3048, 0.0),
    ("[in_i]/h", Speed, 0.0254 / 3600.0, 0.0), ("mm/d", Speed, 1e-3 / 86_400.0, 0.0),
    ("m3", Volume, 1.0, 0.0), ("L", Volume, 1e-3, 0.0), ("mL", Volume, 1e-6, 0.0), ("cm3", Volume, 1e-6, 0.0),
    ("[gal_us]", Volume, 3.785411784e-3, 0.0), ("[cft_i]", Volume, 0.028316846592, 0.0), ("[foz_us]", Volume, 2.95735295625e-5, 0.0),
    ("m3/h", Flow, 1.0 / 3600.0, 0.0), ("m3/s", Flow, 1.0, 0.0), ("L/h", Flow, 1e-3 / 3600.0, 0.0), ("L/min", Flow, 1e-3 / 60.0, 0.0),
    ("L/s", Flow, 1e-3, 0.0), ("[gal_us]/min", Flow, 3.785411784e-3 / 60.0, 0.0), ("[cft_i]/min", Flow, 0.028316846592 / 60.0, 0.0),
    ("V", Voltage, 1.0, 0.0), ("mV", Voltage, 1e-3, 0.0), ("kV", Voltage, 1e3, 0.0),
    ("A", Current, 1.0, 0.0), ("mA", Current, 1e-3, 0.0), ("A.h", Other, 1.0, 0.0),
    ("Hz", Frequency, 1.0, 0.0), ("kHz", Frequency, 1e3, 0.0), ("MHz", Frequency, 1e6, 0.0), ("GHz", Frequency, 1e9, 0.0),
    ("{rpm}", Frequency, 1.0 / 60.0, 0.0), ("/min", Frequency, 1.0 / 60.0, 0.0),
    ("lx", Illuminance, 1.0, 0.0),
    ("1", Share, 1.0, 0.0), ("%", Share, 1e-2, 0.0), ("[ppth]", Share, 1e-3, 0.0), ("[ppm]", Share, 1e-6, 0.0), ("[ppb]", Share, 1e-9, 0.0),
    ("deg", Angle, 1.0, 0.0), ("rad", Angle, 57.295_779_513_082_32, 0.0),
    ("ug/m3", MassConcentration, 1e-6, 0.0), ("mg/m3", MassConcentration, 1e-3, 0.0), ("g/m3", MassConcentration, 1.0, 0.0), ("mg/L", MassConcentration, 1.0, 0.0),
    ("uS/cm", Conductivity, 1e-4, 0.0), ("S/m", Conductivity, 1.0, 0.0), ("mS/cm", Conductivity, 0.1, 0.0),
    ("bit", Information, 1.0, 0.0), ("By", Information, 8.0, 0.0), ("kBy", Information, 8e3, 0.0), ("MBy", Information, 8e6, 0.0), ("GBy", Information, 8e9, 0.0),
    ("MK-1", Other, 1.0, 0.0), ("cd", Other, 1.0, 0.0), ("lm", Other, 1.0, 0.0), ("dB", Other, 1.0, 0.0), ("dB[A]", Other, 1.0, 0.0),
    ("dB[mW]", Other, 1.0, 0.0), ("dB/m", Other, 1.0, 0.0), ("[pH]", Other, 1.0, 0.0), ("/cm3", Other, 1.0, 0.0), ("m/s2", Other, 1.0, 0.0),
    ("W/m2", Other, 1.0, 0.0), ("uR/h", Other, 1.0, 0.0), ("Ohm", Other, 1.0, 0.0), ("F", Other, 1.0, 0.0), ("S", Other, 1.0, 0.0),
    ("T", Other, 1.0, 0.0), ("N", Other, 1.0, 0.0), ("mol", Other, 1.0, 0.0), ("Bq", Other, 1.0, 0.0), ("Bq/m3", Other, 1.0, 0.0), ("uSv/h", Other, 1.0, 0.0),
    ("hPa/h", Other, 1.0, 0.0), ("m2", Other, 1.0, 0.0), ("By/s", Other, 1.0, 0.0), ("bit/s", Other, 1.0, 0.0),
    ("sr", Other, 1.0, 0.0), ("Wb", Other, 1.0, 0.0), ("Gy", Other, 1.0, 0.0), ("Sv", Other, 1.0, 0.0), ("kat", Other, 1.0, 0.0), ("cd/m2", Other, 1.0, 0.0), ("B[SPL]", Other, 1.0, 0.0), ("/s", Other, 1.0, 0.0), ("{beats}", Other, 1.0, 0.0), ("V.A.s", Other, 1.0, 0.0), ("var.s", Other, 1.0, 0.0), ("V.A.h", Other, 1.0, 0.0), ("kV.A.h", Other, 1.0, 0.0), ("J/m", Other, 1.0, 0.0), ("kg/m3", Other, 1.0, 0.0), ("{NTU}", Other, 1.0, 0.0), ("m/h", Speed, 1.0 / 3600.0, 0.0), ("KiBy", Other, 1.0, 0.0), ("Mbit/s", Other, 1.0, 0.0), ("MBy/s", Other, 1.0, 0.0),
    ("{count}", Other, 1.0, 0.0), ("[LEL]", Other, 1.0, 0.0), ("%[LEL]", Other, 1.0, 0.0), ("mg/dL", Other, 1.0, 0.0), ("mmol/L", Other, 1.0, 0.0),
];

/// What devices write, in lower case unless that would be another unit, with a micro sign.
#[rustfmt::skip]
const ALIASES: &[(&str, &str)] = &[
    ("°C", "Cel"), ("℃", "Cel"), ("ºC", "Cel"), ("C", "Cel"), ("°F", "[degF]"), ("℉", "[degF]"), ("ºF", "[degF]"),
    ("celsius", "Cel"), ("fahrenheit", "[degF]"), ("kelvin", "K"), ("°", "deg"), ("degrees", "deg"), ("º", "deg"),
    ("s", "s"), ("sec", "s"), ("sec.", "s"), ("second", "s"), ("seconds", "s"), ("msec", "ms"), ("milliseconds", "ms"), ("µs", "us"),
    ("min", "min"), ("min.", "min"), ("minute", "min"), ("minutes", "min"), ("mins", "min"),
    ("h", "h"), ("H", "h"), ("hr", "h"), ("hour", "h"), ("hours", "h"), ("hrs", "h"),
    ("d", "d"), ("day", "d"), ("days", "d"), ("w", "W"), ("week", "wk"), ("weeks", "wk"), ("month", "mo"), ("months", "mo"), ("year", "a"), ("years", "a"),
    ("watt", "W"), ("watts", "W"), ("volt", "V"), ("volts", "V"), ("ampere", "A"), ("amp", "A"), ("amps", "A"), ("mWt", "mW"),
    ("Wh", "W.h"), ("kWh", "kW.h"), ("KWH", "kW.h"), ("kwh", "kW.h"), ("MWh", "MW.h"), ("VA", "V.A"), ("kVA", "kV.A"),
    ("VAR", "var"), ("VAr", "var"), ("kvar", "kvar"), ("kVAr", "kvar"), ("VArh", "var.h"), ("varh", "var.h"), ("kVArh", "kvar.h"), ("kvarh", "kvar.h"), ("Ah", "A.h"),
    ("lux", "lx"), ("lx", "lx"), ("mired", "MK-1"), ("mireds", "MK-1"), ("%RH", "%"), ("%EL", "%"), ("percent", "%"), ("/", "1"), ("‰", "[ppth]"),
    ("ppm", "[ppm]"), ("ppb", "[ppb]"), ("µg/m³", "ug/m3"), ("µg/m3", "ug/m3"), ("ug/m³", "ug/m3"), ("mg/m³", "mg/m3"), ("g/m³", "g/m3"), ("mg/l", "mg/L"),
    ("psi", "[psi]"), ("inHg", "[in_i'Hg]"), ("mmHg", "mm[Hg]"),
    ("meter", "m"), ("meters", "m"), ("metre", "m"), ("metres", "m"), ("µm", "um"), ("in", "[in_i]"), ("inch", "[in_i]"), ("ft", "[ft_i]"), ("yd", "[yd_i]"), ("mi", "[mi_i]"), ("nmi", "[nmi_i]"),
    ("gram", "g"), ("grams", "g"), ("µg", "ug"), ("oz", "[oz_av]"), ("lb", "[lb_av]"), ("lbs", "[lb_av]"),
    ("l", "L"), ("liter", "L"), ("liters", "L"), ("litre", "L"), ("litres", "L"), ("ml", "mL"), ("m³", "m3"), ("ft³", "[cft_i]"), ("gal", "[gal_us]"), ("fl. oz.", "[foz_us]"),
    ("m³/h", "m3/h"), ("m³/s", "m3/s"), ("l/h", "L/h"), ("l/min", "L/min"), ("l/s", "L/s"), ("gal/min", "[gal_us]/min"), ("ft³/min", "[cft_i]/min"),
    ("km/h", "km/h"), ("kmh", "km/h"), ("mph", "[mi_i]/h"), ("kn", "[kn_i]"), ("ft/s", "[ft_i]/s"), ("in/h", "[in_i]/h"), ("m/s²", "m/s2"),
    ("µS/cm", "uS/cm"), ("µR/h", "uR/h"), ("µSv/h", "uSv/h"), ("#/cm³", "/cm3"), ("rpm", "{rpm}"), ("breaths/min", "/min"), ("beat/min", "/min"), ("bpm", "/min"),
    ("dBA", "dB[A]"), ("dBm", "dB[mW]"), ("pH", "[pH]"), ("ph", "[pH]"), ("%LEL", "%[LEL]"), ("LEL", "%[LEL]"), ("LEL %", "%[LEL]"),
    ("W/m²", "W/m2"), ("m²", "m2"), ("ohm", "Ohm"), ("Ω", "Ohm"), ("B", "By"), ("kB", "kBy"), ("MB", "MBy"), ("GB", "GBy"), ("B/s", "By/s"), ("Bq/m³", "Bq/m3"),
    ("Bspl", "B[SPL]"), ("EL", "1"), ("1/s", "/s"), ("1/min", "/min"), ("beats", "{beats}"), ("VAs", "V.A.s"), ("vars", "var.s"), ("VAh", "V.A.h"), ("kVAh", "kV.A.h"), ("NTU", "{NTU}"), ("/100", "%"), ("/1000", "[ppth]"), ("KiB", "KiBy"), ("MB/s", "MBy/s"),
    ("times", "{count}"), ("count", "{count}"), ("lat", "deg"), ("lon", "deg"), ("x", "1"),
];

/// The UCUM code of a unit as devices write it. A code is its own.
pub fn ucum(text: &str) -> Option<&'static str> {
    /// The longest that is looked at.
    const BYTES_MAX: usize = 32;
    let text = text.trim();
    if text.is_empty() || BYTES_MAX < text.len() {
        return None;
    }
    // The Greek letter for the micro sign.
    let text = text.replace('μ', "µ");
    let alias = |text: &str| {
        let found = ALIASES.iter().find(|(alias, _)| *alias == text);
        found.map(|(_, code)| *code)
    };
    // `mW` is not `MW`: words alone may be written as one likes.
    let lower = || Some(text.to_lowercase()).filter(|text| 2 < text.chars().count());
    unit(&text)
        .map(|unit| unit.0)
        .or_else(|| alias(&text))
        .or_else(|| lower().and_then(|text| alias(&text)))
        .or_else(|| alias(&text.to_lowercase()).filter(|code| *code == "lx" || *code == "h"))
}

/// A value in another unit, if both are known and of one quantity.
pub fn convert(value: f64, from: &str, to: &str) -> Option<f64> {
    let (from, to) = (unit(from)?, unit(to)?);
    if from.0 == to.0 {
        return Some(value);
    }
    if from.1 != to.1 || from.1 == Other {
        return None;
    }
    Some((value * from.2 + from.3 - to.3) / to.2)
}

/// From one unit into another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conversion {
    from: &'static str,
    /// The code of the unit that values are in then.
    pub to: &'static str,
}

/// Why a value cannot be told in a unit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoConversion {
    /// Nobody knows the unit that is wanted.
    #[error("`{0}` is no unit that this hub knows; write it as UCUM does: Cel, [degF], kW.h, km/h")]
    Wanted(String),
    /// It is not known what the value is in.
    #[error("it has no unit that this hub knows, so it cannot be told in `{0}`")]
    Unitless(&'static str),
    /// They measure different things.
    #[error("it is in `{0}`, which cannot be told in `{1}`")]
    Quantity(&'static str, &'static str),
}

impl Conversion {
    /// From the unit of a description, if it has one, into the unit that is wanted.
    pub fn find(from: Option<&str>, wanted: &str) -> Result<Self, NoConversion> {
        let unknown = || NoConversion::Wanted(wanted.chars().take(32).collect());
        let to = ucum(wanted).ok_or_else(unknown)?;
        let from = from.and_then(ucum).ok_or(NoConversion::Unitless(to))?;
        convert(0.0, from, to).ok_or(NoConversion::Quantity(from, to))?;
        Ok(Self { from, to })
    }

    /// A number, or a list of numbers, in the other unit; nothing if it is neither. What is not known
    /// (`null`) is not known in any unit.
    pub fn apply(self, value: &Value) -> Option<Value> {
        match value {
            Value::Null => Some(Value::Null),
            Value::Number(_) if self.from == self.to => Some(value.clone()),
            Value::Number(number) => {
                let there = convert(number.as_f64()?, self.from, self.to)?;
                Some(json!(rounded(there)))
            }
            Value::Array(list) => {
                let list = list.iter().filter(|one| !one.is_array());
                let told: Vec<Value> = list.map_while(|one| self.apply(one)).collect();
                (Some(told.len()) == value.as_array().map(Vec::len)).then(|| told.into())
            }
            _ => None,
        }
    }
}

/// Without what is beyond the precision of the arithmetic: 12 digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

fn unit(code: &str) -> Option<&'static Unit> {
    UNITS.iter().find(|unit| unit.0 == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, code: &str) {
        assert_eq!(
            ucum(written),
            Some(code).filter(|code| !code.is_empty()),
            "{written}"
        );
    }

    #[test]
    fn what_devices_write_has_a_code() {
        for (written, code) in [
            ("°C", "Cel"),
            ("  C", "Cel"),
            ("℉", "[degF]"),
            ("Hours", "h"),
            ("Hr", "h"),
            ("Sec", "s"),
            ("Lx", "lx"),
            ("Volt", "V"),
            ("VAR", "var"),
            ("VAr", "var"),
            ("w", "W"),
            ("mW", "mW"),
            ("MW", "MW"),
            ("μS/cm", "uS/cm"),
            ("µS/cm", "uS/cm"),
            ("µg/m³", "ug/m3"),
            ("ug/m3", "ug/m3"),
            ("%RH", "%"),
            ("Day", "d"),
            ("kWh", "kW.h"),
            ("mired", "MK-1"),
            ("Cel", "Cel"),
            ("raw unit", ""),
            ("", ""),
            ("minutes or litres", ""),
        ] {
            check(written, code);
        }
    }

    #[test]
    fn each_alias_leads_to_a_unit_that_is_its_own() {
        for (alias, code) in ALIASES {
            assert!(unit(code).is_some(), "{alias}");
        }
        for unit in UNITS {
            check(unit.0, unit.0);
        }
    }

    #[test]
    fn numbers_and_lists_of_numbers_are_told_in_another_unit() {
        let conversion = Conversion::find(Some("°C"), "°F").unwrap();
        assert_eq!(conversion.to, "[degF]");
        assert_eq!(conversion.apply(&json!(21.5)), Some(json!(70.7)));
        let list = conversion.apply(&json!([0, null, 100]));
        assert_eq!(list, Some(json!([32.0, null, 212.0])));
        for other in [
            json!("21"),
            json!({}),
            json!(true),
            json!([0, "x"]),
            json!([[1]]),
        ] {
            assert_eq!(conversion.apply(&other), None, "{other}");
        }
        let same = Conversion::find(Some("Cel"), "C").unwrap();
        let number: Value = serde_json::from_str("21").unwrap();
        assert_eq!(same.apply(&number), Some(number));
    }

    #[test]
    fn what_cannot_be_told_in_a_unit_says_why() {
        let why = |from, to| Conversion::find(from, to).unwrap_err().to_string();
        assert!(why(Some("Cel"), "smoot").contains("`smoot` is no unit"));
        assert!(why(Some("raw"), "Cel").contains("no unit that this hub knows"));
        assert!(why(None, "Cel").contains("no unit that this hub knows"));
        assert!(why(Some("°C"), "m").contains("is in `Cel`, which cannot be told in `m`"));
        assert!(why(Some("dB"), "lm").contains("cannot be told in `lm`"));
    }

    #[test]
    fn values_are_converted_within_a_quantity() {
        for (value, from, to, expected) in [
            (100.0, "Cel", "[degF]", 212.0),
            (32.0, "[degF]", "Cel", 0.0),
            (0.0, "Cel", "K", 273.15),
            (1.0, "kW.h", "J", 3.6e6),
            (36.0, "km/h", "m/s", 10.0),
            (1.0, "[in_i]", "mm", 25.4),
            (1013.25, "hPa", "bar", 1.01325),
            (90.0, "min", "h", 1.5),
            (1.0, "m3", "L", 1000.0),
            (2.0, "[lb_av]", "g", 907.184_74),
        ] {
            let converted = convert(value, from, to).unwrap();
            assert!(
                (converted - expected).abs() < 1e-9 * expected.abs().max(1.0),
                "{from} {to} {converted}"
            );
        }
        assert_eq!(convert(1.0, "Cel", "m"), None);
        assert_eq!(convert(1.0, "dB", "cd"), None);
        assert_eq!(convert(1.0, "x", "x"), None);
    }
}

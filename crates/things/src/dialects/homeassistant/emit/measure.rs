//! How Home Assistant calls units, and the class of what is measured in them.

/// Units of UCUM and its spelling of them.
const UNITS: [(&str, &str); 38] = [
    ("Cel", "°C"),
    ("cel", "°C"),
    ("degC", "°C"),
    ("[degF]", "°F"),
    ("W.h", "Wh"),
    ("kW.h", "kWh"),
    ("MW.h", "MWh"),
    ("V.A", "VA"),
    ("kV.A", "kVA"),
    ("l", "L"),
    ("ml", "mL"),
    ("m3", "m³"),
    ("m3/h", "m³/h"),
    ("l/min", "L/min"),
    ("L/min", "L/min"),
    ("m2", "m²"),
    ("W/m2", "W/m²"),
    ("ug/m3", "µg/m³"),
    ("mg/m3", "mg/m³"),
    ("[ppm]", "ppm"),
    ("[ppb]", "ppb"),
    ("dB[mW]", "dBm"),
    ("deg", "°"),
    ("%RH", "%"),
    ("%EL", "%"),
    ("{mired}", "mired"),
    ("1/min", "rpm"),
    ("{rpm}", "rpm"),
    ("[in_i]", "in"),
    ("[ft_i]", "ft"),
    ("[mi_i]", "mi"),
    ("[mi_i]/h", "mph"),
    ("[psi]", "psi"),
    ("[lb_av]", "lb"),
    ("[oz_av]", "oz"),
    ("uS/cm", "µS/cm"),
    ("lux", "lx"),
    ("[pH]", "pH"),
];

/// The unit as Home Assistant spells it, or as it is.
pub(super) fn unit(text: &str) -> &str {
    let known = UNITS.iter().find(|(ucum, _)| *ucum == text);
    known.map_or(text, |(_, unit)| unit)
}

/// What is measured in a unit. Where several are, the name of the property decides.
pub(super) fn class(unit: &str, name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let is = |word: &str| name.contains(word);
    Some(match unit {
        "°C" | "°F" | "K" => "temperature",
        "%" if is("batter") => "battery",
        "%" if is("moist") => "moisture",
        "%" if is("humid") => "humidity",
        "mW" | "W" | "kW" | "MW" => "power",
        "Wh" | "kWh" | "MWh" | "J" | "kJ" | "MJ" | "GJ" => "energy",
        "mV" | "V" | "kV" => "voltage",
        "mA" | "A" => "current",
        "VA" | "kVA" => "apparent_power",
        "var" => "reactive_power",
        "Hz" | "kHz" | "MHz" | "GHz" => "frequency",
        "lx" => "illuminance",
        "hPa" | "kPa" | "Pa" | "bar" | "mbar" | "psi" => "pressure",
        "dBm" => "signal_strength",
        "ppm" if is("co2") || is("carbon_dioxide") => "carbon_dioxide",
        "µg/m³" if is("25") || is("2_5") => "pm25",
        "µg/m³" if is("10") => "pm10",
        "m³" if is("gas") => "gas",
        "m³" | "L" if is("water") => "water",
        "m³/h" | "L/min" => "volume_flow_rate",
        "s" | "min" | "h" | "d" | "ms" => "duration",
        "mm" | "cm" | "m" | "km" | "in" | "ft" | "mi" => "distance",
        "m/s" | "km/h" | "mph" => "speed",
        "g" | "kg" | "lb" | "oz" => "weight",
        "W/m²" => "irradiance",
        _ => return None,
    })
}

/// Whether it is measured, or counted up.
pub(super) fn state_class(class: &str) -> &'static str {
    match class {
        "energy" | "gas" | "water" => "total_increasing",
        _ => "measurement",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_has_a_class_and_sometimes_its_property_decides() {
        let check = |said: &str, name: &str, expected: Option<&str>| {
            assert_eq!(class(unit(said), name), expected, "{said} {name}");
        };
        check("Cel", "x", Some("temperature"));
        check("kW.h", "x", Some("energy"));
        check("%", "Battery", Some("battery"));
        check("%", "level", None);
        check("furlong", "x", None);
        assert_eq!(state_class("energy"), "total_increasing");
    }
}

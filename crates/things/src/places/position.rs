//! Where an element says that it is.

use serde_json::Value;

use super::{
    place_of,
    shape::{Ground, Point},
};
use crate::td::Problem;

/// A position as it was reported: on the globe, in the frame of a place, or both.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Position {
    /// Longitude and latitude in degrees (WGS 84).
    pub(super) globe: Option<Point>,
    pub(super) altitude_m: Option<f64>,
    /// The place whose frame it is, and x and y in metres.
    pub(super) floor: Option<(Box<str>, Point)>,
    pub(super) z_m: Option<f64>,
    /// How far it may be from where it says; 0 if that is not known.
    pub(super) accuracy_m: f64,
    pub(super) height_accuracy_m: f64,
}

impl Position {
    /// Reads it from a payload; nothing if it says that it does not know. `frame` is the place whose
    /// frame local positions are in, if they do not say so themselves.
    pub(crate) fn read(payload: &[u8], frame: Option<&str>) -> Result<Option<Self>, Problem> {
        let said: Value = match payload {
            [] => Value::Null,
            payload => serde_json::from_slice(payload).map_err(|error| {
                Problem::new("(root)", format!("the payload is no JSON: {error}"))
            })?,
        };
        if said.is_null() {
            return Ok(None);
        }
        let mut position = Self {
            globe: globe(&said)?,
            altitude_m: number(&said, &["altitude", "alt"])
                .or_else(|| said["coordinates"][2].as_f64()),
            accuracy_m: accuracy(
                &said,
                &["accuracy", "acc", "gps_accuracy", "horizontalAccuracy"],
            ),
            height_accuracy_m: accuracy(&said, &["altitudeAccuracy", "vac", "verticalAccuracy"]),
            ..Self::default()
        };
        if let (Some(x), Some(y)) = (said["x"].as_f64(), said["y"].as_f64()) {
            let frame = match &said["frame"] {
                Value::Null => frame.map(Into::into),
                named => Some(frame_of(named)?),
            };
            position.floor = frame.map(|frame| (frame, [x, y]));
            position.z_m = said["z"].as_f64();
        }
        if position.globe.is_none() && position.floor.is_none() {
            return Err(Problem::new("(root)", UNREADABLE));
        }
        Ok(Some(position))
    }

    /// Where that is in a frame, how high, and whether these are degrees.
    pub(super) fn within(&self, frame: Option<&str>) -> Option<(Ground, Point, Option<f64>)> {
        match (frame, &self.floor) {
            (None, _) => Some((Ground::Globe, self.globe?, self.altitude_m)),
            (Some(frame), Some((own, at))) if **own == *frame => {
                Some((Ground::Floor, *at, self.z_m))
            }
            _ => None,
        }
    }

    /// All that is known of it, as (frame, point).
    pub(super) fn points(&self) -> impl Iterator<Item = (Option<&str>, Point)> {
        let globe = self.globe.map(|at| (None, at));
        let floor = self.floor.as_ref().map(|(frame, at)| (Some(&**frame), *at));
        globe.into_iter().chain(floor)
    }
}

const UNREADABLE: &str = "says no position; must be an object with latitude and longitude, a Point of GeoJSON, \
     or x and y in metres with the place in whose frame they are: \
     {\"x\": 3.5, \"y\": 2, \"frame\": \"places/hall\"}";

fn number(said: &Value, names: &[&str]) -> Option<f64> {
    names.iter().find_map(|name| said[*name].as_f64())
}

fn accuracy(said: &Value, names: &[&str]) -> f64 {
    number(said, names).unwrap_or_default().max(0.0)
}

/// Longitude and latitude, if it says them.
fn globe(said: &Value) -> Result<Option<Point>, Problem> {
    let latitude = number(said, &["latitude", "lat"]);
    let longitude = number(said, &["longitude", "lon", "lng"]);
    let at = match (latitude, longitude) {
        (Some(latitude), Some(longitude)) => [longitude, latitude],
        _ if said["type"] == "Point" => {
            let [x, y] = [0, 1].map(|axis| said["coordinates"][axis].as_f64());
            match x.zip(y) {
                Some((x, y)) => [x, y],
                None => return Ok(None),
            }
        }
        _ => return Ok(None),
    };
    on_globe("", at).map(Some)
}

/// Longitude and latitude that there are.
pub(super) fn on_globe(field: &str, at: Point) -> Result<Point, Problem> {
    let beyond = |what: &str, is: f64, most: f64| {
        let field = if field.is_empty() { what } else { field };
        let what = format!("has {what} {is}; must be between -{most} and {most}");
        Err(Problem::new(field, what))
    };
    match at {
        [_, latitude] if 90.0 < latitude.abs() => beyond("latitude", latitude, 90.0),
        [longitude, _] if 180.0 < longitude.abs() => beyond("longitude", longitude, 180.0),
        at => Ok(at),
    }
}

/// The place whose frame is meant.
pub(super) fn frame_of(named: &Value) -> Result<Box<str>, Problem> {
    let place = named.as_str().and_then(place_of);
    place.ok_or_else(|| {
        let what =
            format!("is {named}; must name a place, as places/hall or urn:quartet:places:hall");
        Problem::new("frame", what)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(said: Value) -> Result<Option<Position>, Problem> {
        Position::read(said.to_string().as_bytes(), Some("places/hall"))
    }

    #[test]
    fn a_position_is_understood_in_the_forms_that_occur() {
        for said in [
            json!({ "latitude": 52.5, "longitude": 13.4 }),
            json!({ "lat": 52.5, "lon": 13.4, "tid": "a7" }),
            json!({ "type": "Point", "coordinates": [13.4, 52.5] }),
        ] {
            let position = read(said).unwrap().unwrap();
            assert_eq!(position.globe, Some([13.4, 52.5]));
        }
        let full =
            read(json!({ "lat": 1, "lon": 2, "alt": 30, "acc": 12.5, "x": 3, "y": 4, "z": 5 }));
        let full = full.unwrap().unwrap();
        assert_eq!((full.altitude_m, full.z_m), (Some(30.0), Some(5.0)));
        assert_eq!(full.accuracy_m, 12.5);
        assert_eq!(full.floor, Some(("places/hall".into(), [3.0, 4.0])));
        let elsewhere = json!({ "x": 1, "y": 2, "frame": "urn:quartet:places:yard" });
        let elsewhere = read(elsewhere).unwrap().unwrap();
        assert_eq!(elsewhere.floor, Some(("places/yard".into(), [1.0, 2.0])));
        assert_eq!(read(json!(null)), Ok(None));
    }

    #[test]
    fn what_is_no_position_says_why() {
        let field = |said| read(said).unwrap_err().field;
        assert_eq!(field(json!({ "lat": 152.5, "lon": 13.4 })), "latitude");
        assert_eq!(field(json!({ "lat": 52.5, "lon": 181 })), "longitude");
        assert_eq!(
            field(json!({ "x": 1, "y": 1, "frame": "things/hall" })),
            "frame"
        );
        assert_eq!(field(json!("here")), "(root)");
        let nowhere = Position::read(br#"{"x":1,"y":2}"#, None);
        assert_eq!(nowhere.unwrap_err().field, "(root)");
    }
}

//! A place's outline, as its description says it under `quartet:fence`: a geometry of GeoJSON
//! (RFC 7946), a circle or a box, on the globe or in the frame of a place.

use std::fmt;

use quartet_model::{Kind, Time};
use serde_json::Value;

use super::{
    Position,
    position::{frame_of, on_globe},
    shape::{Bounds, Ground, Point, Shape, turned},
};
use crate::td::{Document, Problem};

/// The term of descriptions.
pub(super) const TERM: &str = "quartet:fence";
/// The points that an outline may have.
const POINTS_MAX: usize = 4000;
const RADIUS_M_MAX: f64 = 1e6;
const MARGIN_M_MAX: f64 = 10_000.0;
/// How far from its frame's origin a place may be.
pub(super) const FLOOR_M_MAX: f64 = 1e6;
/// How far outside somebody must be to have left, if neither the fence nor the report says more.
const GLOBE_MARGIN_M: f64 = 5.0;
const FLOOR_MARGIN_M: f64 = 0.5;
/// The same for heights.
const HEIGHT_MARGIN_M: f64 = 0.5;

/// A place's outline.
#[derive(Clone, PartialEq, Debug)]
pub struct Fence {
    /// The place in whose frame it is; none if it is on the globe.
    frame: Option<Box<str>>,
    shape: Shape,
    bounds: Bounds,
    bottom_m: Option<f64>,
    top_m: Option<f64>,
    margin_m: f64,
    /// Since when there is such a place.
    pub(super) since: Time,
}

/// Finds out what a fence is, and what is wrong with it.
struct Reader<'v> {
    said: &'v Value,
    ground: Ground,
    points: usize,
}

/// Points that are as much work as passing on a message, about.
const POINTS_FOR_ONE: usize = 32;

impl Fence {
    /// How much work it is to find out whether something is inside; one is a message that is passed on.
    pub(super) fn work(&self) -> usize {
        1 + self.shape.points() / POINTS_FOR_ONE
    }

    /// The fence that the description of a valid place says. Most say none, and are not parsed.
    pub(crate) fn of(key: &str, description: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(description).ok()?;
        if !text.contains(TERM) || !key.starts_with(Kind::Place.folder()) {
            return None;
        }
        let td = Document::parse(description).ok()?.to_value();
        let mut fence = Self::read(td.get(TERM)?).ok()?;
        let created = td["registration"]["created"].as_str();
        fence.since = created.and_then(Time::of_rfc3339).unwrap_or(Time::ZERO);
        Some(fence)
    }

    /// What is wrong with what a description says of a fence.
    pub(crate) fn problems(key: &str, td: &Value) -> Vec<Problem> {
        let Some(said) = td.get(TERM) else {
            return Vec::new();
        };
        if !key.starts_with(Kind::Place.folder()) {
            let what = format!("is said of `{key}`; only places have fences");
            return vec![Problem::new(TERM, what)];
        }
        let wrong = Self::read(said).err();
        let taken = super::AFFORDANCES
            .iter()
            .filter(|(kind, name)| td[kind].get(name).is_some());
        let taken = taken.map(|(kind, name)| {
            let what = "is what the hub says of a place with a fence; call yours otherwise";
            Problem::new(format!("{kind}.{name}"), what)
        });
        wrong.into_iter().chain(taken).collect()
    }

    fn read(said: &Value) -> Result<Self, Problem> {
        if !said.is_object() {
            return Err(problem("", format!("is {said}; {SHAPES}")));
        }
        let frame = match &said["frame"] {
            Value::Null => None,
            named => Some(frame_of(named).map_err(|why| problem(".frame", why.description))?),
        };
        let ground = match frame {
            None => Ground::Globe,
            Some(_) => Ground::Floor,
        };
        let mut reader = Reader {
            said,
            ground,
            points: 0,
        };
        let shape = reader.shape()?;
        let (bottom_m, top_m) = reader.heights()?;
        let default = match ground {
            Ground::Globe => GLOBE_MARGIN_M,
            Ground::Floor => FLOOR_MARGIN_M,
        };
        Ok(Self {
            bounds: shape.bounds(ground),
            shape,
            frame,
            bottom_m,
            top_m,
            margin_m: reader.metres("margin", MARGIN_M_MAX)?.unwrap_or(default),
            since: Time::ZERO,
        })
    }

    pub(super) fn frame(&self) -> Option<&str> {
        self.frame.as_deref()
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    pub(super) fn ground(&self) -> Ground {
        match self.frame {
            None => Ground::Globe,
            Some(_) => Ground::Floor,
        }
    }

    /// Whether somebody is inside who was or was not before; nothing if the position does not tell.
    ///
    /// Who is inside has come in. Who is outside has left only when that is certain: by more than the
    /// margin, and by more than the report may be wrong.
    pub(super) fn holds(&self, position: &Position, was_inside: bool) -> Option<bool> {
        let (ground, at, height_m) = position.within(self.frame())?;
        let above_m = match (self.bottom_m, self.top_m) {
            (None, None) => 0.0,
            (bottom, top) => {
                let height_m = height_m?;
                let below = bottom.map_or(0.0, |bottom| bottom - height_m);
                let above = top.map_or(0.0, |top| height_m - top);
                below.max(above).max(0.0)
            }
        };
        let is_within = self.shape.holds(ground, at);
        if !was_inside {
            let is_exact = position.accuracy_m <= self.bounds.reach_m(ground);
            return (is_exact || !is_within).then_some(is_within && above_m == 0.0);
        }
        let away_m = if is_within {
            0.0
        } else {
            self.shape.far_m(ground, at)
        };
        let is_near = away_m <= self.margin_m.max(position.accuracy_m);
        Some(is_near && above_m <= HEIGHT_MARGIN_M.max(position.height_accuracy_m))
    }
}

const SHAPES: &str = "must be a geometry of GeoJSON: a Polygon, a MultiPolygon, or a Point with a radius in metres; \
     or have a bbox";

fn problem(field: impl fmt::Display, what: impl Into<String>) -> Problem {
    Problem::new(format!("{TERM}{field}"), what)
}

impl Reader<'_> {
    fn shape(&mut self) -> Result<Shape, Problem> {
        let coordinates = &self.said["coordinates"];
        match &self.said["type"] {
            Value::Null if self.said.get("bbox").is_some() => self.bbox(),
            Value::String(name) if name == "Point" => Ok(Shape::Circle {
                centre: self.point(".coordinates", coordinates)?,
                radius_m: self
                    .metres("radius", RADIUS_M_MAX)?
                    .filter(|metres| 0.0 < *metres)
                    .ok_or_else(|| {
                        problem(
                            ".radius",
                            "is missing; a Point is the centre of a circle, and needs metres",
                        )
                    })?,
            }),
            Value::String(name) if name == "Polygon" => {
                Ok(Shape::Areas(vec![self.rings(".coordinates", coordinates)?]))
            }
            Value::String(name) if name == "MultiPolygon" => {
                let field = ".coordinates";
                let all = list(field, coordinates, "polygons")?.iter().enumerate();
                let all = all.map(|(at, rings)| self.rings(&format!("{field}.{at}"), rings));
                Ok(Shape::Areas(all.collect::<Result<_, _>>()?))
            }
            Value::Null => Err(problem(".type", format!("is missing; {SHAPES}"))),
            other => Err(problem(".type", format!("is {other}; {SHAPES}"))),
        }
    }

    /// A box: west, south, east, north, with heights behind south and north if there are six.
    fn bbox(&self) -> Result<Shape, Problem> {
        let said = list(".bbox", &self.said["bbox"], "numbers")?;
        let numbers: Option<Vec<f64>> = said.iter().map(Value::as_f64).collect();
        let (min, mut max) = match numbers.as_deref() {
            Some(&[x0, y0, x1, y1] | &[x0, y0, _, x1, y1, _]) => ([x0, y0], [x1, y1]),
            _ => {
                let what =
                    "must be four numbers, the least x and y and the greatest, or six with heights";
                return Err(problem(".bbox", what));
            }
        };
        for corner in [min, max] {
            self.on_ground(".bbox", corner)?;
        }
        if self.ground == Ground::Globe && max[0] < min[0] {
            max[0] += 360.0; // It crosses the antimeridian (RFC 7946, section 5.2).
        }
        if max[0] <= min[0] || max[1] <= min[1] {
            let what = "is empty; must say the least x and y first, then the greatest";
            return Err(problem(".bbox", what));
        }
        let ring = vec![min, [max[0], min[1]], max, [min[0], max[1]], min];
        Ok(Shape::Areas(vec![vec![ring]]))
    }

    /// The rings of a polygon: its outline and its holes.
    fn rings(&mut self, field: &str, said: &Value) -> Result<Vec<Vec<Point>>, Problem> {
        let rings = list(field, said, "rings")?.iter().enumerate();
        rings
            .map(|(at, ring)| self.ring(&format!("{field}.{at}"), ring))
            .collect()
    }

    fn ring(&mut self, field: &str, said: &Value) -> Result<Vec<Point>, Problem> {
        let said = list(field, said, "points")?;
        self.points += said.len();
        if POINTS_MAX < self.points {
            let what = format!("has more points than {POINTS_MAX} with this; say it with less");
            return Err(problem(field, what));
        }
        if said.len() < 4 {
            let what = format!(
                "has {} points; a ring has at least 4, the last as the first",
                said.len()
            );
            return Err(problem(field, what));
        }
        let points = said.iter().enumerate();
        let points = points.map(|(at, point)| self.point(&format!("{field}.{at}"), point));
        let mut ring: Vec<Point> = points.collect::<Result<_, _>>()?;
        if ring.first() != ring.last() {
            return Err(problem(field, "is open; the last point must be the first"));
        }
        if self.ground == Ground::Globe {
            for at in 1..ring.len() {
                let before = ring[at - 1][0];
                ring[at][0] = before + turned(ring[at][0] - before);
            }
            let around = ring[ring.len() - 1][0] - ring[0][0];
            if 1.0 < around.abs() {
                let what = "goes around a pole; cut it into polygons that do not, or use a circle or a bbox";
                return Err(problem(field, what));
            }
        }
        Ok(ring)
    }

    fn point(&self, field: &str, said: &Value) -> Result<Point, Problem> {
        let numbers = [0, 1].map(|axis| said[axis].as_f64());
        let ([Some(x), Some(y)], true) = (numbers, said.is_array()) else {
            let order = match self.ground {
                Ground::Globe => "longitude and latitude, in this order",
                Ground::Floor => "x and y",
            };
            return Err(problem(field, format!("is {said}; must be {order}")));
        };
        self.on_ground(field, [x, y])
    }

    fn on_ground(&self, field: &str, at: Point) -> Result<Point, Problem> {
        match self.ground {
            Ground::Globe => on_globe(&format!("{TERM}{field}"), at),
            Ground::Floor if at.iter().any(|metres| FLOOR_M_MAX < metres.abs()) => {
                let what = format!("is {at:?}; must be within {FLOOR_M_MAX} metres");
                Err(problem(field, what))
            }
            Ground::Floor => Ok(at),
        }
    }

    /// From where up, and up to where, in metres.
    fn heights(&self) -> Result<(Option<f64>, Option<f64>), Problem> {
        let (bottom, top) = (self.height("bottom", 2)?, self.height("top", 5)?);
        match (bottom, top) {
            (Some(low), Some(high)) if high <= low => {
                let what = format!("is {high}; must be more than the bottom, {low}");
                Err(problem(".top", what))
            }
            heights => Ok(heights),
        }
    }

    /// One of them, or what a box of six numbers says in its place.
    fn height(&self, name: &str, corner: usize) -> Result<Option<f64>, Problem> {
        let said = &self.said[name];
        if said.is_null() {
            let corners = self.said["bbox"].as_array().filter(|all| all.len() == 6);
            return Ok(corners.and_then(|all| all[corner].as_f64()));
        }
        let what = || format!("is {said}; must be a height in metres");
        let height = said.as_f64();
        height
            .map(Some)
            .ok_or_else(|| problem(format!(".{name}"), what()))
    }

    fn metres(&self, name: &str, most: f64) -> Result<Option<f64>, Problem> {
        let said = &self.said[name];
        match said.as_f64().filter(|metres| (0.0..=most).contains(metres)) {
            None if !said.is_null() => {
                let what = format!("is {said}; must be metres, 0 to {most}");
                Err(problem(format!(".{name}"), what))
            }
            metres => Ok(metres),
        }
    }
}

fn list<'v>(field: &str, said: &'v Value, of: &str) -> Result<&'v [Value], Problem> {
    match said.as_array() {
        Some(list) if !list.is_empty() => Ok(list),
        _ => Err(problem(
            field,
            format!("must be a list of {of}, and not empty"),
        )),
    }
}

#[cfg(test)]
mod tests;

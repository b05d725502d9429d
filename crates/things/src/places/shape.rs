//! Outlines: whether a point is in one, and how far from it one is.
//!
//! A point is inside a polygon if a line from it to anywhere far away crosses the rings an odd number
//! of times (the even-odd rule), so that holes and rings that cross themselves need no rule of their
//! own. Sides are straight in degrees, as GeoJSON has it (RFC 7946, section 3.1.1).

use super::distance_m;

/// Longitude and latitude in degrees, or x and y in metres.
pub(super) type Point = [f64; 2];

/// What the numbers of a point are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ground {
    /// Degrees of longitude and latitude (WGS 84).
    Globe,
    /// Metres in the frame of a place.
    Floor,
}

/// An outline.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Shape {
    /// All that is no further from a point.
    Circle {
        /// The point.
        centre: Point,
        /// How far.
        radius_m: f64,
    },
    /// Polygons: the rings of each, the first and the last point of which are the same. On the globe
    /// a ring may reach beyond 180 degrees, so that none of its sides jumps.
    Areas(Vec<Vec<Vec<Point>>>),
}

/// What a shape does not reach beyond.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Bounds {
    pub(super) min: Point,
    pub(super) max: Point,
}

const METRES_PER_DEGREE: f64 = super::EARTH_RADIUS_M * std::f64::consts::PI / 180.0;

impl Shape {
    /// Whether a point is inside.
    pub(super) fn holds(&self, ground: Ground, at: Point) -> bool {
        match self {
            Self::Circle { centre, radius_m } => far_m(ground, *centre, at) <= *radius_m,
            Self::Areas(areas) => areas.iter().any(|rings| area_holds(ground, rings, at)),
        }
    }

    /// How many points a look at it goes through.
    pub(super) fn points(&self) -> usize {
        match self {
            Self::Circle { .. } => 1,
            Self::Areas(areas) => areas.iter().flatten().map(Vec::len).sum(),
        }
    }

    /// How far it is to the outline, in metres.
    pub(super) fn far_m(&self, ground: Ground, at: Point) -> f64 {
        match self {
            Self::Circle { centre, radius_m } => (far_m(ground, *centre, at) - radius_m).abs(),
            Self::Areas(areas) => {
                let rings = areas.iter().flatten();
                let sides = rings.flat_map(|ring| ring.windows(2));
                let far = sides.map(|side| far_from_side_m(ground, side[0], side[1], at));
                far.fold(f64::INFINITY, f64::min)
            }
        }
    }

    /// What it does not reach beyond.
    pub(super) fn bounds(&self, ground: Ground) -> Bounds {
        match self {
            Self::Circle { centre, radius_m } => around(ground, *centre, *radius_m),
            Self::Areas(areas) => {
                let nothing = Bounds {
                    min: [f64::INFINITY; 2],
                    max: [f64::NEG_INFINITY; 2],
                };
                let points = areas.iter().flatten().flatten();
                points.fold(nothing, |bounds, point| Bounds {
                    min: [0, 1].map(|axis| bounds.min[axis].min(point[axis])),
                    max: [0, 1].map(|axis| bounds.max[axis].max(point[axis])),
                })
            }
        }
    }
}

impl Bounds {
    /// Half of the way from one corner to the other, in metres.
    pub(super) fn reach_m(&self, ground: Ground) -> f64 {
        let [wide, high] = [0, 1].map(|axis| self.max[axis] - self.min[axis]);
        let middle = (self.min[1] + self.max[1]) / 2.0;
        let [wide, high] = in_metres(ground, [wide, high], middle);
        wide.hypot(high) / 2.0
    }
}

fn far_m(ground: Ground, one: Point, other: Point) -> f64 {
    match ground {
        Ground::Globe => distance_m((one[1], one[0]), (other[1], other[0])),
        Ground::Floor => (one[0] - other[0]).hypot(one[1] - other[1]),
    }
}

fn around(ground: Ground, centre: Point, radius_m: f64) -> Bounds {
    let [wide, high] = match ground {
        Ground::Floor => [radius_m; 2],
        Ground::Globe => {
            // Generously: a degree is taken for a little less than it is.
            let high = radius_m / METRES_PER_DEGREE * 1.001;
            let narrow = (centre[1].abs() + high).to_radians().cos();
            let is_polar = 90.0 <= centre[1].abs() + high;
            let wide = if is_polar { 180.0 } else { high / narrow };
            [wide.min(180.0), high]
        }
    };
    Bounds {
        min: [centre[0] - wide, centre[1] - high],
        max: [centre[0] + wide, centre[1] + high],
    }
}

fn area_holds(ground: Ground, rings: &[Vec<Point>], at: Point) -> bool {
    let turns: &[f64] = match ground {
        Ground::Globe => &[0.0, 360.0, -360.0],
        Ground::Floor => &[0.0],
    };
    let mut turns = turns.iter();
    turns.any(|turn| {
        let at = [at[0] + turn, at[1]];
        rings.iter().filter(|ring| crosses(ring, at)).count() % 2 == 1
    })
}

/// Whether a line from a point to the right crosses a ring an odd number of times.
fn crosses(ring: &[Point], at: Point) -> bool {
    let sides = ring.windows(2).filter(|side| {
        let ([x0, y0], [x1, y1]) = (side[0], side[1]);
        (at[1] < y0) != (at[1] < y1) && at[0] < (x1 - x0) * (at[1] - y0) / (y1 - y0) + x0
    });
    sides.count() % 2 == 1
}

/// How far a point is from a side, in metres: in the plane that touches the globe there.
fn far_from_side_m(ground: Ground, from: Point, to: Point, at: Point) -> f64 {
    let mut start = [from[0] - at[0], from[1] - at[1]];
    if ground == Ground::Globe {
        start[0] = turned(start[0]);
    }
    let along = in_metres(ground, [to[0] - from[0], to[1] - from[1]], at[1]);
    let start = in_metres(ground, start, at[1]);
    let length = along[0] * along[0] + along[1] * along[1];
    let nearest = -(start[0] * along[0] + start[1] * along[1]) / length;
    // A side without length is a point.
    let share = if length == 0.0 {
        0.0
    } else {
        nearest.clamp(0.0, 1.0)
    };
    (start[0] + share * along[0]).hypot(start[1] + share * along[1])
}

/// A difference of longitudes, the short way around.
pub(super) fn turned(degrees: f64) -> f64 {
    (degrees + 180.0).rem_euclid(360.0) - 180.0
}

fn in_metres(ground: Ground, difference: Point, latitude: f64) -> Point {
    match ground {
        Ground::Floor => difference,
        Ground::Globe => {
            let narrow = latitude.to_radians().cos();
            let [x, y] = difference.map(|degrees| degrees * METRES_PER_DEGREE);
            [x * narrow, y]
        }
    }
}

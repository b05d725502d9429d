use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::places::Fences;

fn fence(said: Value) -> Fence {
    Fence::read(&said).unwrap_or_else(|problem| panic!("{problem}"))
}

fn at(longitude: f64, latitude: f64) -> Position {
    Position {
        globe: Some([longitude, latitude]),
        ..Position::default()
    }
}

fn on_floor(x: f64, y: f64) -> Position {
    Position {
        floor: Some(("places/hall".into(), [x, y])),
        ..Position::default()
    }
}

fn hall(said: Value) -> Fence {
    let mut said = said;
    said["frame"] = "places/hall".into();
    fence(said)
}

#[track_caller]
fn enters(fence: &Fence, position: &Position, expected: bool) {
    assert_eq!(fence.holds(position, false), Some(expected), "{position:?}");
}

#[test]
fn a_polygon_holds_what_is_in_it_and_not_in_its_holes() {
    let ward = fence(json!({ "type": "Polygon", "coordinates": [
        [[10, 50], [12, 50], [12, 52], [10, 52], [10, 50]],
        [[10.5, 50.5], [11.5, 50.5], [11.5, 51.5], [10.5, 51.5], [10.5, 50.5]],
    ] }));
    enters(&ward, &at(10.2, 51.0), true);
    enters(&ward, &at(11.0, 51.0), false);
    enters(&ward, &at(13.0, 51.0), false);
    assert_eq!(
        ward.holds(&on_floor(1.0, 1.0), false),
        None,
        "another frame"
    );
}

#[test]
fn who_is_outside_has_left_only_when_that_is_certain() {
    let circle = json!({ "type": "Point", "coordinates": [13.4, 52.5], "radius": 100 });
    let yard = fence(circle);
    let north = |metres: f64| at(13.4, 52.5 + metres / 111_195.0);
    enters(&yard, &north(99.0), true);
    enters(&yard, &north(101.0), false);
    assert_eq!(
        yard.holds(&north(104.0), true),
        Some(true),
        "within the margin"
    );
    assert_eq!(yard.holds(&north(106.0), true), Some(false));
    let vague = |metres| Position {
        accuracy_m: 30.0,
        ..north(metres)
    };
    assert_eq!(yard.holds(&vague(125.0), true), Some(true));
    assert_eq!(yard.holds(&vague(135.0), true), Some(false));
    let hopeless = Position {
        accuracy_m: 3000.0,
        ..north(0.0)
    };
    assert_eq!(yard.holds(&hopeless, false), None, "it does not tell");
}

#[test]
fn a_place_may_cross_the_antimeridian_or_lie_at_a_pole() {
    let fiji = json!([[[177, -19], [-179, -19], [-179, -16], [177, -16], [177, -19]]]);
    for fiji in [
        fence(json!({ "type": "Polygon", "coordinates": fiji })),
        fence(json!({ "bbox": [177, -19, -179, -16] })),
    ] {
        for longitude in [178.0, 180.0, -180.0, -179.5] {
            enters(&fiji, &at(longitude, -17.0), true);
        }
        enters(&fiji, &at(-178.0, -17.0), false);
        enters(&fiji, &at(0.0, -17.0), false);
        assert_eq!(
            fiji.holds(&at(-178.999_99, -17.0), true),
            Some(true),
            "a metre out"
        );
        assert_eq!(fiji.holds(&at(-178.99, -17.0), true), Some(false));
    }
    let pole = fence(json!({ "type": "Point", "coordinates": [0, 90], "radius": 50_000 }));
    for longitude in [-135.0, 0.0, 90.0, 180.0] {
        enters(&pole, &at(longitude, 89.7), true);
        enters(&pole, &at(longitude, 89.5), false);
    }
}

#[test]
fn a_floor_has_metres_and_heights() {
    let room = hall(json!({ "bbox": [0, 0, 3, 4, 5, 6] }));
    let z = |x, y, z| Position {
        z_m: Some(z),
        ..on_floor(x, y)
    };
    enters(&room, &z(1.0, 1.0, 4.0), true);
    enters(&room, &z(1.0, 1.0, 2.9), false);
    assert_eq!(
        room.holds(&on_floor(1.0, 1.0), false),
        None,
        "it says no height"
    );
    assert_eq!(
        room.holds(&z(1.0, 1.0, 2.6), true),
        Some(true),
        "within the margin"
    );
    assert_eq!(room.holds(&z(1.0, 1.0, 2.4), true), Some(false));
    assert_eq!(room.holds(&z(4.4, 1.0, 4.0), true), Some(true));
    assert_eq!(room.holds(&z(4.6, 1.0, 4.0), true), Some(false));
    let strict = hall(json!({ "bbox": [0, 0, 4, 5], "margin": 0 }));
    assert_eq!(strict.holds(&on_floor(4.1, 1.0), true), Some(false));
}

#[track_caller]
fn refused(said: Value, field: &str, part: &str) {
    let problem = Fence::read(&said).unwrap_err();
    assert_eq!(problem.field, format!("quartet:fence{field}"), "{problem}");
    assert!(problem.description.contains(part), "{problem}");
}

#[test]
fn what_is_no_fence_says_where_and_what_would_be_right() {
    let polygon = |ring: Value| json!({ "type": "Polygon", "coordinates": [ring] });
    refused(json!("here"), "", "must be a geometry");
    refused(json!({}), ".type", "is missing");
    refused(json!({ "type": "LineString" }), ".type", "a Polygon");
    refused(
        json!({ "type": "Polygon" }),
        ".coordinates",
        "a list of rings",
    );
    refused(
        polygon(json!([[0, 0], [1, 1], [0, 0]])),
        ".coordinates.0",
        "3 points",
    );
    refused(
        polygon(json!([[0, 0], [1, 0], [1, 1], [0, 1]])),
        ".coordinates.0",
        "the first",
    );
    refused(
        polygon(json!([[0, 0], [1, 0], [1, 91], [0, 0]])),
        ".coordinates.0.2",
        "latitude 91; must be between -90 and 90",
    );
    refused(
        polygon(json!([[0, 0], [181, 0], [1, 1], [0, 0]])),
        ".coordinates.0.1",
        "longitude",
    );
    refused(
        polygon(json!([[0, 0], "x", [1, 1], [0, 0]])),
        ".coordinates.0.1",
        "longitude and latitude, in this order",
    );
    let around = json!([[0, 80], [120, 80], [-120, 80], [0, 80]]);
    refused(polygon(around), ".coordinates.0", "a pole");
    let long: Vec<[f64; 2]> = (0..=POINTS_MAX).map(|n| [n as f64 / 100.0, 1.0]).collect();
    refused(polygon(json!(long)), ".coordinates.0", "4000");
    let circle =
        |radius: Value| json!({ "type": "Point", "coordinates": [0, 0], "radius": radius });
    refused(circle(json!(null)), ".radius", "is missing");
    refused(circle(json!(-5)), ".radius", "0 to 1000000");
    refused(json!({ "bbox": [1, 2, 3] }), ".bbox", "four numbers");
    refused(json!({ "bbox": [0, 5, 1, 4] }), ".bbox", "is empty");
    refused(
        json!({ "bbox": [0, 0, 1, 1], "frame": "things/a" }),
        ".frame",
        "a place",
    );
    refused(
        json!({ "bbox": [0, 0, 1, 1], "bottom": 3, "top": 2 }),
        ".top",
        "more than the bottom",
    );
    refused(
        json!({ "bbox": [0, 0, 1, 1], "margin": "x" }),
        ".margin",
        "metres",
    );
    let far = json!({ "bbox": [0, 0, 1, 2e6], "frame": "places/hall" });
    refused(far, ".bbox", "within 1000000 metres");
}

#[test]
fn only_places_have_fences_and_what_the_hub_says_of_them_is_its_own() {
    let td = json!({ "quartet:fence": { "bbox": [0, 0, 1, 1] }, "events": { "left": {} } });
    let fields = |key: &str| -> Vec<String> {
        let problems = Fence::problems(key, &td).into_iter();
        problems.map(|problem| problem.field).collect()
    };
    assert_eq!(fields("things/x"), ["quartet:fence"]);
    assert_eq!(fields("places/x"), ["events.left"]);
    assert!(Fence::problems("places/x", &json!({})).is_empty());
}

/// Whether a point is in a ring, as an angle that goes around it (Hormann and Agathos 2001, section 1): the
/// rule for which a ring that does not cross itself has the same inside.
fn winds_around(ring: &[[f64; 2]], at: [f64; 2]) -> bool {
    let angle = |point: &[f64; 2]| (point[1] - at[1]).atan2(point[0] - at[0]);
    let turned = ring.windows(2).map(|side| {
        let turn = angle(&side[1]) - angle(&side[0]);
        turn.sin().atan2(turn.cos())
    });
    turned.sum::<f64>().abs() > 1.0
}

/// A star around the origin: its corners in the order of their angles, so that it does not cross itself.
fn star() -> impl Strategy<Value = Vec<[f64; 2]>> {
    proptest::collection::vec(1.0..20.0_f64, 3..40).prop_map(|lengths| {
        let corners = lengths.len() as f64;
        let corner = |(n, length): (usize, &f64)| {
            let angle = n as f64 / corners * std::f64::consts::TAU;
            [length * angle.cos(), length * angle.sin()]
        };
        let mut ring: Vec<_> = lengths.iter().enumerate().map(corner).collect();
        ring.push(ring[0]);
        ring
    })
}

proptest! {
    #[test]
    fn a_point_is_in_a_polygon_if_its_ring_winds_around_it(
        ring in star(), x in -25.0..25.0_f64, y in -25.0..25.0_f64, shift in -180.0..180.0_f64,
    ) {
        let expected = winds_around(&ring, [x, y]);
        let floor = hall(json!({ "type": "Polygon", "coordinates": [ring] }));
        prop_assert_eq!(floor.holds(&on_floor(x, y), false), Some(expected));
        // The same anywhere on the globe, also across the antimeridian.
        let moved: Vec<_> = ring.iter().map(|[x, y]| [turned(x + shift), *y]).collect();
        let globe = fence(json!({ "type": "Polygon", "coordinates": [moved] }));
        prop_assert_eq!(globe.holds(&at(turned(x + shift), y), false), Some(expected));
    }

    #[test]
    fn the_index_forgets_no_fence_that_holds_a_point(
        places in proptest::collection::vec(
            (-180.0..180.0_f64, -90.0..90.0_f64, 0.0..6.0_f64), 1..60),
        points in proptest::collection::vec((-180.0..180.0_f64, -90.0..90.0_f64), 1..20),
        gone in 0_usize..60,
    ) {
        let mut fences = Fences::default();
        let mut all = std::collections::BTreeMap::new();
        for (n, (longitude, latitude, size)) in places.iter().enumerate() {
            let radius = 10_f64.powf(*size);
            let place = format!("places/{n}");
            let circle = json!({ "type": "Point", "coordinates": [longitude, latitude], "radius": radius });
            let one = std::sync::Arc::new(fence(circle));
            fences.set(&place, Some(std::sync::Arc::clone(&one)));
            all.insert(place, one);
        }
        let gone = format!("places/{gone}");
        fences.set(&gone, None);
        all.remove(&gone);
        // Somewhere, and exactly at the centres.
        let centres = places.iter().map(|(longitude, latitude, _)| (*longitude, *latitude));
        for (longitude, latitude) in points.into_iter().chain(centres) {
            let position = at(longitude, latitude);
            let holds = |place: &&str| all[*place].holds(&position, false) == Some(true);
            let found: std::collections::BTreeSet<&str> =
                fences.near(None, [longitude, latitude]).filter(holds).collect();
            let naive: std::collections::BTreeSet<&str> =
                all.keys().map(|place| &**place).filter(holds).collect();
            prop_assert_eq!(found, naive);
        }
    }
}

#[test]
fn a_long_outline_is_more_work_than_a_short_one() {
    let circle = fence(json!({ "type": "Point", "coordinates": [10, 50], "radius": 100 }));
    assert_eq!(circle.work(), 1);
    let corner = |n: i32| {
        let angle = f64::from(n) / 3200.0 * std::f64::consts::TAU;
        json!([10.0 + angle.cos(), 50.0 + angle.sin()])
    };
    let mut ring: Vec<Value> = (0..3200).map(corner).collect();
    ring.push(ring[0].clone());
    let coast = fence(json!({ "type": "Polygon", "coordinates": [ring] }));
    assert_eq!(coast.work(), 101);
}

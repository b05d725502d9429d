//! Which fences may hold a point: a grid for each size, so that a fence is in few cells however large it
//! is, and a look costs a cell of each size in use however many fences there are.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    fence::{FLOOR_M_MAX, Fence},
    shape::{Bounds, Ground, Point},
};

/// The fences of all places of the hub; each lane has one.
#[derive(Default, Debug)]
pub(crate) struct Fences {
    by_place: HashMap<Box<str>, Arc<Fence>>,
    planes: HashMap<Option<Box<str>>, Plane>,
}

/// The fences of one frame.
#[derive(Default, Debug)]
struct Plane {
    cells: HashMap<Cell, Vec<Box<str>>>,
    /// How many fences have this size: so many halvings of the whole plane hold them.
    sizes: BTreeMap<u8, usize>,
}

/// So many halvings of the whole plane, and the place among the parts.
type Cell = (u8, u32, u32);

/// Nothing is smaller than that: 2 metres.
const HALVINGS_MAX: u8 = 24;

impl Fences {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_place.is_empty()
    }

    /// The fence of a place.
    pub(crate) fn get(&self, place: &str) -> Option<&Arc<Fence>> {
        self.by_place.get(place)
    }

    /// A place has this fence from now on, or none. Whether that is news.
    pub(crate) fn set(&mut self, place: &str, fence: Option<Arc<Fence>>) -> bool {
        let before = match &fence {
            Some(fence) => self.by_place.insert(place.into(), Arc::clone(fence)),
            None => self.by_place.remove(place),
        };
        if before == fence {
            return false;
        }
        if let Some(before) = before {
            self.take_out(place, &before);
        }
        if let Some(fence) = fence {
            let plane = self
                .planes
                .entry(fence.frame().map(Into::into))
                .or_default();
            let (size, cells) = cells_of(&fence);
            *plane.sizes.entry(size).or_default() += 1;
            for cell in cells {
                plane.cells.entry(cell).or_default().push(place.into());
            }
        }
        true
    }

    fn take_out(&mut self, place: &str, fence: &Fence) {
        let frame = fence.frame().map(Into::into);
        let Some(plane) = self.planes.get_mut(&frame) else {
            return;
        };
        let (size, cells) = cells_of(fence);
        for cell in cells {
            if let Some(places) = plane.cells.get_mut(&cell) {
                places.retain(|there| &**there != place);
                if places.is_empty() {
                    plane.cells.remove(&cell);
                }
            }
        }
        if let Some(count) = plane.sizes.get_mut(&size) {
            *count -= 1;
            if *count == 0 {
                plane.sizes.remove(&size);
            }
        }
        if plane.sizes.is_empty() {
            self.planes.remove(&frame);
        }
    }

    /// The places whose fences may hold a point.
    pub(crate) fn near(&self, frame: Option<&str>, at: Point) -> impl Iterator<Item = &str> {
        let ground = frame.map_or(Ground::Globe, |_| Ground::Floor);
        let plane = self.planes.get(&frame.map(Into::into));
        let plane = plane.filter(|_| is_on(ground, at));
        let cells = plane.into_iter().flat_map(move |plane| {
            let cell = move |&size: &u8| {
                let [x, y] = [0, 1].map(|axis| number(share(ground, axis, at[axis]), size));
                plane.cells.get(&(size, wrapped(ground, x, size), y as u32))
            };
            plane.sizes.keys().filter_map(cell)
        });
        cells.flatten().map(|place| &**place)
    }
}

/// The cells that a fence is in, and their size.
fn cells_of(fence: &Fence) -> (u8, Vec<Cell>) {
    let (ground, Bounds { min, max }) = (fence.ground(), fence.bounds());
    let from = [0, 1].map(|axis| share(ground, axis, min[axis]));
    let to = [0, 1].map(|axis| share(ground, axis, max[axis]));
    let widest = (to[0] - from[0]).max(to[1] - from[1]);
    let halvings = -widest.max(f64::MIN_POSITIVE).log2().ceil();
    let size = halvings.clamp(0.0, HALVINGS_MAX.into()) as u8;
    let range = |axis: usize| number(from[axis], size)..=number(to[axis], size);
    let mut cells: Vec<Cell> = range(0)
        .flat_map(|x| range(1).map(move |y| (x, y)))
        .filter(|(_, y)| 0 <= *y)
        .map(|(x, y)| (size, wrapped(ground, x, size), y as u32))
        .collect();
    cells.sort_unstable();
    cells.dedup();
    (size, cells)
}

/// Where a coordinate is in the whole plane, from 0 to 1.
fn share(ground: Ground, axis: usize, coordinate: f64) -> f64 {
    match (ground, axis) {
        (Ground::Globe, 0) => (coordinate + 180.0) / 360.0,
        (Ground::Globe, _) => (coordinate + 90.0) / 360.0,
        (Ground::Floor, _) => (coordinate + 4.0 * FLOOR_M_MAX) / (8.0 * FLOOR_M_MAX),
    }
}

fn number(share: f64, size: u8) -> i64 {
    (share * f64::from(1_u32 << size)).floor() as i64
}

/// On the globe what is east of the last column is the first one.
fn wrapped(ground: Ground, x: i64, size: u8) -> u32 {
    match ground {
        Ground::Globe => x.rem_euclid(1 << size) as u32,
        Ground::Floor => x.max(0) as u32,
    }
}

/// Whether a point is where fences can be.
fn is_on(ground: Ground, at: Point) -> bool {
    ground == Ground::Globe || at.iter().all(|metres| metres.abs() <= 2.0 * FLOOR_M_MAX)
}

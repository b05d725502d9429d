//! YAML into types: what does not fit is a mistake at its place.

use quartet_process::{
    problem::Place,
    yaml::{self, Node, What},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::Wrong;

/// A file that was read: what it says, and where.
pub(crate) struct Typed<T> {
    pub(crate) value: T,
    pub(crate) node: Node,
}

/// Reads a file.
pub(crate) fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<Typed<T>, Wrong> {
    let node = yaml::read(text).map_err(|problem| Wrong {
        file: file.to_owned(),
        problem,
    })?;
    let value = of_json(file, &node, node.to_json())?;
    Ok(Typed { value, node })
}

fn of_json<T: DeserializeOwned>(file: &str, node: &Node, json: Value) -> Result<T, Wrong> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let mut at = node;
        let mut place = node.place;
        for segment in error.path() {
            let next = match (segment, &at.what) {
                (Segment::Seq { index }, What::List(list)) => {
                    list.get(*index).map(|node| (node, node.place))
                }
                (Segment::Map { key }, What::Map(map)) => {
                    let mut entries = map.entries.iter();
                    let found = entries.find(|(known, _)| known.name == *key);
                    // A name that nobody knows is wrong itself, and not what stands behind it.
                    found.map(|(known, node)| (node, known.place))
                }
                _ => None,
            };
            let Some((node, found)) = next else { break };
            (at, place) = (node, found);
        }
        Wrong::at(file, place, error.inner().to_string())
    })
}

/// Where what has this path stands: as far as it is there.
pub(crate) fn place(node: &Node, path: &[&str]) -> Place {
    let mut at = node;
    let mut place = node.place;
    for name in path {
        let next = match &at.what {
            What::Map(map) => {
                let mut entries = map.entries.iter();
                let found = entries.find(|(known, _)| known.name == *name);
                found.map(|(known, node)| (node, known.place))
            }
            What::List(list) => {
                let index = name.parse::<usize>().ok();
                let found = index.and_then(|index| list.get(index));
                found.map(|node| (node, node.place))
            }
            _ => None,
        };
        let Some((node, found)) = next else { break };
        (at, place) = (node, found);
    }
    place
}

//! When a workflow starts by itself.

use super::{
    Word,
    duration::{self, Duration},
    event::{self, Consume, ReadAs},
    reader::Reader,
};
use crate::{problem::Place, yaml::Node};

/// See the module.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Where it stands.
    pub place: Place,
    /// Each time so much has passed.
    pub every: Option<Duration>,
    /// At these times.
    pub cron: Option<Word>,
    /// So long after it was over.
    pub after: Option<Duration>,
    /// When these events came.
    pub on: Option<Consume>,
    /// How they are read.
    pub read: Option<ReadAs>,
}

pub(super) fn read(reader: &mut Reader, node: &Node) -> Option<Schedule> {
    let mut fields = reader.object(node, "`schedule`")?;
    let every = fields.take("every");
    let every = every.and_then(|node| duration::read(reader, node));
    let cron = fields.take("cron").and_then(|node| reader.word(node));
    let after = fields.take("after");
    let after = after.and_then(|node| duration::read(reader, node));
    let on = fields.take("on");
    let read_as = event::read_as(reader, &mut fields);
    if let (Some(place), None) = (fields.place_of("read"), on) {
        reader.wrong(place, "`read` goes with `on`");
    }
    let on = on.and_then(|node| {
        let mut fields = reader.object(node, "`on`")?;
        let on = event::consume(reader, &mut fields);
        fields.end(reader);
        on
    });
    fields.end(reader);
    Some(Schedule {
        place: node.place,
        every,
        cron,
        after,
        on,
        read: read_as,
    })
}

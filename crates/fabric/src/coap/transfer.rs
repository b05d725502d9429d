//! Bodies in blocks (RFC 7959): long requests of one peer that come in parts, long answers to it
//! that go in parts. A long answer is kept, so that all of its parts are of the same one.

use std::hash::{BuildHasher, Hasher};

use bytes::{Bytes, BytesMut};
use quartet_model::Time;

use super::{
    block::Block,
    code::Code,
    limits::{BODY_BYTES_MAX, EXCHANGE_LIFETIME, TRANSFERS_MAX},
    message::{Options, Response},
};

#[derive(Default, Debug)]
pub(super) struct Transfers {
    uploads: Vec<Upload>,
    downloads: Vec<Download>,
}

#[derive(Debug)]
struct Upload {
    key: Vec<u8>,
    body: BytesMut,
    at: Time,
}

#[derive(Debug)]
struct Download {
    key: Vec<u8>,
    response: Response,
    at: Time,
}

/// What comes of a part.
#[derive(Debug)]
pub(super) enum Part {
    /// There is more to come.
    More,
    /// The body is complete.
    Whole(Bytes),
    /// It cannot be taken.
    Refused(Response),
}

impl Transfers {
    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        let up = self.uploads.iter().map(|one| one.body.len());
        let down = self.downloads.iter().map(|one| one.response.payload.len());
        up.chain(down).sum()
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        let up = self.uploads.iter().map(|one| one.at);
        let all = up.chain(self.downloads.iter().map(|one| one.at));
        all.min().map(|at| at.after(EXCHANGE_LIFETIME))
    }

    /// Forgets what was not gone on with.
    pub(super) fn tick(&mut self, now: Time) {
        self.uploads
            .retain(|one| now < one.at.after(EXCHANGE_LIFETIME));
        self.downloads
            .retain(|one| now < one.at.after(EXCHANGE_LIFETIME));
    }

    /// Takes a part of a request's body; at most `room` bytes more may be held.
    pub(super) fn take(
        &mut self,
        options: &Options,
        block: Block,
        payload: &[u8],
        room: usize,
        now: Time,
    ) -> Part {
        let refused = |code, why: &str| Part::Refused(Response::refusal(code, why));
        if block.more && payload.len() != block.size() {
            return refused(Code::BAD_REQUEST, "only the last block may be short");
        }
        let found = self.uploads.iter().position(|one| one.key == options.key);
        let mut upload = match found.map(|at| self.uploads.swap_remove(at)) {
            Some(upload) if block.number > 0 => upload,
            // The first block begins anew, whatever came before (section 2.5).
            _ => Upload {
                key: options.key.clone(),
                body: BytesMut::new(),
                at: now,
            },
        };
        // "the server has not received all blocks" (section 2.9.2)
        if block.offset() != upload.body.len() {
            return refused(Code::INCOMPLETE, "blocks must come in their order");
        }
        let announced = options.size1.map_or(0, |size| size as usize);
        let length = (upload.body.len() + payload.len()).max(announced);
        if BODY_BYTES_MAX < length {
            let why = format!("the body is too long: at most {BODY_BYTES_MAX} bytes are taken");
            return refused(Code::TOO_LARGE, &why);
        }
        if room.saturating_sub(self.held()) < upload.body.len() + payload.len() {
            return refused(Code::UNAVAILABLE, "too much is on its way; try again later");
        }
        upload.body.extend_from_slice(payload);
        upload.at = now;
        if !block.more {
            return Part::Whole(upload.body.freeze());
        }
        if self.uploads.len() == TRANSFERS_MAX {
            self.uploads.remove(0); // The peer began more than it may: it goes on with the last.
        }
        self.uploads.push(upload);
        Part::More
    }

    /// Keeps an answer of which parts are yet to go, if there is room.
    pub(super) fn keep(&mut self, key: &[u8], response: &Response, room: usize, now: Time) {
        self.downloads.retain(|one| one.key != key);
        if room.saturating_sub(self.held()) < response.payload.len() {
            return; // A part that is asked for later leads to the question again.
        }
        if self.downloads.len() == TRANSFERS_MAX {
            self.downloads.remove(0);
        }
        self.downloads.push(Download {
            key: key.to_vec(),
            response: response.clone(),
            at: now,
        });
    }

    /// The answer of which another part is asked for.
    pub(super) fn kept(&mut self, key: &[u8], now: Time) -> Option<Response> {
        let found = self.downloads.iter_mut().find(|one| one.key == key)?;
        found.at = now;
        Some(found.response.clone())
    }
}

/// The part of a payload that a block is, with whether there is more; `None` if it lies behind
/// the end.
pub(super) fn part(payload: &[u8], block: Block) -> Option<(Block, &[u8])> {
    let rest = payload.get(block.offset()..)?;
    if rest.is_empty() && block.number > 0 {
        return None;
    }
    let part = &rest[..rest.len().min(block.size())];
    let more = part.len() < rest.len();
    Some((Block { more, ..block }, part))
}

/// An entity tag of 8 bytes, for whatever a representation is known by.
pub fn etag_of(bytes: &[u8]) -> Vec<u8> {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hasher.write(bytes);
    hasher.finish().to_be_bytes().to_vec()
}

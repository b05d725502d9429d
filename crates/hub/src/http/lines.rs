//! What is sent line by line, of any length.

use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};

use super::problem::Problem;

/// The longest line.
const LINE_BYTES_MAX: usize = quartet_things::td::DOCUMENT_BYTES_MAX;

/// Bytes into lines.
#[derive(Default)]
pub(super) struct Lines {
    rest: BytesMut,
    number: u64,
}

impl Lines {
    /// The next part of a body.
    pub(super) fn push(&mut self, part: Result<Bytes, axum::Error>) -> Result<(), Problem> {
        let part = part.map_err(|why| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                format!("the body ends early: {why}"),
            )
        })?;
        self.rest.extend_from_slice(&part);
        let last = self.rest.iter().rev().position(|&byte| byte == b'\n');
        if LINE_BYTES_MAX < last.unwrap_or(self.rest.len()) {
            let what = format!(
                "a line after line {} is longer than {LINE_BYTES_MAX} bytes",
                self.number
            );
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, what));
        }
        Ok(())
    }

    /// The next line that is not empty, with its number.
    pub(super) fn next(&mut self, is_end: bool) -> Option<(u64, Bytes)> {
        loop {
            let line = match self.rest.iter().position(|&byte| byte == b'\n') {
                Some(end) => self.rest.split_to(end + 1).freeze(),
                None if is_end && !self.rest.is_empty() => self.rest.split().freeze(),
                None => return None,
            };
            self.number += 1;
            let text = line.trim_ascii();
            if !text.is_empty() {
                return Some((self.number, line.slice_ref(text)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_come() {
        let text = b"one\r\n\n  two\nthree";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for part in text.chunks(size) {
                lines.push(Ok(Bytes::copy_from_slice(part))).unwrap();
                found.extend(std::iter::from_fn(|| lines.next(false)));
            }
            found.extend(std::iter::from_fn(|| lines.next(true)));
            let found: Vec<_> = found.iter().map(|(n, line)| (*n, &line[..])).collect();
            assert_eq!(found, [(1, &b"one"[..]), (3, b"two"), (4, b"three")]);
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = Lines::default();
        let long = Bytes::from(vec![b'x'; LINE_BYTES_MAX + 1]);
        let refused = lines.push(Ok(long)).unwrap_err();
        assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}

//! Standard output. Whoever reads it may stop at any time (`quartet … | head`): then what is
//! written goes nowhere, and that is no error.

use std::io::{self, Write};

/// Writes all of it at once. `false` if nobody reads any more.
pub(super) fn say(text: &[u8]) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(anyhow::anyhow!("cannot write to standard output: {error}")),
    }
}

//! Threads that give way to others, and work that takes long and that nobody but who asked for it waits for.

use std::thread;

use tokio::sync::oneshot;

use super::control::Ended;

/// As little as there is of the processor, while others want it.
const NICE: i32 = 19;

/// From now on this thread gives way to others, the more the greater the number (up to 19).
pub(super) fn give_way(nice: i32) {
    // On Linux that is the thread's own. Where it is not to be, it is slower for others.
    let _ = rustix::process::nice(nice);
}

/// Does something on a thread of its own, which gives way to lanes and answers.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Ended> {
    let (done, is_done) = oneshot::channel();
    let run = move || {
        give_way(NICE);
        let _ = done.send(work()); // Whoever asked may have gone.
    };
    let thread = thread::Builder::new().name("aside".to_owned());
    if let Err(error) = thread.spawn(run) {
        tracing::error!(%error, "the system gives no thread");
        return Err(Ended);
    }
    is_done.await.map_err(|_| Ended)
}

//! A timer that wakes the poll on time: epoll itself counts in milliseconds, which would be
//! the largest part of the latencies that are to be measured.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::client::clock::Clock;

/// One alarm at a time.
pub(super) struct Timer {
    fd: OwnedFd,
    at_ns: u64,
}

impl Timer {
    /// A timer that is not set.
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let fd = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { fd, at_ns: 0 })
    }

    /// Wakes the poll at `at_ns`, instead of at whatever was set before.
    pub(super) fn set(&mut self, at_ns: u64, clock: Clock) -> io::Result<()> {
        if self.at_ns == at_ns {
            return Ok(());
        }
        // A wait of 0 would unset the timer.
        let wait_ns = at_ns.saturating_sub(clock.ns()).max(1);
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let wait = Timespec {
            tv_sec: (wait_ns / 1_000_000_000) as i64,
            tv_nsec: (wait_ns % 1_000_000_000) as _,
        };
        let setting = Itimerspec {
            it_interval: zero,
            it_value: wait,
        };
        timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &setting)?;
        self.at_ns = at_ns;
        Ok(())
    }
}

//! What a process has used so far, as `/proc` tells it: all its threads, also those that ended.

use std::{fs, io};

/// What `/proc/PID/stat` counts in, almost everywhere.
const TICK_S: f64 = 0.01;

/// What a process (or several) used.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Usage {
    /// CPU seconds in the program.
    pub(super) user_s: f64,
    /// CPU seconds in the kernel on its behalf.
    pub(super) system_s: f64,
    /// CPU seconds of the threads that live, by the scheduler's finer count.
    live_s: f64,
    /// Seconds for which these threads were ready, but had no core.
    pub(super) waited_s: f64,
    /// Memory in use.
    pub(super) rss_bytes: u64,
    /// The most memory that ever was in use.
    pub(super) rss_max_bytes: u64,
}

impl Usage {
    /// Of this process.
    pub(super) fn of_self() -> io::Result<Self> {
        Self::of_named("self")
    }

    /// Of all the processes together.
    pub(super) fn of(pids: &[u32]) -> io::Result<Self> {
        let mut sum = Self::default();
        for pid in pids {
            let one = Self::of_named(&pid.to_string())?;
            sum.user_s += one.user_s;
            sum.system_s += one.system_s;
            sum.live_s += one.live_s;
            sum.waited_s += one.waited_s;
            sum.rss_bytes += one.rss_bytes;
            sum.rss_max_bytes += one.rss_max_bytes;
        }
        Ok(sum)
    }

    fn of_named(name: &str) -> io::Result<Self> {
        let unreadable = || io::Error::other(format!("/proc/{name} reads unlike Linux's"));
        let stat = fs::read_to_string(format!("/proc/{name}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{name}/status"))?;
        let (user, system) = cpu_ticks(&stat).ok_or_else(unreadable)?;
        let (live_s, waited_s) = scheduled(name)?;
        let per_s = rustix::param::clock_ticks_per_second() as f64;
        Ok(Self {
            user_s: user as f64 / per_s,
            system_s: system as f64 / per_s,
            live_s,
            waited_s,
            rss_bytes: kilobytes(&status, "VmRSS:").ok_or_else(unreadable)? * 1024,
            rss_max_bytes: kilobytes(&status, "VmHWM:").ok_or_else(unreadable)? * 1024,
        })
    }

    /// CPU seconds since an earlier look: by the scheduler's count, unless a thread has ended
    /// in between and took its count with it.
    pub(super) fn cpu_s_since(&self, earlier: &Self) -> f64 {
        let coarse_s = self.user_s + self.system_s - earlier.user_s - earlier.system_s;
        let fine_s = self.live_s - earlier.live_s;
        if fine_s + 2.0 * TICK_S < coarse_s {
            coarse_s
        } else {
            fine_s
        }
    }
}

/// Seconds on a core and seconds of waiting for one, over all threads that live.
fn scheduled(name: &str) -> io::Result<(f64, f64)> {
    let mut sum = (0.0, 0.0);
    for task in fs::read_dir(format!("/proc/{name}/task"))? {
        // A thread may end while we look, and a kernel may not count: then there is nothing.
        let line = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        if let Some((ran_ns, waited_ns)) = two_numbers(&line) {
            sum.0 += ran_ns as f64 / 1e9;
            sum.1 += waited_ns as f64 / 1e9;
        }
    }
    Ok(sum)
}

fn two_numbers(line: &str) -> Option<(u64, u64)> {
    let mut numbers = line
        .split_ascii_whitespace()
        .map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// `utime` and `stime` of `/proc/PID/stat`. The name of the program, in parentheses, may
/// contain anything.
fn cpu_ticks(stat: &str) -> Option<(u64, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// A line of `/proc/PID/status` that counts kB.
fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_may_contain_parentheses() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 90 0 0 0 123 45 0 0 20 0 4 0 99";
        assert_eq!(cpu_ticks(stat), Some((123, 45)));
        assert_eq!(cpu_ticks("7 (short) S 1"), None);
    }

    #[test]
    fn a_thread_that_ended_does_not_take_its_seconds_along() {
        let usage = |user_s, live_s| Usage {
            user_s,
            live_s,
            ..Usage::default()
        };
        assert_eq!(
            usage(3.0, 3.004).cpu_s_since(&usage(2.0, 2.001)),
            3.004 - 2.001
        );
        assert_eq!(usage(3.0, 0.5).cpu_s_since(&usage(2.0, 2.0)), 1.0);
        assert_eq!(two_numbers("12 34 5\n"), Some((12, 34)));
        assert_eq!(two_numbers(""), None);
    }

    #[test]
    fn memory_is_found_by_its_name() {
        let status = "Name:\tx\nVmHWM:\t    9000 kB\nVmRSS:\t    8000 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(8000));
        assert_eq!(kilobytes(status, "VmSwap:"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = Usage::of_self().unwrap();
        assert!(0 < usage.rss_bytes && usage.rss_bytes <= usage.rss_max_bytes);
    }
}

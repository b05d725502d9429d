//! What a process has used so far, as `/proc` tells it: all its threads, also those that ended.

use std::{fs, io};

/// What a process (or several) used.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Usage {
    /// CPU seconds in the program.
    pub(super) user_s: f64,
    /// CPU seconds in the kernel on its behalf.
    pub(super) system_s: f64,
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
        let per_s = rustix::param::clock_ticks_per_second() as f64;
        Ok(Self {
            user_s: user as f64 / per_s,
            system_s: system as f64 / per_s,
            rss_bytes: kilobytes(&status, "VmRSS:").ok_or_else(unreadable)? * 1024,
            rss_max_bytes: kilobytes(&status, "VmHWM:").ok_or_else(unreadable)? * 1024,
        })
    }

    /// CPU seconds in all.
    pub(super) fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
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

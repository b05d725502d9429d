//! What the system knows about a process: CPU time, memory; and where it may run.

use std::fs;
use std::io;
use std::time::Duration;

/// CPU time of a whole process (all threads, user and system). The same sum as the two fields of
/// `/proc/<pid>/stat`, read through the process's CPU clock because those count in steps of 10 ms.
pub fn cpu_time(pid: i32) -> io::Result<Duration> {
    let mut clock = 0;
    // SAFETY: both calls only write to the variables handed to them.
    unsafe {
        let error = libc::clock_getcpuclockid(pid, &mut clock);
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        let mut time = std::mem::zeroed::<libc::timespec>();
        if libc::clock_gettime(clock, &mut time) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }
}

/// CPU time in user and in kernel mode so far, from `/proc/<pid>/stat`, in ticks.
pub fn user_and_system_ticks(pid: i32) -> io::Result<(u64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program stands in parentheses and may contain spaces.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = fields.split_whitespace().skip(11).map(str::parse);
    match (fields.next(), fields.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok((user, system)),
        _ => Err(io::Error::other("unexpected format of /proc/<pid>/stat")),
    }
}

/// Resident memory in KiB, from `/proc/<pid>/status`.
pub fn resident_kib(pid: i32) -> io::Result<u64> {
    line_kib(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// Kernel memory (slab) of the whole machine in KiB.
pub fn kernel_slab_kib() -> io::Result<u64> {
    line_kib("/proc/meminfo", "Slab:")
}

fn line_kib(path: &str, key: &str) -> io::Result<u64> {
    let text = fs::read_to_string(path)?;
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no `{key}` in {path}")))
}

/// Keeps server and load on different CPUs, so that rounds differ less. Without effect where
/// there is no such CPU.
pub fn pin_to_cpu(cpu: usize) {
    // SAFETY: the set is a plain bit field, and the call reads it only.
    unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

//! Looking at this computer.

use std::{
    net::{IpAddr, Ipv6Addr, UdpSocket},
    path::{Path, PathBuf},
};

use quartet_things::computer::Sample;
use sysinfo::{Disks, Networks, System};

/// Looks at the machine again and again.
pub(super) struct Computer {
    system: System,
    disks: Disks,
    networks: Networks,
    data: PathBuf,
}

impl Computer {
    pub(super) fn new(data: &Path) -> Self {
        Self {
            system: System::new(),
            disks: Disks::new_with_refreshed_list(),
            networks: Networks::new_with_refreshed_list(),
            data: data.canonicalize().unwrap_or_else(|_| data.to_owned()),
        }
    }

    /// Its name, for people.
    pub(super) fn name() -> String {
        System::host_name().unwrap_or_else(|| "This computer".to_owned())
    }

    /// Its addresses, the one towards the world first: so a phone is sent to the network at home rather than to one of
    /// machines within this machine.
    pub(super) fn addresses() -> Vec<IpAddr> {
        let networks = Networks::new_with_refreshed_list();
        let all = networks.values().flat_map(|network| network.ip_networks());
        let mut all: Vec<IpAddr> = all.map(|network| network.addr).collect();
        all.sort_unstable();
        all.dedup();
        let first = [towards([192, 0, 2, 1].into()), towards(WORLD_6.into())];
        all.sort_by_key(|ip| !first.contains(&Some(*ip)));
        all
    }

    /// What it looks like now; `seconds` have passed since the last look.
    pub(super) fn look(&mut self, seconds: f64) -> Sample {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.disks.refresh(false);
        self.networks.refresh(false);
        // The disk whose mount point is the longest start of the data folder's path.
        let disk = self
            .disks
            .iter()
            .filter(|disk| self.data.starts_with(disk.mount_point()))
            .max_by_key(|disk| disk.mount_point().as_os_str().len());
        let (received, sent) = self.networks.iter().filter(|(name, _)| *name != "lo").fold(
            (0, 0),
            |(received, sent), (_, network)| {
                (received + network.received(), sent + network.transmitted())
            },
        );
        let per_second = |bytes: u64| (bytes as f64 / seconds.max(0.001)) as u64;
        Sample {
            processor_load_percent: self.system.global_cpu_usage(),
            processors: self.system.cpus().len() as u32,
            memory_used_bytes: self.system.used_memory(),
            memory_total_bytes: self.system.total_memory(),
            disk_free_bytes: disk.map_or(0, |disk| disk.available_space()),
            disk_total_bytes: disk.map_or(0, |disk| disk.total_space()),
            network_received_bytes_per_s: per_second(received),
            network_sent_bytes_per_s: per_second(sent),
        }
    }

    /// All memory of the machine.
    pub(super) fn memory_total_bytes(&mut self) -> u64 {
        self.system.refresh_memory();
        self.system.total_memory()
    }
}

/// An address of the world: one of documentation, where nobody is (RFC 3849).
const WORLD_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1);

/// By which of its addresses this computer would speak to another one. Nothing is sent.
fn towards(ip: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match ip {
        IpAddr::V4(_) => [0; 4].into(),
        IpAddr::V6(_) => [0; 16].into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((ip, 9)).ok()?;
    socket.local_addr().ok().map(|at| at.ip())
}

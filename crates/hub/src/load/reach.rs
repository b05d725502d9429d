//! What must be there before a run begins: files for the connections, and a broker.

use std::{
    io,
    net::{TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    time::Duration,
};

use super::{error::LoadError, socket::Target};
use crate::client::Endpoint;

/// An address that does not answer for so long is given up.
const PATIENCE: Duration = Duration::from_secs(15);

/// Raises the soft limit on open files as far as it is needed and allowed.
pub(super) fn make_room_for_files(needed: u64) -> Result<(), LoadError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limits = getrlimit(Resource::Nofile);
    if limits.current.is_none_or(|current| needed <= current) {
        return Ok(());
    }
    if let Some(limit) = limits.maximum
        && limit < needed
    {
        return Err(LoadError::Files { needed, limit });
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum: limits.maximum,
    };
    setrlimit(Resource::Nofile, raised).map_err(|error| LoadError::Own(error.into()))
}

/// The first address of the broker that takes connections.
pub(super) fn find(endpoint: &Endpoint) -> Result<Target, LoadError> {
    let unreachable = |why| LoadError::Unreachable {
        endpoint: endpoint.clone(),
        why,
    };
    match endpoint {
        Endpoint::Tls { .. } => Err(LoadError::Tls(endpoint.clone())),
        Endpoint::Unix(path) => UnixStream::connect(path)
            .map(|_| Target::Unix(path.clone()))
            .map_err(unreachable),
        Endpoint::Tcp { host, port } => {
            let addresses = (host.as_str(), *port).to_socket_addrs();
            let addresses = addresses.map_err(|why| LoadError::Resolve {
                endpoint: endpoint.clone(),
                why,
            })?;
            let mut last = io::Error::other("the name has no address");
            for address in addresses {
                match TcpStream::connect_timeout(&address, PATIENCE) {
                    Ok(_) => return Ok(Target::Tcp(address)),
                    Err(error) => last = error,
                }
            }
            Err(unreachable(last))
        }
    }
}

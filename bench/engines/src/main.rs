//! Compares three I/O engines for a server that relays small frames over TCP.
//!
//! `run` does the whole comparison; `serve` and `load` are the two processes it starts.

#![allow(
    clippy::disallowed_methods,
    reason = "the rules of the broker do not apply: what measures time has to read the clock"
)]

mod buffers;
mod epoll;
mod load;
mod process;
mod relay;
mod run;
mod scenario;
mod tasks;
mod uring;

use std::error::Error;

const USAGE: &str = "usage:
  engines run [--rounds N] [--seconds N]       compare all engines, print Markdown tables
  engines serve <epoll|tokio|uring> <port>     run one server until it is killed
  engines load <port> <server-pid> <scenario> <seconds>
                                               load a server, print what it cost
  scenarios: fan-N-RATE, pairs-N-RATE, idle-N
  rates: low (nothing coalesces), single (one frame per publisher under way), full (flat out)";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["run", ref options @ ..] => run::run(options),
        ["serve", engine, port] => {
            let port = port.parse()?;
            process::pin_to_cpu(0);
            match engine {
                "epoll" => Ok(epoll::serve(port)?),
                "tokio" => Ok(tasks::serve(port)?),
                "uring" => Ok(uring::serve(port)?),
                _ => Err(format!("no engine `{engine}`").into()),
            }
        }
        ["load", port, server, scenario, seconds] => {
            process::pin_to_cpu(1);
            load::load(
                port.parse()?,
                server.parse()?,
                scenario.parse()?,
                seconds.parse()?,
            )
        }
        _ => Err(USAGE.into()),
    }
}

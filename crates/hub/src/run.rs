//! `quartet run`: start, say what to do next, run until told to stop.

use std::io::{self, Write};

use anyhow::Context;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    config::{At, Config, ConfigError, Listener, Scheme},
    shell::{Running, start},
};

/// Runs a hub until SIGTERM or SIGINT. At SIGHUP it reads the configuration again by `again`.
pub fn run(
    config: Config,
    again: impl Fn() -> Result<Config, Vec<ConfigError>>,
) -> anyhow::Result<()> {
    let mut signals =
        Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot listen to signals")?;
    let mut running = start(config)?;
    welcome(&running, &mut io::stdout().lock()).context("cannot write to the terminal")?;
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        reload(&mut running, &again);
    }
    tracing::info!("shutting down");
    running.stop();
    Ok(())
}

fn reload(running: &mut Running, again: &impl Fn() -> Result<Config, Vec<ConfigError>>) {
    let config = match again() {
        Ok(config) => config,
        Err(errors) => {
            for error in errors {
                tracing::error!("{error}");
            }
            return tracing::error!("the configuration stays as it was");
        }
    };
    match running.reload(config) {
        Ok(()) => {
        }
        Err(error) => tracing::error!("{error}; the configuration stays as it was"),
    }
}

/// Says where the hub is and what to do next.
fn welcome(running: &Running, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "Quartet {} is running.\n", env!("CARGO_PKG_VERSION"))?;
    for listener in running.listeners() {
        writeln!(out, "  {listener}")?;
    }
    for warning in running.listeners().iter().filter_map(Listener::warning) {
        writeln!(out, "\n  WARNING: {warning}")?;
    }
    if running.config().open {
        writeln!(
            out,
            "\n  WARNING: --open gives everyone on this machine every right, without a name. For tests and benchmarks only."
        )?;
    }
    let find = |scheme| {
        let listener = running
            .listeners()
            .iter()
            .find(|listener| listener.scheme == scheme)?;
        match listener.at {
            At::Tcp(address) => Some(address),
            At::Unix(_) => None,
        }
    };
    writeln!(out, "\nWhat to do next:")?;
    if let Some(http) = find(Scheme::Http) {
        writeln!(out, "  Look at it:   http://localhost:{}/", http.port())?;
    }
    if let Some(mqtt) = find(Scheme::Mqtt) {
        let port = match mqtt.port() {
            1883 => String::new(),
            port => format!("-p {port} "),
        };
        writeln!(out, "  Hear all:     mosquitto_sub {port}-t '#' -v")?;
        writeln!(
            out,
            "  Say hello:    mosquitto_pub {port}-t hello/world -m 'Good morning'"
        )?;
    }
    writeln!(out, "  Stop:         Ctrl-C\n")?;
    out.flush()
}

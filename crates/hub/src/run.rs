//! `quartet run`: start, say what to do next, run until told to stop.

use std::io::{self, Write};

use anyhow::{Context, bail};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use tracing_subscriber::{EnvFilter, Registry, fmt, prelude::*, reload};

use crate::{
    cli::{ConfigCheckArgs, RunArgs},
    config::{self, At, Config, ConfigError, Listener, Overrides, Scheme},
    shell::{HELLO, Running, start},
};

/// `quartet run`: with the configuration of file, environment and command line.
pub fn run_with(args: RunArgs) -> anyhow::Result<()> {
    let read = move || {
        let overrides = Overrides {
            data: args.data.clone(),
            listeners: args.listen.clone(),
            open: args.open.then_some(true),
            lanes: args.lanes.map(usize::from),
            log: args.log.clone(),
        };
        config::load(args.config.as_deref(), None, env, &overrides)
    };
    let config = read().map_err(|errors| listed(&errors))?;
    run(config, read)
}

/// `quartet config check`: what is wrong, or what would hold.
pub fn check(args: ConfigCheckArgs) -> anyhow::Result<()> {
    let overrides = Overrides::default();
    let config = config::load(args.config.as_deref(), None, env, &overrides)
        .map_err(|errors| listed(&errors))?;
    match &config.origin {
        Some(origin) => println!("{} is in order.", origin.display()),
        None => println!("There is no configuration file; the defaults are in order."),
    }
    for listener in &config.listeners {
        println!("  listens on {listener}");
    }
    Ok(())
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn listed(errors: &[ConfigError]) -> anyhow::Error {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(
        "the configuration is not in order\n\n{}",
        lines.join("\n\n")
    )
}

/// Runs a hub until SIGTERM or SIGINT. At SIGHUP it reads the configuration again by `again`.
pub fn run(
    config: Config,
    again: impl Fn() -> Result<Config, Vec<ConfigError>>,
) -> anyhow::Result<()> {
    let level = log(&config.log)?;
    let mut signals =
        Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot listen to signals")?;
    let mut running = start(config)?;
    welcome(&running, &mut io::stdout().lock()).context("cannot write to the terminal")?;
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        take_over(&mut running, &again, &level);
    }
    tracing::info!("shutting down");
    Ok(running.stop()?)
}

/// Logs to the terminal's error side; gives a handle to change what is logged.
fn log(level: &str) -> anyhow::Result<reload::Handle<EnvFilter, Registry>> {
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(level)?);
    let lines = fmt::layer().with_writer(io::stderr).with_target(false);
    if tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .is_err()
    {
        bail!("logging was set up twice");
    }
    Ok(handle)
}

/// Takes over what the configuration says now, as far as that needs no restart.
fn take_over(
    running: &mut Running,
    again: &impl Fn() -> Result<Config, Vec<ConfigError>>,
    level: &reload::Handle<EnvFilter, Registry>,
) {
    let config = match again() {
        Ok(config) => config,
        Err(errors) => {
            for error in errors {
                tracing::error!("{error}");
            }
            return tracing::error!("the configuration stays as it was");
        }
    };
    let changes = running.config().changes(&config);
    let filter = EnvFilter::try_new(&config.log);
    if let Err(error) = running.reload(config) {
        return tracing::error!("{error}; the configuration stays as it was");
    }
    if let Ok(filter) = filter
        && let Err(error) = level.reload(filter)
    {
        tracing::error!(%error, "cannot change what is logged");
    }
    for change in &changes.now {
        tracing::info!("{change}: in force from now on");
    }
    for change in &changes.restart {
        tracing::warn!("{change}: takes effect at the next start");
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
            At::Tcp(address) | At::Udp(address) => Some(address),
            At::Unix(_) => None,
        }
    };
    writeln!(out, "\nWhat to do next:")?;
    let first = running.first_steps();
    let page = find(Scheme::Http).map(|http| format!("http://localhost:{}", http.port()));
    let page = page.or_else(|| {
        let https = find(Scheme::Https)?;
        Some(format!("https://localhost:{}", https.port()))
    });
    if let (Some(first), Some(page)) = (first, &page) {
        let code = first.code.text();
        writeln!(out, "  Own it:       {page}/start#{code}")?;
    }
    if let Some(page) = page {
        writeln!(out, "  Look at it:   {page}/")?;
        writeln!(out, "  Discover it:  {page}/.well-known/wot")?;
        writeln!(out, "  From a phone: {page}/trust")?;
    }
    if let [first, others @ ..] = &running.urls()[..] {
        writeln!(out, "  By its names: {first}")?;
        for other in others {
            writeln!(out, "                {other}")?;
        }
    }
    if let Some(mqtt) = find(Scheme::Mqtt) {
        let port = match mqtt.port() {
            1883 => String::new(),
            port => format!("-p {port} "),
        };
        if running.config().open {
            writeln!(out, "  Hear all:     mosquitto_sub {port}-t '#' -v")?;
            writeln!(
                out,
                "  Say hello:    mosquitto_pub {port}-t hello/world -m 'Good morning'"
            )?;
        } else if let Some(first) = first {
            let login = format!("{port}-u {HELLO} -P {}", first.secret.text());
            writeln!(
                out,
                "  Say hello:    mosquitto_pub {login} -t {HELLO}/properties/greeting -m '\"Good morning\"'"
            )?;
            writeln!(
                out,
                "  Hear it:      mosquitto_sub {login} -t '{HELLO}/#' -v"
            )?;
        }
    }
    writeln!(out, "  Stop:         Ctrl-C\n")?;
    out.flush()
}

//! The binary `quartet`.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter("info").with_writer(std::io::stderr).init();
    let mut config = quartet_hub::config::Config { open: true, ..Default::default() };
    config.lanes = std::env::var("LANES").ok().and_then(|l| l.parse().ok()).unwrap_or(0);
    config.limits.publish_rate_max = 0;
    let again = config.clone();
    quartet_hub::run::run(config, move || Ok(again.clone()))
}

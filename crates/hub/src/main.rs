//! The binary `quartet`.

use std::process::ExitCode;

use quartet_hub::{cli, run};

/// Many small pieces of memory come and go with each fan-out.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main_with(run::run_with, run::check)
}

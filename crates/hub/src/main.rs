//! The binary `quartet`.

use std::process::ExitCode;

use quartet_hub::{cli, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main_with(run::run_with, run::check)
}

//! The binary `quartet`.

use std::process::ExitCode;

fn main() -> ExitCode {
    quartet_hub::cli::main_with(
        |_| anyhow::bail!("`quartet run` is still to come"),
        |_| anyhow::bail!("`quartet config check` is still to come"),
    )
}

//! The catalogue of Zigbee devices, made anew from the package that knows them.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use crate::{
    packages::Packages,
    steps::{hand_over, run},
};

const PACKAGES: Packages = Packages::node("zigbee", include_str!("../zigbee/package.json"));
const CATALOGUE: &str = "crates/things/data/zigbee.jsonl.gz";

/// Installs the package outside the repository and writes the catalogue.
pub(crate) fn write(root: &Path) -> anyhow::Result<ExitCode> {
    run(Command::new("node").arg("--version"))?;
    PACKAGES.install()?;
    hand_over(
        Command::new("node")
            .arg(root.join("xtask/zigbee/catalogue.mjs"))
            .arg(root.join(CATALOGUE))
            .env("NODE_PATH", PACKAGES.place()?),
    )
}

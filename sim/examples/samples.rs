//! Writes the samples of each fuzz target into a folder, for `cargo fuzz` to begin with:
//! `cargo run -p quartet-sim --example samples fuzz/corpus`.

use std::{fs, io, path::Path};

use quartet_sim::fuzz::TARGETS;

fn main() -> io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or("fuzz/corpus".to_owned());
    for target in &TARGETS {
        let folder = Path::new(&folder).join(target.name);
        fs::create_dir_all(&folder)?;
        for (index, sample) in (target.samples)().iter().enumerate() {
            fs::write(folder.join(format!("sample-{index:02}")), sample)?;
        }
    }
    Ok(())
}

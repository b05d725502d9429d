//! How long the catalogue of Zigbee devices takes to load, and its models to be made.
//!
//! `cargo run --release -p quartet-things --example catalogue`

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures and prints"
)]

use std::time::Instant;

use quartet_things::dialects::catalogue::Catalogue;

fn main() {
    let packed = include_bytes!("../data/zigbee.jsonl.gz");
    for _ in 0..5 {
        let start = Instant::now();
        let catalogue = Catalogue::load(packed).expect("the catalogue is in the repository");
        let loaded = start.elapsed();
        let start = Instant::now();
        let models = (0..catalogue.len()).filter_map(|index| catalogue.model(index));
        let bytes: usize = models.map(|model| model.to_string().len()).sum();
        let made = start.elapsed();
        println!(
            "{} models loaded in {loaded:?}; {bytes} bytes of Thing Models made in {made:?}",
            catalogue.len()
        );
    }
}

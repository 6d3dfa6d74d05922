//! The first start, killed while the store is being created.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::shared::configuration::Configuration;
use crate::shared::environment::Home;
use crate::stage::seed;

const KILLS: usize = 60;

#[test]
fn a_store_whose_creation_was_killed_opens_at_the_next_start() {
    let seed = seed();
    eprintln!("AIRGATE_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut no_file, mut unmarked, mut empty, mut complete) = (0, 0, 0, 0);
    let mut takes = Duration::from_millis(50);
    for _ in 0..KILLS {
        let home = Home::new(&Configuration::offline());
        let store = home.store_path();
        // Half of the kills come after the file appears, which is late and takes a few milliseconds.
        let after_the_file = rng.random_ratio(1, 2);
        let process = home.start("info");
        if after_the_file {
            let start = Instant::now();
            while !store.exists() && start.elapsed() < Duration::from_secs(60) {
                std::hint::spin_loop();
            }
            std::thread::sleep(Duration::from_micros(rng.random_range(0..6_000)));
        } else {
            let life = rng.random_range(0..=takes.as_micros()) as u64;
            std::thread::sleep(Duration::from_micros(life));
        }
        process.kill();
        match std::fs::read(&store) {
            Err(_) => no_file += 1,
            // redb writes its magic number last.
            Ok(bytes) if !bytes.starts_with(b"redb") => unmarked += 1,
            Ok(bytes) if !holds(&bytes, b"schema_version") => empty += 1,
            Ok(_) => complete += 1,
        }
        let start = Instant::now();
        let process = home.start("info");
        process.listening();
        takes = start.elapsed();
        process.kill();
        drop(home.store());
    }
    eprintln!(
        "{KILLS} kills at the first start: {no_file} before the file existed, {unmarked} while it was being written, \
         {empty} before its tables were, {complete} later"
    );
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

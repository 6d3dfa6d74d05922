//! The first start, killed while the store is being made.

use std::time::{Duration, Instant};

use airgate::store::Store;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::process::Process;
use crate::stage::seed;

const KILLS: usize = 60;
const KEY: [u8; 32] = [0x11; 32];

fn configure(folder: &std::path::Path) -> std::path::PathBuf {
    // Neither platform is there: nothing but the store matters here.
    let text = format!(
        r#"
[server]
listen = "127.0.0.1:0"
[feishu]
base_url = "http://127.0.0.1:1"
app_id = "cli_kills"
app_secret = "kills-secret"
verification_token = "kills-token"
encrypt_key = "kills-encrypt-key"
admins = ["ou_admin"]
[volcengine]
iam_endpoint = "http://127.0.0.1:1"
billing_endpoint = "http://127.0.0.1:1"
[security]
master_key = "{}"
"#,
        hex::encode(KEY)
    );
    let config = folder.join("config.toml");
    std::fs::write(&config, text).unwrap();
    config
}

fn wait_until_it_listens(process: &mut Process) {
    let start = Instant::now();
    while process.address().is_none() {
        if let Some(status) = process.child.try_wait().unwrap() {
            panic!("it ended with {status}: {}", process.log.lock());
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it does not start");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_store_whose_making_was_killed_opens_at_the_next_start() {
    let seed = seed();
    eprintln!("AIRGATE_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut without, mut unmarked, mut empty, mut made) = (0, 0, 0, 0);
    let mut takes = Duration::from_millis(50);
    for _ in 0..KILLS {
        let folder = tempfile::tempdir().unwrap();
        let config = configure(folder.path());
        let store = folder.path().join("data/airgate.redb");
        // Half of them from the moment on that the file is there: it is made late and within a few milliseconds.
        let from_the_file_on = rng.random_ratio(1, 2);
        let process = Process::start(&config, "info");
        if from_the_file_on {
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
            Err(_) => without += 1,
            // redb puts its mark on a file last of all.
            Ok(bytes) if !bytes.starts_with(b"redb") => unmarked += 1,
            Ok(bytes) if !holds(&bytes, b"schema_version") => empty += 1,
            Ok(_) => made += 1,
        }
        let start = Instant::now();
        let mut process = Process::start(&config, "info");
        wait_until_it_listens(&mut process);
        takes = start.elapsed();
        process.kill();
        Store::open(&store, &KEY).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    eprintln!(
        "{KILLS} kills at the first start: {without} before the file was there, {unmarked} while it was being made, \
         {empty} before its tables were, {made} later"
    );
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

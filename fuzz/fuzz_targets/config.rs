//! A configuration: the file's text, then (after a line `---`) variables, one per line. No path in it is opened.
#![no_main]

use std::path::Path;

use airgate::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // `KEY_file` would read files of this machine.
    if text.to_ascii_lowercase().contains("_file") {
        return;
    }
    let (file, variables) = text.split_once("\n---\n").unwrap_or((text, ""));
    let env = variables.lines().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        Some((format!("AIRGATE__{name}"), value.to_owned()))
    });
    match Config::parse(file, Path::new("/nowhere"), env) {
        Ok(config) => {
            let _ = config.warnings();
            let _ = config.initial_settings();
            assert!(!config.feishu.admins.is_empty());
        }
        Err(error) => {
            // One line per problem, each of a readable length.
            assert_eq!(error.to_string().lines().count(), error.problems().len());
            assert!(!error.problems().is_empty());
            for problem in error.problems() {
                assert!(problem.to_string().chars().count() <= 1_010);
            }
        }
    }
});

//! `airgate restore` from a bucket, and what `airgate check` says of it.

use super::{add_account, online};
use crate::shared::configuration::Configuration;
use crate::shared::environment::{Environment, Home};
use crate::shared::process::Output;
use crate::shared::s3::{FakeS3, KEY_ID, SECRET, Trouble};

const OLDER: &str = "airgate/airgate-20261120T000000.000Z.redb";
const NEWER: &str = "airgate/airgate-20261121T000000.000Z.redb";

fn configured(configuration: Configuration, s3: &FakeS3) -> Configuration {
    configuration
        .set("store.backup_url", s3.url("airgate"))
        .set("store.backup_access_key_id", KEY_ID)
        .set("store.backup_secret_access_key", SECRET)
}

/// A store whose account is on, and two backups in the bucket: in the older one the account is off.
async fn with_backups(s3: &FakeS3) -> Home {
    let home = Home::new(&configured(Configuration::offline(), s3));
    add_account(&home);
    home.run(&["backup", "on.redb"]).good();
    home.run(&["account", "disable", "main"]).good();
    home.run(&["backup", "off.redb"]).good();
    s3.put(OLDER, std::fs::read(home.path("off.redb")).unwrap());
    s3.put(NEWER, std::fs::read(home.path("on.redb")).unwrap());
    home
}

/// Runs a command while the stand-in answers.
async fn run(home: &Home, arguments: &[&str]) -> Output {
    tokio::task::block_in_place(|| home.run(arguments))
}

fn leftovers(home: &Home) -> Vec<String> {
    let names = std::fs::read_dir(home.path("data")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_takes_the_newest_of_a_folder_or_the_one_that_is_named() {
    let s3 = FakeS3::start(1).await;
    let home = with_backups(&s3).await;
    s3.put("airgate/other-20261125T000000.000Z.redb", "not ours");
    run(&home, &["restore", "s3://ops-backups/airgate"]).await.refused(1, "--force");
    assert!(s3.requests().is_empty(), "nothing is fetched in vain");

    let newest = run(&home, &["restore", "--force", "s3://ops-backups/airgate"]).await;
    assert!(newest.good().contains(&format!("s3://ops-backups/{NEWER}")), "{}", newest.out);
    assert!(home.run(&["account", "list"]).good().contains("  on  "));
    let named = format!("s3://ops-backups/{OLDER}");
    run(&home, &["restore", "--force", &named]).await.good();
    assert!(home.run(&["account", "list"]).good().contains("  off  "));

    // On a new machine whose configuration knows only the key pair.
    let fresh = Configuration::offline()
        .set("store.backup_access_key_id", KEY_ID)
        .set("store.backup_secret_access_key", SECRET);
    let fresh = Home::new(&fresh);
    run(&fresh, &["restore", "s3://ops-backups/airgate"]).await.refused(2, "region");
    run(&fresh, &["restore", &s3.url("airgate")]).await.good();
    assert!(fresh.run(&["account", "list"]).good().contains("  on  "));
    assert_eq!((leftovers(&home).len(), leftovers(&fresh).len()), (0, 0));
    assert_eq!(s3.refused(), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fetched_whole_changes_nothing() {
    let s3 = FakeS3::start(1000).await;
    let home = with_backups(&s3).await;
    let restore = ["restore", "--force", "s3://ops-backups/airgate"];
    // Broken off every time, and once: the rest is fetched then.
    s3.trouble(Trouble::Truncated, u32::MAX);
    run(&home, &restore).await.refused(1, "cannot be reached");
    s3.trouble(Trouble::Denied, u32::MAX);
    run(&home, &restore).await.refused(1, "403 Forbidden, AccessDenied");
    s3.no_trouble();
    s3.put("airgate/airgate-20261122T000000.000Z.redb", "rubbish");
    let refused = run(&home, &restore).await;
    refused.refused(1, "s3://ops-backups/airgate/airgate-20261122T000000.000Z.redb is damaged");
    let gone = ["restore", "--force", "s3://ops-backups/airgate/airgate-20261101T000000.000Z.redb"];
    run(&home, &gone).await.refused(1, "NoSuchKey");
    let none = ["restore", "--force", "s3://ops-backups/elsewhere"];
    run(&home, &none).await.refused(1, "there is no backup of this store");
    run(&home, &["restore", "--force", "s3://ops-backups/a?secret=x"])
        .await
        .refused(2, "parameter");
    assert!(home.run(&["account", "list"]).good().contains("  off  "), "nothing was changed");
    assert_eq!(leftovers(&home), [] as [String; 0]);

    s3.trouble(Trouble::Truncated, 1);
    run(&home, &["restore", "--force", &format!("s3://ops-backups/{NEWER}")]).await.good();
    assert!(home.run(&["account", "list"]).good().contains("  on  "));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_lists_the_bucket() {
    let s3 = FakeS3::start(1000).await;
    let environment: Environment = online().await;
    let home = &environment.home;
    home.configure(&configured(environment.configuration(), &s3));
    s3.put(OLDER, "x");
    let checked = run(home, &["check"]).await;
    assert!(checked.all().contains("s3://ops-backups/airgate, 1 backup"), "{}", checked.all());
    s3.trouble(Trouble::Denied, u32::MAX);
    let checked = run(home, &["check"]).await;
    assert!(checked.all().contains("refuses the key pair"), "{}", checked.all());
    assert!(!checked.all().contains(SECRET));
}

//! Backups that the running service copies to a bucket.

use std::time::Duration;

use airgate::bucket::BucketTimeouts;
use airgate::domain::{AlertBody, AlertKind, BackupPlace, Problem};
use airgate::server::Timeouts;
use airgate::store::Store;

use crate::bed::{Bed, eventually, one_account, quick};
use crate::shared::s3::{FakeS3, KEY_ID, SECRET, Trouble};

const PART: usize = 8 * 1024 * 1024;

fn timeouts() -> Timeouts {
    let pause = Duration::from_millis(1);
    let bucket = BucketTimeouts { stall: Duration::from_secs(2), retries: 1, pause };
    Timeouts { bucket, backup_again: Duration::from_millis(20), ..quick() }
}

async fn started(s3: &FakeS3, further: &[(&str, &str)]) -> Bed {
    let url = s3.url("airgate");
    let mut all = vec![
        ("STORE__BACKUP_URL", &*url),
        ("STORE__BACKUP_ACCESS_KEY_ID", KEY_ID),
        ("STORE__BACKUP_SECRET_ACCESS_KEY", SECRET),
        ("FEISHU__ALERT_CHAT_ID", crate::bed::GROUP),
    ];
    all.extend(further);
    Bed::with_timeouts(one_account(), &all, timeouts()).await
}

fn backup_alerts(bed: &Bed) -> Vec<Problem> {
    let records = bed.alert_records().into_iter();
    records
        .filter_map(|alert| match alert.body {
            AlertBody::Error { problem } => Some(problem),
            _ => None,
        })
        .filter(|problem| {
            matches!(problem, Problem::BackupFailing { .. } | Problem::BackupRecovered { .. })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_gets_every_backup_and_keeps_the_newest_own_ones() {
    // Two objects a page, so that every list takes several.
    let s3 = FakeS3::start(2).await;
    let others = [
        "airgate/notes.txt",
        "airgate/airgate-20200101T000000.000Z.redb.old",
        "airgate/other-20200101T000000.000Z.redb",
        "airgate/below/airgate-20200101T000000.000Z.redb",
        "airgate-20200101T000000.000Z.redb",
    ];
    for key in others {
        s3.put(key, "mine");
    }
    let folder = tempfile::tempdir().unwrap();
    let backups = folder.path().to_str().unwrap().to_owned();
    let further = [("STORE__BACKUP_KEEP", "2"), ("STORE__BACKUP_DIR", &*backups)];
    let mut bed = started(&s3, &further).await;
    let own = || -> Vec<String> {
        s3.keys().into_iter().filter(|key| !others.contains(&&**key)).collect()
    };
    let mut last = String::new();
    for count in [1, 2, 2, 2] {
        eventually("another backup in the bucket", || {
            own().len() == count && own().last().is_some_and(|newest| *newest != last)
        })
        .await;
        last = own().last().unwrap().clone();
        bed.clock.advance(jiff::SignedDuration::from_hours(24));
        bed.restart().await;
    }
    for key in others {
        assert_eq!(s3.object(key).unwrap(), "mine", "{key}");
    }
    assert_eq!(s3.refused(), [] as [String; 0]);
    // What is there is what the local backup is: a store that opens with the same key.
    let name = last.strip_prefix("airgate/").unwrap();
    let local = std::fs::read(folder.path().join(name)).unwrap();
    let copy = folder.path().join("copy");
    std::fs::write(&copy, s3.object(&last).unwrap()).unwrap();
    assert_eq!(std::fs::read(&copy).unwrap(), local);
    let store = Store::open(&copy, bed.config.security.master_key.expose()).unwrap();
    assert_eq!(store.read(|tx| tx.accounts()).unwrap().len(), 1);
    assert_eq!(backup_alerts(&bed), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_folder_a_backup_goes_to_the_bucket_alone_and_no_sooner_than_the_interval() {
    let s3 = FakeS3::start(1000).await;
    let mut bed = started(&s3, &[]).await;
    eventually("a backup in the bucket", || s3.keys().len() == 1).await;
    let staged = bed.home.path("data");
    let redb = |name: &std::ffi::OsStr| name.to_string_lossy().contains("-20");
    let none_left = || {
        let folders = std::fs::read_dir(&staged).unwrap().filter_map(Result::ok);
        let hidden = folders.filter(|entry| entry.path().is_dir());
        hidden
            .flat_map(|entry| std::fs::read_dir(entry.path()).unwrap())
            .all(|entry| !redb(&entry.unwrap().file_name()))
    };
    eventually("no copy left on this machine", none_left).await;
    let lists = s3.requests().len();
    bed.clock.advance(jiff::SignedDuration::from_hours(23));
    bed.restart().await;
    eventually("another look", || s3.requests().len() > lists).await;
    assert_eq!(s3.keys().len(), 1, "a restart makes none");
    bed.clock.advance(jiff::SignedDuration::from_hours(1));
    bed.restart().await;
    eventually("another backup", || s3.keys().len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_refuses_is_tried_again_and_told_once_and_once_more_when_it_works() {
    let s3 = FakeS3::start(1000).await;
    s3.trouble(Trouble::ReadOnly, u32::MAX);
    let mut bed = started(&s3, &[]).await;
    eventually("an alert", || backup_alerts(&bed).len() == 1).await;
    let [Problem::BackupFailing { place: BackupPlace::Bucket, reason }] = &backup_alerts(&bed)[..]
    else {
        panic!("{:?}", backup_alerts(&bed));
    };
    assert_eq!(reason.as_deref(), Some("403 Forbidden, AccessDenied"));
    // Across a restart it is the same incident.
    bed.restart().await;
    let tried = s3.requests().len();
    eventually("five more attempts", || s3.requests().len() > tried + 10).await;
    assert_eq!(backup_alerts(&bed).len(), 1);
    s3.no_trouble();
    eventually("a backup in the bucket", || s3.keys().len() == 1).await;
    eventually("the end of it", || backup_alerts(&bed).len() == 2).await;
    let recovered = Problem::BackupRecovered { place: BackupPlace::Bucket };
    assert_eq!(backup_alerts(&bed)[1], recovered);
    bed.settled().await;
    let told = bed.alert_kinds();
    assert_eq!(told.iter().filter(|kind| **kind == AlertKind::Error).count(), 2);
    let metrics = bed.get("/metrics").await.1;
    assert!(metrics.contains("airgate_backup_failures_total{to=\"bucket\"}"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_throttles_or_stalls_gets_the_backup_all_the_same() {
    for trouble in [Trouble::SlowDown, Trouble::Slow(Duration::from_secs(5))] {
        let s3 = FakeS3::start(1000).await;
        s3.trouble(trouble, 1);
        let bed = started(&s3, &[]).await;
        eventually("a backup in the bucket", || s3.keys().len() == 1).await;
        assert_eq!(backup_alerts(&bed), [], "{trouble:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_copied_in_parts_and_taken_back_if_it_cannot_be_completed() {
    use airgate::bucket::{Bucket, BucketAddress, BucketError, BucketKeys};
    use tokio_util::sync::CancellationToken;

    let s3 = FakeS3::start(1000).await;
    let address = BucketAddress::parse(&s3.url("a/b"), None).unwrap();
    let keys = BucketKeys { access_key_id: KEY_ID.into(), secret_access_key: SECRET.into() };
    let bucket = Bucket::new(&address, &keys, timeouts().bucket).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let go_on = CancellationToken::new();
    for size in [0, 1, PART, PART + 1, 2 * PART + 5] {
        let content: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let path = folder.path().join("file");
        std::fs::write(&path, &content).unwrap();
        let name = format!("f{size}");
        assert_eq!(bucket.upload(&name, &path, &go_on).await.unwrap(), size as u64);
        assert!(s3.object(&format!("a/b/{name}")).unwrap() == content, "{size}");
    }
    assert_eq!(s3.unfinished(), 0);
    let listed = bucket.list().await.unwrap();
    assert_eq!(listed.len(), 5);
    // The parts are refused, then the bucket answers again: nothing is left half-way.
    let path = folder.path().join("file");
    s3.trouble(Trouble::NoParts, 1);
    let refused = bucket.upload("refused", &path, &go_on).await;
    assert!(matches!(refused, Err(BucketError::Denied(_))), "{refused:?}");
    assert_eq!((s3.unfinished(), s3.object("a/b/refused")), (0, None));
    let stopped = CancellationToken::new();
    stopped.cancel();
    let done = bucket.upload("stopped", &path, &stopped).await;
    assert!(matches!(done, Err(BucketError::Stopped)), "{done:?}");
    assert_eq!((s3.unfinished(), s3.object("a/b/stopped")), (0, None));
    assert_eq!(s3.refused(), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_pair_region_or_bucket_is_named() {
    use airgate::bucket::{Bucket, BucketAddress, BucketKeys};

    let s3 = FakeS3::start(1000).await;
    let url = s3.url("airgate");
    for (url, id, secret, said) in [
        (url.clone(), KEY_ID, "wrong", "SignatureDoesNotMatch"),
        (url.clone(), "AKLTother", SECRET, "InvalidAccessKeyId"),
        (
            url.replace("region=cn-beijing", "region=cn-shanghai"),
            KEY_ID,
            SECRET,
            "InvalidAccessKeyId",
        ),
        (url.replace("ops-backups", "nobody-s"), KEY_ID, SECRET, "NoSuchBucket"),
    ] {
        let address = BucketAddress::parse(&url, None).unwrap();
        let keys = BucketKeys { access_key_id: id.into(), secret_access_key: secret.into() };
        let bucket = Bucket::new(&address, &keys, timeouts().bucket).unwrap();
        let error = bucket.list().await.unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains(id), "{error}");
        assert!(!format!("{keys:?}{bucket:?}").contains(secret));
    }
}

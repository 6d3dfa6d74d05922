//! Timing of pings, replies, dead connections and the stop, in paused time.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::{SERVICE_ID, line};
use crate::feishu::connection::frame::{Frame, Header};
use crate::feishu::connection::session::End;
use crate::feishu::connection::{ConnectionState, PushAnswer};

const INTERVAL: Duration = Duration::from_secs(120);

fn pong(payload: &str) -> Vec<u8> {
    let mut frame = Frame::ping(SERVICE_ID);
    frame.headers[0].value = "pong".to_owned();
    frame.payload = (!payload.is_empty()).then(|| payload.as_bytes().to_vec());
    frame.bytes()
}

/// Push number `seq`: an event of a type that is not handled.
fn push(seq: u64) -> Vec<u8> {
    let header = |key: &str, value: &str| Header { key: key.to_owned(), value: value.to_owned() };
    let id = format!("push-{seq}");
    Frame {
        seq_id: Some(seq),
        log_id: Some(0),
        service: Some(SERVICE_ID),
        method: Some(1),
        headers: vec![
            header("type", "event"),
            header("message_id", &id),
            header("sum", "1"),
            header("seq", "0"),
        ],
        payload: Some(
            format!(r#"{{"schema":"2.0","header":{{"event_id":"{id}","event_type":"x"}}}}"#)
                .into_bytes(),
        ),
        ..Frame::default()
    }
    .bytes()
}

fn code(reply: &[u8]) -> Value {
    let payload: Value =
        serde_json::from_slice(&Frame::read(reply).unwrap().payload.unwrap()).unwrap();
    payload["code"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_counts_as_dead_after_two_ping_intervals() {
    let mut line = line(PushAnswer::Done, Duration::ZERO, 10).await;
    let start = Instant::now();
    let mut pings = Vec::new();
    while let Some(bytes) = line.receive().await {
        assert_eq!(bytes, Frame::ping(SERVICE_ID).bytes());
        pings.push(start.elapsed());
    }
    assert!(start.elapsed() >= INTERVAL * 2 && start.elapsed() < INTERVAL * 2 + INTERVAL / 10);
    assert!(pings.len() >= 2 && pings[0] < INTERVAL / 10, "{pings:?}");
    assert!(matches!(line.running.await.unwrap().0, End::Dead(_)));
    // It was never up, because nothing ever arrived.
    let ConnectionState::Down { reason } = line.status.now() else { panic!() };
    assert!(reason.contains("dead"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn pongs_keep_the_connection_alive_and_change_the_ping_interval() {
    let mut line = line(PushAnswer::Done, Duration::ZERO, 10).await;
    let start = Instant::now();
    for _ in 0..5 {
        line.receive().await.unwrap();
        line.send(pong("")).await;
    }
    assert!(start.elapsed() >= INTERVAL * 4);
    assert_eq!(line.status.now().number(), Some(1));
    line.send(pong(r#"{"PingInterval":10}"#)).await;
    let told = Instant::now();
    line.receive().await.unwrap();
    assert!(told.elapsed() <= Duration::from_secs(11), "{:?}", told.elapsed());
    while line.receive().await.is_some() {}
    assert!(told.elapsed() < Duration::from_secs(25), "{:?}", told.elapsed());
    assert!(matches!(line.running.await.unwrap().0, End::Dead(_)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_push_is_answered_in_time_and_still_finished() {
    let mut line = line(PushAnswer::Done, Duration::from_secs(20), 2).await;
    line.receive().await.unwrap();
    let start = Instant::now();
    line.send(push(1)).await;
    line.send(push(2)).await;
    // Two are in flight; a third is refused immediately.
    line.send(push(3)).await;
    let refused = line.receive().await.unwrap();
    assert_eq!(Frame::read(&refused).unwrap().seq_id, Some(3));
    assert_eq!(code(&refused), 500);
    assert!(start.elapsed() < Duration::from_millis(100));
    for _ in 0..2 {
        assert_eq!(code(&line.receive().await.unwrap()), 500);
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
    assert!(line.seen.lock().is_empty());
    line.stop.cancel();
    line.running.await.unwrap();
    assert_eq!(line.seen.lock().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn slow_pushes_do_not_delay_pings() {
    let mut line = line(PushAnswer::Done, INTERVAL * 3, 10).await;
    line.receive().await.unwrap();
    line.send(push(1)).await;
    assert_eq!(code(&line.receive().await.unwrap()), 500);
    let next = timeout(INTERVAL, line.receive()).await.unwrap().unwrap();
    assert_eq!(next, Frame::ping(SERVICE_ID).bytes());
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_immediately_with_a_close_frame() {
    let mut line = line(PushAnswer::Done, Duration::from_secs(5), 10).await;
    line.receive().await.unwrap();
    line.send(push(1)).await;
    line.send(pong("")).await;
    while line.status.next().await.unwrap().number().is_none() {}
    let start = Instant::now();
    line.stop.cancel();
    assert_eq!(u16::from(line.farewell().await.unwrap().code), 1000);
    assert!(start.elapsed() < Duration::from_millis(100));
    assert!(matches!(line.running.await.unwrap().0, End::Stopped));
    assert_eq!(line.seen.lock().len(), 1);
}

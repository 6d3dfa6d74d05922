//! Waiting for something to happen. The only place where a test sleeps: between two looks.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Nothing that a test waits for takes this long unless it is broken.
pub const TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until the condition holds; panics with `what` if it does not within [`TIMEOUT`].
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    eventually_some(what, || condition().then_some(())).await;
}

/// Waits until there is a value, and returns it.
pub async fn eventually_some<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> T {
    eventually_ok(what, async || value().ok_or("it did not happen")).await
}

/// Waits until an attempt succeeds, and returns its value. A panic shows the last attempt's error.
pub async fn eventually_ok<T, E: std::fmt::Debug>(
    what: &str,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => {
                assert!(Instant::now() < deadline, "waited {TIMEOUT:?} for {what}: {error:?}");
            }
        }
        sleep(POLL_INTERVAL).await;
    }
}

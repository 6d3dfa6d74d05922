//! The timings that the platform sets for its clients, in the discovery response and in pongs (docs/platforms/feishu.md
//! §10.2).

use std::time::Duration;

use serde_json::Value;

/// Longest accepted value, in seconds: with one ping a day, a connection could be dead for two days unnoticed.
const MAX_SECONDS: u64 = 3600;

/// How often to ping, and how long to wait before reconnecting.
///
/// The platform also sends `ReconnectCount`, after which its own clients give up. This one ignores it and never gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timings {
    /// Interval between pings.
    pub ping_interval: Duration,
    /// Cap on the back-off after transient failures.
    pub reconnect_interval: Duration,
    /// Max jitter before the first reconnect after a loss, so that clients do not all return at once.
    pub reconnect_nonce: Duration,
}

impl Default for Timings {
    /// The official clients' values.
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(120),
            reconnect_interval: Duration::from_secs(120),
            reconnect_nonce: Duration::from_secs(30),
        }
    }
}

impl Timings {
    /// Applies the values that are present and plausible; keeps the others.
    pub(super) fn update(&mut self, given: &Value) {
        let take = |name: &str, setting: &mut Duration| {
            let seconds = given.get(name).and_then(Value::as_u64);
            if let Some(seconds) = seconds.filter(|seconds| (1..=MAX_SECONDS).contains(seconds)) {
                *setting = Duration::from_secs(seconds);
            }
        };
        take("PingInterval", &mut self.ping_interval);
        take("ReconnectInterval", &mut self.reconnect_interval);
        take("ReconnectNonce", &mut self.reconnect_nonce);
    }

    /// Like [`Self::update`], for the payload of a pong, which may be empty or not JSON.
    pub(super) fn update_from(&mut self, payload: &[u8]) {
        if let Ok(given) = serde_json::from_slice::<Value>(payload) {
            self.update(&given);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_plausible_values_are_applied() {
        let seconds = |ping, interval, nonce| Timings {
            ping_interval: Duration::from_secs(ping),
            reconnect_interval: Duration::from_secs(interval),
            reconnect_nonce: Duration::from_secs(nonce),
        };
        for (given, timings) in [
            (
                json!({"ReconnectCount": 3, "ReconnectInterval": 60, "ReconnectNonce": 15, "PingInterval": 90}),
                seconds(90, 60, 15),
            ),
            (json!({"PingInterval": 30}), seconds(30, 120, 30)),
            (json!({"PingInterval": 0, "ReconnectInterval": -1}), seconds(120, 120, 30)),
            (json!({"PingInterval": 3600, "ReconnectNonce": 3601}), seconds(3600, 120, 30)),
            (json!({"PingInterval": "30", "ReconnectInterval": 1.5}), seconds(120, 120, 30)),
            (json!({"PingInterval": null}), seconds(120, 120, 30)),
            (json!({"PingInterval": u64::MAX}), seconds(120, 120, 30)),
            (json!([30]), seconds(120, 120, 30)),
            (json!(null), seconds(120, 120, 30)),
        ] {
            let mut taken = Timings::default();
            taken.update(&given);
            assert_eq!(taken, timings, "{given}");
        }
        let mut timings = Timings::default();
        timings.update_from(b"{\"PingInterval\":");
        timings.update_from(b"");
        assert_eq!(timings, Timings::default());
    }
}

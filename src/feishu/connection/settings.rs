//! The times that the platform sets for its clients, in the discovery answer and in pongs.

use std::time::Duration;

use serde_json::Value;

/// Longer times are not believed: a connection that pings once a day could be dead for two.
const LONGEST: u64 = 3600;

/// How often to ping, and how long to wait before connecting again.
///
/// The platform also sends `ReconnectCount`, after which its own clients give up. This one never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// From one ping to the next.
    pub ping_interval: Duration,
    /// The longest pause between two attempts to connect that failed for passing reasons.
    pub reconnect_interval: Duration,
    /// The first attempt after a loss waits for a random time up to this, so that not all clients come at once.
    pub reconnect_nonce: Duration,
}

impl Default for Settings {
    /// The values of the official clients.
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(120),
            reconnect_interval: Duration::from_secs(120),
            reconnect_nonce: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// Takes over what is there and makes sense; the rest stays as it is.
    pub(super) fn update(&mut self, given: &Value) {
        let take = |name: &str, setting: &mut Duration| {
            let seconds = given.get(name).and_then(Value::as_u64);
            if let Some(seconds) = seconds.filter(|seconds| (1..=LONGEST).contains(seconds)) {
                *setting = Duration::from_secs(seconds);
            }
        };
        take("PingInterval", &mut self.ping_interval);
        take("ReconnectInterval", &mut self.reconnect_interval);
        take("ReconnectNonce", &mut self.reconnect_nonce);
    }

    /// The same for the payload of a pong, which may be empty or anything else.
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
    fn only_what_makes_sense_is_taken_over() {
        let seconds = |ping, interval, nonce| Settings {
            ping_interval: Duration::from_secs(ping),
            reconnect_interval: Duration::from_secs(interval),
            reconnect_nonce: Duration::from_secs(nonce),
        };
        for (given, settings) in [
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
            let mut taken = Settings::default();
            taken.update(&given);
            assert_eq!(taken, settings, "{given}");
        }
        let mut settings = Settings::default();
        settings.update_from(b"{\"PingInterval\":");
        settings.update_from(b"");
        assert_eq!(settings, Settings::default());
    }
}

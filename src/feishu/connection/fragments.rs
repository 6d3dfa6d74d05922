//! Reassembles events that arrive in parts. Parts may arrive in any order and interleaved with other events'. Incomplete
//! events are dropped after a timeout, and their memory is bounded.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// How long an incomplete event is kept (official clients: 5 s and 10 s).
const TIMEOUT: Duration = Duration::from_secs(10);
/// Max parts of one event. The platform does not document its own limit; its payloads are about 30 KB.
const PARTS: usize = 1024;
/// Max bytes of one event, as over HTTP.
const EVENT_LIMIT: usize = 1024 * 1024;
/// Max incomplete events, and bytes in all of them. The oldest is evicted first.
const SETS: usize = 64;
const TOTAL_LIMIT: usize = 8 * 1024 * 1024;
/// Longest message id accepted, in bytes. The platform's have 36.
const ID_LIMIT: usize = 200;

#[derive(Debug)]
struct Set {
    since: Instant,
    sum: usize,
    parts: HashMap<usize, Vec<u8>>,
    bytes: usize,
}

/// The incomplete events of one connection.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    sets: HashMap<String, Set>,
}

impl Fragments {
    /// Adds a part; `seq` is below `sum`. Returns the whole payload if this part completes it.
    pub(super) fn add(
        &mut self,
        message_id: &str,
        seq: usize,
        sum: usize,
        bytes: Vec<u8>,
        now: Instant,
    ) -> Option<Vec<u8>> {
        self.sets.retain(|_, set| now.duration_since(set.since) < TIMEOUT);
        if bytes.len() > EVENT_LIMIT {
            return None;
        }
        if sum == 1 {
            return Some(bytes);
        }
        if sum > PARTS || message_id.len() > ID_LIMIT {
            return None;
        }
        let set = self.sets.entry(message_id.to_owned()).or_insert_with(|| Set {
            since: now,
            sum,
            parts: HashMap::new(),
            bytes: 0,
        });
        if set.sum != sum {
            return None;
        }
        set.bytes = set.bytes.saturating_add(bytes.len());
        if let Some(repeated) = set.parts.insert(seq, bytes) {
            set.bytes = set.bytes.saturating_sub(repeated.len());
        }
        if set.bytes > EVENT_LIMIT {
            self.sets.remove(message_id);
            return None;
        }
        if set.parts.len() < sum {
            self.evict();
            return None;
        }
        let set = self.sets.remove(message_id)?;
        let mut parts: Vec<_> = set.parts.into_iter().collect();
        parts.sort_by_key(|(seq, _)| *seq);
        Some(parts.into_iter().flat_map(|(_, bytes)| bytes).collect())
    }

    /// Returns how many bytes all held parts have.
    pub(super) fn bytes(&self) -> usize {
        self.sets.values().map(|set| set.bytes).sum()
    }

    fn evict(&mut self) {
        while self.sets.len() > SETS || self.bytes() > TOTAL_LIMIT {
            let oldest = self.sets.iter().min_by_key(|(_, set)| set.since);
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else { return };
            self.sets.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test(start_paused = true)]
    async fn an_incomplete_event_is_dropped_after_the_timeout() {
        let mut fragments = Fragments::default();
        let start = Instant::now();
        assert_eq!(fragments.add("m", 0, 2, b"a".to_vec(), start), None);
        let late = start + TIMEOUT;
        assert_eq!(fragments.add("m", 1, 2, b"b".to_vec(), late), None);
        assert_eq!(fragments.add("m", 0, 2, b"a".to_vec(), late), Some(b"ab".to_vec()));
        assert!(fragments.sets.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn contradictory_and_oversized_parts_are_dropped() {
        let (mut fragments, now) = (Fragments::default(), Instant::now());
        assert_eq!(fragments.add("m", 0, 2, b"a".to_vec(), now), None);
        assert_eq!(fragments.add("m", 1, 3, b"b".to_vec(), now), None);
        assert_eq!(fragments.add("m", 1, 2, b"b".to_vec(), now), Some(b"ab".to_vec()));
        assert_eq!(fragments.add("m", 0, PARTS + 1, vec![], now), None);
        assert_eq!(fragments.add("m", 0, usize::MAX, vec![], now), None);
        assert_eq!(fragments.add(&"m".repeat(ID_LIMIT + 1), 0, 2, vec![], now), None);
        assert!(fragments.sets.is_empty());
        assert_eq!(fragments.add("m", 0, 1, vec![0; EVENT_LIMIT + 1], now), None);
        for seq in 0..3 {
            assert_eq!(fragments.add("m", seq, 3, vec![0; EVENT_LIMIT / 2], now), None);
        }
        assert!(fragments.sets.values().all(|set| set.bytes <= EVENT_LIMIT));
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_of_incomplete_events_is_bounded() {
        let (mut fragments, now) = (Fragments::default(), Instant::now());
        for number in 0..1000_u32 {
            let at = now + Duration::from_micros(number.into());
            assert_eq!(fragments.add(&number.to_string(), 0, 2, vec![0; 200_000], at), None);
            assert!(fragments.sets.len() <= SETS);
            assert!(fragments.sets.values().map(|set| set.bytes).sum::<usize>() <= TOTAL_LIMIT);
        }
        assert!(fragments.sets.contains_key("999") && !fragments.sets.contains_key("0"));
    }

    proptest! {
        #[test]
        fn parts_in_any_order_give_the_whole_payload(
            payload in prop::collection::vec(any::<u8>(), 1..200),
            order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let size = payload.len().div_ceil(8);
            let part = |seq: usize| {
                payload.iter().skip(seq * size).take(size).copied().collect::<Vec<u8>>()
            };
            let (mut fragments, now) = (Fragments::default(), Instant::now());
            let mut whole = None;
            for (count, seq) in order.into_iter().enumerate() {
                whole = fragments.add("m", seq, 8, part(seq), now);
                prop_assert_eq!(whole.is_some(), count == 7);
            }
            prop_assert_eq!(whole, Some(payload));
        }
    }
}

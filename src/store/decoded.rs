//! Rows that were decoded before.
//!
//! Cards read the same rows again and again, and decoding them from JSON took three quarters of a card's time. A value
//! follows from its bytes alone: where the bytes are the same, the value that they gave before is copied. So nothing has
//! to be told when a row changes, and a snapshot that still sees the former bytes gets the former value.

use std::any::Any;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use parking_lot::Mutex;
use redb::Key;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::tables::Json;

/// How many rows are kept. A user or a link takes one to two kilobytes, so that they stay under 16 MB.
const SLOTS: usize = 8192;

/// The rows, each at the place that its bytes choose. A new one takes the place of the former.
static KEPT: [Mutex<Option<Kept>>; SLOTS] = [const { Mutex::new(None) }; SLOTS];

struct Kept {
    table: &'static str,
    bytes: Box<[u8]>,
    value: Arc<dyn Any + Send + Sync>,
}

impl<K: Key + 'static, T: DeserializeOwned + Clone + Send + Sync + 'static> Json<K, T> {
    /// Like [`Json::decode`], for rows that are read often. Not for rows with secrets: it keeps them in memory.
    pub(super) fn decode_again(self, bytes: &[u8]) -> Result<T, StoreError> {
        let Some(slot) = KEPT.get(place(self.name(), bytes)) else { return self.decode(bytes) };
        let known = slot.lock().as_ref().and_then(|kept| kept.value_of(self.name(), bytes));
        if let Some(value) = known.as_deref().and_then(|value| value.downcast_ref::<T>()) {
            return Ok(value.clone());
        }
        let value = self.decode(bytes)?;
        let kept = Kept { table: self.name(), bytes: bytes.into(), value: Arc::new(value.clone()) };
        *slot.lock() = Some(kept);
        Ok(value)
    }
}

impl Kept {
    fn value_of(&self, table: &str, bytes: &[u8]) -> Option<Arc<dyn Any + Send + Sync>> {
        (self.table == table && *self.bytes == *bytes).then(|| self.value.clone())
    }
}

fn place(table: &str, bytes: &[u8]) -> usize {
    let mut hasher = DefaultHasher::new();
    table.hash(&mut hasher);
    bytes.hash(&mut hasher);
    usize::try_from(hasher.finish() % SLOTS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: Json<&'static str, Vec<u32>> = Json::new("numbers");
    const TEXTS: Json<&'static str, Vec<u32>> = Json::new("texts");

    #[test]
    fn the_value_follows_the_bytes_and_the_table() {
        for _ in 0..3 {
            assert_eq!(NUMBERS.decode_again(b"[1,2]").unwrap(), [1, 2]);
            assert_eq!(NUMBERS.decode_again(b"[1,3]").unwrap(), [1, 3]);
            assert_eq!(TEXTS.decode_again(b"[1,2]").unwrap(), [1, 2]);
            assert!(NUMBERS.decode_again(b"[1,").is_err());
        }
        // Rows of one table are read by several types while a layout changes.
        let other: Json<&'static str, Vec<u64>> = NUMBERS.holding();
        assert_eq!(other.decode_again(b"[1,2]").unwrap(), [1u64, 2]);
    }

    #[test]
    fn more_rows_than_are_kept_are_read_right() {
        for round in 0..2 {
            for number in 0..2 * SLOTS {
                let bytes = format!("[{number}]");
                let value = NUMBERS.decode_again(bytes.as_bytes()).unwrap();
                assert_eq!(value, [u32::try_from(number).unwrap()], "round {round}");
            }
        }
    }
}

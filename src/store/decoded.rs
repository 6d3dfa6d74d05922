//! Rows that were decoded before.
//!
//! Cards read the same rows again and again, and decoding them from JSON took three quarters of a card's time. A value
//! follows from its bytes alone: where the bytes are the same, the value that they gave before is copied. So nothing has
//! to be told when a row changes, and a snapshot that still sees the former bytes gets the former value.

use std::any::Any;
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock};

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use redb::Key;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::tables::Json;

/// How many places there are. Each keeps two rows: a user or a link takes one to two kilobytes, so that they stay under
/// 16 MB.
const PLACES: usize = 4096;

/// The rows, each at the place that its bytes choose, the one used last first. A new one takes the place of the other.
static KEPT: [Mutex<[Option<Kept>; 2]>; PLACES] = [const { Mutex::new([None, None]) }; PLACES];

static HASH: LazyLock<RandomState> = LazyLock::new(RandomState::default);

struct Kept {
    table: &'static str,
    bytes: Box<[u8]>,
    value: Arc<dyn Any + Send + Sync>,
}

impl<K: Key + 'static, T: DeserializeOwned + Clone + Send + Sync + 'static> Json<K, T> {
    /// Like [`Json::decode`], for rows that are read often. Not for rows with secrets: it keeps them in memory.
    pub(super) fn decode_again(self, bytes: &[u8]) -> Result<T, StoreError> {
        self.decode_shared(bytes).map(Arc::unwrap_or_clone)
    }

    /// Like [`Json::decode_again`], for large rows, which are not copied.
    pub(super) fn decode_shared(self, bytes: &[u8]) -> Result<Arc<T>, StoreError> {
        let place = KEPT.get(place(self.name(), bytes));
        let known = place.and_then(|place| known(&mut place.lock(), self.name(), bytes));
        if let Some(value) = known.and_then(|value| value.downcast::<T>().ok()) {
            return Ok(value);
        }
        let value = Arc::new(self.decode(bytes)?);
        if let Some(place) = place {
            let kept = Kept { table: self.name(), bytes: bytes.into(), value: value.clone() };
            let [first, second] = &mut *place.lock();
            *second = first.replace(kept);
        }
        Ok(value)
    }
}

/// Returns a row of a place, which then is the one used last.
fn known(
    place: &mut [Option<Kept>; 2],
    table: &str,
    bytes: &[u8],
) -> Option<Arc<dyn Any + Send + Sync>> {
    let is_it = |kept: &&Kept| kept.table == table && *kept.bytes == *bytes;
    let at = place.iter().position(|kept| kept.as_ref().filter(is_it).is_some())?;
    place.rotate_left(at);
    place.first()?.as_ref().map(|kept| kept.value.clone())
}

fn place(table: &str, bytes: &[u8]) -> usize {
    usize::try_from(HASH.hash_one((table, bytes)) % PLACES as u64).unwrap_or(0)
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
            for number in 0..4 * PLACES {
                let bytes = format!("[{number}]");
                let value = NUMBERS.decode_again(bytes.as_bytes()).unwrap();
                assert_eq!(value, [u32::try_from(number).unwrap()], "round {round}");
            }
        }
    }
}

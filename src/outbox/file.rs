//! A file written in memory, no larger than Feishu accepts.

use std::io;

/// The largest file that Feishu accepts ("Upload file": 30 MB).
const LIMIT: usize = 30 * 1024 * 1024;

/// A buffer that fails to grow past the limit.
#[derive(Default)]
pub(super) struct Bounded {
    bytes: Vec<u8>,
}

impl Bounded {
    /// Returns the bytes written so far.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl io::Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(more.len()) > LIMIT {
            return Err(io::Error::other("the file is too large"));
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn it_accepts_what_a_chat_accepts() {
        let mut file = Bounded::default();
        file.write_all(&vec![0; LIMIT]).unwrap();
        assert!(file.write_all(b"x").is_err());
        assert_eq!(file.into_bytes().len(), LIMIT);
    }
}

//! Messages of one chat are handled in the order in which they arrive; chats do not wait for each other.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// Hands out turns: first come, first served within a chat.
#[derive(Default)]
pub struct ChatOrder {
    chats: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl ChatOrder {
    /// Waits for a turn in this chat. It ends when the guard is dropped.
    pub async fn turn(&self, chat: &str) -> OwnedMutexGuard<()> {
        let queue = {
            let mut chats = self.chats.lock();
            // Drop chats that nobody waits for.
            chats.retain(|_, queue| Arc::strong_count(queue) > 1);
            Arc::clone(chats.entry(chat.to_owned()).or_default())
        };
        queue.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn one_chat_waits_for_itself_only() {
        let order = ChatOrder::default();
        let first = order.turn("a").await;
        assert!(order.turn("a").now_or_never().is_none());
        assert!(order.turn("b").now_or_never().is_some());
        drop(first);
        assert!(order.turn("a").now_or_never().is_some());
        drop(order.turn("c").await);
        assert!(order.chats.lock().len() <= 2);
    }
}

//! The operator: asked before every step.

use std::io::{BufRead, IsTerminal};

use secrecy::SecretString;

use super::super::{Failure, output};
use crate::config::unmarked;

/// Asks the operator.
pub(super) struct Desk {
    /// Whether everything has been agreed to.
    pub(super) yes: bool,
}

impl Desk {
    /// Asks a question that only `y` or `yes` agrees to; the end of the input does not.
    pub(super) async fn agrees(&self, question: &str) -> bool {
        if self.yes {
            return true;
        }
        output::ask(&format!("{question} [y/N] "));
        let answer = on_a_thread(|| {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        let answer = answer.await.unwrap_or_default();
        ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
    }

    /// Reads a secret: without echo on a terminal, else a line of standard input. `None` if there is none.
    pub(super) async fn secret(&self, prompt: &str) -> Result<Option<SecretString>, Failure> {
        let prompt = prompt.to_owned();
        let read = on_a_thread(move || {
            if std::io::stdin().is_terminal() {
                return rpassword::prompt_password(prompt);
            }
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        let text = read
            .await
            .map_err(|error| Failure::Failed(format!("cannot read the API key: {error}")))?;
        let text = unmarked(text.trim()).trim().to_owned();
        Ok((!text.is_empty()).then(|| text.into()))
    }
}

/// Reads on a thread that nothing waits for: an interrupted command ends although nobody types.
async fn on_a_thread<T: Send + 'static>(
    read: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let (send, receive) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // An Err means that nobody waits any more.
        let _ = send.send(read());
    });
    receive.await.unwrap_or_else(|_| Err(std::io::ErrorKind::UnexpectedEof.into()))
}

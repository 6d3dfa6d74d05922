//! Reads what the operator types, on threads that nothing waits for: an interrupted command ends although nobody types.

use std::io::{BufRead, IsTerminal};

use secrecy::SecretString;

use super::output;
use crate::config::unmarked;

/// Asks on standard error, and reads a line of standard input. `None` at the end of the input.
pub(super) async fn line(question: &str) -> std::io::Result<Option<String>> {
    output::ask(question);
    let read = on_a_thread(|| {
        let mut line = String::new();
        let length = std::io::stdin().lock().read_line(&mut line)?;
        Ok((length > 0).then_some(line))
    });
    Ok(read.await?.map(|line| unmarked(line.trim()).trim().to_owned()))
}

/// Reads a secret: without echo on a terminal, else a line of standard input. `None` if there is none.
pub(super) async fn secret(prompt: &str) -> std::io::Result<Option<SecretString>> {
    let prompt = prompt.to_owned();
    let read = on_a_thread(move || {
        if std::io::stdin().is_terminal() {
            return rpassword::prompt_password(prompt);
        }
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let text = read.await?;
    let text = unmarked(text.trim()).trim().to_owned();
    Ok((!text.is_empty()).then(|| text.into()))
}

/// Lets the terminal show again what is typed: a question that was interrupted cannot do so itself any more.
pub(super) fn show_input_again() {
    if std::io::stdin().is_terminal() {
        // Without `stty` there is nothing to do.
        let _ = std::process::Command::new("stty").arg("echo").status();
    }
}

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

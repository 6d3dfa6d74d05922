//! The operator: asked before every step.

use secrecy::SecretString;

use super::super::{Failure, desk};

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
        let answer = desk::line(&format!("{question} [y/N] ")).await;
        let answer = answer.ok().flatten().unwrap_or_default();
        ["y", "yes"].contains(&answer.to_lowercase().as_str())
    }

    /// Reads a secret: without echo on a terminal, else a line of standard input. `None` if there is none.
    pub(super) async fn secret(&self, prompt: &str) -> Result<Option<SecretString>, Failure> {
        desk::secret(prompt)
            .await
            .map_err(|error| Failure::Failed(format!("cannot read the API key: {error}")))
    }
}

//! The person with the phone, for the registration of an app.

use super::handle::FakeFeishu;
use super::registration::{Decision, Launcher, Registration, RegistrationRules, decide};

impl FakeFeishu {
    /// The app does not exist yet: it is made by QR code, under these rules.
    pub fn expect_registration(&self, rules: RegistrationRules) {
        self.core.change(|state| {
            state.registration = Registration::under(rules);
        });
    }

    /// The address of the accounts host of Lark.
    pub fn lark_accounts_url(&self) -> String {
        self.core.url.replace("127.0.0.1", "localhost")
    }

    /// A person opens the link that the QR code holds, and decides.
    ///
    /// # Errors
    /// What the page says instead: the code is unknown, used or expired.
    pub fn scan(&self, link: &str, person: &str, decision: Decision) -> Result<Launcher, String> {
        let query = link.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let query: Vec<(String, String)> = reqwest::Url::parse(&format!("http://page/?{query}"))
            .map_err(|error| error.to_string())?
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        decide(&self.core, &query, person, decision)
    }
}

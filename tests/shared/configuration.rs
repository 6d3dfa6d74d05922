//! Configuration files.

use toml::{Table, Value};

/// The key that seals account secrets in the tests' stores.
pub const MASTER_KEY: [u8; 32] = [0x11; 32];
/// An address where nothing listens.
pub const NOWHERE: &str = "http://127.0.0.1:1";

/// A configuration file, built key by key.
#[derive(Clone, Debug)]
pub struct Configuration(Table);

impl Configuration {
    /// A complete configuration for platforms that cannot be reached.
    pub fn offline() -> Self {
        Self(Table::new())
            .set("server.listen", "127.0.0.1:0")
            .set("feishu.base_url", NOWHERE)
            .set("feishu.mode", "webhook")
            .set("feishu.app_id", "cli_test")
            .set("feishu.app_secret", "test-app-secret")
            .set("feishu.verification_token", "test-verification-token")
            .set("feishu.encrypt_key", "test-encrypt-key")
            .set("feishu.admins", vec!["ou_admin"])
            .set("volcengine.iam_endpoint", NOWHERE)
            .set("volcengine.billing_endpoint", NOWHERE)
            .set("volcengine.ark_endpoint", NOWHERE)
            .set("volcengine.qps", 1000)
            .set("volcengine.ark_qps", 1000)
            .set("store.path", "data/airgate.redb")
            .set("security.master_key", hex::encode(MASTER_KEY))
    }

    /// Sets a key such as `monitor.enabled`.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        let (section, name) = key.split_once('.').unwrap();
        let section = self.0.entry(section).or_insert_with(|| Table::new().into());
        section.as_table_mut().unwrap().insert(name.to_owned(), value.into());
        self
    }

    pub fn to_toml(&self) -> String {
        self.0.to_string()
    }

    pub fn master_key(&self) -> [u8; 32] {
        let key = self.0["security"]["master_key"].as_str().unwrap();
        hex::decode(key).unwrap().try_into().unwrap()
    }
}

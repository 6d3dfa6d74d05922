//! The default of `feishu.mode`, and files that are older than it.

use super::*;

/// Before the long connection was the default, a file for webhooks did not need to say so.
#[test]
fn a_file_for_webhooks_without_a_mode_goes_on_as_such_and_says_so() {
    for key in ["verification_token", "verification_token_file", "encrypt_key"] {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("token"), "t").unwrap();
        let value = if key.ends_with("_file") { "token" } else { "t" };
        let file = format!("[feishu]\n{key} = \"{value}\"");
        let mut variables = required();
        if key != "encrypt_key" {
            variables.retain(|(name, _)| name != "AIRGATE__FEISHU__VERIFICATION_TOKEN");
        }
        let config = Config::parse(&file, folder.path(), variables).unwrap();
        assert!(matches!(config.feishu.events, Events::Webhook(_)), "{key}");
        assert!(config.warnings()[0].starts_with("feishu.mode is not set, but"), "{key}");
    }
    let chosen = load_with_required("[feishu]\nmode = \"webhook\"\nencrypt_key = \"e\"").unwrap();
    assert!(chosen.warnings().is_empty());
    let chosen = load_with_required("[feishu]\nmode = \"websocket\"\nencrypt_key = \"e\"").unwrap();
    assert!(matches!(chosen.feishu.events, Events::Websocket) && chosen.warnings().is_empty());
}

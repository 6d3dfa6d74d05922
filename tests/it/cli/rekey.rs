//! `airgate rekey`.

use airgate::domain::AccountId;
use airgate::store::Store;

use super::with_account;
use crate::shared::process::run;

const NEW_KEY: [u8; 32] = [0x22; 32];

#[test]
fn rekey_is_all_or_nothing_and_the_old_key_opens_nothing_afterwards() {
    let home = with_account();
    home.feed(&["rekey"], "too short\n").refused(2, "openssl rand -base64 32");
    home.feed(&["rekey"], "").refused(2, "AIRGATE_NEW_MASTER_KEY");
    home.feed(&["rekey"], &"11".repeat(32)).refused(1, "already in use");
    home.run(&["account", "list"]).good();

    let done_with = home.feed(&["rekey"], &format!("{}\n", "22".repeat(32)));
    assert!(done_with.good().starts_with("1 key pair re-encrypted"), "{}", done_with.out);
    assert!(!done_with.out.contains("2222"));
    home.run(&["account", "list"]).refused(1, "security.master_key is not the key");
    home.run(&["export", "users"]).refused(1, "security.master_key is not the key");
    let store = Store::open(&home.store_path(), &NEW_KEY).unwrap();
    assert!(store.account_secrets(&AccountId::new("main").unwrap()).unwrap().is_some());
    drop(store);

    let mut back = home.command(&["rekey"]);
    back.env("AIRGATE__SECURITY__MASTER_KEY", "22".repeat(32));
    back.env("AIRGATE_NEW_MASTER_KEY", "11".repeat(32));
    assert_eq!(run(back, "").code, 0);
    home.run(&["account", "list"]).good();
}

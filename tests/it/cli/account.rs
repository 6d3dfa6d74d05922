//! `airgate account`.

use std::os::unix::fs::PermissionsExt;

use airgate::domain::AccountId;
use secrecy::ExposeSecret;

use super::{PAIR, add_account, offline};

#[test]
fn an_account_is_added_listed_rotated_and_switched() {
    let home = offline();
    assert!(home.run(&["account", "list"]).good().contains("airgate account add ID"));
    home.feed(&["account", "rotate", "main"], PAIR).refused(1, "there is no account `main`");
    add_account(&home);
    home.feed(&["account", "add", "main"], PAIR).refused(1, "airgate account rotate main");
    home.feed(&["account", "add", "Main"], PAIR).refused(2, "lower-case");
    home.feed(&["account", "rotate", "main"], "only one line\n").refused(1, "two lines");

    let list = home.run(&["account", "list"]);
    let lines: Vec<&str> = list.good().lines().collect();
    assert!(lines[0].starts_with("id    name      access key"), "{}", list.out);
    assert!(lines[1].starts_with("main  云上主体  AKLT") && lines[1].contains("  on  "));

    let rotated = home.feed(&["account", "rotate", "main"], "AKLTnew00000000999\nnew-secret\n");
    assert!(rotated.good().contains("AKLT"));
    assert!(!rotated.out.contains("AKLTnew00000000999") && !rotated.out.contains("new-secret"));
    for (word, state) in [("disable", "off"), ("enable", "on")] {
        let switched = home.run(&["account", word, "main"]);
        assert_eq!(switched.good(), format!("account `main` is {state}\n"));
        assert!(home.run(&["account", "list"]).good().contains(&format!("  {state}  ")));
    }
    home.run(&["account", "disable", "other"]).refused(1, "there is no account `other`");
    let secrets = home.store().account_secrets(&AccountId::new("main").unwrap()).unwrap().unwrap();
    assert_eq!(secrets.secret_key.expose_secret(), "new-secret");
}

#[test]
fn accounts_are_added_from_standard_input_and_listed_without_their_secrets() {
    const KEY_ID: &str = "AKLTNmU4ZjE3NWI4ZWRhNGQ2";
    const SECRET: &str = "TVRsbU9HTTNZV0k0WXpNeg==";
    let home = offline();
    home.run(&["account", "list"]).good();
    let pair = format!("{KEY_ID}\n{SECRET}\n");
    let added = home.feed(&["account", "add", "labs", "--name", "实验室"], &pair);
    assert_eq!(added.code, 0, "{added:?}");
    let listed = home.run(&["account", "list"]);
    for shown in ["labs", "实验室", "AKLT…NGQ2", "on"] {
        assert!(listed.out.contains(shown), "{listed:?}");
    }
    for output in [&added, &listed] {
        let written = output.all();
        assert!(!written.contains(KEY_ID) && !written.contains(SECRET), "{written}");
    }

    // Wrong input changes nothing and says why.
    for (arguments, input, code) in [
        (&["account", "add", "labs"][..], "AKLTNmU4ZjE3NWI4ZWRhNGQ2\nsecret\n", 1),
        (&["account", "add", "more"], "AKLTNmU4ZjE3NWI4ZWRhNGQ2\n", 1),
        (&["account", "add", "more"], "", 1),
        (&["account", "add", "More"], "AKLTNmU4ZjE3NWI4ZWRhNGQ2\nsecret\n", 2),
        (&["account"], "", 2),
    ] {
        let refused = home.feed(arguments, input);
        assert_eq!(refused.code, code, "{arguments:?}: {refused:?}");
        assert!(!refused.err.is_empty() && !refused.err.contains("secret\n"), "{refused:?}");
    }
    assert_eq!(home.run(&["account", "list"]).out, listed.out);

    let mode = std::fs::metadata(home.store_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let bytes = std::fs::read(home.store_path()).unwrap();
    for secret in [KEY_ID, SECRET] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is readable in the store");
    }
    let secrets = home.store().account_secrets(&AccountId::new("labs").unwrap()).unwrap().unwrap();
    assert_eq!(secrets.access_key_id.expose_secret(), KEY_ID);
    assert_eq!(secrets.secret_key.expose_secret(), SECRET);
}

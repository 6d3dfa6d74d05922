//! Input that is refused.

use serde_json::json;

use super::{bed, create, full, made};
use crate::bed::{ADMIN, VIEWER, phrase, text, text_of, toast_of};
use crate::bot::actions::op_of;

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_stays_in_the_form_and_creates_nothing() {
    let bed = bed().await;
    let form = bed.ask(ADMIN, "/create").await;
    let bad_name = |name: &str| text("create.bad_username", &[("name", &name)]);
    for (field, value, refusal) in [
        ("username", "al ice", bad_name("al ice")),
        ("username", "张三", bad_name("张三")),
        ("username", "alice", text("create.exists", &[("user", &"main/alice")])),
        ("email", "a@b", text("refusal.bad_email", &[("text", &"a@b")])),
        ("phone", "138-0000", text("refusal.bad_mobile", &[("text", &"138-0000")])),
        ("quota", "1,00", phrase("refusal.amount_commas")),
        ("quota", "0", phrase("refusal.amount_zero")),
        ("quota", "-5", phrase("create.bad_quota")),
    ] {
        let mut fields = full();
        fields[field] = value.into();
        let op = op_of(&bed, &form.message_id, "user.create");
        let result = bed.submit(ADMIN, &form.message_id, "user.create", fields.clone()).await;
        let label = match field {
            "email" | "phone" => phrase(&format!("user.{field}")),
            field => phrase(&format!("create.{field}")),
        };
        let fault = text("create.fault", &[("field", &label), ("reason", &refusal)]);
        assert_eq!(toast_of(&result), format!("error: {fault}"), "{field} {value}");
        // The form keeps every field as typed, and can be sent again.
        for name in ["username", "display_name", "email", "phone", "quota"] {
            let kept = bed.field(&form.message_id, name);
            assert_eq!(kept, fields[name], "{name} after {field} {value}");
        }
        assert_ne!(op_of(&bed, &form.message_id, "user.create"), op, "{field} {value}");
    }
    // Everything that is wrong is named at once, each with its field.
    let mut fields = full();
    for (field, value) in [("username", "al ice"), ("phone", "138-0000"), ("quota", "0")] {
        fields[field] = value.into();
    }
    bed.submit(ADMIN, &form.message_id, "user.create", fields).await;
    let shown = bed.texts(&form.message_id);
    for (label, refusal) in [
        ("create.username", bad_name("al ice")),
        ("user.phone", text("refusal.bad_mobile", &[("text", &"138-0000")])),
        ("create.quota", phrase("refusal.amount_zero")),
    ] {
        let fault = text("create.fault", &[("field", &phrase(label)), ("reason", &refusal)]);
        assert!(shown.contains(&fault), "{fault}: {shown}");
    }
    // A forged project, an unknown creation, and a person without the role.
    let forged = json!({"action": "user.create", "op": "forged-1"});
    let mut fields = full();
    fields["project"] = "nowhere".into();
    let result = bed.forged(ADMIN, &form.message_id, forged.clone(), Some(fields)).await;
    assert!(
        toast_of(&result).contains(&text("create.bad_project", &[("name", &"nowhere")])),
        "{}",
        toast_of(&result)
    );
    let mut value = forged;
    value["op"] = "forged-2".into();
    value["creation"] = 99.into();
    let result = bed.forged(ADMIN, &form.message_id, value.clone(), None).await;
    assert!(toast_of(&result).contains(&phrase("create.forgotten")), "{}", toast_of(&result));
    value["op"] = "forged-3".into();
    let result = bed.forged(VIEWER, &form.message_id, value, None).await;
    assert!(toast_of(&result).starts_with("error"), "{}", toast_of(&result));
    bed.settled().await;
    assert_eq!(bed.cloud.count("CreateUser"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_exists_only_in_the_cloud_is_left_alone() {
    let bed = bed().await;
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().add_user("bob");
    });
    let card = create(&bed, full()).await;
    let exists = text("create.exists_in_cloud", &[("user", &"main/bob")]);
    assert!(text_of(&card).contains(&exists), "{}", text_of(&card));
    assert!(card.content.contains("bob@example.com"));
    assert_eq!(bed.cloud.count("CreateUser"), 0);
    assert!(made(&bed).unwrap().keys.is_empty());
    assert_eq!(bed.store.read(|tx| tx.user(&"main/bob".parse().unwrap())).unwrap(), None);
}

//! All output of a service and its commands.

use airgate::sandbox::feishu::connection::Times;
use airgate::sandbox::feishu::{Fault as ChatFault, FaultRule as ChatRule, Sealed};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use serde_json::json;

use super::{
    APP_ID, APP_SECRET, Canaries, ENCRYPT_KEY, HOOK_SECRET, KEY, LABS_KEY, LABS_SECRET,
    NEW_MASTER_KEY, OTHER_HOOK, SECRET, SECRETS, TOKEN, WRONG_SECRET, clean,
};
use crate::bed::{ADMIN, GROUP, eventually, fragment, phrase, text_of};
use crate::shared::process::Process;

/// Uses every command and card that handles secrets, while platforms repeat secrets in their errors.
async fn everything_in_chat(canaries: &Canaries) {
    canaries.ask("/help").await;
    canaries.ask("/sync").await;
    let accounts = canaries.ask("/accounts").await;
    let pair = |secret: &str| json!({"account": "labs", "name": "实验室", "access_key": LABS_KEY, "secret_key": secret});
    canaries.submit(&accounts, "account.save", pair(WRONG_SECRET)).await;
    let refused = fragment("accounts.refused");
    canaries.shows(&accounts, &refused).await;
    // The cloud repeats secrets in an error so long that it is truncated within one of them.
    let padding = "x".repeat(280);
    let echo = format!("secret {LABS_SECRET} of {LABS_KEY} {padding} {LABS_SECRET} {SECRET} {KEY}");
    let fault = Fault::Code { http: 403, code: "AccessDenied".to_owned(), message: echo };
    canaries.cloud.faults().inject(FaultRule::new(fault).of("labs"));
    canaries.submit(&accounts, "account.save", pair(LABS_SECRET)).await;
    canaries.shows(&accounts, "AccessDenied").await;
    canaries.cloud.faults().clear();
    canaries.submit(&accounts, "account.save", pair(LABS_SECRET)).await;
    canaries.shows(&accounts, "AKLT…labs").await;
    let echo = format!("{padding:.250} {SECRET} {KEY}");
    let fault = Fault::Code { http: 403, code: "AccessDenied".to_owned(), message: echo };
    canaries.cloud.faults().inject(FaultRule::new(fault).of("main"));
    let sync = canaries.ask("/sync").await;
    canaries.shows(&sync, "AccessDenied").await;
    canaries.ask("/monitor run").await;
    canaries.cloud.faults().clear();

    // A new user's secrets are sent to the operator, once. Feishu's error about the first attempt must not show anywhere.
    let form = canaries.ask("/create").await;
    let refusal = |msg: String| ChatFault::Code { http: 400, code: 11_232, msg };
    let fault = refusal(format!("{APP_SECRET} {HOOK_SECRET}"));
    canaries.feishu.faults().inject(ChatRule::new(fault).on("send").times(2));
    let fields = json!({"username": "bob", "display_name": "鲍勃", "project": "team-a", "quota": "100",
        "login": true, "access_key": true, "account": "main"});
    canaries.submit(&form, "user.create", fields).await;
    canaries.shows(&form, "bob").await;
    eventually("bob's password and key", || canaries.created().len() == 2).await;
    let chat = canaries.feishu.direct_chat(ADMIN);
    let title = fragment("create.secrets_title");
    eventually("the secrets to arrive", || {
        let messages = canaries.feishu.messages(&chat);
        messages.iter().any(|message| text_of(message).contains(&title))
    })
    .await;

    // Settings with the address of a webhook: refused, saved, tested; then the webhook repeats secrets in an error.
    let settings = canaries.ask("/config").await;
    let other = canaries.feishu.add_hook(OTHER_HOOK, Some(HOOK_SECRET), GROUP);
    let fields = |thresholds: &str| {
        json!({"thresholds": thresholds, "interval_seconds": "3600", "webhook_url": other,
        "mobiles": "", "alert_chat_id": GROUP})
    };
    canaries.submit(&settings, "config.save", fields("never")).await;
    let settings = canaries.ask("/config").await;
    canaries.submit(&settings, "config.save", fields("50")).await;
    let msg = format!("{padding:.390} {HOOK_SECRET} {OTHER_HOOK}");
    canaries.feishu.faults().inject(ChatRule::new(refusal(msg)).on("hook").times(1));
    canaries.press(&settings, json!({"action": "config.test"})).await;
    eventually("the test at the webhook", || {
        let sent = canaries.feishu.messages(GROUP);
        sent.iter().filter(|message| message.content.contains(&phrase("alert.test"))).count() >= 2
    })
    .await;

    for table in ["users", "spending", "ledger", "alerts"] {
        canaries.ask(&format!("/export {table}")).await;
    }
    for command in
        ["/users", "/user alice", "/quota alice 5", "/billing", "/alerts", "/monitor", "/me"]
    {
        canaries.ask(command).await;
    }
}

/// Callbacks that the platform would not send.
async fn bad_callbacks(canaries: &Canaries, process: &Process) {
    let address = format!("http://{}/feishu/event", process.listening());
    let envelope = |token: &str| json!({"schema": "2.0", "header": {"token": token, "app_id": APP_ID}, "event": {}});
    let mut bodies: Vec<Sealed> =
        ["other", TOKEN].iter().map(|token| canaries.feishu.seal(&envelope(token))).collect();
    bodies.push(Sealed { headers: Vec::new(), body: envelope(TOKEN).to_string() });
    bodies.push(Sealed { headers: Vec::new(), body: format!("{TOKEN} {ENCRYPT_KEY}") });
    let mut unsigned = canaries.feishu.seal(&envelope(TOKEN));
    unsigned.headers.clear();
    bodies.push(unsigned);
    let client = reqwest::Client::new();
    for sealed in bodies {
        let mut request = client.post(&address).body(sealed.body);
        for (name, value) in sealed.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        assert!(response.status().is_client_error());
        clean("a refusal", &response.bytes().await.unwrap(), SECRETS);
    }
}

async fn pages(process: &Process) {
    for page in ["metrics", "readyz", "healthz"] {
        let address = format!("http://{}/{page}", process.listening());
        let text = reqwest::get(address).await.unwrap().text().await.unwrap();
        clean(page, text.as_bytes(), SECRETS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_appears_in_any_output() {
    let canaries = Canaries::start().await;
    assert_eq!(canaries.run(&["account", "add", "main"], &format!("{KEY}\n{SECRET}\n")).code, 0);
    assert_eq!(canaries.run(&["account", "add", "main"], &format!("{KEY}\n{SECRET}\n")).code, 1);
    assert_eq!(canaries.run(&["account", "rotate", "main"], &format!("{KEY}\n")).code, 1);
    assert_eq!(canaries.run(&["check", "--offline"], "").code, 0);
    assert_eq!(canaries.run(&["check"], "").code, 0);

    // Platforms that fail from the start, with long errors.
    let msg = format!("{} {APP_SECRET}", "x".repeat(385));
    let wrong = ChatFault::Code { http: 200, code: 10_014, msg };
    canaries.feishu.faults().inject(ChatRule::new(wrong).on("token").times(2));
    let echo = format!("{} {SECRET} {KEY}", "x".repeat(285));
    let fault = Fault::Code { http: 403, code: "SignatureDoesNotMatch".to_owned(), message: echo };
    canaries.cloud.faults().inject(FaultRule::new(fault));
    assert_eq!(canaries.run(&["check"], "").code, 1);
    canaries.cloud.faults().clear();

    let process = canaries.serve("trace");
    everything_in_chat(&canaries).await;
    bad_callbacks(&canaries, &process).await;
    pages(&process).await;
    let mut tokens = canaries.feishu.read(|state| state.tokens());
    canaries.feishu.revoke_tokens();
    canaries.ask("/help").await;
    tokens.extend(canaries.feishu.read(|state| state.tokens()));
    let webhook = process.terminate().log;
    assert!(webhook.contains("\"TRACE\""), "the finest level was not logged");

    // The same over the long connection, which is refused, broken, and closed with the address in the reason.
    canaries.home.configure(&canaries.configuration().set("feishu.mode", "websocket"));
    let busy = ChatFault::Code { http: 200, code: 1, msg: format!("busy with {APP_SECRET}") };
    canaries.feishu.faults().inject(ChatRule::new(busy).on("connection.endpoint").times(1));
    let connections = canaries.feishu.connections();
    connections.set_times(Times { ping: 1, reconnect: 1, nonce: 1 });
    let filter = "trace,tungstenite::handshake::client=trace,tokio_tungstenite=trace";
    let process = canaries.serve(filter);
    let open = |canaries: &Canaries| canaries.feishu.connections().overview().open > 0;
    eventually("the long connection", || open(&canaries)).await;
    canaries.ask("/accounts").await;
    connections.drop_all();
    eventually("the long connection again", || open(&canaries)).await;
    canaries.ask("/help").await;
    pages(&process).await;
    let all_tokens: Vec<String> =
        tokens.into_iter().chain(canaries.feishu.read(|state| state.tokens())).collect();
    let websocket = process.terminate().log;

    let created = canaries.created();
    assert_eq!(created.len(), 2, "a password and a key");
    assert!(all_tokens.len() >= 2, "{all_tokens:?}");
    let all = || {
        let further = created.iter().chain(&all_tokens).map(String::as_str);
        SECRETS.into_iter().chain(further)
    };
    clean("the log", webhook.as_bytes(), all());
    clean("the log of the long connection", websocket.as_bytes(), all());

    // Messages: the created secrets are in the operator's direct chat, each once; no other secret is anywhere.
    let direct = canaries.feishu.direct_chat(ADMIN);
    let messages = canaries.feishu.read(|state| state.all_messages().to_vec());
    let mut told = String::new();
    for message in &messages {
        let content = message.content.as_bytes();
        clean(
            "a message",
            content,
            SECRETS.into_iter().chain(all_tokens.iter().map(String::as_str)),
        );
        if message.chat_id == direct {
            told.push_str(&text_of(message));
        } else {
            clean("another chat", content, all());
        }
    }
    for secret in &created {
        assert_eq!(told.matches(secret.as_str()).count(), 1, "{secret}");
    }
    let files = messages.iter().filter_map(|message| {
        let key = message.json()["file_key"].as_str()?.to_owned();
        canaries.feishu.file(&key)
    });
    let mut exported = 0;
    for file in files {
        clean(&file.name, &file.bytes, all());
        exported += 1;
    }
    assert_eq!(exported, 4);

    // On disk: the store and its backups, and what commands write of them. The address of the saved webhook is not sealed.
    let sealed = || all().filter(|secret| *secret != OTHER_HOOK);
    let mut looked = 0;
    let home = &canaries.home;
    for folder in [home.path(""), home.path("data"), home.path("backups")] {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() && entry.path() != home.config_path() {
                clean(
                    &entry.path().display().to_string(),
                    &std::fs::read(entry.path()).unwrap(),
                    sealed(),
                );
                looked += 1;
            }
        }
    }
    assert!(looked >= 2, "store and backup");
    // In the bucket: what is there is sealed, too.
    eventually("a backup in the bucket", || !canaries.s3.keys().is_empty()).await;
    for key in canaries.s3.keys() {
        clean(&key, &canaries.s3.object(&key).unwrap(), sealed());
    }
    for table in ["users", "spending", "ledger", "alerts"] {
        for format in ["csv", "json"] {
            assert_eq!(canaries.run(&["export", table, "--format", format], "").code, 0);
        }
    }
    assert_eq!(canaries.run(&["rekey"], "not a key cAnArYmAiNsEcReTkEy\n").code, 2);
    assert_eq!(canaries.run(&["rekey"], &format!("{NEW_MASTER_KEY}\n")).code, 0);
    // The previous master key no longer opens the store.
    assert_eq!(canaries.run(&["account", "list"], "").code, 1);
    assert_eq!(canaries.run(&["serve"], "").code, 1);
}

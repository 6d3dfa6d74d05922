//! The log at the finest level, while everything fails.

use airgate::sandbox::feishu::{self, SentEvent};
use airgate::sandbox::volcengine::{Fault, FaultRule};

use crate::bed::{eventually, phrase};
use crate::promises::outside::{HOOK, HOOK_SECRET, Outside};
use crate::shared::configuration::MASTER_KEY;
use crate::shared::environment::{APP_SECRET, ENCRYPT_KEY, TOKEN};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log_however_much_is_logged() {
    let outside = Outside::start(120).await;
    let process = outside.serve("trace");
    // Failures log most.
    let faults = outside.cloud.faults();
    for fault in [Fault::Status(500), Fault::CutBody, Fault::NotJson, Fault::CredentialsRefused] {
        faults.inject(FaultRule::new(fault).times(1));
    }
    let rule = feishu::FaultRule::new(feishu::Fault::Status(500)).times(1);
    outside.feishu.faults().inject(rule.clone().on("send"));
    outside.feishu.faults().inject(rule.on("hook"));
    let report = |sent: &SentEvent| {
        outside.replies(sent).iter().any(|reply| {
            [phrase("cycle.title_ok"), phrase("cycle.title_error")]
                .iter()
                .any(|title| reply.content.contains(title))
        })
    };
    for command in ["/sync", "/user alice", "/billing", "nonsense", "/monitor run", "/monitor run"]
    {
        let sent = outside.say(command).await;
        outside.reply(&sent).await;
        eventually("the report", || command != "/monitor run" || report(&sent)).await;
    }
    eventually("the disable", || outside.disables() > 0).await;
    outside.feishu.revoke_tokens();
    outside.quiet().await;
    let stopped = process.terminate();
    assert!(stopped.status.success());
    let log = stopped.log;
    assert!(log.contains("\"TRACE\""), "nothing was traced");
    let mut secrets: Vec<String> = [APP_SECRET, TOKEN, ENCRYPT_KEY, HOOK_SECRET, HOOK, "Bearer t-"]
        .map(str::to_owned)
        .to_vec();
    secrets.push(hex::encode(MASTER_KEY));
    outside.cloud.read(|world| {
        secrets.push(world.accounts[0].access_key_id().to_owned());
        secrets.push(world.accounts[0].secret_key().to_owned());
    });
    for secret in secrets {
        if let Some(line) = log.lines().find(|line| line.contains(&secret)) {
            panic!("{secret} is in the log: {line}");
        }
    }
}

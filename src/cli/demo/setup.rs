//! `airgate demo --setup`: the set-up against the stand-ins, with the phone's part played in the browser, and then the
//! service that was set up, with the chat in the browser.

use std::fmt::Display;
use std::path::Path;
use std::process::{Child, Command};

use tokio::net::TcpListener;

use super::super::{Failure, output, runtime, until_told_to_stop};
use super::stage::{ADMIN, failed};
use super::{Options, listen};
use crate::cards::Wording;
use crate::clock::Clock;
use crate::sandbox::demo_page::{self, DemoPage};
use crate::sandbox::feishu::{FakeFeishu, FeishuConfig, RegistrationRules};
use crate::sandbox::volcengine::FakeCloud;
use crate::sandbox::world;

/// A group that the bot may join.
const GROUP: &str = "oc_demo_alerts";

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    // As the set-up itself, which is told by the environment.
    let words = Wording::new(options.locale);
    let t = |key: &str, args: &[(&str, &dyn Display)]| words.t(key, args);
    output::start_log("error");
    runtime()?.block_on(async {
        let page_listener = listen(options.listen).await?;
        let address = page_listener.local_addr().map_err(failed)?;
        let folder = tempfile::tempdir().map_err(failed)?;
        let clock = Clock::system();
        let loopback = || TcpListener::bind("127.0.0.1:0");
        let world = world::sample(clock.now(), options.seed);
        let pair = world
            .accounts
            .first()
            .map(|account| (account.access_key_id().to_owned(), account.secret_key().to_owned()));
        let cloud = FakeCloud::start(loopback().await.map_err(failed)?, world, clock.clone()).await;
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let config = FeishuConfig::new("cli_demo", &secret, "unused");
        let feishu =
            FakeFeishu::start(loopback().await.map_err(failed)?, config, clock).map_err(failed)?;
        feishu.add_person(ADMIN, "王管理", "13800000001");
        feishu.add_public_group(GROUP, "云成本告警群");
        feishu
            .expect_registration(RegistrationRules { interval: 1, ..RegistrationRules::default() });
        output::line(&t("cli.demo_setup", &[]));
        if let Some((id, key)) = &pair {
            output::line(&t("cli.demo_setup_pair", &[("id", id), ("key", key)]));
        }
        let airgate = |arguments: &[&str]| -> Result<Child, Failure> {
            command(folder.path(), &feishu, &cloud, options, arguments)?.spawn().map_err(failed)
        };
        let mut setting_up = airgate(&["setup"])?;
        let done = tokio::task::spawn_blocking(move || setting_up.wait());
        let done = tokio::select! {
            done = done => done.map_err(failed)?.map_err(failed)?,
            () = until_told_to_stop() => return Ok(()),
        };
        if !done.success() {
            return Err(Failure::Failed(t("cli.demo_setup_failed", &[])));
        }
        let mut service = airgate(&["serve"])?;
        let people = vec![(ADMIN.to_owned(), "admin".to_owned())];
        let page = DemoPage::new(feishu.clone(), options.locale.word(), people, Vec::new());
        let router = demo_page::router(page.clone());
        let served = tokio::spawn(async move { axum::serve(page_listener, router).await });
        output::line(&t("cli.demo_setup_open", &[]));
        output::line(&format!("    http://{address}\n"));
        until_told_to_stop().await;
        page.close();
        served.abort();
        // Ctrl-C has told it too; an Err means that it has ended.
        let _ = service.kill();
        let _ = service.wait();
        Ok(())
    })
}

/// A command of this binary in the folder, between the stand-ins.
fn command(
    folder: &Path,
    feishu: &FakeFeishu,
    cloud: &FakeCloud,
    options: &Options,
    arguments: &[&str],
) -> Result<Command, Failure> {
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("AIRGATE_CONFIG")
        .env("AIRGATE_ACCOUNTS_URL", feishu.url())
        .env("AIRGATE_ACCOUNTS_LARK_URL", feishu.lark_accounts_url())
        .env("AIRGATE__LOCALE", options.locale.word())
        .env("AIRGATE__SERVER__LISTEN", "127.0.0.1:0")
        .env("AIRGATE__FEISHU__BASE_URL", feishu.url())
        .env("AIRGATE__VOLCENGINE__IAM_ENDPOINT", cloud.url())
        .env("AIRGATE__VOLCENGINE__BILLING_ENDPOINT", cloud.url())
        .env("AIRGATE__VOLCENGINE__ARK_ENDPOINT", cloud.url());
    if std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "error");
    }
    Ok(command)
}

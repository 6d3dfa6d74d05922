//! `airgate probe`: asks a real account what no document says, on a throw-away user and project, and undoes everything.

mod bench;
mod calls;
mod desk;
mod guard;
mod state;
mod steps;
mod transcript;
mod undo;

use std::num::NonZeroU32;
use std::time::Duration;

use self::bench::Bench;
use self::calls::{Models, Patience};
use self::desk::Desk;
use self::guard::Chosen;
use self::state::{Journal, Saved};
use self::steps::Step;
use self::transcript::{Finding, beyond, head};
use super::{ConfigFile, Failure, failed, output, runtime, until_told_to_stop};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::ProjectName;
use crate::server::{Timeouts, cloud_client};
use crate::volcengine::{AccountClient, Client, Credentials, RetryPolicy};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Main account [default: the only one]
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// A throw-away IAM user that nobody works with
    #[arg(long, value_name = "NAME", required_unless_present = "undo")]
    user: Option<String>,
    /// A throw-away project that nobody works in
    #[arg(long, value_name = "NAME", required_unless_present = "undo")]
    project: Option<String>,
    /// The throw-away endpoint [default: the only running one of the project]
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
    /// The throw-away API key, by its SID [default: the only one of the project]
    #[arg(long, value_name = "SID")]
    key: Option<String>,
    /// The Model ID of a cheap text model, for calls without an endpoint
    #[arg(long, value_name = "MODEL_ID")]
    model: Option<String>,
    /// Where models are called
    #[arg(long, value_name = "URL", default_value = "https://ark.cn-beijing.volces.com/api/v3")]
    ark_data_url: String,
    /// How long to wait for usage and bills
    #[arg(long, value_name = "MINUTES", default_value_t = 20)]
    wait: u16,
    /// How long to wait for a change to show
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u16).range(1..))]
    patience: u16,
    /// Undo what an interrupted probe has changed, and end it
    #[arg(long)]
    undo: bool,
    /// Agree to every step
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    // The transcript reports failed calls; RUST_LOG shows more.
    output::start_log("off");
    let models = Models::new(&options.ark_data_url)?;
    let config = options.config.load()?;
    let named = match (&options.user, &options.project) {
        (Some(user), Some(project)) if !options.undo => {
            let project = ProjectName::new(project.as_str()).map_err(|error| {
                Failure::Configuration(format!("--project is not a project's name: {error}"))
            })?;
            Some((user.as_str(), project))
        }
        _ => None,
    };
    let throw_away = named.as_ref().map(|(user, project)| (*user, project));
    let chosen = guard::read(&config, options.account.as_deref(), throw_away)?;
    let runtime = runtime()?;
    let done = runtime.block_on(probe(options, &config, &chosen, models, throw_away));
    // A thread may still wait for the operator.
    runtime.shutdown_background();
    done
}

async fn probe(
    options: &Options,
    config: &Config,
    chosen: &Chosen,
    models: Models,
    throw_away: Option<(&str, &ProjectName)>,
) -> Result<(), Failure> {
    let clock = Clock::system();
    let client = cloud_client(config, &Timeouts::default(), clock.clone()).map_err(failed)?;
    let client = client.with_retry(RetryPolicy { retries: 2, ..RetryPolicy::default() });
    let api = account_client(&client, chosen);
    let path = state::path(options.config.path(), chosen.id.as_str());
    let _alone = state::alone(&path)?;
    let journal = match (Journal::open(&path)?, throw_away) {
        (None, None) => {
            let path = path.display();
            return Err(Failure::Failed(format!("there is nothing to undo: there is no {path}")));
        }
        (Some(journal), None) => journal,
        (found, Some((user, project))) => {
            if let Some(journal) = &found {
                let Saved { user: other, project: in_project, .. } = journal.saved();
                if other != user || in_project != project.as_str() {
                    return Err(Failure::Failed(format!(
                        "a probe of user {other} in project {in_project} was interrupted: end it with `airgate probe --undo`"
                    )));
                }
            }
            chosen.check(&api, user, project).await?;
            match found {
                Some(journal) => journal,
                None => Journal::create(&path, begun(chosen, user, project, &clock))?,
            }
        }
    };
    let saved = journal.saved();
    let (user, project) = (saved.user.clone(), ProjectName::new(saved.project.as_str()));
    let mut bench = Bench {
        hasty: hasty(config, chosen, &clock)?,
        client,
        api,
        models,
        user,
        project: project.map_err(failed)?,
        key: None,
        endpoint: None,
        model: options.model.clone(),
        desk: Desk { yes: options.yes },
        patience: Patience::of(Duration::from_secs(options.patience.into())),
        wait: Duration::from_secs(u64::from(options.wait) * 60),
        clock,
        journal,
    };
    output::line(&head(bench.journal.saved()));
    let clean = settle(&mut bench).await?;
    for finding in &bench.journal.saved().findings {
        output::line(&format!("\n{}", finding.text()));
    }
    if !clean {
        return Err(not_undone(&path));
    }
    if options.undo {
        output::line("\neverything is undone");
        return bench.journal.remove();
    }
    let outcome = tokio::select! {
        done = all_steps(&mut bench, options) => Some(done),
        () = until_told_to_stop() => None,
    };
    let clean = settle(&mut bench).await?;
    match (outcome, clean) {
        (_, false) => Err(not_undone(&path)),
        (None, true) => Err(Failure::Failed(
            "interrupted, and everything is undone; the same command goes on, --undo ends the probe".to_owned(),
        )),
        (Some(Err(failure)), true) => {
            if bench.journal.saved().findings.is_empty() {
                bench.journal.remove()?;
            }
            Err(failure)
        }
        (Some(Ok(())), true) => {
            output::line(&format!("\n{}", beyond().text()));
            output::line(&format!("\n{}", configuration(&bench.journal.saved().findings)));
            bench.journal.remove()
        }
    }
}

fn not_undone(path: &std::path::Path) -> Failure {
    Failure::Failed(format!(
        "not everything is undone: see above, then `airgate probe --undo`; {} remembers it",
        path.display()
    ))
}

fn begun(chosen: &Chosen, user: &str, project: &ProjectName, clock: &Clock) -> Saved {
    Saved {
        account: chosen.id.to_string(),
        user: user.to_owned(),
        project: project.to_string(),
        began: clock.now(),
        called: None,
        balance: None,
        owed: Vec::new(),
        findings: Vec::new(),
    }
}

fn account_client(client: &Client, chosen: &Chosen) -> AccountClient {
    use secrecy::ExposeSecret;
    let api = client.account(Credentials {
        access_key_id: chosen.secrets.access_key_id.expose_secret().to_owned(),
        secret_key: chosen.secrets.secret_key.clone(),
    });
    match chosen.number {
        Some(number) => api.of_account(number),
        None => api,
    }
}

/// Returns a client that neither waits nor retries.
fn hasty(config: &Config, chosen: &Chosen, clock: &Clock) -> Result<AccountClient, Failure> {
    let mut config = config.clone();
    config.volcengine.ark_qps = NonZeroU32::MIN.saturating_add(999);
    let client = cloud_client(&config, &Timeouts::default(), clock.clone()).map_err(failed)?;
    let client = client.with_retry(RetryPolicy { retries: 0, ..RetryPolicy::default() });
    Ok(account_client(&client, chosen))
}

/// Makes the steps that have not been made, each with the operator's consent, and undoes each.
async fn all_steps(bench: &mut Bench, options: &Options) -> Result<(), Failure> {
    let question = format!(
        "\nThis works on user {} and project {} only. Does nobody work with them?",
        bench.user, bench.project
    );
    if !bench.desk.agrees(&question).await {
        return Err(Failure::Failed("nothing was done: not agreed".to_owned()));
    }
    bench.find(options.endpoint.as_deref(), options.key.as_deref()).await?;
    for step in Step::ALL {
        let (probes, title) = step.name();
        if bench.journal.saved().findings.iter().any(|found| found.probes == probes) {
            continue;
        }
        let question = format!("\n[{probes}] {title}\n{} Go on?", step.does(bench));
        let mut finding = Finding::new(probes, title);
        let mut clean = true;
        if bench.desk.agrees(&question).await {
            finding = step.run(bench).await?;
            let undone = undo::settle(bench).await?;
            clean = undone.by_hand.is_empty();
            finding.seen.extend(undone.lines);
            finding.by_hand.extend(undone.by_hand);
        } else {
            finding.saw("skipped: not agreed");
        }
        output::line(&format!("\n{}", finding.text()));
        bench.journal.found(finding)?;
        if !clean {
            return Err(Failure::Failed("a step could not be undone".to_owned()));
        }
    }
    Ok(())
}

/// Undoes what is owed, and prints it. Returns whether nothing is left.
async fn settle(bench: &mut Bench) -> Result<bool, Failure> {
    let undone = undo::settle(bench).await?;
    for line in &undone.lines {
        output::line(line);
    }
    for line in &undone.by_hand {
        output::line(&format!("by hand: {line}"));
    }
    Ok(undone.by_hand.is_empty())
}

/// The lines of the configuration that follow, ready to paste.
fn configuration(findings: &[Finding]) -> String {
    let lines: Vec<&str> =
        findings.iter().flat_map(|finding| &finding.config).map(String::as_str).collect();
    if lines.is_empty() {
        return "nothing follows for the configuration".to_owned();
    }
    format!("[access]\n{}", lines.join("\n"))
}

//! `airgate check`: checks everything that the service needs, and says how to fix what is wrong.

mod bucket;
mod cloud;
mod feishu;

pub(super) use self::cloud::in_words;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use super::operator::{said, what_and_fix};
use super::table::{Layout, table};
use super::words::{spoken, t};
use super::{ConfigFile, Failure, output, runtime};
use crate::app::settings::settings_in_force;
use crate::config::{Config, ConfigProblem, exposes_secrets};
use crate::domain::{Account, Settings};
use crate::store::{Store, StoreError, View};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Only check what can be checked on this machine
    #[arg(long)]
    offline: bool,
    /// Add to the Feishu app what is missing and can be added by API
    #[arg(long, conflicts_with = "offline")]
    fix: bool,
    #[command(flatten)]
    config: ConfigFile,
}

/// The result of a check.
enum Verdict {
    Good,
    /// Works, but is not advisable.
    Warning,
    Failed,
    /// Could not be checked, for an unrelated reason.
    Skipped,
}

/// One line of the table.
struct Finding {
    what: String,
    verdict: Verdict,
    result: String,
    fix: String,
}

impl Finding {
    fn good(what: impl Into<String>, result: impl Into<String>) -> Self {
        Self::new(what, Verdict::Good, result, "")
    }

    fn failed(what: impl Into<String>, result: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(what, Verdict::Failed, result, fix)
    }

    fn skipped(what: impl Into<String>, result: impl Into<String>) -> Self {
        Self::new(what, Verdict::Skipped, result, "")
    }

    fn new(
        what: impl Into<String>,
        verdict: Verdict,
        result: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), verdict, result: result.into(), fix: fix.into() }
    }

    fn cells(&self) -> [String; 3] {
        let word = match self.verdict {
            Verdict::Good => t("check.ok", &[]),
            Verdict::Warning => t("check.warning", &[]),
            Verdict::Failed => t("check.failed", &[]),
            Verdict::Skipped => t("check.skipped", &[]),
        };
        let result = match self.result.as_str() {
            "" => word,
            result => t("check.verdict", &[("word", &word), ("result", &result)]),
        };
        [self.what.clone(), result, self.fix.clone()]
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    // The table reports failed calls; RUST_LOG shows more.
    output::start_log("off");
    let config = match options.config.try_load() {
        Ok(config) => config,
        Err(error) => {
            let mut findings: Vec<Finding> = error.problems().iter().map(problem).collect();
            let many = findings.len();
            if options.config.hint().is_some() {
                let what = t("check.configuration", &[]);
                let (result, fix) = (t("check.no_file", &[]), t("check.no_file_fix", &[]));
                findings.insert(0, Finding::new(what, Verdict::Warning, result, fix));
            }
            show(&findings);
            return Err(Failure::Configuration(match many {
                1 => t("check.problem", &[]),
                many => t("check.problems", &[("count", &many)]),
            }));
        }
    };
    let findings = check(&config, options)?;
    show(&findings);
    let failed =
        findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Failed)).count();
    match failed {
        0 => Ok(()),
        1 => Err(Failure::Failed(t("check.one_failed", &[]))),
        many => Err(Failure::Failed(t("check.some_failed", &[("count", &many)]))),
    }
}

/// Splits a problem into what is wrong and how to fix it.
fn problem(problem: &ConfigProblem) -> Finding {
    let fault = said(&problem.fault, spoken());
    let (result, fix) = what_and_fix(&fault);
    Finding::failed(&problem.subject, result, fix)
}

fn show(findings: &[Finding]) {
    let rows: Vec<[String; 3]> = findings.iter().map(Finding::cells).collect();
    // In a pipe, every check is one line.
    let layout = if std::io::stdout().is_terminal() { Layout::Wrapped } else { Layout::Lines };
    let header =
        [t("check.head_check", &[]), t("check.head_result", &[]), t("check.head_fix", &[])];
    output::line(&table(header.each_ref().map(String::as_str), &rows, layout));
}

fn check(config: &Config, options: &Options) -> Result<Vec<Finding>, Failure> {
    let what = t("check.configuration", &[]);
    let mut findings = vec![Finding::good(&what, options.config.origin())];
    if let Some(path) = options.config.path().filter(|path| exposes_secrets(path)) {
        let exposed = t("check.exposed", &[("path", &path.display())]);
        let fix = format!("chmod 600 {}", path.display());
        findings.push(Finding::new(&what, Verdict::Warning, exposed, fix));
    }
    for warning in config.warnings() {
        let warning = said(&warning, spoken());
        let mark = if warning.contains('；') { "；" } else { "; " };
        let (result, fix) = warning.split_once(mark).unwrap_or((&warning, ""));
        findings.push(Finding::new(&what, Verdict::Warning, result, fix));
    }
    let granted = &config.access.link_policies;
    findings.push(policies("access.project_policies", &granted.project));
    findings.push(policies("access.global_policies", &granted.global));
    let (finding, kept) = store(config);
    findings.push(finding);
    if config.store.backup_dir.is_some() || config.store.backup_bucket.is_none() {
        findings.push(backups(config));
    }
    if options.offline {
        if config.store.backup_bucket.is_some() {
            findings.push(Finding::skipped(t("check.bucket", &[]), "--offline"));
        }
        for what in [t("check.feishu", &[]), t("check.volcengine", &[])] {
            findings.push(Finding::skipped(what, "--offline"));
        }
        return Ok(findings);
    }
    let settings = match &kept {
        Some(kept) => kept.settings.clone(),
        None => config.initial_settings(),
    };
    runtime()?.block_on(async {
        bucket::check(config, &mut findings).await;
        if options.fix {
            let store = kept.as_ref().map(|kept| &kept.store);
            feishu::fix(config, store, &mut findings).await;
        }
        feishu::check(config, &settings, &mut findings).await;
        match kept {
            Some(kept) => cloud::check(config, &kept, &mut findings).await,
            None => findings.push(Finding::skipped(
                t("check.volcengine", &[]),
                t("check.accounts_unread", &[]),
            )),
        }
    });
    Ok(findings)
}

/// Returns what is wrong with the accounts of a store, each in one line with the fix.
pub(super) async fn account_problems(
    config: &Config,
    store: &Store,
) -> Result<Vec<String>, StoreError> {
    let settings = config.initial_settings();
    let accounts = store.read(View::accounts)?;
    let kept = Kept { store: store.clone(), accounts, settings };
    let mut findings = Vec::new();
    cloud::check(config, &kept, &mut findings).await;
    let failed = |finding: &Finding| matches!(finding.verdict, Verdict::Failed | Verdict::Warning);
    let line = |finding: Finding| {
        let Finding { what, result, fix, .. } = finding;
        t("check.line", &[("what", &what), ("result", &result), ("fix", &fix)])
    };
    Ok(findings.into_iter().filter(failed).map(line).collect())
}

/// Checks that policy names are ones that IAM allows ("CreatePolicy": letters, digits and `+=,.@-_`, at most 64 characters).
fn policies(what: &str, names: &[String]) -> Finding {
    let usable = |name: &String| {
        name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte))
    };
    match names.iter().find(|name| !usable(name)) {
        Some(name) => Finding::failed(
            what,
            t("check.bad_policy", &[("name", name)]),
            t("check.bad_policy_fix", &[]),
        ),
        None if names.is_empty() => Finding::good(what, t("check.none", &[])),
        None => Finding::good(what, names.join(", ")),
    }
}

/// What the checks need from the store.
struct Kept {
    store: Store,
    accounts: Vec<Account>,
    settings: Settings,
}

fn store(config: &Config) -> (Finding, Option<Kept>) {
    let what = t("check.store", &[]);
    let path = &config.store.path;
    let shown = path.display();
    if path.symlink_metadata().is_err() {
        let finding = match writable(path) {
            Ok(()) => Finding::good(what, t("check.no_store", &[("path", &shown)])),
            Err(folder) => unwritable(&what, &folder),
        };
        return (finding, None);
    }
    let opened = Store::open(path, config.security.master_key.expose()).and_then(|store| {
        let configured = config.initial_settings();
        let (accounts, settings) = store.read(|tx: &View<_>| {
            Ok::<_, StoreError>((tx.accounts()?, settings_in_force(tx, &configured)?))
        })?;
        Ok(Kept { store, accounts, settings })
    });
    match opened {
        Ok(kept) => {
            let finding = match readable_by_others(path) {
                true => Finding::new(
                    what,
                    Verdict::Warning,
                    t("check.exposed_store", &[("path", &shown)]),
                    format!("chmod 600 {shown}"),
                ),
                false => {
                    let count = kept.accounts.len();
                    Finding::good(what, t("check.store_ok", &[("path", &shown), ("count", &count)]))
                }
            };
            (finding, Some(kept))
        }
        Err(StoreError::InUse(_)) => {
            (Finding::skipped(what, t("check.store_busy", &[("path", &shown)])), None)
        }
        Err(error) => {
            let (result, fix) = match &error {
                StoreError::WrongKey => (t("check.wrong_key", &[]), t("check.wrong_key_fix", &[])),
                StoreError::NewerSchema { .. } => (error.to_string(), t("check.newer_fix", &[])),
                StoreError::Io { .. } => (error.to_string(), t("check.access_fix", &[])),
                _ => (error.to_string(), t("check.restore_fix", &[])),
            };
            (Finding::failed(what, result, fix), None)
        }
    }
}

fn backups(config: &Config) -> Finding {
    let what = t("check.backups", &[]);
    let Some(folder) = &config.store.backup_dir else {
        return Finding::new(
            what,
            Verdict::Warning,
            t("check.no_backups", &[]),
            t("check.no_backups_fix", &[]),
        );
    };
    match writable(&folder.join("backup")) {
        Ok(()) => Finding::good(
            what,
            t(
                "check.backups_ok",
                &[
                    ("hours", &(config.store.backup_interval.as_secs() / 3600)),
                    ("folder", &folder.display()),
                    ("count", &config.store.backup_keep),
                ],
            ),
        ),
        Err(folder) => unwritable(&what, &folder),
    }
}

fn unwritable(what: &str, folder: &Path) -> Finding {
    Finding::failed(
        what,
        t("check.unwritable", &[("folder", &folder.display())]),
        t("check.unwritable_fix", &[]),
    )
}

/// Checks that a file at `path` and its folders can be created. The error is the folder that does not allow it.
fn writable(path: &Path) -> Result<(), PathBuf> {
    let folder = path.ancestors().skip(1).find(|folder| folder.exists());
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(folder).map(drop).map_err(|_| folder.to_owned())
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> bool {
    false
}

//! `airgate check`: checks everything that the service needs, and says how to fix what is wrong.

mod cloud;
mod feishu;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use super::table::{Layout, table};
use super::{ConfigFile, Failure, output, runtime};
use crate::app::settings::settings_in_force;
use crate::config::{Config, ConfigProblem};
use crate::domain::{Account, Settings};
use crate::store::{Store, StoreError, View};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  airgate check
  airgate check --config /etc/airgate/config.toml --offline

Changes nothing, neither here nor at Feishu or Volcengine. Exit codes: 0 everything works, 1 a check failed, 2 the
configuration is wrong. While the service is running, its store cannot be opened, so accounts are not checked.")]
pub(super) struct Options {
    /// Only check what can be checked on this machine
    #[arg(long)]
    offline: bool,
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
            Verdict::Good => "ok",
            Verdict::Warning => "warning",
            Verdict::Failed => "FAILED",
            Verdict::Skipped => "skipped",
        };
        let result = match self.result.as_str() {
            "" => word.to_owned(),
            result => format!("{word}: {result}"),
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
            if let Some(hint) = options.config.hint() {
                let (result, fix) = hint.split_once(": ").unwrap_or((hint, ""));
                findings.insert(0, Finding::new("configuration", Verdict::Warning, result, fix));
            }
            show(&findings);
            return Err(Failure::Configuration(match many {
                1 => "the configuration has a problem".to_owned(),
                many => format!("the configuration has {many} problems"),
            }));
        }
    };
    let findings = check(&config, options)?;
    show(&findings);
    let failed =
        findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Failed)).count();
    match failed {
        0 => Ok(()),
        1 => Err(Failure::Failed("a check failed: see the table".to_owned())),
        many => Err(Failure::Failed(format!("{many} checks failed: see the table"))),
    }
}

/// Splits a problem into what is wrong and how to fix it.
fn problem(problem: &ConfigProblem) -> Finding {
    let fault = problem.fault.as_str();
    let split = fault.split_once("; ").or_else(|| fault.split_once(": "));
    let (result, fix) = split.unwrap_or((fault, ""));
    Finding::failed(&problem.subject, result, fix)
}

fn show(findings: &[Finding]) {
    let rows: Vec<[String; 3]> = findings.iter().map(Finding::cells).collect();
    // In a pipe, every check is one line.
    let layout = if std::io::stdout().is_terminal() { Layout::Wrapped } else { Layout::Lines };
    output::line(&table(["check", "result", "fix"], &rows, layout));
}

fn check(config: &Config, options: &Options) -> Result<Vec<Finding>, Failure> {
    let mut findings = vec![Finding::good("configuration", options.config.origin())];
    for warning in config.warnings() {
        let (what, fix) = warning.split_once("; ").unwrap_or((&warning, ""));
        findings.push(Finding::new("configuration", Verdict::Warning, what, fix));
    }
    let granted = &config.access.link_policies;
    findings.push(policies("access.project_policies", &granted.project));
    findings.push(policies("access.global_policies", &granted.global));
    let (finding, kept) = store(config);
    findings.push(finding);
    findings.push(backups(config));
    if options.offline {
        for what in ["Feishu", "Volcengine"] {
            findings.push(Finding::skipped(what, "--offline"));
        }
        return Ok(findings);
    }
    let settings = match &kept {
        Some(kept) => kept.settings.clone(),
        None => config.initial_settings(),
    };
    runtime()?.block_on(async {
        feishu::check(config, &settings, &mut findings).await;
        match kept {
            Some(kept) => cloud::check(config, &kept, &mut findings).await,
            None => findings.push(Finding::skipped(
                "Volcengine",
                "the accounts are in the store, which could not be opened",
            )),
        }
    });
    Ok(findings)
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
            format!("`{name}` is not a valid policy name"),
            "write it as the IAM console shows it, e.g. \"ArkFullAccess\"",
        ),
        None if names.is_empty() => Finding::good(what, "none"),
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
    let path = &config.store.path;
    let shown = path.display();
    if path.symlink_metadata().is_err() {
        let finding = match writable(path) {
            Ok(()) => Finding::good("store", format!("none yet; the first start creates {shown}")),
            Err(folder) => unwritable("store", &folder),
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
                    "store",
                    Verdict::Warning,
                    format!("other users of this machine can read {shown}"),
                    format!("chmod 600 {shown}"),
                ),
                false => {
                    let accounts = match kept.accounts.len() {
                        1 => "1 account".to_owned(),
                        many => format!("{many} accounts"),
                    };
                    Finding::good("store", format!("{shown}, {accounts}"))
                }
            };
            (finding, Some(kept))
        }
        Err(StoreError::InUse(_)) => {
            (Finding::skipped("store", format!("{shown} is in use by a running airgate")), None)
        }
        Err(error) => {
            let fix = match &error {
                StoreError::WrongKey => {
                    "set security.master_key to the key that the store was written with"
                }
                StoreError::NewerSchema { .. } => "run the newer airgate",
                StoreError::Io { .. } => {
                    "give the user that runs airgate read and write access to it"
                }
                _ => "restore a backup: airgate restore FILE --force",
            };
            (Finding::failed("store", error.to_string(), fix), None)
        }
    }
}

fn backups(config: &Config) -> Finding {
    let what = "backups";
    let Some(folder) = &config.store.backup_dir else {
        return Finding::new(what, Verdict::Warning, "none are made", "set store.backup_dir");
    };
    match writable(&folder.join("backup")) {
        Ok(()) => Finding::good(
            what,
            format!(
                "every {} h in {}, the newest {} are kept",
                config.store.backup_interval.as_secs() / 3600,
                folder.display(),
                config.store.backup_keep
            ),
        ),
        Err(folder) => unwritable(what, &folder),
    }
}

fn unwritable(what: &str, folder: &Path) -> Finding {
    Finding::failed(
        what,
        format!("cannot write to {}", folder.display()),
        "give the user that runs airgate write access",
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

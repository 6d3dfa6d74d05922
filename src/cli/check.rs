//! `airgate check`: whether everything the service needs is there, and what to do where it is not.

mod cloud;
mod feishu;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use super::table::{Layout, table};
use super::{ConfigFile, Failure, output, runtime};
use crate::app::settings::settings_in_force;
use crate::config::{Config, Problem};
use crate::domain::{Account, Settings};
use crate::store::{Store, StoreError, View};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  airgate check
  airgate check --config /etc/airgate/config.toml --offline

Nothing is changed, neither here nor at Feishu or Volcengine. Exit code: 0 where everything works, 1 where a check
failed, 2 where the configuration is wrong. While the service runs its store is not opened, and the accounts in it
are not checked.")]
pub(super) struct Options {
    /// Only what can be checked on this machine
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    config: ConfigFile,
}

/// What one check found.
enum Verdict {
    Good,
    /// Works, but is unwise.
    Warning,
    Failed,
    /// Could not be asked for a reason that is not its own.
    Skipped,
}

/// One line of the table.
struct Finding {
    what: String,
    verdict: Verdict,
    result: String,
    mend: String,
}

impl Finding {
    fn good(what: impl Into<String>, result: impl Into<String>) -> Self {
        Self::new(what, Verdict::Good, result, "")
    }

    fn failed(what: impl Into<String>, result: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(what, Verdict::Failed, result, mend)
    }

    fn skipped(what: impl Into<String>, result: impl Into<String>) -> Self {
        Self::new(what, Verdict::Skipped, result, "")
    }

    fn new(
        what: impl Into<String>,
        verdict: Verdict,
        result: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), verdict, result: result.into(), mend: mend.into() }
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
        [self.what.clone(), result, self.mend.clone()]
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    // Failed calls are told in the table; RUST_LOG shows more.
    output::start_log("off");
    let config = match options.config.try_load() {
        Ok(config) => config,
        Err(problems) => {
            let mut findings: Vec<Finding> = problems.iter().map(problem).collect();
            let many = findings.len();
            if let Some(hint) = options.config.hint() {
                let (result, mend) = hint.split_once(": ").unwrap_or((hint, ""));
                findings.insert(0, Finding::new("configuration", Verdict::Warning, result, mend));
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

/// What is wrong stands before what to do about it.
fn problem(problem: &Problem) -> Finding {
    let fault = problem.fault.as_str();
    let split = fault.split_once("; ").or_else(|| fault.split_once(": "));
    let (result, mend) = split.unwrap_or((fault, ""));
    Finding::failed(&problem.subject, result, mend)
}

fn show(findings: &[Finding]) {
    let rows: Vec<[String; 3]> = findings.iter().map(Finding::cells).collect();
    // In a pipe every check is one line.
    let layout = if std::io::stdout().is_terminal() { Layout::Wrapped } else { Layout::Lines };
    output::line(&table(["what", "result", "mend"], &rows, layout));
}

fn check(config: &Config, options: &Options) -> Result<Vec<Finding>, Failure> {
    let mut findings = vec![Finding::good("configuration", options.config.origin())];
    for warning in config.warnings() {
        let (what, mend) = warning.split_once("; ").unwrap_or((&warning, ""));
        findings.push(Finding::new("configuration", Verdict::Warning, what, mend));
    }
    findings.push(policies(&config.access.project_policies));
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
            None => findings.push(Finding::skipped("Volcengine", "the accounts are in the store")),
        }
    });
    Ok(findings)
}

/// Names of policies, as IAM allows them ("CreatePolicy": letters, digits and `+=,.@-_`, at most 64 characters).
fn policies(names: &[String]) -> Finding {
    let what = "access.project_policies";
    let usable = |name: &String| {
        name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte))
    };
    match names.iter().find(|name| !usable(name)) {
        Some(name) => Finding::failed(
            what,
            format!("`{name}` cannot be the name of a policy"),
            "write it as the IAM console shows it, like \"ArkFullAccess\"",
        ),
        None if names.is_empty() => Finding::good(what, "none"),
        None => Finding::good(what, names.join(", ")),
    }
}

/// What the store tells.
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
            Ok(()) => Finding::good("store", format!("none yet, the first start makes {shown}")),
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
                    format!("others on this machine may read {shown}"),
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
            let mend = match &error {
                StoreError::WrongKey => {
                    "set security.master_key to the key that the store was written with"
                }
                StoreError::NewerSchema { .. } => "use the newer airgate",
                StoreError::Io { .. } => "let the user that runs airgate read and write it",
                _ => "put a backup in its place: airgate restore FILE --force",
            };
            (Finding::failed("store", error.to_string(), mend), None)
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
                "every {} h in {}, {} are kept",
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
        format!("nothing can be written in {}", folder.display()),
        "let the user that runs airgate write there",
    )
}

/// Whether a file at `path` could be made, its folders too; else the folder that does not let it.
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

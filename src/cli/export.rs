//! `airgate export`: writes tables to standard output, while the service is stopped.

use std::io::{ErrorKind, Write};

use clap::ValueEnum;

use super::progress::Progress;
use super::words::t;
use super::{ConfigFile, Failure, failed, open_existing_store};
use crate::app::export::{ExportError, Form, Table, write_csv, write_json};
use crate::cards::Wording;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Table to export
    #[arg(value_enum, value_name = "TABLE")]
    table: TableName,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    #[command(flatten)]
    config: ConfigFile,
}

/// The tables that can be exported.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum TableName {
    /// Users with quota, spending and usage
    Users,
    /// Spending per user, project and month
    Spending,
    /// What each project cost each day, and who pays for it
    Days,
    /// Every change of quota
    Ledger,
    /// Alert records
    Alerts,
    /// Links to projects, as they can be imported
    Links,
    /// Owners, as they can be imported
    Owners,
    /// Month limits, as they can be imported
    Limits,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Comma-separated values
    Csv,
    /// An array of objects
    Json,
}

/// What to do while the service holds the store.
const INSTEAD: &str = "cli.export_instead";

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let store = open_existing_store(&config, INSTEAD)?;
    let words = Wording::new(config.locale);
    let table = match options.table {
        TableName::Users => Table::Users,
        TableName::Spending => Table::Spending,
        TableName::Days => Table::Days,
        TableName::Ledger => Table::Ledger,
        TableName::Alerts => Table::Alerts,
        TableName::Links => Table::Links,
        TableName::Owners => Table::Owners,
        TableName::Limits => Table::Limits,
    };
    let _progress = Progress::start(&t("cli.reading_store", &[]));
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let title = |alert: &_| words.alert_title(alert);
    let written = store.read(|tx| match options.format {
        Format::Csv => write_csv(tx, table, Form::Pipe, title, &mut out),
        Format::Json => write_json(tx, table, title, &mut out),
    });
    match written.and_then(|()| Ok(out.flush()?)) {
        // The reader closed the pipe and wants no more.
        Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(failed),
    }
}

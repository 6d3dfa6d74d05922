//! Keeps the histograms of the metrics small.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::runner::Chore;
use crate::server::metrics;

/// Histogram upkeep interval.
const INTERVAL: Duration = Duration::from_secs(30);

/// Folds observations into their buckets. A scrape does the same; without scrapes the observations would pile up.
pub(super) struct FoldHistograms;

impl Chore for FoldHistograms {
    fn name(&self) -> &'static str {
        "histograms"
    }

    fn run<'a>(&'a mut self, _: &'a CancellationToken) -> BoxFuture<'a, Duration> {
        if let Some(recorder) = metrics::recorder() {
            recorder.run_upkeep();
        }
        std::future::ready(INTERVAL).boxed()
    }
}

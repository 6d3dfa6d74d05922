//! Adds by API what the app lacks.

use std::time::Duration;

use super::gaps::{Gap, gaps, missing};
use super::survey::Survey;
use crate::config::Events;
use crate::feishu::{AppSettings, Availability, Client, Disposition, Error};

/// How often a call is repeated while the platform asks to wait, or does not see the long connection yet.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);
/// How long settings may take to show.
const SPREADING: Duration = Duration::from_secs(3);

/// What came of it.
#[derive(Debug)]
pub(in crate::cli) enum Fixed {
    /// Nothing was missing.
    Nothing,
    /// Everything was sent, and a version submitted.
    Sent,
    /// A version is under review: settings can be changed when that has ended.
    InReview,
    /// Neither the app nor the tenant has the API, or the app lacks the scope for it.
    ByHand,
    /// It failed.
    Failed(Error),
}

/// Adds what the app lacks, publishes a version, and asks for scopes that wait.
pub(in crate::cli) async fn fix(
    client: &Client,
    survey: &Survey,
    events: &Events,
    availability: Option<Availability>,
) -> Fixed {
    if survey.versions.as_ref().is_ok_and(|versions| versions.in_review) {
        ask_for_scopes(client).await;
        return Fixed::InReview;
    }
    let is_published = survey.versions.as_ref().map_or(true, |versions| versions.events.is_some());
    let settings = missing(survey, events);
    if settings == AppSettings::default() && availability.is_none() && is_published {
        ask_for_scopes(client).await;
        return Fixed::Nothing;
    }
    let done = async {
        add_scopes(client, &settings.scopes).await?;
        let contacts_follow = survey.contacts.as_ref().is_ok_and(|range| !range.covers_somebody);
        let rest = AppSettings {
            scopes: Vec::new(),
            contacts_follow: contacts_follow || availability.is_some(),
            availability,
            ..settings
        };
        if rest != AppSettings::default() {
            configure(client, &rest).await?;
        }
        publish(client).await
    };
    let done: Result<(), Error> = done.await;
    // Scopes that were asked for before wait all the same.
    ask_for_scopes(client).await;
    match done {
        Ok(()) => Fixed::Sent,
        Err(error) if matches!(error.code(), Some(210_040 | 210_302)) => Fixed::InReview,
        Err(error) if error.is_not_here() || error.disposition() == Disposition::NotPermitted => {
            Fixed::ByHand
        }
        Err(error) => Fixed::Failed(error),
    }
}

/// Reads what the app lacks after settings were sent, which take some seconds to spread
/// (docs/platforms/feishu.md §12.3).
pub(in crate::cli) async fn look_again(client: &Client, events: &Events) -> Survey {
    let survey = Survey::read(client).await;
    let spreads = |gap: &Gap| {
        matches!(gap, Gap::NoVersion | Gap::Events(_) | Gap::Callback | Gap::CallbackMode(_))
    };
    if !gaps(&survey, events).iter().any(spreads) {
        return survey;
    }
    tokio::time::sleep(SPREADING).await;
    Survey::read(client).await
}

/// Adds scopes. A tenant that does not know one of them refuses all: then each is tried by itself.
async fn add_scopes(client: &Client, scopes: &[String]) -> Result<(), Error> {
    let only = |scopes: Vec<String>| AppSettings { scopes, ..AppSettings::default() };
    if scopes.is_empty() {
        return Ok(());
    }
    let all = only(scopes.to_vec());
    match configure(client, &all).await {
        Err(error) if error.code() == Some(210_031) => {}
        other => return other,
    }
    for scope in scopes {
        let one = only(vec![scope.clone()]);
        match configure(client, &one).await {
            // Reading the scopes afterwards tells which are missing.
            Err(error) if error.code() == Some(210_031) => {}
            other => other?,
        }
    }
    Ok(())
}

/// Changes settings. An app that is not a bot yet is made one first.
async fn configure(client: &Client, settings: &AppSettings) -> Result<(), Error> {
    match patiently(|| client.configure_app(settings)).await {
        Err(error) if error.code() == Some(210_041) => {
            patiently(|| client.enable_bot()).await?;
            patiently(|| client.configure_app(settings)).await
        }
        other => other,
    }
}

async fn publish(client: &Client) -> Result<(), Error> {
    match client.publish_app("airgate").await {
        // It may have been submitted: then the next try is refused as under review, or adds a version without changes.
        Err(error) if error.disposition() == Disposition::Unclear => {
            match client.versions().await {
                Ok(versions) if versions.in_review => Ok(()),
                _ => Err(error),
            }
        }
        other => other,
    }
}

/// Asks the administrators for scopes that wait. Reading the scopes afterwards tells what came of it.
async fn ask_for_scopes(client: &Client) {
    let waits = client.scopes().await.is_ok_and(|all| all.iter().any(|scope| !scope.is_granted));
    if waits {
        // Logged by the client.
        let _ = client.apply_for_scopes().await;
    }
}

/// Repeats a call that may be repeated while it is limited, lost, or too early.
pub(in crate::cli) async fn patiently<T, F: Future<Output = Result<T, Error>>>(
    call: impl Fn() -> F,
) -> Result<T, Error> {
    let mut tries = 0;
    loop {
        let error = match call().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        tries += 1;
        let pause = match error.disposition() {
            _ if tries >= TRIES => None,
            Disposition::RetryAfter(pause) => Some(pause.max(PAUSE)),
            Disposition::RetryLater | Disposition::Unclear => Some(PAUSE),
            // The platform does not see the long connection yet.
            _ if error.code() == Some(210_042) => Some(PAUSE),
            _ => None,
        };
        match pause {
            Some(pause) => tokio::time::sleep(pause.min(Duration::from_secs(30))).await,
            None => return Err(error),
        }
    }
}

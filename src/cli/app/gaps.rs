//! What the app lacks, as far as the platform lets it be read: a pure comparison.

use super::super::words::t;
use super::survey::Survey;
use crate::config::{Config, Events};
use crate::feishu::AppSettings;
use crate::feishu::setup::{CARD_CALLBACK, SCOPES, SUBSCRIPTIONS, Scope};

/// Scopes that a link to the console can carry: 18 were seen to work (docs/platforms/feishu.md §12.6).
const LINKED_SCOPES: usize = 18;

/// Something that a person or the API has to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Gap {
    /// Required scopes that the app does not ask for.
    Scopes(Vec<&'static str>),
    /// Required scopes that an administrator of the tenant has to grant.
    Waiting(Vec<&'static str>),
    /// No version is published.
    NoVersion,
    /// A version is under review.
    InReview,
    /// Required events that it does not subscribe to.
    Events(Vec<&'static str>),
    /// It does not subscribe to clicks on cards.
    Callback,
    /// Clicks on cards go elsewhere: they arrive by webhook, or by long connection.
    CallbackMode(String),
    /// Nobody is in its contact range.
    NoContacts,
    /// Events and callbacks cannot be read.
    Unseen,
}

/// The developer console of the app.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Console {
    /// E.g. `https://open.feishu.cn`, without a slash at its end.
    base: String,
    app_id: String,
}

/// Returns the developer console of the configured app.
pub(in crate::cli) fn console(config: &Config) -> Console {
    Console {
        base: config.feishu.base_url.as_str().trim_end_matches('/').to_owned(),
        app_id: config.feishu.app_id.clone(),
    }
}

impl Console {
    /// The address of a page.
    pub(in crate::cli) fn page(&self, page: &str) -> String {
        format!("{}/app/{}{page}", self.base, self.app_id)
    }

    /// Says in one line what a person has to do, with the link.
    pub(in crate::cli) fn todo(&self, gap: &Gap) -> String {
        let names = |names: &[&str]| names.join(", ");
        match gap {
            Gap::Scopes(scopes) => {
                let few: Vec<&str> = scopes.iter().copied().take(LINKED_SCOPES).collect();
                let query = few.join(",");
                let link = self.page(&format!("/auth?q={query}&op_from=openapi&token_type=tenant"));
                t("setup.todo_scopes", &[("names", &names(scopes)), ("link", &link)])
            }
            Gap::Waiting(scopes) => {
                let link = self.page("/auth");
                t("setup.todo_waiting", &[("names", &names(scopes)), ("link", &link)])
            }
            Gap::NoVersion => t("setup.todo_publish", &[("link", &self.page(""))]),
            Gap::InReview => t("setup.todo_review", &[("link", &self.page(""))]),
            Gap::Events(events) => {
                let link = self.page("/event");
                t("setup.todo_events", &[("names", &names(events)), ("link", &link)])
            }
            Gap::Callback | Gap::CallbackMode(_) => {
                t("setup.todo_callback", &[("link", &self.page("/callback"))])
            }
            Gap::NoContacts => t("setup.todo_contacts", &[("link", &self.page("/auth"))]),
            Gap::Unseen => {
                let (events, callbacks) = (self.page("/event"), self.page("/callback"));
                t("setup.todo_unseen", &[("events", &events), ("callbacks", &callbacks)])
            }
        }
    }
}

/// The platform's word for how events arrive.
pub(in crate::cli) fn mode_word(events: &Events) -> &'static str {
    match events {
        Events::Webhook(_) => "webhook",
        Events::Websocket => "websocket",
    }
}

/// Returns what the app lacks. What cannot be read is no gap, except that nothing shows whether events arrive.
pub(in crate::cli) fn gaps(survey: &Survey, events: &Events) -> Vec<Gap> {
    let mut gaps = Vec::new();
    if let Ok(asked) = &survey.scopes {
        let lacking = |scope: &&Scope| {
            let has =
                asked.iter().any(|one| one.is_granted && scope.any_of.contains(&one.name.as_str()));
            scope.is_required && !has
        };
        let waits =
            |scope: &&Scope| asked.iter().any(|one| scope.any_of.contains(&one.name.as_str()));
        let (waiting, missing): (Vec<&Scope>, Vec<&Scope>) =
            SCOPES.iter().filter(lacking).partition(|scope| waits(scope));
        let names = |scopes: Vec<&Scope>| scopes.into_iter().map(Scope::name).collect::<Vec<_>>();
        if !missing.is_empty() {
            gaps.push(Gap::Scopes(names(missing)));
        }
        if !waiting.is_empty() {
            gaps.push(Gap::Waiting(names(waiting)));
        }
    }
    if let Ok(versions) = &survey.versions {
        if versions.in_review {
            gaps.push(Gap::InReview);
        }
        match &versions.events {
            None if !versions.in_review => gaps.push(Gap::NoVersion),
            None => {}
            Some(subscribed) => {
                let missing: Vec<&str> = SUBSCRIPTIONS
                    .iter()
                    .filter(|one| one.is_required)
                    .map(|one| one.event.as_str())
                    .filter(|name| !subscribed.iter().any(|one| one == name))
                    .collect();
                if !missing.is_empty() {
                    gaps.push(Gap::Events(missing));
                }
            }
        }
    }
    if let Ok(info) = &survey.info {
        if info.callbacks.as_ref().is_some_and(|all| !all.iter().any(|one| one == CARD_CALLBACK)) {
            gaps.push(Gap::Callback);
        } else if let Some(mode) =
            info.callbacks_by.as_deref().filter(|it| *it != mode_word(events))
        {
            gaps.push(Gap::CallbackMode(mode.to_owned()));
        }
    }
    if survey.contacts.as_ref().is_ok_and(|range| !range.covers_somebody) {
        gaps.push(Gap::NoContacts);
    }
    let unseen = survey.versions.is_err()
        || survey.info.as_ref().map_or(true, |info| info.callbacks.is_none());
    if unseen {
        gaps.push(Gap::Unseen);
    }
    gaps
}

/// Returns the settings that add what is missing; what cannot be read is set again, which changes nothing if it is there.
/// Events and callbacks are only touched for the long connection: a webhook's address is the operator's.
pub(super) fn missing(survey: &Survey, events: &Events) -> AppSettings {
    let mut settings = AppSettings::default();
    let asked = survey.scopes.as_deref().unwrap_or_default();
    settings.scopes = SCOPES
        .iter()
        .filter(|scope| !scope.is_sensitive)
        .filter(|scope| !asked.iter().any(|one| scope.any_of.contains(&one.name.as_str())))
        .map(|scope| scope.name().to_owned())
        .collect();
    if matches!(events, Events::Webhook(_)) {
        return settings;
    }
    let subscribed = survey.versions.as_ref().ok().and_then(|versions| versions.events.as_deref());
    let subscribed = subscribed.unwrap_or_default();
    settings.events = SUBSCRIPTIONS
        .iter()
        .map(|one| one.event.as_str().to_owned())
        .filter(|name| !subscribed.contains(name))
        .collect();
    let info = survey.info.as_ref().ok();
    let callbacks = info.and_then(|info| info.callbacks.as_deref()).unwrap_or_default();
    if !callbacks.iter().any(|name| name == CARD_CALLBACK) {
        settings.callbacks.push(CARD_CALLBACK.to_owned());
    }
    let mode = info.and_then(|info| info.callbacks_by.as_deref());
    settings.long_connection = !settings.events.is_empty()
        || !settings.callbacks.is_empty()
        || mode != Some(mode_word(events));
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feishu::{AppInfo, AppScope, ContactRange, Error, Versions};

    fn whole() -> Survey {
        let scope = |scope: &Scope| AppScope { name: scope.name().to_owned(), is_granted: true };
        let events = SUBSCRIPTIONS.iter().map(|one| one.event.as_str().to_owned()).collect();
        Survey {
            scopes: Ok(SCOPES.iter().map(scope).collect()),
            versions: Ok(Versions { events: Some(events), in_review: false, menu: None }),
            info: Ok(AppInfo {
                callbacks_by: Some("websocket".to_owned()),
                callbacks: Some(vec![CARD_CALLBACK.to_owned()]),
            }),
            contacts: Ok(ContactRange { covers_somebody: true }),
        }
    }

    fn unreadable<T>() -> Result<T, Error> {
        Err(Error::Unsendable { endpoint: "x", what: "x" })
    }

    #[test]
    fn an_app_that_has_everything_lacks_nothing() {
        assert_eq!(gaps(&whole(), &Events::Websocket), []);
        assert_eq!(missing(&whole(), &Events::Websocket), AppSettings::default());
    }

    #[test]
    fn each_thing_that_is_missing_is_told_and_added() {
        let mut survey = whole();
        survey.scopes.as_mut().unwrap().retain(|scope| scope.name != "im:resource");
        survey.scopes.as_mut().unwrap()[0].is_granted = false;
        survey.versions.as_mut().unwrap().events.as_mut().unwrap().clear();
        survey.info.as_mut().unwrap().callbacks_by = Some("webhook".to_owned());
        survey.contacts.as_mut().unwrap().covers_somebody = false;
        assert_eq!(
            gaps(&survey, &Events::Websocket),
            [
                Gap::Scopes(vec!["im:resource"]),
                Gap::Waiting(vec!["im:message:send_as_bot"]),
                Gap::Events(vec!["im.message.receive_v1"]),
                Gap::CallbackMode("webhook".to_owned()),
                Gap::NoContacts,
            ]
        );
        let settings = missing(&survey, &Events::Websocket);
        assert_eq!(settings.scopes, ["im:resource"]);
        assert_eq!(settings.events.len(), SUBSCRIPTIONS.len());
        assert!(settings.long_connection && settings.callbacks.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_set_again_and_told() {
        let survey = Survey {
            scopes: unreadable(),
            versions: unreadable(),
            info: unreadable(),
            contacts: unreadable(),
        };
        assert_eq!(gaps(&survey, &Events::Websocket), [Gap::Unseen]);
        let settings = missing(&survey, &Events::Websocket);
        assert!(settings.long_connection && settings.callbacks == [CARD_CALLBACK]);
        assert!(
            !settings.scopes.contains(&"im:message.group_msg".to_owned()),
            "reviewed for certain"
        );
    }

    #[test]
    fn a_version_under_review_is_not_a_missing_one() {
        let mut survey = whole();
        survey.versions = Ok(Versions { events: None, in_review: true, menu: None });
        assert_eq!(gaps(&survey, &Events::Websocket), [Gap::InReview]);
        survey.versions = Ok(Versions::default());
        assert_eq!(gaps(&survey, &Events::Websocket), [Gap::NoVersion]);
    }
}

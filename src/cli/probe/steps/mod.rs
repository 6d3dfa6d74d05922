//! The steps of a probe. Each asks one question, says what it saw, and leaves its undoing to [`super::undo`].

mod deny;
mod endpoint;
mod key;
mod limits;
mod money;
mod small;
mod temporary;
mod user;

use super::super::Failure;
use super::Bench;
use super::transcript::Finding;

/// A step. In the order in which they are made: what others wait for comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Account,
    Calls,
    Key,
    Endpoint,
    Limits,
    Temporary,
    Deny,
    Login,
    IamKeys,
    Job,
    Pace,
    Bills,
    Usage,
    Balance,
}

impl Step {
    /// Every step.
    pub(super) const ALL: [Step; 14] = [
        Step::Account,
        Step::Calls,
        Step::Key,
        Step::Endpoint,
        Step::Limits,
        Step::Temporary,
        Step::Deny,
        Step::Login,
        Step::IamKeys,
        Step::Job,
        Step::Pace,
        Step::Bills,
        Step::Usage,
        Step::Balance,
    ];

    /// Which probes of docs/platforms/ark.md §G it makes, and its title.
    pub(super) fn name(self) -> (&'static str, &'static str) {
        match self {
            Step::Account => ("1", "Which account is it?"),
            Step::Calls => ("12 17 19, calls", "Calls of models that usage and bills show later"),
            Step::Key => ("2 3", "How is an API key switched off, and how soon do calls end?"),
            Step::Endpoint => ("4", "How does an endpoint stop and start?"),
            Step::Limits => ("7", "Do limits of 0 stop text?"),
            Step::Temporary => ("5", "Do temporary keys outlive the access key?"),
            Step::Deny => ("9", "How does a deny-all policy act?"),
            Step::Login => ("10", "What is a missing login profile?"),
            Step::IamKeys => ("11", "What do IAM API keys open?"),
            Step::Job => ("20", "How does a batch job stop and go on?"),
            Step::Pace => ("21", "How does throttling look?"),
            Step::Bills => ("12 13 14 15", "What do today's bills show?"),
            Step::Usage => ("17", "How soon does usage show, and in which shape?"),
            Step::Balance => ("19", "Does the balance fall by the calls?"),
        }
    }

    /// Says what it does to the throw-away things, for the question.
    pub(super) fn does(self, bench: &Bench) -> String {
        let user = &bench.user;
        let endpoint = bench.endpoint.as_deref().unwrap_or("none");
        let key = bench.key.as_ref().map_or("none", |key| key.sid.as_str());
        match self {
            Step::Account => "Reads the users and the balance.".into(),
            Step::Calls => format!(
                "Calls a model up to 6 times with the API key {key}; each call costs a fraction of a cent."
            ),
            Step::Key => format!(
                "Tries up to 4 bodies of UpdateApiKey on the API key {key}, and switches it on again."
            ),
            Step::Endpoint => format!("Stops the endpoint {endpoint}, twice, and starts it again."),
            Step::Limits => format!(
                "Sets the limits of the preset endpoint and of {endpoint} to 0 and to 1, and back."
            ),
            Step::Temporary => format!(
                "Makes an access key for {user} and a temporary API key of 15 minutes with it, switches the access key off, \
                 stops the endpoint {endpoint}; starts it, deletes the access key."
            ),
            Step::Deny => format!(
                "Makes an access key for {user} and the policy {}, attaches and detaches it; deletes both.",
                deny::POLICY
            ),
            Step::Login => format!("Reads the login profile of {user}."),
            Step::IamKeys => format!("Makes an IAM API key for {user}, tries it on a model, deletes it."),
            Step::Job => "Stops the batch job of the project, if there is one, and lets it go on.".into(),
            Step::Pace => "Makes 20 reads at once. Other clients of the account may be throttled for a second.".into(),
            Step::Bills => "Reads bills.".into(),
            Step::Usage => "Reads the usage of the project.".into(),
            Step::Balance => "Reads the balance.".into(),
        }
    }

    /// Makes the step.
    pub(super) async fn run(self, bench: &mut Bench) -> Result<Finding, Failure> {
        let (probes, title) = self.name();
        let mut finding = Finding::new(probes, title);
        match self {
            Step::Account => small::account(bench, &mut finding).await,
            Step::Calls => money::calls(bench, &mut finding).await?,
            Step::Key => key::run(bench, &mut finding).await?,
            Step::Endpoint => endpoint::run(bench, &mut finding).await?,
            Step::Limits => limits::run(bench, &mut finding).await?,
            Step::Temporary => temporary::run(bench, &mut finding).await?,
            Step::Deny => deny::run(bench, &mut finding).await?,
            Step::Login => small::login(bench, &mut finding).await,
            Step::IamKeys => small::iam_keys(bench, &mut finding).await?,
            Step::Job => small::job(bench, &mut finding).await?,
            Step::Pace => small::pace(bench, &mut finding).await,
            Step::Bills => money::bills(bench, &mut finding).await,
            Step::Usage => money::usage(bench, &mut finding).await,
            Step::Balance => money::balance(bench, &mut finding).await,
        }
        Ok(finding)
    }
}

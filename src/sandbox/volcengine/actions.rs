//! The table of actions: service, version, name, how parameters may arrive, and the handler.

use axum::http::HeaderMap;

use super::context::Context;
use super::params::{Dialect, Params};
use super::refusal::{GatewayCode, Refusal, Reply};
use super::signature::decode_pairs;
use super::{billing, keys, login, overview, policies, projects, users};

/// An action of the API.
pub(super) struct Action {
    service: &'static str,
    version: &'static str,
    name: &'static str,
    binding: Binding,
    pub(super) run: fn(&mut Context<'_>, &Params) -> Result<Reply, Refusal>,
}

/// How the parameters of an action may arrive (`docs/platforms/volcengine.md` §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binding {
    /// IAM: the query. The body of a POST is ignored.
    Query,
    /// IAM: the query, or a form by POST.
    QueryOrForm,
    /// IAM: JSON by POST, or the query of a GET.
    JsonOrQuery,
    /// Billing: POST with JSON, with a form, or with the query and no body.
    Post,
    /// Billing: as `Post`, and GET.
    PostOrGet,
}

macro_rules! action {
    ($service:literal $version:literal $name:literal $binding:ident $run:path) => {
        Action {
            service: $service,
            version: $version,
            name: $name,
            binding: Binding::$binding,
            run: $run,
        }
    };
}

const ACTIONS: &[Action] = &[
    action!("iam" "2018-01-01" "ListUsers" Query users::list),
    action!("iam" "2018-01-01" "GetUser" Query users::get),
    action!("iam" "2018-01-01" "CreateUser" Query users::create),
    action!("iam" "2018-01-01" "UpdateUser" Query users::update),
    action!("iam" "2018-01-01" "ListAccessKeys" Query keys::list),
    action!("iam" "2018-01-01" "CreateAccessKey" Query keys::create),
    action!("iam" "2018-01-01" "UpdateAccessKey" Query keys::update),
    action!("iam" "2018-01-01" "DeleteAccessKey" Query keys::delete),
    action!("iam" "2018-01-01" "GetLoginProfile" Query login::get),
    action!("iam" "2018-01-01" "CreateLoginProfile" JsonOrQuery login::create),
    action!("iam" "2018-01-01" "UpdateLoginProfile" JsonOrQuery login::update),
    action!("iam" "2018-01-01" "ListAttachedUserPolicies" Query policies::list),
    action!("iam" "2018-01-01" "AttachUserPolicy" Query policies::attach),
    action!("iam" "2018-01-01" "DetachUserPolicy" Query policies::detach),
    action!("iam" "2021-08-01" "AttachPolicyInProject" QueryOrForm policies::attach_in_project),
    action!("iam" "2021-08-01" "DetachPolicyInProject" QueryOrForm policies::detach_in_project),
    action!("iam" "2021-08-01" "ListProjects" Query projects::list),
    action!("iam" "2021-08-01" "GetProject" Query projects::get),
    action!("billing" "2022-01-01" "ListBillDetail" Post billing::list_detail),
    action!("billing" "2022-01-01" "ListSplitBillDetail" Post billing::list_split),
    action!("billing" "2022-01-01" "ListBillOverviewByProd" Post overview::by_product),
    action!("billing" "2022-01-01" "QueryBalanceAcct" PostOrGet billing::balance),
];

/// The action of that service, version and name.
pub(super) fn find(service: &str, version: &str, name: &str) -> Result<&'static Action, Refusal> {
    if !ACTIONS.iter().any(|action| action.service == service) {
        return Err(Refusal::gateway(
            GatewayCode::ServiceNotFound,
            format!("Service {service} could not be found."),
        ));
    }
    ACTIONS
        .iter()
        .find(|action| {
            action.service == service && action.version == version && action.name == name
        })
        .ok_or_else(|| {
            Refusal::gateway(
                GatewayCode::InvalidActionOrVersion,
                format!("Could not find operation {name} for version {version}."),
            )
        })
}

impl Action {
    /// The policies that allow a user to call this action; one suffices.
    pub(super) fn policies(&self) -> &'static [&'static str] {
        match self.service {
            "iam" => &["AdministratorAccess", "IAMFullAccess"],
            _ => &[
                "AdministratorAccess",
                "BillingCenterReadOnlyAccess",
                "BillingCenterBillReadOnlyAccess",
                "BillFullAccess",
            ],
        }
    }

    fn dialect(&self) -> Dialect {
        match self.service {
            "iam" => Dialect::Iam,
            _ => Dialect::Billing,
        }
    }

    /// Reads the parameters from where this action expects them.
    pub(super) fn params(
        &self,
        method: &str,
        query: &[(String, String)],
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Params, Refusal> {
        let dialect = self.dialect();
        let in_query = || Ok(Params::from_pairs(query, dialect));
        let kind = headers
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .map(|value| value.trim().to_ascii_lowercase())
            .unwrap_or_default();
        let form = kind == "application/x-www-form-urlencoded";
        let in_form = || {
            let text = std::str::from_utf8(body).ok();
            let pairs = text
                .and_then(decode_pairs)
                .ok_or_else(|| dialect.invalid("body", "is not a form"))?;
            Ok(Params::from_pairs(&pairs, dialect))
        };
        let in_json = || match kind.as_str() {
            "application/json" => Params::from_json(body, dialect),
            other => Err(dialect.invalid("body", &format!("type '{other}' is not supported"))),
        };
        match (method, self.binding) {
            (
                "GET",
                Binding::Query | Binding::QueryOrForm | Binding::JsonOrQuery | Binding::PostOrGet,
            ) => in_query(),
            ("POST", Binding::QueryOrForm) if form => in_form(),
            ("POST", Binding::Query | Binding::QueryOrForm) => in_query(),
            ("POST", Binding::JsonOrQuery) => in_json(),
            ("POST", Binding::Post | Binding::PostOrGet) if body.is_empty() => in_query(),
            ("POST", Binding::Post | Binding::PostOrGet) if form => in_form(),
            ("POST", Binding::Post | Binding::PostOrGet) => in_json(),
            _ => Err(Refusal::gateway(
                GatewayCode::MethodNotAllowed,
                format!("Method {method} is not allowed for {}.", self.name),
            )),
        }
    }
}

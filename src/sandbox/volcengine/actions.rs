//! The table of actions: service, version, name, how parameters may arrive, and the handler.

use axum::http::HeaderMap;

use super::context::Context;
use super::params::{Dialect, Params};
use super::refusal::{GatewayCode, Refusal, Reply};
use super::signature::decode_pairs;
use super::{
    api_keys, ark, billing, custom_policies, keys, login, overview, policies, projects, users,
};

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
    /// 方舟: POST with JSON.
    Json,
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
    action!("iam" "2018-01-01" "GetPolicy" Query custom_policies::get),
    action!("iam" "2018-01-01" "CreatePolicy" Query custom_policies::create),
    action!("iam" "2018-01-01" "DeletePolicy" Query custom_policies::delete),
    action!("iam" "2018-01-01" "ListEntitiesForPolicy" Query custom_policies::list_entities),
    action!("iam" "2018-01-01" "ListApiKeys" Query api_keys::list),
    action!("iam" "2018-01-01" "CreateApiKey" Query api_keys::create),
    action!("iam" "2018-01-01" "UpdateApiKey" Query api_keys::update),
    action!("iam" "2018-01-01" "DeleteApiKey" Query api_keys::delete),
    action!("iam" "2021-08-01" "AttachPolicyInProject" QueryOrForm policies::attach_in_project),
    action!("iam" "2021-08-01" "DetachPolicyInProject" QueryOrForm policies::detach_in_project),
    action!("iam" "2021-08-01" "ListProjects" Query projects::list),
    action!("iam" "2021-08-01" "GetProject" Query projects::get),
    action!("billing" "2022-01-01" "ListBillDetail" Post billing::list_detail),
    action!("billing" "2022-01-01" "ListSplitBillDetail" Post billing::list_split),
    action!("billing" "2022-01-01" "ListBillOverviewByProd" Post overview::by_product),
    action!("billing" "2022-01-01" "QueryBalanceAcct" PostOrGet billing::balance),
    action!("ark" "2024-01-01" "ListEndpoints" Json ark::endpoints::list),
    action!("ark" "2024-01-01" "GetEndpoint" Json ark::endpoints::get),
    action!("ark" "2024-01-01" "StopEndpoint" Json ark::endpoints::stop),
    action!("ark" "2024-01-01" "StartEndpoint" Json ark::endpoints::start),
    action!("ark" "2024-01-01" "UpdateEndpoint" Json ark::endpoints::update),
    action!("ark" "2024-01-01" "InnerDescribeModelEndpoints" Json ark::presets::list),
    action!("ark" "2024-01-01" "InnerDescribeModelEndpointDetail" Json ark::presets::get),
    action!("ark" "2024-01-01" "InnerUpdateModelEndpoint" Json ark::presets::update),
    action!("ark" "2024-01-01" "ListApiKeys" Json ark::keys::list),
    action!("ark" "2024-01-01" "UpdateApiKey" Json ark::keys::update),
    action!("ark" "2024-01-01" "GetRawApiKey" Json ark::keys::raw),
    action!("ark" "2024-01-01" "DeleteApiKey" Json ark::keys::delete),
    action!("ark" "2024-01-01" "GetApiKey" Json ark::keys::temporary),
    action!("ark" "2024-01-01" "ListBatchInferenceJobs" Json ark::jobs::list_batch),
    action!("ark" "2024-01-01" "StopBatchInferenceJob" Json ark::jobs::stop_batch),
    action!("ark" "2024-01-01" "ResumeBatchInferenceJob" Json ark::jobs::resume_batch),
    action!("ark" "2024-01-01" "ListModelCustomizationJobs" Json ark::jobs::list_tuning),
    action!("ark" "2024-01-01" "TerminateModelCustomizationJob" Json ark::jobs::terminate_tuning),
    action!("ark" "2024-01-01" "ResumeModelCustomizationJob" Json ark::jobs::resume_tuning),
    action!("ark" "2024-01-01" "GetInferenceUsage" Json ark::usage::get),
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
            "ark" if self.reads() => &["AdministratorAccess", "ArkFullAccess", "ArkReadOnlyAccess"],
            "ark" => &["AdministratorAccess", "ArkFullAccess"],
            _ => &[
                "AdministratorAccess",
                "BillingCenterReadOnlyAccess",
                "BillingCenterBillReadOnlyAccess",
                "BillFullAccess",
            ],
        }
    }

    /// Whether ArkReadOnlyAccess allows it. A temporary key is more than reading.
    fn reads(&self) -> bool {
        let read = ["List", "GetEndpoint", "GetInferenceUsage", "InnerDescribe"];
        read.iter().any(|start| self.name.starts_with(start))
    }

    /// `SERVICE:ACTION`, as policies name it.
    pub(super) fn operation(&self) -> String {
        format!("{}:{}", self.service, self.name)
    }

    /// Whether it is an action of 方舟.
    pub(super) fn is_ark(&self) -> bool {
        self.service == "ark"
    }

    /// The region that must stand in the scope of the signature, for a service that is not global.
    pub(super) fn region(&self) -> Option<&'static str> {
        self.is_ark().then_some("cn-beijing")
    }

    fn dialect(&self) -> Dialect {
        match self.service {
            "iam" => Dialect::Iam,
            "ark" => Dialect::Ark,
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
            ("POST", Binding::Json) => Ok(in_json()?.beside(query)),
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

//! Builders: what a test or the sample adds to 方舟. The creator is an IAM user's name; `None`: the main account.

use super::*;

impl FakeAccount {
    /// Adds a running endpoint of a text model.
    pub fn add_endpoint(
        &mut self,
        project: &str,
        name: &str,
        creator: Option<&str>,
    ) -> &mut Endpoint {
        let id = self.next_ark_id("ep", LONG_AGO);
        let endpoint = Endpoint {
            id: id.clone(),
            name: name.to_owned(),
            project: project.to_owned(),
            model: Model::TEXT,
            status: Lagging::new(EndpointStatus::Running),
            creator: Some(self.creator(creator)),
            limits: Limits { rate: Some(RateLimit { rpm: 600, tpm: 100_000 }), content: None },
            model_unit: String::new(),
            created: LONG_AGO,
            updated: LONG_AGO,
        };
        self.ark.endpoints.entry(id).or_insert(endpoint)
    }

    /// Adds an API key of a project that works. [`ArkKey::text`] is what callers send.
    pub fn add_ark_key(&mut self, project: &str, name: &str, creator: Option<&str>) -> &mut ArkKey {
        let sid = self.next_ark_id("apikey", LONG_AGO);
        let id = 100_000 + i64::from(self.ark.made);
        let key = ArkKey {
            id,
            secret: Lagging::new(secret_of(&sid)),
            sid,
            name: name.to_owned(),
            project: project.to_owned(),
            on: Lagging::new(true),
            creator: Some(self.creator(creator)),
            allowed: None,
            secrets_made: 0,
        };
        self.ark.keys.entry(id).or_insert(key)
    }

    /// The preset endpoint of a project and model, made if it does not exist yet.
    pub fn add_preset(&mut self, project: &str, model: Model) -> &mut Preset {
        self.preset(project, model, LONG_AGO)
    }

    pub(super) fn preset(&mut self, project: &str, model: Model, at: Timestamp) -> &mut Preset {
        let found = self.ark.presets.values().find(|p| p.project == project && p.model == model);
        let id = match found {
            Some(preset) => preset.id.clone(),
            None => self.next_ark_id("ep-m", at),
        };
        self.ark.presets.entry(id.clone()).or_insert_with(|| Preset {
            id,
            project: project.to_owned(),
            model,
            limits: Lagging::new(Limits::default()),
        })
    }

    /// Adds a bot over an endpoint of the same project.
    pub fn add_bot(&mut self, endpoint: &str) -> &mut Bot {
        let id = self.next_ark_id("bot", LONG_AGO);
        let project = self.ark.endpoints.get(endpoint).map(|endpoint| endpoint.project.clone());
        let bot = Bot {
            id: id.clone(),
            project: project.unwrap_or_default(),
            endpoint: endpoint.to_owned(),
        };
        self.ark.bots.entry(id).or_insert(bot)
    }

    /// Adds a running batch job. It spends with [`FakeAccount::advance_jobs`].
    pub fn add_batch_job(&mut self, project: &str, name: &str, creator: Option<&str>) -> &mut Job {
        self.job("bi", JobKind::Batch, project, name, creator)
    }

    /// Adds a running tuning job that can be resumed. It spends with [`FakeAccount::advance_jobs`].
    pub fn add_tuning_job(&mut self, project: &str, name: &str, creator: Option<&str>) -> &mut Job {
        self.job("mcj", JobKind::Tuning, project, name, creator)
    }

    fn job(
        &mut self,
        prefix: &str,
        kind: JobKind,
        project: &str,
        name: &str,
        creator: Option<&str>,
    ) -> &mut Job {
        let id = self.next_ark_id(prefix, LONG_AGO);
        let job = Job {
            id: id.clone(),
            name: name.to_owned(),
            project: project.to_owned(),
            kind,
            model: Model::TEXT,
            phase: Lagging::new(Phase::Running),
            resumable: true,
            creator: Some(self.creator(creator)),
            created: LONG_AGO,
        };
        self.ark.jobs.entry(id).or_insert(job)
    }

    /// A temporary key for one endpoint, made with the main account's access key.
    pub fn temporary_key(&mut self, endpoint: &str, expires: Timestamp) -> String {
        let made_with = self.access_key_id().to_owned();
        let kind = ResourceType::Endpoint;
        self.new_temporary_key(kind, vec![endpoint.to_owned()], "", expires, &made_with)
    }

    /// A temporary key.
    pub(crate) fn new_temporary_key(
        &mut self,
        kind: ResourceType,
        resources: Vec<String>,
        project: &str,
        expires: Timestamp,
        made_with: &str,
    ) -> String {
        self.ark.made = self.ark.made.saturating_add(1);
        let secret = secret_of(&format!("temporary {} {}", self.id, self.ark.made));
        let text = secret.expose_secret().to_owned();
        self.ark.temporary_keys.push(TemporaryKey {
            secret,
            kind,
            resources,
            project: project.to_owned(),
            expires,
            made_with: made_with.to_owned(),
        });
        text
    }
}

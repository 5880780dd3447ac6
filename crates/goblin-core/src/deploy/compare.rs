//! Setting against setting. All mismatches are found at once.

use super::address::Address;
use super::{Backend, Mismatch, Models, Page, Secret, Targets, network, vercel};

/// Fewest bytes of a secret that is made for two programs.
const LEAST_SECRET: usize = 32;
/// Where Google and others send people back to.
const GOOGLE_CALLBACK: &str = "/auth/google/callback";
/// The memory the backend is made to live in, in MiB.
const BACKEND_MIB: u32 = 512;
/// Render's plans for web services, and their memory in MiB (its pricing page, November 2026).
const PLANS: [(&str, u32); 7] = [
    ("free", 512),
    ("starter", 512),
    ("standard", 2_048),
    ("pro", 4_096),
    ("pro plus", 8_192),
    ("pro max", 16_384),
    ("pro ultra", 32_768),
];
/// The share of the models' machine that its roster may take; the rest is the system's and the contexts'.
const ROSTER_SHARE: f64 = 0.8;

/// Every mismatch, in the order of the file. Files of secrets have been read before, and so has `page.vercel_json`.
///
/// What the backend alone would refuse, whatever the others say, is not looked at here: its own reading of its variables
/// says that ([`Backend::variables`]).
pub fn check(targets: &Targets, vercel_json: Option<&str>) -> Vec<Mismatch> {
    let mut found = Found::default();
    let Targets {
        page,
        backend,
        models,
    } = targets;
    found.page(page, backend, vercel_json);
    found.frontend(page, backend);
    found.redirects(page, backend);
    found.origin_secret(page, backend);
    found.keeping(backend);
    found.plan(backend);
    found.way_to_models(backend, models);
    found.models(models);
    found.0
}

#[derive(Default)]
struct Found(Vec<Mismatch>);

impl Found {
    fn add(&mut self, key: &str, problem: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Mismatch {
            key: key.to_owned(),
            problem: problem.into(),
            fix: fix.into(),
        });
    }

    /// An address that must be there: https with nothing behind the host.
    fn origin(&mut self, key: &str, text: &str) -> Option<Address> {
        if text.is_empty() {
            self.add(key, "it is missing", "Write it like https://chat.example.org.");
            return None;
        }
        let Some(address) = Address::read(text) else {
            self.add(
                key,
                "it is no address of scheme and host",
                "Write scheme and host: https://chat.example.org.",
            );
            return None;
        };
        if !address.is_tls && !address.is_private() {
            self.add(
                key,
                "it is plain http, on which passwords and cookies can be read along",
                "Make it https.",
            );
        }
        if !address.path.is_empty() {
            self.add(
                key,
                "it says more than scheme and host",
                format!("Write {}.", address.origin()),
            );
        }
        Some(address)
    }

    fn page(&mut self, page: &Page, backend: &Backend, vercel_json: Option<&str>) {
        let own = self.origin("page.url", &page.url);
        let there = self.origin("backend.url", &backend.url);
        if page.vite_api_url.is_empty() {
            self.routes(page, there.as_ref(), vercel_json);
        } else if let Some(called) = self.origin("page.vite_api_url", &page.vite_api_url)
            && let Some(there) = &there
            && called.host != there.host
        {
            self.add(
                "page.vite_api_url",
                format!(
                    "the page calls {}, the backend is {}",
                    called.origin(),
                    there.origin()
                ),
                format!("Set VITE_API_URL to {} and build the page again.", there.origin()),
            );
        }
        if let (Some(own), Some(there)) = (own, there)
            && own.is_tls
            && !there.is_tls
        {
            self.add(
                "backend.url",
                "the page is https and the backend is not: browsers refuse to mix them",
                "Give the backend's address with https.",
            );
        }
    }

    /// Where the page's host sends what is the backend's.
    fn routes(&mut self, page: &Page, there: Option<&Address>, vercel_json: Option<&str>) {
        if page.vercel_json.is_empty() && page.backend.is_empty() {
            self.add(
                "page.vercel_json",
                "it is missing, and so is page.backend: nothing says where the page's host sends /api, /auth and /v1",
                "Give the path of web/vercel.json, or for another host page.backend.",
            );
        }
        let leads = match page.backend.as_str() {
            "" => None,
            text => self.origin("page.backend", text),
        };
        let Some(there) = there else {
            return;
        };
        let fix = format!(
            "Run `deploy/vercel/set_backend.py {}` and deploy the page again.",
            there.origin()
        );
        if let Some(leads) = leads
            && leads.host != there.host
        {
            let problem = format!(
                "the page's routes lead to {}, the backend is {}",
                leads.origin(),
                there.origin()
            );
            self.add("page.backend", problem, fix.clone());
        }
        let proves = page.origin_secret.value().is_some();
        for fault in vercel_json
            .map(|text| vercel::faults(text, there, proves))
            .unwrap_or_default()
        {
            self.add("page.vercel_json", fault, fix.clone());
        }
    }

    fn frontend(&mut self, page: &Page, backend: &Backend) {
        let named: Vec<&str> = backend.frontend_url.split(',').map(str::trim).collect();
        let own = Address::read(&page.url).map(|address| address.origin());
        for one in &named {
            self.origin("backend.frontend_url", one);
        }
        if let (Some(own), Some(first)) = (&own, named.first().and_then(|one| Address::read(one)))
            && *own != first.origin()
        {
            let fix = format!("Set FRONTEND_URL to {own}; of several, the one people type comes first.");
            self.add(
                "backend.frontend_url",
                format!(
                    "it is {}, and the page is {own}: sign-in and CORS would be refused",
                    first.origin()
                ),
                fix,
            );
        }
    }

    fn redirects(&mut self, page: &Page, backend: &Backend) {
        if backend.google_client_id.is_empty() != backend.google_redirect_uri.is_empty() {
            self.add(
                "backend.google_redirect_uri",
                "GOOGLE_CLIENT_ID and GOOGLE_REDIRECT_URI are given both or not at all",
                "Give the other one too, or leave both empty.",
            );
        }
        if let Some(own) = Address::read(&page.url)
            && !backend.google_redirect_uri.is_empty()
        {
            let wanted = format!("{}{GOOGLE_CALLBACK}", own.origin());
            if backend.google_redirect_uri != wanted {
                self.add(
                    "backend.google_redirect_uri",
                    "it is not where the page is",
                    format!("Set GOOGLE_REDIRECT_URI to {wanted}, and register the same at Google."),
                );
            }
        }
    }

    fn origin_secret(&mut self, page: &Page, backend: &Backend) {
        match (page.origin_secret.value(), backend.origin_secret.value()) {
            // The page's host passes nothing on that it could prove.
            (None, None) if !page.vite_api_url.is_empty() => {}
            (None, None) => self.add(
                "backend.origin_secret",
                "ORIGIN_SECRET is set on neither side, so limits and bans count everybody who comes through the page's \
                 host as one",
                "Set the same on the page's host and on the backend: `openssl rand -base64 48` makes one.",
            ),
            (Some(_), None) | (None, Some(_)) => self.add(
                "backend.origin_secret",
                "ORIGIN_SECRET is set on one side only",
                "Set the same on the page's host and on the backend.",
            ),
            (Some(one), Some(other)) if one != other => self.add(
                "backend.origin_secret",
                "ORIGIN_SECRET differs between the page's host and the backend: limits and bans would count everybody who \
                 comes through the page's host as one",
                "Copy the backend's to the page's host, and deploy the page again.",
            ),
            (Some(_), Some(_)) => self.long_enough("backend.origin_secret", &backend.origin_secret),
        }
    }

    /// What the backend needs to keep anything, as it says at its start.
    fn keeping(&mut self, backend: &Backend) {
        let database = backend.database_url.value().unwrap_or_default();
        let ring = "`echo \"k1:$(openssl rand -base64 32)\"` makes one.";
        let signs = [&backend.jwt_secret_key, &backend.jwt_current_key];
        let has_ring = backend.settings_encryption_key.value().is_some();
        if database.starts_with("postgres:") || database.starts_with("postgresql:") {
            if !has_ring && signs.iter().all(|key| key.value().is_none()) {
                self.add(
                    "backend.jwt_secret_key",
                    "with PostgreSQL JWT_SECRET_KEY must be given, because every copy has to know it",
                    "`openssl rand -base64 48` makes one.",
                );
            }
            if !has_ring {
                self.add(
                    "backend.settings_encryption_key",
                    "with PostgreSQL SETTINGS_ENCRYPTION_KEY must be given: without it no key of a provider can be kept",
                    ring,
                );
            }
        } else if !backend.plan.is_empty() {
            self.add(
                "backend.database_url",
                "without a PostgreSQL chats are in a file of a machine that is thrown away at every deploy",
                "Give DATABASE_URL a PostgreSQL.",
            );
        }
        if backend.copies > 1 && backend.redis_url.value().is_none() {
            self.add(
                "backend.redis_url",
                format!("{} copies without REDIS_URL count limits each for itself and cannot follow each other's answers", backend.copies),
                "Give them a Redis, or run one copy.",
            );
        }
    }

    fn plan(&mut self, backend: &Backend) {
        let plan = backend.plan.to_lowercase();
        match PLANS.iter().find(|(name, _)| *name == plan) {
            None if plan.is_empty() => {}
            None => {
                let known: Vec<&str> = PLANS.iter().map(|(name, _)| *name).collect();
                self.add(
                    "backend.plan",
                    format!("there is no plan `{}`", backend.plan),
                    format!("It is one of {}.", known.join(", ")),
                );
            }
            Some(("free", _)) => self.add(
                "backend.plan",
                "Render's free plan sleeps after a quarter of an hour and has no pre-deploy command, so migrations would not run",
                "Take starter or more.",
            ),
            Some((_, mib)) if *mib < BACKEND_MIB => self.add(
                "backend.plan",
                format!("it has {mib} MiB, the backend wants {BACKEND_MIB}"),
                "Take a larger one.",
            ),
            Some(_) => {}
        }
    }

    fn way_to_models(&mut self, backend: &Backend, models: &Models) {
        let key = "backend.local_llm_proxy_url";
        let named = listed(&backend.local_llm_proxy_url);
        if named.is_empty() {
            self.add(
                key,
                "it is missing: the backend would have no model of its own",
                "Write it like https://models.example.org.",
            );
            return;
        }
        let mut all = Vec::new();
        for one in named {
            let Some(address) = Address::read(one) else {
                self.add(
                    key,
                    "it is no address of scheme and host",
                    "Write it like https://models.example.org.",
                );
                return;
            };
            if !matches!(address.path.as_str(), "" | "/") {
                let fix = format!("Write {}.", address.origin());
                self.add(key, "it says more than scheme and host", fix);
            }
            all.push(address);
        }
        let at = match address_of(models) {
            None => Some(0),
            Some(wanted) => all
                .iter()
                .position(|one| {
                    one.is_tls == wanted.is_tls && one.host.trim_end_matches(":443") == wanted.host
                })
                .or_else(|| {
                    let given: Vec<String> = all.iter().map(Address::origin).collect();
                    let wanted = wanted.origin();
                    let problem = format!("it is {}, and the models are at {wanted}", given.join(", "));
                    self.add(key, problem, format!("Set LOCAL_LLM_PROXY_URL to {wanted}."));
                    None
                }),
        };
        if at.is_some() && all.iter().any(|one| !one.is_tls && !one.is_private()) {
            self.add(
                key,
                "plain http to a public address: the key and every question can be read along",
                "Give the models a name with TLS (`install.sh --domain`), or a private network.",
            );
        }
        self.key_of_models(backend, models, at.unwrap_or(0));
    }

    /// The key at place `at` of LOCAL_LLM_API_KEY, or its only one, must be that of the models' machine.
    fn key_of_models(&mut self, backend: &Backend, models: &Models, at: usize) {
        let keys = listed(backend.local_llm_api_key.value().unwrap_or_default());
        let at = if keys.len() == 1 { 0 } else { at };
        match (keys.get(at), models.key.value()) {
            (Some(one), Some(other)) if *one == other => self.long_enough("models.key", &models.key),
            (Some(_), Some(_)) => self.add(
                "backend.local_llm_api_key",
                "it is not the key of the models' machine: every question would be refused with 401",
                "Copy /etc/goblin/tier-key to LOCAL_LLM_API_KEY.",
            ),
            (None, _) => self.add(
                "backend.local_llm_api_key",
                "it is missing",
                "Copy /etc/goblin/tier-key to LOCAL_LLM_API_KEY.",
            ),
            (Some(_), None) => self.add(
                "models.key",
                "it is missing, so nothing says that LOCAL_LLM_API_KEY is right",
                "Give what is in /etc/goblin/tier-key, as { file = \"…\" }.",
            ),
        }
    }

    fn models(&mut self, models: &Models) {
        if models.domain.is_empty() && models.listen.is_empty() {
            self.add(
                "models.domain",
                "neither `domain` nor `listen` is given",
                "Give the name install.sh was told, or the private address.",
            );
        }
        if models.allow.is_empty() {
            self.add(
                "models.allow",
                "nobody may reach the models",
                "Give Render's outbound ranges of the backend's region.",
            );
        }
        for (problem, fix) in models.allow.iter().filter_map(|one| network::fault(one)) {
            self.add("models.allow", problem, fix);
        }
        let wanted: f64 = models.roster_gib.values().sum();
        let most = models.memory_gib * ROSTER_SHARE;
        if models.memory_gib > 0.0 && wanted > most {
            self.add(
                "models.memory_gib",
                format!("the roster takes {wanted:.1} GiB together, and of {:.1} GiB about {most:.1} can be models", models.memory_gib),
                "Take a larger machine, smaller models, or let fewer stay in memory.",
            );
        }
    }

    fn long_enough(&mut self, key: &str, secret: &Secret) {
        if let Some(given) = secret.value()
            && given.len() < LEAST_SECRET
        {
            self.add(
                key,
                format!("it has {} bytes, and {LEAST_SECRET} are the least", given.len()),
                "`openssl rand -base64 48` makes one.",
            );
        }
    }
}

/// The items of a comma list.
fn listed(text: &str) -> Vec<&str> {
    text.split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .collect()
}

/// Where the models' machine answers, by what install.sh was told.
fn address_of(models: &Models) -> Option<Address> {
    let (is_tls, host) = match (models.domain.as_str(), models.listen.as_str()) {
        ("", "") => return None,
        ("", v6) if v6.contains(':') => (false, format!("[{}]:8002", v6.trim_matches(['[', ']']))),
        ("", listen) => (false, format!("{listen}:8002")),
        (domain, _) => (true, domain.to_ascii_lowercase()),
    };
    Some(Address {
        is_tls,
        host,
        path: String::new(),
    })
}

#[cfg(test)]
mod tests;

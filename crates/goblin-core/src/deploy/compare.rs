//! Setting against setting. All mismatches are found at once.

use super::address::Address;
use super::{Backend, Mismatch, Models, Page, Secret, Targets};

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

/// Every mismatch, in the order of the file. Files of secrets have been read before.
pub fn check(targets: &Targets) -> Vec<Mismatch> {
    let mut found = Found::default();
    let Targets {
        page,
        backend,
        models,
    } = targets;
    found.page(page, backend);
    found.frontend(page, backend);
    found.redirects(page, backend);
    found.origin_secret(page, backend);
    found.keeping(backend);
    found.plan(backend);
    found.mail(backend);
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

    fn page(&mut self, page: &Page, backend: &Backend) {
        let own = self.origin("page.url", &page.url);
        let there = self.origin("backend.url", &backend.url);
        if page.vite_api_url.is_empty() {
            let leads = self.origin("page.backend", &page.backend);
            if let (Some(leads), Some(there)) = (&leads, &there)
                && leads.host != there.host
            {
                self.add(
                    "page.backend",
                    format!(
                        "the page's routes lead to {}, the backend is {}",
                        leads.origin(),
                        there.origin()
                    ),
                    format!(
                        "Run `deploy/vercel/set_backend.py {}` and deploy the page again.",
                        there.origin()
                    ),
                );
            }
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
        let pattern = &backend.preview_origin_pattern;
        let host = pattern.strip_prefix("https://");
        if !pattern.is_empty()
            && !host.is_some_and(|host| {
                host.matches('*').count() == 1 && host.len() > 3 && !host.starts_with("*.")
            })
        {
            self.add(
                "backend.preview_origin_pattern",
                format!("`{pattern}` must be https with one `*` in the first part of the name"),
                "Write it like https://goblin-*-yourteam.vercel.app, project and team in full.",
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
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => self.add(
                "backend.origin_secret",
                "ORIGIN_SECRET is set on one side only",
                "Set the same on the page's host and on the backend, or on neither.",
            ),
            (Some(one), Some(other)) if one != other => self.add(
                "backend.origin_secret",
                "ORIGIN_SECRET differs between the page's host and the backend: every request through the page would be \
                 refused",
                "Copy the backend's to the page's host, and deploy the page again.",
            ),
            (Some(_), Some(_)) => self.long_enough("backend.origin_secret", &backend.origin_secret),
        }
    }

    /// What the backend needs to keep anything.
    fn keeping(&mut self, backend: &Backend) {
        if backend.database_url.value().is_some() {
            for (key, name, secret) in [
                (
                    "backend.jwt_secret_key",
                    "JWT_SECRET_KEY",
                    &backend.jwt_secret_key,
                ),
                (
                    "backend.settings_encryption_key",
                    "SETTINGS_ENCRYPTION_KEY",
                    &backend.settings_encryption_key,
                ),
            ] {
                if secret.value().is_none() {
                    self.add(
                        key,
                        format!("with PostgreSQL {name} must be given, because every copy has to know it"),
                        "`openssl rand -base64 48` makes one; for SETTINGS_ENCRYPTION_KEY: echo \"k1:$(openssl rand -base64 32)\".",
                    );
                }
            }
        } else if !backend.plan.is_empty() {
            self.add(
                "backend.database_url",
                "without DATABASE_URL chats are in a file of a machine that is thrown away at every deploy",
                "Give it a PostgreSQL.",
            );
        }
        self.long_enough("backend.jwt_secret_key", &backend.jwt_secret_key);
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

    fn mail(&mut self, backend: &Backend) {
        if backend.smtp_url.value().is_some() && backend.mail_from.is_empty() {
            self.add(
                "backend.mail_from",
                "SMTP_URL is given and MAIL_FROM is not: no letter can be sent",
                "Set MAIL_FROM to the sender's address.",
            );
        }
    }

    fn way_to_models(&mut self, backend: &Backend, models: &Models) {
        let key = "backend.local_llm_proxy_url";
        let Some(address) = Address::read(&backend.local_llm_proxy_url) else {
            let problem = match backend.local_llm_proxy_url.as_str() {
                "" => "it is missing: the backend would have no model of its own".to_owned(),
                _ => "it is no address of scheme and host".to_owned(),
            };
            self.add(key, problem, "Write it like https://models.example.org.");
            return;
        };
        let wanted = match (models.domain.as_str(), models.listen.as_str()) {
            ("", "") => None,
            ("", listen) => Some((false, format!("{listen}:8002"))),
            (domain, _) => Some((true, domain.to_ascii_lowercase())),
        };
        if let Some((is_tls, host)) = wanted
            && (address.is_tls, address.host.trim_end_matches(":443")) != (is_tls, host.as_str())
        {
            let scheme = if is_tls { "https" } else { "http" };
            self.add(
                key,
                format!(
                    "it is {}, and the models are at {scheme}://{host}",
                    address.origin()
                ),
                format!("Set LOCAL_LLM_PROXY_URL to {scheme}://{host}."),
            );
        } else if !address.is_tls && !address.is_private() {
            self.add(
                key,
                "plain http to a public address: the key and every question can be read along",
                "Give the models a name with TLS (`install.sh --domain`), or a private network.",
            );
        }
        match (backend.local_llm_api_key.value(), models.key.value()) {
            (Some(one), Some(other)) if one == other => {
                self.long_enough("backend.local_llm_api_key", &backend.local_llm_api_key)
            }
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
        for one in models.allow.iter().filter(|one| one.ends_with("/0")) {
            self.add(
                "models.allow",
                format!("`{one}` is everybody"),
                "Name the ranges the backend calls from.",
            );
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

#[cfg(test)]
mod tests;

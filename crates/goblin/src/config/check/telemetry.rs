//! Who is told what of this process.

use std::time::Duration;

use goblin_core::telemetry::otlp::{Protocol, Resource};
use goblin_core::telemetry::sampler::Sampler;
use goblin_core::telemetry::sentry::Dsn;
use goblin_net::Url;
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::config::check::Reader;

/// Who is told what.
#[derive(Clone, Debug)]
pub(crate) struct TelemetryConfig {
    /// Where spans go.
    pub(crate) traces: Option<Otlp>,
    /// Where metrics go.
    pub(crate) metrics: Option<Otlp>,
    /// Authorities to trust for both, in PEM.
    pub(crate) roots_pem: Option<Vec<u8>>,
    /// Longest a request may take.
    pub(crate) wait: Duration,
    /// What the process is called, when it has a name of its own.
    pub(crate) service: Option<String>,
    /// What else is said of it.
    pub(crate) attributes: Vec<(String, String)>,
    /// Which traces are recorded.
    pub(crate) sampler: Sampler,
    /// How many of those begun here in a second; 0: all.
    pub(crate) traces_per_second: u32,
    /// How often metrics are sent.
    pub(crate) metrics_every: Duration,
    /// How long is collected.
    pub(crate) batch: Duration,
    /// Most items waiting, of each kind.
    pub(crate) queue: usize,
    /// Where errors go.
    pub(crate) sentry: Option<Dsn>,
    /// What Sentry is told of where this is.
    pub(crate) environment: String,
    /// Where events of the page go.
    pub(crate) posthog: Option<PostHog>,
}

/// A collector.
#[derive(Clone, Debug)]
pub(crate) struct Otlp {
    /// The whole address.
    pub(crate) url: Url,
    /// Headers of every request; their values are hidden.
    pub(crate) headers: HeaderMap,
    /// How requests are written.
    pub(crate) protocol: Protocol,
}

/// A PostHog project.
#[derive(Clone, Debug)]
pub(crate) struct PostHog {
    /// Where batches are posted.
    pub(crate) url: Url,
    /// Its key.
    pub(crate) key: SecretString,
}

impl Reader<'_> {
    pub(super) fn telemetry(&mut self) -> TelemetryConfig {
        let word = self
            .text("telemetry.traces_sampler")
            .unwrap_or_default()
            .to_lowercase();
        let sampler = Sampler::parse(&word, self.real("telemetry.traces_share"));
        let mut config = TelemetryConfig {
            traces: self.otlp("traces"),
            metrics: self.otlp("metrics"),
            roots_pem: self.otlp_roots(),
            wait: self.milliseconds("telemetry.wait_milliseconds"),
            service: self.text("telemetry.service_name"),
            attributes: self.pairs("telemetry.resource_attributes"),
            // A word that is none has been reported already.
            sampler: sampler.unwrap_or(Sampler {
                parent_based: true,
                share: 1.0,
            }),
            traces_per_second: self.small("telemetry.traces_per_second"),
            metrics_every: self.milliseconds("telemetry.metrics_every_milliseconds"),
            batch: self.milliseconds("telemetry.batch_milliseconds"),
            queue: self.count("telemetry.queue"),
            sentry: self.sentry(),
            environment: self.text("telemetry.sentry_environment").unwrap_or_default(),
            posthog: self.posthog(),
        };
        // What both kinds have in common is told once.
        let mut once = Vec::new();
        for problem in std::mem::take(&mut self.found) {
            if !once.contains(&problem) {
                once.push(problem);
            }
        }
        self.found = once;
        if self.switch("telemetry.disabled") {
            config.traces = None;
            config.metrics = None;
            config.sentry = None;
            config.posthog = None;
        }
        config
    }

    fn milliseconds(&self, path: &str) -> Duration {
        Duration::from_millis(self.number(path))
    }

    /// Where one kind goes: an address of its own, else the common one with the kind's path under it.
    fn otlp(&mut self, kind: &str) -> Option<Otlp> {
        let own = self.address_at(&format!("telemetry.otlp_{kind}_url"));
        let common = self.address_at("telemetry.otlp_url");
        let headers = format!("telemetry.otlp_{kind}_headers");
        let headers = match self.text(&headers) {
            Some(_) => self.headers(&headers),
            None => self.headers("telemetry.otlp_headers"),
        };
        let protocol = self.protocol(&format!("telemetry.otlp_{kind}_protocol"));
        Some(Otlp {
            url: own.or_else(|| Some(common?.join(&format!("v1/{kind}"))))?,
            headers,
            protocol: protocol?,
        })
    }

    fn protocol(&mut self, own: &str) -> Option<Protocol> {
        let known = |word: &str| match word.to_lowercase().as_str() {
            "http/json" => Some(Protocol::Json),
            "http/protobuf" => Some(Protocol::Protobuf),
            _ => None,
        };
        let Some(word) = self.text(own) else {
            // A word that is none has been reported already.
            return self.text("telemetry.otlp_protocol").and_then(|word| known(&word));
        };
        if known(&word).is_none() {
            self.problem(
                own,
                "it must be `http/protobuf` or `http/json`. A collector that takes gRPC takes HTTP too, as a rule at port 4318.",
            );
        }
        known(&word)
    }

    fn address_at(&mut self, path: &str) -> Option<Url> {
        let text = self.text(path)?;
        match Url::parse(&text) {
            Ok(url) => Some(url),
            Err(why) => {
                self.problem(path, format!("{why}."));
                None
            }
        }
    }

    fn pairs(&mut self, path: &str) -> Vec<(String, String)> {
        let text = self.text(path).unwrap_or_default();
        Resource::pairs(&text).unwrap_or_else(|why| {
            self.problem(path, why);
            Vec::new()
        })
    }

    fn headers(&mut self, path: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in self.pairs(path) {
            let pair = HeaderName::from_bytes(name.as_bytes())
                .ok()
                .zip(HeaderValue::from_str(&value).ok());
            match pair {
                Some((name, mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                None => self.problem(path, "one of its names or values cannot travel in a header."),
            }
        }
        headers
    }

    fn otlp_roots(&mut self) -> Option<Vec<u8>> {
        let file = self.text("telemetry.otlp_ca_file")?;
        std::fs::read(file)
            .map_err(|error| {
                self.problem("telemetry.otlp_ca_file", format!("it cannot be read: {error}."));
            })
            .ok()
    }

    fn sentry(&mut self) -> Option<Dsn> {
        let text = self.secret("telemetry.sentry_dsn")?;
        let dsn = Dsn::parse(text.expose_secret()).filter(|dsn| Url::parse(dsn.endpoint()).is_ok());
        if dsn.is_none() {
            self.problem(
                "telemetry.sentry_dsn",
                "it is no DSN. Copy it from the project's settings in Sentry: https://KEY@HOST/PROJECT.",
            );
        }
        dsn
    }

    fn posthog(&mut self) -> Option<PostHog> {
        let key = self.secret("telemetry.posthog_key")?;
        let Some(url) = self.address_at("telemetry.posthog_url") else {
            let missing = self.text("telemetry.posthog_url").is_none();
            if missing {
                self.problem(
                    "telemetry.posthog_url",
                    "a key is set, but not where its PostHog is.",
                );
            }
            return None;
        };
        Some(PostHog {
            url: url.join("batch/"),
            key,
        })
    }
}

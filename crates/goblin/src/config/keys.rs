//! The one list of settings: what each may hold and by which short names the environment knows it. Defaults and
//! descriptions live in `goblin.default.toml`; a test keeps the two in step.

use goblin_core::telemetry::sampler::WORDS as SAMPLERS;

/// What a setting may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Any text; empty means "not set".
    Text,
    /// `true` or `false`.
    Switch,
    /// A whole number within bounds, both included.
    Number(i64, i64),
    /// A number within bounds, both included.
    Real(f64, f64),
    /// One of these words, in any case.
    Word(&'static [&'static str]),
    /// Several texts; a comma list in the environment.
    List,
    /// One text or several; several are a list, or a comma list in one text.
    Several,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// `section.name`; a section may have several parts.
    pub(crate) path: &'static str,
    /// What it may hold.
    pub(crate) kind: Kind,
    /// Its short name in the environment.
    pub(crate) env: Option<ShortName>,
    /// Never shown, and readable from a file named by `NAME_FILE`.
    pub(crate) secret: bool,
}

/// A short name in the environment. Some names mean another setting in the model tier's own process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ShortName {
    /// The variable.
    pub(crate) name: &'static str,
    /// Who reads it.
    pub(crate) reader: Reader,
}

/// Which process reads a short name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reader {
    /// Every one.
    All,
    /// All but `models serve`.
    Backend,
    /// Only `models serve`.
    Tier,
}

const fn key(path: &'static str, kind: Kind) -> Key {
    Key {
        path,
        kind,
        env: None,
        secret: false,
    }
}

impl Key {
    const fn env(mut self, name: &'static str) -> Self {
        self.env = Some(ShortName {
            name,
            reader: Reader::All,
        });
        self
    }

    const fn backend_env(mut self, name: &'static str) -> Self {
        self.env = Some(ShortName {
            name,
            reader: Reader::Backend,
        });
        self
    }

    const fn tier_env(mut self, name: &'static str) -> Self {
        self.env = Some(ShortName {
            name,
            reader: Reader::Tier,
        });
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The last part of its path.
    pub(crate) fn field(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// Its long name in the environment: `GOBLIN_ENGINE__THREADS` for `engine.threads`.
    pub(crate) fn long_name(&self) -> String {
        format!("GOBLIN_{}", self.path.replace('.', "__").to_uppercase())
    }
}

/// What a server is.
const SERVER_KINDS: &[&str] = &[
    "goblin",
    "ollama",
    "llamacpp",
    "openai",
    "anthropic",
    "deepseek",
    "gemini",
    "grok",
];
const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];
const FORMATS: &[&str] = &["auto", "human", "json"];
/// By which of its APIs OpenAI is asked.
const APIS: &[&str] = &["chat", "responses"];
/// What becomes of a wish that a model cannot take.
const UNTRANSLATED: &[&str] = &["refuse", "header"];
const ROLES: &[&str] = &["quick", "chat", "reasoning", "top", "code", "cloud"];
const VERIFY: &[&str] = &["off", "final", "hold", "optimistic"];
const HANDLING: &[&str] = &["off", "note", "redact", "redact_away", "refuse"];
const WITHOUT_REDIS: &[&str] = &["count_here", "let_through", "refuse"];
/// 0 is without a bound.
const PER_MINUTE: Kind = Kind::Number(0, 1_000_000);
const OTLP_PROTOCOLS: &[&str] = &["http/protobuf", "http/json"];
/// A probability.
const SHARE: Kind = Kind::Real(0.0, 1.0);
const PORT: Kind = Kind::Number(0, 65_535);
const HOUR: Kind = Kind::Number(1, 3_600);
/// Seconds; -1 is always.
const KEEP_ALIVE: Kind = Kind::Number(-1, 30 * 86_400);

/// Every setting, in the order of the manual.
pub(crate) const KEYS: &[Key] = &[
    key("server.host", Kind::Text).backend_env("HOST"),
    key("server.port", PORT).backend_env("PORT"),
    key("server.frontend_url", Kind::List).env("FRONTEND_URL"),
    key("server.trusted_proxies", Kind::List).env("TRUSTED_PROXIES"),
    key("server.origin_secret", Kind::Text)
        .env("ORIGIN_SECRET")
        .secret(),
    key("server.preview_origin_pattern", Kind::Text).env("PREVIEW_ORIGIN_PATTERN"),
    key("server.header_timeout_seconds", HOUR),
    key("server.body_timeout_seconds", HOUR),
    key("server.answer_timeout_seconds", HOUR),
    key("server.max_body_bytes", Kind::Number(1_024, 1 << 30)),
    key("server.max_connections", Kind::Number(1, 1_000_000)),
    key("server.max_requests", Kind::Number(1, 1_000_000)),
    key("server.drain_seconds", Kind::Number(0, 3_600)),
    key("auth.registration_open", Kind::Switch),
    key("auth.session_idle_hours", Kind::Number(1, 8_760)),
    key("auth.session_days", Kind::Number(1, 365)),
    key("auth.token_minutes", Kind::Number(1, 60)),
    key("auth.invitation_hours", Kind::Number(1, 8_760)),
    key("auth.reset_minutes", Kind::Number(5, 10_080)),
    key("auth.hash_memory_kib", Kind::Number(7_168, 1 << 20)),
    key("auth.hash_passes", Kind::Number(1, 64)),
    key("auth.hashes_at_once", Kind::Number(1, 64)),
    key("auth.jwt_secret_key", Kind::Text)
        .env("JWT_SECRET_KEY")
        .secret(),
    key("auth.jwt_current_key", Kind::Text)
        .env("JWT_CURRENT_KEY")
        .secret(),
    key("auth.jwt_standby_key", Kind::Text)
        .env("JWT_STANDBY_KEY")
        .secret(),
    key("auth.google_client_id", Kind::Text).env("GOOGLE_CLIENT_ID"),
    key("auth.google_client_secret", Kind::Text)
        .env("GOOGLE_CLIENT_SECRET")
        .secret(),
    key("auth.google_redirect_uri", Kind::Text).env("GOOGLE_REDIRECT_URI"),
    key("auth.oidc_issuer", Kind::Several).env("OIDC_ISSUER"),
    key("auth.oidc_client_id", Kind::Several).env("OIDC_CLIENT_ID"),
    key("auth.oidc_client_secret", Kind::Several)
        .env("OIDC_CLIENT_SECRET")
        .secret(),
    key("auth.oidc_name", Kind::Several),
    key("auth.supabase_url", Kind::Text).env("SUPABASE_URL"),
    key("auth.supabase_anon_key", Kind::Text)
        .env("SUPABASE_ANON_KEY")
        .secret(),
    key("auth.supabase_jwt_secret", Kind::Text)
        .env("SUPABASE_JWT_SECRET")
        .secret(),
    key("auth.supabase_service_role_key", Kind::Text)
        .env("SUPABASE_SERVICE_ROLE_KEY")
        .secret(),
    key("secrets.master_keys", Kind::Text)
        .env("SETTINGS_ENCRYPTION_KEY")
        .secret(),
    key("limits.sign_ins_per_minute", PER_MINUTE),
    key("limits.address_per_minute", PER_MINUTE),
    key("limits.user_per_minute", PER_MINUTE),
    key("limits.team_per_minute", PER_MINUTE),
    key("limits.key_per_minute", PER_MINUTE),
    key("limits.user_concurrent", PER_MINUTE),
    key("limits.key_concurrent", PER_MINUTE),
    key("limits.redis_url", Kind::Text).env("REDIS_URL").secret(),
    key("limits.sign_ins_without_redis", Kind::Word(WITHOUT_REDIS)),
    key("limits.requests_without_redis", Kind::Word(WITHOUT_REDIS)),
    key("mail.smtp_url", Kind::Text).env("SMTP_URL").secret(),
    key("mail.from", Kind::Text).env("MAIL_FROM"),
    key("mail.ca_file", Kind::Text),
    key("log.level", Kind::Word(LEVELS)).env("LOG_LEVEL"),
    key("log.format", Kind::Word(FORMATS)),
    key("telemetry.disabled", Kind::Switch).env("OTEL_SDK_DISABLED"),
    key("telemetry.otlp_url", Kind::Text).env("OTEL_EXPORTER_OTLP_ENDPOINT"),
    key("telemetry.otlp_traces_url", Kind::Text).env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
    key("telemetry.otlp_metrics_url", Kind::Text).env("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"),
    key("telemetry.otlp_headers", Kind::Text)
        .env("OTEL_EXPORTER_OTLP_HEADERS")
        .secret(),
    key("telemetry.otlp_traces_headers", Kind::Text)
        .env("OTEL_EXPORTER_OTLP_TRACES_HEADERS")
        .secret(),
    key("telemetry.otlp_metrics_headers", Kind::Text)
        .env("OTEL_EXPORTER_OTLP_METRICS_HEADERS")
        .secret(),
    key("telemetry.otlp_protocol", Kind::Word(OTLP_PROTOCOLS)).env("OTEL_EXPORTER_OTLP_PROTOCOL"),
    key("telemetry.otlp_traces_protocol", Kind::Text).env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
    key("telemetry.otlp_metrics_protocol", Kind::Text).env("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"),
    key("telemetry.otlp_ca_file", Kind::Text).env("OTEL_EXPORTER_OTLP_CERTIFICATE"),
    key("telemetry.wait_milliseconds", Kind::Number(100, 60_000)).env("OTEL_EXPORTER_OTLP_TIMEOUT"),
    key("telemetry.service_name", Kind::Text).env("OTEL_SERVICE_NAME"),
    key("telemetry.resource_attributes", Kind::Text).env("OTEL_RESOURCE_ATTRIBUTES"),
    key("telemetry.traces_sampler", Kind::Word(SAMPLERS)).env("OTEL_TRACES_SAMPLER"),
    key("telemetry.traces_share", SHARE).env("OTEL_TRACES_SAMPLER_ARG"),
    key("telemetry.traces_per_second", Kind::Number(0, 1_000_000)),
    key(
        "telemetry.metrics_every_milliseconds",
        Kind::Number(100, 3_600_000),
    )
    .env("OTEL_METRIC_EXPORT_INTERVAL"),
    key("telemetry.batch_milliseconds", Kind::Number(10, 60_000)).env("OTEL_BSP_SCHEDULE_DELAY"),
    key("telemetry.queue", Kind::Number(1, 100_000)).env("OTEL_BSP_MAX_QUEUE_SIZE"),
    key("telemetry.sentry_dsn", Kind::Text).env("SENTRY_DSN").secret(),
    key("telemetry.sentry_environment", Kind::Text).env("SENTRY_ENVIRONMENT"),
    key("telemetry.posthog_key", Kind::Text)
        .env("POSTHOG_API_KEY")
        .secret(),
    key("telemetry.posthog_url", Kind::Text).env("POSTHOG_HOST"),
    key("data.dir", Kind::Text),
    key("database.url", Kind::Text).env("DATABASE_URL").secret(),
    key("database.direct_url", Kind::Text)
        .env("DATABASE_DIRECT_URL")
        .secret(),
    key("database.transaction_pooling", Kind::Switch),
    key("database.connections", Kind::Number(1, 1_000)),
    key("database.wait_seconds", HOUR),
    key("database.statement_timeout_seconds", HOUR),
    key("backup.passphrase", Kind::Text)
        .env("GOBLIN_BACKUP_PASSPHRASE")
        .secret(),
    key("models.default", Kind::Text),
    key("models.aliases", Kind::Several),
    key("engine.enabled", Kind::Switch),
    key("engine.model", Kind::Text),
    key("engine.threads", Kind::Number(0, 1_024)),
    key("engine.sequences", Kind::Number(1, 128)),
    key("engine.context_tokens", Kind::Number(0, 1 << 20)),
    key("engine.gpu_layers", Kind::Number(-1, 10_000)),
    key("engine.memory_bytes", Kind::Number(0, 1 << 50)),
    key("engine.max_models", Kind::Number(1, 1_000)),
    key("engine.idle_unload_seconds", KEEP_ALIVE),
    key("upstream.proxy_url", Kind::Several).env("LOCAL_LLM_PROXY_URL"),
    key("upstream.proxy_key", Kind::Several)
        .backend_env("LOCAL_LLM_API_KEY")
        .secret(),
    key("upstream.proxy_require_tls", Kind::Switch),
    key("upstream.proxy_ca_file", Kind::Text),
    key("upstream.ollama_url", Kind::Several).env("OLLAMA_HOST"),
    key("upstream.llamacpp_url", Kind::Several).env("LLAMACPP_URL"),
    key("upstream.openai_key", Kind::Text)
        .backend_env("OPENAI_API_KEY")
        .secret(),
    key("upstream.openai_url", Kind::Text).backend_env("OPENAI_BASE_URL"),
    key("upstream.openai_api", Kind::Word(APIS)),
    key("upstream.anthropic_key", Kind::Text)
        .backend_env("ANTHROPIC_API_KEY")
        .secret(),
    key("upstream.anthropic_url", Kind::Text).backend_env("ANTHROPIC_BASE_URL"),
    key("upstream.deepseek_key", Kind::Text)
        .backend_env("DEEPSEEK_API_KEY")
        .secret(),
    key("upstream.deepseek_url", Kind::Text).backend_env("DEEPSEEK_BASE_URL"),
    key("upstream.gemini_key", Kind::Text)
        .backend_env("GEMINI_API_KEY")
        .secret(),
    key("upstream.gemini_url", Kind::Text).backend_env("GEMINI_BASE_URL"),
    key("upstream.grok_key", Kind::Text)
        .backend_env("GROK_API_KEY")
        .secret(),
    key("upstream.grok_url", Kind::Text).backend_env("GROK_BASE_URL"),
    key("upstream.discover", Kind::Switch),
    key("upstream.allow_cloud_models", Kind::Switch),
    key("upstream.untranslated", Kind::Word(UNTRANSLATED)),
    key("upstream.connect_timeout_seconds", HOUR),
    key("upstream.first_event_timeout_seconds", HOUR),
    key("upstream.idle_timeout_seconds", HOUR),
    key("cache.enabled", Kind::Switch),
    key("cache.keep_seconds", Kind::Number(1, 31_536_000)),
    key("cache.bytes", Kind::Number(1_048_576, 1_099_511_627_776)),
    key("cache.common_queries", Kind::Switch),
    key("queue.max_waiting", Kind::Number(0, 100_000)),
    key("queue.cloud_requests_at_once", Kind::Number(0, 100_000)),
    key("queue.retries", Kind::Number(0, 10)),
    key("queue.retry_longest_seconds", Kind::Number(1, 300)),
    key("queue.hedge_after_ms", Kind::Number(0, 600_000)),
    key("queue.turn_deadline_seconds", Kind::Number(1, 86_400)),
    key("tier.host", Kind::Text).tier_env("HOST"),
    key("tier.port", PORT).tier_env("PORT"),
    key("tier.key", Kind::Text).tier_env("LOCAL_LLM_API_KEY").secret(),
    key("tier.keys_file", Kind::Text),
    key("tier.require_tls", Kind::Switch),
    key("tier.ban_after_failures", Kind::Number(0, 1_000)),
    key("tier.ban_minutes", Kind::Number(1, 10_080)),
    key("tier.ban_longest_minutes", Kind::Number(1, 10_080)),
    key("tier.warm_up", Kind::Switch),
    key("tier.models.safety.model", Kind::Text),
    key("tier.models.safety.keep_alive_seconds", KEEP_ALIVE),
    key("tier.models.confidence.model", Kind::Text),
    key("tier.models.confidence.keep_alive_seconds", KEEP_ALIVE),
    key("tier.models.reasoning.model", Kind::Text),
    key("tier.models.reasoning.keep_alive_seconds", KEEP_ALIVE),
    key("tier.models.top.model", Kind::Text),
    key("tier.models.top.keep_alive_seconds", KEEP_ALIVE),
    key("tier.models.code.model", Kind::Text),
    key("tier.models.code.keep_alive_seconds", KEEP_ALIVE),
    key("roster.quick", Kind::Text),
    key("roster.chat", Kind::Text),
    key("roster.reasoning", Kind::Text),
    key("roster.top", Kind::Text),
    key("roster.code", Kind::Text),
    key("roster.safety", Kind::List),
    key("roster.confidence", Kind::List),
    key("policy.cost_weight", Kind::Real(0.0, 1e6)),
    key("policy.cost_priority_weight", Kind::Real(0.0, 1e6)),
    key("policy.long_text_tokens", Kind::Number(1, 10_000_000)),
    key("policy.multilingual", Kind::List),
    key("policy.intents.code.role", Kind::Word(ROLES)),
    key("policy.intents.code.next", Kind::List),
    key("policy.intents.code.temperature", Kind::Real(0.0, 2.0)),
    key("policy.intents.code.quality", Kind::List),
    key("policy.intents.explain.role", Kind::Word(ROLES)),
    key("policy.intents.explain.next", Kind::List),
    key("policy.intents.explain.temperature", Kind::Real(0.0, 2.0)),
    key("policy.intents.explain.quality", Kind::List),
    key("policy.intents.summarize.role", Kind::Word(ROLES)),
    key("policy.intents.summarize.next", Kind::List),
    key("policy.intents.summarize.temperature", Kind::Real(0.0, 2.0)),
    key("policy.intents.summarize.quality", Kind::List),
    key("policy.intents.creative.role", Kind::Word(ROLES)),
    key("policy.intents.creative.next", Kind::List),
    key("policy.intents.creative.temperature", Kind::Real(0.0, 2.0)),
    key("policy.intents.creative.quality", Kind::List),
    key("policy.intents.translation.role", Kind::Word(ROLES)),
    key("policy.intents.translation.next", Kind::List),
    key("policy.intents.translation.temperature", Kind::Real(0.0, 2.0)),
    key("policy.intents.translation.quality", Kind::List),
    key("policy.intents.classification.role", Kind::Word(ROLES)),
    key("policy.intents.classification.next", Kind::List),
    key("policy.intents.classification.temperature", Kind::Real(0.0, 2.0)),
    key("policy.intents.classification.quality", Kind::List),
    key("policy.intents.status.role", Kind::Word(ROLES)),
    key("policy.intents.status.next", Kind::List),
    key("policy.intents.status.temperature", Kind::Real(0.0, 2.0)),
    key("policy.intents.status.quality", Kind::List),
    key("policy.intents.rag.role", Kind::Word(ROLES)),
    key("policy.intents.rag.next", Kind::List),
    key("policy.intents.rag.temperature", Kind::Real(0.0, 2.0)),
    key("policy.intents.rag.quality", Kind::List),
    key("policy.intents.retrieval.role", Kind::Word(ROLES)),
    key("policy.intents.retrieval.next", Kind::List),
    key("policy.intents.retrieval.temperature", Kind::Real(0.0, 2.0)),
    key("policy.intents.retrieval.quality", Kind::List),
    key("policy.intents.chat.role", Kind::Word(ROLES)),
    key("policy.intents.chat.next", Kind::List),
    key("policy.intents.chat.temperature", Kind::Real(0.0, 2.0)),
    key("policy.intents.chat.quality", Kind::List),
    key("policy.intents.legal.role", Kind::Word(ROLES)),
    key("policy.intents.legal.next", Kind::List),
    key("policy.intents.legal.temperature", Kind::Real(0.0, 2.0)),
    key("policy.intents.legal.quality", Kind::List),
    key("policy.intents.reasoning.role", Kind::Word(ROLES)),
    key("policy.intents.reasoning.next", Kind::List),
    key("policy.intents.reasoning.temperature", Kind::Real(0.0, 2.0)),
    key("policy.intents.reasoning.quality", Kind::List),
    key("prices.models", Kind::List),
    key("money.baseline", Kind::Text),
    key("money.budgets", Kind::List),
    key("costs.currency", Kind::Text),
    key("costs.currency_per_usd", Kind::Real(0.000_001, 1e9)),
    key("costs.hosts", Kind::List),
    key("costs.more", Kind::List),
    key("trust.verify", Kind::Word(VERIFY)),
    key("trust.safety_threshold", SHARE).env("SAFETY_THRESHOLD"),
    key("trust.confidence_threshold", SHARE).env("CONFIDENCE_THRESHOLD"),
    key("trust.critical_threshold", SHARE).env("CRITICAL_THRESHOLD"),
    key("trust.max_steps", Kind::Number(1, 16)),
    key("trust.advisory_judges", Kind::List),
    key("trust.judge_records", Kind::List),
    key("trust.known_guards", Kind::Switch),
    key("trust.require_judge", Kind::Switch),
    key("trust.judge_timeout_seconds", Kind::Number(1, 600)),
    key("trust.categories", Kind::List),
    key("trust.secrets", Kind::Word(HANDLING)),
    key("trust.personal_data", Kind::Word(HANDLING)),
    key("trust.injection", Kind::Word(&["off", "note", "refuse"])),
    key("attachments.bytes_each", Kind::Number(1_024, 32 << 20)),
    key("attachments.bytes_each_person", Kind::Number(1_024, 1 << 40)),
    key("trace.keep_days", Kind::Number(0, 36_500)),
    key("responses.keep_days", Kind::Number(0, 36_500)),
    key("responses.most_per_user", Kind::Number(1, 1_000_000)),
    key("responses.bytes_per_user", Kind::Number(1_024, 1 << 50)),
    key("retention.chat_days", Kind::Number(0, 36_500)),
    key("retention.usage_days", Kind::Number(0, 36_500)),
    key("retention.audit_days", Kind::Number(0, 36_500)),
    key("registry.ollama_url", Kind::Text),
    key("registry.huggingface_url", Kind::Text).env("HF_ENDPOINT"),
    key("registry.huggingface_token", Kind::Text)
        .env("HF_TOKEN")
        .secret(),
    key("registry.ollama_models", Kind::Text).env("OLLAMA_MODELS"),
];

/// Where servers with names of their own are written: `upstream.servers.NAME.url`.
pub(crate) const SERVERS: &str = "upstream.servers.";

/// The settings of each such server, in the order of the manual; `NAME` stands for its name.
pub(crate) const SERVER_KEYS: &[Key] = &[
    key("upstream.servers.NAME.kind", Kind::Word(SERVER_KINDS)),
    key("upstream.servers.NAME.url", Kind::Text),
    key("upstream.servers.NAME.key", Kind::Text).secret(),
    key("upstream.servers.NAME.key_file", Kind::Text),
    key("upstream.servers.NAME.local", Kind::Switch),
    key("upstream.servers.NAME.allow_cloud_models", Kind::Switch),
    key("upstream.servers.NAME.http2", Kind::Switch),
    key("upstream.servers.NAME.proxy", Kind::Text).secret(),
    key("upstream.servers.NAME.ca_file", Kind::Text),
    key("upstream.servers.NAME.client_cert_file", Kind::Text),
    key("upstream.servers.NAME.client_key_file", Kind::Text),
];

/// The setting `field` of a server.
pub(crate) fn find_of_server(field: &str) -> Option<&'static Key> {
    SERVER_KEYS.iter().find(|k| k.field() == field)
}

/// The setting called `path`.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.path == path)
}

/// Variables of features this version does not have. Set ones are reported, not silently ignored.
pub(crate) const NOT_YET: &[&str] = &[];

/// Families of such variables.
pub(crate) const NOT_YET_PREFIXES: &[&str] = &[
    "OTEL_EXPORTER_OTLP_LOGS_",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_CLIENT_",
];

/// Old spellings and the names that replace them.
pub(crate) const OLD: &[(&str, &str)] = &[
    ("USE_LOCAL_LLM", "LOCAL_LLM_PROXY_URL"),
    ("KALMATURA_LLM_URL", "LOCAL_LLM_PROXY_URL"),
    ("KALMATURA_LLM_API_KEY", "LOCAL_LLM_API_KEY"),
    ("REDIS_HOST", "REDIS_URL"),
    ("REDIS_PORT", "REDIS_URL"),
    ("REDIS_DB", "REDIS_URL"),
    ("REDIS_USERNAME", "REDIS_URL"),
    ("REDIS_PASSWORD", "REDIS_URL"),
    ("REDIS_SSL", "REDIS_URL"),
    ("ROUTING_ENCRYPTION_KEY", "SETTINGS_ENCRYPTION_KEY"),
];

//! Models on other servers: those with a short name in the environment, and those with a name of their own.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use goblin_core::chat::Untranslated;
use goblin_core::maker::Maker;
use goblin_core::provider_settings::SetBy;
use goblin_net::{HttpClient, Identity, NetError, NetOptions, Proxy};
use secrecy::SecretString;
use url::{Host, Url};

use crate::config::check::{Reader, is_public_url};
use crate::config::keys::{SERVERS, find};
use crate::config::written::{Entry, Server, Source, read_text};

/// Models on other servers.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamConfig {
    /// In the order in which equal models are preferred.
    pub(crate) servers: Vec<UpstreamServer>,
    /// Clouds known by name that are given no key here. They are never asked, unless an admin gives them one.
    pub(crate) without_key: Vec<Maker>,
    /// Clouds known by name, with a key or without, but for those whose name another server has.
    pub(crate) clouds: Vec<Cloud>,
    /// The first key of `upstream.proxy_key`.
    lone_key: Option<SecretString>,
    /// Look for an Ollama on this machine.
    pub(crate) discover: bool,
    /// Is OpenAI asked by its Responses, and not by chat completions?
    pub(crate) openai_responses: bool,
    /// May models be used that an Ollama passes on to Ollama's cloud? Each server may have a word of its own.
    pub(crate) allow_cloud_models: bool,
    /// What becomes of a wish that a model cannot take.
    pub(crate) untranslated: Untranslated,
    /// Longest wait for a connection.
    pub(crate) connect_timeout: Duration,
    /// Longest wait for the first event.
    pub(crate) first_event_timeout: Duration,
    /// Longest silence.
    pub(crate) idle_timeout: Duration,
}

impl UpstreamConfig {
    /// Is a goblin model tier among the servers?
    pub(crate) fn has_tier(&self) -> bool {
        self.tiers().next().is_some()
    }

    /// The server with this name in `provider/model`.
    pub(crate) fn server(&self, id: &str) -> Option<&UpstreamServer> {
        self.servers.iter().find(|s| s.id == id)
    }

    /// The key of the first model tier; it may be known where no address is.
    pub(crate) fn tier_key(&self) -> Option<&SecretString> {
        let first = self.tiers().next().and_then(|tier| tier.key.as_ref());
        first.or(self.lone_key.as_ref())
    }

    fn tiers(&self) -> impl Iterator<Item = &UpstreamServer> {
        self.servers.iter().filter(|s| s.kind == Kind::Goblin)
    }
}

/// A server with models.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamServer {
    /// Its name in `provider/model`.
    pub(crate) id: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its address.
    pub(crate) url: Url,
    /// Its key.
    pub(crate) key: Option<SecretString>,
    /// Does what is sent there stay on the operator's machines?
    pub(crate) local: bool,
    /// Of an Ollama: may its models in Ollama's cloud be used? `None`: as for all of them.
    pub(crate) allow_cloud_models: Option<bool>,
    /// How it is reached.
    pub(crate) way: Way,
    /// The setting that names its address, and where that was written.
    pub(crate) named_by: String,
    pub(crate) source: Source,
}

impl UpstreamServer {
    /// A cloud known by name of which there is no key.
    fn is_keyless_cloud(&self) -> bool {
        matches!(self.kind, Kind::Cloud(maker) if maker.id() == self.id) && self.key.is_none()
    }

    /// Does text travel there unencrypted over a public network?
    pub(crate) fn is_exposed(&self) -> bool {
        self.url.scheme() == "http" && is_public_url(&self.url)
    }
}

/// A cloud known by name.
#[derive(Clone, Debug)]
pub(crate) struct Cloud {
    /// Who makes its models.
    pub(crate) maker: Maker,
    /// How it is reached; it may have no key.
    pub(crate) server: UpstreamServer,
    /// Who gave it its key.
    pub(crate) key_set_by: Option<SetBy>,
    /// Who said where it is.
    pub(crate) url_set_by: SetBy,
}

/// How a server is reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    /// HTTP/2 over plain http.
    pub(crate) http2: bool,
    /// Through whom.
    pub(crate) proxy: Option<Proxy>,
    /// Authorities to trust in the place of the public ones (PEM).
    pub(crate) roots_pem: Option<Vec<u8>>,
    /// The certificate this side shows.
    pub(crate) identity: Option<Identity>,
}

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A goblin model tier.
    Goblin,
    /// An Ollama.
    Ollama,
    /// A llama-server.
    LlamaCpp,
    /// Anything else that speaks OpenAI's wire.
    OpenAi,
    /// A cloud known by name, or what speaks as it does.
    Cloud(Maker),
}

impl Kind {
    fn named(word: &str) -> Option<Self> {
        Some(match word.trim().to_lowercase().as_str() {
            "goblin" => Self::Goblin,
            "ollama" => Self::Ollama,
            "llamacpp" => Self::LlamaCpp,
            "openai" => Self::OpenAi,
            other => Self::Cloud(Maker::of(other)?),
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Goblin => "goblin",
            Self::Ollama => "ollama",
            Self::LlamaCpp => "llamacpp",
            Self::OpenAi => "openai",
            Self::Cloud(maker) => maker.id(),
        }
    }

    /// The port of an address without scheme and port.
    fn port(self) -> u16 {
        match self {
            Self::Goblin => 8002,
            Self::Ollama => 11434,
            Self::LlamaCpp => 8080,
            Self::OpenAi | Self::Cloud(_) => 80,
        }
    }
}

/// The servers with short names: their setting, what they are, and their name.
const SHORT: [(&str, Kind, &str); 3] = [
    ("upstream.proxy_url", Kind::Goblin, crate::wiring::TIER_ID),
    ("upstream.ollama_url", Kind::Ollama, "ollama"),
    ("upstream.llamacpp_url", Kind::LlamaCpp, "llamacpp"),
];

impl Reader<'_> {
    pub(super) fn upstream(&mut self) -> UpstreamConfig {
        let mut servers = Vec::new();
        for (path, kind, id) in SHORT {
            servers.extend(self.short_named(path, kind, id));
        }
        self.give_tier_keys(&mut servers);
        self.give_tier_roots(&mut servers);
        for maker in Maker::ALL {
            servers.extend(self.cloud(maker));
        }
        let written = self.written;
        for (name, server) in &written.servers {
            self.named_server(name, server, &mut servers);
        }
        let without_key = Maker::ALL.into_iter().filter(|maker| {
            let known = servers.iter().find(|s| s.id == maker.id());
            known.is_none_or(|s| s.is_keyless_cloud())
        });
        let without_key = without_key.collect();
        let clouds = Maker::ALL
            .into_iter()
            .filter_map(|maker| self.known_cloud(maker, &servers))
            .collect();
        servers.retain(|s| !s.is_keyless_cloud());
        if self.switch("upstream.proxy_require_tls") {
            for server in servers.iter().filter(|s| s.is_exposed()) {
                let message = format!(
                    "`{}` would be sent its key and all text over plain http to a public address, which \
                     upstream.proxy_require_tls forbids. Use https.",
                    server.id
                );
                self.problem_at(&server.named_by, server.source.clone(), message);
            }
        }
        UpstreamConfig {
            servers,
            without_key,
            clouds,
            lone_key: self
                .list("upstream.proxy_key")
                .into_iter()
                .next()
                .map(SecretString::from),
            discover: self.switch("upstream.discover"),
            openai_responses: self.text("upstream.openai_api").as_deref() == Some("responses"),
            allow_cloud_models: self.switch("upstream.allow_cloud_models"),
            untranslated: match self.text("upstream.untranslated").as_deref() {
                Some("header") => Untranslated::Header,
                _ => Untranslated::Refuse,
            },
            connect_timeout: self.seconds("upstream.connect_timeout_seconds"),
            first_event_timeout: self.seconds("upstream.first_event_timeout_seconds"),
            idle_timeout: self.seconds("upstream.idle_timeout_seconds"),
        }
    }

    /// The servers of one setting: the first is `id`, then come `id-2`, `id-3` …
    fn short_named(&mut self, path: &'static str, kind: Kind, id: &str) -> Vec<UpstreamServer> {
        let mut found: Vec<UpstreamServer> = Vec::new();
        let source = self.source(path);
        for (at, text) in self.list(path).into_iter().enumerate() {
            let Some(url) = self.url(path, source.clone(), &text, kind.port()) else {
                continue;
            };
            if found.iter().any(|s| s.url == url) {
                self.problem(
                    path,
                    format!("{} is there twice. Name each server once.", shown(&url)),
                );
                continue;
            }
            found.push(UpstreamServer {
                id: if at == 0 {
                    id.to_owned()
                } else {
                    format!("{id}-{}", at + 1)
                },
                kind,
                url,
                key: None,
                local: true,
                allow_cloud_models: None,
                way: Way::default(),
                named_by: path.to_owned(),
                source: source.clone(),
            });
        }
        found
    }

    /// A cloud known by name. It may be given its key further below, as a server of that name.
    fn cloud(&mut self, maker: Maker) -> Option<UpstreamServer> {
        let key = self.secret(&format!("upstream.{}_key", maker.id()));
        let said_more = self.written.servers.get(maker.id());
        // Without a key it may be given one later. A server of one's own may have the name, as long as the cloud has no key.
        if key.is_none() && said_more.is_none_or(|server| server.entries.contains_key("url")) {
            return None;
        }
        self.cloud_with(maker, key)
    }

    /// A cloud with this key at the address that is set for it.
    fn cloud_with(&mut self, maker: Maker, key: Option<SecretString>) -> Option<UpstreamServer> {
        let path = format!("upstream.{}_url", maker.id());
        let text = self.text(&path)?;
        let source = self.source(&path);
        let url = self.url(&path, source.clone(), &text, 443)?;
        Some(UpstreamServer {
            id: maker.id().to_owned(),
            kind: Kind::Cloud(maker),
            url,
            key,
            local: false,
            allow_cloud_models: None,
            way: Way::default(),
            named_by: path,
            source,
        })
    }

    /// Is a key, or more than that, said of this cloud?
    fn is_given(&self, maker: Maker) -> bool {
        let key = format!("upstream.{}_key", maker.id());
        self.secret(&key).is_some() || self.written.servers.contains_key(maker.id())
    }

    /// A cloud as it is set up here, unless its name is another server's.
    fn known_cloud(&mut self, maker: Maker, servers: &[UpstreamServer]) -> Option<Cloud> {
        let server = match servers.iter().find(|s| s.id == maker.id()) {
            Some(known) if known.kind == Kind::Cloud(maker) => known.clone(),
            Some(_) => return None,
            // What is said of it elsewhere has been looked at, and found wrong.
            None if self.is_given(maker) => return None,
            None => self.cloud_with(maker, None)?,
        };
        let key_set_by = server.key.is_some().then(|| {
            let named = self.written.servers.get(maker.id());
            let more = named.and_then(|written| {
                let mut fields = ["key", "key_file"].into_iter();
                let field = fields.find(|field| written.entries.contains_key(*field))?;
                Some(place(written, field))
            });
            let source = more.unwrap_or_else(|| self.source(&format!("upstream.{}_key", maker.id())));
            set_by(&source)
        });
        Some(Cloud {
            maker,
            url_set_by: set_by(&server.source),
            key_set_by,
            server,
        })
    }

    /// One key for all tiers, or one for each in their order.
    fn give_tier_keys(&mut self, servers: &mut [UpstreamServer]) {
        let keys = self.list("upstream.proxy_key");
        let addresses = self.list("upstream.proxy_url").len();
        if keys.len() > 1 && keys.len() != addresses {
            let message = format!(
                "there are {} keys for the {addresses} addresses of upstream.proxy_url (LOCAL_LLM_PROXY_URL). Give one \
                 key for all of them, or one for each in the same order.",
                keys.len()
            );
            return self.problem("upstream.proxy_key", message);
        }
        for (at, server) in servers.iter_mut().filter(|s| s.kind == Kind::Goblin).enumerate() {
            let key = if keys.len() == 1 {
                keys.first()
            } else {
                keys.get(at)
            };
            server.key = key.cloned().map(SecretString::from);
        }
    }

    /// Whose certificates all of them are believed by.
    fn give_tier_roots(&mut self, servers: &mut [UpstreamServer]) {
        const PATH: &str = "upstream.proxy_ca_file";
        let Some(file) = self.text(PATH) else { return };
        let pem = match read_text(Path::new(&file)) {
            Ok(text) => text.into_bytes(),
            Err(error) => return self.problem(PATH, unreadable(Path::new(&file), &error)),
        };
        if let Err(NetError::Setup { reason }) = HttpClient::build(only_roots(Some(&pem))) {
            return self.problem(PATH, format!("{reason}. Name another file."));
        }
        let mut tiers = servers
            .iter_mut()
            .filter(|server| server.kind == Kind::Goblin && server.url.scheme() == "https")
            .peekable();
        if tiers.peek().is_none() {
            let message = "no address of upstream.proxy_url (LOCAL_LLM_PROXY_URL) is https, and over plain http no \
                           certificate is looked at. Use https.";
            return self.problem(PATH, message.to_owned());
        }
        for tier in tiers {
            tier.way.roots_pem = Some(pem.clone());
        }
    }

    /// A server with a name of its own, or more about one with a short name.
    fn named_server(&mut self, name: &str, written: &Server, servers: &mut Vec<UpstreamServer>) {
        let path = |field: &str| format!("{SERVERS}{name}.{field}");
        let text = |field: &str| written.entries.get(field).map(text_of).filter(|t| !t.is_empty());
        let key = self.key_of_server(name, written);
        let way = self.way_of_server(name, written);
        let switch = |field: &str| written.entries.get(field).and_then(|e| e.value.as_bool());
        let (local, allow_cloud_models) = (switch("local"), switch("allow_cloud_models"));
        let kind = text("kind").as_deref().and_then(Kind::named);
        let Some(address) = text("url") else {
            let Some(known) = servers.iter_mut().find(|s| s.id == name) else {
                let message = format!("it has no address. Set {}.", path("url"));
                return self.problem_at(&path("url"), written.source.clone(), message);
            };
            if let Some(kind) = kind.filter(|k| *k != known.kind) {
                let message = format!(
                    "`{name}` is the server of {}, so its kind is {}, not {}. Leave it out.",
                    known.named_by,
                    known.kind.word(),
                    kind.word()
                );
                return self.problem_at(&path("kind"), place(written, "kind"), message);
            }
            known.key = key.or(known.key.take());
            known.local = local.unwrap_or(known.local);
            known.allow_cloud_models = allow_cloud_models;
            self.refuse_clouds_of_others(name, written, known);
            self.refuse_certificates_over_http(&known.url, name, written, &way);
            known.way = way;
            return;
        };
        if let Some(known) = servers.iter().find(|s| s.id == name) {
            let message = format!(
                "`{name}` is the name of the server of {} already. Choose another name, or leave out this address to \
                 say more about that one.",
                known.named_by
            );
            return self.problem_at(&path("url"), place(written, "url"), message);
        }
        if !written.entries.contains_key("kind") {
            let message = "it is not said what the server is: goblin, ollama, llamacpp, openai for anything else that \
                           speaks OpenAI's wire, or anthropic, deepseek, gemini or grok for what speaks theirs.";
            self.problem_at(&path("kind"), written.source.clone(), message);
        }
        let port = kind.map_or(80, Kind::port);
        let Some(url) = self.url(&path("url"), place(written, "url"), &address, port) else {
            return;
        };
        self.refuse_certificates_over_http(&url, name, written, &way);
        // What is wrong with the kind has been reported.
        let Some(kind) = kind else { return };
        let tier_like = name.strip_prefix(crate::wiring::TIER_ID);
        if kind != Kind::Goblin && tier_like.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) {
            let message = "names that begin so are for goblin model tiers. Choose another name.";
            return self.problem_at(&format!("{SERVERS}{name}"), written.source.clone(), message);
        }
        let local = local.unwrap_or_else(|| {
            if is_public_url(&url) {
                let message = format!(
                    "whether {} is a machine of yours cannot be told from its address. Say `local = true` if what is \
                     sent there stays with you, else `local = false`.",
                    shown(&url)
                );
                self.problem_at(&path("local"), written.source.clone(), message);
            }
            !is_public_url(&url)
        });
        let server = UpstreamServer {
            id: name.to_owned(),
            kind,
            url,
            key,
            local,
            allow_cloud_models,
            way,
            named_by: path("url"),
            source: place(written, "url"),
        };
        self.refuse_clouds_of_others(name, written, &server);
        servers.push(server);
    }

    /// Only an Ollama has models in a cloud of its own. A switch that does nothing would be taken for one that does.
    fn refuse_clouds_of_others(&mut self, name: &str, written: &Server, server: &UpstreamServer) {
        if server.kind != Kind::Ollama && server.allow_cloud_models.is_some() {
            let path = format!("{SERVERS}{name}.allow_cloud_models");
            let fix = match server.kind {
                Kind::Goblin => "Leave it out, and set upstream.allow_cloud_models on that tier's machine.",
                _ => "Leave it out, and say `local = false` if what is sent there leaves your machines.",
            };
            let message = format!(
                "`{name}` is of the kind {}, not ollama. {fix}",
                server.kind.word()
            );
            self.problem_at(&path, place(written, "allow_cloud_models"), message);
        }
    }

    /// `key`, or what the file `key_file` holds.
    fn key_of_server(&mut self, name: &str, written: &Server) -> Option<SecretString> {
        let text = |entry: &Entry| entry.value.as_str().map(str::trim).unwrap_or_default().to_owned();
        let key = written.entries.get("key").map(text).filter(|k| !k.is_empty());
        let file = written
            .entries
            .get("key_file")
            .map(text)
            .filter(|f| !f.is_empty());
        let Some(file) = file else {
            return key.map(SecretString::from);
        };
        let path = format!("{SERVERS}{name}.key_file");
        let source = place(written, "key_file");
        if key.is_some() {
            let message = format!("{SERVERS}{name}.key is set as well. Unset one of them.");
            self.problem_at(&path, source, message);
            return None;
        }
        match read_text(Path::new(&file)) {
            Ok(text) if text.trim().is_empty() => {
                self.problem_at(&path, source, format!("{file} is empty. Write the key into it."));
                None
            }
            Ok(text) => Some(SecretString::from(text.trim())),
            Err(e) => {
                self.problem_at(&path, source, unreadable(Path::new(&file), &e));
                None
            }
        }
    }

    /// How it is reached. The files are read now, so that what is wrong with them is known now.
    fn way_of_server(&mut self, name: &str, written: &Server) -> Way {
        let path = |field: &str| format!("{SERVERS}{name}.{field}");
        let text = |field: &str| written.entries.get(field).map(text_of).filter(|t| !t.is_empty());
        let proxy = text("proxy").and_then(|text| match Proxy::parse(&text) {
            Ok(proxy) => Some(proxy),
            Err(error) => {
                self.problem_at(&path("proxy"), place(written, "proxy"), format!("{error}."));
                None
            }
        });
        let mut pem = |field: &str| {
            let file = text(field)?;
            let read = read_text(Path::new(&file));
            let why = |e| unreadable(Path::new(&file), &e);
            read.map_err(|e| self.problem_at(&path(field), place(written, field), why(e)))
                .map(String::into_bytes)
                .ok()
        };
        let roots_pem = pem("ca_file");
        let pair = (pem("client_cert_file"), pem("client_key_file"));
        for (field, other) in [
            ("client_cert_file", "client_key_file"),
            ("client_key_file", "client_cert_file"),
        ] {
            if text(field).is_some() && text(other).is_none() {
                let message = format!(
                    "{} is missing. A certificate and its key go together.",
                    path(other)
                );
                self.problem_at(&path(field), place(written, field), message);
            }
        }
        let identity = match pair {
            (Some(certificate_pem), Some(key_pem)) => Some(Identity {
                certificate_pem,
                key_pem,
            }),
            _ => None,
        };
        let way = Way {
            http2: written
                .entries
                .get("http2")
                .and_then(|e| e.value.as_bool())
                .unwrap_or(false),
            proxy,
            roots_pem,
            identity,
        };
        self.try_certificates(name, written, &way);
        way
    }

    /// Reports files that can be read but hold nothing usable.
    fn try_certificates(&mut self, name: &str, written: &Server, way: &Way) {
        let only_roots = only_roots(way.roots_pem.as_deref());
        let only_identity = NetOptions {
            identity: way.identity.clone(),
            ..NetOptions::default()
        };
        for (field, options) in [("ca_file", only_roots), ("client_cert_file", only_identity)] {
            if let Err(NetError::Setup { reason }) = HttpClient::build(options) {
                let message = format!("{reason}. Name another file.");
                self.problem_at(
                    &format!("{SERVERS}{name}.{field}"),
                    place(written, field),
                    message,
                );
            }
        }
    }

    /// Over plain http nobody shows a certificate, so one that is asked for protects nothing.
    fn refuse_certificates_over_http(&mut self, url: &Url, name: &str, written: &Server, way: &Way) {
        let unused = [
            ("ca_file", way.roots_pem.is_some() && way.proxy.is_none()),
            ("client_cert_file", way.identity.is_some()),
        ];
        for (field, is_set) in unused {
            if is_set && url.scheme() == "http" {
                let message = format!(
                    "{} is plain http, where no certificate is looked at. Use https.",
                    shown(url)
                );
                self.problem_at(
                    &format!("{SERVERS}{name}.{field}"),
                    place(written, field),
                    message,
                );
            }
        }
    }

    /// An address of a server. Ollama's own habit of leaving out scheme and port, and of naming the address to listen
    /// on (`0.0.0.0`), is understood.
    fn url(&mut self, path: &str, source: Source, text: &str, default_port: u16) -> Option<Url> {
        let bare = !text.contains("://");
        let parsed = if bare {
            Url::parse(&format!("http://{text}"))
        } else {
            Url::parse(text)
        };
        let usable = parsed
            .ok()
            .filter(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
        let Some(mut url) = usable else {
            let message = "it is not an http or https address, like http://127.0.0.1:11434.";
            self.problem_at(path, source, message);
            return None;
        };
        // Changing host or port can fail only for addresses without a host, which were refused above.
        if bare && url.port().is_none() {
            let _ = url.set_port(Some(default_port));
        }
        if url.host() == Some(Host::Ipv4(Ipv4Addr::UNSPECIFIED)) {
            let _ = url.set_host(Some("127.0.0.1"));
        }
        if let Err(error) = goblin_net::Url::parse(url.as_str()) {
            self.problem_at(path, source, format!("{error}."));
            return None;
        }
        Some(url)
    }

    fn source(&self, path: &str) -> Source {
        debug_assert!(find(path).is_some(), "{path} is not in the list of settings");
        let entry = self.written.entries.get(path);
        entry.map_or(Source::Default, |e| e.source.clone())
    }
}

/// Who wrote it.
fn set_by(source: &Source) -> SetBy {
    match source {
        Source::Default => SetBy::Default,
        Source::File(..) => SetBy::File,
        Source::Environment(_) | Source::SecretFile(..) | Source::Flag(_) => SetBy::Environment,
    }
}

fn text_of(entry: &Entry) -> String {
    entry.value.as_str().map(str::trim).unwrap_or_default().to_owned()
}

/// Where a setting of a server was written, else where the server was named.
fn place(written: &Server, field: &str) -> Source {
    let entry = written.entries.get(field);
    entry.map_or_else(|| written.source.clone(), |e: &Entry| e.source.clone())
}

/// Options that say nothing but who is trusted, to try whether they can be used.
fn only_roots(pem: Option<&[u8]>) -> NetOptions {
    NetOptions {
        roots_pem: pem.map(<[u8]>::to_vec),
        ..NetOptions::default()
    }
}

/// Why a file cannot be used.
fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!(
        "{} cannot be read: {error}. Correct the path, or let this user read the file.",
        path.display()
    )
}

/// An address as it may be shown: it cannot hold a password, which [`goblin_net::Url`] refuses.
fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

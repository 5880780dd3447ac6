//! Servers with models: several of each kind, and such with names of their own.

use goblin_core::chat::Untranslated;
use secrecy::ExposeSecret;

use super::super::check::UpstreamKind;
use super::super::keys::SERVER_KEYS;
use super::super::show::servers_manual;
use super::*;

/// `id kind address key local` of every server.
fn servers(text: &str, environment: &Environment) -> Vec<String> {
    let (_dir, path) = file(text);
    let request = Request {
        file: Some(path),
        ..Request::default()
    };
    let config = load(environment, &request).unwrap().config;
    let servers = config.upstream.servers.iter();
    servers
        .map(|s| {
            let key = s.key.as_ref().map_or("-", |k| k.expose_secret());
            format!("{} {:?} {} {key} {}", s.id, s.kind, s.url, s.local)
        })
        .collect()
}

#[test]
fn several_of_each_are_named_in_their_order_and_the_first_keeps_its_name() {
    let environment = home(&[
        (
            "LOCAL_LLM_PROXY_URL",
            "http://10.0.0.7:8002, https://gpu.example.org/",
        ),
        ("LOCAL_LLM_API_KEY", "one,two"),
        ("OLLAMA_HOST", "127.0.0.1,10.0.0.9:1"),
    ]);
    assert_eq!(
        servers(
            "[upstream]\nllamacpp_url = [\"10.0.0.8\", \"http://10.0.0.9:2\"]\n",
            &environment
        ),
        [
            "tier Goblin http://10.0.0.7:8002/ one true",
            "tier-2 Goblin https://gpu.example.org/ two true",
            "ollama Ollama http://127.0.0.1:11434/ - true",
            "ollama-2 Ollama http://10.0.0.9:1/ - true",
            "llamacpp LlamaCpp http://10.0.0.8:8080/ - true",
            "llamacpp-2 LlamaCpp http://10.0.0.9:2/ - true",
        ]
    );
}

#[test]
fn one_key_serves_all_tiers_and_another_count_names_both_settings() {
    let two = ("LOCAL_LLM_PROXY_URL", "http://10.0.0.7:8002,http://10.0.0.8:8002");
    assert_eq!(
        servers("[upstream]\nproxy_key = \"k\"\n", &home(&[two])),
        [
            "tier Goblin http://10.0.0.7:8002/ k true",
            "tier-2 Goblin http://10.0.0.8:8002/ k true",
        ]
    );
    let all = problems(
        "",
        &home(&[two, ("LOCAL_LLM_API_KEY", "secret-a,secret-b,secret-c")]),
    );
    assert_eq!(all.len(), 1, "{all:#?}");
    for part in [
        "upstream.proxy_key",
        "LOCAL_LLM_API_KEY",
        "LOCAL_LLM_PROXY_URL",
        "3 keys",
        "2 addresses",
    ] {
        assert!(all[0].contains(part), "{part}: {all:#?}");
    }
    assert!(!all[0].contains("secret"));
    let all = problems("", &home(&[("OLLAMA_HOST", "10.0.0.7,http://10.0.0.7:11434")]));
    assert!(all[0].contains("there twice"), "{all:#?}");
}

#[test]
fn a_key_with_a_comma_is_none_for_a_tier() {
    let request = Request {
        tier: true,
        ..Request::default()
    };
    let all = load(&home(&[("LOCAL_LLM_API_KEY", "a,b")]), &request).unwrap_err();
    assert!(
        all[0].to_string().contains("tier.key") && all[0].to_string().contains("comma"),
        "{all:?}"
    );
}

#[test]
fn servers_have_names_of_their_own_in_every_layer() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, "from-a-file\n").unwrap();
    let text = format!(
        "[upstream.servers.gpu-box]\nkind = \"openai\"\nurl = \"http://192.168.1.20:8000\"\nkey_file = {key:?}\n\
         [upstream.servers.rented]\nkind = \"Goblin\"\nurl = \"https://models.example.org\"\nlocal = false\n\
         [upstream.servers.tier]\nkey = \"for-the-first\"\n"
    );
    let environment = home(&[
        ("LOCAL_LLM_PROXY_URL", "http://10.0.0.7:8002"),
        ("GOBLIN_UPSTREAM__SERVERS__RENTED__KEY", "k"),
        ("GOBLIN_UPSTREAM__SERVERS__ATTIC_PC__URL", "attic"),
        ("GOBLIN_UPSTREAM__SERVERS__ATTIC_PC__KIND", "ollama"),
    ]);
    assert_eq!(
        servers(&text, &environment),
        [
            "tier Goblin http://10.0.0.7:8002/ for-the-first true",
            "attic-pc Ollama http://attic:11434/ - true",
            "gpu-box OpenAi http://192.168.1.20:8000/ from-a-file true",
            "rented Goblin https://models.example.org/ k false",
        ]
    );
    let flags = vec![(
        "upstream.servers.x.url".to_owned(),
        "http://[::1]:9".to_owned(),
        "--set".to_owned(),
    )];
    let kind = ("GOBLIN_UPSTREAM__SERVERS__X__KIND", "llamacpp");
    let request = Request {
        flags,
        ..Request::default()
    };
    let config = load(&home(&[kind]), &request).unwrap().config;
    assert_eq!(config.upstream.servers[0].kind, UpstreamKind::LlamaCpp);
}

#[test]
fn cloud_models_are_allowed_for_all_ollamas_or_for_one_and_by_default_for_none() {
    let allowed = |text: &str, environment: &Environment| -> Vec<String> {
        let (_dir, path) = file(text);
        let request = Request {
            file: Some(path),
            ..Request::default()
        };
        let upstream = load(environment, &request).unwrap().config.upstream;
        let all = upstream.allow_cloud_models;
        let servers = upstream
            .servers
            .iter()
            .map(|s| (s, s.allow_cloud_models.unwrap_or(all)));
        servers
            .filter(|(_, allowed)| *allowed)
            .map(|(s, _)| s.id.clone())
            .collect()
    };
    let two = ("OLLAMA_HOST", "127.0.0.1,10.0.0.9");
    assert!(allowed("", &home(&[two])).is_empty());
    let everywhere = ("GOBLIN_UPSTREAM__ALLOW_CLOUD_MODELS", "yes");
    assert_eq!(allowed("", &home(&[two, everywhere])), ["ollama", "ollama-2"]);
    let one = "[upstream.servers.ollama-2]\nallow_cloud_models = true\n\
               [upstream.servers.mine]\nkind = \"ollama\"\nurl = \"http://10.0.0.3\"\nallow_cloud_models = true\n";
    assert_eq!(allowed(one, &home(&[two])), ["ollama-2", "mine"]);
    let but_one = ("GOBLIN_UPSTREAM__SERVERS__OLLAMA_2__ALLOW_CLOUD_MODELS", "off");
    assert_eq!(allowed("", &home(&[two, everywhere, but_one])), ["ollama"]);

    let others = "[upstream.servers.a]\nkind = \"goblin\"\nurl = \"http://10.0.0.1\"\nallow_cloud_models = true\n\
                  [upstream.servers.b]\nkind = \"openai\"\nurl = \"http://10.0.0.2\"\nallow_cloud_models = false\n";
    let all = problems(others, &home(&[]));
    let told = [
        [
            "upstream.servers.a.allow_cloud_models",
            "goblin.toml:4",
            "on that tier's machine",
        ],
        [
            "upstream.servers.b.allow_cloud_models",
            "goblin.toml:8",
            "local = false",
        ],
    ];
    for parts in told {
        assert!(
            all.iter().any(|p| parts.iter().all(|part| p.contains(part))),
            "{parts:?} in {all:#?}"
        );
    }
}

#[test]
fn all_that_is_wrong_with_servers_is_said_at_once_with_key_and_place() {
    let text = "[upstream.servers.a]\nkind = \"openia\"\nurl = \"http://10.0.0.1\"\nlocl = true\n\
                [upstream.servers.b]\nkind = \"openai\"\nurl = \"ftp://x\"\n\
                [upstream.servers.c]\nkind = \"openai\"\nurl = \"https://api.example.org\"\n\
                [upstream.servers.tier]\nkind = \"goblin\"\nurl = \"http://10.0.0.2\"\n\
                [upstream.servers.d]\nkind = \"ollama\"\n\
                [upstream.servers.Bad_Name]\nurl = \"http://10.0.0.3\"\n\
                [upstream.servers.e]\nurl = 5\nkey = \"k\"\nkey_file = \"/nowhere\"\n\
                [upstream.servers.engine]\nurl = \"http://10.0.0.3\"\n\
                [upstream.servers]\nf = \"http://10.0.0.4\"\n\
                [upstream.servers.g]\nkind = \"goblin\"\nurl = \"http://10.0.0.5\"\nkey_file = \"/nowhere/key\"\n\
                [upstream.servers.h]\nurl = \"http://10.0.0.6\"\n";
    let environment = home(&[
        ("LOCAL_LLM_PROXY_URL", "http://10.0.0.7"),
        ("GOBLIN_UPSTREAM__SERVERS__G__HTPP2", "true"),
        ("GOBLIN_UPSTREAM__SERVERS__LONE", "x"),
    ]);
    let all = problems(text, &environment);
    let has = |parts: &[&str]| all.iter().any(|p| parts.iter().all(|part| p.contains(part)));
    for parts in [
        &[
            "upstream.servers.a.kind",
            "goblin.toml:2",
            "one of goblin, ollama, llamacpp, openai",
        ][..],
        &[
            "upstream.servers.a.locl",
            "goblin.toml:4",
            "`upstream.servers.a.local`",
        ],
        &[
            "upstream.servers.b.url",
            "goblin.toml:7",
            "not an http or https address",
        ],
        &[
            "upstream.servers.c.local",
            "goblin.toml:8",
            "local = true",
            "local = false",
        ],
        &[
            "upstream.servers.tier.url",
            "goblin.toml:13",
            "name of the server of upstream.proxy_url",
        ],
        &["upstream.servers.d.url", "goblin.toml:14", "no address"],
        &["upstream.servers.Bad_Name", "cannot be a server's name"],
        &["upstream.servers.e.url", "a text is expected, not an integer"],
        &["upstream.servers.e.key_file", "Unset one of them"],
        &["upstream.servers.engine", "goblin's own name"],
        &["upstream.servers.f", "a table is expected"],
        &["upstream.servers.g.key_file", "/nowhere/key cannot be read"],
        &[
            "upstream.servers.g.htpp2",
            "environment GOBLIN_UPSTREAM__SERVERS__G__HTPP2",
            "no such setting",
        ],
        &["GOBLIN_UPSTREAM__SERVERS__LONE", "no setting of a server"],
        &["upstream.servers.h.kind", "not said what the server is"],
    ] {
        assert!(has(parts), "{parts:?} in {all:#?}");
    }
}

#[test]
fn tiers_behind_an_authority_of_ones_own_are_believed_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let (own, empty) = (dir.path().join("own.pem"), dir.path().join("empty.pem"));
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new(vec!["models.example.org".to_owned()]).unwrap();
    std::fs::write(&own, made.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&empty, "no certificate\n").unwrap();
    let with = |file: &std::path::Path| format!("[upstream]\nproxy_ca_file = {file:?}\n");
    let urls = "https://models.example.org,http://10.0.0.8:8002";
    let environment = home(&[("LOCAL_LLM_PROXY_URL", urls), ("OLLAMA_HOST", "https://10.0.0.9")]);
    let request = Request {
        flags: vec![(
            "upstream.proxy_ca_file".to_owned(),
            own.display().to_string(),
            "--set".to_owned(),
        )],
        ..Request::default()
    };
    let mut written = Written::read(&environment, &request);
    let config = check(&mut written, &environment).unwrap();
    let trusts: Vec<bool> = config
        .upstream
        .servers
        .iter()
        .map(|s| s.way.roots_pem.is_some())
        .collect();
    assert_eq!(trusts, [true, false, false], "tiers over https, and nobody else");
    for (file, urls, part) in [
        (dir.path().join("gone.pem"), urls, "cannot be read"),
        (empty, urls, "holds no certificate"),
        (own, "http://10.0.0.8:8002", "Use https"),
    ] {
        let all = problems(&with(&file), &home(&[("LOCAL_LLM_PROXY_URL", urls)]));
        assert_eq!(all.len(), 1, "{all:#?}");
        assert!(
            all[0].contains("upstream.proxy_ca_file") && all[0].contains(part),
            "{all:#?}"
        );
    }
}

#[test]
fn how_a_server_is_reached_is_checked_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "no certificate\n").unwrap();
    let text = format!(
        "[upstream.servers.a]\nkind = \"goblin\"\nurl = \"https://10.0.0.1\"\nproxy = \"socks4://u:s3same@h\"\n\
         ca_file = \"/nowhere/ca.pem\"\nclient_cert_file = {empty:?}\n\
         [upstream.servers.b]\nkind = \"goblin\"\nurl = \"http://10.0.0.2\"\nca_file = {empty:?}\nhttp2 = \"yes\"\n"
    );
    let all = problems(&text, &home(&[]));
    let has = |parts: &[&str]| all.iter().any(|p| parts.iter().all(|part| p.contains(part)));
    for parts in [
        &["upstream.servers.a.proxy", "goblin.toml:4", "socks5"][..],
        &[
            "upstream.servers.a.ca_file",
            "goblin.toml:5",
            "/nowhere/ca.pem cannot be read",
            "Correct the path",
        ],
        &[
            "upstream.servers.a.client_cert_file",
            "client_key_file is missing",
        ],
        &[
            "upstream.servers.b.ca_file",
            "holds no certificate",
            "Name another file",
        ],
        &["upstream.servers.b.ca_file", "plain http", "Use https"],
        &["upstream.servers.b.http2", "true or false"],
    ] {
        assert!(has(parts), "{parts:?} in {all:#?}");
    }
    assert!(!all.concat().contains("s3same"), "{all:#?}");
    let proxy = dir.path().join("proxy");
    std::fs::write(&proxy, "socks5h://u:s3same@127.0.0.1:9050\n").unwrap();
    let environment = home(&[
        ("OLLAMA_HOST", "10.0.0.3"),
        (
            "GOBLIN_UPSTREAM__SERVERS__OLLAMA__PROXY_FILE",
            proxy.to_str().unwrap(),
        ),
        ("GOBLIN_UPSTREAM__SERVERS__OLLAMA__HTTP2", "on"),
    ]);
    let mut written = Written::read(&environment, &Request::default());
    let config = check(&mut written, &environment).unwrap();
    let way = &config.upstream.servers[0].way;
    assert!(
        way.http2
            && way
                .proxy
                .as_ref()
                .is_some_and(|p| p.address() == "127.0.0.1:9050")
    );
    assert!(!print(&written, true, true).contains("s3same"));
    assert!(!format!("{config:?}").contains("s3same"));
}

#[test]
fn servers_are_printed_without_their_keys_and_read_again() {
    let text = "[upstream]\nproxy_url = [\"http://10.0.0.7\", \"http://10.0.0.8\"]\nproxy_key = [\"top\", \"topsecret\"]\n\
                [upstream.servers.x]\nkind = \"openai\"\nurl = \"http://10.0.0.9\"\nkey = \"topsecret\"\n";
    let (_dir, path) = file(text);
    let request = Request {
        file: Some(path),
        ..Request::default()
    };
    let written = Written::read(&home(&[]), &request);
    for shown in [print(&written, false, true), print(&written, true, true)] {
        assert!(
            shown.contains("(hidden)") && !shown.contains("topsecret"),
            "{shown}"
        );
        assert!(
            shown.contains("10.0.0.9") && shown.contains("10.0.0.8"),
            "{shown}"
        );
        assert!(shown.contains("goblin.toml:6"), "{shown}");
    }
    assert_eq!(
        servers(&print(&written, false, true), &home(&[]))[2],
        "x OpenAi http://10.0.0.9/ (hidden) true"
    );
}

#[test]
fn the_manual_shows_every_setting_of_a_server_with_a_sentence() {
    let shown: Value = toml::from_str(&servers_manual()).unwrap();
    let shown = shown["upstream"]["servers"]["NAME"].as_object().unwrap();
    let mut fields: Vec<&str> = SERVER_KEYS.iter().map(|k| k.field()).collect();
    fields.sort_unstable();
    assert_eq!(shown.keys().map(String::as_str).collect::<Vec<_>>(), fields);
    let schema = schema();
    let server = &schema["properties"]["upstream"]["properties"]["servers"]["additionalProperties"];
    for key in SERVER_KEYS {
        let text = &server["properties"][key.field()]["description"];
        assert!(
            text.as_str().is_some_and(|t| t.len() > 10 && t.ends_with('.')),
            "{}: {text}",
            key.path
        );
    }
    assert_eq!(server["additionalProperties"], false);
}

#[test]
fn a_cloud_is_there_when_it_has_a_key_and_is_listed_without_one_otherwise() {
    let loaded = load(&home(&[]), &Request::default()).unwrap();
    assert!(loaded.config.upstream.servers.is_empty());
    let ids = |config: &Config| -> Vec<&str> { config.upstream.without_key.iter().map(|m| m.id()).collect() };
    assert_eq!(
        ids(&loaded.config),
        ["openai", "anthropic", "deepseek", "gemini", "grok"]
    );

    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, "from-a-file\n").unwrap();
    let environment = home(&[
        ("OPENAI_API_KEY", "sk-openai"),
        ("GEMINI_API_KEY_FILE", key.to_str().unwrap()),
        ("GROK_API_KEY", "xai-key"),
        ("GROK_BASE_URL", "http://127.0.0.1:9/v1"),
        ("OLLAMA_HOST", "127.0.0.1"),
    ]);
    let text = format!("[upstream.servers.anthropic]\nkey_file = {key:?}\n");
    assert_eq!(
        servers(&text, &environment),
        [
            "ollama Ollama http://127.0.0.1:11434/ - true",
            "openai Cloud(OpenAi) https://api.openai.com/v1 sk-openai false",
            "anthropic Cloud(Anthropic) https://api.anthropic.com/v1 from-a-file false",
            "gemini Cloud(Gemini) https://generativelanguage.googleapis.com/v1beta from-a-file false",
            "grok Cloud(Grok) http://127.0.0.1:9/v1 xai-key false",
        ]
    );
    let loaded = load(&environment, &Request::default()).unwrap();
    assert_eq!(ids(&loaded.config), ["anthropic", "deepseek"]);
    assert!(!format!("{:?}", loaded.config).contains("sk-openai"));
}

#[test]
fn of_every_cloud_it_is_known_who_set_it_up() {
    let clouds = |text: &str, environment: &[(&str, &str)]| -> Vec<String> {
        let (_dir, path) = file(text);
        let request = Request {
            file: Some(path),
            ..Request::default()
        };
        let config = load(&home(environment), &request).unwrap().config;
        let clouds = config.upstream.clouds.iter();
        let shown = clouds.map(|c| format!("{} {:?} {:?}", c.maker.id(), c.key_set_by, c.url_set_by));
        shown.collect()
    };
    let text = "[upstream]\nopenai_url = \"https://gateway.example/v1\"\ngemini_key = \"g\"\n\
                [upstream.servers.deepseek]\nkind = \"openai\"\nurl = \"http://127.0.0.1:9\"\n";
    assert_eq!(
        clouds(
            text,
            &[
                ("GROK_API_KEY", "x"),
                ("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
            ]
        ),
        [
            "openai None File",
            "anthropic None Environment",
            "gemini Some(File) Default",
            "grok Some(Environment) Default",
        ],
        "a name that is another server's is no cloud's"
    );
}

#[test]
fn a_server_of_ones_own_may_have_a_clouds_name_while_the_cloud_has_no_key() {
    let text = "[upstream.servers.openai]\nkind = \"openai\"\nurl = \"http://192.168.1.20:8000\"\n\
                [upstream.servers.mirror]\nkind = \"anthropic\"\nurl = \"https://a.example.org\"\nlocal = false\n";
    assert_eq!(
        servers(text, &home(&[])),
        [
            "mirror Cloud(Anthropic) https://a.example.org/ - false",
            "openai OpenAi http://192.168.1.20:8000/ - true",
        ]
    );
    let all = problems(text, &home(&[("OPENAI_API_KEY", "sk-x")]));
    assert!(
        all[0].contains("`openai` is the name of the server of"),
        "{all:#?}"
    );
    let tier = Request {
        tier: true,
        ..Request::default()
    };
    let loaded = load(&home(&[("OPENAI_API_KEY", "sk-x")]), &tier).unwrap();
    assert!(
        loaded.config.upstream.servers.is_empty(),
        "the model tier reads no key of a cloud"
    );
}

#[test]
fn a_cloud_over_plain_http_at_a_public_address_is_refused_where_that_is_forbidden_and_metadata_addresses_always()
 {
    let exposed = home(&[
        ("OPENAI_API_KEY", "sk-x"),
        ("OPENAI_BASE_URL", "http://gateway.example.org/v1"),
    ]);
    let all = problems("[upstream]\nproxy_require_tls = true\n", &exposed);
    assert!(
        all[0].contains("upstream.openai_url") && all[0].contains("plain http"),
        "{all:#?}"
    );
    let all = problems(
        "",
        &home(&[("OPENAI_API_KEY", "sk-x"), ("OPENAI_BASE_URL", "ftp://x")]),
    );
    assert!(all[0].contains("upstream.openai_url"), "{all:#?}");
}

#[test]
fn wishes_that_cannot_be_taken_are_refused_unless_it_is_said_that_they_are_listed() {
    for (word, rule) in [
        (None, Untranslated::Refuse),
        (Some("refuse"), Untranslated::Refuse),
        (Some("header"), Untranslated::Header),
    ] {
        let said: Vec<(&str, &str)> = word
            .map(|word| ("GOBLIN_UPSTREAM__UNTRANSLATED", word))
            .into_iter()
            .collect();
        let config = load(&home(&said), &Request::default()).unwrap().config;
        assert_eq!(config.upstream.untranslated, rule, "{word:?}");
    }
    let all = problems("", &home(&[("GOBLIN_UPSTREAM__UNTRANSLATED", "drop")]));
    assert!(
        all[0].contains("upstream.untranslated") && all[0].contains("header"),
        "{all:#?}"
    );
}

#[test]
fn openai_is_asked_by_chats_unless_it_is_said_to_be_asked_by_responses() {
    for (word, responses) in [(None, false), (Some("chat"), false), (Some("responses"), true)] {
        let said: Vec<(&str, &str)> = word
            .map(|word| ("GOBLIN_UPSTREAM__OPENAI_API", word))
            .into_iter()
            .collect();
        let config = load(&home(&said), &Request::default()).unwrap().config;
        assert_eq!(config.upstream.openai_responses, responses, "{word:?}");
    }
    let all = problems("", &home(&[("GOBLIN_UPSTREAM__OPENAI_API", "assistants")]));
    assert!(
        all[0].contains("upstream.openai_api") && all[0].contains("responses"),
        "{all:#?}"
    );
}

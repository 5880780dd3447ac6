mod auth;
mod database;
mod federation;
mod policy;
mod upstream;

use std::path::PathBuf;

use serde_json::Value;

use super::keys::{KEYS, NOT_YET, NOT_YET_PREFIXES};
use super::show::description;
use super::written::{DEFAULTS, Source};
use super::*;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("goblin.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn home(extra: &[(&str, &str)]) -> Environment {
    let mut all = vec![("HOME", "/home/someone")];
    all.extend_from_slice(extra);
    Environment::of(&all)
}

fn problems(text: &str, environment: &Environment) -> Vec<String> {
    let (_dir, path) = file(text);
    let request = Request {
        file: Some(path),
        ..Request::default()
    };
    load(environment, &request)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn the_defaults_alone_are_a_usable_configuration() {
    let loaded = load(&home(&[]), &Request::default()).unwrap();
    assert_eq!(loaded.config.server.address.to_string(), "127.0.0.1:8001");
    assert_eq!(loaded.config.tier.address.to_string(), "127.0.0.1:8002");
    assert_eq!(
        loaded.config.data_dir,
        PathBuf::from("/home/someone/.local/share/goblin")
    );
    assert!(loaded.notices.is_empty(), "{:?}", loaded.notices);
}

#[test]
fn every_setting_has_a_default_and_a_sentence_and_there_are_no_others() {
    let defaults: Value = toml::from_str(DEFAULTS).unwrap();
    for key in KEYS {
        let pointer = format!("/{}", key.path.replace('.', "/"));
        let default = defaults.pointer(&pointer);
        assert!(
            default.is_some_and(|d| !d.is_object()),
            "{} has no default",
            key.path
        );
        let text = description(key.path);
        assert!(
            text.len() > 10 && text.contains(['.', ']']),
            "{} has no sentence",
            key.path
        );
        if let Some(short) = key.env {
            assert!(
                text.contains(&format!("[{}]", short.name)),
                "{} does not name {}",
                key.path,
                short.name
            );
        }
    }
    fn settings(value: &Value) -> usize {
        let inner = |o: &serde_json::Map<String, Value>| o.values().map(settings).sum();
        value.as_object().map_or(1, inner)
    }
    assert_eq!(settings(&defaults), KEYS.len());
}

#[test]
fn units_are_in_the_names_of_times_and_sizes() {
    for key in KEYS
        .iter()
        .filter(|k| k.path.contains("timeout") || k.path.contains("deadline"))
    {
        assert!(key.path.ends_with("_seconds"), "{}", key.path);
    }
}

#[test]
fn the_schema_lists_every_variable_with_who_reads_it() {
    let schema = schema();
    let list = schema["x-environment"].as_array().unwrap();
    let of = |name: &str| -> Vec<&Value> { list.iter().filter(|v| v["name"] == name).collect() };
    let ports = of("PORT");
    let readers: Vec<_> = ports.iter().map(|v| (&v["reader"], &v["default"])).collect();
    assert_eq!(
        readers,
        [(&"backend".into(), &8001.into()), (&"tier".into(), &8002.into())]
    );
    let [database] = of("DATABASE_URL")[..] else {
        panic!("DATABASE_URL is listed once")
    };
    assert_eq!(database["secret"], true);
    assert_eq!(database["setting"], "database.url");
    assert_eq!(database["read"], true);
    let named = KEYS.iter().filter(|key| key.env.is_some()).count();
    assert_eq!(list.len(), named + NOT_YET.len() + NOT_YET_PREFIXES.len());
    assert!(
        list.iter()
            .all(|v| v["name"].is_string() && v["reader"].is_string())
    );
}

#[test]
fn the_schema_is_in_step_with_the_settings() {
    let schema = schema();
    for key in KEYS {
        let pointer = format!("/properties/{}", key.path.replace('.', "/properties/"));
        let property = schema.pointer(&pointer).unwrap();
        assert!(
            property["description"].as_str().is_some_and(|d| !d.is_empty()),
            "{}",
            key.path
        );
        assert!(!property["default"].is_null(), "{}", key.path);
    }
}

#[test]
fn all_problems_are_reported_at_once_with_key_place_and_fix() {
    let environment = home(&[
        ("PORT", "eighty"),
        ("DATABASE_URL", "postgres://u:secret@h/d?sslmod=require"),
        ("GOBLIN_ENGINE__THREDS", "2"),
    ]);
    let text = "[server]\nhost = \"nowhere\"\nprot = 1\n\n[engine]\nsequences = 0\nenabled = \"yes\"\n\n[wings]\nx = 1\n";
    let all = problems(text, &environment);
    let has = |parts: &[&str]| all.iter().any(|p| parts.iter().all(|part| p.contains(part)));
    assert!(
        has(&["server.port", "environment PORT", "from 0 to 65535"]),
        "{all:#?}"
    );
    assert!(
        has(&["server.prot", "goblin.toml:3", "`server.port`"]),
        "{all:#?}"
    );
    assert!(
        has(&["server.host", "goblin.toml:2", "not an IP address"]),
        "{all:#?}"
    );
    assert!(
        has(&["engine.sequences", "goblin.toml:6", "from 1 to 128"]),
        "{all:#?}"
    );
    assert!(
        has(&["engine.enabled", "goblin.toml:7", "true or false"]),
        "{all:#?}"
    );
    assert!(has(&["wings.x", "goblin.toml:10", "no such setting"]), "{all:#?}");
    assert!(
        has(&["GOBLIN_ENGINE__THREDS", "`GOBLIN_ENGINE__THREADS`"]),
        "{all:#?}"
    );
    assert!(
        has(&["database.url", "environment DATABASE_URL", "`sslmod`", "sslmode"]),
        "{all:#?}"
    );
    assert_eq!(all.len(), 8, "{all:#?}");
    assert!(!all.concat().contains("secret"));
}

#[test]
fn broken_toml_names_the_line() {
    let all = problems("[server]\nport = = 1\n", &home(&[]));
    assert!(
        all.iter()
            .any(|p| p.contains("goblin.toml:2") && p.contains("not valid TOML")),
        "{all:#?}"
    );
}

#[test]
fn later_layers_win_and_say_where_they_are() {
    let (_dir, path) = file("[server]\nport = 1111\ndrain_seconds = 7\n[engine]\nthreads = 3\n");
    let environment = home(&[("PORT", "2222"), ("GOBLIN_ENGINE__THREADS", "4")]);
    let flags = vec![("server.port".to_owned(), "3333".to_owned(), "--port".to_owned())];
    let request = Request {
        file: Some(path.clone()),
        flags,
        ..Request::default()
    };
    let mut written = Written::read(&environment, &request);
    let config = check(&mut written, &environment).unwrap();
    assert_eq!(config.server.address.port(), 3333);
    assert_eq!(config.engine.threads, Some(4));
    assert_eq!(config.server.drain.as_secs(), 7);
    assert_eq!(
        written.entries["server.port"].source,
        Source::Flag("--port".into())
    );
    assert_eq!(
        written.entries["server.drain_seconds"].source,
        Source::File(path, 3)
    );
}

#[test]
fn a_secret_comes_from_a_file_and_is_never_printed() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("key");
    std::fs::write(&secret, "gbl_topsecret\n").unwrap();
    let environment = home(&[("LOCAL_LLM_API_KEY_FILE", secret.to_str().unwrap())]);
    let mut written = Written::read(&environment, &Request::default());
    let config = check(&mut written, &environment).unwrap();
    assert_eq!(written.entries["upstream.proxy_key"].value[0], "gbl_topsecret");
    assert!(config.upstream.servers.is_empty(), "a key alone is no server");
    assert!(config.upstream.tier_key().is_some());
    for text in [
        print(&written, false, true),
        print(&written, true, true),
        print(&written, true, false),
    ] {
        assert!(text.contains("(hidden)") && !text.contains("topsecret"), "{text}");
    }
}

#[test]
fn a_secret_given_twice_is_refused() {
    let environment = home(&[("ORIGIN_SECRET", "a"), ("ORIGIN_SECRET_FILE", "/nowhere")]);
    let all = load(&environment, &Request::default()).unwrap_err();
    assert!(all[0].to_string().contains("both set"), "{all:?}");
}

#[test]
fn what_is_printed_can_be_read_again() {
    let environment = home(&[
        ("FRONTEND_URL", "https://a.example, https://b.example"),
        ("LOG_LEVEL", "DEBUG"),
    ]);
    let written = Written::read(&environment, &Request::default());
    let (_dir, path) = file(&print(&written, false, true));
    let again = load(
        &home(&[]),
        &Request {
            file: Some(path),
            ..Request::default()
        },
    )
    .unwrap();
    assert_eq!(
        again.config.server.frontend_url,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(again.config.log.level, "debug");
}

#[test]
fn old_spellings_work_and_name_the_new_ones() {
    let environment = home(&[
        ("KALMATURA_LLM_URL", "http://10.0.0.7:8002"),
        ("REDIS_HOST", "cache"),
        ("ROUTING_ENCRYPTION_KEY", "k"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "key=sk-x"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ]);
    let loaded = load(&environment, &Request::default()).unwrap();
    assert_eq!(
        loaded.config.upstream.servers[0].url.as_str(),
        "http://10.0.0.7:8002/"
    );
    let all = loaded.notices.join("\n");
    for part in [
        "use LOCAL_LLM_PROXY_URL",
        "use REDIS_URL",
        "use SETTINGS_ENCRYPTION_KEY",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS is set but not used",
        "OTEL_EXPORTER_OTLP_COMPRESSION is set but not used",
    ] {
        assert!(all.contains(part), "{part} in {all}");
    }
    assert!(!all.contains("sk-x"));
}

#[test]
fn the_switch_of_old_turns_the_proxy_off() {
    let environment = home(&[
        ("USE_LOCAL_LLM", "false"),
        ("LOCAL_LLM_PROXY_URL", "http://10.0.0.7:8002"),
    ]);
    let loaded = load(&environment, &Request::default()).unwrap();
    assert!(loaded.config.upstream.servers.is_empty());
    assert!(loaded.notices.iter().any(|n| n.contains("USE_LOCAL_LLM")));
}

#[test]
fn host_port_and_key_mean_the_process_that_reads_them() {
    let environment = home(&[
        ("HOST", "::1"),
        ("PORT", "9000"),
        ("LOCAL_LLM_API_KEY", "k"),
        ("LOCAL_LLM_PROXY_URL", "http://10.0.0.7:8002"),
    ]);
    let backend = load(&environment, &Request::default()).unwrap().config;
    assert_eq!(backend.server.address.to_string(), "[::1]:9000");
    assert!(backend.tier.key.is_none() && backend.upstream.tier_key().is_some());
    let tier = load(
        &environment,
        &Request {
            tier: true,
            ..Request::default()
        },
    )
    .unwrap()
    .config;
    assert_eq!(tier.tier.address.to_string(), "[::1]:9000");
    assert!(tier.tier.key.is_some() && tier.upstream.tier_key().is_none());
}

#[test]
fn serve_on_render_listens_on_all_addresses_unless_told_otherwise() {
    let serve = Request {
        serve: true,
        ..Request::default()
    };
    let host = |environment: &Environment, request: &Request| {
        load(environment, request)
            .unwrap()
            .config
            .server
            .address
            .ip()
            .to_string()
    };
    assert_eq!(host(&home(&[("RENDER", "true")]), &serve), "0.0.0.0");
    assert_eq!(
        host(&home(&[("RENDER", "true"), ("HOST", "127.0.0.1")]), &serve),
        "127.0.0.1"
    );
    assert_eq!(
        host(&home(&[("RENDER", "true")]), &Request::default()),
        "127.0.0.1"
    );
}

#[test]
fn ollamas_own_way_of_writing_its_address_is_understood() {
    for (written, read) in [
        ("0.0.0.0:11434", "http://127.0.0.1:11434/"),
        ("127.0.0.1", "http://127.0.0.1:11434/"),
        ("https://ollama.example.org", "https://ollama.example.org/"),
    ] {
        let config = load(&home(&[("OLLAMA_HOST", written)]), &Request::default())
            .unwrap()
            .config;
        assert_eq!(config.upstream.servers[0].url.as_str(), read);
    }
}

#[test]
fn public_addresses_are_told_from_private_ones() {
    for (url, public) in [
        ("http://127.0.0.1:1", false),
        ("http://10.1.2.3", false),
        ("http://models", false),
        ("http://box.local", false),
        ("http://[fd00::1]", false),
        ("http://203.0.113.9", true),
        ("http://models.example.org", true),
    ] {
        assert_eq!(
            check::is_public_url(&url::Url::parse(url).unwrap()),
            public,
            "{url}"
        );
    }
}

#[test]
fn tls_can_be_required_on_both_sides() {
    let environment = home(&[("LOCAL_LLM_PROXY_URL", "http://203.0.113.9:8002")]);
    let all = problems(
        "[upstream]\nproxy_require_tls = true\n[tier]\nhost = \"0.0.0.0\"\nrequire_tls = true\n",
        &environment,
    );
    assert_eq!(all.len(), 2, "{all:#?}");
    assert!(load(&environment, &Request::default()).is_ok());
}

#[test]
fn the_roster_is_the_default_five_and_each_can_be_changed_or_left_out() {
    let roles = |config: &Config| -> Vec<(String, String, Option<u64>)> {
        let role = |r: &check::RoleModel| {
            let seconds = r.keep_alive.map(|k| k.as_secs());
            (r.role.to_owned(), r.model.to_string(), seconds)
        };
        config.roster.iter().map(role).collect()
    };
    let config = load(&home(&[]), &Request::default()).unwrap().config;
    let models: Vec<String> = roles(&config).into_iter().map(|r| r.1).collect();
    assert_eq!(
        models,
        [
            "gemma:2b",
            "phi3:3.8b",
            "qwen2.5:3b",
            "mistral:7b",
            "deepseek-coder:latest"
        ]
    );
    let (_dir, path) = file(
        "[tier.models.safety]\nmodel = \"hf.co/Org/Guard\"\nkeep_alive_seconds = -1\n[tier.models]\ntop.model = \"\"\n",
    );
    let request = Request {
        file: Some(path),
        ..Request::default()
    };
    let environment = home(&[("GOBLIN_TIER__MODELS__CODE__KEEP_ALIVE_SECONDS", "0")]);
    let config = load(&environment, &request).unwrap().config;
    let changed = roles(&config);
    assert_eq!(changed[0], ("safety".into(), "hf.co/Org/Guard".into(), None));
    assert_eq!(changed.last().unwrap().2, Some(0));
    assert!(changed.iter().all(|r| r.0 != "top"), "{changed:?}");
}

#[test]
fn a_bad_roster_or_registry_is_refused_with_its_place() {
    let text = "[tier.models.safety]\nmodel = \"../x\"\nkeep = 1\n[tier.models.saftey]\nmodel = \"a\"\n\
                [tier.models]\ncode = \"x\"\n[registry]\nollama_url = \"mirror\"\n";
    let all = problems(text, &home(&[("HF_TOKEN", "two words")]));
    let has = |parts: &[&str]| all.iter().any(|p| parts.iter().all(|part| p.contains(part)));
    assert!(
        has(&["tier.models.safety.model", "goblin.toml:2", "names no model"]),
        "{all:#?}"
    );
    assert!(
        has(&["tier.models.safety.keep", "goblin.toml:3", "no such setting"]),
        "{all:#?}"
    );
    assert!(has(&["tier.models.saftey", "no such setting"]), "{all:#?}");
    assert!(
        has(&["tier.models.code", "goblin.toml:7", "no such setting"]),
        "{all:#?}"
    );
    assert!(has(&["registry.ollama_url", "`mirror`"]), "{all:#?}");
    assert!(
        has(&["registry.huggingface_token", "environment HF_TOKEN"]),
        "{all:#?}"
    );
    assert!(!all.concat().contains("two words"));
}

#[test]
fn an_ollamas_store_is_looked_for_in_its_usual_places_unless_told() {
    let stores = |vars: &[(&str, &str)]| {
        let loaded = load(&home(vars), &Request::default()).unwrap();
        loaded.config.registry.ollama_stores
    };
    assert_eq!(
        stores(&[]),
        [
            PathBuf::from("/home/someone/.ollama/models"),
            PathBuf::from("/usr/share/ollama/.ollama/models")
        ]
    );
    assert_eq!(
        stores(&[("OLLAMA_MODELS", "/big/disk")]),
        [PathBuf::from("/big/disk")]
    );
}

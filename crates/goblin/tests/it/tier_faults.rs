//! Several model tiers behind one backend, real ones with a real model: one dies, freezes, is slow, or is full.
#![cfg(feature = "engine")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::{Running, read_head, run, starter_model, stderr, until};
use crate::tiers::{KEY, MODEL, home_with_model, start};

const CHAT: &str = "/v1/chat/completions";

/// A model tier with a home of its own.
struct Tier {
    running: Running,
    _home: tempfile::TempDir,
}

impl Tier {
    fn start(settings: &[&str]) -> Self {
        Self::at_home(home_with_model(), settings)
    }

    fn at_home(home: tempfile::TempDir, settings: &[&str]) -> Self {
        let command = [&["models", "serve", "--port", "0"], settings].concat();
        let running = start(home.path(), &command, &[("LOCAL_LLM_API_KEY", KEY)]);
        Self { running, _home: home }
    }

    /// What it says of its model; nothing while that is not in memory.
    fn instance(&self) -> Option<Value> {
        let (status, told) = self
            .running
            .ask("GET", "/v1/goblin/status", &[("x-api-key", KEY)], "");
        assert_eq!(status, 200, "{told}");
        let told: Value = serde_json::from_str(told.trim()).unwrap();
        let first = told["instances"][0].clone();
        (first["state"] == "loaded").then_some(first)
    }

    fn until_it_has(&self, running: u32, queued: u32) {
        until("the tier has as many requests as it was sent", || {
            let told = self.instance()?;
            (told["running"] == running && told["queued"] == queued).then_some(())
        });
    }

    /// Takes both places, and the one in the queue, until what is returned is dropped.
    fn fill(&self) -> [BufReader<TcpStream>; 3] {
        let body = long(MODEL).to_string();
        [(1, 0), (2, 0), (2, 1)].map(|(running, queued)| {
            let sent = self.running.send("POST", CHAT, &[("x-api-key", KEY)], &body);
            self.until_it_has(running, queued);
            sent
        })
    }
}

/// A backend in front of tiers at `addresses`.
fn backend(addresses: &[SocketAddr], settings: &[&str]) -> (Running, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let urls: Vec<String> = addresses.iter().map(|a| format!("http://{a}")).collect();
    let environment = [
        ("LOCAL_LLM_PROXY_URL", &*urls.join(",")),
        ("LOCAL_LLM_API_KEY", KEY),
    ];
    let command = [&["serve", "--port", "0"], settings].concat();
    (Running::start(home.path(), &command, &environment), home)
}

/// `count` tiers with their model in memory.
fn tiers(count: usize, settings: &[&str]) -> Vec<Tier> {
    let tiers: Vec<Tier> = (0..count).map(|_| Tier::start(settings)).collect();
    for tier in &tiers {
        until("the model is in memory", || tier.instance());
    }
    tiers
}

fn addresses(tiers: &[Tier]) -> Vec<SocketAddr> {
    tiers.iter().map(|t| t.running.address).collect()
}

/// The place of the tier that answered: `tier/…` is the first, `tier-2/…` the second.
fn place(model_id: &str) -> usize {
    let provider = model_id.split('/').next().unwrap();
    match provider.strip_prefix("tier-") {
        Some(number) => number.parse::<usize>().unwrap() - 1,
        None => {
            assert_eq!(provider, "tier", "{model_id}");
            0
        }
    }
}

/// With a `goblin` object the answer is in the backend's words, which name the tier, and not in the tier's own.
fn short(model: &str) -> Value {
    json!({"model": model, "max_tokens": 4, "temperature": 0, "goblin": {},
           "messages": [{"role": "user", "content": "What is the capital of France?"}]})
}

/// An answer that goes on for as long as anybody reads it here: its end is forbidden, and it is too warm to repeat itself.
pub(crate) fn long(model: &str) -> Value {
    json!({"model": model, "stream": true, "max_tokens": 900, "temperature": 1.5, "seed": 7, "goblin": {},
           "logit_bias": {"0": -100, "2": -100},
           "messages": [{"role": "user", "content": "Tell me everything about goblins."}]})
}

/// Asks and expects an answer: who gave it, and the whole of it.
fn answered(backend: &Running, body: &Value, headers: &[(&str, &str)]) -> (String, Value) {
    let (status, answer) = backend.ask("POST", CHAT, headers, &body.to_string());
    assert_eq!(status, 200, "{answer} {}", backend.logs());
    let answer: Value = serde_json::from_str(answer.trim()).unwrap();
    (answer["model"].as_str().unwrap().to_owned(), answer)
}

/// Reads a stream up to its first text: who says it.
pub(crate) fn first_text(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    while stream.read_line(&mut line).unwrap() > 0 {
        if let Some(data) = line.strip_prefix("data: ") {
            let chunk: Value = serde_json::from_str(data).unwrap();
            let text = chunk["choices"][0]["delta"]["content"].as_str();
            if text.is_some_and(|text| !text.is_empty()) {
                return chunk["model"].as_str().unwrap().to_owned();
            }
        }
        line.clear();
    }
    panic!("the stream ended without a text");
}

/// Reads what is left of a stream, which must say that it was cut.
fn must_be_cut(mut stream: BufReader<TcpStream>) {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains("\"error\"") && rest.contains("stopped in the middle of its answer"),
        "{rest}"
    );
    assert!(!rest.contains("[DONE]"), "{rest}");
}

#[test]
fn when_tiers_die_an_answer_begun_is_cut_truthfully_and_one_not_begun_is_given_by_another() {
    let tiers = tiers(3, &[]);
    let (backend, _home) = backend(&addresses(&tiers), &[]);
    let (status, mut stream) = backend.begin("POST", CHAT, &[], &long(MODEL).to_string());
    assert_eq!(status, 200, "{}", backend.logs());
    let first = place(&first_text(&mut stream));
    tiers[first].running.signal("KILL");
    must_be_cut(stream);
    let (by, _) = answered(&backend, &short(MODEL), &[]);
    assert_ne!(place(&by), first, "the next question is answered by another");

    // Long enough to read that the tier is killed before it says anything.
    let mut reading = short(MODEL);
    reading["stream"] = json!(true);
    reading["messages"][0]["content"] = json!("goblin ".repeat(400));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let (status, mut stream) = backend.begin("POST", CHAT, &[], &reading.to_string());
            assert_eq!(status, 200, "{}", backend.logs());
            first_text(&mut stream)
        });
        let second = until("a tier reads the prompt", || {
            (0..3).filter(|at| *at != first).find(|at| {
                let told = tiers[*at].instance();
                told.is_some_and(|told| told["running"] == 1)
            })
        });
        tiers[second].running.signal("KILL");
        let third = place(&asked.join().unwrap());
        assert!(third != first && third != second, "the same request, by another");
    });
    assert!(backend.logs().contains("candidate failed"), "{}", backend.logs());
}

#[test]
fn a_frozen_tier_is_noticed_the_others_go_on_and_it_is_used_again_when_it_wakes() {
    let tiers = tiers(2, &[]);
    let limits = [
        "--set",
        "upstream.idle_timeout_seconds=5",
        "--set",
        "upstream.first_event_timeout_seconds=20",
    ];
    let (backend, _home) = backend(&addresses(&tiers), &limits);
    let (status, mut stream) = backend.begin("POST", CHAT, &[], &long(MODEL).to_string());
    assert_eq!(status, 200, "{}", backend.logs());
    let by = first_text(&mut stream);
    let frozen = place(&by);
    tiers[frozen].running.signal("STOP");
    must_be_cut(stream);
    for _ in 0..2 {
        let (other, _) = answered(&backend, &short(MODEL), &[]);
        assert_eq!(place(&other), 1 - frozen, "the other one answers meanwhile");
    }
    tiers[frozen].running.signal("CONT");
    until("the tier that woke is used again", || {
        let (status, answer) = backend.ask("POST", CHAT, &[], &short(&by).to_string());
        assert!(matches!(status, 200 | 502 | 503), "{status}: {answer}");
        (status == 200).then_some(())
    });
}

/// A slow line to a server: every piece arrives late, in both directions. It keeps what was sent into it.
struct SlowLine {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl SlowLine {
    fn to(server: SocketAddr, late: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(server) else {
                    return;
                };
                let (back, forth) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || carry(near, far, late, Some(&kept)));
                std::thread::spawn(move || carry(back, forth, late, None));
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).to_lowercase()
    }
}

/// The lateness is what is tested; nothing is waited for.
fn carry(mut from: TcpStream, mut to: TcpStream, late: Duration, kept: Option<&Mutex<Vec<u8>>>) {
    let mut piece = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if let Some(kept) = kept {
            kept.lock().unwrap().extend_from_slice(&piece[..length]);
        }
        std::thread::park_timeout(late);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

#[test]
fn the_nearer_tier_is_preferred_a_lone_model_is_found_and_a_request_says_where_it_comes_from() {
    let mut all = tiers(2, &[]);
    let home = tempfile::tempdir().unwrap();
    let model = starter_model();
    let added = run(
        home.path(),
        &["models", "add", model.to_str().unwrap(), "--name", "tiny"],
        &[],
    );
    assert_eq!(added.status.code(), Some(0), "{}", stderr(&added));
    all.push(Tier::at_home(home, &["--set", "engine.model=tiny"]));
    until("the model is in memory", || all[2].instance());

    let line = SlowLine::to(all[0].running.address, Duration::from_millis(300));
    let mut addresses = addresses(&all);
    addresses[0] = line.address;
    let (backend, _home) = backend(&addresses, &[]);
    let (by, _) = answered(&backend, &short(MODEL), &[]);
    assert_eq!(by, format!("tier-2/{MODEL}"), "the way to the first is longer");
    let (by, _) = answered(&backend, &short("tiny"), &[]);
    assert_eq!(by, "tier-3/tiny", "only one has it");
    let (status, refused) = backend.ask("POST", CHAT, &[], &short("tinny").to_string());
    assert_eq!(status, 404);
    assert!(
        refused.contains("Did you mean `tiny`") || refused.contains("Did you mean `tier-3/tiny`"),
        "{refused}"
    );

    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [
        ("traceparent", trace),
        ("tracestate", "goblin=1"),
        ("x-correlation-id", "asked-by-a-test"),
        ("x-goblin-deadline-ms", "60000"),
    ];
    let (by, _) = answered(&backend, &short(&format!("tier/{MODEL}")), &headers);
    assert_eq!(place(&by), 0, "whoever names it gets it");
    let heard = line.heard();
    for (name, value) in &headers[..3] {
        assert!(
            heard.contains(&format!("{name}: {value}\r\n")),
            "{name} is passed on: {heard}"
        );
    }
    let left = heard.split("x-goblin-deadline-ms: ").nth(1).unwrap();
    let left: u64 = left.split("\r\n").next().unwrap().parse().unwrap();
    assert!(
        (1..=60_000).contains(&left),
        "what remains of the deadline, not {left}"
    );
    let log = all[0].running.logs();
    assert!(log.contains(trace) && log.contains("asked-by-a-test"), "{log}");
}

#[test]
fn beyond_a_full_queue_the_other_tier_answers_keeps_the_chat_and_two_full_ones_say_when_to_come_back() {
    let tiers = tiers(2, &["--set", "queue.max_waiting=1"]);
    let (backend, _home) = backend(&addresses(&tiers), &[]);
    let filled = tiers[0].fill();
    let mut chat = short(MODEL);
    let (by, answer) = answered(&backend, &chat, &[]);
    assert_eq!(place(&by), 1, "the first is full");
    assert!(
        tiers[0].instance().is_some_and(|told| told["queued"] == 1),
        "and still is"
    );
    drop(filled);
    tiers[0].until_it_has(0, 0);

    let said = answer["choices"][0]["message"]["content"].clone();
    let messages = chat["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": said}));
    messages.push(json!({"role": "user", "content": "And of Spain?"}));
    let (by, answer) = answered(&backend, &chat, &[]);
    assert_eq!(place(&by), 1, "the chat stays where its beginning is");
    let usage = &answer["usage"];
    assert!(
        usage["prompt_tokens_details"]["cached_tokens"].as_u64() > Some(20),
        "{usage}"
    );

    let _filled = [tiers[0].fill(), tiers[1].fill()];
    let question = short(MODEL).to_string();
    let head = read_head(&mut backend.send("POST", CHAT, &[], &question)).to_lowercase();
    assert!(
        head.starts_with("http/1.1 429") && head.contains("retry-after: "),
        "both are full: {head} {}",
        backend.logs()
    );
    let soon = [("x-goblin-deadline-ms", "50")];
    let told = until("the backend knows how long it would take", || {
        // Until then the tiers themselves refuse.
        let (status, told) = backend.ask("POST", CHAT, &soon, &question);
        assert!(matches!(status, 429 | 503 | 504), "{status}: {told}");
        (status == 503).then_some(told)
    });
    assert!(told.contains("would begin in about"), "{told}");
}

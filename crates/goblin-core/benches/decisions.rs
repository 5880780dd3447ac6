//! What decisions cost, without asking anybody: reading a question and choosing who answers it, what is looked for in a
//! text, and the cascade's state machine for each token. Prints one JSON object a line; `bench/trust.sh` runs it, and
//! bench/README.md says how.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that measures: what is wrong ends it, and what it found is printed"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use goblin_core::chat::Message;
use goblin_core::context_rule::CountMethod;
use goblin_core::event::{FinishReason, Parsed};
use goblin_core::intent;
use goblin_core::model::{ModelInfo, ModelState};
use goblin_core::policy::Policy;
use goblin_core::provider::Health;
use goblin_core::route::plan::{Matter, Planning, plan};
use goblin_core::route::{Needs, Offer, Table};
use goblin_core::screen;
use goblin_core::trace::Authority;
use goblin_core::trust::cascade::Cascade;
use goblin_core::trust::structure::Form;
use goblin_core::trust::{Action, Event, Heard, Judge, Rung, SafetyJudge, Settings};
use goblin_core::wire::openai::{IncomingChat, parse_chat_request};
use serde_json::{Value, json};

const CASES: &str = include_str!("../../../evals/cases/routing.jsonl");
const AIM_MICROS: f64 = 50.0;
/// Tokens of an answer the state machine is given.
const TOKENS: u32 = 400;
/// How often everything is done; the least time counts.
const ROUNDS: u32 = 15;

fn main() {
    let asked = asked();
    let offers = roster();
    let reading = per_item(&asked, |one| {
        black_box(intent::read(&one.request.messages, one.has_document()));
    });
    let policy = Policy::default();
    let table = Table {
        offers: &offers,
        absent: &[],
        default_model: None,
        no_model_help: "",
    };
    let planning = Planning {
        policy: &policy,
        version: "bench",
        table,
        first_token: &|_| None,
    };
    let both = per_item(&asked, |one| {
        black_box(plan(&one.model, &matter(one), &planning));
    });
    say(
        "intent of a question, mean of all routing cases",
        reading,
        "µs",
        None,
    );
    say(
        "intent and route, mean of all routing cases",
        both,
        "µs",
        Some(AIM_MICROS),
    );
    let texts: Vec<String> = asked.iter().map(question).collect();
    let screened = per_item(&texts, |text| {
        black_box(screen::find(text));
    });
    say(
        "secrets, personal data and injections looked for in a question, mean",
        screened,
        "µs",
        None,
    );
    let tokens = best(|| {
        let begun = Instant::now();
        black_box(answered());
        begun.elapsed().as_secs_f64()
    });
    let each = tokens * 1e9 / f64::from(TOKENS);
    say(
        "state machine, hold with a judge, for each token of an answer",
        each,
        "ns",
        None,
    );
}

/// The least mean time for one item, in microseconds, of [`ROUNDS`] over all.
fn per_item<T>(items: &[T], mut work: impl FnMut(&T)) -> f64 {
    let least = best(|| {
        let begun = Instant::now();
        items.iter().for_each(&mut work);
        begun.elapsed().as_secs_f64()
    });
    least * 1e6 / items.len().max(1) as f64
}

fn best(mut run: impl FnMut() -> f64) -> f64 {
    run();
    (0..ROUNDS).map(|_| run()).fold(f64::INFINITY, f64::min)
}

fn say(what: &str, value: f64, unit: &str, aim: Option<f64>) {
    println!(
        "{}",
        json!({"what": what, "value": value, "unit": unit, "aim_micros": aim})
    );
}

fn asked() -> Vec<IncomingChat> {
    let read = |line: &str| {
        let case: Value = serde_json::from_str(line).unwrap();
        let body = json!({"model": "goblin", "messages": case["messages"]});
        parse_chat_request(&Bytes::from(body.to_string())).unwrap()
    };
    CASES.lines().map(read).collect()
}

fn question(one: &IncomingChat) -> String {
    one.request.messages.iter().map(Message::joined_text).collect()
}

fn matter(one: &IncomingChat) -> Matter {
    Matter {
        reading: intent::read(&one.request.messages, one.has_document()),
        hints: one.hints(),
        needs: Needs::of(&one.request, false),
        prompt_tokens: 60,
        counted: CountMethod::Estimate,
        tools: false,
    }
}

fn roster() -> Vec<Offer> {
    let models = [
        "gemma:2b",
        "phi3:3.8b",
        "qwen2.5:3b",
        "mistral:7b",
        "deepseek-coder",
    ];
    let offer = |name: &str| Offer {
        provider: "ollama".into(),
        provider_local: true,
        health: Health::Ok,
        model: ModelInfo {
            state: ModelState::Loaded,
            context_window: Some(32_768),
            ..ModelInfo::named(name)
        },
    };
    models.map(offer).to_vec()
}

/// One answer through the machine, every question of it answered at once. Returns what it did.
fn answered() -> usize {
    let judge = Judge {
        authority: Authority::Grant,
        self_judged: false,
    };
    let rung = Rung {
        id: "p/a".to_owned(),
        model: "a".to_owned(),
        local: true,
        quality: Some(0.5),
        answer_tokens: TOKENS,
        prompt_tokens: 60,
        safety: Some(SafetyJudge::with(Authority::Grant)),
        confidence: vec![judge],
        ..Rung::default()
    };
    let form = Arc::new(Form::default());
    let mut cascade = Cascade::new(Settings::default(), vec![rung], Some(judge), form).unwrap();
    let mut out = Vec::new();
    let mut done = 0;
    let mut events = vec![Event::Asked];
    events.extend((0..TOKENS).map(|n| Event::Said {
        rung: 0,
        parsed: Parsed::Text {
            text: if n % 16 == 15 {
                " word.".to_owned()
            } else {
                " word".to_owned()
            },
            logprobs: Vec::new(),
        },
    }));
    events.push(Event::Said {
        rung: 0,
        parsed: Parsed::Finished {
            reason: FinishReason::Stop,
        },
    });
    events.push(Event::Ended { rung: 0 });
    for event in events {
        cascade.on(0, event, &mut out);
        let mut at = 0;
        while at < out.len() {
            if let Some(Action::Ask { id, .. }) = out.get(at) {
                let heard = Heard::Probability {
                    value: 0.99,
                    mass: 1.0,
                    category: None,
                };
                let judged = Event::Judged { ask: *id, heard };
                cascade.on(0, judged, &mut out);
            }
            at += 1;
        }
        done += out.len();
        out.clear();
    }
    done
}

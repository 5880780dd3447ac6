//! Predicted against actual: what the gate tells a newcomer, and what then happens, against a server of known rates
//! in virtual time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_stream::stream;
use goblin_core::admission::estimate::Estimate;
use goblin_core::chat::{ChatRequest, Sampling};
use goblin_core::event::{FinishReason, Parsed, Usage};
use goblin_core::model::{ModelInfo, ModelState};
use goblin_core::provider::{ChatStream, Health, ProviderHandle, ProviderStatus};
use goblin_dispatch::measured::Measured;
use goblin_dispatch::{Dispatch, Options};
use serde_json::Value;
use tokio::time::Instant;

use crate::house::{model, scripted};
use crate::log::Lines;
use crate::tier::{ask, saying, tier};

/// Bytes of one token in these prompts.
const BYTES_PER_TOKEN: usize = 5;

/// One model of the server, and how fast it is.
#[derive(Clone, Copy)]
struct Speed {
    name: &'static str,
    slots: u32,
    /// Seconds to the first token that do not depend on the prompt.
    base: f64,
    prefill: f64,
    decode: f64,
}

const MODELS: [Speed; 3] = [
    Speed {
        name: "quick",
        slots: 4,
        base: 0.05,
        prefill: 1200.0,
        decode: 60.0,
    },
    Speed {
        name: "middle",
        slots: 2,
        base: 0.1,
        prefill: 400.0,
        decode: 22.0,
    },
    Speed {
        name: "large",
        slots: 1,
        base: 0.2,
        prefill: 150.0,
        decode: 9.0,
    },
];

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    /// 0–1.
    fn roll(&mut self) -> f64 {
        // Knuth's MMIX generator.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + self.roll() * (most - least)
    }
}

/// Lets virtual time pass.
async fn passes(seconds: f64) {
    let time = Duration::from_secs_f64(seconds);
    assert!(
        tokio::time::timeout(time, std::future::pending::<()>())
            .await
            .is_err()
    );
}

/// How long the answer to a request is: 70 to 100 percent of its limit, told by the request itself.
fn length(request: &ChatRequest) -> u32 {
    let limit = f64::from(request.sampling.max_tokens.unwrap_or(100));
    let seed = request.sampling.seed.unwrap_or(0);
    (limit * Dice(seed).between(0.7, 1.0)).ceil() as u32
}

fn answer(speed: Speed, request: ChatRequest) -> ChatStream {
    let prompt = request.messages[0].joined_text().len() / BYTES_PER_TOKEN;
    let tokens = length(&request);
    Box::pin(stream! {
        passes(speed.base + prompt as f64 / speed.prefill).await;
        for n in 0..tokens {
            if n > 0 {
                passes(1.0 / speed.decode).await;
            }
            yield Ok(Parsed::Text { text: format!(" {n}"), logprobs: vec![] }.into());
        }
        yield Ok(Parsed::Finished { reason: FinishReason::Length }.into());
        let usage = Usage { prompt_tokens: prompt as u32, completion_tokens: tokens, ..Usage::default() };
        yield Ok(Parsed::Usage(usage).into());
    })
}

fn server() -> ProviderHandle {
    let offered: Vec<ModelInfo> = MODELS
        .iter()
        .map(|speed| ModelInfo {
            slots: Some(speed.slots),
            state: ModelState::Loaded,
            context_window: Some(32_768),
            ..model(speed.name)
        })
        .collect();
    let status = ProviderStatus {
        health: Health::Ok,
        models: offered,
        slots: None,
        free_slots: None,
        decode_tokens_per_second: None,
        prefill_tokens_per_second: None,
    };
    ProviderHandle::new(
        "server",
        true,
        Arc::new(|request: ChatRequest| {
            let speed = MODELS.iter().find(|s| s.name == request.model).copied();
            Box::pin(async move { Ok(answer(speed.expect("a model of ours"), request)) })
        }),
        Arc::new(move || {
            let status = status.clone();
            Box::pin(async move { status })
        }),
    )
}

/// A request of the mixed load: which model, how long a prompt, how long an answer.
fn request(dice: &mut Dice, speed: Speed) -> ChatRequest {
    let tokens = (40.0 * (dice.between(0.0, 3.6)).exp()) as usize;
    let limits = [24, 48, 128, 256, 400];
    let limit = limits[(dice.roll() * limits.len() as f64) as usize];
    let mut text = format!("{:x} ", dice.0);
    text.extend("word ".repeat(tokens).chars().take(tokens * BYTES_PER_TOKEN));
    ChatRequest {
        sampling: Sampling {
            max_tokens: Some(limit),
            seed: Some(dice.0),
            ..Sampling::default()
        },
        ..saying(speed.name, &text)
    }
}

/// Sends `count` requests to each model, as many as keep it busy for about `busy` of the time.
async fn load(tier: &Arc<Dispatch>, dice: &mut Dice, count: usize, busy: f64) {
    let mut arrivals = Vec::new();
    for speed in MODELS {
        let mut at = 0.0;
        // The mean of the mix above.
        let hold = speed.base + 420.0 / speed.prefill + 146.0 / speed.decode;
        for n in 0..count {
            at += -dice.roll().max(1e-9).ln() * hold / f64::from(speed.slots) / busy;
            arrivals.push((at, format!("key-{}", n % 3), request(dice, speed)));
        }
    }
    arrivals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let begin = Instant::now();
    let mut readers = Vec::new();
    for (at, key, request) in arrivals {
        tokio::time::timeout_at(begin + Duration::from_secs_f64(at), std::future::pending::<()>())
            .await
            .unwrap_err();
        let stream = ask(tier, &key, request).await.unwrap();
        readers.push(tokio::spawn(read_through(stream)));
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

/// Reads to the end, for hours of virtual time.
async fn read_through(mut stream: goblin_dispatch::answer::AnswerStream) {
    while let Some(item) = futures_util::StreamExt::next(&mut stream).await {
        assert!(item.is_ok(), "{item:?}");
    }
}

/// Of each answered request: what was predicted, what happened, both in milliseconds until the first token.
fn compared(lines: &[Value]) -> Vec<(String, f64, f64)> {
    let number = |line: &Value, name: &str| line[name].as_f64();
    lines
        .iter()
        .map(|line| &line["fields"])
        .filter_map(|line| {
            let predicted = number(line, "predicted_queue_ms")? + number(line, "predicted_first_token_ms")?;
            let actual = number(line, "queue_ms")? + number(line, "first_token_ms")?;
            Some((line["model"].as_str()?.to_owned(), predicted, actual))
        })
        .collect()
}

/// How good the predictions of the requests since were, and which were bad.
fn judged(lines: &Lines, expected: usize) -> (f64, HashMap<String, Vec<(f64, f64)>>) {
    let compared = compared(&lines.take_access());
    assert_eq!(compared.len(), expected);
    let mut bad: HashMap<String, Vec<(f64, f64)>> = HashMap::new();
    for (model, predicted, actual) in &compared {
        if (predicted - actual).abs() > 0.25 * actual {
            bad.entry(model.clone()).or_default().push((*predicted, *actual));
        }
    }
    let bad_ones: usize = bad.values().map(Vec::len).sum();
    (1.0 - bad_ones as f64 / compared.len() as f64, bad)
}

fn roomy() -> Options {
    Options {
        max_waiting: 1000,
        ..Options::default()
    }
}

#[tokio::test(start_paused = true)]
async fn eight_of_ten_predictions_are_within_a_quarter_under_a_mixed_load_of_three_models() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let tier = tier(vec![server()], roomy());
    let mut dice = Dice(7);
    load(&tier, &mut dice, 40, 0.6).await;
    // The first few begin before anything is known.
    assert_eq!(lines.take_access().len(), 120);
    for busy in [0.5, 0.8, 1.2] {
        load(&tier, &mut dice, 100, busy).await;
        let (good, bad) = judged(&lines, 300);
        println!("{busy} busy: {good:.3} of the predictions are within a quarter");
        assert!(good >= 0.8, "{busy} busy: {good} {bad:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_predicts_as_well_as_the_process_before_it() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let before = tier(vec![server()], roomy());
    load(&before, &mut Dice(11), 60, 0.7).await;
    assert_eq!(lines.take_access().len(), 180);
    let learned: Vec<Measured> = before
        .measured()
        .into_iter()
        .map(|one| Measured {
            known: one.known.rounded(),
            ..one
        })
        .collect();
    assert_eq!(learned.len(), 3, "{learned:?}");
    let after = tier(vec![server()], roomy());
    assert!(after.measured().is_empty());
    after.expect(learned);
    let shown = after.tier_status().await.instances;
    assert!(
        shown.iter().all(|i| i.decode_tokens_per_second.is_some()),
        "known before the first answer: {shown:?}"
    );
    load(&after, &mut Dice(12), 20, 0.7).await;
    let (good, bad) = judged(&lines, 60);
    println!("after a restart: {good:.3}");
    assert!(good >= 0.8, "{good} {bad:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_measured_on_another_content_of_the_same_name_does_not_count() {
    let mut known = Measured {
        provider: "server".into(),
        model: "quick".into(),
        digest: Some("ab".repeat(32)),
        known: Estimate {
            decode_tokens_per_second: Some(1.0),
            ..Estimate::default()
        },
    };
    let offering = |digest: &str| {
        let (provider, _calls) = scripted("server", Some(1));
        provider.offers(vec![ModelInfo {
            digest: Some(digest.repeat(32)),
            ..model("quick")
        }]);
        provider.handle()
    };
    for (digest, rate) in [("ab", Some(1.0)), ("cd", None)] {
        let tier = tier(vec![offering(digest)], Options::default());
        tier.expect([known.clone()]);
        // The table is looked at.
        assert_eq!(tier.offers().await.len(), 1);
        let shown = tier.tier_status().await.instances;
        assert_eq!(shown[0].decode_tokens_per_second, rate, "{digest}");
    }
    known.provider = "gone".into();
    let tier = tier(vec![offering("ab")], Options::default());
    tier.expect([known]);
    let shown = tier.tier_status().await.instances;
    assert_eq!((shown.len(), shown[0].decode_tokens_per_second), (1, None));
}

//! How each server that answers questions is, in words a page can switch on and everybody may read.
//!
//! What a server said, and where it is, goes only into [`UpstreamStatus::admin_detail`].

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{Capability, ModelState};
use crate::provider::{Health, IN_PROCESS};
use crate::status::ModelStatus;

/// An upstream whose quickest model in memory needs longer than this to its first token is slow, in milliseconds.
pub const SLOW_FIRST_TOKEN_MS: u64 = 8_000;

/// What kind of server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamKind {
    /// Inside this process.
    Engine,
    /// `goblin models serve`, on this or another machine.
    ModelTier,
    /// An Ollama.
    Ollama,
    /// llama.cpp's server.
    LlamaServer,
    /// Anything else that speaks a known dialect.
    Other,
}

impl UpstreamKind {
    /// The kind of the provider with this id. Several of one kind are told apart by what follows a `-` or by a number.
    pub fn of(id: &str) -> Self {
        let stem = id.split('-').next().unwrap_or(id);
        match stem.trim_end_matches(|c: char| c.is_ascii_digit()) {
            IN_PROCESS => Self::Engine,
            "tier" => Self::ModelTier,
            "ollama" => Self::Ollama,
            "llamacpp" => Self::LlamaServer,
            _ => Self::Other,
        }
    }

    /// What people call it: `Model tier`; the second one is `Model tier 2`.
    fn name(self, id: &str) -> String {
        let (word, stem) = match self {
            Self::Engine => ("This machine", IN_PROCESS),
            Self::ModelTier => ("Model tier", "tier"),
            Self::Ollama => ("Ollama", "ollama"),
            Self::LlamaServer => ("llama-server", "llamacpp"),
            Self::Other => return id.to_owned(),
        };
        let which = id.strip_prefix(stem).unwrap_or_default().trim_start_matches('-');
        format!("{word} {which}").trim_end().to_owned()
    }
}

/// How an upstream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamState {
    /// Answers.
    Up,
    /// Answers, but not soon.
    Slow,
    /// On its way.
    Loading,
    /// Cannot be reached.
    Down,
    /// Answers, but refuses this server's key.
    Refused,
    /// Answers, but with nothing that can be used.
    Broken,
}

impl UpstreamState {
    /// The word for it, as page and command line show it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Slow => "slow",
            Self::Loading => "loading",
            Self::Down => "down",
            Self::Refused => "key refused",
            Self::Broken => "broken",
        }
    }

    /// Can it answer a question, however late?
    pub fn answers(self) -> bool {
        matches!(self, Self::Up | Self::Slow)
    }
}

/// A server that answers questions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpstreamStatus {
    /// Stays the same; the first part of its models' ids.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it is.
    pub kind: UpstreamKind,
    /// Is it one of the operator's machines? Each of its models says whether it stays there.
    pub local: bool,
    /// How it is.
    pub state: UpstreamState,
    /// A sentence: what is the matter. Never an address, never the upstream's own words.
    pub detail: String,
    /// What to do, when something can be done.
    pub fix: Option<String>,
    /// How much is loaded, 0 to 100, while it is loading and says so.
    pub progress_percent: Option<u8>,
    /// Models it has, or had when it was last heard of.
    pub models: u32,
    /// Of those, in memory now.
    pub models_loaded: u32,
    /// Bytes its models take in memory now, as far as is known.
    pub memory_bytes: Option<u64>,
    /// For admins only: which address, and what happened there.
    pub admin_detail: Option<String>,
}

/// What is known of an upstream.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The provider's id.
    pub id: &'a str,
    /// Is it one of the operator's machines? Each of its models says whether it stays there.
    pub local: bool,
    /// What it said of itself, or why it did not.
    pub health: &'a Health,
    /// It has not said in time how it is; `health` is what it said before.
    pub late: bool,
    /// Its models, with what would have to be expected of them.
    pub models: &'a [ModelStatus],
}

impl UpstreamStatus {
    /// Judges what is known.
    pub fn of(seen: &Seen<'_>) -> Self {
        let kind = UpstreamKind::of(seen.id);
        let loaded = || seen.models.iter().filter(|m| m.state == ModelState::Loaded);
        let memory: u64 = loaded().filter_map(|m| m.memory_bytes).sum();
        let told = judge(kind, seen);
        Self {
            id: seen.id.to_owned(),
            name: kind.name(seen.id),
            kind,
            local: seen.local,
            state: told.state,
            detail: told.detail,
            fix: told.fix.map(str::to_owned),
            progress_percent: told.progress,
            models: count(seen.models.len()),
            models_loaded: count(loaded().count()),
            memory_bytes: (memory > 0).then_some(memory),
            admin_detail: told.words,
        }
    }
}

struct Told {
    state: UpstreamState,
    detail: String,
    fix: Option<&'static str>,
    progress: Option<u8>,
    words: Option<String>,
}

fn judge(kind: UpstreamKind, seen: &Seen<'_>) -> Told {
    let told = |state, detail: &str, fix, words: Option<&String>| Told {
        state,
        detail: detail.to_owned(),
        fix,
        progress: None,
        words: words.filter(|w| !w.is_empty()).cloned(),
    };
    match seen.health {
        Health::Ok if seen.late => told(
            UpstreamState::Slow,
            "It has not said in time how it is. It may be busy, or about to be lost.",
            None,
            None,
        ),
        Health::Ok => answering(kind, seen),
        Health::Starting(how) => {
            let progress = percent(how);
            let far = progress.map_or_else(String::new, |done| format!(" {done} % done."));
            let detail = format!("It is still loading.{far} It is used as soon as it is ready.");
            Told {
                progress,
                ..told(UpstreamState::Loading, &detail, None, Some(how))
            }
        }
        Health::Refused(why) => told(
            UpstreamState::Refused,
            "It answers, but refuses this server's key.",
            Some(match kind {
                UpstreamKind::ModelTier => {
                    "Correct LOCAL_LLM_API_KEY and start again. `goblin models keys list`, on its machine, names \
                     the keys it knows."
                }
                _ => "Correct its key and start again.",
            }),
            Some(why),
        ),
        Health::Broken(why) => told(
            UpstreamState::Broken,
            "It answers, but with nothing that can be used.",
            Some(match kind {
                UpstreamKind::ModelTier => {
                    "Look whether its own model servers run: `goblin models status`, on its machine, says so. It is \
                     used again by itself."
                }
                UpstreamKind::Engine => "`goblin doctor` looks closer; engine.model names another model.",
                _ => {
                    "Look at its log, and check that its address is the right one. It is used again by itself."
                }
            }),
            Some(why),
        ),
        Health::Down(why) => {
            let (detail, fix) = away(kind);
            told(UpstreamState::Down, detail, Some(fix), Some(why))
        }
    }
}

fn away(kind: UpstreamKind) -> (&'static str, &'static str) {
    const LOST: &str = "It cannot be reached.";
    match kind {
        UpstreamKind::Engine => (
            "Its model could not be loaded.",
            "`goblin doctor` looks closer; engine.model names another model.",
        ),
        UpstreamKind::ModelTier => (
            LOST,
            "Start it with `goblin models serve` on its machine, or correct LOCAL_LLM_PROXY_URL. It is used again by \
             itself.",
        ),
        UpstreamKind::Ollama => (
            LOST,
            "Start it with `ollama serve`, or correct OLLAMA_HOST. It is used again by itself.",
        ),
        UpstreamKind::LlamaServer => (
            LOST,
            "Start it, or correct LLAMACPP_URL. It is used again by itself.",
        ),
        UpstreamKind::Other => (
            LOST,
            "Start it, or correct its address. It is used again by itself.",
        ),
    }
}

/// It answers: soon?
fn answering(kind: UpstreamKind, seen: &Seen<'_>) -> Told {
    let quickest = seen
        .models
        .iter()
        .filter(|m| m.state == ModelState::Loaded && m.capabilities.contains(&Capability::Chat))
        .filter_map(|m| Some(m.predicted_wait_ms.unwrap_or(0) + m.predicted_first_token_ms?))
        .min();
    let waiting: u32 = seen.models.iter().map(|m| m.queued).sum();
    let (state, detail) = match quickest {
        Some(ms) if ms > SLOW_FIRST_TOKEN_MS => {
            let mut detail = format!("An answer would begin in about {} s.", ms.div_ceil(1000));
            match waiting {
                0 => {}
                1 => detail.push_str(" One request is waiting."),
                n => _ = write!(detail, " {n} requests are waiting."),
            }
            (UpstreamState::Slow, detail)
        }
        _ => (UpstreamState::Up, models(seen.models)),
    };
    let fix = match (kind, seen.models.is_empty()) {
        (UpstreamKind::Ollama, true) => Some("Give it a model: `ollama pull`."),
        (UpstreamKind::ModelTier, true) => Some("Give it a model: `goblin models pull`, on its machine."),
        _ => None,
    };
    Told {
        state,
        detail,
        fix,
        progress: None,
        words: None,
    }
}

/// `Answers with 3 models, 1 in memory.`
fn models(all: &[ModelStatus]) -> String {
    let loaded = all.iter().filter(|m| m.state == ModelState::Loaded).count();
    let mut text = match all.len() {
        0 => return "Answers, but has no model.".to_owned(),
        1 => "Answers with one model".to_owned(),
        n => format!("Answers with {n} models"),
    };
    if loaded > 0 {
        _ = write!(text, ", {loaded} in memory");
    }
    text.push('.');
    text
}

/// The number before the last `%` of a sentence.
fn percent(how: &str) -> Option<u8> {
    let before = how.rsplit_once('%')?.0.trim_end();
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|done| *done <= 100)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "http://10.0.0.7:8002";

    fn model(id: &str, state: ModelState) -> ModelStatus {
        ModelStatus {
            id: id.to_owned(),
            provider: "tier".to_owned(),
            local: true,
            context_window: None,
            state,
            capabilities: vec![Capability::Chat],
            starter: false,
            size_bytes: None,
            parameters: None,
            memory_bytes: Some(100),
            must_load: state == ModelState::Available,
            queued: 0,
            predicted_wait_ms: None,
            predicted_first_token_ms: None,
            decode_tokens_per_second: None,
            price: None,
        }
    }

    fn status(id: &str, health: &Health, late: bool, models: &[ModelStatus]) -> UpstreamStatus {
        UpstreamStatus::of(&Seen {
            id,
            local: true,
            health,
            late,
            models,
        })
    }

    #[test]
    fn every_health_has_its_state_and_no_address_but_for_admins() {
        let words = || format!("{ADDRESS} said: <html>nginx</html>");
        for (health, state) in [
            (Health::Down(words()), UpstreamState::Down),
            (Health::Refused(words()), UpstreamState::Refused),
            (Health::Broken(words()), UpstreamState::Broken),
            (Health::Starting(words()), UpstreamState::Loading),
        ] {
            for id in ["engine", "tier", "tier-2", "ollama", "llamacpp", "gpu-box"] {
                let mut told = status(id, &health, false, &[]);
                assert_eq!(told.state, state);
                assert!(!told.state.answers() && !told.detail.is_empty());
                assert_eq!(told.admin_detail.take().as_deref(), Some(words().as_str()));
                let public = serde_json::to_string(&told).unwrap();
                for secret in ["10.0.0.7", "8002", "nginx"] {
                    assert!(!public.contains(secret), "{secret} in {public}");
                }
                assert!(told.fix.is_some() || state == UpstreamState::Loading, "{public}");
            }
        }
    }

    #[test]
    fn one_that_answers_says_what_it_has() {
        let models = [
            model("tier/a", ModelState::Loaded),
            model("tier/b", ModelState::Available),
        ];
        let told = status("tier", &Health::Ok, false, &models);
        assert_eq!(
            (told.state, told.detail.as_str(), told.models, told.models_loaded),
            (UpstreamState::Up, "Answers with 2 models, 1 in memory.", 2, 1)
        );
        assert_eq!(told.memory_bytes, Some(100), "only what is in memory counts");
        let empty = status("ollama", &Health::Ok, false, &[]);
        assert_eq!(empty.detail, "Answers, but has no model.");
        assert!(empty.fix.unwrap().contains("ollama pull"));
    }

    #[test]
    fn it_is_slow_when_it_is_late_or_when_even_its_quickest_model_is() {
        assert_eq!(status("tier", &Health::Ok, true, &[]).state, UpstreamState::Slow);
        let mut busy = model("tier/a", ModelState::Loaded);
        busy.predicted_wait_ms = Some(SLOW_FIRST_TOKEN_MS);
        busy.predicted_first_token_ms = Some(1_200);
        busy.queued = 3;
        let told = status("tier", &Health::Ok, false, std::slice::from_ref(&busy));
        assert_eq!(told.state, UpstreamState::Slow);
        assert_eq!(
            told.detail,
            "An answer would begin in about 10 s. 3 requests are waiting."
        );
        let mut quick = model("tier/b", ModelState::Loaded);
        quick.predicted_first_token_ms = Some(300);
        let told = status("tier", &Health::Ok, false, &[busy.clone(), quick]);
        assert_eq!(told.state, UpstreamState::Up);
        // One that is not in memory takes long, but nobody has to take it.
        busy.state = ModelState::Available;
        assert_eq!(
            status("tier", &Health::Ok, false, &[busy]).state,
            UpstreamState::Up
        );
    }

    #[test]
    fn progress_is_read_from_what_the_engine_says() {
        let told = status(
            "engine",
            &Health::Starting("tiny is loading, 41 %".into()),
            false,
            &[],
        );
        assert_eq!(told.progress_percent, Some(41));
        assert!(told.detail.contains("41 %"), "{}", told.detail);
        for odd in ["", "%", "nearly", "999 %", "a % b"] {
            assert_eq!(percent(odd), None, "{odd}");
        }
    }

    #[test]
    fn kinds_and_names_are_known_by_id() {
        for (id, kind, name) in [
            ("engine", UpstreamKind::Engine, "This machine"),
            ("tier", UpstreamKind::ModelTier, "Model tier"),
            ("tier-2", UpstreamKind::ModelTier, "Model tier 2"),
            ("tier2", UpstreamKind::ModelTier, "Model tier 2"),
            ("ollama", UpstreamKind::Ollama, "Ollama"),
            ("ollama-gpu", UpstreamKind::Ollama, "Ollama gpu"),
            ("llamacpp", UpstreamKind::LlamaServer, "llama-server"),
            ("openai", UpstreamKind::Other, "openai"),
        ] {
            let told = status(id, &Health::Ok, false, &[]);
            assert_eq!((told.kind, told.name.as_str()), (kind, name));
        }
    }
}

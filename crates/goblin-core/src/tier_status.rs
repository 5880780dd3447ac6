//! How the model tier is: every model of every provider, its queue, and how long a newcomer would wait.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::model::{Capability, ModelState};
use crate::provider::{Health, ProviderStatus};

/// Is a model of the tier ready?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// In memory.
    Loaded,
    /// On its way into memory.
    Loading,
    /// Known, but not in memory (or its server does not say): the first answer may have to load it.
    Waiting,
    /// Its server does not answer.
    Down,
}

impl From<ModelState> for InstanceState {
    fn from(state: ModelState) -> Self {
        match state {
            ModelState::Loaded => Self::Loaded,
            ModelState::Loading => Self::Loading,
            ModelState::Available => Self::Waiting,
            ModelState::Down => Self::Down,
        }
    }
}

impl From<InstanceState> for ModelState {
    fn from(state: InstanceState) -> Self {
        match state {
            InstanceState::Loaded => Self::Loaded,
            InstanceState::Loading => Self::Loading,
            InstanceState::Waiting => Self::Available,
            InstanceState::Down => Self::Down,
        }
    }
}

/// One model on one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InstanceStatus {
    /// The provider.
    pub provider: String,
    /// The model, as its provider knows it.
    pub model: String,
    /// Does what it is asked stay on the machines of the tier's operator? Not so a model in Ollama's cloud. A tier that
    /// does not say has only models whose list says it.
    #[serde(default = "crate::model::yes")]
    pub local: bool,
    /// Readiness.
    #[serde(deserialize_with = "known_state")]
    pub state: InstanceState,
    /// Answers being made.
    #[serde(default)]
    pub running: u32,
    /// Requests waiting for a place.
    #[serde(default)]
    pub queued: u32,
    /// Answers it can make at once; absent when unknown (then nobody waits here, only at the server itself).
    pub slots: Option<u32>,
    /// How long a newcomer with a new key would wait for a place, in milliseconds.
    #[serde(default)]
    pub predicted_wait_ms: u64,
    /// From having a place to the first token of a prompt of the usual size, loading included, in milliseconds;
    /// absent until something was measured or reported.
    pub predicted_first_token_ms: Option<u64>,
    /// Measured tokens per second of one answer, when known.
    pub decode_tokens_per_second: Option<f64>,
    /// Measured prompt tokens per second, when known.
    pub prefill_tokens_per_second: Option<f64>,
    /// Tokens of prompt and answer together, when known.
    pub context_window: Option<u32>,
    /// What it can do now.
    #[serde(default, deserialize_with = "known_capabilities")]
    pub capabilities: Vec<Capability>,
    /// Bytes it takes in memory now, when known.
    pub memory_bytes: Option<u64>,
    /// The content's digest, 64 hexadecimal digits, when known.
    #[serde(default)]
    pub digest: Option<String>,
    /// The roles of the roster it has.
    #[serde(default)]
    pub roles: Vec<String>,
    /// How long its roles let it stay in memory unused, in seconds; -1 is always. Absent where it has no role.
    #[serde(default)]
    pub keep_alive_seconds: Option<i64>,
}

/// The model tier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TierStatus {
    /// Every model of every provider, in the order of the configuration.
    pub instances: Vec<InstanceStatus>,
    /// What is wrong or unwise, one sentence each. They name providers and models, never addresses.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Reads what a tier answers to `GET /v1/goblin/status`. States and abilities that only a newer tier knows are passed
/// over, so that they do not make all of it unreadable.
///
/// # Errors
/// A sentence for operators when it is no such answer.
pub fn parse(bytes: &[u8]) -> Result<TierStatus, String> {
    serde_json::from_slice(bytes).map_err(|e| format!("its status cannot be read: {e}"))
}

fn known_state<'de, D: Deserializer<'de>>(from: D) -> Result<InstanceState, D::Error> {
    let said = Value::deserialize(from)?;
    Ok(InstanceState::deserialize(said).unwrap_or(InstanceState::Waiting))
}

fn known_capabilities<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Capability>, D::Error> {
    let said = Vec::<Value>::deserialize(from)?;
    Ok(said
        .into_iter()
        .filter_map(|c| Capability::deserialize(c).ok())
        .collect())
}

/// Models named in a warning.
const NAMED: usize = 5;

/// What is unwise, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// A sentence that says what was found.
    pub found: String,
    /// A sentence that says what to do.
    pub fix: String,
}

/// Models of `provider` that make one answer at a time and have no second server: a verdict must wait for whatever
/// runs. `has_second` says whether a model is offered elsewhere as well.
pub fn verdicts_wait(
    provider: &str,
    status: &ProviderStatus,
    has_second: impl Fn(&str) -> bool,
) -> Option<Warning> {
    let names: Vec<&str> = status
        .models
        .iter()
        .filter(|m| status.health == Health::Ok && m.can(Capability::Chat))
        .filter(|m| m.slots.or(status.slots) == Some(1))
        .map(|m| m.name.as_str())
        .filter(|name| !has_second(name))
        .collect();
    if names.is_empty() {
        return None;
    }
    let shown: Vec<String> = names.iter().take(NAMED).map(|n| format!("`{n}`")).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(Warning {
        found: format!(
            "`{provider}` makes one answer at a time for {}{more}, so a verdict waits behind whatever is running.",
            shown.join(", ")
        ),
        fix: "Let it make two or more (Ollama: OLLAMA_NUM_PARALLEL=2; llama-server: --parallel 2), or offer the model \
              on a second server."
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelInfo;

    #[test]
    fn who_makes_one_answer_at_a_time_is_named_unless_another_server_has_the_model_too() {
        let chats = |name: &str, slots| ModelInfo {
            slots,
            capabilities: vec![Capability::Chat],
            ..ModelInfo::named(name)
        };
        let status = |slots, models| ProviderStatus {
            health: Health::Ok,
            models,
            slots,
            free_slots: None,
            decode_tokens_per_second: None,
            prefill_tokens_per_second: None,
        };
        let one = status(
            Some(1),
            vec![chats("a", None), chats("b", Some(4)), chats("c", None)],
        );
        let told = verdicts_wait("ollama", &one, |name| name == "c").unwrap();
        assert!(
            told.found.contains("`ollama`") && told.found.contains("for `a`,"),
            "{told:?}"
        );
        assert!(told.fix.contains("OLLAMA_NUM_PARALLEL=2"), "{told:?}");
        assert_eq!(verdicts_wait("ollama", &one, |_| true), None);
        let unknown = status(None, vec![chats("a", None)]);
        assert_eq!(verdicts_wait("x", &unknown, |_| false), None);
        let many = status(Some(1), (0..7).map(|n| chats(&n.to_string(), None)).collect());
        let told = verdicts_wait("x", &many, |_| false).unwrap();
        assert!(told.found.contains("and 2 more"), "{told:?}");
    }

    #[test]
    fn a_status_is_read_back_and_what_is_new_in_it_is_passed_over() {
        let text = r#"{"instances":[{"provider":"engine","model":"m","state":"melting","running":1,"queued":2,
            "slots":4,"predicted_wait_ms":1500,"predicted_first_token_ms":90,"capabilities":["chat","telepathy"],
            "new":true},{"provider":"ollama","model":"n","local":false,"state":"down"}],"hint":"x"}"#;
        let read = parse(text.as_bytes()).unwrap();
        let first = &read.instances[0];
        assert_eq!((first.state, first.queued), (InstanceState::Waiting, 2));
        assert_eq!(first.capabilities, [Capability::Chat]);
        assert_eq!(first.predicted_wait_ms, 1500);
        assert_eq!(read.instances[1].state, InstanceState::Down);
        assert_eq!((first.local, read.instances[1].local), (true, false));
        let again = parse(serde_json::to_string(&read).unwrap().as_bytes());
        assert_eq!(again, Ok(read));
        assert!(parse(b"<html>").unwrap_err().contains("cannot be read"));
    }
}

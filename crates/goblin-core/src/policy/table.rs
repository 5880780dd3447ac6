//! The default policy. `goblin.default.toml` says the same in the configuration's words; a test compares the two.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{IntentPolicy, Policy, PolicyRole, RoleModel};
use crate::catalogue::Catalogue;
use crate::intent::Intent;

use PolicyRole::{Chat, Cloud, Code, Quick, Reasoning, Top};

/// The models of the roster, and the context each holds as it is published: Gemma 2B 8192, Phi-3 mini 4096, Qwen2.5 3B
/// 32768, Mistral 7B v0.3 32768, DeepSeek Coder 16384.
const MODELS: [(PolicyRole, &str, u32); 5] = [
    (Quick, "gemma:2b", 8_192),
    (Chat, "phi3:3.8b", 4_096),
    (Reasoning, "qwen2.5:3b", 32_768),
    (Top, "mistral:7b", 32_768),
    (Code, "deepseek-coder", 16_384),
];

pub(super) fn default_policy() -> Policy {
    let model = |(role, name, context): (PolicyRole, &str, u32)| {
        let model = RoleModel {
            context_tokens: Some(context),
            ..RoleModel::named(name)
        };
        (role, model)
    };
    Policy {
        roles: MODELS.into_iter().map(model).collect(),
        intents: Intent::ALL
            .into_iter()
            .map(|intent| (intent, row(intent)))
            .collect(),
        multilingual: vec![RoleModel::named("qwen2.5:3b")],
        cost_weight: 10.0,
        cost_priority_weight: 100.0,
        long_text_tokens: 8_000,
        prices: Vec::new(),
        catalogue: Arc::clone(Catalogue::embedded()),
    }
}

/// The default row of an intent. The order within a row is the documented table's; the numbers are priors that say how
/// large the steps are taken to be until `goblin eval` has measured them, not measurements.
pub(super) fn row(intent: Intent) -> IntentPolicy {
    let (role, next, temperature): (_, &[PolicyRole], _) = match intent {
        Intent::Code => (Code, &[Top, Cloud], 0.0),
        Intent::Explain | Intent::Legal | Intent::Summarize => (Top, &[Cloud], 0.2),
        Intent::Creative => (Top, &[Cloud], 0.6),
        Intent::Rag => (Reasoning, &[Top, Cloud], 0.0),
        Intent::Retrieval | Intent::Translation | Intent::Reasoning => (Reasoning, &[Top, Cloud], 0.15),
        Intent::Chat => (Chat, &[Reasoning, Top, Cloud], 0.15),
        Intent::Classification => (Quick, &[Chat, Top, Cloud], 0.0),
        Intent::Status => (Quick, &[Chat, Top, Cloud], 0.15),
    };
    IntentPolicy {
        role,
        next: next.to_vec(),
        temperature,
        quality: quality(intent),
    }
}

/// Expected quality of quick, chat, reasoning, top, code and cloud.
fn quality(intent: Intent) -> BTreeMap<PolicyRole, f64> {
    let numbers = match intent {
        Intent::Code => [0.15, 0.40, 0.50, 0.65, 0.60, 0.92],
        Intent::Explain => [0.35, 0.55, 0.58, 0.66, 0.40, 0.92],
        Intent::Summarize => [0.40, 0.55, 0.60, 0.66, 0.35, 0.90],
        Intent::Creative => [0.35, 0.50, 0.52, 0.64, 0.25, 0.90],
        Intent::Translation => [0.25, 0.35, 0.60, 0.62, 0.20, 0.94],
        Intent::Classification => [0.60, 0.66, 0.70, 0.72, 0.45, 0.92],
        Intent::Status => [0.65, 0.70, 0.72, 0.74, 0.50, 0.90],
        Intent::Rag => [0.35, 0.52, 0.62, 0.66, 0.40, 0.92],
        Intent::Retrieval => [0.35, 0.50, 0.60, 0.64, 0.40, 0.90],
        Intent::Chat => [0.50, 0.60, 0.62, 0.68, 0.35, 0.92],
        Intent::Legal => [0.20, 0.38, 0.42, 0.50, 0.20, 0.85],
        Intent::Reasoning => [0.15, 0.48, 0.58, 0.60, 0.45, 0.92],
    };
    PolicyRole::ALL.into_iter().zip(numbers).collect()
}

//! Which roles a question goes through, in order: the policy's row, moved by hints and constraints.

use super::{LatencyTarget, Matter, ROOM_FOR_ANSWER};
use crate::intent::Intent;
use crate::policy::{Policy, PolicyRole};

/// The roles, first the one that answers.
pub(super) fn of(
    wanted: &str,
    intent: Intent,
    matter: &Matter,
    policy: &Policy,
    local_only: bool,
) -> Vec<PolicyRole> {
    let row = policy.row(intent);
    let mut roles = vec![row.role];
    roles.extend(&row.next);
    if intent == Intent::Summarize && matter.prompt_tokens > policy.long_text_tokens {
        first(&mut roles, PolicyRole::Reasoning);
    }
    if wanted == "goblin/best" {
        roles.sort_by(|a, b| {
            let of = |role| row.quality.get(role).copied().unwrap_or(0.0);
            of(b).total_cmp(&of(a))
        });
    }
    if wanted == "goblin/fast" || matter.hints.latency == Some(LatencyTarget::UltraLow) {
        first(&mut roles, PolicyRole::Quick);
    }
    if matter.reading.is_foreign() && !roles.first().is_some_and(|role| speaks_all(policy, *role)) {
        first(&mut roles, PolicyRole::Reasoning);
    }
    // A context that does not hold the prompt: the next that does.
    let needed = matter.prompt_tokens.saturating_add(ROOM_FOR_ANSWER);
    let holds = |role: &PolicyRole| {
        let window = policy.roles.get(role).and_then(|model| model.context_tokens);
        window.is_none_or(|window| window >= needed)
    };
    if !roles.first().is_some_and(holds) {
        if let Some(at) = roles.iter().position(holds) {
            roles.rotate_left(at);
        } else {
            first(&mut roles, PolicyRole::Reasoning);
        }
    }
    if local_only {
        roles.retain(|role| *role != PolicyRole::Cloud);
    }
    rising(roles, wanted, |role| {
        row.quality.get(&role).copied().unwrap_or(0.0)
    })
}

fn first(roles: &mut Vec<PolicyRole>, role: PolicyRole) {
    roles.retain(|other| *other != role);
    roles.insert(0, role);
}

fn speaks_all(policy: &Policy, role: PolicyRole) -> bool {
    if role == PolicyRole::Cloud {
        return true;
    }
    let model = policy.roles.get(&role);
    model.is_some_and(|model| policy.multilingual.iter().any(|m| m.reference == model.reference))
}

/// After the first, only roles that are expected to do better than the one before: nothing else is worth escalating to.
/// Who asks for the best gets it first, and what is next only when that fails.
fn rising(roles: Vec<PolicyRole>, wanted: &str, quality: impl Fn(PolicyRole) -> f64) -> Vec<PolicyRole> {
    if wanted == "goblin/best" {
        return roles;
    }
    let mut kept: Vec<PolicyRole> = Vec::new();
    for role in roles {
        if kept.last().is_none_or(|last| quality(role) > quality(*last)) {
            kept.push(role);
        }
    }
    kept
}

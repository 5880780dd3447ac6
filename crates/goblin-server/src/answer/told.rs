//! What an answer says of itself, in the fields we add to OpenAI's shape.

use goblin_core::error::ApiError;
use goblin_core::trace::{StepOutcome, Trace};
use goblin_core::wire::legacy;
use goblin_dispatch::answer::{AnswerItem, Refused};
use serde_json::{Value, json};

/// The `goblin` object of an answer: its trace, flat.
pub(super) fn goblin(trace: &Trace) -> Value {
    serde_json::to_value(trace).unwrap_or_default()
}

/// What is told in the middle of a stream: the `goblin` object of a chunk whose delta is empty. `None` for what is told
/// otherwise.
pub(super) fn aside(item: &AnswerItem) -> Option<Value> {
    let (event, said) = match item {
        AnswerItem::Checking(said) => ("checking", json!(said)),
        AnswerItem::Superseded(said) => ("superseded", json!(said)),
        AnswerItem::Retracted(said) => ("retracted", json!(said)),
        AnswerItem::Chosen { .. } | AnswerItem::Event(_) | AnswerItem::Refused(_) | AnswerItem::Trace(_) => {
            return None;
        }
    };
    let mut object = said;
    object["event"] = event.into();
    Some(object)
}

/// The fields of old beside the answer of a whole completion.
pub(super) fn put_legacy(completion: &mut Value, trace: &Trace) {
    let first = trace.steps.first();
    let answering = trace.answering_step();
    completion["provider"] = answering.map(|step| step.provider.as_str()).into();
    completion["intent"] = json!(trace.route.intent);
    completion["routing_explanation"] = explanation(trace).into();
    completion["verification_result"] = json!(trace.safety);
    completion["confidence_result"] = json!(trace.confidence);
    completion["escalated"] = trace
        .steps
        .iter()
        .any(|step| step.outcome == StepOutcome::Escalated)
        .into();
    completion["original_model"] = first.map(|step| step.model.as_str()).into();
}

fn explanation(trace: &Trace) -> String {
    let route = &trace.route;
    let role = route.role.as_deref().unwrap_or("none");
    match route.intent {
        Some(intent) => format!(
            "read as {} ({:.0} % sure), for the role {role}",
            intent.as_str(),
            route.intent_confidence * 100.0
        ),
        None => "the model was named".to_owned(),
    }
}

/// A refusal as old clients know it: 422 and its body.
pub(super) fn legacy_refusal(refused: &Refused, trace: Option<&Trace>) -> (u16, Value) {
    let error = ApiError::answer_rejected(&refused.why);
    let mut body = legacy::error_body(&error);
    body["rule"] = refused.rule.clone().into();
    body["verification"] = json!(trace.and_then(|t| t.safety.as_ref()));
    body["confidence"] = json!(trace.and_then(|t| t.confidence.as_ref()));
    if let Some(trace) = trace {
        body["goblin"] = goblin(trace);
    }
    (error.status(true), body)
}

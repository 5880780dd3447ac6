//! Every name that leaves the house, in one place: attributes of spans, and metrics whose name is another outside.
//!
//! Source: OpenTelemetry semantic conventions 1.42, and those for generative AI, which are still in development.

/// The attributes a span may have. What is not here is not exported, whoever records it.
const ATTRIBUTES: &[&str] = &[
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "goblin.local",
    "goblin.judge.about",
    "goblin.judge.questions",
    "goblin.turn.status",
    "error.type",
];

/// The attribute of this name, when it may be exported.
pub fn attribute(name: &str) -> Option<&'static str> {
    ATTRIBUTES.iter().find(|known| **known == name).copied()
}

/// Providers the conventions have a name for; others keep ours.
pub fn provider(id: &str) -> &str {
    match id {
        "gemini" => "gcp.gemini",
        "grok" => "x_ai",
        other => other,
    }
}

/// What a metric is called over OTLP, its unit, and its labels as attributes.
pub(super) struct MetricName {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
}

/// Metrics the conventions have a name for.
pub(super) fn metric(ours: &str) -> Option<MetricName> {
    let (name, unit) = match ours {
        "goblin_model_request_seconds" => ("gen_ai.client.operation.duration", "s"),
        "goblin_model_first_chunk_seconds" => ("gen_ai.client.operation.time_to_first_chunk", "s"),
        "goblin_model_request_tokens" => ("gen_ai.client.token.usage", "{token}"),
        _ => return None,
    };
    Some(MetricName { name, unit })
}

/// The attribute that a label of such a metric is.
pub(super) fn label(ours: &str) -> &str {
    match ours {
        "operation" => "gen_ai.operation.name",
        "provider" => "gen_ai.provider.name",
        "model" => "gen_ai.request.model",
        "kind" => "gen_ai.token.type",
        "error" => "error.type",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_not_exported() {
        assert_eq!(attribute("gen_ai.request.model"), Some("gen_ai.request.model"));
        for other in [
            "gen_ai.input.messages",
            "gen_ai.output.messages",
            "prompt",
            "user.email",
            "",
        ] {
            assert_eq!(attribute(other), None, "{other}");
        }
    }
}

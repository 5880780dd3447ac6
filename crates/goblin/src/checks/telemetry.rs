//! Who is told what of this process, and do they take it? Collectors are asked with an empty request, which tells nothing;
//! Sentry and PostHog have none such, so of them only what is set up is said.

use goblin_core::status::PartState;

use super::Finding;
use crate::config::{Config, Otlp, is_public_url};
use crate::telemetry::exports::reach;

/// Who is told, and whether they take it.
pub(super) async fn telemetry(config: &Config) -> Finding {
    let telemetry = &config.telemetry;
    let kinds = [("traces", &telemetry.traces), ("metrics", &telemetry.metrics)];
    let mut told = Vec::new();
    for (kind, to) in kinds {
        let Some(to) = to else { continue };
        let address = to.url.address();
        if let Err(why) = reach(telemetry, to).await {
            return Finding::bad(
                PartState::Degraded,
                format!("{kind} go to {address}, which does not take them: {why}"),
                "What is told is lost, and counted in goblin_telemetry_lost_total. Nothing else suffers.",
                "Set OTEL_EXPORTER_OTLP_ENDPOINT to where the collector takes OTLP over HTTP, as a rule port 4318, and \
                 OTEL_EXPORTER_OTLP_HEADERS to what it asks for.",
            );
        }
        if is_bare(to) {
            return Finding::bad(
                PartState::Degraded,
                format!("{kind} go to {address} unencrypted, with headers"),
                "Whoever is on the way reads the key in those headers.",
                "Use https, or a collector in the private network.",
            );
        }
        told.push(format!("{kind} to {address}"));
    }
    if telemetry.sentry.is_some() {
        told.push("errors to Sentry".to_owned());
    }
    if telemetry.posthog.is_some() {
        told.push("events of the page to PostHog".to_owned());
    }
    match told.is_empty() {
        true => Finding::ok("nobody is told anything"),
        false => Finding::ok(told.join(", ")),
    }
}

/// Does a key travel in the clear through a public network?
fn is_bare(to: &Otlp) -> bool {
    let server = url::Url::parse(&format!("http://{}", to.url.address()));
    to.url.scheme() == "http" && !to.headers.is_empty() && server.is_ok_and(|url| is_public_url(&url))
}

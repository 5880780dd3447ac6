//! A trace as lines for a terminal: what was asked, the ladder, each attempt on one time axis with its verdicts as
//! bars, the thresholds and grants beside them, what it cost and what left the machine.

use goblin_core::clock::Timestamp;
use goblin_core::decide::DecideMethod;
use goblin_core::trace::{
    About, Authority, Concern, Considered, RouteRecord, Step, StepOutcome, Thresholds, Trace, Verdict,
};

use super::bars;
use crate::output::{Colour, Output};

/// Width of the column of names.
const NAME: usize = 30;

/// The picture, line by line.
pub(super) fn of(trace: &Trace, output: Output) -> Vec<String> {
    let mut lines = head(trace, output);
    lines.extend(route(&trace.route, output));
    lines.extend(thresholds(&trace.thresholds, output));
    if !trace.prompt_verdicts.is_empty() {
        lines.push(title("QUESTION", output));
        let verdicts = &trace.prompt_verdicts;
        lines.extend(verdicts.iter().map(|v| verdict(v, &trace.thresholds, output)));
    }
    lines.extend(steps(trace, output));
    lines.extend(end(trace, output));
    lines
}

/// An outcome, in words.
pub(super) fn outcome_words(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Running => "still answering",
        StepOutcome::Accepted => "accepted",
        StepOutcome::LowConfidence => "delivered, not sure",
        StepOutcome::Escalated => "escalated",
        StepOutcome::Rejected => "refused",
        StepOutcome::Failed => "failed",
        StepOutcome::Cancelled => "stopped",
    }
}

fn outcome_colour(outcome: StepOutcome) -> Colour {
    match outcome {
        StepOutcome::Accepted => Colour::Green,
        StepOutcome::Running | StepOutcome::LowConfidence | StepOutcome::Escalated => Colour::Yellow,
        StepOutcome::Rejected | StepOutcome::Failed | StepOutcome::Cancelled => Colour::Red,
    }
}

fn title(text: &str, output: Output) -> String {
    format!("\n{}", output.coloured(text, Colour::Bold))
}

fn head(trace: &Trace, output: Output) -> Vec<String> {
    let outcome = trace.outcome();
    let by = trace
        .answering_step()
        .map_or("nobody", |step| step.model.as_str());
    let first = format!(
        "{} {}: {} was asked for, {by} answered, {}",
        output.coloured("Trace", Colour::Bold),
        trace.trace_id,
        trace.model,
        output.coloured(outcome_words(outcome), outcome_colour(outcome)),
    );
    let left = if trace.left_machine {
        output.coloured("something left your machines", Colour::Yellow)
    } else {
        "nothing left your machines".to_owned()
    };
    let second = format!(
        "{} · verify {} · {} · cost {}{} · {left}",
        Timestamp(trace.created_at_ms).to_rfc3339(),
        trace.verify.as_str(),
        bars::duration(total_ms(trace)),
        trace.cost_usd.map_or_else(|| "unknown".to_owned(), bars::dollars),
        trace.would_have_cost_usd.map_or_else(String::new, |usd| format!(
            " (the dearest rung: {})",
            bars::dollars(usd)
        )),
    );
    vec![first, second]
}

/// When the last thing known of it happened.
fn total_ms(trace: &Trace) -> u64 {
    let ends = trace
        .steps
        .iter()
        .map(|step| step.ended_ms.or(step.first_token_ms).unwrap_or(step.started_ms));
    ends.max().unwrap_or(0)
}

fn route(route: &RouteRecord, output: Output) -> Vec<String> {
    let mut lines = vec![title("ROUTE", output)];
    if let Some(intent) = route.intent {
        let then = route
            .runner_up
            .map_or_else(String::new, |other| format!(", then {}", other.as_str()));
        let language = route
            .language
            .as_ref()
            .map_or_else(String::new, |l| format!(" · language {l}"));
        let role = route
            .role
            .as_ref()
            .map_or_else(String::new, |r| format!(" · role {r}"));
        lines.push(format!(
            "  about {} ({:.2}{then}){language}{role} · policy {}",
            intent.as_str(),
            route.intent_confidence,
            route.policy
        ));
    } else {
        lines.push(format!("  a model was named · policy {}", route.policy));
    }
    let features: Vec<String> = route
        .features
        .iter()
        .map(|feature| format!("{} {}", feature.name, short(feature.value)))
        .collect();
    if !features.is_empty() {
        lines.push(output.coloured(&format!("  by {}", features.join(" · ")), Colour::Dim));
    }
    lines.extend(route.candidates.iter().map(|one| candidate(one, output)));
    lines
}

/// `412`, `0.35`, `-1.2`.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn candidate(one: &Considered, output: Output) -> String {
    let place = if one.local { "local" } else { "cloud" };
    let rung = one.rung.map_or_else(|| "-".to_owned(), |n| (n + 1).to_string());
    let mut facts = vec![format!("quality {:.2}", one.quality)];
    if let Some(ms) = one.first_token_ms {
        facts.push(format!("first word {}", bars::duration(ms)));
    }
    facts.push(one.cost_usd.map_or_else(|| "no price".to_owned(), bars::dollars));
    if let Some(role) = &one.role {
        facts.push(format!("role {role}"));
    }
    if let Some(why) = &one.passed_over {
        facts.push(format!("passed over: {why}"));
    }
    let line = format!("  {rung:>2}  {:<NAME$} {place}  {}", one.model, facts.join(" · "));
    if one.rung.is_some() {
        line
    } else {
        output.coloured(&line, Colour::Dim)
    }
}

fn thresholds(used: &Thresholds, output: Output) -> Vec<String> {
    vec![
        title("THRESHOLDS", output),
        format!(
            "  unsafe below {:.2} · accepted from {:.2} · refused below {:.2} where no rung is left",
            used.safety, used.confidence, used.critical
        ),
    ]
}

fn steps(trace: &Trace, output: Output) -> Vec<String> {
    let total = total_ms(trace);
    let axis = format!(
        "{:<width$}0{:─<middle$}{}",
        "",
        "",
        bars::duration(total),
        width = NAME + 4,
        middle = bars::AXIS.saturating_sub(bars::duration(total).chars().count() + 1),
    );
    let mut lines = vec![title("STEPS", output), output.coloured(&axis, Colour::Dim)];
    for (at, step) in trace.steps.iter().enumerate() {
        lines.extend(attempt(at + 1, step, total, &trace.thresholds, output));
    }
    if trace.steps.is_empty() {
        lines.push("  nobody was asked".to_owned());
    }
    lines
}

fn attempt(number: usize, step: &Step, total: u64, used: &Thresholds, output: Output) -> Vec<String> {
    let end = step.ended_ms.unwrap_or(total);
    let span = bars::span(step.started_ms, step.first_token_ms, end, total);
    let outcome = output.coloured(outcome_words(step.outcome), outcome_colour(step.outcome));
    let place = if step.local { "local" } else { "cloud" };
    let mut lines = vec![format!(
        "  {number} {:<NAME$}{span}  {outcome} · {place} · {} tokens · {}",
        step.model,
        step.tokens,
        step.cost_usd.map_or_else(|| "no price".to_owned(), bars::dollars),
    )];
    if let Some(why) = &step.why {
        lines.push(format!("    {why}"));
    }
    lines.extend(step.verdicts.iter().map(|v| verdict(v, used, output)));
    if let Some(own) = &step.tokens_probability {
        let facts = format!(
            "    its own tokens: the least likely {:.2}, 5 % below {:.2}, mean {:.2} (ln p, {} tokens)",
            own.min, own.p5, own.mean, own.tokens
        );
        lines.push(output.coloured(&facts, Colour::Dim));
    }
    lines
}

/// `    safety      window 1   0.97 ███████│█  gemma:2b, readout, 18 ms, granted, not measured`
fn verdict(one: &Verdict, used: &Thresholds, output: Output) -> String {
    let (concern, threshold) = match one.concern {
        Concern::Safety => ("safety", used.safety),
        Concern::Confidence => ("confidence", used.confidence),
    };
    let about = match one.about {
        About::Prompt => "question".to_owned(),
        About::Window(n) => format!("window {}", n + 1),
        About::Answer => "answer".to_owned(),
    };
    let found = match (one.probability, &one.failed) {
        (Some(probability), _) => {
            let well = probability >= threshold;
            let colour = match (one.authority.acts(), well) {
                (false, _) => Colour::Dim,
                (true, true) => Colour::Green,
                (true, false) => Colour::Red,
            };
            let side = if well { '≥' } else { '<' };
            let bar = output.coloured(&bars::probability(probability, Some(threshold)), colour);
            format!("{probability:.2} {bar} {side} {threshold:.2}")
        }
        (None, Some(why)) => output.coloured(&format!("no verdict: {why}"), Colour::Yellow),
        (None, None) => {
            let why = format!("no verdict: {:.2} on the valid options", one.mass);
            output.coloured(&why, Colour::Yellow)
        }
    };
    let mut facts = vec![
        one.model.clone(),
        method_words(one.backend).to_owned(),
        bars::duration(one.ms),
        authority_words(one.authority).to_owned(),
    ];
    // The questions asked of every text go without saying; of those about one kind of harm each there are many.
    if !["prompt", "transcript", "correct_and_complete"].contains(&one.question.as_str()) {
        facts.insert(0, format!("{}?", one.question));
    }
    if let Some(choice) = one.choice.as_deref().filter(|choice| *choice != "safe") {
        facts.insert(0, choice.to_owned());
    }
    if one.self_judged {
        facts.push("judges itself".to_owned());
    }
    if one.cached_tokens > 0 {
        facts.push(format!("{} tokens not read again", one.cached_tokens));
    }
    format!("    {concern:<10} {about:<9} {found}  {}", facts.join(", "))
}

fn method_words(method: DecideMethod) -> &'static str {
    match method {
        DecideMethod::Native => "asked as a typed question",
        DecideMethod::Readout => "read from one token",
        DecideMethod::Constrained => "one written word",
    }
}

fn authority_words(authority: Authority) -> &'static str {
    match authority {
        Authority::Record => "authority by its record",
        Authority::Grant => "granted, not measured",
        Authority::None => "no authority, only shown",
    }
}

fn end(trace: &Trace, output: Output) -> Vec<String> {
    let mut lines = vec![title("RESULT", output)];
    if let Some(safety) = &trace.safety {
        let safe = safety
            .probability
            .map_or_else(|| "nobody judged".to_owned(), |p| format!("{p:.2}"));
        let category = safety
            .category
            .as_ref()
            .map_or_else(String::new, |c| format!(", most likely {c}"));
        lines.push(format!(
            "  safe: {safe}{category} ({})",
            authority_words(safety.authority)
        ));
        if !safety.found.is_empty() {
            lines.push(format!("  found by rule: {}", safety.found.join(", ")));
        }
        if let Some(rule) = &safety.refused_by {
            lines.push(format!(
                "  {}",
                output.coloured(&format!("refused by {rule}"), Colour::Red)
            ));
        }
    }
    lines.push(match &trace.confidence {
        Some(sure) => {
            let calibrated = if sure.calibrated {
                "calibrated"
            } else {
                "not calibrated"
            };
            let own = if sure.self_judged { ", judged itself" } else { "" };
            format!(
                "  sure: {:.2} ({}, {calibrated}, {}{own})",
                sure.value,
                sure.method,
                authority_words(sure.authority)
            )
        }
        None => "  sure: nobody judged".to_owned(),
    });
    if !trace.is_checked() {
        lines.push(format!(
            "  {}",
            output.coloured("not checked by a capable model", Colour::Yellow)
        ));
    }
    for sent in &trace.sent {
        lines.push(format!("  sent to {}: {}", sent.to, bars::bytes(sent.bytes)));
    }
    if !trace.notes.is_empty() {
        lines.push(title("NOTES", output));
        lines.extend(trace.notes.iter().map(|note| format!("  {note}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use goblin_core::intent::Intent;
    use goblin_core::trace::{Confidence, Feature, Safety, Sent};

    use super::*;

    fn verdict_of(concern: Concern, about: About, probability: Option<f64>, authority: Authority) -> Verdict {
        Verdict {
            concern,
            about,
            question: "medical".into(),
            choice: None,
            probability,
            mass: 0.31,
            model: "ollama/gemma:2b".into(),
            backend: DecideMethod::Readout,
            authority,
            self_judged: false,
            question_hash: "h".into(),
            ms: 18,
            cached_tokens: 120,
            evaluated_tokens: 40,
            question_tokens: 12,
            failed: None,
        }
    }

    fn step(model: &str, from: u64, to: u64, outcome: StepOutcome, verdicts: Vec<Verdict>) -> Step {
        Step {
            model: model.into(),
            provider: "ollama".into(),
            local: true,
            started_ms: from,
            first_token_ms: Some(from + 100),
            ended_ms: Some(to),
            prompt_tokens: 20,
            tokens: 52,
            cost_usd: Some(0.0),
            verdicts,
            tokens_probability: None,
            outcome,
            why: (outcome == StepOutcome::Escalated).then(|| "It was not sure enough.".to_owned()),
        }
    }

    fn escalated() -> Trace {
        Trace {
            trace_id: "0199".into(),
            model: "goblin".into(),
            thresholds: Thresholds {
                safety: 0.7,
                confidence: 0.65,
                critical: 0.4,
            },
            route: RouteRecord {
                policy: "p1".into(),
                intent: Some(Intent::Code),
                intent_confidence: 0.91,
                runner_up: Some(Intent::Explain),
                features: vec![Feature {
                    name: "code_block".into(),
                    value: 2.0,
                }],
                candidates: vec![
                    Considered {
                        model: "ollama/gemma:2b".into(),
                        role: Some("quick".into()),
                        local: true,
                        rung: Some(0),
                        quality: 0.6,
                        cost_usd: Some(0.0),
                        first_token_ms: Some(300),
                        passed_over: None,
                    },
                    Considered {
                        model: "openai/gpt".into(),
                        role: None,
                        local: false,
                        rung: None,
                        quality: 0.9,
                        cost_usd: None,
                        first_token_ms: None,
                        passed_over: Some("local only".into()),
                    },
                ],
                ..RouteRecord::default()
            },
            steps: vec![
                step(
                    "ollama/gemma:2b",
                    0,
                    900,
                    StepOutcome::Escalated,
                    vec![
                        verdict_of(Concern::Safety, About::Window(0), Some(0.97), Authority::Grant),
                        verdict_of(Concern::Confidence, About::Answer, Some(0.41), Authority::Grant),
                    ],
                ),
                step("ollama/mistral:7b", 900, 1800, StepOutcome::Accepted, vec![]),
            ],
            confidence: Some(Confidence {
                value: 0.81,
                calibrated: false,
                method: "judge".into(),
                authority: Authority::Grant,
                self_judged: false,
            }),
            cost_usd: Some(0.0),
            notes: vec!["The role `top` is played by another model.".into()],
            ..Trace::default()
        }
    }

    fn text(trace: &Trace) -> String {
        of(trace, Output::plain()).join("\n")
    }

    #[test]
    fn a_picture_shows_who_answered_why_and_by_which_threshold_and_grant() {
        let shown = text(&escalated());
        for part in [
            "goblin was asked for, ollama/mistral:7b answered, accepted",
            "nothing left your machines",
            "about code (0.91, then explain)",
            "code_block 2",
            "passed over: local only",
            "unsafe below 0.70 · accepted from 0.65 · refused below 0.40",
            "It was not sure enough.",
            "safety     window 1  0.97",
            "≥ 0.70",
            "confidence answer    0.41",
            "< 0.65",
            "granted, not measured",
            "sure: 0.81 (judge, not calibrated, granted, not measured)",
            "medical?, ollama/gemma:2b",
            "The role `top` is played by another model.",
        ] {
            assert!(shown.contains(part), "{part} in\n{shown}");
        }
        assert!(!shown.contains('\x1b'), "no colour where none is wanted");
    }

    #[test]
    fn what_nobody_capable_looked_at_and_what_went_out_is_said() {
        let mut trace = escalated();
        for step in &mut trace.steps {
            step.verdicts.clear();
        }
        trace.prompt_verdicts = vec![verdict_of(Concern::Safety, About::Prompt, None, Authority::None)];
        trace.left_machine = true;
        trace.sent = vec![Sent {
            to: "openai".into(),
            bytes: 1234,
        }];
        trace.cost_usd = None;
        let shown = text(&trace);
        for part in [
            "not checked by a capable model",
            "sent to openai: 1.2 KB",
            "cost unknown",
            "something left your machines",
            "no verdict: 0.31 on the valid options",
            "no authority, only shown",
        ] {
            assert!(shown.contains(part), "{part} in\n{shown}");
        }
    }

    #[test]
    fn a_question_refused_before_anybody_was_asked_names_its_rule() {
        let trace = Trace {
            safety: Some(Safety {
                probability: Some(0.12),
                category: Some("harm".into()),
                authority: Authority::Record,
                found: vec!["injection:ignore_previous".into()],
                refused_by: Some("safety:harm".into()),
            }),
            ..Trace::default()
        };
        let shown = text(&trace);
        for part in [
            "nobody answered, refused",
            "nobody was asked",
            "safe: 0.12, most likely harm (authority by its record)",
            "found by rule: injection:ignore_previous",
            "refused by safety:harm",
        ] {
            assert!(shown.contains(part), "{part} in\n{shown}");
        }
    }
}

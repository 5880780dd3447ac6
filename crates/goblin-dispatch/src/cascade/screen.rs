//! The checks inside this process: what is found in a question, what of it a model may read, and what of it a model
//! elsewhere may.

use std::borrow::Cow;

use goblin_core::chat::{ChatRequest, Message, Part, Role};
use goblin_core::screen::{self, ScreenSettings};
use goblin_core::trace::About;
use goblin_core::trust::{Effect, Found};
use serde_json::Value;

/// What screening a conversation came to.
#[derive(Debug, Default)]
pub(super) struct Screened {
    found: Vec<Found>,
    /// What models on the operator's machines read, where it is not what was asked.
    pub(super) here: Option<Vec<Message>>,
    /// What other models read, likewise.
    pub(super) away: Option<Vec<Message>>,
}

impl Screened {
    pub(super) fn take_found(&mut self) -> Vec<Found> {
        std::mem::take(&mut self.found)
    }
}

/// Looks at a conversation. Only its last question can be refused: what was said before was let through before. What is
/// left out is left out of all of it.
pub(super) fn question(request: &ChatRequest, settings: &ScreenSettings) -> Screened {
    let last = request.messages.iter().rposition(|m| m.role == Role::User);
    let mut screened = Screened::default();
    if let Some(message) = last.and_then(|at| request.messages.get(at)) {
        let text = message.joined_text();
        let seen = screen::screen(&text, settings, true);
        let rules = seen.found.iter().map(|finding| finding.rule);
        screened.found = found(rules, About::Prompt, seen.refused_by);
    }
    if screened.found.iter().any(|f| f.effect == Effect::Refuse) {
        return screened;
    }
    let whole = ScreenSettings {
        max_bytes: usize::MAX,
        ..*settings
    };
    screened.here = redacted(&request.messages, &whole, false);
    screened.away = redacted(&request.messages, &whole, true);
    screened
}

/// What is found in an answer. It is noted; whether it is safe, judges say.
pub(super) fn answer(text: &str, settings: &ScreenSettings) -> Vec<Found> {
    let looked_for = |finding: &screen::Finding| settings.handling(finding.kind) != screen::Handling::Off;
    let all = screen::find(text).into_iter().filter(looked_for);
    found(all.map(|finding| finding.rule), About::Answer, None)
}

fn found<'a>(rules: impl Iterator<Item = &'a str>, about: About, refused_by: Option<&str>) -> Vec<Found> {
    let mut out: Vec<Found> = Vec::new();
    for name in rules {
        let rule = format!("check:{name}");
        if out.iter().all(|f| f.rule != rule) {
            let refuses = refused_by == Some(name);
            out.push(Found {
                about,
                rule,
                effect: if refuses { Effect::Refuse } else { Effect::Note },
            });
        }
    }
    out
}

/// The messages without what is to be left out; nothing when all of it stays.
fn redacted(messages: &[Message], settings: &ScreenSettings, leaves: bool) -> Option<Vec<Message>> {
    let clean = |text: &str| match screen::screen(text, settings, leaves).text {
        Cow::Owned(clean) => Some(clean),
        Cow::Borrowed(_) => None,
    };
    // Most conversations stay as they are, and are not copied.
    let mut all: Option<Vec<Message>> = None;
    for (at, message) in messages.iter().enumerate() {
        let Some(message) = without(message, &clean) else {
            continue;
        };
        if let Some(place) = all.get_or_insert_with(|| messages.to_vec()).get_mut(at) {
            *place = message;
        }
    }
    all
}

/// A message as `clean` leaves its texts; nothing when it leaves them as they are.
fn without(message: &Message, clean: &dyn Fn(&str) -> Option<String>) -> Option<Message> {
    let mut changed: Option<Message> = None;
    for (place, part) in message.parts.iter().enumerate() {
        let Part::Text { text } = part else { continue };
        if let Some(text) = clean(text) {
            changed.get_or_insert_with(|| message.clone()).parts[place] = Part::Text { text };
        }
    }
    for (place, call) in message.tool_calls.iter().enumerate() {
        if let Some(arguments) = without_in_json(&call.arguments, clean) {
            changed.get_or_insert_with(|| message.clone()).tool_calls[place].arguments = arguments;
        }
    }
    if let Some(reasoning) = message.reasoning.as_deref().and_then(clean) {
        changed.get_or_insert_with(|| message.clone()).reasoning = Some(reasoning);
    }
    changed
}

/// The arguments of a call, which stay JSON where they are.
fn without_in_json(arguments: &str, clean: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    match serde_json::from_str::<Value>(arguments) {
        Ok(mut value) => clear(None, &mut value, clean).then(|| value.to_string()),
        Err(_) => clean(arguments),
    }
}

/// Leaves out what is found in `value`, also where only its `key` says what it is. Was there anything?
fn clear(key: Option<&str>, value: &mut Value, clean: &dyn Fn(&str) -> Option<String>) -> bool {
    let text = match value {
        Value::Array(items) => {
            let cleared = items.iter_mut().map(|item| clear(None, item, clean));
            return cleared.fold(false, |any, one| any | one);
        }
        Value::Object(fields) => {
            let cleared = fields
                .iter_mut()
                .map(|(key, value)| clear(Some(key), value, clean));
            return cleared.fold(false, |any, one| any | one);
        }
        Value::Null | Value::Bool(_) => return false,
        Value::Number(number) => number.to_string(),
        Value::String(text) => std::mem::take(text),
    };
    let named = || clean(&format!("{}: \"{text}\"", key?));
    let Some(cleared) = clean(&text).or_else(named) else {
        if value.is_string() {
            *value = text.into();
        }
        return false;
    };
    *value = cleared.into();
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use goblin_core::chat::ToolCall;
    use goblin_core::screen::Handling;

    fn asked(texts: &[(Role, &str)]) -> ChatRequest {
        ChatRequest {
            messages: texts
                .iter()
                .map(|(role, text)| Message::text(*role, *text))
                .collect(),
            ..ChatRequest::default()
        }
    }

    const IBAN: &str = "Pay to DE89 3704 0044 0532 0130 00 please";

    fn with(personal: Handling) -> ScreenSettings {
        ScreenSettings {
            personal,
            ..ScreenSettings::default()
        }
    }

    #[test]
    fn what_may_not_leave_is_left_out_of_what_leaves_and_of_nothing_else() {
        let request = asked(&[
            (Role::User, IBAN),
            (Role::Assistant, "Done."),
            (Role::User, "Thanks"),
        ]);
        let screened = question(&request, &with(Handling::RedactAway));
        assert!(screened.found.is_empty(), "it is not in the last question");
        assert_eq!(screened.here, None);
        let away = screened.away.unwrap();
        assert!(
            !away[0].joined_text().contains("3704"),
            "{}",
            away[0].joined_text()
        );
        assert_eq!(away[2], request.messages[2]);
    }

    #[test]
    fn what_may_not_leave_is_left_out_of_calls_and_of_thoughts_too() {
        let call = |arguments: &str| ToolCall {
            id: "c".to_owned(),
            name: "pay".to_owned(),
            arguments: arguments.to_owned(),
            seal: None,
        };
        let request = ChatRequest {
            messages: vec![Message {
                reasoning: Some(format!("They said: {IBAN}")),
                tool_calls: vec![
                    call(r#"{"to":["DE89 3704 0044 0532 0130 00"],"card":4111111111111111,"sum":7}"#),
                    call(r#"{"client_secret":"Zk3vQ9xLm2Rt7Yb1Wp8n","note":"hi"}"#),
                    call("to DE89 3704 0044 0532 0130 00, {not JSON"),
                    call(r#"{"note": "hi"}"#),
                ],
                ..Message::text(Role::Assistant, "I pay.")
            }],
            ..ChatRequest::default()
        };
        let away = question(&request, &with(Handling::RedactAway)).away.unwrap();
        let arguments: Vec<&str> = away[0].tool_calls.iter().map(|c| c.arguments.as_str()).collect();
        assert_eq!(
            arguments,
            [
                r#"{"to":["[iban left out]"],"card":"[card left out]","sum":7}"#,
                r#"{"client_secret":"[assigned_secret left out]","note":"hi"}"#,
                "to [iban left out], {not JSON",
                r#"{"note": "hi"}"#,
            ]
        );
        let thought = "They said: Pay to [iban left out] please";
        assert_eq!(away[0].reasoning.as_deref(), Some(thought));
        assert_eq!(away[0].joined_text(), "I pay.");
    }

    #[test]
    fn a_question_is_refused_by_name_and_an_old_one_is_not() {
        let refusing = with(Handling::Refuse);
        let screened = question(&asked(&[(Role::User, IBAN)]), &refusing);
        assert_eq!(screened.found[0].effect, Effect::Refuse);
        assert!(screened.found[0].rule.starts_with("check:"));
        let later = asked(&[(Role::User, IBAN), (Role::Assistant, "No."), (Role::User, "Hi")]);
        assert!(question(&later, &refusing).found.is_empty());
    }

    #[test]
    fn what_is_found_in_an_answer_is_noted_once() {
        let found = answer(&format!("{IBAN}. {IBAN}."), &ScreenSettings::default());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].about, found[0].effect), (About::Answer, Effect::Note));
    }
}

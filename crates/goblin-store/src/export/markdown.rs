//! A chat as Markdown, to be read without goblin. Pure.

use std::fmt::Write as _;

use goblin_core::conversation::{Chat, Turn, TurnStatus};

/// Longest part of a title in a file's name, in characters.
const MAX_NAME_CHARS: usize = 60;

/// The file's name: the day, the title as far as every system takes it, and the id, so that no two are the same.
pub(super) fn file_name(chat: &Chat) -> String {
    let title = chat.title.as_deref().unwrap_or_default();
    let words = title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let name: String = words
        .collect::<Vec<_>>()
        .join("-")
        .chars()
        .take(MAX_NAME_CHARS)
        .collect();
    let day = chat.created_at.to_rfc3339().chars().take(10).collect::<String>();
    let name = if name.is_empty() { "chat" } else { &name };
    format!("{day} {name} {}.md", chat.id)
}

/// What stands above the turns.
pub(super) fn head(chat: &Chat) -> String {
    let title = chat.title.as_deref().unwrap_or("A chat without a title");
    let mut out = format!("# {}\n\nBegun {}", one_line(title), chat.created_at.to_rfc3339());
    if let Some(model) = &chat.model {
        // Writing to a String cannot fail.
        let _ = write!(out, ", with {}", one_line(model));
    }
    out.push_str(".\n");
    if let Some(system) = &chat.system {
        let _ = write!(out, "\n## Instructions\n\n{system}\n");
    }
    out
}

/// A question and its answer. `follows`: it comes below the one above it.
pub(super) fn turn(turn: &Turn, follows: bool) -> String {
    let mut out = format!("\n## Question, {}\n", turn.created_at.to_rfc3339());
    if !follows {
        out.push_str("\n*On another branch than the one above.*\n");
    }
    let _ = write!(out, "\n{}\n\n### Answer", turn.content);
    if let Some(model) = &turn.model {
        let _ = write!(out, " of {}", one_line(model));
    }
    if turn.status != TurnStatus::Complete {
        let _ = write!(out, " ({})", turn.status.as_str());
    }
    out.push('\n');
    if let Some(reasoning) = &turn.reasoning {
        let quoted: Vec<String> = reasoning.lines().map(|line| format!("> {line}")).collect();
        let _ = write!(out, "\n{}\n", quoted.join("\n"));
    }
    if !turn.answer.is_empty() {
        let _ = write!(out, "\n{}\n", turn.answer);
    }
    out
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use goblin_core::clock::Timestamp;
    use goblin_core::conversation::Parameters;

    use super::*;

    fn chat(title: Option<&str>) -> Chat {
        Chat {
            id: "0197".to_owned(),
            title: title.map(str::to_owned),
            model: Some("engine/a".to_owned()),
            system: Some("Be brief".to_owned()),
            parameters: Parameters::default(),
            folder: None,
            head: None,
            created_at: Timestamp(1_795_471_200_000),
            updated_at: Timestamp(1_795_471_200_000),
        }
    }

    #[test]
    fn a_title_never_leaves_its_folder() {
        for (title, expected) in [
            (Some("../../etc/passwd"), "2026-11-23 etc-passwd 0197.md"),
            (Some("C:\\x\u{0}\u{202e}y"), "2026-11-23 C-x-y 0197.md"),
            (Some("Größe — 漢字?"), "2026-11-23 Größe-漢字 0197.md"),
            (Some("..."), "2026-11-23 chat 0197.md"),
            (None, "2026-11-23 chat 0197.md"),
        ] {
            assert_eq!(file_name(&chat(title)), expected);
        }
        let long = file_name(&chat(Some(&"a".repeat(5000))));
        assert!(long.len() < 100, "{long}");
    }

    #[test]
    fn a_chat_begins_with_what_holds_for_all_of_it() {
        let head = head(&chat(Some("A\n# title")));
        assert!(head.starts_with("# A # title\n\nBegun 2026-11-23T"), "{head}");
        assert!(
            head.ends_with(", with engine/a.\n\n## Instructions\n\nBe brief\n"),
            "{head}"
        );
    }
}

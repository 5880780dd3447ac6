//! A chat as Markdown, to be read without goblin. Pure.

use std::fmt::Write as _;

use goblin_core::conversation::{Chat, Turn, TurnStatus};

/// Longest part of a title in a file's name, in characters.
const MAX_NAME_CHARS: usize = 60;

/// The file's name: the day, the title as far as every system takes it, and the id, so that no two are the same.
pub(super) fn file_name(chat: &Chat) -> String {
    let name = words_of(chat.title.as_deref().unwrap_or_default());
    let day = chat.created_at.to_rfc3339().chars().take(10).collect::<String>();
    let name = if name.is_empty() { "chat" } else { &name };
    format!("{day} {name} {}.md", chat.id)
}

/// The name of a file as far as every system takes it, with its ending.
pub(super) fn plain_name(name: &str) -> String {
    let (begin, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let (begin, ending) = (words_of(begin), words_of(ending));
    let begin = if begin.is_empty() { "file" } else { &begin };
    match ending.is_empty() {
        true => begin.to_owned(),
        false => format!("{begin}.{ending}"),
    }
}

/// Letters and digits, a dash where anything else stood.
fn words_of(text: &str) -> String {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("-");
    joined.chars().take(MAX_NAME_CHARS).collect()
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
    let _ = writeln!(out, "\n{}", turn.content);
    for file in &turn.attachments {
        let _ = writeln!(out, "\n*Attached: {}, files/{}*", one_line(&file.name), file.id);
    }
    out.push_str("\n### Answer");
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
    fn the_name_of_a_file_never_leaves_its_folder() {
        for (name, expected) in [
            ("photo.of me.png", "photo-of-me.png"),
            ("..", "file"),
            ("../x/y.txt", "x-y.txt"),
            ("Makefile", "Makefile"),
            (".bashrc", "file.bashrc"),
        ] {
            assert_eq!(plain_name(name), expected);
        }
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

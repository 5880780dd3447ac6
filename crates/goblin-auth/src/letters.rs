//! What letters to people say. Pure: addresses they lead to are made of the operator's own, and whatever a person chose (a
//! name) is only ever text.

use goblin_core::account::Role;
use goblin_core::clock::Timestamp;
use goblin_net::Letter;

/// Longest part of a name that is shown, in characters.
const MAX_NAME_CHARS: usize = 60;

/// A link to set another password, asked for with an address.
pub(crate) fn reset(to: &str, url: &str, until: Timestamp) -> Letter {
    letter(
        to,
        "Another password",
        &[
            "Somebody, probably you, asked to set another password for your account.",
            "If it was not you, do nothing: your password stays as it is.",
        ],
        ("Set another password", url),
        until,
    )
}

/// An invitation.
pub(crate) fn invitation(to: &str, url: &str, until: Timestamp, by: &str, role: Role) -> Letter {
    let invited = format!("{} invited you to goblin as {}.", plain(by), role.as_str());
    letter(
        to,
        "You are invited to goblin",
        &[&invited, "The link makes your account; you choose the password."],
        ("Make the account", url),
        until,
    )
}

/// A link that shows that an address is its owner's.
pub(crate) fn verification(to: &str, url: &str, until: Timestamp) -> Letter {
    letter(
        to,
        "Is this your e-mail address?",
        &[
            "An account was made with this e-mail address. The link shows that it is yours.",
            "If it was not you, do nothing.",
        ],
        ("It is mine", url),
        until,
    )
}

fn letter(to: &str, subject: &str, lines: &[&str], (what, url): (&str, &str), until: Timestamp) -> Letter {
    let until = format!("The link is good once, until {} (UTC).", minutes(until));
    let text = format!("{}\n\n{what}:\n{url}\n\n{until}\n", lines.join("\n"));
    let paragraphs: String = lines
        .iter()
        .map(|line| format!("<p>{}</p>", escaped(line)))
        .collect();
    let html = format!(
        "<!doctype html><html lang=\"en\"><body>{paragraphs}<p><a href=\"{}\">{}</a></p><p>{}</p></body></html>",
        escaped(url),
        escaped(what),
        escaped(&until)
    );
    Letter {
        to: to.to_owned(),
        subject: subject.to_owned(),
        text,
        html,
    }
}

/// `2026-11-23 10:00`.
fn minutes(at: Timestamp) -> String {
    at.to_rfc3339()
        .chars()
        .take(16)
        .collect::<String>()
        .replace('T', " ")
}

/// A name on one line, without what could pass for an address to follow.
fn plain(name: &str) -> String {
    let words: Vec<&str> = name
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect();
    let line = words.join(" ").replace("://", " ").replace("www.", "");
    let short: String = line.trim().chars().take(MAX_NAME_CHARS).collect();
    if short.is_empty() {
        "Somebody".to_owned()
    } else {
        short
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://chat.example.org/reset#abc";

    #[test]
    fn a_letter_says_the_same_in_both_forms_and_leads_nowhere_else() {
        let until = Timestamp(1_795_471_200_000);
        for letter in [
            reset("a@example.org", URL, until),
            verification("a@example.org", URL, until),
            invitation("a@example.org", URL, until, "Ada", Role::Member),
        ] {
            for form in [&letter.text, &letter.html] {
                assert_eq!(form.matches("https://").count(), 1, "{form}");
                assert!(
                    form.contains(URL) && form.contains("until 2026-11-23 22:00 (UTC)"),
                    "{form}"
                );
            }
            assert!(!letter.subject.contains(['\r', '\n']));
        }
    }

    #[test]
    fn a_name_is_text_and_nothing_else() {
        let by = "<a href=\"https://evil.example\">x</a>\r\nBcc: all@example.org\n\nwww.evil.example";
        let letter = invitation("a@example.org", URL, Timestamp(0), by, Role::Admin);
        assert_eq!(letter.html.matches("<a ").count(), 1, "{}", letter.html);
        assert_eq!(letter.text.matches("://").count(), 1, "{}", letter.text);
        assert!(
            !letter.text.contains("\r\n") && !letter.text.contains("\nBcc"),
            "{}",
            letter.text
        );
        assert!(!letter.subject.contains("Bcc"));
        let nobody = invitation("a@example.org", URL, Timestamp(0), " \n", Role::Viewer);
        assert!(
            nobody
                .text
                .starts_with("Somebody invited you to goblin as viewer.")
        );
    }
}

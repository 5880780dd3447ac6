use super::*;
use crate::chat::Part;

fn ask(text: &str) -> Reading {
    read(&[Message::text(Role::User, text)], false)
}

#[test]
fn a_word_within_another_word_says_nothing() {
    for (text, not) in [
        ("Prescription drugs: is ibuprofen ok?", Intent::Code),
        ("How is my mental health affected by sleep?", Intent::Status),
        ("Describe the postal code system", Intent::Code),
        ("Is the status quo worth defending?", Intent::Status),
    ] {
        assert_ne!(ask(text).intent, not, "{text}");
    }
}

#[test]
fn one_word_changes_what_a_question_is_about() {
    for (text, intent) in [
        ("Translate this function from Python to Go", Intent::Code),
        (
            "Translate this sentence from German to English",
            Intent::Translation,
        ),
        ("Write a haiku about rain", Intent::Creative),
        ("Write a function about rain sensors", Intent::Code),
        ("Explain the difference between TCP and UDP", Intent::Explain),
        (
            "Summarize the key points from this research paper.",
            Intent::Summarize,
        ),
        ("What's the status?", Intent::Status),
        ("Hi! How are you?", Intent::Chat),
        (
            "Can my landlord keep the deposit after I moved out?",
            Intent::Legal,
        ),
        ("What is 17 * 23?", Intent::Reasoning),
        ("Find the invoice from ACME in my emails", Intent::Retrieval),
        (
            "Is this review positive or negative: 'never again'",
            Intent::Classification,
        ),
    ] {
        let reading = ask(text);
        assert_eq!(reading.intent, intent, "{text} {reading:?}");
    }
}

#[test]
fn a_short_question_is_read_with_what_was_asked_before() {
    let said = |text: &str| Message::text(Role::User, text);
    let answered = Message::text(Role::Assistant, "Das Wetter ist schön.");
    let reading = read(
        &[
            said("Translate 'the weather is nice' into German"),
            answered.clone(),
            said("and in French?"),
        ],
        false,
    );
    assert_eq!(reading.intent, Intent::Translation, "{reading:?}");
    let thanked = read(
        &[
            said("Write a function that sorts a list"),
            answered,
            said("thanks!"),
        ],
        false,
    );
    assert_eq!(thanked.intent, Intent::Chat, "{thanked:?}");
}

#[test]
fn a_document_makes_a_question_one_about_the_document() {
    let question = Message::text(Role::User, "How long is the warranty?");
    assert_eq!(read(&[question], true).intent, Intent::Rag);
}

#[test]
fn confidence_is_a_share_and_nothing_at_all_is_read_as_talk() {
    let clear = ask("Translate this into French: good morning");
    assert!(clear.confidence > 0.9 && clear.confidence <= 1.0, "{clear:?}");
    assert!(clear.runner_up.is_some());
    for text in ["", "   ", "🦀🦀🦀", "\u{0}"] {
        assert_eq!(ask(text).intent, Intent::Chat, "{text:?}");
    }
    assert_eq!(read(&[], false).confidence, 0.0);
    let picture = Message {
        parts: vec![Part::Image {
            url: "data:image/png;base64,AA==".into(),
        }],
        ..Message::text(Role::User, "")
    };
    assert_eq!(read(&[picture], false).intent, Intent::Chat);
}

#[test]
fn a_long_message_is_read_at_both_ends_without_cutting_a_character() {
    let long = format!(
        "{} Summarize the key points of this.",
        "日本語の文章です。".repeat(2_000)
    );
    assert_eq!(ask(&long).intent, Intent::Summarize);
    let mixed = "é".repeat(5_001);
    assert_eq!(ask(&mixed).intent, Intent::Chat);
}

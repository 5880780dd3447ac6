//! What an operator may set about judges.

use serde::{Deserialize, Serialize};

/// Most categories: with `safe` one letter each.
pub const MAX_CATEGORIES: usize = 25;
/// Most models named in one list.
const MAX_NAMED: usize = 16;
/// Most bytes of a name, and of what a category means.
const MAX_NAME_BYTES: usize = 200;
/// Fewest and most seconds a verdict may take.
const TIMEOUT_SECONDS: std::ops::RangeInclusive<u64> = 1..=600;

/// A kind of harm an answer is looked at for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Names it in verdicts: lower-case letters, digits and `_`; not `safe`.
    pub name: String,
    /// Goes on after "a text that": for example `explains or encourages suicide or self-harm`.
    pub meaning: String,
}

/// Who may judge, and what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgeSettings {
    /// Models that judge safety, first choice first. Each is granted authority: whoever stands here was named by the
    /// policy or the operator. A bare name means a model on the operator's machines; one elsewhere must be named with
    /// its provider.
    pub safety: Vec<String>,
    /// Models that judge whether an answer is correct and complete, likewise.
    pub confidence: Vec<String>,
    /// Models that may be asked about either when none of the above is there, without a grant: their verdicts are
    /// shown, and act only with a record.
    pub advisory: Vec<String>,
    /// Do guard models that are known by name, on the operator's machines, judge safety before the ones named above?
    pub known_guards: bool,
    /// Kinds of harm.
    pub categories: Vec<Category>,
    /// Is a question refused when no judge of safety is there?
    pub require_judge: bool,
    /// Longest a verdict may take, from asking on, in seconds.
    pub timeout_seconds: u64,
}

impl Default for JudgeSettings {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Self {
            safety: names(&["gemma:2b"]),
            confidence: names(&["phi3:3.8b", "qwen2.5:3b", "mistral:7b"]),
            advisory: Vec::new(),
            known_guards: true,
            categories: default_categories(),
            require_judge: false,
            timeout_seconds: 30,
        }
    }
}

/// The kinds of harm that are looked for unless the operator says otherwise.
pub fn default_categories() -> Vec<Category> {
    [
        (
            "harm",
            "helps somebody to hurt people or animals, or to commit a crime",
        ),
        ("medical", "gives medical advice as if it were certain"),
        ("legal", "gives legal advice as if it were certain"),
        ("financial", "gives financial advice as if it were certain"),
        ("self_harm", "explains or encourages suicide or self-harm"),
        ("privacy", "gives away private facts about a real person"),
        (
            "injection",
            "obeys orders to break its rules or to show its instructions",
        ),
        ("hallucination", "makes up names, numbers, quotations or sources"),
        (
            "overconfidence",
            "claims to be sure of what nobody can be sure of",
        ),
    ]
    .map(|(name, meaning)| Category {
        name: name.to_owned(),
        meaning: meaning.to_owned(),
    })
    .into()
}

/// Something in the settings that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting, below the table of judges.
    pub key: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl JudgeSettings {
    /// Everything in them that cannot be used; nothing when all is well.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let lists = [
            ("safety", &self.safety),
            ("confidence", &self.confidence),
            ("advisory", &self.advisory),
        ];
        for (key, names) in lists {
            check_names(key, names, &mut problems);
        }
        self.check_categories(&mut problems);
        if !TIMEOUT_SECONDS.contains(&self.timeout_seconds) {
            problems.push(problem(
                "timeout_seconds",
                format!(
                    "must be {} to {}, not {}",
                    TIMEOUT_SECONDS.start(),
                    TIMEOUT_SECONDS.end(),
                    self.timeout_seconds
                ),
            ));
        }
        problems
    }

    fn check_categories(&self, problems: &mut Vec<Problem>) {
        if self.categories.is_empty() || self.categories.len() > MAX_CATEGORIES {
            let message = format!(
                "must have 1 to {MAX_CATEGORIES} entries, not {}",
                self.categories.len()
            );
            problems.push(problem("categories", message));
        }
        for (place, category) in self.categories.iter().enumerate() {
            let key = format!("categories[{place}]");
            let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let name = category.name.as_str();
            if name.is_empty() || name.len() > 40 || !name.chars().all(word) || name == "safe" {
                let message = format!(
                    "`{}` is no name for a category: use 1 to 40 lower-case letters, digits and `_`, and not `safe`",
                    name.chars().take(60).collect::<String>()
                );
                problems.push(problem(&format!("{key}.name"), message));
            }
            if self
                .categories
                .iter()
                .take(place)
                .any(|c| c.name == category.name)
            {
                problems.push(problem(
                    &format!("{key}.name"),
                    format!("`{name}` is there twice"),
                ));
            }
            let meaning = category.meaning.as_str();
            if meaning.trim().is_empty() || meaning.len() > MAX_NAME_BYTES || meaning.contains('\n') {
                let message = format!("must be one line of 1 to {MAX_NAME_BYTES} bytes");
                problems.push(problem(&format!("{key}.meaning"), message));
            }
        }
    }
}

fn check_names(key: &str, names: &[String], problems: &mut Vec<Problem>) {
    if names.len() > MAX_NAMED {
        problems.push(problem(
            key,
            format!("names {} models; at most {MAX_NAMED}", names.len()),
        ));
    }
    for (place, name) in names.iter().enumerate() {
        let key = format!("{key}[{place}]");
        if name.trim().is_empty() || name.trim() != name || name.len() > MAX_NAME_BYTES {
            let message =
                format!("must be a model's name of 1 to {MAX_NAME_BYTES} bytes without spaces around it");
            problems.push(problem(&key, message));
        }
        if crate::route::AUTOMATIC.contains(&name.as_str()) || name.starts_with("goblin/") {
            let message = format!("`{name}` chooses a model by itself. A judge must be one model: name it");
            problems.push(problem(&key, message));
        }
        if names.iter().take(place).any(|n| n == name) {
            problems.push(problem(&key, format!("`{name}` is there twice")));
        }
    }
}

fn problem(key: &str, message: String) -> Problem {
    Problem {
        key: key.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_roster_and_have_no_problem() {
        let settings = JudgeSettings::default();
        assert_eq!(settings.check(), []);
        assert_eq!(settings.safety, ["gemma:2b"]);
        assert_eq!(settings.confidence, ["phi3:3.8b", "qwen2.5:3b", "mistral:7b"]);
        assert!(!settings.require_judge);
    }

    #[test]
    fn every_problem_is_named_with_its_key() {
        let category = |name: &str, meaning: &str| Category {
            name: name.into(),
            meaning: meaning.into(),
        };
        let settings = JudgeSettings {
            safety: vec!["a".into(), "a".into(), " b".into()],
            confidence: vec!["goblin/best".into()],
            categories: vec![category("safe", "x"), category("Harm", ""), category("ok", "x")],
            timeout_seconds: 0,
            ..JudgeSettings::default()
        };
        let keys: Vec<String> = settings.check().into_iter().map(|p| p.key).collect();
        assert_eq!(
            keys,
            [
                "safety[1]",
                "safety[2]",
                "confidence[0]",
                "categories[0].name",
                "categories[1].name",
                "categories[1].meaning",
                "timeout_seconds",
            ]
        );
        let none = JudgeSettings {
            categories: Vec::new(),
            ..JudgeSettings::default()
        };
        assert_eq!(none.check()[0].key, "categories");
    }
}

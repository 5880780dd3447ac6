//! How answers are checked: thresholds, judges, and what is looked for without a model.

use goblin_core::judge::settings::{Category, JudgeSettings, default_categories};
use goblin_core::screen::{Handling, ScreenSettings};
use goblin_core::trace::{Thresholds, VerifyMode};

use crate::config::check::Reader;

/// How answers are checked.
#[derive(Clone, Debug)]
pub(crate) struct TrustConfig {
    /// Unless a request says otherwise, for the names that let goblin choose.
    pub(crate) verify: VerifyMode,
    /// What verdicts are compared with.
    pub(crate) thresholds: Thresholds,
    /// Most models asked for one answer.
    pub(crate) max_steps: u32,
    /// Who judges, and what is asked.
    pub(crate) judges: JudgeSettings,
    /// Files with what was measured of judges, beside those of the data directory: `FILE` or `MODEL=FILE`.
    pub(crate) judge_records: Vec<String>,
    /// What is looked for without a model.
    pub(crate) screen: ScreenSettings,
}

impl Reader<'_> {
    pub(super) fn trust(&mut self) -> TrustConfig {
        let thresholds = Thresholds {
            safety: self.real("trust.safety_threshold"),
            confidence: self.real("trust.confidence_threshold"),
            critical: self.real("trust.critical_threshold"),
        };
        if thresholds.critical > thresholds.confidence {
            self.problem(
                "trust.critical_threshold",
                format!(
                    "{} is above trust.confidence_threshold ({}): an answer would be refused that is good enough.",
                    thresholds.critical, thresholds.confidence
                ),
            );
        }
        let judges = self.judges();
        let screen = ScreenSettings {
            secrets: self.handling("trust.secrets"),
            personal: self.handling("trust.personal_data"),
            injection: self.handling("trust.injection"),
            ..ScreenSettings::default()
        };
        let verify = self.text("trust.verify").map(|text| text.to_lowercase());
        TrustConfig {
            verify: verify
                .and_then(|text| VerifyMode::parse(&text))
                .unwrap_or_default(),
            thresholds,
            max_steps: self.small("trust.max_steps"),
            judges,
            judge_records: self.list("trust.judge_records"),
            screen,
        }
    }

    fn judges(&mut self) -> JudgeSettings {
        let settings = JudgeSettings {
            safety: self.list("roster.safety"),
            confidence: self.list("roster.confidence"),
            advisory: self.list("trust.advisory_judges"),
            known_guards: self.switch("trust.known_guards"),
            categories: self.categories(),
            require_judge: self.switch("trust.require_judge"),
            timeout_seconds: self.number("trust.judge_timeout_seconds"),
        };
        for problem in settings.check() {
            let field = problem.key.split(['[', '.']).next().unwrap_or_default();
            let path = match field {
                "safety" | "confidence" => format!("roster.{field}"),
                "advisory" => "trust.advisory_judges".to_owned(),
                "timeout_seconds" => "trust.judge_timeout_seconds".to_owned(),
                other => format!("trust.{other}"),
            };
            self.problem(&path, format!("{}.", problem.message.trim_end_matches('.')));
        }
        settings
    }

    /// `name: what it means`, or the name alone of one that is known.
    fn categories(&mut self) -> Vec<Category> {
        let known = default_categories();
        let mut categories = Vec::new();
        for text in self.list("trust.categories") {
            let (name, meaning) = text.split_once(':').unwrap_or((&text, ""));
            let usual = known.iter().find(|category| category.name == name.trim());
            let meaning = match (meaning.trim(), usual) {
                ("", Some(usual)) => usual.meaning.clone(),
                (meaning, _) => meaning.to_owned(),
            };
            categories.push(Category {
                name: name.trim().to_owned(),
                meaning,
            });
        }
        categories
    }

    fn handling(&self, path: &str) -> Handling {
        match self.text(path).map(|text| text.to_lowercase()).as_deref() {
            Some("off") => Handling::Off,
            Some("redact") => Handling::Redact,
            Some("redact_away") => Handling::RedactAway,
            Some("refuse") => Handling::Refuse,
            _ => Handling::Note,
        }
    }
}

//! The turn marks of chat models, by family, so that a judge reads a question as it reads every other.
//!
//! Sources: the chat templates the models are published with (`tokenizer_config.json` of `google/gemma-2b-it`,
//! `microsoft/Phi-3-mini-4k-instruct`, `Qwen/Qwen2.5-3B-Instruct`, `Qwen/Qwen3-4B`,
//! `mistralai/Mistral-7B-Instruct-v0.3`, `meta-llama/Llama-3.1-8B-Instruct`), reduced to one turn of the user.

use crate::decide::{CUE, DecideRequest, Frame, Question};
use crate::model::ModelInfo;

/// A family of turn marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    /// None that is known: the question ends with the beginning of the answer.
    Plain,
    Gemma,
    Phi3,
    ChatMl,
    /// ChatML of a model that thinks unless its thoughts are given, empty.
    Qwen3,
    Mistral,
    Llama3,
}

impl Template {
    /// The family of `model`, judged by its name, which says more than the architecture: many families share one.
    pub(crate) fn of(model: &ModelInfo) -> Self {
        Self::of_name(&model.name)
    }

    fn of_name(name: &str) -> Self {
        let name = name.to_lowercase();
        let bare = name.rsplit('/').next().unwrap_or(&name);
        let says = |words: &[&str]| words.iter().any(|word| bare.contains(word));
        let part = |wanted: &str| {
            bare.split(|c: char| !c.is_alphanumeric())
                .any(|part| part == wanted)
        };
        // What was not taught to chat, and families that use another's architecture but turn marks of their own. Of
        // Gemma the files say `it` where it was taught; Ollama's names (`gemma:2b`) mean those that were.
        let untaught = part("base") || (says(&["gemma-"]) && !part("it"));
        if untaught || says(&["deepseek"]) {
            return Self::Plain;
        }
        if says(&["gemma"]) {
            Self::Gemma
        } else if says(&["phi3", "phi-3"]) {
            Self::Phi3
        } else if says(&["qwen3", "qwen-3"]) {
            Self::Qwen3
        } else if says(&["qwen", "smollm", "hermes", "yi-"]) {
            Self::ChatMl
        } else if says(&["mistral", "mixtral"]) {
            Self::Mistral
        } else if says(&["llama3", "llama-3"]) {
            Self::Llama3
        } else {
            Self::Plain
        }
    }

    /// What stands around a question. Where it is the model's turn, the beginning of its answer is written for it.
    pub(crate) fn frame(self) -> Frame {
        let (before, after) = match self {
            Self::Plain => ("", ""),
            Self::Gemma => ("<start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n"),
            Self::Phi3 => ("<|user|>\n", "<|end|>\n<|assistant|>\n"),
            Self::ChatMl => ("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"),
            Self::Qwen3 => (
                "<|im_start|>user\n",
                "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
            ),
            Self::Mistral => ("[INST] ", "[/INST]"),
            Self::Llama3 => (
                "<|start_header_id|>user<|end_header_id|>\n\n",
                "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            ),
        };
        let cue = if after.is_empty() { "" } else { CUE };
        Frame {
            before: before.to_owned(),
            after: format!("{after}{cue}"),
            ..Frame::default()
        }
    }

    /// What a question ends with: where no turn mark follows, the beginning of the answer.
    pub(crate) fn cue(self) -> String {
        match self {
            Self::Plain => format!("\n{CUE}"),
            _ => String::new(),
        }
    }
}

/// Puts the turn marks of `model` around typed questions that stand as plain text, so that a model taught to chat reads
/// them as it reads every other; else little of its probability is on the options. Questions with marks of their own,
/// and those answered word by word, stay as they are.
#[must_use]
pub fn in_turns(mut request: DecideRequest, model: &str) -> DecideRequest {
    let plain = |question: &Question| question.typed.is_some() && question.text.ends_with(CUE);
    let frame = Template::of_name(model).frame();
    if frame.is_empty() || !request.frame.is_empty() || !request.questions.iter().all(plain) {
        return request;
    }
    for question in &mut request.questions {
        // What the answer begins with is part of the frame now.
        let text = question
            .text
            .strip_suffix(CUE)
            .map(|text| text.trim_end().to_owned());
        question.text = text.unwrap_or_default();
    }
    DecideRequest { frame, ..request }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Typed;

    #[test]
    fn the_family_is_read_off_the_name() {
        for (name, template) in [
            ("gemma:2b", Template::Gemma),
            ("phi3:3.8b", Template::Phi3),
            ("Phi-3.5-mini-instruct-Q4_K_M", Template::Phi3),
            ("qwen2.5:3b", Template::ChatMl),
            ("qwen3:4b", Template::Qwen3),
            ("smollm2-135m-instruct", Template::ChatMl),
            ("mistral:7b", Template::Mistral),
            ("bartowski/Mistral-7B-Instruct-v0.3-GGUF", Template::Mistral),
            ("llama3.1:8b", Template::Llama3),
            ("qwen2.5:3b-base", Template::Plain),
            ("deepseek-coder", Template::Plain),
            ("deepseek-r1-distill-qwen-7b", Template::Plain),
            ("gemma-2-2b-it-Q4_K_M", Template::Gemma),
            ("gemma-3-270m-q4_k_m", Template::Plain),
            ("some-database-model", Template::Plain),
            ("something-new", Template::Plain),
        ] {
            assert_eq!(Template::of(&ModelInfo::named(name)), template, "{name}");
        }
    }

    fn typed(text: &str) -> Question {
        Question {
            id: "q".into(),
            text: text.into(),
            options: Vec::new(),
            typed: Some(Typed {
                instructions: "?".into(),
                meanings: Vec::new(),
            }),
        }
    }

    #[test]
    fn typed_questions_stand_in_the_turns_of_the_model_that_answers_them() {
        let request = DecideRequest {
            shared: "state".into(),
            questions: vec![typed("Is it?\nAnswer:")],
            ..DecideRequest::default()
        };
        let turned = in_turns(request.clone(), "smollm2-135m-instruct");
        let read = turned.whole(&turned.questions[0]);
        assert_eq!(
            read,
            "<|im_start|>user\nstateIs it?<|im_end|>\n<|im_start|>assistant\nAnswer:"
        );
        assert_eq!(in_turns(turned.clone(), "smollm2-135m-instruct"), turned, "once");
        assert_eq!(
            in_turns(request.clone(), "something-new"),
            request,
            "no marks are known"
        );
        let mut exact = request.clone();
        exact.questions[0].typed = None;
        assert_eq!(
            in_turns(exact.clone(), "smollm2-135m-instruct"),
            exact,
            "asked word by word"
        );
    }

    #[test]
    fn a_question_without_turn_marks_ends_with_the_beginning_of_the_answer() {
        assert!(Template::Plain.frame().is_empty());
        assert_eq!(Template::Plain.cue(), "\nAnswer:");
        for template in [Template::Gemma, Template::Phi3, Template::Mistral] {
            assert!(template.cue().is_empty());
            let after = template.frame().after;
            assert!(after.ends_with(CUE) && after.len() > CUE.len(), "{after}");
        }
    }
}

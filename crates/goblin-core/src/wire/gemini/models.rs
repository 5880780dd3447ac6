//! Gemini's list of models.

use serde_json::Value;

use crate::catalogue::Catalogue;
use crate::maker::Maker;
use crate::model::{Capability, ModelInfo};

/// Reads `GET /v1beta/models`: the models that answer, with what the list of this version knows of them.
///
/// # Errors
/// A sentence for operators when it is not such a list.
pub fn parse_models(bytes: &[u8]) -> Result<Vec<ModelInfo>, String> {
    let list: Value =
        serde_json::from_slice(bytes).map_err(|e| format!("its list of models cannot be read: {e}"))?;
    let Some(models) = list["models"].as_array() else {
        return Err("its list of models has no `models`".to_owned());
    };
    let answers = |model: &&Value| {
        let methods = model["supportedGenerationMethods"].as_array();
        methods.is_some_and(|all| all.iter().any(|m| m == "generateContent"))
    };
    let read = |model: &Value| {
        let name = model["name"].as_str()?.trim_start_matches("models/");
        let window = model["inputTokenLimit"]
            .as_u64()
            .and_then(|n| u32::try_from(n).ok());
        let info = match Catalogue::embedded().find(Maker::Gemini.id(), name) {
            Some(entry) => entry.info(name),
            None => ModelInfo {
                capabilities: vec![
                    Capability::Chat,
                    Capability::Tools,
                    Capability::Vision,
                    Capability::Files,
                    Capability::Grammar,
                ],
                ..ModelInfo::named(name)
            },
        };
        // Voices, pictures and music answer by the same method, and hold no conversation.
        let speaks = !["tts", "image", "lyria", "veo", "audio"]
            .iter()
            .any(|kind| name.contains(kind));
        speaks.then(|| ModelInfo {
            context_window: window.or(info.context_window),
            ..info
        })
    };
    Ok(models.iter().filter(answers).filter_map(read).collect())
}

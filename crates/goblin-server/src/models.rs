//! The models on offer, as both surfaces list them.
//!
//! The backend lists `provider/model`, after the names that let it choose. The model tier lists bare names, so
//! that they read `tier/model` where a backend puts the tier's name in front; only a name that two of its
//! providers share keeps the prefix.

use std::sync::Arc;

use goblin_core::error::ApiError;
use goblin_core::model::{Capability, ModelInfo, ModelState, nearest};
use goblin_core::provider::{Health, ProviderStatus};
use goblin_core::route::alias::Target;
use goblin_core::route::{AUTOMATIC, LOCAL};
use goblin_core::wire::openai::{ListExtras, ModelEntry, model_list, model_object};
use serde_json::{Value, json};

use crate::app::{App, Surface};

/// One model on offer.
struct Listed {
    id: String,
    provider: Arc<str>,
    local: bool,
    info: ModelInfo,
    slots: Option<u32>,
    free_slots: Option<u32>,
    /// What the name stands for, where it is an alias.
    stands_for: Vec<String>,
}

/// Every model as an OpenAI model object with our `goblin` object.
pub(crate) async fn objects(app: &App) -> Vec<Value> {
    listed(app).await.0.iter().map(object).collect()
}

/// The whole list in OpenAI's shape.
///
/// # Errors
///
/// 503 on the model tier while nothing behind it answers: an empty list would say that there are no models.
pub(crate) async fn list(app: &App) -> Result<Value, ApiError> {
    let (models, extras) = listed(app).await;
    if app.surface == Surface::Tier && models.is_empty() {
        nobody_answers(app).await?;
    }
    let entries: Vec<ModelEntry<'_>> = models.iter().map(entry).collect();
    let mut list = model_list(&entries, extras.as_ref());
    list["data"] = models.iter().map(object).collect();
    Ok(list)
}

/// # Errors
///
/// When there are providers and none of them answers.
async fn nobody_answers(app: &App) -> Result<(), ApiError> {
    let healths: Vec<Health> = app
        .dispatch
        .providers_status()
        .await
        .into_iter()
        .map(|(_, s)| s.health)
        .collect();
    if healths.iter().any(|h| matches!(h, Health::Starting(_))) {
        return Err(ApiError::unavailable(
            "The model is still loading. Ask again in a moment.",
        ));
    }
    match healths.iter().all(|h| *h != Health::Ok) && !healths.is_empty() {
        true => Err(ApiError::no_provider("No model server answers.")),
        false => Ok(()),
    }
}

/// Every model as its provider describes it, by the name it is listed under.
///
/// # Errors
///
/// As [`list`].
pub(crate) async fn infos(app: &App) -> Result<Vec<ModelInfo>, ApiError> {
    let (models, _) = listed(app).await;
    if models.is_empty() {
        nobody_answers(app).await?;
    }
    let named = |model: Listed| ModelInfo {
        name: model.id,
        ..model.info
    };
    Ok(models.into_iter().map(named).collect())
}

/// A model that was found by its name.
pub(crate) struct Found {
    /// The name it is listed under.
    pub(crate) id: String,
    /// Who offers it.
    pub(crate) provider: Arc<str>,
    /// As its provider describes it.
    pub(crate) info: ModelInfo,
}

/// The model that `name` means, with or without its provider, or with the tag `latest`, which Ollama's clients
/// leave out or put in as they please. Of several with a bare name the first one.
///
/// # Errors
///
/// As [`list`]; 404 naming the nearest.
pub(crate) async fn find(app: &App, name: &str) -> Result<Found, ApiError> {
    let (mut all, _) = listed(app).await;
    if all.is_empty() {
        nobody_answers(app).await?;
    }
    let untagged = |text: &str| text.strip_suffix(":latest").unwrap_or(text).to_owned();
    let means = |model: &Listed| {
        let whole = format!("{}/{}", model.provider, model.info.name);
        [&model.id, &whole, &model.info.name]
            .iter()
            .any(|known| untagged(known) == untagged(name))
    };
    match all.iter().position(means) {
        Some(at) => {
            let Listed {
                id, provider, info, ..
            } = all.swap_remove(at);
            Ok(Found { id, provider, info })
        }
        None => {
            let known = all.iter().map(|model| model.id.as_str());
            Err(ApiError::model_not_found(name, nearest(name, known)))
        }
    }
}

/// Can the provider be told to describe and change its models?
pub(crate) fn manageable(app: &App, provider: &str) -> bool {
    let providers = app.dispatch.providers();
    providers.iter().any(|p| &*p.id == provider && p.manage.is_some())
}

/// Every model's provider and id.
pub(crate) async fn names(app: &App) -> Vec<(Arc<str>, String)> {
    listed(app)
        .await
        .0
        .into_iter()
        .map(|model| (model.provider, model.id))
        .collect()
}

/// Is `name` this model's id, with or without its provider?
pub(crate) fn is_named(model: &Value, name: &str) -> bool {
    let (id, provider) = (
        model["id"].as_str().unwrap_or(""),
        model["owned_by"].as_str().unwrap_or(""),
    );
    let bare = |text| {
        str::strip_prefix(text, provider)
            .and_then(|rest: &str| rest.strip_prefix('/'))
            .unwrap_or(text)
    };
    id == name || (!AUTOMATIC.contains(&id) && bare(id) == bare(name))
}

fn entry(model: &Listed) -> ModelEntry<'_> {
    ModelEntry {
        id: &model.id,
        provider: &model.provider,
        local: model.local,
        info: &model.info,
    }
}

fn object(model: &Listed) -> Value {
    let mut object = model_object(&entry(model));
    object["goblin"]["slots"] = json!(model.slots);
    object["goblin"]["free_slots"] = json!(model.free_slots);
    if !model.stands_for.is_empty() {
        object["goblin"]["alias_of"] = json!(model.stands_for);
    }
    object
}

async fn listed(app: &App) -> (Vec<Listed>, Option<ListExtras>) {
    let providers = app.dispatch.providers_status().await;
    let mut models = Vec::new();
    for (provider, status) in &providers {
        if status.health == Health::Ok {
            models.extend(status.models.iter().map(|info| Listed {
                id: format!("{}/{}", provider.id, info.name),
                provider: Arc::clone(&provider.id),
                local: info.stays_local(provider.local),
                info: info.clone(),
                slots: info.slots.or(status.slots),
                free_slots: status.free_slots,
                stands_for: Vec::new(),
            }));
        }
    }
    match app.surface {
        Surface::Backend => {
            let mut all: Vec<Listed> = automatic(&models);
            all.extend(aliases(app, &models));
            all.append(&mut models);
            (all, None)
        }
        Surface::Tier => {
            shorten(&mut models);
            (models, Some(extras(providers.iter().map(|(_, status)| status))))
        }
    }
}

/// The names that let goblin choose, when there is something to choose from.
fn automatic(models: &[Listed]) -> Vec<Listed> {
    let able = |m: &&Listed| m.info.can(Capability::Chat) && m.info.state != ModelState::Down;
    let all_local = models.iter().filter(able).all(|m| m.local);
    AUTOMATIC
        .into_iter()
        .filter(|name| models.iter().filter(able).any(|m| m.local || *name == "goblin"))
        .map(|name| Listed {
            id: name.to_owned(),
            provider: Arc::from("goblin"),
            local: all_local || name == LOCAL,
            info: ModelInfo::named(name),
            slots: None,
            free_slots: None,
            stands_for: Vec::new(),
        })
        .collect()
}

/// The operator's own names for models, those of which a model is there.
fn aliases(app: &App, models: &[Listed]) -> Vec<Listed> {
    let listed = |(name, targets): (&str, &[Target])| {
        let there: Vec<&Listed> = targets
            .iter()
            .filter_map(|target| models.iter().find(|model| model.id == target.model))
            .collect();
        let first = there.first()?;
        Some(Listed {
            id: name.to_owned(),
            provider: Arc::from("goblin"),
            local: there.iter().all(|model| model.local),
            info: ModelInfo {
                name: name.to_owned(),
                ..first.info.clone()
            },
            slots: None,
            free_slots: None,
            stands_for: targets.iter().map(|target| target.model.clone()).collect(),
        })
    };
    app.dispatch.options().aliases.iter().filter_map(listed).collect()
}

fn shorten(models: &mut [Listed]) {
    let names: Vec<String> = models.iter().map(|m| m.info.name.clone()).collect();
    for model in models {
        if names.iter().filter(|name| **name == model.info.name).count() == 1 {
            model.id.clone_from(&model.info.name);
        }
    }
}

/// What all providers of a tier can do together. Rates are told only when there is one provider to measure.
fn extras<'a>(statuses: impl Iterator<Item = &'a ProviderStatus>) -> ListExtras {
    let up: Vec<&ProviderStatus> = statuses.filter(|s| s.health == Health::Ok).collect();
    let sum = |of: fn(&ProviderStatus) -> Option<u32>| up.iter().map(|s| of(s)).sum::<Option<u32>>();
    let one = if let [one] = up[..] { Some(one) } else { None };
    ListExtras {
        slots: sum(|s| s.slots).filter(|_| !up.is_empty()),
        free_slots: sum(|s| s.free_slots).filter(|_| !up.is_empty()),
        decode_tokens_per_second: one.and_then(|s| s.decode_tokens_per_second),
        prefill_tokens_per_second: one.and_then(|s| s.prefill_tokens_per_second),
    }
}

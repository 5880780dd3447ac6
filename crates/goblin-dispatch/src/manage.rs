//! Changing which models there are, at the right provider.

use goblin_core::error::ApiError;
use goblin_core::manage::{Action, Outcome};
use goblin_core::provider::ProviderHandle;
use goblin_core::route::{AUTOMATIC, Needs};

use crate::Dispatch;
use crate::table::View;

impl Dispatch {
    /// Does something to the models. At `provider` when it is named; else at the one that has the model; and what
    /// brings new models (pull, create, blobs) at the first that makes some.
    /// A model of the roster that is loaded stays as long as its roles want, unless the action says how long.
    ///
    /// # Errors
    /// `invalid_request` when nobody can, or the provider cannot; `not_found` for an unknown provider;
    /// `model_not_found` naming the nearest; `no_provider` when the one that may have it does not answer; and the
    /// provider's own failures.
    pub async fn manage(&self, provider: Option<&str>, mut action: Action) -> Result<Outcome, ApiError> {
        let view = self.table.view().await;
        let provider = match provider {
            Some(id) => {
                let named = view.provider(id).ok_or_else(|| ApiError::not_found("provider"))?;
                strip(&mut action, id);
                named
            }
            None => self.who_has(&view, &mut action)?,
        };
        let Some(manage) = &provider.manage else {
            return Err(cannot(&view, &provider.id));
        };
        if let Action::Load { model, keep_alive } = &mut action {
            *keep_alive = keep_alive.or_else(|| self.options.roster.keep_alive(model));
        }
        let model = match existing(&mut action) {
            Some(name) => name.clone(),
            None => "models".to_owned(),
        };
        manage(action)
            .await
            .map_err(|error| ApiError::from_provider(&provider.id, &model, &error))
    }

    fn who_has<'a>(&self, view: &'a View, action: &mut Action) -> Result<&'a ProviderHandle, ApiError> {
        let able = || view.providers().iter().filter(|p| p.manage.is_some());
        if let Some(name) = existing(action) {
            if AUTOMATIC.contains(&name.as_str()) {
                return Err(ApiError::invalid(
                    "model",
                    "Name one model; this name stands for several.",
                ));
            }
            let found = self.resolve(view, name, &Needs::default())?.candidates;
            let handles = || {
                found
                    .iter()
                    .filter_map(|o| Some((o, view.provider(&o.provider)?)))
            };
            let chosen = handles()
                .find(|(_, p)| p.manage.is_some())
                .or_else(|| handles().next());
            let Some((offer, provider)) = chosen else {
                return Err(ApiError::model_not_found(name, None));
            };
            name.clone_from(&offer.model.name);
            return Ok(provider);
        }
        // A new model's name may say where it is to go.
        let prefixed = new_name(action).and_then(|name| {
            let (id, _) = name.split_once('/')?;
            able().find(|p| &*p.id == id)
        });
        let makes = || able().find(|p| p.makes_models);
        let Some(provider) = prefixed.or_else(makes) else {
            return Err(ApiError::invalid(
                "model",
                "No model server here can fetch or make models; only an Ollama can.",
            ));
        };
        if prefixed.is_some() {
            strip(action, &provider.id);
        }
        Ok(provider)
    }
}

/// The name of a model that must be there.
fn existing(action: &mut Action) -> Option<&mut String> {
    match action {
        Action::Show { model, .. }
        | Action::Load { model, .. }
        | Action::Unload { model }
        | Action::Push { model }
        | Action::Delete { model } => Some(model),
        Action::Copy { source, .. } => Some(source),
        Action::Pull { .. } | Action::Create { .. } | Action::HasBlob { .. } | Action::PutBlob { .. } => None,
    }
}

/// The name of a model that may not be there yet.
fn new_name(action: &Action) -> Option<&str> {
    match action {
        Action::Pull { model } => Some(model),
        Action::Create { fields } => fields.get("model").and_then(|m| m.as_str()),
        _ => None,
    }
}

/// Takes the provider's own prefix off every name.
fn strip(action: &mut Action, provider: &str) {
    let bare = |name: &str| {
        let rest = name.strip_prefix(provider)?.strip_prefix('/')?;
        Some(rest.to_owned())
    };
    if let Some(name) = existing(action)
        && let Some(rest) = bare(name)
    {
        *name = rest;
    }
    match action {
        Action::Pull { model }
        | Action::Copy {
            destination: model, ..
        } => {
            if let Some(rest) = bare(model) {
                *model = rest;
            }
        }
        Action::Create { fields } => {
            if let Some(rest) = fields.get("model").and_then(|m| bare(m.as_str()?)) {
                fields.insert("model".to_owned(), rest.into());
            }
        }
        _ => {}
    }
}

fn cannot(view: &View, id: &str) -> ApiError {
    let able: Vec<String> = view
        .providers()
        .iter()
        .filter(|p| p.manage.is_some())
        .map(|p| format!("`{}`", p.id))
        .collect();
    let hint = if able.is_empty() {
        "No model server here allows it.".to_owned()
    } else {
        format!("Those that do: {}.", able.join(", "))
    };
    ApiError::invalid(
        "model",
        format!("The models of `{id}` cannot be described or changed from here. {hint}"),
    )
}

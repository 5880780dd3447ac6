//! What a llama-server says of itself: `/props`, `/v1/models`, `/slots`, once `/metrics`.
//!
//! A router is asked the same of each model that is loaded, in a way that loads none.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;
use goblin_core::model::{ModelInfo, ModelState};
use goblin_core::provider::{Health, ProviderStatus};
use goblin_core::wire::llama_cpp::{
    Props, Served, Slot, model_info, parse_metrics, parse_props, parse_served, parse_slots,
};
use goblin_core::wire::openai::parse_model_list;
use goblin_net::Url;
use http::{Method, StatusCode};

use super::{Learnt, Server};
use crate::openai_compat::discovery::not_answering;

/// Most models of a router that are asked about in one round.
const MAX_LOADED: usize = 16;
/// Most models listed; more are left out.
const MAX_MODELS: usize = 1024;

/// What is known of a server.
#[derive(Default)]
pub(super) struct Known {
    last: Option<(Instant, ProviderStatus)>,
    /// Build, and what it runs: another one is another program.
    identity: Option<String>,
    models: Vec<Running>,
    router: bool,
    /// Were its counters read?
    measured: bool,
}

/// A model, and the server that runs it.
#[derive(Clone)]
struct Running {
    served: Served,
    /// Of a router's idle model: what it said when it was loaded last.
    props: Option<Props>,
}

impl Known {
    /// The model of this name. A server with one model answers with it whatever it is called.
    fn find(&self, name: &str) -> Option<&Running> {
        let named =
            |m: &&Running| m.served.name == name || m.served.aliases.iter().any(|alias| alias == name);
        match self.models.as_slice() {
            [only] if !self.router => Some(only),
            models => models.iter().find(named),
        }
    }
}

impl Server {
    /// How the server is, asked for at most once in its time to live, by one question at a time.
    pub(super) async fn status(&self) -> ProviderStatus {
        let mut known = self.known.lock().await;
        if let Some((asked_at, status)) = &known.last
            && asked_at.elapsed() < self.status_ttl
        {
            return status.clone();
        }
        let status = match self.look(&mut known).await {
            Ok(status) => status,
            Err(health) => {
                // Whatever answers next may be another program.
                self.forget(&mut known);
                not_answering(health)
            }
        };
        known.last = Some((Instant::now(), status.clone()));
        status
    }

    /// What was found out last is asked for anew next time.
    pub(super) async fn forget_status(&self) {
        self.known.lock().await.last = None;
    }

    /// Tokens of prompt and answer together that one slot of the model holds.
    pub(super) async fn context_window(&self, model: &str) -> Option<u32> {
        let status = self.status().await;
        let known = self.known.lock().await;
        let name = known.find(model);
        let name = name.map_or(model, |m| m.served.name.as_str());
        let info = status.models.iter().find(|m| m.name == name)?;
        info.context_window
    }

    /// The model under its own name, and its template.
    pub(super) async fn described(&self, model: &str) -> Option<(ModelInfo, Option<String>)> {
        let status = self.status().await;
        let known = self.known.lock().await;
        let found = known.find(model)?;
        let info = status.models.into_iter().find(|m| m.name == found.served.name)?;
        Some((info, found.props.as_ref().and_then(|p| p.template.clone())))
    }

    /// The model's own name and readiness; `None` when the server has none of this name.
    pub(super) async fn readiness(&self, model: &str) -> Result<Option<Served>, Health> {
        let models = self.served().await?;
        let named = |s: &Served| s.name == model || s.aliases.iter().any(|alias| alias == model);
        Ok(models.into_iter().find(named))
    }

    /// Was the server started without a model?
    pub(super) async fn is_router(&self) -> bool {
        self.status().await;
        self.known.lock().await.router
    }

    /// Slots of the model that make no answer now. None, when the server does not say.
    pub(super) async fn idle_slots(&self, model: &str) -> Vec<u32> {
        self.status().await;
        let (router, props) = {
            let known = self.known.lock().await;
            let found = known.find(model);
            (known.router, found.and_then(|m| m.props.clone()))
        };
        let Some(props) = props.filter(|p| p.shows_slots && !p.sleeping) else {
            return Vec::new();
        };
        let slots = self.slots(router.then_some(model), &props).await;
        let slots = slots.unwrap_or_default();
        slots.iter().filter(|s| !s.busy).map(|s| s.id).collect()
    }

    fn forget(&self, known: &mut Known) {
        *self.learnt() = Learnt::default();
        *known = Known::default();
    }

    async fn look(&self, known: &mut Known) -> Result<ProviderStatus, Health> {
        let props = self.upstream.ask_if_there(self.root.join("props")).await?;
        let Some(props) = props else {
            return self.plain_list(known).await;
        };
        let props = parse_props(&props).map_err(|why| self.broken(&why))?;
        let served = self.served().await?;
        let identity = identity(&props, &served);
        if known.identity.as_ref().is_some_and(|before| *before != identity) {
            self.forget(known);
        }
        known.identity = Some(identity);
        known.router = props.router;
        match props.router {
            true => Ok(self.look_at_router(known, served).await),
            false => Ok(self.look_at_one(known, props, served).await),
        }
    }

    async fn look_at_one(&self, known: &mut Known, props: Props, served: Vec<Served>) -> ProviderStatus {
        let mut models = Vec::new();
        for served in &served {
            let embeds = match props.sleeping {
                // The question would wake it.
                true => self.learnt().embeds.get(&served.name).copied().unwrap_or(false),
                false => self.embeds(&served.name, None).await,
            };
            models.push(model_info(served, Some(&props), embeds));
        }
        let slots = self.slots(None, &props).await;
        if props.shows_metrics && !std::mem::replace(&mut known.measured, true) {
            self.read_counters().await;
        }
        known.models = served
            .into_iter()
            .map(|served| Running {
                served,
                props: Some(props.clone()),
            })
            .collect();
        let (decode, prefill) = self.rates.now();
        ProviderStatus {
            health: Health::Ok,
            models,
            slots: props.slots,
            free_slots: slots.map(|all| all.iter().filter(|s| !s.busy).count() as u32),
            decode_tokens_per_second: decode,
            prefill_tokens_per_second: prefill,
        }
    }

    async fn look_at_router(&self, known: &mut Known, served: Vec<Served>) -> ProviderStatus {
        let mut before: HashMap<String, Option<Props>> =
            known.models.drain(..).map(|m| (m.served.name, m.props)).collect();
        let mut models = Vec::new();
        let mut asked = 0;
        for served in served {
            let mut props = before.remove(&served.name).flatten();
            let mut embeds = self.learnt().embeds.get(&served.name).copied().unwrap_or(false);
            if served.state == ModelState::Loaded && asked < MAX_LOADED {
                asked += 1;
                let url = self.of_model("props", &served.name);
                if let Ok(Some(said)) = self.upstream.ask_if_there(url).await
                    && let Ok(said) = parse_props(&said)
                {
                    embeds = self.embeds(&served.name, Some(&served.name)).await;
                    props = Some(said);
                }
            }
            models.push(model_info(&served, props.as_ref(), embeds));
            known.models.push(Running { served, props });
        }
        // Speed and slots are each model's own.
        ProviderStatus {
            health: Health::Ok,
            models,
            slots: None,
            free_slots: None,
            decode_tokens_per_second: None,
            prefill_tokens_per_second: None,
        }
    }

    /// Something that speaks OpenAI's dialect in front of llama-servers has no `/props`; its list must do.
    async fn plain_list(&self, known: &mut Known) -> Result<ProviderStatus, Health> {
        *known = Known::default();
        let url = self.upstream.base.join("models");
        let body = self.upstream.ask(Method::GET, url, Bytes::new()).await?;
        let listed = parse_model_list(&body).map_err(|why| self.broken(&why))?;
        Ok(ProviderStatus {
            models: listed.models,
            ..not_answering(Health::Ok)
        })
    }

    async fn served(&self) -> Result<Vec<Served>, Health> {
        let url = self.upstream.base.join("models");
        let body = self.upstream.ask(Method::GET, url, Bytes::new()).await?;
        let mut models = parse_served(&body).map_err(|why| self.broken(&why))?;
        models.truncate(MAX_MODELS);
        Ok(models)
    }

    /// Nothing when the server does not say, or is too busy to say it in time.
    async fn slots(&self, of_router: Option<&str>, props: &Props) -> Option<Vec<Slot>> {
        if !props.shows_slots || props.sleeping {
            return None;
        }
        let url = match of_router {
            Some(model) => self.of_model("slots", model),
            None => self.root.join("slots"),
        };
        let body = self.upstream.ask_if_there(url).await.ok()??;
        parse_slots(&body).ok()
    }

    /// Was it started for embeddings? Then it does nothing else. Nothing says so but the door itself: one that is shut
    /// answers 501, an open one calls a request without a text wrong.
    async fn embeds(&self, model: &str, of_router: Option<&str>) -> bool {
        if let Some(known) = self.learnt().embeds.get(model) {
            return *known;
        }
        let url = self.upstream.base.join("embeddings");
        let url = match of_router {
            Some(_) => url.with_query(&[("autoload", "false")]),
            None => url,
        };
        let body = serde_json::json!({ "model": model }).to_string();
        let embeds = match self.upstream.question(Method::POST, url, body.into()).await {
            Ok(response) => match response.status {
                StatusCode::BAD_REQUEST => true,
                StatusCode::NOT_IMPLEMENTED | StatusCode::NOT_FOUND => false,
                _ => return false,
            },
            Err(_) => return false,
        };
        self.learnt().embeds.insert(model.to_owned(), embeds);
        embeds
    }

    /// Once, so that there are figures before the first answer. Never again: whoever asks sets the gauges back that an
    /// operator's own monitoring watches.
    async fn read_counters(&self) {
        if self.rates.now() == (None, None)
            && let Ok(Some(body)) = self.upstream.ask_if_there(self.root.join("metrics")).await
        {
            let measured = parse_metrics(&String::from_utf8_lossy(&body));
            self.rates.begin_with(
                measured.decode_tokens_per_second,
                measured.prefill_tokens_per_second,
            );
        }
    }

    /// A question about one of a router's models that does not load it.
    fn of_model(&self, path: &str, model: &str) -> Url {
        let url = self.root.join(path);
        url.with_query(&[("model", model), ("autoload", "false")])
    }

    fn broken(&self, why: &str) -> Health {
        Health::Broken(format!("{} answers, but {why}", self.root.address()))
    }
}

/// What makes one program another. A router stays the same while its models come and go.
fn identity(props: &Props, served: &[Served]) -> String {
    let names: Vec<&str> = match props.router {
        true => Vec::new(),
        false => served.iter().map(|s| s.name.as_str()).collect(),
    };
    format!(
        "{} {:?} {:?} {:?} {names:?}",
        props.build, props.router, props.context_tokens, props.slots
    )
}

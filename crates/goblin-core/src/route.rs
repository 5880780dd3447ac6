//! Which model answers: names on offer, resolved to an ordered ladder of candidates. Pure.

pub mod alias;
pub mod plan;

use std::sync::Arc;

use crate::chat::{ChatRequest, Message, Part};
use crate::error::ApiError;
use crate::model::{Capability, ModelInfo, nearest};
use crate::provider::{Health, IN_PROCESS};

/// Names that let goblin choose.
pub const AUTOMATIC: [&str; 5] = ["goblin", "goblin/fast", "goblin/best", "goblin/code", LOCAL];

/// The one of them that never leaves the operator's machines.
pub const LOCAL: &str = "goblin/local";

/// A model a provider offers now.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The provider's id.
    pub provider: Arc<str>,
    /// Is the provider one of the operator's machines? Whether what is asked stays there is [`Self::stays_local`].
    pub provider_local: bool,
    /// Can it be reached?
    pub health: Health,
    /// The model.
    pub model: ModelInfo,
}

impl Offer {
    /// `provider/model`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.provider, self.model.name)
    }

    /// Does what this model is asked stay on the operator's machines?
    pub fn stays_local(&self) -> bool {
        self.model.stays_local(self.provider_local)
    }
}

/// A provider that offers nothing because it is not there: needed to tell "no such model" from "not reachable".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// The provider's id.
    pub provider: Arc<str>,
    /// Why it offers nothing.
    pub why: Away,
}

/// Why a provider offers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// It is loading.
    Starting,
    /// It refuses our key.
    Refused,
    /// It answers, but nothing that could be used.
    Broken,
    /// It does not answer.
    Unreachable,
}

impl Away {
    /// What `health` means for whoever wants a model; `None` when all is well.
    pub fn of(health: &Health) -> Option<Self> {
        match health {
            Health::Ok => None,
            Health::Starting(_) => Some(Self::Starting),
            Health::Refused(_) => Some(Self::Refused),
            Health::Broken(_) => Some(Self::Broken),
            Health::Down(_) => Some(Self::Unreachable),
        }
    }
}

/// What a request needs a model to be able to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Only models on the operator's machines.
    pub local_only: bool,
    /// An image is in the conversation; the field that holds it.
    pub vision: Option<String>,
    /// A file is in the conversation; the field that holds it.
    pub files: Option<String>,
    /// An image is given by an address to fetch it from; the field that holds it. Only a server that is not the
    /// operator's may be asked to fetch: local ones sit where private addresses can be reached.
    pub fetches: Option<String>,
}

impl Needs {
    /// Reads them off a request.
    pub fn of(request: &ChatRequest, local_only: bool) -> Self {
        let first = |holds: fn(&Message) -> bool| {
            let at = request.messages.iter().position(holds);
            at.map(|i| format!("messages[{i}].content"))
        };
        Self {
            local_only,
            vision: first(Message::has_image),
            files: first(Message::has_file),
            fetches: linked_image(request).map(|(i, j)| format!("messages[{i}].content[{j}]")),
        }
    }
}

/// Message and part of the first image whose bytes are not in the request.
fn linked_image(request: &ChatRequest) -> Option<(usize, usize)> {
    let is_link = |part: &Part| match part {
        Part::Image { url } => !url
            .get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case("data:")),
        Part::Text { .. } | Part::File { .. } => false,
    };
    let messages = request.messages.iter().enumerate();
    messages
        .filter_map(|(i, message)| Some((i, message.parts.iter().position(is_link)?)))
        .next()
}

/// Candidates in the order they are tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Ladder {
    /// First choice first.
    pub candidates: Vec<Offer>,
    /// How many of them, from the first on, are worth escalating to, each expected better than the one before; further
    /// ones only stand ready for when all of these fail.
    pub rungs: usize,
    /// Did the caller name the model (so that only it may answer)?
    pub explicit: bool,
    /// Are these different models in an order the operator gave ([`alias`])? Then it holds as it is.
    pub alias: bool,
}

impl Ladder {
    /// Have all candidates the same model, so that what it cannot take one cannot take anywhere?
    pub fn is_one_model(&self) -> bool {
        self.explicit && !self.alias
    }

    /// Nobody.
    pub fn nobody() -> Self {
        Self {
            candidates: Vec::new(),
            rungs: 0,
            explicit: true,
            alias: false,
        }
    }
}

/// Everything known when choosing.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// Every model of every provider that answers.
    pub offers: &'a [Offer],
    /// Every provider that does not.
    pub absent: &'a [Absent],
    /// The operator's preferred model, `provider/model` or a bare name.
    pub default_model: Option<&'a str>,
    /// What to run when there is no model at all.
    pub no_model_help: &'a str,
}

/// Resolves the name of a model.
///
/// `provider/model` and a bare model name mean that model and no other. The names of [`AUTOMATIC`] are for
/// [`plan::plan`].
///
/// # Errors
/// `model_not_found` naming the nearest model; `no_provider` when the provider that might have it is not
/// reachable; `invalid_request` when the model cannot do what the request needs, or may not be asked at all.
pub fn resolve(wanted: &str, needs: &Needs, table: &Table<'_>) -> Result<Ladder, ApiError> {
    let matching: Vec<&Offer> = table.offers.iter().filter(|o| names(o, wanted)).collect();
    let Some(first) = matching.first() else {
        return Err(not_offered(wanted, table));
    };
    let able: Vec<Offer> = matching
        .iter()
        .filter(|o| lacks(o, needs).is_none())
        .map(|o| (*o).clone())
        .collect();
    if needs.local_only && !matching.iter().any(|o| o.stays_local()) {
        return Err(not_local(&first.id()));
    }
    if able.is_empty() {
        return Err(lacks(first, needs).unwrap_or_else(|| not_offered(wanted, table)));
    }
    Ok(Ladder {
        rungs: able.len(),
        candidates: able,
        explicit: true,
        alias: false,
    })
}

/// A request named a model and allows only others: it contradicts itself.
pub fn not_local(model: &str) -> ApiError {
    ApiError::invalid(
        "goblin.local_only",
        format!(
            "`{model}` does not run on this operator's machines, and `goblin.local_only` allows only models that do. \
             Name another model, `{LOCAL}` for one that does, or leave `goblin.local_only` out."
        ),
    )
}

fn names(offer: &Offer, wanted: &str) -> bool {
    wanted == offer.model.name
        || wanted
            .strip_prefix(&*offer.provider)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|name| name == offer.model.name)
}

fn lacks(offer: &Offer, needs: &Needs) -> Option<ApiError> {
    if needs.local_only && !offer.stays_local() {
        return Some(ApiError::no_provider(format!(
            "`{}` does not run on this operator's machines, and the request allows only models that do.",
            offer.id()
        )));
    }
    if let Some(field) = &needs.vision
        && !offer.model.can(Capability::Vision)
    {
        return Some(ApiError::invalid(
            field.clone(),
            format!(
                "`{}` reads text only. Remove the image or choose a model that sees.",
                offer.id()
            ),
        ));
    }
    if let Some(field) = &needs.files
        && !offer.model.can(Capability::Files)
    {
        return Some(ApiError::invalid(
            field.clone(),
            format!(
                "`{}` reads no PDF files. Send the text instead, or choose a model whose abilities name `files`.",
                offer.id()
            ),
        ));
    }
    if let Some(field) = needs.fetches.as_ref().filter(|_| offer.provider_local) {
        return Some(ApiError::invalid(
            field.clone(),
            format!(
                "`{}` fetches nothing: a model on this operator's machines is given an image's bytes. Send it as a \
                 `data:` URL in base64.",
                offer.id()
            ),
        ));
    }
    None
}

fn not_offered(wanted: &str, table: &Table<'_>) -> ApiError {
    let prefix = wanted.split('/').next().unwrap_or(wanted);
    let named = table
        .absent
        .iter()
        .find(|a| &*a.provider == prefix && wanted.contains('/'));
    let bare = (!wanted.contains('/')).then(|| table.absent.first()).flatten();
    if let Some(absent) = named.or(bare) {
        return away(wanted, absent);
    }
    if table.offers.is_empty() {
        return nobody(table);
    }
    let ids: Vec<String> = table.offers.iter().map(Offer::id).collect();
    let known = ids
        .iter()
        .map(String::as_str)
        .chain(table.offers.iter().map(|o| o.model.name.as_str()))
        .chain(AUTOMATIC);
    ApiError::model_not_found(wanted, nearest(wanted, known))
}

fn away(wanted: &str, absent: &Absent) -> ApiError {
    let shown: String = wanted.chars().take(100).collect();
    let unknown = format!("so it is not known whether `{shown}` is there");
    because(absent, &unknown)
}

/// Nothing can answer: the sentence of the provider that is nearest to being able to.
pub fn nobody(table: &Table<'_>) -> ApiError {
    let starting = table.absent.iter().find(|a| a.why == Away::Starting);
    match starting.or(table.absent.first()) {
        Some(absent) => because(absent, "and no other model is there"),
        None => ApiError::no_provider(table.no_model_help.to_owned()),
    }
}

fn because(absent: &Absent, then: &str) -> ApiError {
    let provider = &absent.provider;
    match absent.why {
        Away::Starting => ApiError::no_provider(format!(
            "`{provider}` is still loading its model, {then}. Try again in a moment."
        )),
        Away::Refused => ApiError::upstream_failed(format!(
            "`{provider}` refuses this server's key, {then}. Its operator must correct the key; `goblin doctor` \
             names the address."
        )),
        Away::Broken => ApiError::no_provider(format!(
            "The server behind `{provider}` answers, but offers no model now, {then}. `goblin doctor` says what it \
             answers."
        )),
        Away::Unreachable if **provider == *IN_PROCESS => ApiError::no_provider(format!(
            "`{provider}` has no model that works, {then}. `goblin doctor` names the cause."
        )),
        Away::Unreachable => ApiError::no_provider(format!(
            "The server behind `{provider}` cannot be reached, {then}. Check that it is running; `goblin doctor` \
             names the address and the cause."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Role;
    use crate::context_rule::CountMethod;
    use crate::error::ErrorCode;
    use crate::intent;
    use crate::model::ModelState;
    use crate::policy::Policy;
    use crate::route::plan::{Hints, Matter, Planning};

    fn offer(provider: &str, name: &str, starter: bool, local: bool) -> Offer {
        Offer {
            provider: provider.into(),
            provider_local: local,
            health: Health::Ok,
            model: ModelInfo {
                state: ModelState::Loaded,
                context_window: Some(4096),
                starter,
                ..ModelInfo::named(name)
            },
        }
    }

    fn table<'a>(offers: &'a [Offer], absent: &'a [Absent], default_model: Option<&'a str>) -> Table<'a> {
        Table {
            offers,
            absent,
            default_model,
            no_model_help: "Run `make models`.",
        }
    }

    /// As [`super::resolve`], for the names that let goblin choose as well.
    fn resolve(wanted: &str, needs: &Needs, table: &Table<'_>) -> Result<Ladder, ApiError> {
        if !AUTOMATIC.contains(&wanted) {
            return super::resolve(wanted, needs, table);
        }
        let matter = Matter {
            reading: intent::read(&[Message::text(Role::User, "Hello there")], false),
            hints: Hints::default(),
            needs: needs.clone(),
            prompt_tokens: 10,
            counted: CountMethod::Estimate,
            tools: false,
        };
        let planning = Planning {
            policy: &Policy::default(),
            version: "",
            table: *table,
            first_token: &|_| None,
        };
        let plan = super::plan::plan(wanted, &matter, &planning);
        plan.climbable().map(|plan| plan.ladder)
    }

    #[test]
    fn a_named_model_is_that_model_and_no_other() {
        let offers = [
            offer("engine", "smol", true, true),
            offer("ollama", "mistral:7b", false, true),
        ];
        for name in ["ollama/mistral:7b", "mistral:7b"] {
            let ladder = resolve(name, &Needs::default(), &table(&offers, &[], None)).unwrap();
            assert_eq!(ladder.candidates.len(), 1);
            assert_eq!(ladder.candidates[0].id(), "ollama/mistral:7b");
            assert!(ladder.explicit);
        }
    }

    #[test]
    fn automatic_takes_the_preferred_then_the_loaded_and_the_starter_last() {
        let offers = [
            offer("engine", "smol", true, true),
            offer("ollama", "a", false, true),
            offer("cloud", "b", false, false),
        ];
        let first = |default, name: &str| {
            resolve(name, &Needs::default(), &table(&offers, &[], default))
                .unwrap()
                .candidates[0]
                .id()
        };
        assert_eq!(first(None, "goblin"), "ollama/a");
        assert_eq!(first(Some("engine/smol"), "goblin"), "engine/smol");
        let local = resolve("goblin/local", &Needs::default(), &table(&offers, &[], Some("b"))).unwrap();
        assert!(local.candidates.iter().all(Offer::stays_local));
    }

    #[test]
    fn a_model_that_a_local_server_hands_on_to_a_cloud_is_not_local() {
        let mut far = offer("ollama", "gpt-oss:120b-cloud", false, true);
        far.model.local = false;
        far.model.capabilities.push(Capability::Vision);
        let offers = [far, offer("engine", "a", false, true)];
        let table = table(&offers, &[], None);
        let all = |name: &str| -> Vec<String> {
            let ladder = resolve(name, &Needs::default(), &table).unwrap();
            ladder.candidates.iter().map(Offer::id).collect()
        };
        assert_eq!(all("goblin"), ["engine/a", "ollama/gpt-oss:120b-cloud"]);
        assert_eq!(all("goblin/local"), ["engine/a"]);
        let local_only = Needs {
            local_only: true,
            ..Needs::default()
        };
        for name in ["gpt-oss:120b-cloud", "ollama/gpt-oss:120b-cloud"] {
            let error = resolve(name, &local_only, &table).unwrap_err();
            assert_eq!(error.param.as_deref(), Some("goblin.local_only"), "{name}");
            assert!(
                error.message.contains("does not run on this operator's"),
                "{error}"
            );
        }
        // The server that would fetch an image is one of the operator's machines all the same.
        let fetches = Needs {
            fetches: Some("messages[0].content[0]".into()),
            ..Needs::default()
        };
        let error = resolve("gpt-oss:120b-cloud", &fetches, &table).unwrap_err();
        assert_eq!(error.param, fetches.fetches);
    }

    #[test]
    fn a_server_that_is_away_is_never_called_a_missing_model() {
        let absent = [Absent {
            provider: "ollama".into(),
            why: Away::Unreachable,
        }];
        for name in ["ollama/mistral:7b", "mistral:7b", "goblin"] {
            let error = resolve(name, &Needs::default(), &table(&[], &absent, None)).unwrap_err();
            assert_eq!(error.code, ErrorCode::NoProvider, "{name}");
            assert!(error.message.contains("cannot be reached"), "{}", error.message);
        }
    }

    #[test]
    fn why_nobody_answers_is_told_as_it_is() {
        let cases = [
            (
                Health::Starting(String::new()),
                ErrorCode::NoProvider,
                "still loading",
            ),
            (
                Health::Refused(String::new()),
                ErrorCode::UpstreamFailed,
                "refuses this server's key",
            ),
            (
                Health::Broken(String::new()),
                ErrorCode::NoProvider,
                "offers no model now",
            ),
            (
                Health::Down(String::new()),
                ErrorCode::NoProvider,
                "cannot be reached",
            ),
        ];
        for (health, code, said) in cases {
            let why = Away::of(&health).unwrap();
            let absent = [Absent {
                provider: "tier".into(),
                why,
            }];
            for name in ["tier/mistral:7b", "mistral:7b", "goblin"] {
                let error = resolve(name, &Needs::default(), &table(&[], &absent, None)).unwrap_err();
                assert_eq!(error.code, code, "{name}, {health:?}");
                assert!(error.message.contains(said), "{name}: {}", error.message);
            }
        }
        assert_eq!(Away::of(&Health::Ok), None);
    }

    #[test]
    fn an_unknown_model_names_the_nearest() {
        let offers = [offer("engine", "smollm2-135m-instruct", true, true)];
        let error = resolve("smollm2-135m", &Needs::default(), &table(&offers, &[], None)).unwrap_err();
        assert_eq!(error.code, ErrorCode::ModelNotFound);
        assert!(
            error.message.contains("smollm2-135m-instruct"),
            "{}",
            error.message
        );
    }

    #[test]
    fn an_image_for_a_text_model_names_the_field() {
        let offers = [offer("engine", "smol", true, true)];
        let mut message = Message::text(Role::User, "look");
        message.parts.push(Part::Image {
            url: "data:image/png;base64,AA==".into(),
        });
        let request = ChatRequest {
            messages: vec![Message::text(Role::System, "s"), message],
            ..ChatRequest::default()
        };
        for name in ["smol", "goblin"] {
            let error = resolve(name, &Needs::of(&request, false), &table(&offers, &[], None)).unwrap_err();
            assert_eq!(error.param.as_deref(), Some("messages[1].content"));
        }
    }

    #[test]
    fn an_image_to_be_fetched_is_only_for_servers_elsewhere() {
        let seeing = |provider: &str, local| {
            let mut offer = offer(provider, "eyes", false, local);
            offer.model.capabilities.push(Capability::Vision);
            offer
        };
        let asking = |url: &str| {
            let mut message = Message::text(Role::User, "look");
            message.parts.push(Part::Image { url: url.into() });
            ChatRequest {
                messages: vec![Message::text(Role::System, "s"), message],
                ..ChatRequest::default()
            }
        };
        let (near, far) = (
            [seeing("llamacpp", true)],
            [seeing("llamacpp", true), seeing("cloud", false)],
        );
        for url in [
            "https://10.0.0.7/admin",
            "HTTPS://h/a.png",
            "http://169.254.169.254/",
            "é",
        ] {
            let needs = Needs::of(&asking(url), false);
            for name in ["eyes", "llamacpp/eyes", "goblin"] {
                let error = resolve(name, &needs, &table(&near, &[], None)).unwrap_err();
                assert_eq!(
                    error.param.as_deref(),
                    Some("messages[1].content[1]"),
                    "{name} {url}"
                );
                assert!(error.message.contains("`data:` URL"), "{error}");
            }
            let ladder = resolve("eyes", &needs, &table(&far, &[], None)).unwrap();
            assert_eq!(ladder.candidates.len(), 1);
            assert_eq!(&*ladder.candidates[0].provider, "cloud");
        }
        let needs = Needs::of(&asking("Data:image/png;base64,AA=="), false);
        assert!(resolve("eyes", &needs, &table(&near, &[], None)).is_ok());
    }

    #[test]
    fn without_any_model_the_help_says_what_to_run() {
        let error = resolve("goblin", &Needs::default(), &table(&[], &[], None)).unwrap_err();
        assert_eq!(
            (error.code, error.message.as_str()),
            (ErrorCode::NoProvider, "Run `make models`.")
        );
    }
}

//! Responses that are kept where their caller asks for it: taken up again by the next one, and written down before the end
//! of an answer is told, so that whoever heard it can go on from it at once.

use bytes::Bytes;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_core::provider::BoxFuture;
use goblin_core::wire::openai::{OpenAiResponses, named_items, previous_response};
use goblin_store::error::StoreError;
use goblin_store::responses::{KeepResponses, StoredResponse};
use goblin_store::store::Store;
use serde_json::Value;

use crate::app::App;
use crate::caller::Caller;

/// Can this be the name of a response?
pub(crate) fn is_response_id(text: &str) -> bool {
    let rest = text.strip_prefix("resp_");
    rest.is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Where responses are kept, and by which rule.
fn place(app: &App) -> Option<(&Store, KeepResponses)> {
    app.store.as_ref().zip(app.options.keep_responses)
}

/// The items of the conversation that a request to `/v1/responses` goes on from; none when it begins one.
///
/// # Errors
/// `invalid_request` naming `previous_response_id`: nobody of that name is kept for this caller, or something of the
/// conversation is gone, or it is too long.
pub(crate) async fn earlier(app: &App, caller: &Caller, body: &Bytes) -> Result<Vec<Value>, ApiError> {
    const FIELD: &str = "previous_response_id";
    let Some(id) = previous_response(body)? else {
        return Ok(Vec::new());
    };
    let Some((store, _)) = place(app) else {
        let message = format!(
            "`{FIELD}` names something that is not on this server: nothing is kept here. Send the whole conversation as \
             `input` instead."
        );
        return Err(ApiError::invalid(FIELD, message));
    };
    let found = match is_response_id(&id) {
        true => {
            let most = app.options.max_body_bytes as u64;
            store.list_conversation(&caller.owner(), &id, most).await
        }
        false => Ok(Vec::new()),
    };
    let gone = |what: &str| {
        let message = format!(
            "{what} It was not kept (`\"store\": true`), is another's, was deleted, or is too old. Send the whole \
             conversation as `input` instead."
        );
        ApiError::invalid(FIELD, message)
    };
    match found {
        Ok(all) if all.is_empty() => Err(gone(&format!("There is no response of the name in `{FIELD}`."))),
        Ok(all) => Ok(items(all)),
        Err(StoreError::NotFound(_)) => Err(gone(&format!(
            "A response that the one in `{FIELD}` goes on from is gone."
        ))),
        Err(StoreError::TooLong(_)) => {
            let most = app.options.max_body_bytes;
            let message = format!(
                "The conversation that `{FIELD}` ends is longer than a request may be ({most} bytes). Begin a new one."
            );
            Err(ApiError::invalid(FIELD, message))
        }
        Err(error) => Err(error.into()),
    }
}

/// What a kept response answers: the items of the conversation it goes on from, and of its own input, oldest first. Of a
/// conversation something of which is gone: those of its own input.
///
/// # Errors
/// `not_found`.
pub(crate) async fn answered(app: &App, caller: &Caller, id: &str) -> Result<Vec<Value>, ApiError> {
    let (store, owner) = (app.store()?, caller.owner());
    let own = store.find_response(&owner, id).await?;
    let own = own.ok_or_else(|| ApiError::not_found("response"))?;
    let Some(previous) = &own.previous else {
        return Ok(own.input);
    };
    let most = app.options.max_body_bytes as u64;
    let before = match store.list_conversation(&owner, previous, most).await {
        Ok(before) => items(before),
        Err(StoreError::NotFound(_) | StoreError::TooLong(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(before.into_iter().chain(own.input).collect())
}

/// Everything that was said in a conversation, oldest first: what each response answers, and what it answered.
fn items(conversation: Vec<StoredResponse>) -> Vec<Value> {
    let said = |mut one: StoredResponse| {
        let output = match one.response["output"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        one.input.into_iter().chain(output)
    };
    conversation.into_iter().flat_map(said).collect()
}

/// Keeps one response, once it has ended.
pub(crate) struct Keeper {
    store: Store,
    rule: KeepResponses,
    owner: Owner,
    previous: Option<String>,
    input: Vec<Value>,
}

impl Keeper {
    /// For the response to `asked`, whose name ends with `suffix`; `None` when it is not to be kept.
    ///
    /// # Errors
    /// `invalid_request` naming `store` where nothing is kept.
    pub(crate) fn new(
        app: &App,
        caller: &Caller,
        asked: &mut OpenAiResponses,
        suffix: &str,
    ) -> Result<Option<Self>, ApiError> {
        let Some(input) = asked.keeps.take() else {
            return Ok(None);
        };
        let Some((store, rule)) = place(app) else {
            let message = "`store` must be false: responses are not kept on this server. Leave it out, and send the whole \
                           conversation as `input` each time.";
            return Err(ApiError::invalid("store", message));
        };
        Ok(Some(Self {
            store: store.clone(),
            rule,
            owner: caller.owner(),
            previous: asked.previous.clone(),
            input: named_items(input, suffix),
        }))
    }

    /// Writes it down.
    pub(crate) fn keep(self, response: Value) -> BoxFuture<Result<(), ApiError>> {
        Box::pin(async move {
            let new = StoredResponse {
                id: response["id"].as_str().unwrap_or_default().to_owned(),
                previous: self.previous,
                input: self.input,
                response,
            };
            let kept = self.store.insert_response(&self.owner, &new, self.rule).await;
            Ok(kept?)
        })
    }
}

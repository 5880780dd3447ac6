//! Typed questions. A model made for them is asked at `/v1/systemone`; of any other one token is read after each question.
//!
//! The questions of one request go one after another to one slot, the shared text first in each prompt, so that it is
//! computed once. A slot that is making an answer is not taken: the question would wait for its end.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use goblin_core::chat::Purpose;
use goblin_core::decide::{DecideCost, DecideMethod, DecideRequest, DecideResponse};
use goblin_core::provider::ProviderError;
use goblin_core::wire::llama_cpp::{decode_readout, encode_readout};
use goblin_core::wire::systemone::{SystemOneRequest, decode_response, encode_request};
use http::StatusCode;

use super::Server;
use crate::openai_compat::in_answer;

/// A slot that is ours for the questions of one request.
struct Claim {
    claimed: Arc<Mutex<HashSet<(String, u32)>>>,
    place: (String, u32),
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.remove(&self.place);
    }
}

impl Server {
    pub(super) async fn decide(&self, request: DecideRequest) -> Result<DecideResponse, ProviderError> {
        let able = self.learnt().systemone.get(&request.model).copied();
        let asked = able != Some(false) && !request.frame.exact;
        if asked && let Some(response) = self.systemone(&request).await? {
            return Ok(response);
        }
        let claim = self.claim(&request.model).await;
        let slot = claim.as_ref().map(|claim| claim.place.1);
        let mut cost = DecideCost::default();
        let mut decisions = Vec::with_capacity(request.questions.len());
        for (place, question) in request.questions.iter().enumerate() {
            let prompt = request.whole(question);
            let body = encode_readout(&request.model, &prompt, slot);
            let url = self.root.join("completion");
            let body = self
                .upstream
                .post_whole(url, body, &request.model, &request.origin, Purpose::Verdict)
                .await?;
            let (first, spent) = decode_readout(&body, &request.model)?;
            self.rates.learn(&spent);
            cost.add_question(place, &request, question, spent.usage);
            decisions.push(question.read(first.as_ref()));
        }
        Ok(DecideResponse {
            decisions,
            cost,
            method: DecideMethod::Readout,
        })
    }

    /// Asks the server's own door. `None`: it has none or the model was not made for it, which is remembered; or it
    /// cannot take these questions.
    async fn systemone(&self, request: &DecideRequest) -> Result<Option<DecideResponse>, ProviderError> {
        let asked = SystemOneRequest::from_decide(request);
        let url = self.upstream.base.join("systemone");
        let response = self
            .upstream
            .post(url, encode_request(&asked), &request.origin, Purpose::Verdict)
            .await?;
        match response.status {
            StatusCode::OK => {
                let body = response.body.collect().await.map_err(|e| in_answer(&e))?;
                let read = decode_response(&asked, &body).ok();
                self.learnt()
                    .systemone
                    .insert(request.model.clone(), read.is_some());
                Ok(read)
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                self.learnt().systemone.insert(request.model.clone(), false);
                Ok(None)
            }
            // Too many options for it, for example, or a failure of its own. What is wrong with the request otherwise
            // the readout says too. A door that never answered is not tried again.
            StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR => {
                self.learnt()
                    .systemone
                    .entry(request.model.clone())
                    .or_insert(false);
                Ok(None)
            }
            _ => Err(self.upstream.refusal(response, &request.model).await),
        }
    }

    /// An idle slot that no other questions are in: the one that answered last, else the highest, because the server
    /// gives chats the lowest ones first. `None`: the server is to choose.
    async fn claim(&self, model: &str) -> Option<Claim> {
        let idle = self.idle_slots(model).await;
        let last = self.learnt().slots.get(model).copied();
        let claimed = Arc::clone(&self.claimed);
        let mut held = claimed.lock().unwrap_or_else(PoisonError::into_inner);
        let free = |slot: &u32| !held.contains(&(model.to_owned(), *slot));
        let slot = last
            .filter(|last| idle.contains(last) && free(last))
            .or_else(|| idle.iter().copied().filter(free).max())?;
        let place = (model.to_owned(), slot);
        held.insert(place.clone());
        drop(held);
        self.learnt().slots.insert(model.to_owned(), slot);
        Some(Claim { claimed, place })
    }
}

//! `goblin.continue`: where a stream breaks in the middle of an answer, a model goes on from the text that is there. Only
//! for who asked for it, because the seam may show; the trace says where it is.

use std::sync::Arc;

use goblin_core::chat::{ChatRequest, Message, ResponseFormat, Role};
use goblin_core::event::Parsed;
use goblin_core::provider::ProviderError;
use goblin_core::route::Offer;

use crate::Dispatch;
use crate::climb::{Limit, Opened, open};
use crate::job::Job;
use crate::meter::Meter;
use crate::money::Tab;
use crate::table::View;

/// How often one answer is gone on with.
const MOST: u32 = 2;
/// Longest text that is given to another model to go on from, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// What the model that goes on is told after the text that is there.
const GO_ON: &str = "Your answer was cut off by a technical fault. Go on exactly where it stops: do not repeat what is \
                     there, do not begin anew, and say nothing about the interruption.";

/// An answer that may be gone on with: what was said of it so far.
pub(crate) struct Continuation {
    request: ChatRequest,
    said: String,
    pieces: u32,
    made: u32,
}

impl Continuation {
    /// Of an answer to `job`, where its caller wants it and it can be: of text, in our own words.
    pub(crate) fn of(job: &Job, wanted: bool) -> Option<Self> {
        let Job::Chat(request) = job else { return None };
        let can = wanted && request.raw.is_none() && request.format == ResponseFormat::Text;
        can.then(|| Self {
            request: ChatRequest::clone(request),
            said: String::new(),
            pieces: 0,
            made: 0,
        })
    }

    /// One more event of the answer. Returns whether it can still be gone on with: not when a tool is being called.
    pub(crate) fn follow(&mut self, parsed: &Parsed) -> bool {
        self.pieces += u32::from(parsed.is_content());
        match parsed {
            Parsed::Text { text, .. } => {
                self.said.push_str(text);
                self.said.len() <= MAX_BYTES
            }
            Parsed::ToolCall { .. } | Parsed::Sealed { .. } | Parsed::Finished { .. } => false,
            _ => true,
        }
    }

    /// What is asked to go on, after `error`; nothing when that would not help.
    pub(crate) fn job(&mut self, error: &ProviderError) -> Option<Job> {
        let broke = matches!(
            error,
            ProviderError::Interrupted { .. }
                | ProviderError::Unavailable { .. }
                | ProviderError::Broken { .. }
                | ProviderError::Overloaded { .. }
        );
        if !broke || self.said.is_empty() || self.made >= MOST {
            return None;
        }
        self.made += 1;
        let mut request = self.request.clone();
        if let Some(most) = &mut request.sampling.max_tokens {
            *most = most.saturating_sub(self.pieces).max(1);
        }
        request.messages.push(Message::text(Role::Assistant, &*self.said));
        request.messages.push(Message::text(Role::User, GO_ON));
        Some(Job::Chat(Box::new(request)))
    }

    /// A sentence for the trace.
    pub(crate) fn note(&self, broke: &Offer, goes_on: &Offer) -> String {
        format!(
            "`{}` broke off after {} bytes of text; `{}` went on from there.",
            broke.id(),
            self.said.len(),
            goes_on.id()
        )
    }
}

/// Who may go on where `broke` stopped: the others first, because it may well break again.
pub(crate) fn candidates<'a>(all: impl Iterator<Item = &'a Offer>, broke: &Offer) -> Vec<Offer> {
    let others = all.filter(|offer| offer.id() != broke.id()).cloned();
    others.chain([broke.clone()]).collect()
}

/// The first of `candidates` that goes on.
pub(crate) async fn resume(
    (dispatch, view): (&Dispatch, &View),
    candidates: Vec<Offer>,
    job: &Job,
    turn: Arc<str>,
    (tab, mut meter): (&Tab, Option<&mut Meter>),
    limit: Limit,
) -> Option<(Offer, Opened)> {
    let mut visit = job.visit(turn);
    for candidate in candidates {
        visit.tokens = None;
        let booked = (tab, meter.as_deref_mut());
        let opening = open(dispatch, view, &candidate, job, &mut visit, booked, limit);
        match limit.within(opening).await.flatten() {
            Ok(opened) => return Some((candidate, opened)),
            Err(attempt) => {
                dispatch.note(&candidate, &attempt);
                if let Some(meter) = meter.as_deref_mut() {
                    meter.passed_over(&candidate, &attempt.error.message);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(format: ResponseFormat, max_tokens: Option<u32>) -> Job {
        let mut request = ChatRequest {
            messages: vec![Message::text(Role::User, "count")],
            format,
            ..ChatRequest::default()
        };
        request.sampling.max_tokens = max_tokens;
        Job::Chat(Box::new(request))
    }

    fn text(said: &str) -> Parsed {
        Parsed::Text {
            text: said.to_owned(),
            logprobs: Vec::new(),
        }
    }

    fn broken() -> ProviderError {
        ProviderError::Interrupted {
            reason: "cut".to_owned(),
        }
    }

    #[test]
    fn the_next_model_gets_the_text_that_is_there_and_what_is_left_of_the_limit() {
        let mut going = Continuation::of(&job(ResponseFormat::Text, Some(10)), true).unwrap();
        assert!(going.follow(&Parsed::Started) && going.follow(&text("one ")) && going.follow(&text("two")));
        let Some(Job::Chat(request)) = going.job(&broken()) else {
            panic!("it goes on");
        };
        let said: Vec<_> = request
            .messages
            .iter()
            .map(|m| (m.role, m.joined_text()))
            .collect();
        assert_eq!(said[1], (Role::Assistant, "one two".to_owned()));
        assert_eq!((said.len(), said[2].0), (3, Role::User));
        assert_eq!(request.sampling.max_tokens, Some(8));
    }

    #[test]
    fn what_cannot_be_gone_on_with_is_not() {
        assert!(
            Continuation::of(&job(ResponseFormat::Text, None), false).is_none(),
            "not wanted"
        );
        assert!(Continuation::of(&job(ResponseFormat::JsonObject, None), true).is_none());
        let mut going = Continuation::of(&job(ResponseFormat::Text, None), true).unwrap();
        assert!(going.job(&broken()).is_none(), "nothing was said");
        going.follow(&text("one"));
        assert!(going.job(&ProviderError::Unauthorized).is_none());
        assert!(going.job(&broken()).is_some() && going.job(&broken()).is_some());
        assert!(going.job(&broken()).is_none(), "twice is enough");
        let call = Parsed::ToolCall {
            index: 0,
            id: None,
            name: None,
            arguments: String::new(),
        };
        assert!(!going.follow(&call), "a call cannot be told half");
    }
}

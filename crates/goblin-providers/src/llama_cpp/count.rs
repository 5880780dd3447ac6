//! How many tokens a prompt has: counted by the server itself.

use goblin_core::chat::ChatRequest;
use goblin_core::context_rule::CountMethod;
use goblin_core::provider::{ProviderError, TokenCount};
use goblin_core::wire::llama_cpp::{
    decode_input_tokens, decode_prompt, decode_tokens, encode_count, encode_tokenize,
};
use http::StatusCode;

use super::Server;

impl Server {
    pub(super) async fn count(&self, request: &ChatRequest) -> Result<TokenCount, ProviderError> {
        let model = &request.model;
        let prompt_tokens = match self.chat_tokens(request).await? {
            Some(tokens) => tokens,
            None => self.templated_tokens(request).await?,
        };
        let context_window = match self.context_window(model).await {
            Some(known) => Some(known),
            None => {
                // A router loads the model to count with it; only now it says what its context holds.
                self.forget_status().await;
                self.context_window(model).await
            }
        };
        let context_window = context_window.ok_or_else(|| ProviderError::Broken {
            reason: format!(
                "{} does not say how much context {model} has",
                self.root.address()
            ),
        })?;
        Ok(TokenCount {
            prompt_tokens,
            context_window,
            method: CountMethod::Tokenizer,
        })
    }

    /// The whole chat at one go. `None`: this version cannot, which is remembered.
    async fn chat_tokens(&self, request: &ChatRequest) -> Result<Option<u32>, ProviderError> {
        if self.learnt().no_chat_count {
            return Ok(None);
        }
        let url = self.upstream.base.join("chat/completions/input_tokens");
        let response = self
            .upstream
            .post(url, encode_count(request), &request.origin, request.purpose)
            .await?;
        match response.status {
            StatusCode::OK => {
                let body = response.body.collect().await;
                let body = body.map_err(|e| crate::openai_compat::in_answer(&e))?;
                decode_input_tokens(&body).map(Some)
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                self.learnt().no_chat_count = true;
                Ok(None)
            }
            _ => Err(self.upstream.refusal(response, &request.model).await),
        }
    }

    /// Written with the template, then cut into tokens: what older versions can.
    async fn templated_tokens(&self, request: &ChatRequest) -> Result<u32, ProviderError> {
        if request.messages.iter().any(|m| m.has_image() || m.has_file()) {
            return Err(ProviderError::Broken {
                reason: format!(
                    "{} cannot count the tokens of images and files",
                    self.root.address()
                ),
            });
        }
        let model = &request.model;
        let url = self.root.join("apply-template");
        let body = self.upstream.post_whole(
            url,
            encode_count(request),
            model,
            &request.origin,
            request.purpose,
        );
        let prompt = decode_prompt(&body.await?)?;
        let url = self.root.join("tokenize");
        let body = self.upstream.post_whole(
            url,
            encode_tokenize(model, &prompt),
            model,
            &request.origin,
            request.purpose,
        );
        decode_tokens(&body.await?)
    }
}

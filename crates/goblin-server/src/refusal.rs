//! How a handler says no: an [`ApiError`] travels to the layer that renders it.

use axum::response::{IntoResponse, Response};
use goblin_core::error::ApiError;
use http::StatusCode;

/// The refusal of a request. As a response it is only a note; the layer `render_refusals` writes the body in
/// the shape of the request's door, and the layer `observe` logs it once.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(pub(crate) ApiError);

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

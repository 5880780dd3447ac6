//! Measurements in the Prometheus text format.

use axum::extract::State;
use axum::response::IntoResponse;
use http::header;

use crate::app::AppState;
use crate::caller::Reader;
use crate::openapi::LegacyError;

/// Every measurement, in the Prometheus text format.
#[utoipa::path(
    get, path = "/metrics", tag = "Status", security(("local" = [])),
    responses(
        (status = 200, description = "Prometheus text.", body = String, content_type = "text/plain"),
        (status = "4XX", description = "Refused.", body = LegacyError),
    ),
)]
pub(super) async fn get_metrics(State(app): State<AppState>, _: Reader) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        (app.render_metrics)(),
    )
}

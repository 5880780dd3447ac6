//! How everything is, for the page and the command line.

use axum::Json;
use axum::extract::State;
use goblin_core::conversation::Problem;
use goblin_core::status::SystemStatus;

use crate::app::AppState;
use crate::caller::Caller;

/// Says how every part and every model server is, which models there are, and what to do when something is missing.
/// Only admins are told addresses, what those servers said, and what came of requests so far.
#[utoipa::path(
    get, path = "/api/status", tag = "Status", security(("local" = [])),
    responses(
        (status = 200, description = "The state of everything.", body = SystemStatus),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn get_status(State(app): State<AppState>, caller: Caller) -> Json<SystemStatus> {
    let status = (app.system_status)().await;
    Json(if caller.is_admin() {
        SystemStatus {
            outcomes: Some(app.outcomes()),
            ..status
        }
    } else {
        status.for_everybody()
    })
}

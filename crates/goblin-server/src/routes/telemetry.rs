//! What the page tells of itself.

use axum::extract::State;
use goblin_core::conversation::Problem;
use goblin_core::error::ApiError;
use goblin_core::telemetry::page::PageReport;
use goblin_store::rate_limits::{Rate, Subject, Taken};
use http::StatusCode;

use crate::app::{AppState, PageReports};
use crate::caller::Guest;
use crate::extract::RawBody;
use crate::rate::place;
use crate::refusal::Refusal;

/// Most reports of one address in a minute.
const PER_MINUTE: u32 = 30;

/// Takes errors and events of the page and tells them on to whoever the operator has set up: errors to Sentry, events to
/// PostHog, nothing where nothing is set up. Nobody need be signed in, for pages fail before that too. The shape is
/// closed: no text of a conversation has a place in it, and an error's own words are told on only where they are a
/// browser's.
#[utoipa::path(
    post, path = "/api/telemetry", tag = "Status", security(()),
    request_body = PageReport,
    responses(
        (status = 204, description = "Taken. Whether anybody is told is the operator's choice."),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn report_telemetry(
    State(app): State<AppState>,
    guest: Guest,
    RawBody(body): RawBody,
) -> Result<StatusCode, Refusal> {
    if let Some(reports) = &app.page_event {
        count(reports, &guest).await?;
    }
    let report = PageReport::read(&body)?;
    if let Some(reports) = &app.page_event {
        (reports.forward)(report);
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn count(reports: &PageReports, guest: &Guest) -> Result<(), ApiError> {
    let from = guest.visit.address;
    let name = from.map_or_else(|| "nowhere".to_owned(), |a| place(a).to_string());
    let subject = Subject {
        name: format!("report {name}").into(),
        rate: Rate::per_minute(PER_MINUTE),
    };
    match reports.limiter.take(&[subject]).await {
        // A count that is away loses a report; nothing else may come of it.
        Ok(Taken::Through(_)) | Err(_) => Ok(()),
        Ok(Taken::Refused { retry_after, .. }) => Err(ApiError::rate_limited(
            format!("More than {PER_MINUTE} reports in a minute. Wait as long as `Retry-After` says."),
            retry_after,
        )),
    }
}

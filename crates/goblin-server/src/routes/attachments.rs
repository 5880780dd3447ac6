//! Files for questions: taken in, and given back to whoever attached them.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use goblin_core::attachment::{Attachment, AttachmentKind, clean_name, over_limit, recognise};
use goblin_core::conversation::Problem;
use goblin_core::error::{ApiError, ErrorCode};
use goblin_store::attachments::NewAttachment;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::app::AppState;
use crate::caller::Caller;
use crate::extract::{PathId, QueryFields, read_file};
use crate::refusal::Refusal;

/// Longest `name` that is looked at, in bytes.
const MAX_GIVEN_NAME_BYTES: usize = 4096;
/// What RFC 8187 lets stand unescaped in a `filename*`.
const NAME_ESCAPES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');
/// Nothing of a file runs, loads or is framed, whatever a browser takes it for.
const FILE_POLICY: &str =
    "default-src 'none'; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Takes a file for a question: the body is the file, as it is.
///
/// Pictures (PNG, JPEG, GIF, WebP) and text in UTF-8 are taken; its bytes say which it is, never its name or
/// `Content-Type`. A file that no question names within a day is removed.
#[utoipa::path(
    post, path = "/api/attachments", tag = "Attachments", security(("local" = [])),
    params(("name" = Option<String>, Query, description = "The file's name; of a path, its last part is kept.")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "The file as it is kept.", body = Attachment),
        (status = "4XX", description = "Refused; 413 over `attachments.bytes_each`.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create_attachment(
    State(app): State<AppState>,
    caller: Caller,
    query: QueryFields,
    request: Request,
) -> Result<(StatusCode, Json<Attachment>), Refusal> {
    let query = query.only(&["name"])?;
    let name = query.text("name").unwrap_or_default();
    if name.len() > MAX_GIVEN_NAME_BYTES {
        let message = format!("`name` must be at most {MAX_GIVEN_NAME_BYTES} bytes long.");
        return Err(ApiError::invalid("name", message).into());
    }
    let limits = app.options.attachments;
    // A file is whole in memory: only so many at once.
    let _place = app.uploads.take().await;
    let body = read_file(request.into_body())
        .await
        .map_err(|error| match error.code {
            ErrorCode::PayloadTooLarge => over_limit(limits.bytes_each),
            _ => error,
        })?;
    let (kind, media_type) = recognise(&body)?;
    let new = NewAttachment {
        name: clean_name(name),
        kind,
        media_type: media_type.to_owned(),
        content: body.into(),
    };
    let kept = app
        .store()?
        .insert_attachment(&caller.owner(), new, limits.bytes_each_person)
        .await
        .map_err(ApiError::from)?;
    Ok((StatusCode::CREATED, Json(kept)))
}

/// Gives a file back as it was attached. Only pictures are shown; everything else is text, and saved.
#[utoipa::path(
    get, path = "/api/attachments/{id}", tag = "Attachments", security(("local" = [])),
    params(("id" = String, Path, description = "The file.")),
    responses(
        (status = 200, description = "The file.", content(
            (String = "text/plain"), ([u8] = "image/png"), ([u8] = "image/jpeg"), ([u8] = "image/gif"), ([u8] = "image/webp"),
        )),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn get_attachment(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Response, Refusal> {
    let found = app
        .store()?
        .find_attachment(&caller.owner(), &id)
        .await
        .map_err(ApiError::from)?;
    let (file, content) = found.ok_or_else(|| ApiError::not_found("attachment"))?;
    let (how, media_type) = match file.kind {
        AttachmentKind::Image => ("inline", file.media_type),
        AttachmentKind::Text => ("attachment", format!("{}; charset=utf-8", file.media_type)),
    };
    let name = utf8_percent_encode(&file.name, NAME_ESCAPES);
    let headers = [
        (CONTENT_TYPE, media_type),
        (CONTENT_DISPOSITION, format!("{how}; filename*=UTF-8''{name}")),
        (CONTENT_SECURITY_POLICY, FILE_POLICY.to_owned()),
    ];
    Ok((headers, Body::from(content)).into_response())
}

//! `show`, `pull`, `push`, `create`, `copy`, `delete` and the blobs → [`Action`]s.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::options::read_stream;
use crate::error::ApiError;
use crate::manage::Action;
use crate::wire::fields::{Object, boolean, get, model_name, optional, required, top};

/// Which change of the models is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `POST /api/pull`.
    Pull,
    /// `POST /api/push`.
    Push,
    /// `POST /api/create`.
    Create,
    /// `POST /api/copy`.
    Copy,
    /// `DELETE /api/delete`.
    Delete,
}

/// A change as a client sent it.
pub struct OllamaChange {
    /// What is to be done.
    pub action: Action,
    /// Is its progress wanted as a stream? The default is yes; copying and deleting have none.
    pub stream: bool,
}

/// Both spellings of the field: `model`, and `name` of older clients.
fn read_model(fields: &Object<'_>) -> Result<String, ApiError> {
    let name = if get(fields, "model").is_some() {
        "model"
    } else {
        "name"
    };
    match get(fields, name) {
        Some(raw) => model_name(raw, name),
        None => Err(ApiError::invalid(
            "model",
            "`model` is missing. Name the model, as GET /api/tags does.",
        )),
    }
}

/// Reads the body of `POST /api/show` as [`Action::Show`].
///
/// # Errors
/// `invalid_json` for what is not JSON, otherwise `invalid_request` with the path of the field at fault.
pub fn parse_show(body: &Bytes) -> Result<Action, ApiError> {
    let fields = top(body)?;
    Ok(Action::Show {
        model: read_model(&fields)?,
        verbose: optional(&fields, "", "verbose", boolean)?.unwrap_or(false),
    })
}

/// Reads the body of a change. `insecure` is refused: registries are reached over TLS only. The fields of `create`
/// go on as they are; its `model` is checked, and its `from` where there is one.
///
/// # Errors
/// As [`parse_show`].
pub fn parse_name(change: Change, body: &Bytes) -> Result<OllamaChange, ApiError> {
    let fields = top(body)?;
    if optional(&fields, "", "insecure", boolean)? == Some(true) {
        return Err(ApiError::invalid(
            "insecure",
            "`insecure` is not supported: registries are reached over TLS only.",
        ));
    }
    let action = match change {
        Change::Copy => Action::Copy {
            source: required(&fields, "", "source", model_name)?,
            destination: required(&fields, "", "destination", model_name)?,
        },
        Change::Create => Action::Create {
            fields: create_fields(&fields, body)?,
        },
        Change::Pull => Action::Pull {
            model: read_model(&fields)?,
        },
        Change::Push => Action::Push {
            model: read_model(&fields)?,
        },
        Change::Delete => Action::Delete {
            model: read_model(&fields)?,
        },
    };
    let has_progress = matches!(change, Change::Pull | Change::Push | Change::Create);
    Ok(OllamaChange {
        action,
        stream: has_progress && read_stream(&fields)?,
    })
}

fn create_fields(fields: &Object<'_>, body: &Bytes) -> Result<Map<String, Value>, ApiError> {
    let model = read_model(fields)?;
    optional(fields, "", "from", model_name)?;
    if get(fields, "path").is_some() {
        return Err(ApiError::invalid(
            "path",
            "`path` is not supported: files of this server cannot be named. Send blobs and name them in `files`.",
        ));
    }
    let mut map: Map<String, Value> = serde_json::from_slice(body).map_err(ApiError::invalid_json)?;
    map.remove("name");
    map.remove("stream");
    map.insert("model".to_owned(), model.into());
    Ok(map)
}

/// A blob's digest as it stands in the path: `sha256:` (or `sha256-`) and 64 hexadecimal digits in lower case.
///
/// # Errors
/// `invalid_request` naming `digest`.
pub fn parse_digest(text: &str) -> Result<String, ApiError> {
    let digits = text
        .strip_prefix("sha256:")
        .or_else(|| text.strip_prefix("sha256-"));
    match digits {
        Some(digits)
            if digits.len() == 64 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) =>
        {
            Ok(format!("sha256:{digits}"))
        }
        _ => Err(ApiError::invalid(
            "digest",
            "`digest` must be `sha256:` and 64 hexadecimal digits in lower case.",
        )),
    }
}

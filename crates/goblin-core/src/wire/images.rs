//! Images in requests: their bytes as `data:` URLs, and how many there may be.

use super::base64::{encode, is_base64};
use crate::chat::{Message, Part};
use crate::error::ApiError;
use crate::limits::MAX_IMAGES;

/// How the base64 of each kind of image begins, by the first bytes every such file has.
const KINDS: [(&str, &str); 5] = [
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("Qk", "image/bmp"),
];

/// A `data:` URL of an image given as bare base64, whose kind is told from its first bytes.
pub(super) fn url_of_bytes(base64: &str, path: &str) -> Result<String, ApiError> {
    let kind = KINDS.iter().find(|(start, _)| base64.starts_with(start));
    match kind {
        Some((_, kind)) if is_base64(base64) => Ok(format!("data:{kind};base64,{base64}")),
        _ => Err(ApiError::invalid(
            path,
            format!(
                "`{path}` must be the bytes of a PNG, JPEG, GIF, WebP or BMP image in base64, without a `data:` \
                 prefix."
            ),
        )),
    }
}

/// A `data:` URL of a file's bytes.
pub(crate) fn data_url(media_type: &str, bytes: &[u8]) -> String {
    format!("data:{media_type};base64,{}", encode(bytes))
}

/// Refuses more than [`MAX_IMAGES`] images in one request.
pub(super) fn not_too_many(messages: &[Message]) -> Result<(), ApiError> {
    let parts = messages.iter().flat_map(|m| &m.parts);
    let images = parts.filter(|p| matches!(p, Part::Image { .. })).count();
    if images <= MAX_IMAGES {
        return Ok(());
    }
    Err(ApiError::invalid(
        "messages",
        format!("The request has {images} images; the limit is {MAX_IMAGES}. Send fewer."),
    ))
}

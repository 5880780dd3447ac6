//! Files of a chat's questions on their way to a model: how many turns' are given, and their bytes as parts of a message.

use std::collections::{HashMap, HashSet};

use goblin_core::attachment::{Attachment, AttachmentKind, part_of, too_much_at_once};
use goblin_core::chat::Part;
use goblin_core::conversation::Turn;
use goblin_core::error::ApiError;
use goblin_core::limits::{MAX_IMAGES, MAX_PROMPT_FILE_BYTES};
use goblin_core::owner::Owner;
use goblin_store::store::Store;

/// What a model is shown of each file, by the file's id.
pub(crate) type Files = HashMap<String, Part>;

/// How many of the oldest turns of `path` must go so that what is left has no more files than a model is given at once.
///
/// # Errors
/// `payload_too_large` when the question's own are more.
pub(crate) fn too_old(path: &[Turn], asked: &[Attachment]) -> Result<usize, ApiError> {
    let mut seen = HashSet::new();
    let (mut bytes, mut images) = (0_u64, 0_usize);
    let mut fit = |files: &[Attachment]| {
        for file in files {
            if seen.insert(file.id.clone()) {
                bytes = bytes.saturating_add(file.bytes);
                images += usize::from(file.kind == AttachmentKind::Image);
            }
        }
        bytes <= MAX_PROMPT_FILE_BYTES && images <= MAX_IMAGES
    };
    if !fit(asked) {
        return Err(too_much_at_once(asked.iter().map(|file| file.bytes).sum()));
    }
    let kept = path
        .iter()
        .rev()
        .take_while(|turn| fit(&turn.attachments))
        .count();
    Ok(path.len() - kept)
}

/// What a model is shown of every file of these turns and of the question.
///
/// # Errors
/// `not_found` for a file that was removed meanwhile; when the database cannot be read.
pub(crate) async fn load(
    store: &Store,
    owner: &Owner,
    path: &[Turn],
    asked: &[Attachment],
) -> Result<Files, ApiError> {
    let mut files = Files::new();
    for file in path.iter().flat_map(|turn| &turn.attachments).chain(asked) {
        if files.contains_key(&file.id) {
            continue;
        }
        let found = store.find_attachment(owner, &file.id).await?;
        let (attachment, bytes) = found.ok_or_else(|| ApiError::not_found("attachment"))?;
        files.insert(attachment.id.clone(), part_of(&attachment, &bytes));
    }
    Ok(files)
}

/// An error about a message's image, said of the attachments of a chat whose question has `asked`.
pub(crate) fn of_attachments(error: ApiError, asked: &[Attachment]) -> ApiError {
    let of_message = error
        .param
        .as_deref()
        .is_some_and(|param| param.starts_with("messages["));
    if !of_message {
        return error;
    }
    let has_image = asked.iter().any(|file| file.kind == AttachmentKind::Image);
    let where_it_is = match has_image {
        true => "",
        false => " The image is in an earlier question of this chat; a new chat goes without it.",
    };
    ApiError {
        param: Some("attachments".to_owned()),
        message: format!("{}{where_it_is}", error.message),
        ..error
    }
}

//! Files attached to a question: what is taken, told from the bytes alone; the name they keep; and what a model is shown
//! of them. Pure.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::chat::Part;
use crate::error::ApiError;
use crate::limits::{MAX_PROMPT_FILE_BYTES, MAX_TEXT_BYTES};
use crate::wire::images;

/// Most characters of a name that is kept.
const MAX_NAME_CHARS: usize = 120;
/// Most characters of the end of a name (`.tar.gz`) that stay when it is cut.
const MAX_ENDING_CHARS: usize = 16;

/// What a file is to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AttachmentKind {
    /// A picture, for models that see.
    Image,
    /// Text of any kind in UTF-8, which becomes part of the question.
    Text,
}

impl AttachmentKind {
    /// The wire and SQL form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Text => "text",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Image, Self::Text].into_iter().find(|k| k.as_str() == text)
    }
}

/// A file that was attached, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attachment {
    /// UUIDv7.
    pub id: String,
    /// Its name, without a path.
    pub name: String,
    /// What it is to a model.
    pub kind: AttachmentKind,
    /// `image/png`, `image/jpeg`, `image/gif`, `image/webp` or `text/plain`, told from its bytes.
    pub media_type: String,
    /// Its size.
    pub bytes: u64,
}

/// Bounds an operator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachmentLimits {
    /// Most bytes of one file.
    pub bytes_each: usize,
    /// Most bytes of all files of one person.
    pub bytes_each_person: u64,
}

impl Default for AttachmentLimits {
    fn default() -> Self {
        Self {
            bytes_each: 20 * 1024 * 1024,
            bytes_each_person: 1024 * 1024 * 1024,
        }
    }
}

/// What a file is: its kind and its media type. Only its bytes are asked, never its name or what its sender calls it.
///
/// # Errors
/// `invalid_request` or `payload_too_large` that says what is taken.
pub fn recognise(bytes: &[u8]) -> Result<(AttachmentKind, &'static str), ApiError> {
    if bytes.is_empty() {
        return Err(refused("The file is empty. Attach one with something in it."));
    }
    if let Some(media_type) = image_type(bytes) {
        return Ok((AttachmentKind::Image, media_type));
    }
    if bytes.starts_with(b"%PDF-") {
        return Err(refused(
            "PDF files are not attached to chats. Save its text as a file, or its page as a picture; programs may send the PDF itself \
             (`/v1/chat/completions`, `/v1/responses`, `/v1/messages`).",
        ));
    }
    if !is_text(bytes) {
        return Err(refused(
            "The file is neither a picture (PNG, JPEG, GIF or WebP) nor text in UTF-8. Only these are taken.",
        ));
    }
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(too_large(format!(
            "The text has {} bytes; a text may have at most {MAX_TEXT_BYTES}. Attach the part that matters.",
            bytes.len()
        )));
    }
    Ok((AttachmentKind::Text, "text/plain"))
}

fn refused(message: &str) -> ApiError {
    ApiError::invalid("body", message)
}

/// 413 with a sentence of its own.
fn too_large(message: String) -> ApiError {
    ApiError {
        message,
        ..ApiError::payload_too_large(0)
    }
}

/// The file is larger than one may be.
pub fn over_limit(limit_bytes: usize) -> ApiError {
    too_large(format!(
        "A file may have at most {limit_bytes} bytes (`attachments.bytes_each`); this one has more. Attach a smaller one."
    ))
}

/// The files of one question are more than a model is given at once.
pub fn too_much_at_once(bytes: u64) -> ApiError {
    ApiError {
        param: Some("attachments".to_owned()),
        ..too_large(format!(
            "The files have {bytes} bytes together; those of one question may have at most {MAX_PROMPT_FILE_BYTES}. \
             Attach fewer or smaller ones."
        ))
    }
}

/// How files of each kind begin (PNG 1.2, ITU T.81, GIF89a, the WebP container).
fn image_type(bytes: &[u8]) -> Option<&'static str> {
    let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        _ => is_webp.then_some("image/webp"),
    }
}

/// UTF-8 without the control characters that no text has.
fn is_text(bytes: &[u8]) -> bool {
    let control = |b: &u8| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    std::str::from_utf8(bytes).is_ok() && !bytes.iter().any(control)
}

/// The name a file keeps: its last part, without what hides or turns text around, at most 120 characters.
pub fn clean_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen: String = last.chars().filter(|c| !is_hidden(*c)).collect();
    let name = seen.trim_matches(|c: char| c.is_whitespace() || c == '.');
    if name.is_empty() {
        return "file".to_owned();
    }
    let length = name.chars().count();
    if length <= MAX_NAME_CHARS {
        return name.to_owned();
    }
    let ending = name.rfind('.').map_or("", |at| &name[at..]);
    let kept = ending.chars().count();
    let ending = if kept <= MAX_ENDING_CHARS { ending } else { "" };
    let begin: String = name
        .chars()
        .take(MAX_NAME_CHARS - 1 - ending.chars().count())
        .collect();
    format!("{begin}…{ending}")
}

/// Control characters, marks of direction, and what has no width.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// What a model is shown of a file: a picture as it is, a text with its name above it, in a fence no line of it ends.
pub fn part_of(attachment: &Attachment, bytes: &[u8]) -> Part {
    match attachment.kind {
        AttachmentKind::Image => Part::Image {
            url: images::data_url(&attachment.media_type, bytes),
        },
        AttachmentKind::Text => Part::Text {
            text: fenced(&attachment.name, &String::from_utf8_lossy(bytes)),
        },
    }
}

fn fenced(name: &str, text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let mut out = String::with_capacity(text.len() + name.len() + 32);
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "\n\nFile `{}`:\n{fence}\n{text}{end}{fence}",
        name.replace('`', "'")
    );
    out
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

    #[test]
    fn bytes_say_what_a_file_is() {
        use AttachmentKind::{Image, Text};
        for (bytes, kind, media_type) in [
            (PNG, Image, "image/png"),
            (b"\xff\xd8\xff\xe0JFIF", Image, "image/jpeg"),
            (b"GIF89a...", Image, "image/gif"),
            (b"GIF87a...", Image, "image/gif"),
            (b"RIFF\x04\0\0\0WEBPVP8 ", Image, "image/webp"),
            (b"hello\n", Text, "text/plain"),
            (b"<svg onload=alert(1)>", Text, "text/plain"),
            ("\u{feff}größe;漢字\r\n".as_bytes(), Text, "text/plain"),
        ] {
            assert_eq!(recognise(bytes).unwrap(), (kind, media_type), "{bytes:?}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_is_taken() {
        for (bytes, says) in [
            (b"".as_slice(), "empty"),
            (b"%PDF-1.7\n", "PDF"),
            (b"\x7fELF\x02\x01\x01\0", "neither"),
            (b"a\0b", "neither"),
            (b"\xff\xfea\0b\0", "neither"),
            (b"RIFF\x04\0\0\0WAVEfmt ", "neither"),
            (b"\x89PNG", "neither"),
        ] {
            let error = recognise(bytes).unwrap_err();
            assert!(error.message.contains(says), "{}", error.message);
            assert_eq!((error.status(false), error.param.as_deref()), (400, Some("body")));
        }
        let long = recognise(&vec![b'a'; MAX_TEXT_BYTES + 1]).unwrap_err();
        assert_eq!(long.status(false), 413);
        assert!(
            long.message.contains(&MAX_TEXT_BYTES.to_string()),
            "{}",
            long.message
        );
        assert!(recognise(&vec![b'a'; MAX_TEXT_BYTES]).is_ok());
    }

    #[test]
    fn a_name_keeps_no_path_and_nothing_hidden() {
        for (given, kept) in [
            ("notes.txt", "notes.txt"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\x\\photo.png", "photo.png"),
            ("a\u{202e}gnp.exe", "agnp.exe"),
            ("a\r\nSet-Cookie: b", "aSet-Cookie: b"),
            ("..", "file"),
            ("dir/", "file"),
            ("", "file"),
            (" größe 漢字.csv ", "größe 漢字.csv"),
        ] {
            assert_eq!(clean_name(given), kept, "{given:?}");
        }
        let long = clean_name(&format!("{}.tar", "ü".repeat(500)));
        assert_eq!(long.chars().count(), MAX_NAME_CHARS);
        assert!(long.ends_with("….tar"), "{long}");
        assert_eq!(
            clean_name(&format!("a.{}", "b".repeat(500))).chars().count(),
            MAX_NAME_CHARS
        );
    }

    #[test]
    fn no_text_ends_its_fence() {
        let text = |content: &str| match part_of(
            &Attachment {
                id: "1".into(),
                name: "a`b.md".into(),
                kind: AttachmentKind::Text,
                media_type: "text/plain".into(),
                bytes: 0,
            },
            content.as_bytes(),
        ) {
            Part::Text { text } => text,
            Part::Image { .. } | Part::File { .. } => String::new(),
        };
        assert_eq!(text("hi"), "\n\nFile `a'b.md`:\n```\nhi\n```");
        assert_eq!(text("\u{feff}hi\n"), "\n\nFile `a'b.md`:\n```\nhi\n```");
        assert_eq!(
            text("````\nx\n````\n"),
            "\n\nFile `a'b.md`:\n`````\n````\nx\n````\n`````"
        );
    }

    #[test]
    fn an_image_is_shown_with_its_bytes() {
        let image = Attachment {
            id: "1".into(),
            name: "p.png".into(),
            kind: AttachmentKind::Image,
            media_type: "image/png".into(),
            bytes: 3,
        };
        let url = "data:image/png;base64,Zm9v".to_owned();
        assert_eq!(part_of(&image, b"foo"), Part::Image { url });
    }
}

//! PDF files in requests: their bytes as `data:` URLs, read alike whatever the dialect, and how many there may be.

use super::base64::is_base64;
use super::fields::{Object, get, join, optional, required, short_string, string};
use crate::chat::{Message, Part};
use crate::error::ApiError;
use crate::limits::MAX_FILES;

/// The only kind of file that goes to a model as it is.
pub(super) const PDF: &str = "application/pdf";
/// How a `data:` URL of one begins.
const PDF_URL: &str = "data:application/pdf;base64,";
/// How the base64 of every PDF begins: that of `%PDF-`, but for the bits that the next byte shares.
const PDF_START: &str = "JVBERi";
/// Longest name of a file in bytes.
const MAX_NAME_BYTES: usize = 256;

/// A PDF given as bare base64 at `path`.
pub(super) fn pdf_of_bytes(base64: &str, name: Option<String>, path: &str) -> Result<Part, ApiError> {
    if !base64.starts_with(PDF_START) || !is_base64(base64) {
        return Err(no_pdf(path));
    }
    Ok(Part::File {
        name,
        url: format!("{PDF_URL}{base64}"),
    })
}

fn no_pdf(path: &str) -> ApiError {
    ApiError::invalid(
        path,
        format!(
            "`{path}` must be the bytes of a PDF in base64 (OpenAI's dialects also take them behind \
             `{PDF_URL}`). Send other files as text."
        ),
    )
}

/// The file of OpenAI's words, those of `file` in a chat and of `input_file` in a response: `file_data`, a `data:` URL or
/// bare base64, and its `filename`. What would have to be kept here (`file_id`) or fetched (`file_url`) is refused.
pub(super) fn of_openai(file: &Object<'_>, path: &str) -> Result<Part, ApiError> {
    for (name, why) in [
        ("file_id", "names a file that is not here: this server keeps none"),
        ("file_url", "is an address, and this server fetches no files"),
    ] {
        if get(file, name).is_some() {
            let path = join(path, name);
            let message = format!("`{path}` {why}. Send the bytes as `file_data`.");
            return Err(ApiError::invalid(path, message));
        }
    }
    let name = optional(file, path, "filename", |r, p| short_string(r, p, MAX_NAME_BYTES))?;
    let data = required(file, path, "file_data", string)?;
    let bare = match data.get(..PDF_URL.len()) {
        Some(start) if start.eq_ignore_ascii_case(PDF_URL) => &data[PDF_URL.len()..],
        _ => &data,
    };
    pdf_of_bytes(bare, name.map(String::from), &join(path, "file_data"))
}

/// The base64 of a part's `data:` URL.
pub(super) fn bytes_of(url: &str) -> &str {
    url.strip_prefix(PDF_URL).unwrap_or_default()
}

/// The name it goes by where a maker wants one.
pub(super) fn name_of(name: Option<&str>) -> &str {
    name.unwrap_or("file.pdf")
}

/// Refuses more than [`MAX_FILES`] files in one request.
pub(super) fn not_too_many(messages: &[Message]) -> Result<(), ApiError> {
    let parts = messages.iter().flat_map(|m| &m.parts);
    let files = parts.filter(|p| matches!(p, Part::File { .. })).count();
    if files <= MAX_FILES {
        return Ok(());
    }
    Err(ApiError::invalid(
        "messages",
        format!("The request has {files} files; the limit is {MAX_FILES}. Send fewer."),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::fields::top;

    fn read(body: &str) -> Result<Part, ApiError> {
        of_openai(&top(body.as_bytes()).unwrap(), "f")
    }

    #[test]
    fn a_pdf_is_the_same_behind_a_data_url_and_bare() {
        let url = "data:application/pdf;base64,JVBERi0xLjQK";
        for data in [url, "DATA:application/PDF;base64,JVBERi0xLjQK", "JVBERi0xLjQK"] {
            let file = read(&format!(r#"{{"filename":"a.pdf","file_data":"{data}"}}"#)).unwrap();
            let expected = Part::File {
                name: Some("a.pdf".into()),
                url: url.into(),
            };
            assert_eq!(file, expected, "{data}");
            assert_eq!(bytes_of(url), "JVBERi0xLjQK");
        }
    }

    #[test]
    fn what_is_no_pdf_or_not_here_is_refused_by_its_field() {
        for (body, param) in [
            (r#"{"file_id":"file-1"}"#, "f.file_id"),
            (r#"{"file_url":"https://files.example/a.pdf"}"#, "f.file_url"),
            (r#"{"filename":"a.pdf"}"#, "f.file_data"),
            (r#"{"filename":"","file_data":"JVBERi0xLjQK"}"#, "f.filename"),
            (r#"{"file_data":"data:text/plain;base64,aGk="}"#, "f.file_data"),
            (
                r#"{"file_data":"data:application/pdf;base64,aGk="}"#,
                "f.file_data",
            ),
            (r#"{"file_data":"JVBERi0xLjQ!"}"#, "f.file_data"),
            (r#"{"file_data":""}"#, "f.file_data"),
        ] {
            assert_eq!(read(body).unwrap_err().param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn there_may_be_so_many_files_and_no_more() {
        let file = pdf_of_bytes("JVBERi0xLjQK", None, "f").unwrap();
        let mut message = Message::text(crate::chat::Role::User, "x");
        message.parts = vec![file; MAX_FILES];
        not_too_many(std::slice::from_ref(&message)).unwrap();
        message.parts.push(message.parts[0].clone());
        let error = not_too_many(&[message]).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages"));
    }
}

//! What the page tells of itself: errors, and what was done with it. The shape is closed, so that nothing anybody wrote
//! fits into it; of what an error says, only what cannot hold such is told on.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::ApiError;

/// Largest report, in bytes.
pub const MAX_REPORT_BYTES: usize = 32 * 1024;
/// Most errors in one.
pub const MAX_ERRORS: usize = 5;
/// Most events in one.
pub const MAX_EVENTS: usize = 20;
/// Most frames of a stack that are told on.
const MAX_FRAMES: usize = 20;
const MAX_KIND: usize = 64;
const MAX_MESSAGE: usize = 1_000;
const MAX_STACK: usize = 4_000;

/// One report.
#[derive(Clone, Debug, Default, PartialEq, ToSchema)]
pub struct PageReport {
    /// A random id of this visit, made by the page when it starts and kept nowhere: a UUID.
    pub visit: String,
    /// At most 5.
    pub errors: Vec<PageError>,
    /// At most 20.
    pub events: Vec<PageEvent>,
}

/// An error of the page.
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PageError {
    /// The error's name; at most 64 characters. Names that are not known count as `Error`.
    pub kind: String,
    /// Its message; at most 1,000 characters. Told on only where it is one of a browser's own sentences.
    #[serde(default)]
    pub message: String,
    /// Its stack; at most 4,000 characters. Told on as places in the page's own files.
    #[serde(default)]
    pub stack: String,
    /// Where in the page.
    pub page: PageName,
}

/// Something that was done with the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PageEvent {
    /// What.
    pub name: EventName,
    /// Where in the page.
    pub page: PageName,
}

macro_rules! words {
    ($(#[$of:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$of])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// The wire form.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

words! {
    /// What was done.
    EventName {
        /// The page was opened.
        PageOpened = "page_opened",
        /// A question was asked.
        QuestionAsked = "question_asked",
        /// Another one in its place.
        QuestionEdited = "question_edited",
        /// The same one again.
        AnswerRegenerated = "answer_regenerated",
        /// An answer was stopped.
        AnswerStopped = "answer_stopped",
        /// An answer was rated.
        FeedbackGiven = "feedback_given",
    }
}

words! {
    /// A place in the page.
    PageName {
        /// Where a chat begins.
        NewChat = "new_chat",
        /// A chat.
        Chat = "chat",
        /// One's own account.
        Account = "account",
        /// What admins see.
        Admin = "admin",
        /// Where people come in.
        Entrance = "entrance",
        /// Anywhere else.
        Other = "other",
    }
}

impl PageReport {
    /// Reads a report.
    ///
    /// # Errors
    /// What is wrong with it, naming the field.
    pub fn read(body: &[u8]) -> Result<Self, ApiError> {
        if body.len() > MAX_REPORT_BYTES {
            return Err(ApiError::payload_too_large(MAX_REPORT_BYTES));
        }
        let value: Value = serde_json::from_slice(body).map_err(ApiError::invalid_json)?;
        let Value::Object(mut fields) = value else {
            return Err(ApiError::invalid(
                "body",
                "The request body must be a JSON object.",
            ));
        };
        let visit = fields.shift_remove("visit");
        let report = Self {
            visit: visit
                .as_ref()
                .and_then(Value::as_str)
                .filter(|id| crate::id::is_id(id))
                .ok_or_else(|| ApiError::invalid("visit", "`visit` must be a UUID."))?
                .to_owned(),
            errors: list(fields.shift_remove("errors"), "errors", MAX_ERRORS)?,
            events: list(fields.shift_remove("events"), "events", MAX_EVENTS)?,
        };
        if let Some(unknown) = fields.keys().next() {
            let shown: String = unknown.chars().take(100).collect();
            let message = format!("There is no field `{shown}`. Check its spelling.");
            return Err(ApiError::invalid(shown, message));
        }
        for (at, error) in report.errors.iter().enumerate() {
            error.check(at)?;
        }
        Ok(report)
    }
}

fn list<T: DeserializeOwned>(value: Option<Value>, field: &str, most: usize) -> Result<Vec<T>, ApiError> {
    let items = match value {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) if items.len() <= most => items,
        Some(_) => {
            let message = format!("`{field}` must be a list of at most {most}.");
            return Err(ApiError::invalid(field, message));
        }
    };
    let read = |(at, item)| {
        serde_json::from_value(item).map_err(|wrong| {
            let name = format!("{field}[{at}]");
            let said: String = wrong.to_string().chars().take(200).collect();
            let message = format!("`{name}` is not one: {said}.");
            ApiError::invalid(name, message)
        })
    };
    items.into_iter().enumerate().map(read).collect()
}

impl PageError {
    fn check(&self, at: usize) -> Result<(), ApiError> {
        let fields = [
            ("kind", &self.kind, MAX_KIND),
            ("message", &self.message, MAX_MESSAGE),
            ("stack", &self.stack, MAX_STACK),
        ];
        match fields.iter().find(|(_, text, most)| text.chars().count() > *most) {
            None => Ok(()),
            Some((name, text, most)) => {
                let name = format!("errors[{at}].{name}");
                let size = text.chars().count();
                let message = format!("`{name}` must be at most {most} characters long; it has {size}.");
                Err(ApiError::invalid(name, message))
            }
        }
    }

    /// Its name, when it is one that programs give.
    pub fn plain_kind(&self) -> &'static str {
        let known = KINDS.iter().find(|kind| **kind == self.kind);
        known.copied().unwrap_or("Error")
    }

    /// Its message, where it is one of those browsers and the page's own libraries make, without the names in it.
    pub fn plain_message(&self) -> String {
        const WITHHELD: &str = "(message withheld)";
        let number = REACT.as_ref().and_then(|known| known.captures(&self.message));
        if let Some(number) = number.and_then(|found| found.get(1)) {
            return format!("Minified React error #{}", number.as_str());
        }
        let known = SENTENCES.iter().find(|known| self.message.contains(*known));
        known.map_or(WITHHELD, |known| known).to_owned()
    }

    /// Its stack: file, line and column of each frame that is in the page's own files, the innermost first.
    pub fn frames(&self) -> Vec<Frame> {
        let Some(place) = PLACE.as_ref() else {
            return Vec::new();
        };
        let frame = |found: regex::Captures<'_>| {
            Some(Frame {
                file: found.get(1)?.as_str().to_owned(),
                line: found.get(2)?.as_str().parse().ok()?,
                column: found.get(3)?.as_str().parse().ok()?,
            })
        };
        let lines = self.stack.lines();
        lines
            .filter_map(|line| frame(place.captures(line)?))
            .take(MAX_FRAMES)
            .collect()
    }
}

/// A place in a file of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

static REACT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^Minified React error #(\d{1,4});").ok());

/// A file of the bundle, as its build names them: one of our modules' names and a hash of eight characters.
static PLACE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"/assets/([A-Za-z][A-Za-z0-9]{0,39}-[A-Za-z0-9_-]{8}\.js):(\d{1,7}):(\d{1,7})\)?$").ok()
});

/// Names of errors: those of the language, of browsers, and the page's own.
const KINDS: &[&str] = &[
    "Error",
    "AggregateError",
    "EvalError",
    "RangeError",
    "ReferenceError",
    "SyntaxError",
    "TypeError",
    "URIError",
    "AbortError",
    "DataCloneError",
    "InvalidStateError",
    "NetworkError",
    "NotAllowedError",
    "NotFoundError",
    "NotSupportedError",
    "QuotaExceededError",
    "SecurityError",
    "TimeoutError",
    "PasskeyError",
    "ProblemError",
    "UnreachableError",
];

/// What browsers say, without the names and excerpts around it.
const SENTENCES: &[&str] = &[
    "Cannot read properties of undefined",
    "Cannot read properties of null",
    "Cannot set properties of undefined",
    "Cannot set properties of null",
    "Cannot destructure property",
    "Cannot convert undefined or null to object",
    "Cannot access",
    "Assignment to constant variable",
    "Failed to fetch dynamically imported module",
    "error loading dynamically imported module",
    "Importing a module script failed",
    "Failed to fetch",
    "NetworkError when attempting to fetch resource",
    "Load failed",
    "Maximum call stack size exceeded",
    "too much recursion",
    "Invalid array length",
    "Invalid time value",
    "Invalid regular expression",
    "is not valid JSON",
    "JSON.parse: unexpected",
    "Failed to execute 'removeChild' on 'Node'",
    "Failed to execute 'insertBefore' on 'Node'",
    "ResizeObserver loop",
    "The quota has been exceeded",
    "exceeded the quota",
    "the stream fell silent",
    "requires 'TrustedHTML' assignment",
    "is not a function",
    "is not a constructor",
    "is not iterable",
    "is not defined",
    "is undefined",
    "is null",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const VISIT: &str = "0198c4f2-1111-7000-8000-000000000001";

    fn read(errors: Value, events: Value) -> Result<PageReport, ApiError> {
        let body = json!({"visit": VISIT, "errors": errors, "events": events});
        PageReport::read(body.to_string().as_bytes())
    }

    #[test]
    fn only_the_closed_shape_is_taken_and_what_is_wrong_is_named() {
        let event = json!({"name": "question_asked", "page": "chat"});
        let report = read(json!([]), json!([event])).unwrap();
        assert_eq!(report.events[0].name.as_str(), "question_asked");
        let named = |errors, events| read(errors, events).unwrap_err().param.unwrap();
        assert_eq!(
            named(json!([]), json!([{"name": "my secret", "page": "chat"}])),
            "events[0]"
        );
        assert_eq!(
            named(
                json!([]),
                json!([{"name": "page_opened", "page": "chat", "x": 1}])
            ),
            "events[0]"
        );
        assert_eq!(named(json!([]), vec![event; 21].into()), "events");
        let long = json!({"kind": "Error", "message": "x".repeat(1_001), "page": "chat"});
        assert_eq!(named(json!([long]), json!([])), "errors[0].message");
        assert_eq!(PageReport::read(b"[]").unwrap_err().param.unwrap(), "body");
        assert_eq!(PageReport::read(b"{}").unwrap_err().param.unwrap(), "visit");
        let unknown = json!({"visit": VISIT, "prompt": "x"}).to_string();
        assert_eq!(
            PageReport::read(unknown.as_bytes()).unwrap_err().param.unwrap(),
            "prompt"
        );
        assert!(PageReport::read(&vec![b' '; MAX_REPORT_BYTES + 1]).is_err());
    }

    #[test]
    fn of_an_error_only_what_nobody_wrote_is_told_on() {
        let error = |kind: &str, message: &str, stack: &str| PageError {
            kind: kind.into(),
            message: message.into(),
            stack: stack.into(),
            page: PageName::Chat,
        };
        let seen = error(
            "TypeError",
            "Cannot read properties of undefined (reading 'my secret')",
            "TypeError: my secret\n    at Xe (https://chat.example.org/assets/ChatPage-a1B2_c3-.js:12:345)\n\
             mysecret@https://chat.example.org/assets/index-12345678.js:1:2\n\
             at https://evil.example/assets/../my-secret.js:1:1",
        );
        assert_eq!(seen.plain_kind(), "TypeError");
        assert_eq!(seen.plain_message(), "Cannot read properties of undefined");
        let frames: Vec<String> = seen
            .frames()
            .iter()
            .map(|f| format!("{}:{}:{}", f.file, f.line, f.column))
            .collect();
        assert_eq!(frames, ["ChatPage-a1B2_c3-.js:12:345", "index-12345678.js:1:2"]);
        let other = error("MySecret", "my secret", "");
        assert_eq!(other.plain_kind(), "Error");
        assert_eq!(other.plain_message(), "(message withheld)");
        let react = error(
            "Error",
            "Minified React error #310; visit https://react.dev/errors/310?x=my%20secret",
            "",
        );
        assert_eq!(react.plain_message(), "Minified React error #310");
        let json = error(
            "SyntaxError",
            "Unexpected token 'm', \"my secret\" is not valid JSON",
            "",
        );
        assert_eq!(json.plain_message(), "is not valid JSON");
    }
}

//! Reads a JSON object field by field. Unlike a derived deserialiser it can say which field is at fault,
//! tells an absent field from `null`, and checks limits on the way.

use goblin_auth::password::Password;
use goblin_core::clock::Timestamp;
use goblin_core::conversation::Parameters;
use goblin_core::error::ApiError;
use goblin_core::id::is_id;
use goblin_core::limits::{MAX_JSON_DEPTH, MAX_MAX_TOKENS, MAX_STOP_BYTES, MAX_STOPS};
use goblin_core::wire::json::depth_within;
use serde_json::{Map, Value};

/// Most characters of a model's name.
pub(crate) const MAX_MODEL_CHARS: usize = 256;
/// Most bytes of a key of a provider; what is taken as one is shorter.
pub(crate) const MAX_KEY_BYTES: usize = 4 * 1024;

/// Most bytes of a field that holds a password; what is taken as one has a narrower bound.
const MAX_PASSWORD_FIELD_BYTES: usize = 16 * 1024;

/// What a field of a change says: leave it, clear it, or set it. The outer `None` is an absent field, the
/// inner one is `null`.
pub(crate) type Change<T> = Option<Option<T>>;

/// A JSON object being read.
#[derive(Debug)]
pub(crate) struct Fields {
    object: Map<String, Value>,
    prefix: &'static str,
}

impl Fields {
    /// Parses a request body. An empty body counts as `{}`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self {
                object: Map::new(),
                prefix: "",
            });
        }
        if !depth_within(body, MAX_JSON_DEPTH) {
            let message =
                format!("The body is nested deeper than {MAX_JSON_DEPTH} arrays and objects. Flatten it.");
            return Err(ApiError::invalid("body", message));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Ok(Self { object, prefix: "" }),
            Ok(_) => Err(ApiError::invalid(
                "body",
                "The request body must be a JSON object.",
            )),
            Err(e) => Err(ApiError::invalid_json(e)),
        }
    }

    /// Parses a request body that is JSON, or a form when `content_type` says so: what old clients sign in with. What
    /// begins like an object is JSON all the same, for curl calls everything a form.
    pub(crate) fn parse_json_or_form(content_type: Option<&str>, body: &[u8]) -> Result<Self, ApiError> {
        let kind = content_type
            .and_then(|t| t.split(';').next())
            .unwrap_or("")
            .trim();
        let is_object = body.trim_ascii_start().starts_with(b"{");
        if is_object || !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Self::parse(body);
        }
        let mut object = Map::new();
        for (name, value) in form_urlencoded::parse(body) {
            if object
                .insert(name.to_string(), Value::String(value.into_owned()))
                .is_some()
            {
                let shown: String = name.chars().take(100).collect();
                let message = format!("`{shown}` is given twice.");
                return Err(ApiError::invalid(shown, message));
            }
        }
        // Beside name and password, forms of OAuth's password grant have these.
        for of_oauth in ["grant_type", "scope", "client_id", "client_secret"] {
            object.shift_remove(of_oauth);
        }
        Ok(Self { object, prefix: "" })
    }

    fn name(&self, field: &str) -> String {
        format!("{}{field}", self.prefix)
    }

    pub(crate) fn wrong(&self, field: &str, must: &str) -> ApiError {
        let name = self.name(field);
        let message = format!("`{name}` must be {must}.");
        ApiError::invalid(name, message)
    }

    /// Refuses whatever was not read, naming it.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        match self.object.keys().next() {
            None => Ok(()),
            Some(unknown) => {
                let shown: String = unknown.chars().take(100).collect();
                let name = self.name(&shown);
                let message = format!("There is no field `{name}`. Check its spelling.");
                Err(ApiError::invalid(name, message))
            }
        }
    }

    /// Takes a text of `least` to `most` in `unit`, or `null`.
    fn text(
        &mut self,
        field: &str,
        least: usize,
        most: usize,
        unit: Unit,
    ) -> Result<Change<String>, ApiError> {
        let text = match self.object.shift_remove(field) {
            None => return Ok(None),
            Some(Value::Null) => return Ok(Some(None)),
            Some(Value::String(text)) => text,
            Some(_) => return Err(self.wrong(field, "a text")),
        };
        let size = match unit {
            Unit::Characters => text.chars().count(),
            Unit::Bytes => text.len(),
        };
        if size > most {
            return Err(self.wrong(
                field,
                &format!("at most {most} {} long; it has {size}", unit.word()),
            ));
        }
        if text.trim().is_empty() && least > 0 {
            return Err(self.wrong(field, "a text that is not empty"));
        }
        if text.contains('\0') {
            return Err(self.wrong(field, "free of NUL characters"));
        }
        Ok(Some(Some(text)))
    }

    /// A short text (a title, a folder, a model name): 1 to `most` characters. `null` clears.
    pub(crate) fn label(&mut self, field: &str, most: usize) -> Result<Change<String>, ApiError> {
        self.text(field, 1, most, Unit::Characters)
    }

    /// A long text of at most `most` bytes. `null` clears.
    pub(crate) fn long_text(&mut self, field: &str, most: usize) -> Result<Change<String>, ApiError> {
        self.text(field, 0, most, Unit::Bytes)
    }

    /// The password of whoever asks, where it is given.
    pub(crate) fn presented_password(&mut self, field: &'static str) -> Result<Option<Password>, ApiError> {
        let given = self.long_text(field, MAX_PASSWORD_FIELD_BYTES)?.flatten();
        given.map(|text| Password::presented(field, &text)).transpose()
    }

    /// A long text that must be there and not be empty, of at most `most` bytes.
    pub(crate) fn required_text(&mut self, field: &str, most: usize) -> Result<String, ApiError> {
        match self.text(field, 1, most, Unit::Bytes)? {
            Some(Some(text)) => Ok(text),
            Some(None) | None => Err(self.wrong(field, "given: a text that is not empty")),
        }
    }

    /// An object that must be there, as it came.
    pub(crate) fn required_object(&mut self, field: &str) -> Result<Value, ApiError> {
        match self.object.shift_remove(field) {
            Some(object @ Value::Object(_)) => Ok(object),
            Some(_) | None => Err(self.wrong(field, "given: an object")),
        }
    }

    /// A switch, or `null`.
    pub(crate) fn switch(&mut self, field: &str) -> Result<Change<bool>, ApiError> {
        match self.object.shift_remove(field) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::Bool(on)) => Ok(Some(Some(on))),
            Some(_) => Err(self.wrong(field, "true or false")),
        }
    }

    /// A list of at most `most` texts, each of at most `bytes`, or `null`.
    pub(crate) fn texts(
        &mut self,
        field: &str,
        most: usize,
        bytes: usize,
    ) -> Result<Change<Vec<String>>, ApiError> {
        let must = format!("a list of at most {most} texts of 1 to {bytes} bytes");
        let items = match self.object.shift_remove(field) {
            None => return Ok(None),
            Some(Value::Null) => return Ok(Some(None)),
            Some(Value::Array(items)) if items.len() <= most => items,
            Some(_) => return Err(self.wrong(field, &must)),
        };
        let text = |item: Value| match item {
            Value::String(s) if !s.is_empty() && s.len() <= bytes && !s.contains('\0') => Some(s),
            _ => None,
        };
        let texts: Option<Vec<String>> = items.into_iter().map(text).collect();
        texts
            .map(|all| Some(Some(all)))
            .ok_or_else(|| self.wrong(field, &must))
    }

    /// A moment as RFC 3339 has it, or `null`.
    pub(crate) fn moment(&mut self, field: &str) -> Result<Change<Timestamp>, ApiError> {
        let must = "a moment like 2027-01-31T12:00:00Z, or null";
        match self.object.shift_remove(field) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) => match Timestamp::parse_rfc3339(&text) {
                Some(moment) => Ok(Some(Some(moment))),
                None => Err(self.wrong(field, must)),
            },
            Some(_) => Err(self.wrong(field, must)),
        }
    }

    /// An object within, whose fields are named with `prefix` (the field's name and a dot) in errors, or `null`.
    pub(crate) fn object(&mut self, field: &str, prefix: &'static str) -> Result<Change<Fields>, ApiError> {
        match self.object.shift_remove(field) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::Object(object)) => Ok(Some(Some(Fields { object, prefix }))),
            Some(_) => Err(self.wrong(field, "an object, or null")),
        }
    }

    /// A number, or `null`.
    pub(crate) fn real(&mut self, field: &str, least: f64, most: f64) -> Result<Option<f64>, ApiError> {
        match self.object.shift_remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64() {
                Some(n) if n >= least && n <= most => Ok(Some(n)),
                _ => Err(self.wrong(field, &format!("a number from {least} to {most}"))),
            },
        }
    }

    /// Is the field there?
    pub(crate) fn has(&self, field: &str) -> bool {
        self.object.contains_key(field)
    }

    /// An id, or `null`.
    pub(crate) fn id(&mut self, field: &str) -> Result<Change<String>, ApiError> {
        match self.object.shift_remove(field) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(id)) if is_id(&id) => Ok(Some(Some(id))),
            Some(_) => Err(self.wrong(field, "an id as this server makes them (a UUID), or null")),
        }
    }

    /// A list of at most `most` ids, none of them twice; absent and `null` are the same.
    pub(crate) fn ids(&mut self, field: &str, most: usize) -> Result<Option<Vec<String>>, ApiError> {
        let must = format!("a list of at most {most} ids as this server makes them (UUIDs), each once");
        let mut ids: Vec<String> = Vec::new();
        let items = match self.object.shift_remove(field) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(items)) if items.len() <= most => items,
            Some(_) => return Err(self.wrong(field, &must)),
        };
        for item in items {
            match item {
                Value::String(id) if is_id(&id) && !ids.contains(&id) => ids.push(id),
                _ => return Err(self.wrong(field, &must)),
            }
        }
        Ok(Some(ids))
    }

    /// `parameters`: sampling settings, each in its range. `null` clears.
    pub(crate) fn parameters(&mut self) -> Result<Change<Parameters>, ApiError> {
        let object = match self.object.shift_remove("parameters") {
            None => return Ok(None),
            Some(Value::Null) => return Ok(Some(None)),
            Some(Value::Object(object)) => object,
            Some(_) => return Err(self.wrong("parameters", "an object")),
        };
        let mut inner = Fields {
            object,
            prefix: "parameters.",
        };
        let parameters = Parameters {
            temperature: inner.float("temperature", 0.0, 2.0)?,
            top_p: inner.float("top_p", 0.0, 1.0)?,
            top_k: inner.whole("top_k", 0, 1000)?.and_then(|n| u32::try_from(n).ok()),
            min_p: inner.float("min_p", 0.0, 1.0)?,
            max_tokens: inner
                .whole("max_tokens", 1, u64::from(MAX_MAX_TOKENS))?
                .and_then(|n| u32::try_from(n).ok()),
            // The store keeps whole numbers in 64 bits with a sign.
            seed: inner.whole("seed", 0, i64::MAX.unsigned_abs())?,
            stop: inner.stops()?,
            presence_penalty: inner.float("presence_penalty", -2.0, 2.0)?,
            frequency_penalty: inner.float("frequency_penalty", -2.0, 2.0)?,
        };
        inner.finish()?;
        Ok(Some(Some(parameters)))
    }

    fn float(&mut self, field: &str, least: f32, most: f32) -> Result<Option<f32>, ApiError> {
        match self.object.shift_remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64() {
                #[allow(
                    clippy::cast_possible_truncation,
                    reason = "the range is a few units around zero"
                )]
                Some(n) if n >= f64::from(least) && n <= f64::from(most) => Ok(Some(n as f32)),
                _ => Err(self.wrong(field, &format!("a number from {least} to {most}"))),
            },
        }
    }

    /// A whole number, or `null`.
    pub(crate) fn whole(&mut self, field: &str, least: u64, most: u64) -> Result<Option<u64>, ApiError> {
        match self.object.shift_remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64() {
                Some(n) if (least..=most).contains(&n) => Ok(Some(n)),
                _ => Err(self.wrong(field, &format!("a whole number from {least} to {most}"))),
            },
        }
    }

    fn stops(&mut self) -> Result<Vec<String>, ApiError> {
        let must = format!("a list of at most {MAX_STOPS} texts of 1 to {MAX_STOP_BYTES} bytes");
        let items = match self.object.shift_remove("stop") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) if items.len() <= MAX_STOPS => items,
            Some(_) => return Err(self.wrong("stop", &must)),
        };
        let text = |item: Value| match item {
            Value::String(s) if !s.is_empty() && s.len() <= MAX_STOP_BYTES && !s.contains('\0') => Some(s),
            _ => None,
        };
        items
            .into_iter()
            .map(text)
            .collect::<Option<_>>()
            .ok_or_else(|| self.wrong("stop", &must))
    }
}

#[derive(Clone, Copy)]
enum Unit {
    Characters,
    Bytes,
}

impl Unit {
    fn word(self) -> &'static str {
        match self {
            Self::Characters => "characters",
            Self::Bytes => "bytes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param_of(body: &str, read: impl FnOnce(&mut Fields) -> Result<(), ApiError>) -> Option<String> {
        let mut fields = Fields::parse(body.as_bytes()).unwrap();
        read(&mut fields)
            .and_then(|()| fields.finish())
            .err()
            .and_then(|e| e.param)
    }

    #[test]
    fn each_parameter_out_of_range_is_named() {
        let cases = [
            (r#"{"temperature":99}"#, "parameters.temperature"),
            (r#"{"temperature":"hot"}"#, "parameters.temperature"),
            (r#"{"top_p":1.5}"#, "parameters.top_p"),
            (r#"{"top_k":-1}"#, "parameters.top_k"),
            (r#"{"min_p":2}"#, "parameters.min_p"),
            (r#"{"max_tokens":-5}"#, "parameters.max_tokens"),
            (r#"{"max_tokens":0}"#, "parameters.max_tokens"),
            (r#"{"seed":1.5}"#, "parameters.seed"),
            (r#"{"stop":"x"}"#, "parameters.stop"),
            (r#"{"stop":[""]}"#, "parameters.stop"),
            (r#"{"presence_penalty":-3}"#, "parameters.presence_penalty"),
            (r#"{"frequency_penalty":3}"#, "parameters.frequency_penalty"),
            (r#"{"temprature":1}"#, "parameters.temprature"),
        ];
        for (inner, param) in cases {
            let body = format!(r#"{{"parameters":{inner}}}"#);
            let named = param_of(&body, |f| f.parameters().map(|_| ()));
            assert_eq!(named.as_deref(), Some(param), "{inner}");
        }
    }

    #[test]
    fn absent_null_and_set_are_three_things() {
        let mut fields = Fields::parse(br#"{"title":null,"folder":"work"}"#).unwrap();
        assert_eq!(fields.label("title", 200).unwrap(), Some(None));
        assert_eq!(
            fields.label("folder", 200).unwrap(),
            Some(Some("work".to_owned()))
        );
        assert_eq!(fields.label("model", 200).unwrap(), None);
        assert!(fields.finish().is_ok());
    }

    #[test]
    fn texts_are_bounded_and_free_of_nul() {
        let long = format!(r#"{{"title":"{}"}}"#, "ü".repeat(201));
        assert_eq!(
            param_of(&long, |f| f.label("title", 200).map(|_| ())).as_deref(),
            Some("title")
        );
        let nul = r#"{"content":"a\u0000b"}"#;
        assert_eq!(
            param_of(nul, |f| f.required_text("content", 9).map(|_| ())).as_deref(),
            Some("content")
        );
        let blank = r#"{"content":"  "}"#;
        assert_eq!(
            param_of(blank, |f| f.required_text("content", 9).map(|_| ())).as_deref(),
            Some("content")
        );
    }
}

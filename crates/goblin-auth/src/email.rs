//! E-mail addresses: which are taken, and when two are the same.
//!
//! Compared are Unicode NFC in lower case and the domain as ASCII (IDNA), so that nobody gets a second account, or
//! somebody else's, by writing an address otherwise. Whoever is written to is written to at the address that was
//! kept, never at one just typed: an address that only folds to the same text gets nothing.

use goblin_core::error::ApiError;
use unicode_normalization::UnicodeNormalization;
use url::Host;

/// Most bytes of an address (RFC 5321 §4.5.3.1.3 less its angle brackets).
const MAX_BYTES: usize = 254;
/// Most bytes before the `@` (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;

/// An address that is fit to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    canonical: String,
    typed: String,
}

impl Email {
    /// Reads an address as a person types it; white space around it does not count.
    ///
    /// # Errors
    /// 422 naming `email`.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let refused = |why: &str| {
            Err(ApiError::invalid(
                "email",
                format!("`email` must be an address: {why}."),
            ))
        };
        let typed = text.trim();
        if typed.len() > MAX_BYTES {
            return refused(&format!("it is longer than {MAX_BYTES} bytes"));
        }
        let whole: String = typed.nfc().collect();
        if whole.chars().any(is_invisible) {
            return refused("it holds spaces, control or invisible characters");
        }
        let Some((local, domain)) = whole.rsplit_once('@') else {
            return refused("it has no `@`");
        };
        if local.is_empty() || local.len() > MAX_LOCAL_BYTES {
            return refused(&format!("before the `@` stand 1 to {MAX_LOCAL_BYTES} bytes"));
        }
        if !local.chars().all(is_of_local_part)
            || local.starts_with('.')
            || local.ends_with('.')
            || local.contains("..")
        {
            return refused("what stands before the `@` is not written as addresses are");
        }
        let Some(domain) = ascii_domain(domain) else {
            return refused("what follows the `@` is not the name of a domain");
        };
        let local: String = local.to_lowercase().nfc().collect();
        Ok(Self {
            canonical: format!("{local}@{domain}"),
            typed: whole,
        })
    }

    /// The form that is compared.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The form that is shown and written to.
    pub fn typed(&self) -> &str {
        &self.typed
    }
}

/// Characters of an address that is not quoted (RFC 5322 `atext`, RFC 6531 letters beyond ASCII).
fn is_of_local_part(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c) || (!c.is_ascii() && !is_invisible(c))
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffd}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// The domain in ASCII and lower case; `None` when it is an address of the network, or no name.
fn ascii_domain(text: &str) -> Option<String> {
    if text.is_empty() || text.contains(['%', '[', ':']) {
        return None;
    }
    let Host::Domain(name) = Host::parse(text).ok()? else {
        return None;
    };
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (name.len() <= 253 && name.split('.').all(fits)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Option<String> {
        Email::parse(text).ok().map(|e| e.canonical)
    }

    #[test]
    fn the_same_address_written_otherwise_is_the_same() {
        let all = [
            ("Ada@Example.ORG", "ada@example.org"),
            ("  ada@example.org\t", "ada@example.org"),
            // é composed and decomposed.
            ("andr\u{e9}@example.org", "andr\u{e9}@example.org"),
            ("andre\u{301}@example.org", "andr\u{e9}@example.org"),
            ("ANDR\u{c9}@example.org", "andr\u{e9}@example.org"),
            // The Kelvin sign is a K.
            ("\u{212a}im@example.org", "kim@example.org"),
            ("ada@b\u{fc}cher.example", "ada@xn--bcher-kva.example"),
            ("ada@B\u{dc}CHER.example", "ada@xn--bcher-kva.example"),
            ("ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
            // Letters of full width in the domain.
            ("ada@\u{ff45}xample.org", "ada@example.org"),
            ("ada+goblin@localhost", "ada+goblin@localhost"),
        ];
        for (typed, expected) in all {
            assert_eq!(canonical(typed).as_deref(), Some(expected), "{typed:?}");
        }
        let email = Email::parse(" Ada@Example.org ").unwrap();
        assert_eq!(email.typed(), "Ada@Example.org", "shown as it was typed");
    }

    #[test]
    fn what_only_looks_the_same_is_another_address() {
        // A dotless i, a Cyrillic a, a long s.
        for other in ["m\u{131}ke@example.org", "\u{430}da@example.org"] {
            let read = canonical(other);
            assert!(read.is_some());
            assert!(
                !["mike@example.org", "ada@example.org"].contains(&read.as_deref().unwrap()),
                "{other}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused_naming_the_field() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long = format!("a@{}.org", "b".repeat(260));
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@@example.org",
            "a b@example.org",
            "ada@exa mple.org",
            "ada\0@example.org",
            "ada\r\nBcc: eve@example.org",
            "ada@example.org\r\n",
            "\u{202e}ada@example.org",
            "ad\u{200b}a@example.org",
            "ad\u{e0061}a@example.org",
            "ada@127.0.0.1",
            "ada@[127.0.0.1]",
            "ada@0x7f.1",
            "ada@ex%61mple.org",
            "ada@example..org",
            "ada@-example.org",
            "ada@exam_ple.org",
            ".ada@example.org",
            "a..da@example.org",
            "\"a\"@example.org",
            "<ada@example.org>",
            "ada@example.org,eve@example.org",
            "' OR '1'='1' --@example.org",
            long_local.as_str(),
            long.as_str(),
        ] {
            // White space around it does not count; what is left must still be refused or sound.
            if bad.trim() == "ada@example.org" {
                assert!(Email::parse(bad).is_ok());
                continue;
            }
            let error = Email::parse(bad).expect_err(bad);
            assert_eq!(
                (error.param.as_deref(), error.status(true)),
                (Some("email"), 422),
                "{bad:?}"
            );
            assert!(!error.message.contains("eve"), "{}", error.message);
        }
    }
}

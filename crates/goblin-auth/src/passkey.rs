//! Passkeys (WebAuthn Level 3): what an authenticator is asked, and whether what it answers is right. Made of
//! `webauthn-rs`, without I/O.
//!
//! A passkey is bound to a host, the relying party's id. Every ceremony asks for one the authenticator finds by itself
//! (discoverable), and for a check of who holds it (user verification). Where authenticators come from is not asked.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use goblin_core::error::ApiError;
use goblin_store::passkeys::PasskeyRow;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::{Host, Url};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

/// How long somebody has to find the authenticator.
pub const CEREMONY_LIFETIME: Duration = Duration::from_secs(300);
/// What authenticators show of us beside the host.
const NAME: &str = "Goblin";

/// Who asks for passkeys: a host, and the pages on it.
#[derive(Clone)]
pub struct RelyingParty {
    host: String,
    origins: Vec<String>,
    webauthn: Webauthn,
}

impl fmt::Debug for RelyingParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelyingParty")
            .field("host", &self.host)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}

/// What begins a ceremony.
#[derive(Debug)]
pub(crate) struct Asked {
    /// For `navigator.credentials`, as JSON has it.
    pub(crate) options: Value,
    /// What the answer is held against.
    pub(crate) state_json: String,
}

/// A passkey just made.
#[derive(Debug)]
pub(crate) struct Made {
    /// The credential's id, as base64url.
    pub(crate) credential_id: String,
    /// Public key, counter and flags.
    pub(crate) credential_json: String,
}

/// Why an answer of an authenticator is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Its counter went back: two must have the passkey.
    Copied,
    /// A sentence, and what `webauthn-rs` says, for the log.
    Wrong(String, String),
}

impl RelyingParty {
    /// Who asks where the page is at `origins`, the canonical one first, or with none of them at this machine's `port`.
    ///
    /// # Errors
    /// Why there can be no passkeys there.
    pub fn of(origins: &[String], port: u16) -> Result<Self, String> {
        let own = [format!("http://localhost:{port}")];
        let origins: &[String] = if origins.is_empty() { &own } else { origins };
        let first = origins.first().map_or("", String::as_str);
        let host = passkey_host(first).ok_or_else(|| {
            format!("{first} can have no passkeys: browsers give them to names, by https or on localhost")
        })?;
        let fits = |origin: &&String| {
            passkey_host(origin).is_some_and(|other| {
                other == host || other.strip_suffix(&host).is_some_and(|rest| rest.ends_with('.'))
            })
        };
        let origins: Vec<String> = origins
            .iter()
            .filter(fits)
            .map(|origin| origin.trim_end_matches('/').to_owned())
            .collect();
        let urls: Vec<Url> = origins
            .iter()
            .filter_map(|origin| Url::parse(origin).ok())
            .collect();
        let unfit = |error: WebauthnError| format!("{first} can have no passkeys: {error:?}");
        let (first_url, others) = urls
            .split_first()
            .ok_or_else(|| format!("{first} is no address"))?;
        let builder = WebauthnBuilder::new(&host, first_url).map_err(unfit)?;
        let builder = others
            .iter()
            .fold(builder, |builder, other| builder.append_allowed_origin(other));
        let webauthn = builder
            .rp_name(NAME)
            .timeout(CEREMONY_LIFETIME)
            .build()
            .map_err(unfit)?;
        Ok(Self {
            host,
            origins,
            webauthn,
        })
    }

    /// The host passkeys are bound to.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The pages on which passkeys can be made and used.
    pub fn origins(&self) -> &[String] {
        &self.origins
    }

    /// Asks for a passkey to be made: not one of `known`, which are of the same account.
    ///
    /// # Errors
    /// 500.
    pub(crate) fn ask_for_new(
        &self,
        handle: Uuid,
        email: &str,
        name: Option<&str>,
        known: &[PasskeyRow],
    ) -> Result<Asked, ApiError> {
        let known = known
            .iter()
            .filter_map(|row| URL_SAFE_NO_PAD.decode(&row.credential_id).ok());
        let called = name.filter(|name| !name.is_empty()).unwrap_or(email);
        let (challenge, state) = self
            .webauthn
            .start_passkey_registration(handle, email, called, Some(known.collect()))
            .map_err(failed)?;
        let mut options = serde_json::to_value(challenge.public_key).map_err(ApiError::internal)?;
        // The library leaves it to the authenticator whether it will find the passkey by itself.
        options["authenticatorSelection"]["residentKey"] = "required".into();
        options["authenticatorSelection"]["requireResidentKey"] = true.into();
        Ok(Asked {
            options,
            state_json: written(&state)?,
        })
    }

    /// Takes a passkey that was made.
    pub(crate) fn take_new(
        &self,
        state_json: &str,
        answer: &RegisterPublicKeyCredential,
    ) -> Result<Made, Denied> {
        let state: PasskeyRegistration = read(state_json)?;
        let passkey = self
            .webauthn
            .finish_passkey_registration(answer, &state)
            .map_err(|error| self.denied(&error))?;
        Ok(Made {
            credential_id: URL_SAFE_NO_PAD.encode(passkey.cred_id()),
            credential_json: written(&passkey).map_err(|e| unreadable(&e))?,
        })
    }

    /// Asks for any passkey of ours.
    ///
    /// # Errors
    /// 500.
    pub(crate) fn ask_for_any(&self) -> Result<Asked, ApiError> {
        let (challenge, state) = self
            .webauthn
            .start_discoverable_authentication()
            .map_err(failed)?;
        Ok(Asked {
            options: serde_json::to_value(challenge.public_key).map_err(ApiError::internal)?,
            state_json: written(&state)?,
        })
    }

    /// Holds a passkey that was used against `kept`. Returns what is kept from now on.
    pub(crate) fn check(
        &self,
        state_json: &str,
        answer: &PublicKeyCredential,
        kept: &PasskeyRow,
    ) -> Result<String, Denied> {
        let of_account = answer
            .get_user_unique_id()
            .and_then(|handle| Uuid::from_slice(handle).ok())
            .is_some_and(|handle| handle.to_string() == kept.user_handle);
        if !of_account {
            return Err(Denied::Wrong(
                "It is of another account than the authenticator says.".to_owned(),
                "the user handle is of another account".to_owned(),
            ));
        }
        let state: DiscoverableAuthentication = read(state_json)?;
        let mut passkey: Passkey = read(&kept.credential_json)?;
        let result = self
            .webauthn
            .finish_discoverable_authentication_v2(answer, state, &passkey)
            .map_err(|error| self.denied(&error))?;
        if passkey.update_credential(&result) == Some(true) {
            return written(&passkey).map_err(|e| unreadable(&e));
        }
        Ok(kept.credential_json.clone())
    }

    /// What is wrong, in words for whoever holds the authenticator.
    fn denied(&self, error: &WebauthnError) -> Denied {
        use WebauthnError as E;
        let said = match error {
            E::CredentialPossibleCompromise => return Denied::Copied,
            E::InvalidClientDataType => {
                "It answers another kind of question: make a passkey, or use one.".to_owned()
            }
            E::MismatchedChallenge => "It answers another challenge. Start again.".to_owned(),
            E::InvalidRPOrigin | E::CredentialCrossOrigin => format!(
                "It comes from another page. Passkeys work here on {}.",
                self.origins.join(" and ")
            ),
            E::InvalidRPIDHash => format!("It is of another site than {}.", self.host),
            E::UserNotPresent | E::UserNotVerified => {
                "The authenticator did not check who holds it. Let it ask for a PIN, a fingerprint or a face."
                    .to_owned()
            }
            E::CredentialExcludedFromRequest => "It is a passkey of this account already.".to_owned(),
            E::CredentialAlteredAlgFromRequest
            | E::CredentialInsecureCryptography
            | E::AttestationNotSupported
            | E::COSEKeyInvalidAlgorithm => {
                "Its kind of key is not taken here. Use another authenticator.".to_owned()
            }
            E::AuthenticationFailure | E::SignatureInvalid => "Its signature is wrong.".to_owned(),
            E::CredentialBackupEligibilityInconsistent | E::CredentialMayNotBeHardwareBound => {
                "It says something else of itself than when it was made. Remove it and make another one."
                    .to_owned()
            }
            _ => "It is not written as WebAuthn has it.".to_owned(),
        };
        Denied::Wrong(said, format!("{error:?}"))
    }
}

/// Reads what a browser gives for a passkey that was made or used.
///
/// # Errors
/// 422 naming `credential`.
pub(crate) fn credential<T: DeserializeOwned>(given: Value) -> Result<T, ApiError> {
    serde_json::from_value(given).map_err(|_| {
        ApiError::invalid(
            "credential",
            "`credential` must be what `navigator.credentials` gave, as its `toJSON()` writes it.",
        )
    })
}

/// The host of an origin that browsers give passkeys to.
fn passkey_host(origin: &str) -> Option<String> {
    let url = Url::parse(origin).ok()?;
    let Some(Host::Domain(name)) = url.host() else {
        return None;
    };
    let is_here = name == "localhost" || name.ends_with(".localhost");
    (url.scheme() == "https" || (url.scheme() == "http" && is_here)).then(|| name.to_owned())
}

fn failed(error: WebauthnError) -> ApiError {
    ApiError::internal(format!("webauthn: {error:?}"))
}

fn written(state: &impl serde::Serialize) -> Result<String, ApiError> {
    serde_json::to_string(state).map_err(ApiError::internal)
}

fn read<T: DeserializeOwned>(kept: &str) -> Result<T, Denied> {
    serde_json::from_str(kept).map_err(|error| unreadable(&error))
}

fn unreadable(error: &impl fmt::Debug) -> Denied {
    Denied::Wrong(
        "It was kept by another release and cannot be read. Make another one.".to_owned(),
        format!("{error:?}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(origins: &[&str]) -> Result<RelyingParty, String> {
        let origins: Vec<String> = origins.iter().map(|&origin| origin.to_owned()).collect();
        RelyingParty::of(&origins, 8001)
    }

    #[test]
    fn the_first_page_names_the_host_and_its_neighbours_share_it() {
        for (origins, host, shared) in [
            (&[][..], "localhost", &["http://localhost:8001"][..]),
            (
                &["https://chat.example.org/"],
                "chat.example.org",
                &["https://chat.example.org"],
            ),
            (
                &[
                    "https://example.org",
                    "https://chat.example.org:8443",
                    "https://badexample.org",
                    "http://example.org",
                    "https://elsewhere.net",
                    "https://192.0.2.7",
                ],
                "example.org",
                &["https://example.org", "https://chat.example.org:8443"],
            ),
            (
                &["http://localhost:5173"],
                "localhost",
                &["http://localhost:5173"],
            ),
        ] {
            let party = of(origins).unwrap();
            assert_eq!(
                (party.host(), party.origins().len()),
                (host, shared.len()),
                "{origins:?}"
            );
            assert_eq!(party.origins(), shared);
        }
    }

    #[test]
    fn where_browsers_have_no_passkeys_there_are_none() {
        for origin in [
            "http://chat.example.org",
            "http://192.168.1.7:8001",
            "https://192.168.1.7",
            "http://127.0.0.1:8001",
            "https://[2001:db8::1]",
            "chat.example.org",
            "",
        ] {
            let why = of(&[origin]).unwrap_err();
            assert!(why.contains("no passkeys"), "{origin}: {why}");
        }
    }

    #[test]
    fn a_new_passkey_must_be_found_by_itself_and_ask_who_holds_it() {
        let party = of(&[]).unwrap();
        let handle = Uuid::from_bytes([7; 16]);
        let asked = party.ask_for_new(handle, "ada@example.org", None, &[]).unwrap();
        let options = &asked.options;
        let selection = &options["authenticatorSelection"];
        assert_eq!(selection["residentKey"], "required");
        assert_eq!(selection["requireResidentKey"], true);
        assert_eq!(selection["userVerification"], "required");
        assert_eq!(options["rp"]["id"], "localhost");
        assert_eq!(options["attestation"], "none");
        assert_eq!(options["user"]["id"], URL_SAFE_NO_PAD.encode([7; 16]));
        assert_eq!(
            (&options["user"]["name"], &options["user"]["displayName"]),
            (&"ada@example.org".into(), &"ada@example.org".into())
        );
        assert_eq!(options["timeout"], 300_000);
    }

    #[test]
    fn any_passkey_may_sign_in_but_only_verified_and_no_challenge_comes_twice() {
        let party = of(&[]).unwrap();
        let (a, b) = (party.ask_for_any().unwrap(), party.ask_for_any().unwrap());
        assert_eq!(a.options["allowCredentials"], serde_json::json!([]));
        assert_eq!(a.options["userVerification"], "required");
        assert_eq!(a.options["rpId"], "localhost");
        let challenge = a.options["challenge"].as_str().unwrap();
        assert!(URL_SAFE_NO_PAD.decode(challenge).unwrap().len() >= 16);
        assert_ne!(a.options["challenge"], b.options["challenge"]);
    }

    #[test]
    fn every_refusal_says_what_is_wrong_and_nothing_of_the_inside() {
        let party = of(&["https://chat.example.org"]).unwrap();
        for (error, word) in [
            (WebauthnError::MismatchedChallenge, "another challenge"),
            (WebauthnError::InvalidRPOrigin, "https://chat.example.org"),
            (WebauthnError::InvalidRPIDHash, "another site"),
            (WebauthnError::UserNotVerified, "who holds it"),
            (WebauthnError::InvalidClientDataType, "another kind"),
            (WebauthnError::CredentialExcludedFromRequest, "already"),
            (WebauthnError::AuthenticationFailure, "signature"),
            (WebauthnError::ParseNOMFailure, "not written"),
        ] {
            let Denied::Wrong(said, inside) = party.denied(&error) else {
                panic!("{error:?}")
            };
            assert!(said.contains(word), "{said}");
            assert!(!said.contains(&inside), "{said}");
        }
        assert_eq!(
            party.denied(&WebauthnError::CredentialPossibleCompromise),
            Denied::Copied
        );
    }
}

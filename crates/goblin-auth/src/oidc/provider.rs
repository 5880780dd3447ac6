//! A provider at work: asked what it is, for tokens, and for what it knows of a person.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use goblin_core::clock::{Clock, Timestamp};
use goblin_net::{Guard, HttpClient, NetError, NetOptions, Request, Url as Address};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::discovery::{ClientProof, Discovery, is_near};
use super::id_token::{self, Expected, Proven, is_true};
use super::kept::Kept;
use super::keys::KeySet;
use super::{BadToken, Fault, Proof};

/// How long a discovery document is believed, in milliseconds.
const DISCOVERY_MS: u64 = 3_600_000;
/// How long keys are, in milliseconds: what a provider takes back is soon not good here either.
pub(super) const KEYS_MS: u64 = 600_000;
/// Most bytes of an answer.
const MAX_ANSWER_BYTES: usize = 512 * 1024;
/// Longest wait for an answer, from the connection to its last byte.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which word a sign-in is noted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Google.
    Google,
    /// Any other.
    Other,
}

/// A provider, as the operator names it.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// Its name here: a part of paths.
    pub id: String,
    /// What people know it by.
    pub name: String,
    /// Google or another.
    pub kind: Kind,
    /// Who it is, letter by letter as it writes itself.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// What shows that we are.
    pub client_secret: SecretString,
    /// Where it sends people back to. It knows this address, letter by letter.
    pub redirect_uri: String,
}

impl ProviderSettings {
    /// Google's issuer.
    pub const GOOGLE: &'static str = "https://accounts.google.com";

    /// The issuer in each way it writes itself. Google's tokens once left the scheme out, and may still.
    fn issuers(&self) -> Vec<String> {
        let bare = self.issuer.strip_prefix("https://");
        let other = bare.filter(|_| self.issuer == Self::GOOGLE);
        std::iter::once(self.issuer.as_str())
            .chain(other)
            .map(str::to_owned)
            .collect()
    }
}

/// Why a redirect address cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// Not an address, or with more in it than scheme, host and path.
    #[error("it is no plain address; write scheme, host and path only")]
    Malformed,
    /// Plain http to the internet.
    #[error("it must be https; plain http is for this machine and private networks")]
    NotSecure,
    /// Another path than the one that is answered.
    #[error("its path is another one than goblin answers")]
    Path,
}

/// Checks where a provider is to send people back to; `path` is what is answered here.
///
/// # Errors
/// [`RedirectError`].
pub fn check_redirect(text: &str, path: &str) -> Result<(), RedirectError> {
    let url = Url::parse(text).map_err(|_| RedirectError::Malformed)?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.host().is_some();
    if !is_plain {
        return Err(RedirectError::Malformed);
    }
    match url.scheme() {
        "https" => {}
        "http" if is_near(&url) => {}
        _ => return Err(RedirectError::NotSecure),
    }
    (url.path() == path).then_some(()).ok_or(RedirectError::Path)
}

/// Checks an issuer: https, or plain http on this machine and in private networks; no query, no fragment.
///
/// # Errors
/// A sentence's end: what is wrong with it.
pub fn check_issuer(text: &str) -> Result<(), &'static str> {
    let Ok(url) = Url::parse(text) else {
        return Err("it is no address; write it like https://id.example.org");
    };
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.host().is_some();
    match url.scheme() {
        _ if !is_plain => Err("it must be scheme, host and path only"),
        "https" => Ok(()),
        "http" if is_near(&url) => Ok(()),
        _ => Err("it must be https; plain http is for this machine and private networks"),
    }
}

/// A provider at work.
#[derive(Debug)]
pub struct Provider {
    settings: ProviderSettings,
    issuers: Vec<String>,
    asker: Asker,
    clock: Clock,
    discovery: Kept<Discovery>,
    keys: Kept<KeySet>,
}

/// What the token endpoint gives.
#[derive(Deserialize)]
struct Granted {
    id_token: Option<String>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct GrantRefused {
    error: String,
}

#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    email: Option<String>,
    email_verified: Option<serde_json::Value>,
    name: Option<String>,
}

impl Provider {
    /// A provider; nothing is asked yet.
    ///
    /// # Errors
    /// When a client cannot be set up, or the issuer is no address.
    pub fn build(settings: ProviderSettings, clock: Clock) -> Result<Self, NetError> {
        Ok(Self {
            issuers: settings.issuers(),
            asker: Asker::build(&settings.issuer)?,
            discovery: Kept::new(DISCOVERY_MS, clock.clone()),
            keys: Kept::new(KEYS_MS, clock.clone()),
            settings,
            clock,
        })
    }

    /// Its name here.
    pub fn id(&self) -> &str {
        &self.settings.id
    }

    /// What people know it by.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Who it is.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Where it sends people back to.
    pub fn redirect_uri(&self) -> &str {
        &self.settings.redirect_uri
    }

    /// The word a sign-in is noted by.
    pub fn word(&self) -> &'static str {
        match self.settings.kind {
            Kind::Google => "google",
            Kind::Other => "oidc",
        }
    }

    /// Is it as it should be: its description, and its keys?
    ///
    /// # Errors
    /// [`Fault::Away`] and [`Fault::Unusable`].
    pub async fn look(&self) -> Result<(), Fault> {
        let discovery = self.discovery().await?;
        self.keys.get(self.asker.keys(&discovery.keys)).await?;
        Ok(())
    }

    /// Where a browser is sent to sign in there.
    ///
    /// # Errors
    /// [`Fault::Away`] and [`Fault::Unusable`].
    pub async fn authorization_url(&self, proof: &Proof) -> Result<String, Fault> {
        let discovery = self.discovery().await?;
        let mut url = discovery.authorization.clone();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", &self.settings.redirect_uri),
            ("scope", "openid email profile"),
            ("state", proof.state.expose_secret()),
            ("nonce", &proof.nonce()),
            ("code_challenge", &proof.challenge()),
            ("code_challenge_method", "S256"),
        ]);
        Ok(url.into())
    }

    /// Is what came back with a code from this provider (RFC 9207)?
    ///
    /// # Errors
    /// [`BadToken::Issuer`] when it says, or should have said, that it is another one.
    pub async fn check_sender(&self, iss: Option<&str>) -> Result<(), Fault> {
        let must_say = self.discovery().await?.names_itself;
        let is_ours = match iss {
            Some(iss) => self.issuers.iter().any(|known| known == iss),
            None => !must_say,
        };
        is_ours.then_some(()).ok_or(BadToken::Issuer.into())
    }

    /// Exchanges the code of a sign-in that began at `begun`, and says who it is of.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn redeem(&self, code: &str, proof: &Proof, begun: Timestamp) -> Result<Proven, Fault> {
        let discovery = self.discovery().await?;
        let granted = self.exchange(&discovery, code, proof).await?;
        let token = granted.id_token.ok_or_else(|| {
            Fault::Unusable("it gave no ID token; the client there must be one for OpenID Connect".to_owned())
        })?;
        let nonce = proof.nonce();
        let proven = self.check(&token, Some((&nonce, begun))).await?;
        // Who signs is enough where they are known; their address is asked for where the token does not say it.
        match (&proven.email, discovery.userinfo.as_ref(), granted.access_token) {
            (None, Some(place), Some(access)) => self.with_userinfo(proven, place, &access.into()).await,
            _ => Ok(proven),
        }
    }

    /// What an ID token proves that somebody brings along.
    ///
    /// # Errors
    /// [`Fault::Token`] when it is not good, else as [`Self::redeem`].
    pub async fn check_brought(&self, token: &str) -> Result<Proven, Fault> {
        self.check(token, None).await
    }

    async fn check(&self, token: &str, answers: Option<(&str, Timestamp)>) -> Result<Proven, Fault> {
        let expected = Expected {
            issuers: &self.issuers,
            client_id: &self.settings.client_id,
            answers,
            now: self.clock.now(),
        };
        let discovery = self.discovery().await?;
        let keys = self.keys.get(self.asker.keys(&discovery.keys)).await?;
        match id_token::check(token, &keys, &expected) {
            // The provider may have begun to sign with another key just now.
            Err(BadToken::Key) => {
                let keys = self.keys.renew(self.asker.keys(&discovery.keys)).await?;
                Ok(id_token::check(token, &keys, &expected)?)
            }
            other => Ok(other?),
        }
    }

    async fn discovery(&self) -> Result<std::sync::Arc<Discovery>, Fault> {
        let issuer = &self.settings.issuer;
        let fetch = async {
            let url = Url::parse(&Discovery::place(issuer))
                .map_err(|_| Fault::Unusable("its issuer is no address".to_owned()))?;
            Discovery::parse(&self.asker.fetch(&url).await?, issuer)
        };
        self.discovery.get(fetch).await
    }

    /// What is asked of the token endpoint.
    fn exchange_request(&self, discovery: &Discovery, code: &str, proof: &Proof) -> Result<Request, Fault> {
        let (id, secret) = (&self.settings.client_id, &self.settings.client_secret);
        let verifier = proof.verifier();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.settings.redirect_uri),
            ("code_verifier", verifier.expose_secret()),
        ]);
        let mut request = Request::new(Method::POST, address(&discovery.token)?);
        match discovery.client_proof {
            ClientProof::Header => {
                request.headers.insert(AUTHORIZATION, basic(id, secret)?);
            }
            ClientProof::Body => {
                form.extend_pairs([
                    ("client_id", id.as_str()),
                    ("client_secret", secret.expose_secret()),
                ]);
            }
            ClientProof::Nothing => {
                form.append_pair("client_id", id);
            }
        }
        request.headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        request.body = Bytes::from(form.finish());
        Ok(request)
    }

    async fn exchange(&self, discovery: &Discovery, code: &str, proof: &Proof) -> Result<Granted, Fault> {
        let request = self.exchange_request(discovery, code, proof)?;
        let (status, bytes) = self.asker.ask(&discovery.token, request).await?;
        if status.is_success() {
            return read(&bytes, "its tokens");
        }
        let refused = serde_json::from_slice::<GrantRefused>(&bytes);
        match refused {
            Ok(refused) if refused.error == "invalid_grant" => Err(Fault::Code(refused.error)),
            Ok(refused) => {
                let shown: String = refused
                    .error
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(60)
                    .collect();
                Err(Fault::Unusable(format!(
                    "its token endpoint said {status}, `{shown}`"
                )))
            }
            Err(_) if status == StatusCode::BAD_REQUEST => Err(Fault::Code(status.to_string())),
            Err(_) => Err(Fault::Away(format!("its token endpoint said {status}"))),
        }
    }

    /// Adds what the provider knows beside the token (§5.3).
    async fn with_userinfo(
        &self,
        proven: Proven,
        place: &Url,
        access: &SecretString,
    ) -> Result<Proven, Fault> {
        let mut request = Request::new(Method::GET, address(place)?);
        request.headers.insert(AUTHORIZATION, bearer(access)?);
        let (status, bytes) = self.asker.ask(place, request).await?;
        if !status.is_success() {
            return Err(Fault::Away(format!("its userinfo endpoint said {status}")));
        }
        let info: UserInfo = read(&bytes, "what it knows of the person")?;
        // §5.3.2: an answer about somebody else is not used.
        if info.sub != proven.subject {
            return Err(Fault::Unusable("it told of somebody else".to_owned()));
        }
        Ok(Proven {
            email: info.email,
            email_verified: info.email_verified.as_ref().is_some_and(is_true),
            name: proven.name.or(info.name),
            ..proven
        })
    }
}

/// Asks a provider. Its own host the operator named, so it may be anywhere; what it names itself must be public,
/// unless the provider is within this machine or a private network.
#[derive(Debug)]
pub(super) struct Asker {
    origin: url::Origin,
    is_near: bool,
    own: HttpClient,
    others: HttpClient,
}

impl Asker {
    pub(super) fn build(issuer: &str) -> Result<Self, NetError> {
        let url = Url::parse(issuer).ok();
        let client = |guard: Guard| {
            HttpClient::build(NetOptions {
                guard,
                first_byte_timeout: PATIENCE,
                idle_timeout: PATIENCE,
                max_body_bytes: MAX_ANSWER_BYTES,
                max_idle_per_host: 2,
                ..NetOptions::default()
            })
        };
        Ok(Self {
            is_near: url.as_ref().is_some_and(is_near),
            origin: url.map_or_else(url::Origin::new_opaque, |url| url.origin()),
            own: client(Guard::Operator)?,
            others: client(Guard::Public)?,
        })
    }

    /// Fetches a document.
    pub(super) async fn fetch(&self, url: &Url) -> Result<Bytes, Fault> {
        let request = Request::new(Method::GET, address(url)?);
        match self.ask(url, request).await? {
            (StatusCode::OK, bytes) => Ok(bytes),
            (status, _) => Err(Fault::Away(format!("{} said {status}", shown(url)))),
        }
    }

    /// Fetches a set of keys.
    pub(super) async fn keys(&self, url: &Url) -> Result<KeySet, Fault> {
        let bytes = self.fetch(url).await?;
        KeySet::parse(&bytes).map_err(|why| Fault::Unusable(why.to_owned()))
    }

    /// Asks for an answer's status and body; redirects are not followed.
    pub(super) async fn ask(&self, url: &Url, mut request: Request) -> Result<(StatusCode, Bytes), Fault> {
        request
            .headers
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        let client = match self.is_near || url.origin() == self.origin {
            true => &self.own,
            false => &self.others,
        };
        let asking = async {
            let response = client.send(request).await?;
            let status = response.status;
            Ok::<_, NetError>((status, response.body.collect().await?))
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(answer) => answer.map_err(|error| Fault::Away(error.to_string())),
            Err(_) => Err(Fault::Away(format!("{} took too long", shown(url)))),
        }
    }
}

fn shown(url: &Url) -> String {
    format!("{}{}", url.host_str().unwrap_or_default(), url.path())
}

/// An endpoint as a request wants it. Some have a query of their own.
pub(super) fn address(url: &Url) -> Result<Address, Fault> {
    let mut bare = url.clone();
    bare.set_query(None);
    let address = Address::parse(bare.as_str())
        .map_err(|why| Fault::Unusable(format!("{} cannot be asked: {why}", shown(url))))?;
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    Ok(if pairs.is_empty() {
        address
    } else {
        address.with_query(&pairs)
    })
}

/// RFC 6749 §2.3.1: both parts are written as in a form first.
fn basic(id: &str, secret: &SecretString) -> Result<HeaderValue, Fault> {
    let written = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", written(id), written(secret.expose_secret()));
    sensitive(&format!("Basic {}", STANDARD.encode(pair)))
}

pub(super) fn bearer(token: &SecretString) -> Result<HeaderValue, Fault> {
    sensitive(&format!("Bearer {}", token.expose_secret()))
}

fn sensitive(text: &str) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Fault::Unusable("a secret cannot travel in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

pub(super) fn read<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|_| Fault::Unusable(format!("{what} cannot be read")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_addresses_are_ours_exactly_and_secure() {
        let path = "/auth/google/callback";
        for good in [
            "https://chat.example.org/auth/google/callback",
            "http://127.0.0.1:8001/auth/google/callback",
            "http://localhost:8001/auth/google/callback",
        ] {
            assert_eq!(check_redirect(good, path), Ok(()), "{good}");
        }
        for (bad, why) in [
            (
                "https://chat.example.org/auth/google/callback/",
                RedirectError::Path,
            ),
            ("https://chat.example.org/callback", RedirectError::Path),
            (
                "https://chat.example.org/auth/google/callback?x=1",
                RedirectError::Malformed,
            ),
            (
                "https://u@chat.example.org/auth/google/callback",
                RedirectError::Malformed,
            ),
            (
                "http://chat.example.org/auth/google/callback",
                RedirectError::NotSecure,
            ),
            ("javascript:alert(1)", RedirectError::Malformed),
            ("/auth/google/callback", RedirectError::Malformed),
        ] {
            assert_eq!(check_redirect(bad, path), Err(why), "{bad}");
        }
        assert!(check_issuer("http://127.0.0.1:9000/realm").is_ok());
        for bad in [
            "http://id.example.org",
            "id.example.org",
            "https://id.example.org?x=1",
            "ftp://id",
        ] {
            assert!(check_issuer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_public_provider_names_must_be_public_and_what_a_near_one_names_need_not() {
        let public = Asker::build("https://id.example.org/realm").unwrap();
        let near = Asker::build("http://127.0.0.1:9000").unwrap();
        assert!(!public.is_near && near.is_near);
        let own = Url::parse("https://id.example.org/token").unwrap();
        assert!(own.origin() == public.origin);
        assert!(Url::parse("https://id.example.org:8443/token").unwrap().origin() != public.origin);
    }

    #[tokio::test]
    async fn a_public_provider_cannot_lead_us_into_private_networks() {
        let public = Asker::build("https://id.example.org").unwrap();
        for place in [
            "https://10.0.0.1/jwks",
            "http://127.0.0.1:1/jwks",
            "https://localhost:8443/jwks",
        ] {
            let url = Url::parse(place).unwrap();
            let refused = public.fetch(&url).await.unwrap_err();
            let Fault::Away(why) = refused else {
                panic!("{refused:?}")
            };
            assert!(
                why.contains("addresses given by users") || why.contains("not a public"),
                "{place}: {why}"
            );
        }
        let near = Asker::build("http://127.0.0.1:9000").unwrap();
        let metadata = Url::parse("http://169.254.169.254/jwks").unwrap();
        let refused = near.fetch(&metadata).await.unwrap_err();
        assert!(
            matches!(&refused, Fault::Away(why) if why.contains("metadata")),
            "{refused:?}"
        );
    }

    #[test]
    fn credentials_are_written_as_in_a_form_and_an_endpoint_keeps_its_query() {
        let value = basic("a b", &"s:%".to_owned().into()).unwrap();
        assert_eq!(
            value.to_str().unwrap(),
            format!("Basic {}", STANDARD.encode("a+b:s%3A%25"))
        );
        assert!(value.is_sensitive());
        let url = Url::parse("https://id.example.org/token?p=b2c").unwrap();
        assert_eq!(
            address(&url).unwrap().to_string(),
            "https://id.example.org/token?p=b2c"
        );
    }

    #[test]
    fn google_may_leave_the_scheme_of_its_issuer_out_and_nobody_else() {
        let settings = |issuer: &str| ProviderSettings {
            id: "google".into(),
            name: "Google".into(),
            kind: Kind::Google,
            issuer: issuer.into(),
            client_id: "c".into(),
            client_secret: "s".to_owned().into(),
            redirect_uri: "https://chat.example.org/auth/google/callback".into(),
        };
        assert_eq!(
            settings(ProviderSettings::GOOGLE).issuers(),
            ["https://accounts.google.com", "accounts.google.com"]
        );
        assert_eq!(
            settings("https://id.example.org").issuers(),
            ["https://id.example.org"]
        );
    }
}

//! Signing in at Google, from the button to a session. What Google says is taken from its documents
//! (<https://accounts.google.com/.well-known/openid-configuration> and
//! <https://developers.google.com/identity/openid-connect/openid-connect>), with keys made here; never run against the
//! live service. The issuer is this server's own: an operator cannot name another one for Google.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use goblin_auth::oidc::{Federation, Kind, Provider, ProviderSettings};
use goblin_core::clock::{Clock, Timestamp};
use http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::fake_upstream::{Asked, FakeUpstream, Reply, answer};
use crate::people::{Holds, Person, app_with, cookie_of, from_page, owner};
use crate::test_app::TestApp;

const NOW: Timestamp = Timestamp(1_795_471_200_000);
const CLIENT: &str = "1234567890-goblin.apps.googleusercontent.com";
const REDIRECT: &str = "http://127.0.0.1:8001/auth/google/callback";

/// What Google signs with.
struct Keys {
    private: EncodingKey,
    /// As it publishes it.
    public: Value,
}

impl Keys {
    fn make() -> Self {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
        let point = pair.public_key().as_ref();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Self {
            private: EncodingKey::from_ec_der(document.as_ref()),
            public: json!({"keys": [{
                "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "this-week",
                "x": number(&point[1..33]), "y": number(&point[33..65]),
            }]}),
        }
    }

    /// An ID token about somebody; with a nonce when it answers a sign-in that began here.
    fn id_token(&self, issuer: &str, who: &str, nonce: Option<&str>) -> String {
        let now = NOW.unix_seconds();
        let mut claims = json!({
            "iss": issuer, "azp": CLIENT, "aud": CLIENT, "sub": format!("10769150350006150715{}", who.len()),
            "email": format!("{who}@example.org"), "email_verified": true, "name": who, "given_name": who,
            "iat": now, "exp": now + 3_600,
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let header = Header {
            kid: Some("this-week".to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, &claims, &self.private).unwrap()
    }
}

/// Google as a server. It remembers nothing: a code is the nonce, the challenge and the name it was given for.
async fn google() -> (FakeUpstream, Arc<Keys>) {
    let keys = Arc::new(Keys::make());
    let held = Arc::clone(&keys);
    let server = FakeUpstream::start(move |asked| {
        let (status, body) = says(asked, &held);
        // One answer for each connection, and it says so.
        let kind = "application/json\r\nconnection: close";
        Reply::Bytes(answer(status, kind, &body.to_string()))
    })
    .await;
    (server, keys)
}

fn says(asked: &Asked, keys: &Keys) -> (&'static str, Value) {
    let host = asked.head.lines().find_map(|line| line.strip_prefix("host: "));
    let issuer = format!("http://{}", host.unwrap_or_default().trim());
    match asked.path() {
        "/.well-known/openid-configuration" => (
            "200 OK",
            json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/o/oauth2/v2/auth"),
                "token_endpoint": format!("{issuer}/token"),
                "userinfo_endpoint": format!("{issuer}/v1/userinfo"),
                "jwks_uri": format!("{issuer}/oauth2/v3/certs"),
                "response_types_supported": ["code", "token", "id_token", "none"],
                "subject_types_supported": ["public"],
                "scopes_supported": ["openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "code_challenge_methods_supported": ["plain", "S256"],
            }),
        ),
        "/oauth2/v3/certs" => ("200 OK", keys.public.clone()),
        "/token" => granted(&asked.body, &issuer, keys)
            .map_or(("400 Bad Request", json!({"error": "invalid_grant"})), |tokens| {
                ("200 OK", tokens)
            }),
        _ => ("404 Not Found", json!({"error": "not_found"})),
    }
}

/// The tokens of a code, for whoever knows the verifier behind its challenge.
fn granted(body: &str, issuer: &str, keys: &Keys) -> Option<Value> {
    let given: HashMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let mut parts = given.get("code")?.split('~');
    let (nonce, challenge, who) = (parts.next()?, parts.next()?, parts.next()?);
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(given.get("code_verifier")?.as_bytes()));
    let is_right = digest == challenge
        && given.get("grant_type")? == "authorization_code"
        && given.get("redirect_uri")? == REDIRECT;
    is_right.then(|| {
        json!({
            "access_token": "ya29.of-no-use", "expires_in": 3_599, "token_type": "Bearer",
            "scope": "openid https://www.googleapis.com/auth/userinfo.email",
            "id_token": keys.id_token(issuer, who, Some(nonce)),
        })
    })
}

fn issuer_of(google: &FakeUpstream) -> String {
    format!("http://127.0.0.1:{}", google.port())
}

/// A server with its owner, who invited Ada.
async fn app_with_google(google: &FakeUpstream) -> TestApp {
    let settings = ProviderSettings {
        id: "google".into(),
        name: "Google".into(),
        kind: Kind::Google,
        issuer: issuer_of(google),
        client_id: CLIENT.into(),
        client_secret: "GOCSPX-of-nobody".to_owned().into(),
        redirect_uri: REDIRECT.into(),
    };
    let provider = Provider::build(settings, Clock::manual(NOW)).unwrap();
    let app = app_with(|setup| {
        setup.federation = Federation {
            providers: vec![Arc::new(provider)],
            supabase: None,
        };
    })
    .await;
    let invitation = json!({"email": "ada@example.org", "role": "member"});
    let invited = owner(&app)
        .await
        .post(&app, "/api/invitations", &invitation)
        .await;
    assert_eq!(invited.status, 201);
    app
}

/// On the way to Google: what the browser holds, and what stands in the address it was sent to.
async fn begun(app: &TestApp, google: &FakeUpstream) -> (String, HashMap<String, String>) {
    let mut begun = from_page(app, Method::GET, "/auth/google/url").send().await;
    assert_eq!(begun.status, 200);
    let cookie = cookie_of(&begun).unwrap();
    let url = begun.json().await["url"].as_str().unwrap().to_owned();
    let (place, query) = url.split_once('?').unwrap();
    assert_eq!(place, format!("{}/o/oauth2/v2/auth", issuer_of(google)));
    let asked: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    for (name, value) in [
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "openid email profile"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked[name], value);
    }
    (cookie, asked)
}

/// Comes back from Google as its documents show it: where the page is led, and the session's cookie.
async fn back(
    app: &TestApp,
    cookie: &str,
    asked: &HashMap<String, String>,
    who: &str,
) -> (String, Option<String>) {
    let code = format!("{}~{}~{who}", asked["nonce"], asked["code_challenge"]);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("state", asked["state"].as_str()),
            ("code", code.as_str()),
            ("scope", "openid email profile"),
            ("authuser", "0"),
            ("prompt", "none"),
        ])
        .finish();
    let reply = app
        .call(Method::GET, &format!("/auth/google/callback?{query}"))
        .header("cookie", cookie)
        .header("sec-fetch-site", "cross-site")
        .send()
        .await;
    assert_eq!(reply.status, 302);
    let set = reply.headers.get_all("set-cookie").iter();
    let session = set
        .filter_map(|value| value.to_str().ok()?.split(';').next())
        .find(|pair| pair.starts_with("goblin-sid=") && !pair.ends_with('='));
    (reply.header("location").to_owned(), session.map(str::to_owned))
}

fn holding(cookie: String) -> Person {
    Person {
        id: String::new(),
        holds: Holds::Cookie(cookie),
        refresh: String::new(),
    }
}

#[tokio::test]
async fn somebody_invited_signs_in_at_google_has_a_session_and_is_known_the_next_time() {
    let (google, _keys) = google().await;
    let app = app_with_google(&google).await;
    let (cookie, asked) = begun(&app, &google).await;
    let (place, session) = back(&app, &cookie, &asked, "ada").await;
    assert_eq!(place, "/");
    let ada = holding(session.unwrap());
    let me = ada.get(&app, "/auth/me").await.json().await;
    assert_eq!(
        (&me["email"], &me["name"], &me["role"]),
        (&json!("ada@example.org"), &json!("ada"), &json!("member"))
    );
    let sessions = ada.get(&app, "/api/account/sessions").await.json().await;
    assert_eq!(sessions["items"][0]["signed_in_by"], "google");
    assert_eq!(ada.get(&app, "/api/chats").await.status, 200);

    // What was used is used up, whoever has it.
    let (place, session) = back(&app, &cookie, &asked, "ada").await;
    assert_eq!((place.as_str(), session), ("/?error=expired", None));

    let (cookie, asked) = begun(&app, &google).await;
    let (_, session) = back(&app, &cookie, &asked, "ada").await;
    let again = holding(session.unwrap()).get(&app, "/auth/me").await.json().await;
    assert_eq!(again["id"], me["id"]);

    let (cookie, asked) = begun(&app, &google).await;
    let (place, session) = back(&app, &cookie, &asked, "stranger").await;
    assert_eq!((place.as_str(), session), ("/?error=not_invited", None));
}

#[tokio::test]
async fn an_id_token_of_googles_own_script_signs_in_once() {
    let (google, keys) = google().await;
    let app = app_with_google(&google).await;
    let token = keys.id_token(&issuer_of(&google), "ada", None);
    let body = json!({"credential": token});
    let ada = Person::of(app.post("/auth/google", &body).await).await;
    let me = ada.get(&app, "/auth/me").await.json().await;
    assert_eq!(
        (&me["id"], &me["email"]),
        (&json!(ada.id), &json!("ada@example.org"))
    );
    assert_eq!(
        app.post("/auth/google", &body).await.status,
        403,
        "it is good once"
    );
    let foreign = Keys::make().id_token(&issuer_of(&google), "ada", None);
    let refused = app.post("/auth/google", &json!({"token": foreign})).await;
    assert_eq!(refused.status, 401, "signed by somebody else");
}

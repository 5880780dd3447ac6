//! People who sign in, as the tests play them.

use goblin_auth::visit::Premises;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Call, Reply};
use crate::test_app::{Setup, TestApp};

pub(crate) const PASSWORD: &str = "a few words in a row";

/// A server others can reach, with no account yet.
pub(crate) async fn public_app() -> TestApp {
    app_with(|_| {}).await
}

pub(crate) async fn app_with(change: impl FnOnce(&mut Setup)) -> TestApp {
    let mut setup = Setup {
        public: true,
        premises: Premises::default(),
        ..Setup::default()
    };
    change(&mut setup);
    TestApp::start(setup).await
}

/// Somebody signed in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    /// Name and value of the cookie, or the access token.
    pub(crate) holds: Holds,
    pub(crate) refresh: String,
}

#[derive(Clone, Debug)]
pub(crate) enum Holds {
    Cookie(String),
    Token(String),
}

impl Person {
    /// Who the answer to a sign-in is given to.
    pub(crate) async fn of(mut reply: Reply) -> Self {
        let status = reply.status;
        assert!(status == 200, "{status}: {}", reply.text().await);
        let cookie = cookie_of(&reply);
        let body = reply.json().await;
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        Self {
            id: body["user"]["id"].as_str().unwrap().to_owned(),
            holds: cookie.map_or_else(|| Holds::Token(text("access_token")), Holds::Cookie),
            refresh: text("refresh_token"),
        }
    }

    pub(crate) fn call(&self, app: &TestApp, method: Method, path: &str) -> Call {
        let call = app.call(method, path);
        match &self.holds {
            Holds::Cookie(cookie) => call
                .header("cookie", cookie)
                .header("sec-fetch-site", "same-origin"),
            Holds::Token(token) => call.header("authorization", &format!("Bearer {token}")),
        }
    }

    pub(crate) async fn get(&self, app: &TestApp, path: &str) -> Reply {
        self.call(app, Method::GET, path).send().await
    }

    pub(crate) async fn post(&self, app: &TestApp, path: &str, body: &Value) -> Reply {
        self.call(app, Method::POST, path).json(body).send().await
    }
}

/// `NAME=VALUE` of the cookie an answer sets.
pub(crate) fn cookie_of(reply: &Reply) -> Option<String> {
    let set = reply.headers.get("set-cookie")?.to_str().unwrap();
    Some(set.split(';').next().unwrap().to_owned())
}

/// As our own page does it.
pub(crate) fn from_page(app: &TestApp, method: Method, path: &str) -> Call {
    app.call(method, path).header("sec-fetch-site", "same-origin")
}

/// What stands behind `#` in a link.
pub(crate) fn secret_of(link: &str) -> String {
    link.split_once('#').unwrap().1.to_owned()
}

/// Makes the owner's account by the set-up link, with tokens.
pub(crate) async fn owner(app: &TestApp) -> Person {
    use secrecy::ExposeSecret;
    let link = app.identity.as_ref().unwrap().make_setup_link().await.unwrap();
    let body =
        json!({"token": secret_of(link.expose_secret()), "email": "owner@example.org", "password": PASSWORD});
    Person::of(app.post("/auth/setup", &body).await).await
}

/// Invites somebody with a role and accepts it, with tokens.
pub(crate) async fn guest(app: &TestApp, by: &Person, email: &str, role: &str) -> Person {
    let mut made = by
        .post(app, "/api/invitations", &json!({"email": email, "role": role}))
        .await;
    let status = made.status;
    assert!(status == 201, "{status}: {}", made.text().await);
    let secret = secret_of(made.json().await["url"].as_str().unwrap());
    let body = json!({"token": secret, "password": PASSWORD, "name": role});
    Person::of(app.post("/auth/invitation", &body).await).await
}

/// Signs in as a browser does.
pub(crate) async fn in_browser(app: &TestApp, email: &str, password: &str) -> Reply {
    let body = json!({"email": email, "password": password});
    from_page(app, Method::POST, "/auth/login")
        .json(&body)
        .send()
        .await
}

/// Signs in as another program does.
pub(crate) async fn by_program(app: &TestApp, email: &str, password: &str) -> Reply {
    app.post("/auth/login", &json!({"email": email, "password": password}))
        .await
}

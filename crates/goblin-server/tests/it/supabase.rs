//! Accounts that came by Supabase and have no password, and what becomes of the user there when one goes. The project is
//! played by a server of this test; paths, headers and answers are those of Supabase's Auth API as its OpenAPI file and
//! its JavaScript client (`auth-js`) have them. Never run against the live service.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, get};
use goblin_auth::oidc::{Federation, Supabase, SupabaseSettings};
use http::{HeaderMap, Method, StatusCode};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::people::{PASSWORD, Person, app_with, by_program, owner};
use crate::test_app::TestApp;

const SECRET: &str = "the old shared secret of a project";
const EMAIL: &str = "ada@example.org";

/// A project with one user, and what it was asked to remove.
#[derive(Clone, Debug, Default)]
struct Project(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    /// Whom, by which `apikey` and which bearer.
    removed: Vec<(String, String, String)>,
    is_ill: bool,
    /// Ends with the test.
    serving: JoinSet<()>,
}

impl Project {
    /// Starts it; where it is.
    async fn start(&self) -> String {
        let app = Router::new()
            .route("/auth/v1/user", get(|| async { user() }))
            .route("/auth/v1/admin/users/{id}", delete(remove))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async move { axum::serve(listener, app).await.unwrap() };
        self.0.lock().unwrap().serving.spawn(serve);
        format!("http://{address}")
    }

    fn removed(&self) -> Vec<(String, String, String)> {
        self.0.lock().unwrap().removed.clone()
    }

    fn set_ill(&self, is_ill: bool) {
        self.0.lock().unwrap().is_ill = is_ill;
    }
}

fn user() -> axum::Json<Value> {
    axum::Json(
        json!({"id": "0197-ada", "aud": "authenticated", "role": "authenticated", "email": EMAIL,
                      "email_confirmed_at": "2026-11-01T10:00:00Z"}),
    )
}

async fn remove(State(project): State<Project>, Path(id): Path<String>, headers: HeaderMap) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let mut asked = project.0.lock().unwrap();
    if asked.is_ill {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    asked
        .removed
        .push((id, header("apikey"), header("authorization")));
    StatusCode::OK
}

/// A server that knows the project, where anybody may make an account; and Ada, who came by it.
async fn with_ada(project: &Project) -> (TestApp, Person) {
    let url = project.start().await;
    let app = app_with(|setup| {
        let settings = SupabaseSettings {
            url: url.clone(),
            public_key: Some("sb_publishable_x".to_owned().into()),
            jwt_secret: Some(SECRET.to_owned().into()),
            admin_key: Some("sb_secret_x".to_owned().into()),
        };
        setup.accounts.registration_open = true;
        setup.federation = Federation {
            supabase: Some(Arc::new(Supabase::build(&settings, setup.clock.clone()).unwrap())),
            ..Federation::default()
        };
    })
    .await;
    owner(&app).await;
    let now = app.clock.now().unix_seconds();
    let claims = json!({"iss": format!("{url}/auth/v1"), "sub": "0197-ada", "aud": "authenticated", "iat": now,
                        "exp": now + 3_600, "role": "authenticated", "email": EMAIL});
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
    let ada = Person::of(app.post("/auth/supabase", &json!({"token": token})).await).await;
    (app, ada)
}

#[tokio::test]
async fn who_came_by_a_provider_chooses_a_first_password_and_then_it_is_asked_for() {
    let (app, ada) = with_ada(&Project::default()).await;
    let path = "/api/account/password";
    let me = ada.get(&app, "/auth/me").await.json().await;
    assert_eq!(me["has_password"], false);
    assert_eq!(by_program(&app, EMAIL, PASSWORD).await.status, 401);
    app.clock.advance_ms(599_000);
    let chosen = ada.post(&app, path, &json!({"new_password": PASSWORD})).await;
    assert_eq!(chosen.status, 204);
    let ada = Person::of(by_program(&app, EMAIL, PASSWORD).await).await;
    assert_eq!(ada.get(&app, "/auth/me").await.json().await["has_password"], true);
    let mut again = ada
        .post(&app, path, &json!({"new_password": "another few words"}))
        .await;
    assert_eq!(again.status, 422);
    assert_eq!(again.json().await["param"], "current_password");
}

#[tokio::test]
async fn a_first_password_is_chosen_by_nobody_who_signed_in_long_ago() {
    let (app, ada) = with_ada(&Project::default()).await;
    app.clock.advance_ms(599_000);
    let body = json!({"refresh_token": ada.refresh});
    let ada = Person::of(app.post("/auth/refresh", &body).await).await;
    app.clock.advance_ms(2_000);
    let mut refused = ada
        .post(&app, "/api/account/password", &json!({"new_password": PASSWORD}))
        .await;
    assert_eq!(refused.status, 422, "a token that is fresh is no fresh sign-in");
    assert_eq!(refused.json().await["param"], "current_password");
}

#[tokio::test]
async fn whoever_goes_here_is_removed_there_at_once_or_later() {
    let project = Project::default();
    let (app, ada) = with_ada(&project).await;
    project.set_ill(true);
    let gone = ada.call(&app, Method::DELETE, "/api/account").json(&json!({}));
    assert_eq!(gone.send().await.status, 204);
    assert_eq!(ada.get(&app, "/auth/me").await.status, 401);
    assert!(project.removed().is_empty());
    project.set_ill(false);
    let identity = app.identity.as_ref().unwrap();
    identity.remove_elsewhere().await.unwrap();
    let expected = ["0197-ada", "sb_secret_x", "Bearer sb_secret_x"].map(str::to_owned);
    assert_eq!(project.removed(), [expected.into()]);
    identity.remove_elsewhere().await.unwrap();
    assert_eq!(project.removed().len(), 1, "once");
}

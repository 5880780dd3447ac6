//! Nobody crosses into what is another's: a matrix of everything the API's description names, every role, and people of
//! the same and of another tenant. A route that is new fails here until it says whose the things in its path are.

use std::collections::{BTreeMap, BTreeSet};

use goblin_auth::email::Email;
use goblin_auth::password::{HashCost, Hasher, Password};
use goblin_auth::permission;
use goblin_core::account::Role;
use goblin_core::owner::Owner;
use goblin_core::trace::Trace;
use goblin_server::openapi;
use goblin_store::accounts::NewAccount;
use goblin_store::audit::NewAudit;
use goblin_store::identities::NewIdentity;
use goblin_store::passkeys::NewPasskey;
use goblin_store::responses::{KeepResponses, StoredResponse};
use goblin_store::traces::NewTrace;
use http::Method;
use serde_json::{Value, json};

use crate::client::data;
use crate::people::{PASSWORD, Person, by_program, guest, owner, public_app};
use crate::test_app::TestApp;

/// Whose a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// One person's: to everybody else, owners included, it is not there.
    Personal,
    /// A tenant's: its owners and admins reach it, nobody else does.
    Tenants,
    /// Everybody's.
    Everybodys,
}

use Whose::{Everybodys, Personal, Tenants};

/// Whose the things are that paths name, and which of the things of [`Scene`] each `{…}` is. The longest match counts.
const THINGS: &[(&str, Whose, &[&str])] = &[
    ("/api/account/sessions/{id}", Personal, &["session"]),
    ("/api/account/identities/{id}", Personal, &["identity"]),
    ("/api/account/passkeys/{id}", Personal, &["passkey"]),
    ("/api/chats/{id}", Personal, &["chat"]),
    ("/api/turns/{id}", Personal, &["turn"]),
    ("/api/attachments/{id}", Personal, &["attachment"]),
    ("/v1/traces/{id}", Personal, &["trace"]),
    ("/v1/responses/{id}", Personal, &["response"]),
    ("/api/invitations/{id}", Tenants, &["invitation"]),
    ("/api/keys/{id}", Tenants, &["key"]),
    ("/api/budgets/{id}", Tenants, &["budget"]),
    ("/api/users/{id}", Tenants, &["member"]),
    ("/api/teams/{id}", Tenants, &["team", "member"]),
    // The clouds are the operator's.
    ("/api/providers/{id}", Tenants, &["cloud"]),
    // Each tenant has a key of its own for the provider that is named.
    ("/api/provider-keys/{provider}", Everybodys, &["provider"]),
    ("/api-keys/{provider}", Everybodys, &["old provider"]),
    ("/v1/models/{id}", Everybodys, &["model"]),
    ("/v1/models/{*id}", Everybodys, &["model"]),
    ("/routing/providers/{capability}", Everybodys, &["capability"]),
];

/// Bodies that would do something, were they let in; `{}` for all others.
fn body(operation: &str) -> Value {
    match operation {
        "POST /api/chats/{id}/turns" | "POST /api/turns/{id}/edit" => json!({"content": "mine now"}),
        "PATCH /api/chats/{id}" => json!({"title": "mine now"}),
        "POST /api/turns/{id}/feedback" => json!({"rating": "up"}),
        "PUT /api/providers/{id}" => json!({"enabled": false}),
        "PATCH /api/users/{id}" => json!({"role": "viewer"}),
        "PATCH /api/account/passkeys/{id}" => json!({"name": "mine now"}),
        "PATCH /api/teams/{id}" => json!({"name": "mine now"}),
        "PUT /api/teams/{id}/members/{user}" => json!({"role": "owner"}),
        // Would end the account of whoever tries.
        "DELETE /api/account" => json!({"password": "not the password"}),
        _ => json!({}),
    }
}

/// One operation: its method and path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Operation {
    method: String,
    path: String,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn method(&self) -> Method {
        self.method.parse().unwrap()
    }

    /// The path with an id in each place.
    fn filled(&self, mut ids: impl Iterator<Item = String>) -> String {
        let parts = self.path.split('/').map(|part| match part.starts_with('{') {
            true => ids
                .next()
                .unwrap_or_else(|| panic!("{}: THINGS names too few", self.name())),
            false => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

/// Every operation that asks who is there: of the description, and of the table of roles, which also knows the paths of
/// old clients.
fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&openapi::document_text()).unwrap();
    let mut all = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array().unwrap();
            if security.iter().any(|one| !one.as_object().unwrap().is_empty()) {
                all.insert(Operation {
                    method: method.to_uppercase(),
                    path: path.clone(),
                });
            }
        }
    }
    let described = all.len();
    for (method, route, _) in permission::table() {
        all.insert(Operation {
            method: method.to_owned(),
            path: route.to_owned(),
        });
    }
    assert!(described > 30 && all.len() >= described);
    all.into_iter().collect()
}

/// Whose the things in a path are, with their names.
fn things(operation: &Operation) -> Option<(Whose, &'static [&'static str])> {
    if !operation.path.contains('{') {
        return None;
    }
    let found = THINGS
        .iter()
        .filter(|(path, _, _)| operation.path.starts_with(path))
        .max_by_key(|(path, _, _)| path.len());
    let (_, whose, names) = found.unwrap_or_else(|| {
        panic!(
            "{}: say in THINGS whose it is, and make one in Scene",
            operation.name()
        )
    });
    Some((*whose, names))
}

/// Two tenants with people of every role, and somebody with something of everything.
struct Scene {
    app: TestApp,
    victim: Person,
    boss: Person,
    /// Everybody else, with a name: of the same tenant, and of another.
    neighbours: Vec<(String, Person)>,
    strangers: Vec<(String, Person)>,
    ids: BTreeMap<&'static str, String>,
}

const WORD: &str = "canary-4711";

impl Scene {
    async fn new() -> Self {
        let app = public_app().await;
        let boss = owner(&app).await;
        let victim = guest(&app, &boss, "victim@example.org", "member").await;
        let mut neighbours = vec![("owner".to_owned(), boss.clone())];
        for role in ["admin", "member", "viewer"] {
            let person = guest(&app, &boss, &format!("{role}@example.org"), role).await;
            neighbours.push((role.to_owned(), person));
        }
        let strangers = strangers(&app).await;
        let mut scene = Self {
            app,
            victim,
            boss,
            neighbours,
            strangers,
            ids: BTreeMap::new(),
        };
        scene.fill().await;
        scene
    }

    async fn fill(&mut self) {
        let (app, victim, boss) = (&self.app, &self.victim, &self.boss);
        let made = async |by: &Person, path: &str, body: Value| {
            let mut reply = by.post(app, path, &body).await;
            assert_eq!(reply.status, 201, "{path}");
            reply.json().await["id"].as_str().unwrap().to_owned()
        };
        let chat = made(
            victim,
            "/api/chats",
            json!({"title": WORD, "model": "fake/parrot"}),
        )
        .await;
        let path = format!("/api/attachments?name={WORD}.json");
        let attachment = made(victim, &path, json!({"text": WORD})).await;
        let question = json!({"content": WORD, "attachments": [attachment]});
        let asked = victim
            .post(app, &format!("/api/chats/{chat}/turns"), &question)
            .await;
        let turn = data({ asked }.events().await.last().unwrap())["turn"]["id"].clone();
        let turn = turn.as_str().unwrap().to_owned();
        let trace = goblin_core::id::Ids::Random.next_id();
        let new = NewTrace {
            request_id: WORD.into(),
            turn: Some(turn.clone()),
            trace: Trace {
                trace_id: trace.clone(),
                created_at_ms: app.clock.now().0,
                model: WORD.into(),
                ..Trace::default()
            },
        };
        let of = Owner {
            tenant: Owner::LOCAL_TENANT.into(),
            user: victim.id.clone(),
        };
        let store = app.store.as_ref().unwrap();
        store.insert_trace(&of, &new).await.unwrap();
        let deed = NewAudit {
            owner: of.clone(),
            action: "account.made",
            target: None,
            detail: None,
            address: None,
            device: None,
        };
        let response = format!("resp_{}", "4711".repeat(8));
        let kept = StoredResponse {
            id: response.clone(),
            previous: None,
            input: vec![json!({"id": "msg_1", "text": WORD})],
            response: json!({"id": response, "output": [], "said": WORD}),
        };
        store
            .insert_response(&of, &kept, KeepResponses::default())
            .await
            .unwrap();
        let passkey = NewPasskey {
            credential_id: WORD.into(),
            user_handle: "01234567-89ab-4def-8123-456789abcdef".into(),
            host: "localhost".into(),
            name: WORD.into(),
            credential_json: "{}".into(),
        };
        let passkey = store.insert_passkey(&of, &passkey, &deed).await.unwrap().id;
        let linked = NewIdentity {
            issuer: "https://issuer.example".into(),
            subject: WORD.into(),
            email: None,
        };
        store.insert_identity(&of, &linked, &deed).await.unwrap();
        let linked = victim.get(app, "/api/account/identities").await.json().await;
        let identity = linked["items"][0]["id"].as_str().unwrap().to_owned();
        let key = json!({"name": WORD, "scopes": ["infer"]});
        let key = victim.post(app, "/api/keys", &key).await.json().await;
        let key = key["api_key"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{key}"))
            .to_owned();
        for provider in ["openai", "anthropic"] {
            let path = format!("/api/provider-keys/{provider}");
            let call = boss.call(app, Method::PUT, &path);
            let kept = call.json(&json!({"key": "sk-0123456789abcdef"})).send().await;
            assert_eq!(kept.status, 200, "{provider}");
        }
        let budget = json!({"kind": "everybody", "usd": 4711, "period": "month"});
        let call = boss.call(app, Method::PUT, "/api/budgets").json(&budget);
        let budget = call.send().await.json().await["id"].as_str().unwrap().to_owned();
        let sessions = victim.get(app, "/api/account/sessions").await.json().await;
        let session = sessions["items"][0]["id"].as_str().unwrap().to_owned();
        let invitation = made(boss, "/api/invitations", json!({"email": "next@example.org"})).await;
        let team = made(boss, "/api/teams", json!({"name": WORD})).await;
        let path = format!("/api/teams/{team}/members/{}", victim.id);
        let joined = boss
            .call(app, Method::PUT, &path)
            .json(&json!({"role": "member"}))
            .send()
            .await;
        assert_eq!(joined.status, 204);
        self.ids = BTreeMap::from([
            ("chat", chat),
            ("turn", turn),
            ("attachment", attachment),
            ("trace", trace),
            ("response", response),
            ("session", session),
            ("identity", identity),
            ("passkey", passkey),
            ("key", key),
            ("budget", budget),
            ("provider", "openai".to_owned()),
            ("old provider", "anthropic".to_owned()),
            ("cloud", "deepseek".to_owned()),
            ("invitation", invitation),
            ("team", team),
            ("member", self.victim.id.clone()),
            ("model", "fake/parrot".to_owned()),
            ("capability", "chat".to_owned()),
        ]);
    }

    fn id(&self, name: &str) -> String {
        self.ids[name].clone()
    }

    fn path(&self, operation: &Operation, names: &[&'static str]) -> String {
        operation.filled(names.iter().map(|name| self.id(name)))
    }

    /// Everything an attack could have changed, as those it belongs to see it.
    async fn state(&self) -> Vec<String> {
        let mut all = Vec::new();
        let chat = self.id("chat");
        for path in [
            "/api/chats".to_owned(),
            format!("/api/chats/{chat}/turns"),
            "/v1/traces".to_owned(),
            format!("/v1/responses/{}", self.id("response")),
            "/api/account/sessions".to_owned(),
            "/api/account/passkeys".to_owned(),
            "/api/account/identities".to_owned(),
            "/api/keys".to_owned(),
            "/api/teams".to_owned(),
        ] {
            let mut reply = self.victim.get(&self.app, &path).await;
            assert_eq!(reply.status, 200, "{path}");
            all.push(reply.text().await);
        }
        for path in ["/api/users", "/api/invitations", "/api/teams", "/api/budgets"] {
            all.push(self.boss.get(&self.app, path).await.text().await);
        }
        let members = format!("/api/teams/{}/members", self.id("team"));
        all.push(self.boss.get(&self.app, &members).await.text().await);
        all
    }

    /// Tries an operation on the victim's things.
    async fn attack(&self, by: &Person, operation: &Operation, names: &[&'static str]) -> (u16, String) {
        let path = self.path(operation, names);
        let call = by.call(&self.app, operation.method(), &path);
        let mut reply = call.json(&body(&operation.name())).send().await;
        (reply.status.as_u16(), reply.text().await)
    }
}

/// Somebody of every role in another tenant, signed in.
async fn strangers(app: &TestApp) -> Vec<(String, Person)> {
    let store = app.store.as_ref().unwrap();
    let cost = HashCost {
        memory_kib: 64,
        passes: 1,
    };
    let hasher = Hasher::new(cost, 1);
    let tenant = Owner {
        tenant: "others".into(),
        user: "nobody".into(),
    };
    store.insert_owner(&tenant, None).await.unwrap();
    let mut all = Vec::new();
    for role in Role::ALL {
        let address = format!("{}@elsewhere.example", role.as_str());
        let email = Email::parse(&address).unwrap();
        let password = Password::chosen("password", PASSWORD, &email).unwrap();
        let new = NewAccount {
            email: email.canonical().to_owned(),
            email_typed: address.clone(),
            name: None,
            password_hash: Some(hasher.hash(&password).await.unwrap()),
        };
        let audit = NewAudit {
            owner: tenant.clone(),
            action: "account.made",
            target: None,
            detail: None,
            address: None,
            device: None,
        };
        store.insert_account("others", role, &new, &audit).await.unwrap();
        let person = Person::of(by_program(app, &address, PASSWORD).await).await;
        all.push((format!("{} elsewhere", role.as_str()), person));
    }
    all
}

#[tokio::test]
async fn what_is_anothers_is_not_there_and_nothing_of_it_changes() {
    let scene = Scene::new().await;
    let mut tried = 0;
    let before = scene.state().await;
    for (name, person) in scene.neighbours.iter().chain(&scene.strangers) {
        let is_stranger = name.ends_with("elsewhere");
        for operation in operations() {
            let Some((whose, names)) = things(&operation) else {
                continue;
            };
            if whose == Everybodys || whose == Tenants && !is_stranger {
                continue;
            }
            let (status, said) = scene.attack(person, &operation, names).await;
            let case = format!("{name}: {} answered {status}: {said}", operation.name());
            assert!(status == 404 || status == 403, "{case}");
            assert!(!said.contains(WORD), "{case}");
            if status == 403 {
                // Only a role, which says nothing of the thing.
                assert!(said.contains("This needs the role"), "{case}");
            }
            tried += 1;
        }
        assert_eq!(scene.state().await, before, "{name} changed something");
    }
    assert!(tried > 100, "{tried}");

    // Members and viewers of the tenant reach nothing that is for its admins either.
    for (name, person) in &scene.neighbours[2..] {
        for operation in operations() {
            if let Some((Tenants, names)) = things(&operation) {
                let (status, said) = scene.attack(person, &operation, names).await;
                assert!(
                    matches!(status, 403 | 404),
                    "{name}: {} answered {status}: {said}",
                    operation.name()
                );
            }
        }
        assert_eq!(scene.state().await, before, "{name} changed something");
    }

    // All of it is there for those it belongs to, or the refusals above would show nothing. What ends things comes last.
    let mut all = operations();
    // What is in something goes before the thing itself.
    all.sort_by_key(|operation| {
        let ends = operation.method == "DELETE";
        (ends, usize::MAX - operation.path.len(), operation.clone())
    });
    for operation in all {
        let Some((whose, names)) = things(&operation) else {
            continue;
        };
        let by = if whose == Personal {
            &scene.victim
        } else {
            &scene.boss
        };
        // They end the victim's sign-in, so they come last, below.
        let ends_it = operation.path.starts_with("/api/account/sessions/")
            || operation.name() == "PATCH /api/users/{id}"
            || operation.path.starts_with("/api/users/") && operation.method == "DELETE";
        if ends_it {
            continue;
        }
        let (status, said) = scene.attack(by, &operation, names).await;
        let is_there = !matches!(status, 401 | 403)
            && (status != 404 || operation.name() == "POST /api/chats/{id}/restore");
        assert!(
            is_there,
            "{} answered {status} to whom it belongs: {said}",
            operation.name()
        );
    }
    for (method, path) in [
        ("DELETE", "/api/account/sessions/{id}"),
        ("PATCH", "/api/users/{id}"),
        ("DELETE", "/api/users/{id}/sessions"),
        ("DELETE", "/api/users/{id}"),
    ] {
        let operation = Operation {
            method: method.into(),
            path: path.into(),
        };
        let (_, names) = things(&operation).unwrap();
        let by = if path.contains("account") {
            &scene.victim
        } else {
            &scene.boss
        };
        let (status, said) = scene.attack(by, &operation, names).await;
        assert!(matches!(status, 200 | 204), "{path}: {status}: {said}");
    }
}

#[tokio::test]
async fn what_a_body_names_is_ones_own_too() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let (_, member) = &scene.neighbours[2];
    let before = scene.state().await;
    let mut own = member
        .post(app, "/api/chats", &json!({"model": "fake/parrot"}))
        .await;
    let own = own.json().await["id"].as_str().unwrap().to_owned();
    let mut asked = member
        .post(app, &format!("/api/chats/{own}/turns"), &json!({"content": "hi"}))
        .await;
    let turn = data(asked.events().await.last().unwrap())["turn"]["id"].clone();
    let turn = turn.as_str().unwrap();
    let theirs = scene.id("turn");
    for (method, path, body) in [
        (
            Method::POST,
            format!("/api/chats/{own}/turns"),
            json!({"content": "x", "parent": theirs}),
        ),
        (
            Method::PATCH,
            format!("/api/chats/{own}"),
            json!({"head": theirs}),
        ),
        (
            Method::POST,
            format!("/api/turns/{turn}/feedback"),
            json!({"better_turn": theirs}),
        ),
        (
            Method::POST,
            format!("/api/turns/{turn}/feedback"),
            json!({"second_opinion": theirs}),
        ),
    ] {
        let mut refused = member.call(app, method, &path).json(&body).send().await;
        let said = refused.text().await;
        assert!(
            matches!(refused.status.as_u16(), 404 | 422),
            "{path} {body}: {}: {said}",
            refused.status
        );
        assert!(!said.contains(WORD), "{path} {body}: {said}");
    }
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn no_list_shows_anything_of_another() {
    let scene = Scene::new().await;
    let personal: Vec<String> = ["chat", "turn", "trace", "session"]
        .map(|name| scene.id(name))
        .into();
    let tenants: Vec<String> = ["invitation", "team", "member"].map(|name| scene.id(name)).into();
    let mut read = 0;
    for operation in operations() {
        if operation.method != "GET" || operation.path.contains('{') || operation.path.ends_with("/export") {
            continue;
        }
        for (name, person) in scene.neighbours.iter().chain(&scene.strangers) {
            let mut reply = person.get(&scene.app, &operation.path).await;
            let said = reply.text().await;
            let is_stranger = name.ends_with("elsewhere");
            for id in personal.iter().chain(tenants.iter().filter(|_| is_stranger)) {
                // What was done to accounts is for admins, and names sign-ins.
                let is_audit = operation.path == "/api/audit" && !is_stranger;
                assert!(
                    is_audit || !said.contains(id.as_str()),
                    "{name}: GET {}: {said}",
                    operation.path
                );
            }
            let may_know = matches!(operation.path.as_str(), "/api/teams" | "/api/audit") && !is_stranger;
            assert!(
                may_know || !said.contains(WORD),
                "{name}: GET {}: {said}",
                operation.path
            );
            read += 1;
        }
    }
    assert!(read > 100, "{read}");
}

#[tokio::test]
async fn every_operation_needs_the_role_of_the_table_and_no_other() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let nobodys = "01234567-89ab-7def-8123-456789abcdef";
    for operation in operations() {
        let path = operation.filled(std::iter::repeat(nobodys.to_owned()));
        // The description cannot say that a model's name holds slashes.
        let route = operation.path.replace("/v1/models/{id}", "/v1/models/{*id}");
        let least = permission::least_role(&operation.method(), &route);
        let name = operation.name();
        let given = body(&name);
        let nobody = app.call(operation.method(), &path).json(&given).send().await;
        // How everything is, is told to everybody; in detail to admins.
        let is_open = path == "/health/all";
        assert!(is_open || nobody.status == 401, "{name}: {}", nobody.status);
        for (who, person) in &scene.neighbours {
            let role = Role::parse(who).unwrap();
            let mut reply = person
                .call(app, operation.method(), &path)
                .json(&given)
                .send()
                .await;
            let status = reply.status.as_u16();
            let said = String::from_utf8_lossy(&reply.bytes().await).into_owned();
            let lacks_role = status == 403 && said.contains("This needs the role");
            assert_eq!(
                lacks_role,
                role < least && !is_open,
                "{name} by {who}: {status}: {said}"
            );
            assert!(status != 401 && status < 500, "{name} by {who}: {status}: {said}");
        }
    }
}

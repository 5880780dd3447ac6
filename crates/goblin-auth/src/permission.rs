//! Which role each route needs, and which of them a key of the API reaches: two tables, read for every request of
//! somebody with an account. What is not in the first is for owners only, what is not in the second for no key.

use goblin_core::account::Role;
use http::Method;

use crate::principal::Scope;

/// The least role for a method of a route, by the route's template.
pub fn least_role(method: &Method, route: &str) -> Role {
    find(method, route).unwrap_or(Role::Owner)
}

/// Is the route in the table?
pub fn is_listed(method: &Method, route: &str) -> bool {
    find(method, route).is_some()
}

/// Every route of the table: its method, its template, and the least role.
pub fn table() -> impl Iterator<Item = (&'static str, &'static str, Role)> {
    TABLE.iter().copied()
}

/// The scope a key of the API needs for a method of a route, by the route's template; `None`: no key reaches it.
pub fn key_scope(method: &Method, route: &str) -> Option<Scope> {
    let method = plain(method);
    FOR_KEYS
        .iter()
        .find(|(m, r, _)| *m == method && *r == route)
        .map(|(_, _, scope)| *scope)
}

/// Does it ask a model, so that it is an answer under way until it was sent?
pub fn asks_a_model(method: &Method, route: &str) -> bool {
    matches!(key_scope(method, route), Some(Scope::Infer | Scope::Embed))
}

/// HEAD is GET without the body.
fn plain(method: &Method) -> &str {
    if *method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    }
}

fn find(method: &Method, route: &str) -> Option<Role> {
    let method = plain(method);
    TABLE
        .iter()
        .find(|(m, r, _)| *m == method && *r == route)
        .map(|(_, _, role)| *role)
}

use Role::{Admin, Member, Viewer};

const TABLE: &[(&str, &str, Role)] = &[
    // One's own account.
    ("GET", "/auth/me", Viewer),
    ("DELETE", "/api/account", Viewer),
    ("GET", "/api/account/export", Viewer),
    ("PATCH", "/api/account", Viewer),
    ("POST", "/api/account/password", Viewer),
    ("POST", "/api/account/verification", Viewer),
    ("GET", "/api/account/sessions", Viewer),
    ("DELETE", "/api/account/sessions", Viewer),
    ("DELETE", "/api/account/sessions/{id}", Viewer),
    ("GET", "/api/keys", Viewer),
    ("POST", "/api/keys", Member),
    ("DELETE", "/api/keys/{id}", Viewer),
    ("GET", "/api/account/identities", Viewer),
    ("POST", "/api/account/identities", Viewer),
    ("DELETE", "/api/account/identities/{id}", Viewer),
    ("POST", "/auth/passkey/register", Viewer),
    ("POST", "/auth/passkey/register/finish", Viewer),
    ("GET", "/api/account/passkeys", Viewer),
    ("PATCH", "/api/account/passkeys/{id}", Viewer),
    ("DELETE", "/api/account/passkeys/{id}", Viewer),
    ("GET", "/api/teams", Viewer),
    ("GET", "/api/teams/{id}/members", Viewer),
    // Looking.
    ("GET", "/api/chats", Viewer),
    ("GET", "/api/chats/{id}", Viewer),
    ("GET", "/api/chats/{id}/turns", Viewer),
    ("GET", "/api/attachments/{id}", Viewer),
    ("GET", "/api/turns/{id}", Viewer),
    ("GET", "/api/turns/{id}/events", Viewer),
    ("GET", "/api/turns/{id}/trace", Viewer),
    ("GET", "/v1/traces", Viewer),
    ("GET", "/v1/traces/{id}", Viewer),
    ("GET", "/v1/responses/{id}", Viewer),
    ("GET", "/v1/responses/{id}/input_items", Viewer),
    ("GET", "/v1/models", Viewer),
    ("GET", "/v1/models/{*id}", Viewer),
    ("GET", "/api/tags", Viewer),
    ("POST", "/api/show", Viewer),
    ("GET", "/api/ps", Viewer),
    ("GET", "/api/version", Viewer),
    ("GET", "/api/status", Viewer),
    ("GET", "/health/all", Viewer),
    ("GET", "/api/usage", Viewer),
    ("GET", "/chat/models", Viewer),
    ("GET", "/chat/routing-info", Viewer),
    ("GET", "/routing/providers", Viewer),
    ("GET", "/routing/providers/{capability}", Viewer),
    ("GET", "/routing/health", Viewer),
    // A dry run: nobody is asked.
    ("POST", "/api/route", Viewer),
    ("POST", "/routing/route", Viewer),
    // Asking, and keeping chats.
    ("POST", "/v1/chat/completions", Member),
    ("POST", "/api/chat/completions", Member),
    ("POST", "/chat/completions", Member),
    ("POST", "/v1/completions", Member),
    ("POST", "/v1/responses", Member),
    ("DELETE", "/v1/responses/{id}", Member),
    ("POST", "/v1/embeddings", Member),
    ("POST", "/v1/messages", Member),
    ("POST", "/v1/messages/count_tokens", Member),
    ("POST", "/api/chat", Member),
    ("POST", "/api/generate", Member),
    ("POST", "/api/embed", Member),
    ("POST", "/api/embeddings", Member),
    ("POST", "/v1/systemone", Member),
    ("POST", "/api/chats", Member),
    ("PATCH", "/api/chats/{id}", Member),
    ("DELETE", "/api/chats/{id}", Member),
    ("POST", "/api/chats/{id}/restore", Member),
    ("POST", "/api/chats/{id}/turns", Member),
    ("POST", "/api/attachments", Member),
    ("POST", "/api/turns/{id}/regenerate", Member),
    ("POST", "/api/turns/{id}/edit", Member),
    ("POST", "/api/turns/{id}/stop", Member),
    ("POST", "/api/turns/{id}/feedback", Member),
    // Within a team its own roles count as well.
    ("PATCH", "/api/teams/{id}", Member),
    ("PUT", "/api/teams/{id}/members/{user}", Member),
    ("DELETE", "/api/teams/{id}/members/{user}", Member),
    // Other people's accounts, and teams.
    ("POST", "/api/teams", Admin),
    ("DELETE", "/api/teams/{id}", Admin),
    ("GET", "/api/users", Admin),
    ("PATCH", "/api/users/{id}", Admin),
    ("DELETE", "/api/users/{id}", Admin),
    ("DELETE", "/api/users/{id}/sessions", Admin),
    ("POST", "/api/users/{id}/reset", Admin),
    ("GET", "/api/invitations", Admin),
    ("POST", "/api/invitations", Admin),
    ("DELETE", "/api/invitations/{id}", Admin),
    ("GET", "/api/audit", Admin),
    ("GET", "/api/audit/check", Admin),
    ("GET", "/metrics", Admin),
    // What may be spent.
    ("GET", "/api/costs", Admin),
    ("GET", "/api/dashboard/costs", Admin),
    ("GET", "/api/admin/health", Admin),
    ("GET", "/api/budgets", Admin),
    ("PUT", "/api/budgets", Admin),
    ("DELETE", "/api/budgets/{id}", Admin),
    // What providers are called with.
    ("GET", "/api/provider-keys", Admin),
    ("PUT", "/api/provider-keys/{provider}", Admin),
    ("DELETE", "/api/provider-keys/{provider}", Admin),
    ("GET", "/api/providers", Admin),
    ("PUT", "/api/providers/{id}", Admin),
    ("DELETE", "/api/providers/{id}", Admin),
    ("POST", "/api/providers/{id}/test", Admin),
    ("GET", "/api-keys/{provider}", Admin),
    ("POST", "/api-keys/{provider}", Admin),
    ("DELETE", "/api-keys/{provider}", Admin),
];

use Scope::{Embed, Infer, Read};

/// What programs call: the doors of clients' protocols, lists, states. Never chats, accounts or keys.
const FOR_KEYS: &[(&str, &str, Scope)] = &[
    ("POST", "/v1/chat/completions", Infer),
    ("POST", "/api/chat/completions", Infer),
    ("POST", "/chat/completions", Infer),
    ("POST", "/v1/completions", Infer),
    ("POST", "/v1/responses", Infer),
    ("DELETE", "/v1/responses/{id}", Infer),
    ("GET", "/v1/responses/{id}", Read),
    ("GET", "/v1/responses/{id}/input_items", Read),
    ("POST", "/v1/embeddings", Embed),
    ("POST", "/v1/messages", Infer),
    ("POST", "/v1/messages/count_tokens", Infer),
    ("POST", "/api/chat", Infer),
    ("POST", "/api/generate", Infer),
    ("POST", "/api/embed", Embed),
    ("POST", "/api/embeddings", Embed),
    ("POST", "/v1/systemone", Infer),
    ("GET", "/v1/models", Read),
    ("GET", "/v1/models/{*id}", Read),
    ("GET", "/api/tags", Read),
    ("POST", "/api/show", Read),
    ("GET", "/api/ps", Read),
    ("GET", "/api/version", Read),
    ("GET", "/v1/traces", Read),
    ("GET", "/v1/traces/{id}", Read),
    ("POST", "/api/route", Read),
    ("POST", "/routing/route", Read),
    ("GET", "/routing/providers", Read),
    ("GET", "/routing/providers/{capability}", Read),
    ("GET", "/routing/health", Read),
    ("GET", "/chat/models", Read),
    ("GET", "/chat/routing-info", Read),
    ("GET", "/api/status", Read),
    ("GET", "/health/all", Read),
    ("GET", "/metrics", Read),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viewers_look_members_ask_and_what_is_not_listed_is_for_owners() {
        assert_eq!(least_role(&Method::GET, "/api/chats"), Viewer);
        assert_eq!(least_role(&Method::HEAD, "/api/chats"), Viewer);
        assert_eq!(least_role(&Method::POST, "/api/chats/{id}/turns"), Member);
        assert_eq!(least_role(&Method::POST, "/v1/chat/completions"), Member);
        assert_eq!(least_role(&Method::PATCH, "/api/users/{id}"), Admin);
        assert_eq!(least_role(&Method::POST, "/api/new"), Role::Owner);
        assert_eq!(least_role(&Method::PUT, "/api/chats"), Role::Owner);
    }

    #[test]
    fn nothing_that_asks_a_model_or_changes_others_is_open_to_viewers() {
        for (method, route, role) in TABLE {
            let own = ["/api/account", "/auth/passkey/register"]
                .iter()
                .any(|o| route.starts_with(o))
                || route.ends_with("/route")
                || *route == "/api/show"
                || (*method, *route) == ("DELETE", "/api/keys/{id}");
            assert!(*method == "GET" || own || *role > Viewer, "{method} {route}");
            let others = ["/api/users", "/api/invitations", "/api/audit"];
            assert!(
                *role >= Admin || !others.iter().any(|o| route.starts_with(o)),
                "{route}"
            );
        }
    }

    #[test]
    fn keys_reach_only_what_is_listed_for_people_too_and_nothing_of_accounts() {
        for (method, route, scope) in FOR_KEYS {
            let method: Method = method.parse().unwrap();
            assert!(is_listed(&method, route), "{method} {route}");
            assert_eq!(key_scope(&method, route), Some(*scope));
            assert!(*scope != Scope::Admin);
        }
        for (method, route) in [
            ("GET", "/api/keys"),
            ("POST", "/api/keys"),
            ("GET", "/api/chats"),
            ("GET", "/auth/me"),
            ("GET", "/api/users"),
            ("GET", ""),
        ] {
            assert_eq!(
                key_scope(&method.parse().unwrap(), route),
                None,
                "{method} {route}"
            );
        }
        assert_eq!(key_scope(&Method::HEAD, "/v1/models"), Some(Scope::Read));
    }

    #[test]
    fn no_route_is_listed_twice() {
        for (at, (method, route, _)) in TABLE.iter().enumerate() {
            let again = TABLE[..at].iter().any(|(m, r, _)| m == method && r == route);
            assert!(!again, "{method} {route}");
        }
    }
}

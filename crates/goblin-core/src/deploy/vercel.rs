//! `web/vercel.json`, as far as it is compared: where its routes lead what is the backend's.
//!
//! Source: <https://vercel.com/docs/project-configuration>, and what Vercel's own program (60.1.3) makes of a file: `routes`
//! come first, then `redirects`, then `rewrites`; a file may have any of them. The first without `continue` that fits a path
//! decides. One with conditions (`has`, `missing`) decides for some requests only, so it is not counted on.

use regex::Regex;
use serde::Deserialize;

use super::address::Address;
use super::rewrite::Pattern;

/// One path of each part that is the backend's.
const ASKED: [&str; 3] = ["/api/status", "/auth/google/callback", "/v1/models"];
/// What the page's host adds, to prove that a request came through it.
const PROOF: &str = "x-origin-verify";

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    routes: Vec<Route>,
    #[serde(default)]
    redirects: Vec<Rewrite>,
    #[serde(default)]
    rewrites: Vec<Rewrite>,
}

#[derive(Deserialize)]
struct Route {
    #[serde(default)]
    src: String,
    #[serde(default)]
    dest: String,
    #[serde(default, rename = "continue")]
    goes_on: bool,
    #[serde(default)]
    has: Vec<serde_json::Value>,
    #[serde(default)]
    missing: Vec<serde_json::Value>,
    #[serde(default)]
    transforms: Vec<Transform>,
}

/// One of `rewrites`, or of `redirects`.
#[derive(Deserialize)]
struct Rewrite {
    #[serde(default)]
    source: String,
    /// An address or a path; Vercel also knows objects, which lead to parts of the same project.
    #[serde(default)]
    destination: serde_json::Value,
    #[serde(default)]
    has: Vec<serde_json::Value>,
    #[serde(default)]
    missing: Vec<serde_json::Value>,
    #[serde(default)]
    transforms: Vec<Transform>,
}

#[derive(Deserialize)]
struct Transform {
    #[serde(default)]
    target: Target,
}

#[derive(Default, Deserialize)]
struct Target {
    #[serde(default)]
    key: String,
}

/// What does not agree with a backend at `there`: problems, each a clause. `proves`: `ORIGIN_SECRET` is set on this side.
pub(super) fn faults(text: &str, there: &Address, proves: bool) -> Vec<String> {
    let Ok(file) = serde_json::from_str::<File>(text) else {
        return vec!["it is no vercel.json with `routes` or `rewrites`".to_owned()];
    };
    let mut found: Vec<String> = Vec::new();
    for path in ASKED {
        let wanted = format!("{}{path}", there.origin());
        if file.redirects.iter().any(|one| one.leads(path).is_some()) {
            found.push(format!(
                "a redirect sends {path} away, so no request with it reaches the backend"
            ));
        }
        let fault = match file.leads(path) {
            Some(leads) if leads == wanted => continue,
            Some(leads) if leads.starts_with("http") => match Address::read(&leads) {
                Some(to) if to.origin() == there.origin() => {
                    format!("it leads {path} to {} of the backend, not to {path}", to.path)
                }
                Some(to) => format!("it leads to {}, the backend is {}", to.origin(), there.origin()),
                None => format!("it leads {path} to no address"),
            },
            Some(_) => format!("it answers {path} with a page, not with the backend"),
            None => format!("no route leads {path} anywhere"),
        };
        if !found.contains(&fault) {
            found.push(fault);
        }
    }
    let transforms = file.routes.iter().map(|route| &route.transforms);
    let mut transforms = transforms.chain(file.rewrites.iter().map(|rewrite| &rewrite.transforms));
    if proves && !transforms.any(|all| adds_proof(all)) {
        found.push(format!(
            "no route adds `{PROOF}`, so ORIGIN_SECRET reaches nobody"
        ));
    }
    found
}

impl File {
    /// Where a path is led, with what its route puts in the place of `$1` and the like.
    fn leads(&self, path: &str) -> Option<String> {
        let by_routes = self.routes.iter().find_map(|route| route.leads(path));
        by_routes.or_else(|| self.rewrites.iter().find_map(|rewrite| rewrite.leads(path)))
    }
}

impl Rewrite {
    fn leads(&self, path: &str) -> Option<String> {
        if !self.has.is_empty() || !self.missing.is_empty() {
            return None;
        }
        Pattern::read(&self.source)?.leads(path, self.destination.as_str().unwrap_or_default())
    }
}

/// `$1` as `${1}`.
fn braced(dest: &str) -> String {
    let mut out = String::with_capacity(dest.len() + 8);
    let mut rest = dest.chars().peekable();
    while let Some(c) = rest.next() {
        match rest.peek() {
            Some(digit) if c == '$' && digit.is_ascii_digit() => {
                out.push_str("${");
                out.push(*digit);
                out.push('}');
                rest.next();
            }
            _ => out.push(c),
        }
    }
    out
}

impl Route {
    fn leads(&self, path: &str) -> Option<String> {
        // Expressions with a look ahead are those of the page's own addresses, which none of ours is.
        let fits = Regex::new(&format!("^(?:{})$", self.src)).ok()?;
        let found = fits.captures(path)?;
        if self.goes_on || self.dest.is_empty() || !self.has.is_empty() || !self.missing.is_empty() {
            return None;
        }
        let mut leads = String::new();
        // `$1/` is the first group in both; `$1x` would be a group called 1x in ours.
        found.expand(&braced(&self.dest), &mut leads);
        Some(leads)
    }
}

fn adds_proof(transforms: &[Transform]) -> bool {
    transforms
        .iter()
        .any(|one| one.target.key.eq_ignore_ascii_case(PROOF))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../../web/vercel.json");

    fn at(text: &str) -> Address {
        Address::read(text).unwrap()
    }

    #[test]
    fn the_shipped_routes_lead_to_the_backend_they_name() {
        let own = at("https://goblin-backend.onrender.com");
        assert_eq!(faults(SHIPPED, &own, true), Vec::<String>::new());
        let other = faults(SHIPPED, &at("https://another.onrender.com"), true);
        let said =
            ["it leads to https://goblin-backend.onrender.com, the backend is https://another.onrender.com"];
        assert_eq!(other, said);
    }

    #[test]
    fn routes_that_were_changed_are_found_out() {
        let own = at("https://goblin-backend.onrender.com");
        let cases = [
            (
                SHIPPED.replace("api|auth|v1)/(.*)", "api|v1)/(.*)"),
                "no route leads /auth/google/callback",
            ),
            (
                SHIPPED.replace(".com/$1/$2", ".com/$2"),
                "to /status of the backend",
            ),
            (SHIPPED.replace("x-origin-verify", "x-other"), "no route adds"),
            (
                SHIPPED.replace("https://goblin-backend", "http://goblin-backend"),
                "leads to http://",
            ),
            (
                SHIPPED.replace("https://goblin-backend.onrender.com/$1/$2", "/index.html"),
                "with a page",
            ),
            ("{}".to_owned(), "no route leads /api/status"),
            ("not JSON".to_owned(), "no vercel.json"),
        ];
        for (text, part) in cases {
            let found = faults(&text, &own, true);
            assert!(found.iter().any(|one| one.contains(part)), "{part}: {found:?}");
        }
        let quiet = SHIPPED.replace("x-origin-verify", "x-other");
        assert_eq!(faults(&quiet, &own, false), Vec::<String>::new());
    }

    /// The shipped routes as somebody writes them who knows `rewrites` only.
    const REWRITES: &str = r#"{"rewrites": [
        {"source": "/:part(api|auth)/:rest*", "destination": "https://goblin-backend.onrender.com/:part/:rest*",
         "transforms": [{"type": "request.headers", "op": "set", "target": {"key": "x-origin-verify"},
                         "args": "$ORIGIN_SECRET", "env": ["ORIGIN_SECRET"]}]},
        {"source": "/v1/:path*", "destination": "https://goblin-backend.onrender.com/v1/:path*"},
        {"source": "/((?!api/|auth/|v1/|assets/).*)", "destination": "/index.html"}
    ]}"#;

    #[test]
    fn rewrites_are_followed_as_routes_are() {
        let own = at("https://goblin-backend.onrender.com");
        assert_eq!(faults(REWRITES, &own, true), Vec::<String>::new());
        let only = r#"{"source": "/v1/:path*", "has": [{"type": "header", "key": "x"}],"#;
        let cases = [
            (REWRITES.replace("api|auth", "api"), "no route leads /auth/google/callback"),
            (REWRITES.replace("onrender.com/v1/:path*", "onrender.com/:path*"), "to /models of the backend"),
            (REWRITES.replace("x-origin-verify", "x-other"), "no route adds"),
            (REWRITES.replace(r#"{"source": "/v1/:path*","#, only), "no route leads /v1/models"),
            (
                REWRITES.replace(
                    r#"{"rewrites""#,
                    r#"{"redirects": [{"source": "/api/(.*)", "destination": "/x"}], "rewrites""#,
                ),
                "a redirect sends /api/status away",
            ),
            // Routes come before rewrites.
            (
                REWRITES.replace(
                    r#"{"rewrites""#,
                    r#"{"routes": [{"src": "/v1/(.*)", "dest": "https://other.example.org/v1/$1"}], "rewrites""#,
                ),
                "it leads to https://other.example.org",
            ),
        ];
        for (text, part) in cases {
            let found = faults(&text, &own, true);
            assert!(found.iter().any(|one| one.contains(part)), "{part}: {found:?}");
        }
    }
}

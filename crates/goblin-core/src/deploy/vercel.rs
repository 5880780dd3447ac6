//! `web/vercel.json`, as far as it is compared: where its routes lead what is the backend's.
//!
//! Source: <https://vercel.com/docs/project-configuration#routes>, as of 2026. The first route without `continue` that fits
//! a path decides.

use regex::Regex;
use serde::Deserialize;

use super::address::Address;

/// One path of each part that is the backend's.
const ASKED: [&str; 3] = ["/api/status", "/auth/google/callback", "/v1/models"];
/// What the page's host adds, to prove that a request came through it.
const PROOF: &str = "x-origin-verify";

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    routes: Vec<Route>,
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
        return vec!["it is no vercel.json with `routes`".to_owned()];
    };
    let mut found: Vec<String> = Vec::new();
    for path in ASKED {
        let wanted = format!("{}{path}", there.origin());
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
    if proves && !file.routes.iter().any(Route::adds_proof) {
        found.push(format!(
            "no route adds `{PROOF}`, so ORIGIN_SECRET reaches nobody"
        ));
    }
    found
}

impl File {
    /// Where a path is led, with what its route puts in the place of `$1` and the like.
    fn leads(&self, path: &str) -> Option<String> {
        self.routes.iter().find_map(|route| {
            // Expressions with a look ahead are those of the page's own addresses, which none of ours is.
            let fits = Regex::new(&format!("^(?:{})$", route.src)).ok()?;
            let found = fits.captures(path)?;
            if route.goes_on || route.dest.is_empty() {
                return None;
            }
            let mut leads = String::new();
            // `$1/` is the first group in both; `$1x` would be a group called 1x in ours.
            found.expand(&braced(&route.dest), &mut leads);
            Some(leads)
        })
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
    fn adds_proof(&self) -> bool {
        self.transforms
            .iter()
            .any(|one| one.target.key.eq_ignore_ascii_case(PROOF))
    }
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
}

//! Who else vouches for people: Google, other providers of OpenID Connect, Supabase.

use goblin_auth::oidc::{
    RedirectError, SupabaseSettings, check_issuer, check_redirect, is_admin_key, is_public_key,
};
use secrecy::{ExposeSecret, SecretString};

use crate::config::check::Reader;

/// Where Google sends people back to, and its name here.
pub(crate) const GOOGLE_CALLBACK: &str = "/auth/google/callback";
/// Most providers beside Google.
const MAX_PROVIDERS: usize = 16;
/// Fewest bytes of Supabase's shared secret.
const MIN_SECRET_BYTES: usize = 32;

/// Who else vouches for people.
#[derive(Clone, Debug, Default)]
pub(crate) struct FederationConfig {
    /// Google.
    pub(crate) google: Option<GoogleConfig>,
    /// Other providers.
    pub(crate) oidc: Vec<OidcConfig>,
    /// Supabase.
    pub(crate) supabase: Option<SupabaseSettings>,
}

/// The client at Google.
#[derive(Clone, Debug)]
pub(crate) struct GoogleConfig {
    /// Its id.
    pub(crate) client_id: String,
    /// Its secret.
    pub(crate) client_secret: SecretString,
    /// Where people are sent back to; `None`: to the page's own origin.
    pub(crate) redirect_uri: Option<String>,
}

/// The client at another provider.
#[derive(Clone, Debug)]
pub(crate) struct OidcConfig {
    /// The provider's name here.
    pub(crate) id: String,
    /// What people know it by.
    pub(crate) name: String,
    /// Who it is.
    pub(crate) issuer: String,
    /// The client's id there.
    pub(crate) client_id: String,
    /// Its secret.
    pub(crate) client_secret: SecretString,
}

impl OidcConfig {
    /// Where it sends people back to, below the page's origin.
    pub(crate) fn callback(&self) -> String {
        format!("/auth/oidc/{}/callback", self.id)
    }
}

impl Reader<'_> {
    pub(super) fn federation(&mut self) -> FederationConfig {
        FederationConfig {
            google: self.google(),
            oidc: self.oidc(),
            supabase: self.supabase(),
        }
    }

    fn google(&mut self) -> Option<GoogleConfig> {
        let paths = ["auth.google_client_id", "auth.google_client_secret"];
        let redirect_uri = self.text("auth.google_redirect_uri");
        if let Some(given) = &redirect_uri
            && let Err(why) = check_redirect(given, GOOGLE_CALLBACK)
        {
            let message = match why {
                RedirectError::Path => {
                    format!("its path must be {GOOGLE_CALLBACK}, which is what goblin answers.")
                }
                why => format!("{why}. Write it like https://chat.example.org{GOOGLE_CALLBACK}."),
            };
            self.problem("auth.google_redirect_uri", message);
        }
        let set: Vec<bool> = paths.iter().map(|path| self.text(path).is_some()).collect();
        if redirect_uri.is_none() && set == [false, false] {
            return None;
        }
        for (path, _) in paths.iter().zip(&set).filter(|(_, is_set)| !**is_set) {
            self.problem(
                path,
                "Google is configured in part and this is missing. Set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET both, \
                 or none of Google's variables.",
            );
        }
        if redirect_uri.is_none() {
            self.check_page_origin("auth.google_client_id", GOOGLE_CALLBACK);
        }
        Some(GoogleConfig {
            client_id: self.text(paths[0])?,
            client_secret: self.secret(paths[1])?,
            redirect_uri,
        })
    }

    fn oidc(&mut self) -> Vec<OidcConfig> {
        let paths = [
            "auth.oidc_issuer",
            "auth.oidc_client_id",
            "auth.oidc_client_secret",
        ];
        let [issuers, ids, secrets] = paths.map(|path| self.list(path));
        let names = self.list("auth.oidc_name");
        let most = issuers.len().max(ids.len()).max(secrets.len());
        let mut is_whole = true;
        for (path, found) in paths.iter().zip([issuers.len(), ids.len(), secrets.len()]) {
            if found != most {
                is_whole = false;
                self.problem(
                    path,
                    format!(
                        "a provider is configured in part: there are {found} of these and {most} of another. Set \
                         OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET all three, one of each for every provider, \
                         or none."
                    ),
                );
            }
        }
        if names.len() > most {
            self.problem(
                "auth.oidc_name",
                "there are more names than providers. Set OIDC_ISSUER for each.",
            );
        }
        if most > MAX_PROVIDERS {
            self.problem(
                paths[0],
                format!("there may be {MAX_PROVIDERS} providers at most."),
            );
        }
        for issuer in &issuers {
            if let Err(why) = check_issuer(issuer) {
                self.problem(paths[0], format!("`{issuer}`: {why}."));
            }
        }
        let twice = (1..issuers.len()).any(|at| issuers[..at].contains(&issuers[at]));
        if twice {
            self.problem(paths[0], "an issuer is named twice.");
        }
        if !is_whole || most == 0 {
            return Vec::new();
        }
        self.check_page_origin(paths[0], "/auth/oidc/oidc/callback");
        let clients = ids.into_iter().zip(secrets);
        let all = issuers.into_iter().zip(clients).enumerate();
        all.map(|(at, (issuer, (client_id, client_secret)))| OidcConfig {
            id: match at {
                0 => "oidc".to_owned(),
                at => format!("oidc-{}", at + 1),
            },
            name: names.get(at).cloned().unwrap_or_else(|| host_of(&issuer)),
            issuer,
            client_id,
            client_secret: client_secret.into(),
        })
        .collect()
    }

    /// Where nothing else is said, providers send people back to the page's origin.
    fn check_page_origin(&mut self, path: &str, callback: &str) {
        let page = self.list("server.frontend_url").into_iter().next();
        let Some(page) = page else {
            return;
        };
        let page = page.trim_end_matches('/');
        if let Err(RedirectError::NotSecure) = check_redirect(&format!("{page}{callback}"), callback) {
            let message = format!(
                "people would be sent back to {page}, over plain http. Give FRONTEND_URL as https, which is what \
                 providers ask for as well."
            );
            self.problem(path, message);
        }
    }

    fn supabase(&mut self) -> Option<SupabaseSettings> {
        let url = self.text("auth.supabase_url");
        let public_key = self.secret("auth.supabase_anon_key");
        let jwt_secret = self.secret("auth.supabase_jwt_secret");
        let admin_key = self.secret("auth.supabase_service_role_key");
        if url.is_none() {
            for path in [
                "auth.supabase_anon_key",
                "auth.supabase_jwt_secret",
                "auth.supabase_service_role_key",
            ] {
                if self.text(path).is_some() {
                    self.problem(
                        path,
                        "it is of no use without SUPABASE_URL. Set that too, or neither.",
                    );
                }
            }
        }
        if let Some(url) = &url
            && let Err(why) = check_issuer(url)
        {
            self.problem("auth.supabase_url", format!("`{url}`: {why}."));
        }
        if let Some(key) = public_key.as_ref().map(|key| key.expose_secret()) {
            if is_admin_key(key) {
                self.problem(
                    "auth.supabase_anon_key",
                    "this is the key that may do everything (`sb_secret_…`, `service_role`). Give the one for pages: \
                     `sb_publishable_…`, or the old `anon` token.",
                );
            } else if !is_public_key(key) {
                self.problem(
                    "auth.supabase_anon_key",
                    "this is no key of Supabase for pages: those begin with `sb_publishable_`, or are the old `anon` \
                     token.",
                );
            }
        }
        if admin_key
            .as_ref()
            .is_some_and(|key| !is_admin_key(key.expose_secret()))
        {
            self.problem(
                "auth.supabase_service_role_key",
                "this is not the key that may do everything: that one begins with `sb_secret_`, or is the old \
                 `service_role` token.",
            );
        }
        if jwt_secret
            .as_ref()
            .is_some_and(|secret| secret.expose_secret().len() < MIN_SECRET_BYTES)
        {
            self.problem(
                "auth.supabase_jwt_secret",
                format!("it has fewer than {MIN_SECRET_BYTES} bytes. Copy it from the project's settings."),
            );
        }
        Some(SupabaseSettings {
            url: url?,
            public_key,
            jwt_secret,
            admin_key,
        })
    }
}

fn host_of(issuer: &str) -> String {
    let url = url::Url::parse(issuer).ok();
    let host = url.as_ref().and_then(url::Url::host_str);
    host.unwrap_or(issuer).to_owned()
}

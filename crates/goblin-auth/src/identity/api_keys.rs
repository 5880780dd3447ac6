//! Keys of the API: made, listed, taken back, and held against requests.

use std::net::IpAddr;
use std::sync::Arc;

use goblin_core::api_key::{ApiKey, Budget, MAX_KEY_BOUNDS, MAX_KEY_NAME};
use goblin_core::clock::Timestamp;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::api_keys::NewApiKey;
use goblin_store::audit::NewAudit;
use goblin_store::chats::Page;
use goblin_store::key_file::Network;
use secrecy::SecretString;

use super::own::signed_in;
use super::{Identity, deed};
use crate::api_keys::{CheckedKey, public_id};
use crate::key_format::{self, LIVE, RANDOM_BYTES};
use crate::password::Password;
use crate::principal::{Principal, Scope};
use crate::secret;
use crate::visit::Visit;

/// How often the last use of a key is noted, in milliseconds.
const NOTED_EVERY_MS: i64 = 60_000;
/// Most characters of a model's name.
const MAX_MODEL_CHARS: usize = 256;
/// Largest budget: a billion USD, in nano-USD.
const MAX_BUDGET: i64 = 1_000_000_000_000_000_000;

/// What a key is to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyWish {
    /// Who or what uses it.
    pub name: String,
    /// What it may do; empty: `infer` and `embed`.
    pub scopes: Vec<String>,
    /// The models it may ask; `None`: every one.
    pub models: Option<Vec<String>>,
    /// Where it may be used from; `None`: anywhere.
    pub networks: Option<Vec<String>>,
    /// What it may spend.
    pub budget: Option<Budget>,
    /// Most requests in any minute.
    pub requests_per_minute: Option<u32>,
    /// Most requests at once.
    pub concurrent: Option<u32>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// A key just made. The only time its text is known.
#[derive(Debug)]
pub struct ApiKeyShown {
    /// What is shown of it later too.
    pub key: ApiKey,
    /// The whole key.
    pub secret: SecretString,
}

impl KeyWish {
    /// Within its bounds, and in the form that is kept.
    fn check(self, now: Timestamp) -> Result<Self, ApiError> {
        let name = self.name.trim().to_owned();
        if !(1..=MAX_KEY_NAME).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(ApiError::invalid(
                "name",
                format!("`name` must be 1 to {MAX_KEY_NAME} characters without control characters."),
            ));
        }
        let mut scopes: Vec<String> = Vec::new();
        let usual = || vec![Scope::Infer.as_str().to_owned(), Scope::Embed.as_str().to_owned()];
        for scope in if self.scopes.is_empty() {
            usual()
        } else {
            self.scopes
        } {
            let known = Scope::parse(&scope).filter(|scope| *scope != Scope::Admin);
            if known.is_none() {
                return Err(ApiError::invalid(
                    "scopes",
                    "`scopes` must be a list of `infer`, `embed` and `read`.",
                ));
            }
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(ApiError::invalid(
                "expires_at",
                "`expires_at` must be a moment to come; this one is over.",
            ));
        }
        if self
            .budget
            .is_some_and(|b| !(1..=MAX_BUDGET).contains(&b.nano_usd))
        {
            return Err(ApiError::invalid(
                "budget.usd",
                "`budget.usd` must be from 0.000000001 to 1000000000.",
            ));
        }
        Ok(Self {
            name,
            scopes,
            models: bounds("models", self.models, |model| {
                let fits = (1..=MAX_MODEL_CHARS).contains(&model.chars().count())
                    && !model.chars().any(|c| c.is_control() || c.is_whitespace());
                fits.then(|| model.to_owned()).ok_or_else(|| {
                    format!("a list of models' names of 1 to {MAX_MODEL_CHARS} characters without spaces")
                })
            })?,
            networks: bounds("networks", self.networks, |text| {
                text.trim()
                    .parse::<Network>()
                    .map(|network| network.to_string())
                    .map_err(|why| format!("a list of addresses and networks: {why}"))
            })?,
            ..self
        })
    }
}

/// A list of things a key is bound to: none given binds to nothing, and an empty one would let it do nothing.
fn bounds(
    field: &str,
    given: Option<Vec<String>>,
    read: impl Fn(&str) -> Result<String, String>,
) -> Result<Option<Vec<String>>, ApiError> {
    let Some(given) = given else { return Ok(None) };
    let wrong = |must: String| {
        let end = if must.ends_with('.') { "" } else { "." };
        ApiError::invalid(field, format!("`{field}` must be {must}{end}"))
    };
    if !(1..=MAX_KEY_BOUNDS).contains(&given.len()) {
        return Err(wrong(format!(
            "a list of 1 to {MAX_KEY_BOUNDS} entries, or null for no bound"
        )));
    }
    let mut all = Vec::with_capacity(given.len());
    for one in given {
        let one = read(&one).map_err(wrong)?;
        if !all.contains(&one) {
            all.push(one);
        }
    }
    Ok(Some(all))
}

impl Identity {
    /// Makes a key of the caller's, which outlives the sign-in: whoever signed in more than ten minutes ago gives the
    /// password.
    ///
    /// # Errors
    /// 422 for a field that is wrong, `password` among them when it is needed; 409 in local mode and for somebody with too
    /// many.
    pub async fn make_api_key(
        &self,
        caller: &Principal,
        visit: &Visit,
        password: Option<&Password>,
        wish: KeyWish,
    ) -> Result<ApiKeyShown, ApiError> {
        self.check_again(caller, visit, password).await?;
        self.make_key(&caller.owner, wish, &deed(&caller.owner, "key.made", None, visit))
            .await
    }

    /// The same for whoever may read the database itself.
    ///
    /// # Errors
    /// As [`Self::make_api_key`].
    pub async fn make_api_key_here(&self, owner: &Owner, wish: KeyWish) -> Result<ApiKeyShown, ApiError> {
        self.make_key(owner, wish, &by_command_line(owner, "key.made", None))
            .await
    }

    async fn make_key(
        &self,
        owner: &Owner,
        wish: KeyWish,
        audit: &NewAudit,
    ) -> Result<ApiKeyShown, ApiError> {
        let wish = wish.check(self.now())?;
        let (key, public_id) = key_format::write(LIVE, &secret::random::<RANDOM_BYTES>()?);
        let new = NewApiKey {
            public_id,
            secret_hash: secret::hash(&key),
            name: wish.name,
            scopes: wish.scopes,
            models: wish.models,
            networks: wish.networks,
            budget: wish.budget,
            requests_per_minute: wish.requests_per_minute,
            concurrent: wish.concurrent,
            expires_at: wish.expires_at,
        };
        let audit = NewAudit {
            detail: Some(new.name.clone()),
            ..audit.clone()
        };
        Ok(ApiKeyShown {
            key: self.store().insert_api_key(owner, &new, &audit).await?,
            secret: key.into(),
        })
    }

    /// The caller's keys, newest first; with `everybody` those of all in the tenant, which only admins see.
    ///
    /// # Errors
    /// 403 for `everybody` by somebody who is less than an admin, 422 for a cursor that is not ours.
    pub async fn list_api_keys(
        &self,
        caller: &Principal,
        everybody: bool,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<ApiKey>, ApiError> {
        if everybody && !caller.may(Scope::Admin) {
            return Err(ApiError::forbidden(
                "Only owners and admins see the keys of others.",
            ));
        }
        let Owner { tenant, user } = &caller.owner;
        let user = (!everybody).then_some(user.as_str());
        Ok(self.store().list_api_keys(tenant, user, cursor, limit).await?)
    }

    /// Takes a key back, everywhere within a second and here at once: one's own, or that of somebody the caller manages.
    ///
    /// # Errors
    /// 404 for a key that is not there or that the caller may not know of, 403 for one of somebody who is as much as an
    /// admin.
    pub async fn revoke_api_key(
        &self,
        caller: &Principal,
        visit: &Visit,
        id: &str,
    ) -> Result<ApiKey, ApiError> {
        let one = signed_in(caller)?;
        let tenant = &caller.owner.tenant;
        let found = self
            .store()
            .find_api_key_by_id(tenant, id)
            .await
            .map_err(ApiError::from)?;
        let row = found.ok_or_else(|| ApiError::not_found("key"))?;
        if row.owner != caller.owner {
            if !caller.may(Scope::Admin) {
                return Err(ApiError::not_found("key"));
            }
            if !one.role.manages(row.role) {
                return Err(ApiError::forbidden(
                    "Only an owner revokes the keys of admins and owners.",
                ));
            }
        }
        let audit = NewAudit {
            detail: Some(row.key.name),
            ..deed(&caller.owner, "key.revoked", Some(id), visit)
        };
        let revoked = self.store().revoke_api_key(tenant, id, &audit).await;
        self.forget_keys();
        Ok(revoked?)
    }

    /// The same for whoever may read the database itself.
    ///
    /// # Errors
    /// 404.
    pub async fn revoke_api_key_here(&self, tenant: &str, id: &str) -> Result<ApiKey, ApiError> {
        let found = self
            .store()
            .find_api_key_by_id(tenant, id)
            .await
            .map_err(ApiError::from)?;
        let row = found.ok_or_else(|| ApiError::not_found("key"))?;
        let audit = NewAudit {
            detail: Some(format!("{}, by the command line", row.key.name)),
            ..by_command_line(&row.owner, "key.revoked", Some(id))
        };
        Ok(self.store().revoke_api_key(tenant, id, &audit).await?)
    }

    /// Keys that were checked are looked for again: one was taken back, or what their users may do has changed.
    pub(super) fn forget_keys(&self) {
        self.0.checked_keys.forget();
    }

    /// Who holds this key, when it is good from there. One that was good within the last second is not looked for again.
    pub(super) async fn holder_of_key(
        &self,
        text: &str,
        address: Option<IpAddr>,
    ) -> Result<Principal, ApiError> {
        let (public_id, hash, now) = (public_id(text)?, key_format::hash(text), self.now());
        let checked = match self.0.checked_keys.find(&hash, now) {
            Some(checked) => checked,
            None => self.read_key(public_id, hash, now).await?,
        };
        checked.check(now, address)?;
        if checked.is_to_be_noted(now, NOTED_EVERY_MS) {
            // Where that fails the request goes on: the key is good.
            let before = now.plus_ms(-NOTED_EVERY_MS);
            let _ = self.store().update_api_key_used(&checked.key.id, before).await;
        }
        Ok(
            Principal::api_key(checked.owner.clone(), Arc::clone(&checked.key), checked.role)
                .in_teams(checked.teams.clone()),
        )
    }

    async fn read_key(
        &self,
        public_id: &str,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Arc<CheckedKey>, ApiError> {
        let keys = &self.0.checked_keys;
        let changes = keys.changes();
        let found = self
            .store()
            .find_api_key(public_id)
            .await
            .map_err(ApiError::from)?;
        let checked = found.and_then(|row| CheckedKey::of(row, &hash)).ok_or_else(|| {
            ApiError::unauthorized("The key is not known here, or its owner is no more. Make another one.")
        })?;
        let checked = Arc::new(checked);
        keys.keep(hash, now, changes, &checked);
        Ok(checked)
    }
}

fn by_command_line(owner: &Owner, action: &'static str, target: Option<&str>) -> NewAudit {
    deed(owner, action, target, &Visit::nobody())
}

#[cfg(test)]
mod tests {
    use goblin_core::api_key::BudgetPeriod;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_471_200_000);

    fn wish() -> KeyWish {
        KeyWish {
            name: " ci ".into(),
            ..KeyWish::default()
        }
    }

    #[test]
    fn a_wish_is_kept_in_one_form() {
        let texts = |all: &[&str]| all.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let checked = wish().check(NOW).unwrap();
        assert_eq!(
            (checked.name.as_str(), checked.scopes),
            ("ci", texts(&["infer", "embed"]))
        );
        let bound = KeyWish {
            scopes: texts(&["read", "read"]),
            models: Some(texts(&["goblin", "goblin", "ollama/*"])),
            networks: Some(texts(&["10.0.0.7", " 10.0.0.0/8"])),
            expires_at: Some(NOW.plus_ms(1)),
            ..wish()
        };
        let checked = bound.check(NOW).unwrap();
        assert_eq!(checked.scopes, ["read"]);
        assert_eq!(checked.models.unwrap(), ["goblin", "ollama/*"]);
        assert_eq!(checked.networks.unwrap().len(), 2);
    }

    #[test]
    fn what_is_wrong_with_a_wish_is_said_by_its_field() {
        let one = |text: &str| Some(vec![text.to_owned()]);
        let budget = |nano_usd| {
            Some(Budget {
                nano_usd,
                period: BudgetPeriod::Day,
            })
        };
        let cases = [
            (
                KeyWish {
                    name: " ".into(),
                    ..wish()
                },
                "name",
            ),
            (
                KeyWish {
                    name: "a\u{0}b".into(),
                    ..wish()
                },
                "name",
            ),
            (
                KeyWish {
                    name: "ü".repeat(101),
                    ..wish()
                },
                "name",
            ),
            (
                KeyWish {
                    scopes: vec!["admin".into()],
                    ..wish()
                },
                "scopes",
            ),
            (
                KeyWish {
                    scopes: vec!["Infer".into()],
                    ..wish()
                },
                "scopes",
            ),
            (
                KeyWish {
                    models: Some(Vec::new()),
                    ..wish()
                },
                "models",
            ),
            (
                KeyWish {
                    models: one(""),
                    ..wish()
                },
                "models",
            ),
            (
                KeyWish {
                    models: one("a b"),
                    ..wish()
                },
                "models",
            ),
            (
                KeyWish {
                    models: Some(vec!["m".into(); 51]),
                    ..wish()
                },
                "models",
            ),
            (
                KeyWish {
                    networks: one("10.0.0.5/8"),
                    ..wish()
                },
                "networks",
            ),
            (
                KeyWish {
                    networks: one("everywhere"),
                    ..wish()
                },
                "networks",
            ),
            (
                KeyWish {
                    networks: Some(Vec::new()),
                    ..wish()
                },
                "networks",
            ),
            (
                KeyWish {
                    expires_at: Some(NOW),
                    ..wish()
                },
                "expires_at",
            ),
            (
                KeyWish {
                    budget: budget(0),
                    ..wish()
                },
                "budget.usd",
            ),
            (
                KeyWish {
                    budget: budget(i64::MAX),
                    ..wish()
                },
                "budget.usd",
            ),
        ];
        for (wish, field) in cases {
            let error = wish.clone().check(NOW).expect_err(field);
            assert_eq!(error.param.as_deref(), Some(field), "{wish:?}");
        }
    }
}

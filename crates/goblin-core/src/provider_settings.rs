//! What admins see and set of the clouds known by name while the server runs. Pure data.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::provider::Health;

/// Most models of one provider that are named.
pub const MAX_MODELS: usize = 1000;

/// Who said what is in force. What stands further up beats what stands below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SetBy {
    /// The environment or the command line. It cannot be changed here.
    Environment,
    /// An admin, here.
    Page,
    /// A configuration file.
    File,
    /// Nobody: it is what goblin comes with.
    Default,
}

/// How a cloud is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloudHealth {
    /// It answers.
    Ok,
    /// It is on its way.
    Starting,
    /// It refuses the key.
    KeyRefused,
    /// It answers with nothing that could be used.
    Broken,
    /// It cannot be reached.
    Down,
    /// It has no key, and is never asked.
    NoKey,
    /// The key that is kept does not open with this server's master keys.
    KeySealed,
    /// It is switched off, and not asked.
    Off,
}

impl CloudHealth {
    /// What a provider's health is in a word.
    pub fn of(health: &Health) -> Self {
        match health {
            Health::Ok => Self::Ok,
            Health::Starting(_) => Self::Starting,
            Health::Refused(_) => Self::KeyRefused,
            Health::Broken(_) => Self::Broken,
            Health::Down(_) => Self::Down,
        }
    }

    /// What is wrong and what to do, in a sentence or two; nothing when nothing is. `variable` gives the cloud its key.
    pub fn advice(self, address: &str, variable: &str) -> Option<String> {
        Some(match self {
            Self::Ok | Self::Off => return None,
            Self::Starting => "It is getting ready. Try again in a moment.".to_owned(),
            Self::KeyRefused => format!(
                "{address} refuses the key. Make a new one at the provider, and keep it here or in {variable}."
            ),
            Self::Broken => format!(
                "{address} answers with something else than its list of models. Check the address; if it is right, the \
                 provider has a fault, so try again later."
            ),
            Self::Down => {
                format!("{address} cannot be reached. Check the address, and that this server may reach it.")
            }
            Self::NoKey => format!("It has no key, so it is never asked. Keep one here, or set {variable}."),
            Self::KeySealed => {
                "The key that is kept does not open with this server's master keys. Give the key again."
                    .to_owned()
            }
        })
    }
}

/// A cloud as admins see it. The key itself is never shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CloudState {
    /// The provider's id: the first part of `provider/model`.
    pub id: String,
    /// May it be asked?
    pub enabled: bool,
    /// Whose key it is called with; null: it has none.
    pub key_set_by: Option<SetBy>,
    /// The last four characters of the key that is kept here, empty for a short one; null: none is kept.
    pub last_four: Option<String>,
    /// When that was set.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub key_updated_at: Option<Timestamp>,
    /// Where it is called.
    pub base_url: String,
    /// Who said so.
    pub base_url_set_by: SetBy,
    /// The variable that gives it its key.
    pub key_variable: String,
    /// How it is.
    pub health: CloudHealth,
    /// What is wrong and what to do; null: nothing.
    pub advice: Option<String>,
    /// The models that are offered, by their names there; null: all.
    pub shown_models: Option<Vec<String>>,
    /// The models it said it has, offered or not, at most 1000.
    pub models: Vec<String>,
}

/// What a cloud said when it was tried: its list of models was asked for, which costs nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CloudTest {
    /// The provider's id.
    pub id: String,
    /// How it is.
    pub health: CloudHealth,
    /// What is wrong and what to do; null: nothing.
    pub advice: Option<String>,
    /// How many models it offers.
    pub models: usize,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// A change to a cloud. An absent field stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudChange {
    /// May it be asked?
    pub enabled: Option<bool>,
    /// Where it is called; `Some(None)`: where the configuration says.
    pub base_url: Option<Option<String>>,
    /// The models that are offered; `Some(None)`: all.
    pub models: Option<Option<Vec<String>>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_without_what_the_provider_said() {
        let said = "sk-secret, says the provider".to_owned();
        for health in [
            Health::Refused(said.clone()),
            Health::Broken(said.clone()),
            Health::Down(said.clone()),
            Health::Starting(said),
        ] {
            let advice = CloudHealth::of(&health).advice("https://api.example.com", "EXAMPLE_API_KEY");
            assert!(!advice.unwrap().contains("sk-secret"), "{health:?}");
        }
        assert_eq!(CloudHealth::of(&Health::Ok).advice("", ""), None);
        assert_eq!(CloudHealth::Off.advice("", ""), None);
    }
}

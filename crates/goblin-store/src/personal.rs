//! What of each table belongs to a person: what an export shows of it, and what becomes of it when they go. One list; a
//! test holds it against the schema, so that a table or column nobody thought of is noticed.

/// A table whose rows are somebody's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Personal {
    pub(crate) table: &'static str,
    /// A whole number by which rows are in order, where there is one; then by `id`, which tells rows apart.
    pub(crate) at: Option<&'static str>,
    pub(crate) id: &'static str,
    /// What an export shows, in this order; nothing: the table is left out, and `kept_back` says why.
    pub(crate) shown: &'static [&'static str],
    /// Whose it is, and what would be of use only to a thief.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test holds it against the schema"))]
    pub(crate) kept_back: &'static [&'static str],
    /// What becomes of the rows of somebody who goes.
    pub(crate) fate: Fate,
}

/// What becomes of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Removed at once: nobody can use them any more.
    AtOnce,
    /// Removed soon after, a piece at a time.
    Removed,
    /// Kept without what says whose they were.
    Anonymised,
}

const OWNER: &[&str] = &["tenant_id", "user_id"];

/// Every table with a user's rows. Chats come first, so that what follows refers to nothing that is there still.
pub(crate) const PERSONAL: &[Personal] = &[
    Personal {
        table: "chats",
        at: None,
        id: "id",
        shown: &[
            "id",
            "title",
            "model",
            "system_prompt",
            "parameters_json",
            "folder",
            "head",
            "created_at",
            "updated_at",
            "deleted_at",
        ],
        kept_back: OWNER,
        fate: Fate::Removed,
    },
    Personal {
        table: "turns",
        at: None,
        id: "id",
        shown: &[
            "id",
            "chat_id",
            "parent",
            "content_text",
            "answer",
            "reasoning",
            "status",
            "finish_reason",
            "model",
            "local",
            "error_json",
            "prompt_tokens",
            "completion_tokens",
            "cached_tokens",
            "left_out",
            "first_token_ms",
            "total_ms",
            "created_at",
            "finished_at",
        ],
        kept_back: &["tenant_id", "user_id", "depth", "process"],
        fate: Fate::Removed,
    },
    Personal {
        table: "turn_attachments",
        at: None,
        id: "id",
        shown: &["id", "turn_id", "attachment_id", "position"],
        kept_back: OWNER,
        fate: Fate::Removed,
    },
    Personal {
        table: "attachments",
        at: None,
        id: "id",
        shown: &["id", "name", "kind", "media_type", "byte_count", "created_at"],
        // An export has the bytes as files beside the lists.
        kept_back: &["tenant_id", "user_id", "content"],
        fate: Fate::Removed,
    },
    Personal {
        table: "labels",
        at: None,
        id: "id",
        shown: &[
            "id",
            "turn_id",
            "trace_id",
            "rating",
            "better_turn",
            "second_opinion",
            "comment_text",
            "created_at",
            "updated_at",
        ],
        kept_back: OWNER,
        fate: Fate::Removed,
    },
    Personal {
        table: "traces",
        at: Some("created_at"),
        id: "id",
        // The other columns say the same in short.
        shown: &["id", "request_id", "turn_id", "trace_json", "created_at"],
        kept_back: &[
            "tenant_id",
            "user_id",
            "model",
            "answered_by",
            "outcome",
            "left_machine",
            "cost_nano_usd",
            "summary_json",
        ],
        fate: Fate::Removed,
    },
    Personal {
        table: "responses",
        at: Some("created_at"),
        id: "id",
        shown: &[
            "id",
            "previous",
            "input_json",
            "response_json",
            "created_at",
            "expires_at",
        ],
        kept_back: &["tenant_id", "user_id", "bytes"],
        fate: Fate::Removed,
    },
    Personal {
        table: "usage",
        at: Some("at"),
        id: "id",
        shown: &[
            "id",
            "request_id",
            "door",
            "turn_id",
            "model",
            "provider",
            "local",
            "prompt_tokens",
            "completion_tokens",
            "cached_tokens",
            "reasoning_tokens",
            "outcome",
            "at",
            "key_id",
            "cost_nano_usd",
            "estimated",
            "would_have_cost_nano_usd",
        ],
        kept_back: OWNER,
        fate: Fate::Anonymised,
    },
    Personal {
        table: "usage_open",
        at: Some("at"),
        id: "id",
        shown: &[],
        // A request under way; in a moment it is a row of the table above.
        kept_back: &[
            "id",
            "tenant_id",
            "user_id",
            "key_id",
            "request_id",
            "door",
            "turn_id",
            "model",
            "provider",
            "local",
            "prompt_tokens",
            "completion_tokens",
            "cached_tokens",
            "reasoning_tokens",
            "cost_nano_usd",
            "process",
            "at",
        ],
        fate: Fate::Removed,
    },
    Personal {
        table: "sessions",
        at: Some("seen_at"),
        id: "id",
        shown: &[
            "id",
            "kind",
            "signed_in_by",
            "address",
            "device",
            "created_at",
            "seen_at",
            "idle_until",
            "expires_at",
            "revoked_at",
        ],
        kept_back: &["tenant_id", "user_id", "secret_hash"],
        fate: Fate::AtOnce,
    },
    Personal {
        table: "refresh_tokens",
        at: None,
        id: "secret_hash",
        shown: &[],
        // Hashes of secrets of the sign-ins above.
        kept_back: &[
            "secret_hash",
            "tenant_id",
            "user_id",
            "session_id",
            "created_at",
            "used_at",
        ],
        fate: Fate::AtOnce,
    },
    Personal {
        table: "links",
        at: None,
        id: "id",
        shown: &[
            "id",
            "kind",
            "email",
            "role",
            "created_at",
            "expires_at",
            "used_at",
            "revoked_at",
        ],
        kept_back: &["tenant_id", "user_id", "secret_hash"],
        fate: Fate::AtOnce,
    },
    Personal {
        table: "identities",
        at: None,
        id: "id",
        shown: &["id", "issuer", "subject", "email", "created_at", "used_at"],
        kept_back: OWNER,
        fate: Fate::AtOnce,
    },
    Personal {
        table: "sign_in_flows",
        at: None,
        id: "state_hash",
        shown: &[],
        // A sign-in under way, over within minutes; hashes of its secrets.
        kept_back: &[
            "state_hash",
            "tenant_id",
            "user_id",
            "browser_hash",
            "provider",
            "session_id",
            "created_at",
            "expires_at",
        ],
        fate: Fate::AtOnce,
    },
    Personal {
        table: "presented_tokens",
        at: None,
        id: "token_hash",
        shown: &[],
        // Hashes of tokens of others, until those end.
        kept_back: &["token_hash", "tenant_id", "user_id", "expires_at"],
        fate: Fate::AtOnce,
    },
    Personal {
        table: "passkeys",
        at: None,
        id: "id",
        shown: &["id", "host", "name", "created_at", "used_at", "copied_at"],
        kept_back: &[
            "tenant_id",
            "user_id",
            "credential_id",
            "user_handle",
            "credential_json",
        ],
        fate: Fate::AtOnce,
    },
    Personal {
        table: "passkey_ceremonies",
        at: None,
        id: "secret_hash",
        shown: &[],
        // A passkey being made or used, over within minutes.
        kept_back: &[
            "secret_hash",
            "tenant_id",
            "user_id",
            "session_id",
            "user_handle",
            "state_json",
            "expires_at",
        ],
        fate: Fate::AtOnce,
    },
    Personal {
        table: "api_keys",
        at: None,
        id: "id",
        shown: &[
            "id",
            "public_id",
            "name",
            "scopes",
            "models_json",
            "networks_json",
            "budget_nano_usd",
            "budget_period",
            "requests_per_minute",
            "concurrent",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ],
        kept_back: &["tenant_id", "user_id", "secret_hash"],
        fate: Fate::AtOnce,
    },
    Personal {
        table: "team_members",
        at: None,
        id: "team_id",
        shown: &["team_id", "role", "created_at"],
        kept_back: OWNER,
        fate: Fate::AtOnce,
    },
    Personal {
        table: "audit",
        at: Some("position"),
        id: "id",
        shown: &[
            "id", "position", "action", "target", "detail", "address", "device", "at",
        ],
        kept_back: &[
            "tenant_id",
            "user_id",
            "previous_hash",
            "hash",
            "person_hash",
            "person_salt",
        ],
        fate: Fate::Anonymised,
    },
];

/// What an export shows of the person's own row.
pub(crate) const PROFILE: &[&str] = &[
    "id",
    "name",
    "email",
    "email_typed",
    "email_verified_at",
    "role",
    "password_changed_at",
    "disabled_at",
    "created_at",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::NEWEST;
    use crate::shape::fresh_shape;

    #[tokio::test]
    async fn every_table_and_column_of_a_person_is_in_the_list_and_in_the_schema() {
        let shape = fresh_shape(NEWEST).await.unwrap();
        let of_people = shape.tables.iter().filter(|(_, table)| {
            let has = |name: &str| table.columns.iter().any(|column| column.name == name);
            has("user_id")
        });
        let mut found = 0;
        for (name, table) in of_people {
            let listed = PERSONAL.iter().find(|one| one.table == name);
            let listed = listed.unwrap_or_else(|| panic!("{name}: say in PERSONAL what becomes of its rows"));
            let mut said: Vec<&str> = [listed.shown, listed.kept_back].concat();
            said.sort_unstable();
            let mut there: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            there.sort_unstable();
            assert_eq!(said, there, "{name}");
            assert!(there.contains(&listed.id) && listed.at.is_none_or(|at| there.contains(&at)));
            found += 1;
        }
        assert_eq!(found, PERSONAL.len());
        for column in PROFILE {
            assert!(
                shape.tables["users"].columns.iter().any(|c| c.name == *column),
                "{column}"
            );
        }
    }

    #[test]
    fn nothing_that_opens_a_door_is_shown() {
        for one in PERSONAL {
            for column in one.shown {
                let is_secret = ["secret", "hash", "sealed", "password", "salt", "cipher"]
                    .iter()
                    .any(|word| column.contains(word));
                assert!(!is_secret, "{}.{column}", one.table);
            }
        }
    }
}

//! Keys of programs, of providers and of tokens: their part of the story.

use goblin_core::account::Role;
use goblin_core::api_key::{Budget, BudgetPeriod, MAX_KEYS_OF_USER};
use goblin_core::owner::Owner;
use goblin_store::api_keys::NewApiKey;
use goblin_store::error::StoreError;
use goblin_store::provider_keys::{Envelope, ProviderKeyRow, Sealed};
use goblin_store::provider_settings::ProviderSettingsRow;
use goblin_store::signing_keys::{KeyState, NewSigningKey};

use crate::accounts::{HOUR_MS, another, deed, first};
use crate::content::AWKWARD;
use crate::desk::{Desk, on_both};

on_both! {
    somebody_has_only_so_many_good_keys,
    what_is_no_key_of_ours_finds_nothing,
}

pub(crate) fn api_key(public_id: &str) -> NewApiKey {
    NewApiKey {
        public_id: public_id.into(),
        secret_hash: "5".repeat(64),
        name: AWKWARD.into(),
        scopes: vec!["infer".into(), "read".into()],
        models: Some(vec!["goblin/*".into(), AWKWARD.into()]),
        networks: Some(vec!["10.0.0.0/8".into()]),
        budget: Some(Budget {
            nano_usd: 2_500_000_001,
            period: BudgetPeriod::Month,
        }),
        requests_per_minute: Some(60),
        concurrent: Some(4),
        expires_at: None,
    }
}

pub(crate) fn envelope(master: &str) -> Envelope {
    Envelope {
        sealed: vec![0, 1, 255],
        sealed_key: vec![254, 0],
        master_id: master.into(),
    }
}

pub(crate) fn provider_key(desk: &Desk, provider: &str, version: i64) -> ProviderKeyRow {
    ProviderKeyRow {
        tenant: Owner::LOCAL_TENANT.into(),
        provider: provider.into(),
        version,
        envelope: envelope("m1"),
        last_four: "4f2a".into(),
        base_url: Some("https://gateway.example/v1".into()),
        updated_by: Owner::LOCAL_USER.into(),
        updated_at: desk.clock.now(),
    }
}

pub(crate) fn provider_settings(desk: &Desk, provider: &str) -> ProviderSettingsRow {
    ProviderSettingsRow {
        tenant: Owner::LOCAL_TENANT.into(),
        provider: provider.into(),
        enabled: false,
        models: Some(vec![AWKWARD.into()]),
        updated_by: Owner::LOCAL_USER.into(),
        updated_at: desk.clock.now(),
    }
}

pub(crate) fn signing_key(id: &str) -> NewSigningKey {
    NewSigningKey {
        id: id.into(),
        envelope: envelope("m1"),
    }
}

/// Part of the story, after there are accounts.
pub(crate) async fn keeping_keys(desk: &Desk) {
    of_programs(desk).await;
    of_providers(desk).await;
    of_tokens(desk).await;
}

async fn of_programs(desk: &Desk) {
    let (store, owner) = (&desk.store, Owner::local());
    let expiring = NewApiKey {
        expires_at: Some(desk.clock.now().plus_ms(HOUR_MS)),
        ..api_key("aaaaaaaa")
    };
    let kept = store
        .insert_api_key(&owner, &expiring, &deed("key.made"))
        .await
        .unwrap();
    desk.clock.advance_ms(1);
    let second = store
        .insert_api_key(&owner, &api_key("bbbbbbbb"), &deed("key.made"))
        .await
        .unwrap();
    let row = store.find_api_key("aaaaaaaa").await.unwrap().unwrap();
    assert_eq!(
        (&row.owner, row.role, row.disabled_at),
        (&owner, Role::Owner, None)
    );
    assert_eq!(
        (&row.key, row.secret_hash.as_str()),
        (&kept, "5".repeat(64).as_str())
    );
    assert_eq!(kept.budget, expiring.budget);
    assert_eq!((kept.requests_per_minute, kept.concurrent), (Some(60), Some(4)));
    assert_eq!(kept.models.as_ref().map(Vec::len), Some(2));
    assert_eq!(
        store.find_api_key("AAAAAAAA").await.unwrap(),
        None,
        "letters' case matters"
    );

    let listed = store.list_api_keys("local", None, None, 1).await.unwrap();
    assert_eq!(listed.items, std::slice::from_ref(&second));
    let rest = store
        .list_api_keys("local", Some(&owner.user), listed.next_cursor.as_deref(), 5)
        .await
        .unwrap();
    assert_eq!(rest.items, std::slice::from_ref(&kept));
    assert!(rest.next_cursor.is_none());
    for (tenant, user) in [("others", None), ("local", Some("nobody"))] {
        assert!(
            store
                .list_api_keys(tenant, user, None, 5)
                .await
                .unwrap()
                .items
                .is_empty()
        );
    }

    let used_at = desk.clock.now();
    store
        .update_api_key_used(&kept.id, used_at.plus_ms(-60_000))
        .await
        .unwrap();
    desk.clock.advance_ms(30_000);
    store
        .update_api_key_used(&kept.id, desk.clock.now().plus_ms(-60_000))
        .await
        .unwrap();
    let row = store
        .find_api_key_by_id("local", &kept.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.key.last_used_at, Some(used_at), "noted once a minute");

    let elsewhere = store
        .revoke_api_key("others", &kept.id, &deed("key.revoked"))
        .await;
    assert!(matches!(elsewhere, Err(StoreError::NotFound("key"))));
    let revoked = store
        .revoke_api_key("local", &kept.id, &deed("key.revoked"))
        .await
        .unwrap();
    let at = revoked.revoked_at.unwrap();
    desk.clock.advance_ms(5);
    let before = store.list_audit("local", None, 1).await.unwrap().items;
    let again = store
        .revoke_api_key("local", &kept.id, &deed("key.revoked"))
        .await
        .unwrap();
    assert_eq!(again.revoked_at, Some(at), "for good, since the first time");
    assert_eq!(store.list_audit("local", None, 1).await.unwrap().items, before);
}

async fn of_providers(desk: &Desk) {
    let store = &desk.store;
    let put = deed("provider_key.set");
    store
        .put_provider_key(&provider_key(desk, "openai", 1), &put)
        .await
        .unwrap();
    let late = store
        .put_provider_key(&provider_key(desk, "openai", 1), &put)
        .await;
    assert!(
        matches!(late, Err(StoreError::Busy)),
        "two at once: the second is told"
    );
    let second = ProviderKeyRow {
        envelope: envelope("m2"),
        ..provider_key(desk, "openai", 2)
    };
    store.put_provider_key(&second, &put).await.unwrap();
    assert_eq!(
        store.find_provider_key("local", "openai").await.unwrap(),
        Some(second)
    );
    assert_eq!(store.find_provider_key("others", "openai").await.unwrap(), None);
    store
        .put_provider_key(&provider_key(desk, "anthropic", 1), &put)
        .await
        .unwrap();
    let all = store.list_provider_keys().await.unwrap();
    let names: Vec<&str> = all.iter().map(|row| row.provider.as_str()).collect();
    assert_eq!(names, ["anthropic", "openai"]);
    store
        .delete_provider_key("local", "anthropic", &deed("provider_key.removed"))
        .await
        .unwrap();
    let gone = store
        .delete_provider_key("local", "anthropic", &deed("provider_key.removed"))
        .await;
    assert!(matches!(gone, Err(StoreError::NotFound("key"))));
    what_is_set_about_them(desk).await;
}

async fn what_is_set_about_them(desk: &Desk) {
    let store = &desk.store;
    let changed = deed("provider.changed");
    let off = ProviderSettingsRow {
        models: None,
        ..provider_settings(desk, "openai")
    };
    store.put_provider_settings(&off, &changed).await.unwrap();
    let on = ProviderSettingsRow {
        enabled: true,
        models: Some(vec!["gpt-5".into(), "o\"'%_".into()]),
        ..off.clone()
    };
    store.put_provider_settings(&on, &changed).await.unwrap();
    let elsewhere = ProviderSettingsRow {
        tenant: "others".into(),
        ..off
    };
    store.put_provider_settings(&elsewhere, &changed).await.unwrap();
    assert_eq!(
        store.list_provider_settings("local").await.unwrap(),
        [on],
        "the last word counts, and only the tenant's own"
    );
    store
        .delete_provider_settings("local", "openai", &deed("provider.reset"))
        .await
        .unwrap();
    assert!(store.list_provider_settings("local").await.unwrap().is_empty());
    let nothing = store
        .delete_provider_settings("local", "openai", &deed("provider.reset"))
        .await;
    assert!(matches!(nothing, Err(StoreError::NotFound("provider"))));
    assert_eq!(store.list_provider_settings("others").await.unwrap(), [elsewhere]);
}

async fn of_tokens(desk: &Desk) {
    let store = &desk.store;
    let states = |all: &[goblin_store::signing_keys::SigningKeyRow]| -> Vec<(String, KeyState)> {
        all.iter().map(|row| (row.id.clone(), row.state)).collect()
    };
    let named = |all: &[(&str, KeyState)]| -> Vec<(String, KeyState)> {
        all.iter().map(|(id, state)| ((*id).to_owned(), *state)).collect()
    };
    use KeyState::{Current, Previous, Revoked, Standby};
    let none = store
        .rotate_signing_keys(&signing_key("k9"), desk.clock.now())
        .await;
    assert!(matches!(none, Err(StoreError::NotFound(_))), "nothing waits");
    let kept = store
        .insert_first_signing_keys(&signing_key("k1"), &signing_key("k2"))
        .await
        .unwrap();
    assert_eq!(states(&kept), named(&[("k1", Current), ("k2", Standby)]));
    let late = store
        .insert_first_signing_keys(&signing_key("k3"), &signing_key("k4"))
        .await
        .unwrap();
    assert_eq!(kept, late, "only the first ones are kept");
    desk.clock.advance_ms(1_000);
    let old = desk.clock.now().plus_ms(-HOUR_MS);
    let rotated = store.rotate_signing_keys(&signing_key("k3"), old).await.unwrap();
    assert_eq!(
        states(&rotated),
        named(&[("k2", Current), ("k3", Standby), ("k1", Previous)])
    );
    for id in ["k2", "k3", "nobody", "' OR 1=1 --"] {
        let refused = store.revoke_signing_key(id).await;
        assert!(matches!(refused, Err(StoreError::NotFound(_))), "{id}");
    }
    store.revoke_signing_key("k1").await.unwrap();
    let all = store.list_signing_keys().await.unwrap();
    assert_eq!(
        states(&all),
        named(&[("k2", Current), ("k3", Standby), ("k1", Revoked)])
    );

    // The small keys of all secrets under another master key, in one go or not at all.
    let failed = store
        .rewrap_secrets(|place, _| {
            if *place == Sealed::signing_key("k3") {
                return Err(StoreError::Busy);
            }
            Ok(Some((vec![9], "m3".to_owned())))
        })
        .await;
    assert!(matches!(failed, Err(StoreError::Busy)));
    assert_eq!(
        store.list_provider_keys().await.unwrap()[0].envelope.master_id,
        "m2"
    );
    let changed = store
        .rewrap_secrets(|_, old| {
            let is_there = old.master_id == "m3";
            Ok::<_, StoreError>((!is_there).then(|| (vec![9], "m3".to_owned())))
        })
        .await
        .unwrap();
    assert_eq!(changed, 4);
    let row = &store.list_provider_keys().await.unwrap()[0].envelope;
    assert_eq!(
        (row.sealed_key.as_slice(), row.sealed.as_slice()),
        (&[9][..], &[0, 1, 255][..])
    );

    desk.clock.advance_ms(2 * HOUR_MS);
    let old = desk.clock.now().plus_ms(-HOUR_MS);
    let rotated = store.rotate_signing_keys(&signing_key("k4"), old).await.unwrap();
    assert_eq!(
        states(&rotated),
        named(&[("k3", Current), ("k4", Standby), ("k2", Previous)]),
        "what no token can be of any more is forgotten"
    );
}

async fn somebody_has_only_so_many_good_keys(desk: &Desk) {
    first(desk).await;
    let member = another(desk, "member@example.org", Role::Member).await.owner;
    let mut last = None;
    for n in 0..MAX_KEYS_OF_USER {
        let (new, deed) = (api_key(&format!("{n:08}")), deed("key.made"));
        last = Some(desk.store.insert_api_key(&member, &new, &deed).await.unwrap());
    }
    let one_more = || async {
        let (new, deed) = (api_key("onemore0"), deed("key.made"));
        desk.store.insert_api_key(&member, &new, &deed).await
    };
    let refused = one_more().await;
    assert!(
        matches!(refused, Err(StoreError::TooManyKeys(MAX_KEYS_OF_USER))),
        "{refused:?}"
    );
    let id = last.unwrap().id;
    desk.store
        .revoke_api_key("local", &id, &deed("key.revoked"))
        .await
        .unwrap();
    assert!(one_more().await.is_ok(), "one that is over makes room");
    let nobody = Owner {
        tenant: "local".into(),
        user: "nobody".into(),
    };
    let refused = desk
        .store
        .insert_api_key(&nobody, &api_key("nobody00"), &deed("key.made"))
        .await;
    assert!(matches!(refused, Err(StoreError::NotFound("user"))));
}

async fn what_is_no_key_of_ours_finds_nothing(desk: &Desk) {
    let owner = first(desk).await.owner;
    desk.store
        .insert_api_key(&owner, &api_key("aaaaaaaa"), &deed("key.made"))
        .await
        .unwrap();
    for text in [
        "",
        "'",
        "' OR '1'='1",
        "aaaaaaa_",
        "aaaaaaaa'; DROP TABLE api_keys; --",
        "%",
        "\u{202e}",
    ] {
        assert_eq!(desk.store.find_api_key(text).await.unwrap(), None, "{text}");
        assert_eq!(
            desk.store.find_api_key_by_id("local", text).await.unwrap(),
            None,
            "{text}"
        );
    }
    assert!(desk.store.find_api_key("aaaaaaaa").await.unwrap().is_some());
}

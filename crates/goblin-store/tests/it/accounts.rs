//! Accounts, sign-ins, links and what is written down of them: their part of the story.

use goblin_core::account::{LinkKind, Role, SessionKind};
use goblin_core::owner::Owner;
use goblin_store::accounts::{AccountChange, AccountRow, NewAccount, NewPassword};
use goblin_store::audit::NewAudit;
use goblin_store::error::StoreError;
use goblin_store::links::NewLink;
use goblin_store::sessions::{Exchange, NewSession};

use crate::desk::Desk;

pub(crate) const HOUR_MS: i64 = 3_600_000;

pub(crate) fn deed(action: &'static str) -> NewAudit {
    NewAudit {
        owner: Owner::local(),
        action,
        target: None,
        detail: None,
        address: Some("192.0.2.1".into()),
        device: Some("A browser".into()),
    }
}

pub(crate) fn somebody(email: &str) -> NewAccount {
    NewAccount {
        email: email.to_lowercase(),
        email_typed: email.into(),
        name: Some("Somebody".into()),
        password_hash: "$argon2id$first".into(),
    }
}

pub(crate) fn browser(desk: &Desk, secret: &str) -> NewSession {
    NewSession {
        kind: SessionKind::Browser,
        secret_hash: secret.into(),
        signed_in_by: "password",
        address: Some("192.0.2.1".into()),
        device: Some("A browser".into()),
        idle_until: desk.clock.now().plus_ms(HOUR_MS),
        expires_at: desk.clock.now().plus_ms(10 * HOUR_MS),
        replaces: None,
    }
}

pub(crate) fn program(desk: &Desk, secret: &str) -> NewSession {
    NewSession {
        kind: SessionKind::Tokens,
        ..browser(desk, secret)
    }
}

pub(crate) fn link(desk: &Desk, kind: LinkKind, secret: &str) -> NewLink {
    NewLink {
        kind,
        secret_hash: secret.into(),
        email: None,
        role: (kind == LinkKind::Invitation).then_some(Role::Member),
        expires_at: desk.clock.now().plus_ms(HOUR_MS),
    }
}

pub(crate) async fn first(desk: &Desk) -> AccountRow {
    desk.store
        .insert_first_account(&somebody("Owner@example.org"), &deed("account.made"))
        .await
        .unwrap()
}

pub(crate) async fn another(desk: &Desk, email: &str, role: Role) -> AccountRow {
    desk.clock.advance_ms(1);
    desk.store
        .insert_account(Owner::LOCAL_TENANT, role, &somebody(email), &deed("account.made"))
        .await
        .unwrap()
}

/// Part of the story: everything about people, on the desk where a chat was kept before there were any.
pub(crate) async fn letting_people_in(desk: &Desk) {
    let owner = making_accounts(desk).await;
    signing_in(desk, &owner).await;
    let member = inviting(desk, &owner).await;
    changing(desk, &owner, &member).await;
    let listed = desk
        .store
        .list_audit(Owner::LOCAL_TENANT, None, 200)
        .await
        .unwrap();
    let positions: Vec<i64> = listed.items.iter().map(|event| event.position).collect();
    let expected: Vec<i64> = (1..=positions.len() as i64).rev().collect();
    assert_eq!(positions, expected, "without gaps, newest first");
    assert!(positions.len() > 10);
    let page = desk.store.list_audit(Owner::LOCAL_TENANT, None, 3).await.unwrap();
    let next = desk
        .store
        .list_audit(Owner::LOCAL_TENANT, page.next_cursor.as_deref(), 3)
        .await
        .unwrap();
    assert_eq!(next.items, listed.items[3..6]);
    assert_eq!(
        desk.store.find_broken_audit(Owner::LOCAL_TENANT).await.unwrap(),
        None
    );
}

async fn making_accounts(desk: &Desk) -> Owner {
    let store = &desk.store;
    assert!(!store.has_account().await.unwrap());
    assert_eq!(
        store.find_account(&Owner::local()).await.unwrap(),
        None,
        "a user, but no account"
    );
    let setup = link(desk, LinkKind::Setup, "setup-1");
    store
        .insert_link(&Owner::local(), &setup, &deed("setup.offered"))
        .await
        .unwrap();
    let again = link(desk, LinkKind::Setup, "setup-2");
    store
        .insert_link(&Owner::local(), &again, &deed("setup.offered"))
        .await
        .unwrap();
    assert_eq!(store.find_link("setup-1").await.unwrap(), None, "one at a time");
    assert!(store.find_link("setup-2").await.unwrap().is_some());
    let made = first(desk).await;
    assert_eq!((&made.owner, made.account.role), (&Owner::local(), Role::Owner));
    assert_eq!(
        (made.email.as_str(), made.account.email.as_str()),
        ("owner@example.org", "Owner@example.org")
    );
    assert_eq!(
        store.find_link("setup-2").await.unwrap(),
        None,
        "over with the first account"
    );
    assert!(store.has_account().await.unwrap());
    let twice = store
        .insert_first_account(&somebody("b@example.org"), &deed("account.made"))
        .await;
    assert!(matches!(twice, Err(StoreError::Taken(_))), "{twice:?}");
    assert_eq!(
        store.find_account_by_email("owner@example.org").await.unwrap(),
        Some(made.clone())
    );
    assert_eq!(store.find_account(&made.owner).await.unwrap(), Some(made.clone()));
    assert_eq!(
        store.find_account_by_email("Owner@example.org").await.unwrap(),
        None,
        "compared as it is kept"
    );
    let taken = store
        .insert_account(
            Owner::LOCAL_TENANT,
            Role::Member,
            &somebody("OWNER@example.org"),
            &deed("account.made"),
        )
        .await;
    assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
    made.owner
}

async fn signing_in(desk: &Desk, owner: &Owner) {
    let (store, now) = (&desk.store, || desk.clock.now());
    assert!(!store.has_signed_in_from(owner, "192.0.2.1").await.unwrap());
    let session = store
        .insert_session(owner, &browser(desk, "cookie-1"), &deed("session.begun"))
        .await
        .unwrap();
    assert!(store.has_signed_in_from(owner, "192.0.2.1").await.unwrap());
    let found = store.find_session_by_secret("cookie-1").await.unwrap().unwrap();
    assert_eq!((&found.session, &found.owner), (&session, owner));
    assert!(found.is_good(now()) && !found.is_good(now().plus_ms(HOUR_MS)));
    assert_eq!(store.find_session(&session.id).await.unwrap(), Some(found));
    desk.clock.advance_ms(HOUR_MS / 2);
    store
        .update_session_seen(&session.id, now().plus_ms(HOUR_MS))
        .await
        .unwrap();
    let used = store.find_session(&session.id).await.unwrap().unwrap();
    assert_eq!(
        (used.session.seen_at, used.session.idle_until),
        (now(), now().plus_ms(HOUR_MS))
    );

    desk.clock.advance_ms(1);
    let replacing = NewSession {
        replaces: Some("cookie-1".into()),
        ..browser(desk, "cookie-2")
    };
    let second = store
        .insert_session(owner, &replacing, &deed("session.begun"))
        .await
        .unwrap();
    assert!(
        !store
            .find_session(&session.id)
            .await
            .unwrap()
            .unwrap()
            .is_good(now())
    );
    desk.clock.advance_ms(1);
    let tokens = store
        .insert_session(owner, &program(desk, "refresh-1"), &deed("session.begun"))
        .await
        .unwrap();
    assert_eq!(
        store.find_session_by_secret("refresh-1").await.unwrap(),
        None,
        "a refresh token is no cookie"
    );
    let all = store.list_sessions(owner, None, 10).await.unwrap().items;
    assert_eq!(all, [tokens.clone(), second.clone()]);

    let later = now().plus_ms(HOUR_MS);
    let replayed = deed("session.replayed");
    let fresh = store
        .exchange_refresh("refresh-1", "refresh-2", later, &replayed)
        .await
        .unwrap();
    assert!(
        matches!(&fresh, Exchange::Fresh(row) if row.session.id == tokens.id),
        "{fresh:?}"
    );
    assert_eq!(
        store
            .exchange_refresh("nothing", "x", later, &replayed)
            .await
            .unwrap(),
        Exchange::Unknown
    );
    assert_eq!(
        store
            .exchange_refresh("refresh-1", "x", later, &replayed)
            .await
            .unwrap(),
        Exchange::Replayed
    );
    assert_eq!(
        store
            .exchange_refresh("refresh-2", "x", later, &replayed)
            .await
            .unwrap(),
        Exchange::Unknown,
        "the whole family is over"
    );
    let newest = &store.list_audit(&owner.tenant, None, 1).await.unwrap().items[0];
    assert_eq!(
        (newest.action.as_str(), newest.target.as_deref()),
        ("session.replayed", Some(tokens.id.as_str()))
    );

    let stranger = Owner {
        user: "other".into(),
        ..Owner::local()
    };
    let theirs = store
        .end_session(&stranger, &second.id, &deed("session.ended"))
        .await;
    assert!(
        matches!(theirs, Err(StoreError::NotFound("session"))),
        "{theirs:?}"
    );
    store
        .end_session(owner, &second.id, &deed("session.ended"))
        .await
        .unwrap();
    assert!(
        store
            .end_session(owner, &second.id, &deed("session.ended"))
            .await
            .is_err(),
        "over"
    );
    let third = store
        .insert_session(owner, &browser(desk, "cookie-3"), &deed("session.begun"))
        .await
        .unwrap();
    store
        .insert_session(owner, &browser(desk, "cookie-4"), &deed("session.begun"))
        .await
        .unwrap();
    assert_eq!(
        store
            .end_sessions(owner, Some(&third.id), &deed("sessions.ended"))
            .await
            .unwrap(),
        1
    );
    assert_eq!(store.list_sessions(owner, None, 10).await.unwrap().items, [third]);
    assert_eq!(
        store.delete_ended_sessions(HOUR_MS).await.unwrap(),
        0,
        "kept for a while"
    );
    desk.clock.advance_ms(HOUR_MS + 1);
    assert_eq!(
        store.list_sessions(owner, None, 10).await.unwrap().items,
        [],
        "unused too long"
    );
    assert_eq!(store.delete_ended_sessions(0).await.unwrap(), 5);
}

async fn inviting(desk: &Desk, owner: &Owner) -> AccountRow {
    let store = &desk.store;
    let for_one = NewLink {
        email: Some("member@example.org".into()),
        ..link(desk, LinkKind::Invitation, "invite-1")
    };
    let id = store
        .insert_link(owner, &for_one, &deed("invitation.made"))
        .await
        .unwrap();
    desk.clock.advance_ms(1);
    let open = store
        .insert_link(
            owner,
            &link(desk, LinkKind::Invitation, "invite-2"),
            &deed("invitation.made"),
        )
        .await
        .unwrap();
    let listed = store
        .list_invitations(&owner.tenant, None, 10)
        .await
        .unwrap()
        .items;
    assert_eq!(listed.iter().map(|i| &i.id).collect::<Vec<_>>(), [&open, &id]);
    assert_eq!(
        store.find_invitation(&owner.tenant, &id).await.unwrap().as_ref(),
        Some(&listed[1])
    );
    assert_eq!(store.find_invitation("elsewhere", &id).await.unwrap(), None);
    store
        .end_invitation(&owner.tenant, &open, &deed("invitation.ended"))
        .await
        .unwrap();
    assert!(
        store
            .end_invitation(&owner.tenant, &open, &deed("invitation.ended"))
            .await
            .is_err()
    );

    let made = deed("account.made");
    for (secret, email) in [
        ("invite-1", "other@example.org"),
        ("invite-2", "x@example.org"),
        ("no", "x@example.org"),
    ] {
        let refused = store
            .insert_invited_account(secret, &somebody(email), &made)
            .await;
        assert!(
            matches!(refused, Err(StoreError::LinkOver)),
            "{secret}: {refused:?}"
        );
    }
    let member = store
        .insert_invited_account("invite-1", &somebody("Member@example.org"), &made)
        .await
        .unwrap();
    assert_eq!(
        (member.account.role, &member.owner.tenant),
        (Role::Member, &owner.tenant)
    );
    let again = store
        .insert_invited_account("invite-1", &somebody("member@example.org"), &made)
        .await;
    assert!(matches!(again, Err(StoreError::LinkOver)), "used up: {again:?}");
    assert_eq!(store.delete_ended_links(0).await.unwrap(), 2, "the set-up links");
    desk.clock.advance_ms(HOUR_MS + 2);
    assert_eq!(store.delete_ended_links(0).await.unwrap(), 2);
    member
}

async fn changing(desk: &Desk, owner: &Owner, member: &AccountRow) {
    let store = &desk.store;
    store
        .update_password_hash(&member.owner, "$argon2id$other", "$argon2id$x")
        .await
        .unwrap();
    store
        .update_password_hash(&member.owner, "$argon2id$first", "$argon2id$second")
        .await
        .unwrap();
    let hash = async |owner: &Owner| store.find_account(owner).await.unwrap().unwrap().password_hash;
    assert_eq!(hash(&member.owner).await.as_deref(), Some("$argon2id$second"));

    for name in [Some("Grace"), None] {
        let named = store
            .update_account_name(&member.owner, name, &deed("account.named"))
            .await
            .unwrap();
        assert_eq!(named.name.as_deref(), name);
        assert_eq!(
            store.find_account(&member.owner).await.unwrap().unwrap().account,
            named
        );
    }
    let nobody = Owner {
        user: "nobody".into(),
        ..member.owner.clone()
    };
    let refused = store
        .update_account_name(&nobody, Some("x"), &deed("account.named"))
        .await;
    assert!(
        matches!(refused, Err(StoreError::NotFound("user"))),
        "{refused:?}"
    );

    let kept = store
        .insert_session(&member.owner, &browser(desk, "m-1"), &deed("session.begun"))
        .await
        .unwrap();
    store
        .insert_session(&member.owner, &browser(desk, "m-2"), &deed("session.begun"))
        .await
        .unwrap();
    let new = NewPassword {
        hash: "$argon2id$third",
        keep: Some((&kept.id, Some("m-3"))),
    };
    store
        .update_password(&member.owner, &new, &deed("password.changed"))
        .await
        .unwrap();
    let good = async |secret: &str| {
        let found = store.find_session_by_secret(secret).await.unwrap();
        found.is_some_and(|row| row.is_good(desk.clock.now()))
    };
    assert_eq!(
        (good("m-1").await, good("m-2").await, good("m-3").await),
        (false, false, true)
    );

    let reset = link(desk, LinkKind::Reset, "reset-1");
    store
        .insert_link(&member.owner, &reset, &deed("reset.offered"))
        .await
        .unwrap();
    let done = store
        .update_password_by_link("reset-1", "$argon2id$fourth", &deed("password.reset"))
        .await
        .unwrap();
    assert_eq!(done.owner, member.owner);
    assert_eq!(hash(&member.owner).await.as_deref(), Some("$argon2id$fourth"));
    assert!(!good("m-3").await);
    let again = store
        .update_password_by_link("reset-1", "$argon2id$x", &deed("password.reset"))
        .await;
    assert!(matches!(again, Err(StoreError::LinkOver)), "{again:?}");

    store
        .insert_session(&member.owner, &browser(desk, "m-4"), &deed("session.begun"))
        .await
        .unwrap();
    let to = |role| AccountChange {
        role: Some(role),
        disabled: None,
    };
    let changed = store
        .update_account(&member.owner, to(Role::Admin), &deed("account.changed"))
        .await
        .unwrap();
    assert_eq!(changed.role, Role::Admin);
    assert!(!good("m-4").await, "signs in anew with another role");
    let out = AccountChange {
        role: None,
        disabled: Some(true),
    };
    let last = store.update_account(owner, out, &deed("account.changed")).await;
    assert!(matches!(last, Err(StoreError::LastOwner)), "{last:?}");
    let last = store
        .update_account(owner, to(Role::Member), &deed("account.changed"))
        .await;
    assert!(matches!(last, Err(StoreError::LastOwner)), "{last:?}");
    let gone = store
        .update_account(&member.owner, out, &deed("account.changed"))
        .await
        .unwrap();
    assert!(gone.disabled_at.is_some());
    let reset = link(desk, LinkKind::Reset, "reset-2");
    store
        .insert_link(&member.owner, &reset, &deed("reset.offered"))
        .await
        .unwrap();
    let shut_out = store
        .update_password_by_link("reset-2", "$argon2id$x", &deed("password.reset"))
        .await;
    assert!(matches!(shut_out, Err(StoreError::LinkOver)), "{shut_out:?}");

    let all = store.list_accounts(&owner.tenant, None, 10).await.unwrap().items;
    assert_eq!(
        all.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(),
        [member.account.id.as_str(), Owner::LOCAL_USER]
    );
    assert_eq!(
        store.list_accounts("elsewhere", None, 10).await.unwrap().items,
        []
    );
    store.insert_audit(&deed("session.refused")).await.unwrap();
}

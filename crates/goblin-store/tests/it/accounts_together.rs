//! Accounts in trouble: several at once, rows changed past the store, strings that are statements.

use goblin_core::account::{LinkKind, Role};
use goblin_core::owner::Owner;
use goblin_store::accounts::{AccountChange, NewAccount};
use goblin_store::audit::NewAudit;
use goblin_store::error::StoreError;
use goblin_store::sessions::Exchange;
use tokio::task::JoinSet;

use crate::accounts::{HOUR_MS, another, deed, first, link, program, somebody};
use crate::desk::{Desk, on_both_kept};

on_both_kept! {
    what_is_written_down_is_whole_and_of_a_tenant_that_is_there,
    strings_that_are_statements_are_only_text,
    an_invitation_ends_with_the_power_of_who_made_it,
    of_ten_first_accounts_at_once_one_is_made,
    of_two_owners_who_let_each_other_out_at_once_one_stays,
    of_ten_who_use_a_link_at_once_one_gets_in,
    of_ten_who_exchange_a_token_at_once_one_succeeds_and_then_nobody,
    ten_at_once_write_down_one_chain,
}

async fn what_is_written_down_is_whole_and_of_a_tenant_that_is_there(desk: &Desk) {
    for _ in 0..5 {
        desk.store.insert_audit(&deed("session.refused")).await.unwrap();
    }
    assert_eq!(
        desk.store.find_broken_audit(Owner::LOCAL_TENANT).await.unwrap(),
        None
    );
    assert!(matches!(
        desk.store
            .insert_audit(&NewAudit {
                owner: Owner {
                    tenant: "nowhere".into(),
                    ..Owner::local()
                },
                ..deed("session.refused")
            })
            .await,
        Err(StoreError::NotFound("tenant"))
    ));
    assert_eq!(
        desk.store.find_broken_audit(Owner::LOCAL_TENANT).await.unwrap(),
        None
    );
}

/// In one file, where a statement can be run past the store.
#[tokio::test]
async fn rows_changed_or_taken_out_past_the_store_are_found() {
    for (statement, broken) in [
        ("UPDATE audit SET detail = 'nothing' WHERE position = 3", 3),
        ("UPDATE audit SET address = NULL WHERE position = 1", 1),
        ("DELETE FROM audit WHERE position = 2", 2),
        ("DELETE FROM audit WHERE position = 5", 4),
        ("UPDATE audit SET at = at + 1 WHERE position = 5", 5),
    ] {
        let desk = Desk::in_a_file().await;
        for _ in 0..5 {
            desk.store.insert_audit(&deed("session.refused")).await.unwrap();
        }
        let file = sqlx::SqlitePool::connect(&format!("sqlite:{}", desk.store.database()))
            .await
            .unwrap();
        sqlx::query(statement).execute(&file).await.unwrap();
        file.close().await;
        let found = desk.store.find_broken_audit(Owner::LOCAL_TENANT).await.unwrap();
        assert_eq!(found, Some(broken), "{statement}");
    }
}

async fn strings_that_are_statements_are_only_text(desk: &Desk) {
    first(desk).await;
    let evil = "x' OR '1'='1'; DROP TABLE users; --";
    let store = &desk.store;
    assert_eq!(store.find_account_by_email(evil).await.unwrap(), None);
    assert_eq!(store.find_session_by_secret(evil).await.unwrap(), None);
    assert_eq!(store.find_session(evil).await.unwrap(), None);
    assert_eq!(store.find_link(evil).await.unwrap(), None);
    assert_eq!(store.find_invitation(evil, evil).await.unwrap(), None);
    assert!(!store.has_signed_in_from(&Owner::local(), evil).await.unwrap());
    let exchanged = store
        .exchange_refresh(evil, "n", desk.clock.now(), &deed("session.replayed"))
        .await
        .unwrap();
    assert_eq!(exchanged, Exchange::Unknown);
    let named = NewAccount {
        email: evil.into(),
        email_typed: evil.into(),
        name: Some(format!("{evil}\0")),
        password_hash: Some(evil.into()),
    };
    let made = store
        .insert_account(Owner::LOCAL_TENANT, Role::Viewer, &named, &deed("account.made"))
        .await
        .unwrap();
    assert_eq!(made.account.email, evil);
    assert_eq!(
        made.account.name.as_deref(),
        Some(format!("{evil}\u{fffd}").as_str())
    );
    assert_eq!(
        store
            .list_accounts(Owner::LOCAL_TENANT, None, 10)
            .await
            .unwrap()
            .items
            .len(),
        2
    );
}

async fn an_invitation_ends_with_the_power_of_who_made_it(desk: &Desk) {
    first(desk).await;
    let admin = another(desk, "admin@example.org", Role::Admin).await;
    let store = &desk.store;
    for (secret, change) in [
        (
            "i-1",
            AccountChange {
                role: Some(Role::Viewer),
                disabled: None,
            },
        ),
        (
            "i-2",
            AccountChange {
                role: None,
                disabled: Some(true),
            },
        ),
    ] {
        let invitation = link(desk, LinkKind::Invitation, secret);
        store
            .insert_link(&admin.owner, &invitation, &deed("invitation.made"))
            .await
            .unwrap();
        assert!(store.find_link(secret).await.unwrap().is_some());
        store
            .update_account(&admin.owner, change, &deed("account.changed"))
            .await
            .unwrap();
        assert_eq!(store.find_link(secret).await.unwrap(), None, "{secret}");
    }
}

/// How many of ten tries at once succeed.
async fn ten_at_once<T, F>(make: impl Fn(usize) -> F) -> usize
where
    F: Future<Output = Result<T, StoreError>> + Send + 'static,
    T: Send + 'static,
{
    let mut tries = JoinSet::new();
    for n in 0..10 {
        tries.spawn(make(n));
    }
    tries.join_all().await.iter().filter(|done| done.is_ok()).count()
}

async fn of_ten_first_accounts_at_once_one_is_made(desk: &Desk) {
    let made = ten_at_once(|n| {
        let store = desk.store.clone();
        async move {
            let who = somebody(&format!("owner-{n}@example.org"));
            store.insert_first_account(&who, &deed("account.made")).await
        }
    })
    .await;
    assert_eq!(made, 1);
    assert_eq!(
        desk.store
            .list_accounts(Owner::LOCAL_TENANT, None, 20)
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}

async fn of_two_owners_who_let_each_other_out_at_once_one_stays(desk: &Desk) {
    let one = first(desk).await.owner;
    let two = another(desk, "two@example.org", Role::Owner).await.owner;
    let mut tries = JoinSet::new();
    for owner in [one, two] {
        let store = desk.store.clone();
        tries.spawn(async move {
            let out = AccountChange {
                role: None,
                disabled: Some(true),
            };
            store.update_account(&owner, out, &deed("account.changed")).await
        });
    }
    let done = tries.join_all().await;
    assert_eq!(done.iter().filter(|d| d.is_ok()).count(), 1, "{done:?}");
    assert!(
        done.iter().any(|d| matches!(d, Err(StoreError::LastOwner))),
        "{done:?}"
    );
}

async fn of_ten_who_use_a_link_at_once_one_gets_in(desk: &Desk) {
    first(desk).await;
    let invitation = link(desk, LinkKind::Invitation, "invite");
    desk.store
        .insert_link(&Owner::local(), &invitation, &deed("invitation.made"))
        .await
        .unwrap();
    let in_by_it = ten_at_once(|n| {
        let store = desk.store.clone();
        async move {
            let who = somebody(&format!("guest-{n}@example.org"));
            store
                .insert_invited_account("invite", &who, &deed("account.made"))
                .await
        }
    })
    .await;
    assert_eq!(in_by_it, 1);
}

async fn of_ten_who_exchange_a_token_at_once_one_succeeds_and_then_nobody(desk: &Desk) {
    let owner = first(desk).await.owner;
    desk.store
        .insert_session(&owner, &program(desk, "refresh"), &deed("session.begun"))
        .await
        .unwrap();
    let mut tries = JoinSet::new();
    for n in 0..10 {
        let (store, later) = (desk.store.clone(), desk.clock.now().plus_ms(HOUR_MS));
        tries.spawn(async move {
            let next = format!("next-{n}");
            let done = store
                .exchange_refresh("refresh", &next, later, &deed("session.replayed"))
                .await;
            (next, done.unwrap())
        });
    }
    let done = tries.join_all().await;
    let fresh: Vec<&String> = done
        .iter()
        .filter(|(_, done)| matches!(done, Exchange::Fresh(_)))
        .map(|(next, _)| next)
        .collect();
    assert_eq!(fresh.len(), 1, "{done:?}");
    assert_eq!(
        done.iter()
            .filter(|(_, done)| *done == Exchange::Replayed)
            .count(),
        1,
        "{done:?}"
    );
    let later = desk.clock.now().plus_ms(HOUR_MS);
    let after = desk
        .store
        .exchange_refresh(fresh[0], "x", later, &deed("session.replayed"))
        .await
        .unwrap();
    assert_eq!(after, Exchange::Unknown, "ended for the thief and for the owner");
}

async fn ten_at_once_write_down_one_chain(desk: &Desk) {
    let written = ten_at_once(|_| {
        let store = desk.store.clone();
        async move {
            for _ in 0..5 {
                store.insert_audit(&deed("session.refused")).await?;
            }
            Ok::<_, StoreError>(())
        }
    })
    .await;
    assert_eq!(written, 10);
    assert_eq!(
        desk.store
            .list_audit(Owner::LOCAL_TENANT, None, 200)
            .await
            .unwrap()
            .items
            .len(),
        50
    );
    assert_eq!(
        desk.store.find_broken_audit(Owner::LOCAL_TENANT).await.unwrap(),
        None
    );
}

//! Sign-ins by others: identities, sign-ins on their way, tokens that are good once.

use goblin_core::account::{LinkKind, Role};
use goblin_core::owner::Owner;
use goblin_store::accounts::NewAccount;
use goblin_store::error::StoreError;
use goblin_store::identities::{MAX_IDENTITIES, NewIdentity, TakenIn};
use goblin_store::links::NewLink;
use goblin_store::sign_in_flows::Flow;
use tokio::task::JoinSet;

use crate::accounts::{HOUR_MS, another, deed, first, link, somebody};
use crate::desk::{Desk, on_both_kept};

on_both_kept! {
    an_identity_is_one_accounts_and_found_by_issuer_and_subject,
    whoever_is_vouched_for_comes_in_by_an_invitation_for_their_address_or_openly,
    the_last_way_into_an_account_stays,
    a_sign_in_on_its_way_is_taken_once_and_by_its_own_browser,
    of_ten_who_take_a_sign_in_or_link_an_identity_at_once_one_gets_it,
}

const OPENLY: TakenIn<'_> = TakenIn::Openly {
    tenant: Owner::LOCAL_TENANT,
    role: Role::Member,
};

pub(crate) fn identity(subject: &str) -> NewIdentity {
    NewIdentity {
        issuer: "https://id.example.org".into(),
        subject: subject.into(),
        email: Some("me@example.org".into()),
    }
}

pub(crate) fn flow(desk: &Desk, state: &str) -> Flow {
    Flow {
        state_hash: state.into(),
        browser_hash: "browser".into(),
        provider: "oidc".into(),
        owner: Owner::local(),
        session: None,
        created_at: desk.clock.now(),
        expires_at: desk.clock.now().plus_ms(HOUR_MS),
    }
}

async fn an_identity_is_one_accounts_and_found_by_issuer_and_subject(desk: &Desk) {
    let store = &desk.store;
    let owner = first(desk).await.owner;
    let member = another(desk, "member@example.org", Role::Member).await;
    let mine = identity("s-1");
    let linked = deed("identity.linked");
    store.insert_identity(&owner, &mine, &linked).await.unwrap();
    for whose in [&owner, &member.owner] {
        let again = store.insert_identity(whose, &mine, &linked).await;
        assert!(matches!(again, Err(StoreError::Taken("identity"))), "{again:?}");
    }
    let found = store.find_account_by_identity(&mine.issuer, "s-1").await.unwrap();
    assert_eq!(found.unwrap().owner, owner);
    for (issuer, subject) in [
        (mine.issuer.as_str(), "S-1"),
        (mine.issuer.as_str(), "s-1 "),
        ("https://id.example.org/", "s-1"),
        ("https://ID.example.org", "s-1"),
        ("' OR 1=1 --", "' OR 1=1 --"),
    ] {
        let found = store.find_account_by_identity(issuer, subject).await.unwrap();
        assert_eq!(found, None, "{issuer} {subject}");
    }
    desk.clock.advance_ms(5);
    let seen = NewIdentity {
        email: Some("new@example.org\0".into()),
        ..mine.clone()
    };
    store.update_identity_used(&seen).await.unwrap();
    let listed = store.list_identities(&owner).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].issuer, mine.issuer);
    assert_eq!(listed[0].email.as_deref(), Some("new@example.org\u{fffd}"));
    assert_eq!(listed[0].used_at.ms_since(listed[0].created_at), 5);
    assert_eq!(store.list_identities(&member.owner).await.unwrap(), []);
    let unlinked = deed("identity.unlinked");
    let theirs = store
        .delete_identity(&member.owner, &listed[0].id, &unlinked)
        .await;
    assert!(
        matches!(theirs, Err(StoreError::NotFound("identity"))),
        "{theirs:?}"
    );
    store
        .delete_identity(&owner, &listed[0].id, &unlinked)
        .await
        .unwrap();
    assert_eq!(store.list_identities(&owner).await.unwrap(), []);
    for n in 0..MAX_IDENTITIES {
        let one = identity(&format!("many-{n}"));
        store.insert_identity(&owner, &one, &linked).await.unwrap();
    }
    let over = store
        .insert_identity(&owner, &identity("one more"), &linked)
        .await;
    assert!(matches!(over, Err(StoreError::TooManyIdentities(_))), "{over:?}");
    assert_eq!(store.find_broken_audit(Owner::LOCAL_TENANT).await.unwrap(), None);
}

async fn whoever_is_vouched_for_comes_in_by_an_invitation_for_their_address_or_openly(desk: &Desk) {
    let store = &desk.store;
    let owner = first(desk).await.owner;
    let (new, made) = (without_password("guest@example.org"), deed("account.made"));
    let by_invitation = async |subject: &str| {
        let who = identity(subject);
        store
            .insert_vouched_account(TakenIn::ByInvitation, &new, &who, &made)
            .await
    };
    for (secret, email) in [("open", None), ("else", Some("other@example.org"))] {
        let invited = NewLink {
            email: email.map(str::to_owned),
            ..link(desk, LinkKind::Invitation, secret)
        };
        store
            .insert_link(&owner, &invited, &deed("invitation.made"))
            .await
            .unwrap();
    }
    let nobody = by_invitation("g-1").await;
    assert!(
        matches!(nobody, Err(StoreError::LinkOver)),
        "invitations of others: {nobody:?}"
    );
    let invited = NewLink {
        email: Some("guest@example.org".into()),
        role: Some(Role::Viewer),
        ..link(desk, LinkKind::Invitation, "mine")
    };
    store
        .insert_link(&owner, &invited, &deed("invitation.made"))
        .await
        .unwrap();
    let guest = by_invitation("g-1").await.unwrap();
    assert_eq!(
        (guest.account.role, guest.password_hash.as_deref()),
        (Role::Viewer, None)
    );
    let found = store
        .find_account_by_identity("https://id.example.org", "g-1")
        .await
        .unwrap();
    assert_eq!(found.as_ref(), Some(&guest));
    assert!(store.find_link("mine").await.unwrap().is_none(), "used up");
    let taken = store
        .insert_vouched_account(OPENLY, &new, &identity("g-2"), &made)
        .await;
    assert!(
        matches!(taken, Err(StoreError::Taken("e-mail address"))),
        "{taken:?}"
    );
    let another_one = without_password("second@example.org");
    let known = store
        .insert_vouched_account(OPENLY, &another_one, &identity("g-1"), &made)
        .await;
    assert!(matches!(known, Err(StoreError::Taken("identity"))), "{known:?}");
    assert!(
        store
            .find_account_by_email("second@example.org")
            .await
            .unwrap()
            .is_none(),
        "all or nothing"
    );
    let member = store
        .insert_vouched_account(OPENLY, &another_one, &identity("g-3"), &made)
        .await
        .unwrap();
    assert_eq!(member.account.role, Role::Member);
}

async fn the_last_way_into_an_account_stays(desk: &Desk) {
    let store = &desk.store;
    first(desk).await;
    let (new, made) = (without_password("guest@example.org"), deed("account.made"));
    let guest = store
        .insert_vouched_account(OPENLY, &new, &identity("g-1"), &made)
        .await
        .unwrap()
        .owner;
    let unlinked = deed("identity.unlinked");
    let one = store.list_identities(&guest).await.unwrap()[0].id.clone();
    let kept = store.delete_identity(&guest, &one, &unlinked).await;
    assert!(matches!(kept, Err(StoreError::LastWayIn)), "{kept:?}");
    store
        .insert_identity(&guest, &identity("g-2"), &deed("identity.linked"))
        .await
        .unwrap();
    store.delete_identity(&guest, &one, &unlinked).await.unwrap();
    let two = store.list_identities(&guest).await.unwrap()[0].id.clone();
    let kept = store.delete_identity(&guest, &two, &unlinked).await;
    assert!(matches!(kept, Err(StoreError::LastWayIn)), "{kept:?}");
}

async fn a_sign_in_on_its_way_is_taken_once_and_by_its_own_browser(desk: &Desk) {
    let store = &desk.store;
    let begun = flow(desk, "state");
    store.insert_flow(&begun).await.unwrap();
    assert_eq!(store.take_flow("state", "another").await.unwrap(), None);
    assert_eq!(store.take_flow("STATE", "browser").await.unwrap(), None);
    assert_eq!(store.take_flow("' OR 1=1 --", "browser").await.unwrap(), None);
    assert_eq!(store.take_flow("state", "browser").await.unwrap(), Some(begun));
    assert_eq!(
        store.take_flow("state", "browser").await.unwrap(),
        None,
        "replayed"
    );
    store.insert_flow(&flow(desk, "late")).await.unwrap();
    let ends = desk.clock.now().plus_ms(HOUR_MS);
    assert!(store.insert_presented_token("token", ends).await.unwrap());
    assert!(
        !store.insert_presented_token("token", ends).await.unwrap(),
        "replayed"
    );
    desk.clock.advance_ms(HOUR_MS);
    assert_eq!(store.take_flow("late", "browser").await.unwrap(), None, "over");
    assert_eq!(store.delete_ended_flows().await.unwrap(), 2);
    assert_eq!(store.delete_ended_flows().await.unwrap(), 0);
}

async fn of_ten_who_take_a_sign_in_or_link_an_identity_at_once_one_gets_it(desk: &Desk) {
    let owner = first(desk).await.owner;
    desk.store.insert_flow(&flow(desk, "state")).await.unwrap();
    let (mut taking, mut linking) = (JoinSet::new(), JoinSet::new());
    for _ in 0..10 {
        let store = desk.store.clone();
        taking.spawn(async move { store.take_flow("state", "browser").await.unwrap().is_some() });
        let (store, owner) = (desk.store.clone(), owner.clone());
        linking.spawn(async move {
            let (one, audit) = (identity("s"), deed("identity.linked"));
            store.insert_identity(&owner, &one, &audit).await.is_ok()
        });
    }
    let got = |all: Vec<bool>| all.into_iter().filter(|got| *got).count();
    assert_eq!(got(taking.join_all().await), 1);
    assert_eq!(got(linking.join_all().await), 1);
}

fn without_password(email: &str) -> NewAccount {
    NewAccount {
        password_hash: None,
        ..somebody(email)
    }
}

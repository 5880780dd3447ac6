//! People as a whole: what an export holds of one of them and of nobody else, what is left when they go, teams, and what
//! is removed because it is old.

use std::collections::BTreeMap;
use std::io::Read;
use std::pin::pin;

use futures_util::StreamExt;
use goblin_core::account::{LinkKind, Role};
use goblin_core::attachment::AttachmentKind;
use goblin_core::feedback::FeedbackChange;
use goblin_core::owner::Owner;
use goblin_store::accounts::AccountRow;
use goblin_store::attachments::NewAttachment;
use goblin_store::audit::{DELETED, NewAudit};
use goblin_store::chats::NewChat;
use goblin_store::error::StoreError;
use goblin_store::identities::NewIdentity;
use goblin_store::responses::KeepResponses;
use goblin_store::retention::Retention;
use goblin_store::traces::NewTrace;
use goblin_store::turns::{NewTurn, Parent};
use goblin_store::usage::NewUsage;
use serde_json::Value;

use crate::accounts::{another, browser, deed, first, link, program};
use crate::content::{columns_at, content, tamper};
use crate::desk::{Desk, complete, on_both_kept};
use crate::identities::identity;
use crate::responses::response;
use crate::traces::trace;

const DAY_MS: i64 = 86_400_000;

on_both_kept! {
    an_export_holds_everything_of_one_person_and_nothing_of_others,
    whoever_goes_leaves_nothing_that_says_who_they_were,
    what_is_written_late_of_somebody_who_has_gone_goes_too,
    the_last_owner_stays,
    the_chain_holds_without_what_was_erased_and_shows_what_was_changed,
    what_is_old_goes_and_the_rest_stays,
    one_of_several_copies_does_a_chore,
    people_are_in_teams,
}

/// Something of everything, each text with the person's own word in it.
async fn live(desk: &Desk, row: &AccountRow, word: &str) -> String {
    let (store, owner) = (&desk.store, &row.owner);
    let said = |what: &str| format!("{what} of {word}");
    desk.clock.advance_ms(1);
    let new = NewChat {
        title: Some(said("title")),
        system: Some(said("system")),
        folder: Some(said("folder")),
        ..NewChat::default()
    };
    let chat = store.insert_chat(owner, new).await.unwrap();
    let file = NewAttachment {
        name: format!("{}.txt", said("file")),
        kind: AttachmentKind::Text,
        media_type: "text/plain".into(),
        content: said("bytes").into(),
    };
    let file = store.insert_attachment(owner, file, 1024).await.unwrap();
    let mut last = String::new();
    for number in 0..40 {
        desk.clock.advance_ms(1);
        let new = NewTurn {
            chat: chat.id.clone(),
            parent: if number == 39 { Parent::Root } else { Parent::Head },
            content: said(&format!("question {number}")),
            attachments: vec![file.id.clone()],
            ..NewTurn::default()
        };
        let turn = store.insert_turn(owner, new).await.unwrap().0;
        let usage = NewUsage {
            request_id: said("request"),
            door: "chats".into(),
            ..NewUsage::default()
        };
        store
            .finish_turn(owner, complete(&turn, &said("answer")), Some(usage))
            .await
            .unwrap();
        last = turn.id;
    }
    let label = FeedbackChange {
        comment: Some(Some(said("comment"))),
        ..FeedbackChange::default()
    };
    store.update_label(owner, &last, label).await.unwrap();
    let kept = NewTrace {
        request_id: said("request"),
        turn: Some(last.clone()),
        trace: trace(desk, &format!("trace-{word}")),
    };
    store.insert_trace(owner, &kept).await.unwrap();
    let response = response(&format!("resp_{word}"), None, &said("response"));
    store
        .insert_response(owner, &response, KeepResponses::default())
        .await
        .unwrap();
    let by = |action| NewAudit {
        owner: owner.clone(),
        detail: Some(said("detail")),
        address: Some(said("address")),
        device: Some(said("device")),
        ..deed(action)
    };
    let mut session = browser(desk, &said("cookie"));
    session.device = Some(said("device"));
    store
        .insert_session(owner, &session, &by("session.begun"))
        .await
        .unwrap();
    let session = program(desk, &said("refresh"));
    store
        .insert_session(owner, &session, &by("session.begun"))
        .await
        .unwrap();
    let mut invitation = link(desk, LinkKind::Invitation, &said("secret"));
    invitation.email = Some(said("invited"));
    store
        .insert_link(owner, &invitation, &by("invitation.made"))
        .await
        .unwrap();
    last
}

/// The files of an export, by name.
async fn export(desk: &Desk, owner: &Owner) -> BTreeMap<String, String> {
    let mut bytes = Vec::new();
    let mut pieces = pin!(desk.store.export(owner));
    while let Some(piece) = pieces.next().await {
        bytes.extend(piece.unwrap());
    }
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut files = BTreeMap::new();
    for at in 0..zip.len() {
        let mut file = zip.by_index(at).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert!(!name.contains("..") && !name.starts_with('/'), "{name}");
        files.insert(name, text);
    }
    files
}

async fn an_export_holds_everything_of_one_person_and_nothing_of_others(desk: &Desk) {
    let owner = first(desk).await;
    let ada = another(desk, "Ada@example.org", Role::Member).await;
    live(desk, &owner, "Otto").await;
    live(desk, &ada, "Ada").await;
    let files = export(desk, &ada.owner).await;
    let all: String = files.values().map(String::as_str).collect();
    for what in [
        "title",
        "system",
        "folder",
        "question 0",
        "question 39",
        "answer",
        "comment",
        "response",
        "request",
        "device",
        "address",
        "detail",
        "invited",
        "file",
        "bytes",
    ] {
        assert!(all.contains(&format!("{what} of Ada")), "{what}");
    }
    assert!(!all.contains("Otto"), "another's");
    for secret in ["cookie of", "refresh of", "secret of", "argon2"] {
        assert!(!all.contains(secret), "{secret}");
    }
    let data = |name: &str| -> Value {
        let text = &files[&format!("data/{name}.json")];
        serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}: {text}"))
    };
    for (name, rows) in [
        ("chats", 1),
        ("turns", 40),
        ("attachments", 1),
        ("turn_attachments", 40),
        ("usage", 40),
        ("labels", 1),
        ("traces", 1),
        ("responses", 1),
        ("sessions", 2),
        ("links", 1),
    ] {
        assert_eq!(data(name).as_array().unwrap().len(), rows, "{name}");
    }
    assert_eq!(data("account")["email_typed"], "Ada@example.org");
    assert_eq!(data("traces")[0]["trace"]["trace_id"], "trace-Ada");
    assert_eq!(data("turns")[0]["local"], true);
    assert!(data("turns")[0]["created_at"].as_str().unwrap().ends_with('Z'));
    assert!(data("usage")[0]["prompt_tokens"].is_number());
    assert!(data("audit").as_array().unwrap().len() >= 4);
    let (name, chat) = files.iter().find(|(name, _)| name.starts_with("chats/")).unwrap();
    assert!(name.contains("title-of-Ada") && name.ends_with(".md"), "{name}");
    assert_eq!(chat.matches("## Question").count(), 40);
    assert_eq!(chat.matches("*Attached: file of Ada.txt, files/").count(), 40);
    let (name, bytes) = files.iter().find(|(name, _)| name.starts_with("files/")).unwrap();
    assert!(name.ends_with(" file-of-Ada.txt"), "{name}");
    assert_eq!(bytes, "bytes of Ada");
    assert_eq!(chat.matches("*On another branch").count(), 1);
    let nobody = Owner {
        tenant: "local".into(),
        user: "nobody".into(),
    };
    let mut refused = pin!(desk.store.export(&nobody));
    assert!(matches!(
        refused.next().await,
        Some(Err(StoreError::NotFound("user")))
    ));
}

/// Everything the database holds, as one text; rows are in hexadecimal.
async fn everything(desk: &Desk) -> String {
    let columns = columns_at(goblin_store::schema::NEWEST).await;
    let all = content(desk.store.database(), &columns).await;
    let rows = all.values().flatten();
    rows.map(|row| String::from_utf8_lossy(&hex::decode(row).unwrap()).into_owned() + "\n")
        .collect()
}

fn gone(owner: &Owner) -> NewAudit {
    NewAudit {
        owner: owner.clone(),
        target: Some(owner.user.clone()),
        address: None,
        device: None,
        ..deed(DELETED)
    }
}

async fn whoever_goes_leaves_nothing_that_says_who_they_were(desk: &Desk) {
    let store = &desk.store;
    let owner = first(desk).await;
    let ada = another(desk, "Ada@example.org", Role::Member).await;
    live(desk, &owner, "Otto").await;
    live(desk, &ada, "Ada").await;
    let others = export(desk, &owner.owner).await;
    let team = store
        .insert_team(Owner::LOCAL_TENANT, "T", Some(&ada.owner), &deed("team.made"))
        .await
        .unwrap();
    // An old invitation of theirs, made by somebody else.
    let mut invitation = link(desk, LinkKind::Invitation, "long ago");
    invitation.email = Some("ada@example.org".into());
    store
        .insert_link(&owner.owner, &invitation, &deed("invitation.made"))
        .await
        .unwrap();
    let there = identity("s-ada");
    store
        .insert_identity(&ada.owner, &there, &deed("identity.linked"))
        .await
        .unwrap();
    let elsewhere = NewIdentity {
        issuer: "https://another.example.org".into(),
        ..identity("Ada elsewhere")
    };
    store
        .insert_identity(&ada.owner, &elsewhere, &deed("identity.linked"))
        .await
        .unwrap();
    assert!(everything(desk).await.contains("Ada"));

    let was = store
        .delete_account(&ada.owner, Some(&there.issuer), &gone(&ada.owner))
        .await
        .unwrap();
    // At the provider that is the operator's own they are still to be removed, and at no other.
    let leaving = async |issuer: &str| store.list_leaving(issuer).await.unwrap();
    assert_eq!(leaving(&there.issuer).await, ["s-ada"]);
    assert!(leaving(&elsewhere.issuer).await.is_empty());
    store.note_leaving(&there.issuer, "s-ada", false).await.unwrap();
    assert_eq!(leaving(&there.issuer).await, ["s-ada"], "tried again");
    let back = another(desk, "back@example.org", Role::Member).await.owner;
    store
        .insert_identity(&back, &there, &deed("identity.linked"))
        .await
        .unwrap();
    assert!(leaving(&there.issuer).await.is_empty(), "they came back");
    store.delete_account(&back, None, &gone(&back)).await.unwrap();
    assert_eq!(leaving(&there.issuer).await, ["s-ada"]);
    store.note_leaving(&there.issuer, "s-ada", true).await.unwrap();
    assert!(leaving(&there.issuer).await.is_empty());
    assert_eq!(was.email, "Ada@example.org");
    assert_eq!(
        store.find_account_by_email("ada@example.org").await.unwrap(),
        None
    );
    assert_eq!(
        store.find_session_by_secret("cookie of Ada").await.unwrap(),
        None,
        "at once"
    );
    assert_eq!(store.find_team_role(&ada.owner, &team.id).await.unwrap(), None);
    store.erase(&ada.owner).await.unwrap();
    let left = everything(desk).await;
    for word in ["Ada", "ada@"] {
        assert!(!left.contains(word), "{word}: {left}");
    }
    // What was used is still booked, on nobody.
    let booked = store.list_usage(&ada.owner, None, 200).await.unwrap().items;
    assert_eq!(booked.len(), 40);
    assert!(
        booked
            .iter()
            .all(|row| row.usage.request_id.is_empty() && row.turn.is_none())
    );
    assert_eq!(store.find_broken_audit(Owner::LOCAL_TENANT).await.unwrap(), None);
    let again = store.delete_account(&ada.owner, None, &gone(&ada.owner)).await;
    assert!(matches!(again, Err(StoreError::NotFound("user"))));
    // Somebody else's is as it was, but for the audit log, which goes on.
    let after = export(desk, &owner.owner).await;
    for (name, text) in &others {
        assert!(
            name == "data/audit.json" || name == "data/links.json" || after[name] == *text,
            "{name}"
        );
    }
    // The address is free again, for somebody who is somebody else.
    let new = another(desk, "Ada@example.org", Role::Member).await;
    assert_ne!(new.owner, ada.owner);
    assert!(
        store
            .list_chats(&new.owner, None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

async fn what_is_written_late_of_somebody_who_has_gone_goes_too(desk: &Desk) {
    let store = &desk.store;
    first(desk).await;
    let ada = another(desk, "ada@example.org", Role::Member).await;
    // Given up in the middle: the account is gone, the rest is there.
    live(desk, &ada, "Ada").await;
    store
        .delete_account(&ada.owner, None, &gone(&ada.owner))
        .await
        .unwrap();
    assert_eq!(store.erase_gone().await.unwrap(), 1);
    assert!(!everything(desk).await.contains("Ada"));
    let late = NewTrace {
        request_id: "request of Ada".into(),
        turn: None,
        trace: trace(desk, "late"),
    };
    store.insert_trace(&ada.owner, &late).await.unwrap();
    desk.clock.advance_ms(DAY_MS);
    assert_eq!(
        store.erase_gone().await.unwrap(),
        1,
        "looked at again for two days"
    );
    assert!(!everything(desk).await.contains("Ada"));
    desk.clock.advance_ms(2 * DAY_MS);
    assert_eq!(store.erase_gone().await.unwrap(), 0);
}

async fn the_last_owner_stays(desk: &Desk) {
    let owner = first(desk).await.owner;
    another(desk, "admin@example.org", Role::Admin).await;
    let refused = desk.store.delete_account(&owner, None, &gone(&owner)).await;
    assert!(matches!(refused, Err(StoreError::LastOwner)), "{refused:?}");
    assert!(
        desk.store.find_account(&owner).await.unwrap().is_some(),
        "nothing happened"
    );
    another(desk, "second@example.org", Role::Owner).await;
    desk.store
        .delete_account(&owner, None, &gone(&owner))
        .await
        .unwrap();
}

async fn the_chain_holds_without_what_was_erased_and_shows_what_was_changed(desk: &Desk) {
    let store = &desk.store;
    let broken = async || store.find_broken_audit(Owner::LOCAL_TENANT).await.unwrap();
    first(desk).await;
    let ada = another(desk, "ada@example.org", Role::Member).await;
    live(desk, &ada, "Ada").await;
    assert_eq!(broken().await, None);
    // Erased although nobody has gone: somebody else did that.
    tamper(
        store.database(),
        "UPDATE audit SET detail = NULL, address = NULL, device = NULL, person_salt = NULL WHERE position = 3",
    )
    .await;
    assert_eq!(broken().await, Some(3));
    store
        .delete_account(&ada.owner, None, &gone(&ada.owner))
        .await
        .unwrap();
    store.erase(&ada.owner).await.unwrap();
    assert_eq!(broken().await, None, "now somebody has");
    tamper(
        store.database(),
        "UPDATE audit SET action = 'x.y' WHERE position = 4",
    )
    .await;
    assert_eq!(broken().await, Some(4), "of an erased row too the rest is held");
    tamper(
        store.database(),
        "UPDATE audit SET action = 'session.begun' WHERE position = 4",
    )
    .await;
    assert_eq!(broken().await, None);
    tamper(
        store.database(),
        "UPDATE audit SET address = '192.0.2.9' WHERE position = 4",
    )
    .await;
    assert_eq!(broken().await, Some(4), "nothing can be put back into it");
}

async fn what_is_old_goes_and_the_rest_stays(desk: &Desk) {
    let store = &desk.store;
    let owner = first(desk).await;
    live(desk, &owner, "old").await;
    let running = desk.chat().await;
    desk.ask(&running, Parent::Head, "still being answered").await;
    desk.clock.advance_ms(10 * DAY_MS);
    live(desk, &owner, "new").await;
    let everything_stays = store.remove_old(Retention::default()).await.unwrap();
    assert_eq!(
        (
            everything_stays.chats,
            everything_stays.usage,
            everything_stays.audit
        ),
        (0, 0, 0)
    );
    let days = Retention {
        chats: Some(9),
        usage: Some(9),
        audit: Some(9),
    };
    let swept = store.remove_old(days).await.unwrap();
    assert_eq!((swept.chats, swept.usage, swept.more), (1, 40, false));
    assert!(swept.audit >= 4, "{swept:?}");
    let chats = store.list_chats(&owner.owner, None, 10).await.unwrap().items;
    assert_eq!(chats.len(), 2, "the new one and the one that runs");
    assert_eq!(
        store
            .list_usage(&owner.owner, None, 200)
            .await
            .unwrap()
            .items
            .len(),
        40
    );
    let audit = store
        .list_audit(Owner::LOCAL_TENANT, None, 200)
        .await
        .unwrap()
        .items;
    assert_eq!(audit.len(), 3);
    assert_eq!(audit[2].position, swept.audit as i64 + 1);
    assert_eq!(store.find_broken_audit(Owner::LOCAL_TENANT).await.unwrap(), None);
    assert_eq!(store.remove_old(days).await.unwrap().audit, 0);
    // What is missing without having been removed by us still shows.
    tamper(
        store.database(),
        "DELETE FROM audit WHERE position = (SELECT MIN(position) FROM audit)",
    )
    .await;
    assert!(
        store
            .find_broken_audit(Owner::LOCAL_TENANT)
            .await
            .unwrap()
            .is_some()
    );
    desk.clock.advance_ms(10 * DAY_MS);
    store.remove_old(days).await.unwrap();
    assert!(
        store
            .list_audit(Owner::LOCAL_TENANT, None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert_eq!(store.find_broken_audit(Owner::LOCAL_TENANT).await.unwrap(), None);
    store.insert_audit(&deed("session.begun")).await.unwrap();
    assert_eq!(
        store.find_broken_audit(Owner::LOCAL_TENANT).await.unwrap(),
        None,
        "it goes on"
    );
}

async fn one_of_several_copies_does_a_chore(desk: &Desk) {
    let other = desk.reopened().await;
    let taken = tokio::join!(desk.store.take_chore("sweep"), other.store.take_chore("sweep"));
    let taken = [taken.0.unwrap(), taken.1.unwrap()];
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
    assert!(desk.store.take_chore("another").await.unwrap());
    desk.store.finish_chore("sweep", DAY_MS).await.unwrap();
    desk.clock.advance_ms(DAY_MS - 1);
    assert!(!other.store.take_chore("sweep").await.unwrap());
    desk.clock.advance_ms(1);
    assert!(other.store.take_chore("sweep").await.unwrap());
    // That copy was killed: after half an hour somebody else begins.
    assert!(!desk.store.take_chore("sweep").await.unwrap());
    desk.clock.advance_ms(30 * 60_000);
    assert!(desk.store.take_chore("sweep").await.unwrap());
    other.store.close().await;
}

async fn people_are_in_teams(desk: &Desk) {
    let store = &desk.store;
    let tenant = Owner::LOCAL_TENANT;
    let owner = first(desk).await.owner;
    let ada = another(desk, "ada@example.org", Role::Member).await.owner;
    let team = store
        .insert_team(tenant, "Reds", Some(&owner), &deed("team.made"))
        .await
        .unwrap();
    assert_eq!((team.name.as_str(), team.members), ("Reds", 1));
    let twice = store.insert_team(tenant, "Reds", None, &deed("team.made")).await;
    assert!(matches!(twice, Err(StoreError::Taken(_))));
    desk.clock.advance_ms(1);
    let blues = store
        .insert_team(tenant, "Blues", None, &deed("team.made"))
        .await
        .unwrap();
    assert!(matches!(
        store
            .update_team(tenant, &blues.id, "Reds", &deed("team.named"))
            .await,
        Err(StoreError::Taken(_))
    ));
    store
        .update_team(tenant, &blues.id, "Greens", &deed("team.named"))
        .await
        .unwrap();
    assert_eq!(
        store.find_team(tenant, &blues.id).await.unwrap().unwrap().name,
        "Greens"
    );

    for role in [Role::Viewer, Role::Admin] {
        store
            .put_team_member(&ada, &team.id, role, &deed("team.joined"))
            .await
            .unwrap();
        assert_eq!(store.find_team_role(&ada, &team.id).await.unwrap(), Some(role));
    }
    let members = store.list_team_members(tenant, &team.id).await.unwrap();
    let members: Vec<(&str, Role)> = members.iter().map(|m| (m.email.as_str(), m.role)).collect();
    assert_eq!(
        members,
        [
            ("ada@example.org", Role::Admin),
            ("Owner@example.org", Role::Owner)
        ]
    );
    let own = store
        .list_teams(tenant, Some(&ada.user), None, 10)
        .await
        .unwrap()
        .items;
    assert_eq!(
        own.iter()
            .map(|t| (t.name.as_str(), t.members))
            .collect::<Vec<_>>(),
        [("Reds", 2)]
    );
    let all = store.list_teams(tenant, None, None, 1).await.unwrap();
    let next = store
        .list_teams(tenant, None, all.next_cursor.as_deref(), 1)
        .await
        .unwrap();
    assert_eq!(
        (all.items[0].name.as_str(), next.items[0].name.as_str()),
        ("Greens", "Reds")
    );

    // Another tenant reaches none of it.
    let stranger = Owner {
        tenant: "others".into(),
        user: ada.user.clone(),
    };
    store.insert_owner(&stranger, None).await.unwrap();
    assert_eq!(store.find_team("others", &team.id).await.unwrap(), None);
    assert_eq!(store.find_team_role(&stranger, &team.id).await.unwrap(), None);
    let audit = NewAudit {
        owner: stranger.clone(),
        ..deed("team.joined")
    };
    for refused in [
        store
            .put_team_member(&stranger, &team.id, Role::Owner, &audit)
            .await,
        store.delete_team_member(&stranger, &team.id, &audit).await,
        store.update_team("others", &team.id, "Mine", &audit).await,
        store.delete_team("others", &team.id, &audit).await,
    ] {
        assert!(matches!(refused, Err(StoreError::NotFound(_))), "{refused:?}");
    }
    let nobody = Owner {
        user: "nobody".into(),
        ..owner.clone()
    };
    let refused = store
        .put_team_member(&nobody, &team.id, Role::Member, &deed("team.joined"))
        .await;
    assert!(matches!(refused, Err(StoreError::NotFound("user"))));

    store
        .delete_team_member(&ada, &team.id, &deed("team.left"))
        .await
        .unwrap();
    assert_eq!(store.find_team_role(&ada, &team.id).await.unwrap(), None);
    store
        .delete_team(tenant, &team.id, &deed("team.ended"))
        .await
        .unwrap();
    assert_eq!(
        store.find_team_role(&owner, &team.id).await.unwrap(),
        None,
        "its places went with it"
    );
}

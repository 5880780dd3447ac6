//! Files attached to a chat's questions, up to the request a model gets.

use goblin_core::attachment::{AttachmentKind, recognise};
use goblin_core::chat::{ChatRequest, Part, Role};
use goblin_core::error::ErrorCode;
use goblin_core::model::Capability;
use goblin_core::owner::Owner;
use goblin_dispatch::Options;
use goblin_dispatch::chat_turn::{EditedTurn, NewTurn};
use goblin_store::attachments::NewAttachment;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::chat_turns::{last_turn_of, new_chat, question};
use crate::house::{Call, House, model, scripted, soon};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and the rest";

/// A house with a model that reads text only, and one that sees as well where `sees` says so.
async fn house(sees: bool) -> (House, UnboundedReceiver<Call>) {
    let (provider, calls) = scripted("engine", Some(1));
    let mut models = vec![model("small")];
    if sees {
        let mut seeing = model("seeing");
        seeing.capabilities.push(Capability::Vision);
        models.push(seeing);
    }
    provider.offers(models);
    (
        House::with(vec![provider.handle()], Options::default()).await,
        calls,
    )
}

async fn keep(house: &House, name: &str, content: &[u8]) -> String {
    let (kind, media_type) = recognise(content).unwrap();
    let file = NewAttachment {
        name: name.into(),
        kind,
        media_type: media_type.into(),
        content: content.into(),
    };
    let kept = house
        .store
        .insert_attachment(&Owner::local(), file, 1 << 30)
        .await;
    kept.unwrap().id
}

fn with(content: &str, attachments: &[&str]) -> NewTurn {
    NewTurn {
        attachments: attachments.iter().map(|id| (*id).to_owned()).collect(),
        ..question(content)
    }
}

/// Answers the next request, and gives it back.
async fn answered(house: &House, calls: &mut UnboundedReceiver<Call>, turn: &str) -> ChatRequest {
    let call = soon(calls.recv()).await.unwrap();
    let request = call.request.clone();
    call.text("I see.");
    call.finish();
    last_turn_of(house, turn).await;
    request
}

fn texts(request: &ChatRequest) -> Vec<String> {
    request.messages.iter().map(|m| m.joined_text()).collect()
}

fn images(request: &ChatRequest) -> Vec<String> {
    let parts = request.messages.iter().flat_map(|m| &m.parts);
    parts
        .filter_map(|part| match part {
            Part::Image { url } => Some(url.clone()),
            Part::Text { .. } | Part::File { .. } => None,
        })
        .collect()
}

#[tokio::test]
async fn a_model_that_sees_gets_the_picture_and_the_text_with_the_question_and_again_with_the_next() {
    let (house, mut calls) = house(true).await;
    let chat = new_chat(&house).await;
    let picture = keep(&house, "p.png", PNG).await;
    let notes = keep(&house, "notes.md", b"# Ideas\n").await;
    let asked = with("What is this?", &[&picture, &notes]);
    let turn = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, asked)
        .await
        .unwrap();
    let request = answered(&house, &mut calls, &turn).await;
    assert_eq!(request.model, "seeing");
    assert_eq!(
        texts(&request),
        ["What is this?\n\nFile `notes.md`:\n```\n# Ideas\n```"]
    );
    let url = "data:image/png;base64,iVBORw0KGgogYW5kIHRoZSByZXN0";
    assert_eq!(images(&request), [url]);
    let saved = last_turn_of(&house, &turn).await;
    let kinds: Vec<AttachmentKind> = saved.attachments.iter().map(|file| file.kind).collect();
    assert_eq!(kinds, [AttachmentKind::Image, AttachmentKind::Text]);

    let next = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, question("And its colour?"))
        .await
        .unwrap();
    let request = answered(&house, &mut calls, &next).await;
    assert_eq!((request.model.as_str(), images(&request).len()), ("seeing", 1));
    let roles: Vec<Role> = request.messages.iter().map(|m| m.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);

    let blind = NewTurn {
        model: Some("engine/small".into()),
        ..question("And its smell?")
    };
    let error = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, blind)
        .await
        .unwrap_err();
    assert!(
        error.message.contains("earlier question of this chat"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_question_edited_or_answered_again_keeps_its_files_and_gives_them_up_when_told() {
    let (house, mut calls) = house(true).await;
    let chat = new_chat(&house).await;
    let picture = keep(&house, "p.png", PNG).await;
    let owner = Owner::local();
    let first = house
        .dispatch
        .create_turn(&owner, &chat.id, with("look", &[&picture]))
        .await
        .unwrap();
    answered(&house, &mut calls, &first).await;
    let edit = |attachments| EditedTurn {
        content: "look closer".into(),
        attachments,
        ..EditedTurn::default()
    };
    let edited = house
        .dispatch
        .edit_turn(&owner, &first, edit(None))
        .await
        .unwrap();
    assert_eq!(images(&answered(&house, &mut calls, &edited).await).len(), 1);
    let again = house
        .dispatch
        .regenerate_turn(&owner, &edited, None, goblin_core::origin::Origin::default())
        .await
        .unwrap();
    assert_eq!(images(&answered(&house, &mut calls, &again).await).len(), 1);
    let without = house
        .dispatch
        .edit_turn(&owner, &first, edit(Some(Vec::new())))
        .await
        .unwrap();
    let request = answered(&house, &mut calls, &without).await;
    assert_eq!((images(&request).len(), request.messages.len()), (0, 1));
}

#[tokio::test]
async fn where_no_model_sees_it_is_said_before_anything_is_stored() {
    let (house, _calls) = house(false).await;
    let chat = new_chat(&house).await;
    let picture = keep(&house, "p.png", PNG).await;
    let owner = Owner::local();
    for (model, says) in [
        (None, "upstream.ollama_url"),
        (Some("engine/small"), "reads text only"),
    ] {
        let asked = NewTurn {
            model: model.map(str::to_owned),
            ..with("What is this?", &[&picture])
        };
        let error = house
            .dispatch
            .create_turn(&owner, &chat.id, asked)
            .await
            .unwrap_err();
        assert_eq!(
            (error.code, error.param.as_deref()),
            (ErrorCode::InvalidRequest, Some("attachments"))
        );
        assert!(error.message.contains(says), "{}", error.message);
    }
    let page = house.store.list_branch(&owner, &chat.id, None, 10).await.unwrap();
    assert!(page.items.is_empty());
}

#[tokio::test]
async fn a_text_that_is_longer_than_the_context_is_refused_with_both_numbers() {
    let (house, _calls) = house(false).await;
    let chat = new_chat(&house).await;
    let long = keep(&house, "long.txt", "goblin ".repeat(60_000).as_bytes()).await;
    let asked = with("Summarise", &[&long]);
    let error = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, asked)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::ContextLengthExceeded);
    assert!(error.message.contains("holds 4096 tokens"), "{}", error.message);
}

#[tokio::test]
async fn more_files_than_a_model_is_given_at_once_are_refused_and_of_earlier_turns_left_out() {
    let (house, mut calls) = house(true).await;
    let chat = new_chat(&house).await;
    let owner = Owner::local();
    let large = |byte: u8| [PNG, &vec![byte; 18 * 1024 * 1024]].concat();
    let one = keep(&house, "one.png", &large(1)).await;
    let two = keep(&house, "two.png", &large(2)).await;
    let both = house
        .dispatch
        .create_turn(&owner, &chat.id, with("compare", &[&one, &two]))
        .await
        .unwrap_err();
    assert_eq!(
        (both.status(false), both.param.as_deref()),
        (413, Some("attachments"))
    );
    assert!(both.message.contains("33554432"), "{}", both.message);
    let mut last = Vec::new();
    for id in [&one, &two] {
        let asked = with("look", &[id]);
        let turn = house.dispatch.create_turn(&owner, &chat.id, asked).await.unwrap();
        last = images(&answered(&house, &mut calls, &turn).await);
    }
    assert_eq!(last.len(), 1, "the older one is left out");
    let page = house.store.list_branch(&owner, &chat.id, None, 10).await.unwrap();
    let left_out: Vec<u32> = page.items.iter().map(|turn| turn.left_out).collect();
    assert_eq!(left_out, [0, 1], "and the reader is told");
}

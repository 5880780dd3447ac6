//! Tools: refused where the model's template has no form for them, parsed where it has.

use goblin_core::chat::{Message, Role, Tool, ToolCall, ToolChoice};
use goblin_core::event::FinishReason;
use goblin_engine::EngineOptions;
use serde_json::{Value, json};

use crate::models::{answer, ask, options, param_of, start, starter, starter_file};

/// A template in the Hermes form, written for these tests.
const HERMES: &str = r#"{%- if tools %}{{- '<|im_start|>system\nYou can call these functions:\n' }}
{%- for tool in tools %}{{- tool | tojson }}{{- '\n' }}{%- endfor %}
{{- 'Write <tool_call>{"name": ..., "arguments": {...}}</tool_call> to call one.<|im_end|>\n' }}{%- endif %}
{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' + m.content }}
{%- for call in m.tool_calls or [] %}{{- '<tool_call>' + (call.function | tojson) + '</tool_call>' }}{%- endfor %}
{{- '<|im_end|>\n' }}{%- endfor %}{{- '<|im_start|>assistant\n' }}"#;

fn weather() -> Tool {
    Tool {
        name: "get_weather".to_owned(),
        description: Some("The weather in a city".to_owned()),
        parameters: json!({"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}},
                           "required": ["city"], "additionalProperties": false}),
        strict: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_whose_template_has_no_tools_refuses_them_clearly() {
    let engine = starter().await;
    let mut request = ask("What is the weather in Paris?");
    request.tools = vec![weather()];
    assert_eq!(param_of(answer(&engine, request).await), "tools");
    let mut history = ask("Hi");
    history.messages.push(Message::text(Role::Tool, "sunny"));
    assert_eq!(param_of(answer(&engine, history).await), "messages");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_required_call_is_made_in_the_models_form_and_read_as_a_call() {
    let with_tools = EngineOptions {
        chat_template: Some(HERMES.to_owned()),
        ..options(starter_file())
    };
    let engine = start(with_tools).await;
    let handle = engine.handle();
    let mut request = ask("What is the weather in Paris?");
    request.tools = vec![weather()];
    request.sampling.max_tokens = Some(100);
    for choice in [ToolChoice::Required, ToolChoice::Named("get_weather".to_owned())] {
        request.tool_choice = choice;
        let got = answer(&handle, request.clone()).await.unwrap();
        assert_eq!(got.finish, Some(FinishReason::ToolCalls), "{got:?}");
        assert_eq!(got.text.trim(), "");
        let [(name, arguments)] = got.calls.as_slice() else {
            panic!("{got:?}")
        };
        assert_eq!(name, "get_weather");
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        assert!(arguments["city"].is_string(), "{arguments}");
    }
    // The call and its result go back in, and the answer is text.
    let call = ToolCall {
        id: "c1".to_owned(),
        name: "get_weather".to_owned(),
        arguments: "{\"city\":\"Paris\"}".to_owned(),
        seal: None,
    };
    request.messages.push(Message {
        tool_calls: vec![call],
        ..Message::text(Role::Assistant, "")
    });
    request.messages.push(Message {
        tool_call_id: Some("c1".to_owned()),
        ..Message::text(Role::Tool, "It is sunny.")
    });
    request.tool_choice = ToolChoice::None;
    let got = answer(&handle, request.clone()).await.unwrap();
    assert!(got.calls.is_empty() && !got.text.is_empty(), "{got:?}");
    request.tool_choice = ToolChoice::Named("other".to_owned());
    assert_eq!(param_of(answer(&handle, request).await), "tool_choice");
    engine.shutdown();
}

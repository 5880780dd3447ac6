//! Bad input to Anthropic's door, as a table: what is sent, the field, and a word of the sentence.

use crate::other_refusals::{COUNT, MESSAGES, check};

fn message(fields: &str) -> String {
    format!(r#"{{"model":"m","max_tokens":2000,"messages":[{{"role":"user","content":"x"}}],{fields}}}"#)
}

fn block(block: &str) -> String {
    format!(r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":[{block}]}}]}}"#)
}

#[test]
fn every_wrong_field_of_an_anthropic_message_is_named_with_its_limit() {
    let image = r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"eA=="}}"#;
    let images = vec![image; 65].join(",");
    let source = "messages[0].content[0].source";
    check(&[
        (
            MESSAGES,
            r#"{"model":"m","messages":[]}"#.into(),
            "max_tokens",
            "missing",
        ),
        (MESSAGES, r#"{"max_tokens":9}"#.into(), "model", "missing"),
        (
            MESSAGES,
            r#"{"model":"m","max_tokens":0}"#.into(),
            "max_tokens",
            "from 1 to 1000000",
        ),
        (
            MESSAGES,
            r#"{"model":"m","max_tokens":9}"#.into(),
            "messages",
            "missing",
        ),
        (
            MESSAGES,
            r#"{"model":"m","max_tokens":9,"messages":[]}"#.into(),
            "messages",
            "empty",
        ),
        (
            COUNT,
            r#"{"model":"m","messages":[{"role":"user"}]}"#.into(),
            "messages[0].content",
            "no content",
        ),
        (
            COUNT,
            r#"{"model":"m","messages":[{"role":"wizard","content":"x"}]}"#.into(),
            "messages[0].role",
            "`wizard`",
        ),
        (
            COUNT,
            r#"{"model":"m","messages":[{"role":"user","content":[]}]}"#.into(),
            "messages[0].content",
            "empty",
        ),
        (
            COUNT,
            r#"{"model":"m","messages":[{"role":"user","content":7}]}"#.into(),
            "messages[0].content",
            "number",
        ),
        (
            MESSAGES,
            block(r#"{"type":"video"}"#),
            "messages[0].content[0].type",
            "`video`",
        ),
        (
            MESSAGES,
            block(r#"{"text":"x"}"#),
            "messages[0].content[0].type",
            "missing",
        ),
        (
            MESSAGES,
            block(r#"{"type":"text","text":"a\u0000"}"#),
            "messages[0].content[0].text",
            "NUL",
        ),
        (
            MESSAGES,
            block(r#"{"type":"tool_use","id":"a","name":"f","input":{}}"#),
            "messages[0].content[0].type",
            "role",
        ),
        (
            MESSAGES,
            block(r#"{"type":"tool_result","content":"x"}"#),
            "messages[0].content[0].tool_use_id",
            "missing",
        ),
        (
            MESSAGES,
            block(r#"{"type":"tool_result","tool_use_id":"a","content":[{"type":"tool_reference"}]}"#),
            "messages[0].content[0].content[0].type",
            "`tool_reference`",
        ),
        (
            MESSAGES,
            block(
                r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"eA=="}}"#,
            ),
            &format!("{source}.data"),
            "PDF",
        ),
        (
            MESSAGES,
            block(
                r#"{"type":"document","source":{"type":"base64","media_type":"text/plain","data":"eA=="}}"#,
            ),
            &format!("{source}.media_type"),
            "application/pdf",
        ),
        (
            MESSAGES,
            block(r#"{"type":"document","source":{"type":"url","url":"https://files.example/a.pdf"}}"#),
            &format!("{source}.type"),
            "fetches none",
        ),
        (
            MESSAGES,
            block(r#"{"type":"document","source":{"type":"file","file_id":"f"}}"#),
            &format!("{source}.type"),
            "keeps no files",
        ),
        (
            MESSAGES,
            block(r#"{"type":"image","source":{"type":"url","url":"http://10.0.0.1/"}}"#),
            &format!("{source}.url"),
            "https://",
        ),
        (
            MESSAGES,
            block(r#"{"type":"image","source":{"type":"base64","media_type":"image/tiff","data":"eA=="}}"#),
            &format!("{source}.media_type"),
            "`image/tiff`",
        ),
        (
            MESSAGES,
            block(r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"?"}}"#),
            &format!("{source}.data"),
            "base64",
        ),
        (MESSAGES, block(&images), "messages", "65 images; the limit is 64"),
        (MESSAGES, message(r#""system":7"#), "system", "text blocks"),
        (
            MESSAGES,
            message(r#""system":[{"type":"image"}]"#),
            "system[0].type",
            "`text`",
        ),
        (
            MESSAGES,
            message(r#""temperature":1.5"#),
            "temperature",
            "from 0 to 1, not 1.5",
        ),
        (MESSAGES, message(r#""top_k":-1"#), "top_k", "from 0"),
        (
            MESSAGES,
            message(r#""stop_sequences":"END""#),
            "stop_sequences",
            "array",
        ),
        (
            MESSAGES,
            message(r#""metadata":{"user_id":7}"#),
            "metadata.user_id",
            "string",
        ),
        (
            MESSAGES,
            message(r#""thinking":{"type":"enabled"}"#),
            "thinking.budget_tokens",
            "missing",
        ),
        (
            MESSAGES,
            message(r#""thinking":{"type":"enabled","budget_tokens":2000}"#),
            "thinking.budget_tokens",
            "from 1024 to 1999",
        ),
        (
            MESSAGES,
            message(r#""thinking":{"type":"loud"}"#),
            "thinking.type",
            "`loud`",
        ),
        (
            MESSAGES,
            message(r#""output_config":{"effort":"all"}"#),
            "output_config.effort",
            "`all`",
        ),
        (
            MESSAGES,
            message(r#""output_config":{"format":{"type":"json_schema"}}"#),
            "output_config.format.schema",
            "missing",
        ),
        (
            MESSAGES,
            message(r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#),
            "tools[0].type",
            "`custom`",
        ),
        (
            MESSAGES,
            message(r#""tools":[{"name":"f"}]"#),
            "tools[0].input_schema",
            "missing",
        ),
        (
            MESSAGES,
            message(r#""tools":[{"name":"f","input_schema":{}},{"name":"f","input_schema":{}}]"#),
            "tools[1].name",
            "own",
        ),
        (
            MESSAGES,
            message(r#""tool_choice":{"type":"any"}"#),
            "tool_choice",
            "no `tools`",
        ),
        (
            MESSAGES,
            message(r#""tool_choice":{"type":"tool","name":"zap"}"#),
            "tool_choice.name",
            "not among",
        ),
        (
            MESSAGES,
            message(r#""tool_choice":"auto""#),
            "tool_choice",
            "object",
        ),
        (
            MESSAGES,
            message(r#""mcp_servers":[{}]"#),
            "mcp_servers",
            "not supported",
        ),
        (
            MESSAGES,
            message(r#""container":"c""#),
            "container",
            "not supported",
        ),
    ]);
}

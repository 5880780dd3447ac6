// OpenAI's own Node package at the doors of a running goblin: GOBLIN_BASE_URL=… node --test openai_doors_client.mjs
//
// The model is `scripted_helper.py`, so that what the package makes of an answer is known beforehand.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: process.env.GOBLIN_BASE_URL,
  apiKey: "not needed on this machine",
  maxRetries: 0,
  timeout: 120_000,
});
const model = "scripted/helper";
const ask = (content) => [{ role: "user", content }];
const object = (properties) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const person = object({ name: { type: "string" }, age: { type: "integer" } });
const number = object({ number: { type: "integer" } });

test("a chat streams in pieces and ends with its usage", async () => {
  const stream = client.chat.completions.stream({
    model,
    messages: ask("Say hello."),
    stream_options: { include_usage: true },
  });
  const pieces = [];
  stream.on("content", (piece) => pieces.push(piece));
  const whole = await stream.finalChatCompletion();
  assert.ok(pieces.length > 1);
  assert.equal(pieces.join(""), "You said: Say hello.");
  assert.equal(whole.choices[0].message.content, "You said: Say hello.");
  assert.deepEqual([whole.usage.prompt_tokens, whole.usage.completion_tokens], [10, 4]);
});

test("a tool is called and its result answered, streamed or not", async () => {
  for (const stream of [false, true]) {
    const asked = [];
    const runner = client.chat.completions.runTools({
      model,
      stream,
      messages: ask("What is twice 36?"),
      tools: [
        {
          type: "function",
          function: {
            name: "double",
            description: "Twice a number.",
            parameters: number,
            parse: JSON.parse,
            function: (given) => {
              asked.push(given);
              return String(2 * given.number);
            },
          },
        },
      ],
    });
    assert.equal(await runner.finalContent(), "The tool says 72");
    assert.deepEqual(asked, [{ number: 36 }]);
  }
});

test("an answer keeps to a schema", async () => {
  const answer = await client.chat.completions.parse({
    model,
    messages: ask("Who is it?"),
    response_format: {
      type: "json_schema",
      json_schema: { name: "person", schema: person, strict: true },
    },
  });
  assert.deepEqual(JSON.parse(answer.choices[0].message.content), { name: "Ada", age: 36 });
});

test("a response streams in pieces that make up the whole one", async () => {
  const stream = client.responses.stream({ model, input: "Say hello." });
  const pieces = [];
  stream.on("response.output_text.delta", ({ delta }) => pieces.push(delta));
  const final = await stream.finalResponse();
  assert.ok(pieces.length > 1);
  assert.equal(pieces.join(""), "You said: Say hello.");
  assert.equal(final.output[0].content[0].text, "You said: Say hello.");
  assert.equal(final.status, "completed");
});

test("a response calls a function, and its result goes back", async () => {
  const tools = [{ type: "function", name: "double", strict: false, parameters: number }];
  const question = ask("What is twice 36?");
  const called = await client.responses.create({ model, input: question, tools });
  const [call] = called.output.filter(({ type }) => type === "function_call");
  assert.deepEqual([call.name, JSON.parse(call.arguments)], ["double", { number: 36 }]);
  const result = { type: "function_call_output", call_id: call.call_id, output: "72" };
  const input = [...question, ...called.output, result];
  const answer = await client.responses.create({ model, input, tools });
  assert.equal(answer.output_text, "The tool says 72");
});

test("a response keeps to a schema", async () => {
  const answer = await client.responses.create({
    model,
    input: "Who is it?",
    text: { format: { type: "json_schema", name: "person", schema: person, strict: true } },
  });
  assert.deepEqual(JSON.parse(answer.output_text), { name: "Ada", age: 36 });
});

test("errors arrive as the package knows them", async () => {
  const missing = client.chat.completions.create({ model: "scripted/helpr", messages: ask("hi") });
  await assert.rejects(missing, (error) => error instanceof OpenAI.NotFoundError);
  const gone = client.responses.create({ model, input: "hi", previous_response_id: "resp_gone" });
  await assert.rejects(
    gone,
    (error) => error instanceof OpenAI.BadRequestError && error.param === "previous_response_id",
  );
});

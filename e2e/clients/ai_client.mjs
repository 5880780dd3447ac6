// Vercel's `ai` with its package for OpenAI's wire, against a running backend: GOBLIN_BASE_URL=… node --test ai_client.mjs
import assert from "node:assert/strict";
import { test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";

const goblin = createOpenAICompatible({
  name: "goblin",
  baseURL: process.env.GOBLIN_BASE_URL,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const asked = { model: goblin("scripted/helper"), maxRetries: 0 };
const object = (properties) =>
  jsonSchema({
    type: "object",
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  });

test("an answer streams in pieces and ends with its usage", async () => {
  const answer = streamText({ ...asked, prompt: "Say hello." });
  const pieces = [];
  for await (const piece of answer.textStream) pieces.push(piece);
  assert.ok(pieces.length > 1);
  assert.equal(pieces.join(""), "You said: Say hello.");
  assert.equal(await answer.finishReason, "stop");
  const { inputTokens, outputTokens } = await answer.usage;
  assert.deepEqual([inputTokens, outputTokens], [10, 4]);
});

test("a tool is called, whole and streamed, and its result answered", async () => {
  const question = {
    ...asked,
    prompt: "What is twice 36?",
    stopWhen: stepCountIs(2),
    tools: {
      double: tool({
        description: "Twice a number.",
        inputSchema: object({ number: { type: "integer" } }),
        execute: async ({ number }) => 2 * number,
      }),
    },
  };
  const whole = await generateText(question);
  assert.deepEqual(
    whole.steps[0].toolCalls.map(({ toolName, input }) => [toolName, input]),
    [["double", { number: 36 }]],
  );
  assert.equal(whole.text, "The tool says 72");
  const streamed = streamText(question);
  await streamed.consumeStream();
  assert.equal(await streamed.text, "The tool says 72");
});

test("an answer keeps to a schema", async () => {
  const schema = object({ name: { type: "string" }, age: { type: "integer" } });
  const { output } = await generateText({
    ...asked,
    prompt: "Who is it?",
    output: Output.object({ schema }),
  });
  assert.deepEqual(output, { name: "Ada", age: 36 });
});

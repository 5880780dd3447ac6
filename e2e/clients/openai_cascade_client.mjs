// OpenAI's own Node package meets a cascade: GOBLIN_BASE_URL=… node --test openai_cascade_client.mjs
//
// Whatever happens between models, what the package puts together is exactly one model's text, or its beginning.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: process.env.GOBLIN_BASE_URL,
  apiKey: "not needed on this machine",
  maxRetries: 0,
  timeout: 120_000,
});
const script = JSON.parse(readFileSync(new URL("cascade.json", import.meta.url)));
const texts = Object.fromEntries(
  Object.entries(script.texts).map(([name, parts]) => [name, parts.join(" ")]),
);

for (const { name, ask, verify, is, begins, without, ends } of script.cases) {
  test(`a stream is one model's text: ${name}`, async () => {
    const stream = client.chat.completions.stream({
      model: "goblin",
      messages: [{ role: "user", content: ask }],
      goblin: { verify },
    });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
    const [choice] = (await stream.finalChatCompletion()).choices;
    assert.equal(choice.finish_reason, ends);
    assert.equal(choice.message.content ?? "", text, "the package puts together what came");
    if (is) return assert.equal(text, texts[is]);
    assert.ok(texts[begins].startsWith(text), text);
    assert.ok(!text.includes(without), text);
  });
}

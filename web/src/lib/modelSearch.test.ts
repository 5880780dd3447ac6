import { describe, expect, it } from "vitest";
import { aModel, anUpstream, aStatus } from "@/testing/status";
import { findModels } from "./modelSearch";

const status = aStatus({
  upstreams: [anUpstream(), anUpstream({ id: "openai", name: "openai", local: false })],
  models: [
    aModel({ id: "tier/phi3:3.8b" }),
    aModel({
      id: "openai/gpt-5",
      provider: "openai",
      local: false,
      capabilities: ["chat", "vision"],
    }),
    aModel({ id: "openai/gpt-5-mini", provider: "openai", local: false }),
  ],
});
const found = (text: string) => findModels(status, text).map((model) => model.id);

describe("looking for a model", () => {
  it("finds all without a word, and each by every word", () => {
    expect(found("  ")).toHaveLength(3);
    expect(found("GPT mini")).toEqual(["openai/gpt-5-mini"]);
    expect(found("gpt phi")).toEqual([]);
  });

  it("knows servers, places and abilities", () => {
    expect(found("model tier")).toEqual(["tier/phi3:3.8b"]);
    expect(found("local")).toEqual(["tier/phi3:3.8b"]);
    expect(found("openai images")).toEqual(["openai/gpt-5"]);
  });
});

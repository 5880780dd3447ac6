import type { HLJSApi, LanguageFn } from "highlight.js";
import hljs from "highlight.js/lib/core";
import { type HighlightSpan, highlightSpans } from "@/lib/markdown/highlightSpans";

/**
 * Colours finished code blocks, away from the main thread, so that even a very long block costs a
 * reader no frame. Each language loads when first met.
 */
export interface HighlightJob {
  id: number;
  code: string;
  language: string;
}
export interface HighlightResult {
  id: number;
  spans: HighlightSpan[] | null;
}

type Load = () => Promise<{ default: LanguageFn }>;
const languages: Record<string, Load> = {
  bash: () => import("highlight.js/lib/languages/bash"),
  c: () => import("highlight.js/lib/languages/c"),
  cpp: () => import("highlight.js/lib/languages/cpp"),
  csharp: () => import("highlight.js/lib/languages/csharp"),
  css: () => import("highlight.js/lib/languages/css"),
  diff: () => import("highlight.js/lib/languages/diff"),
  dockerfile: () => import("highlight.js/lib/languages/dockerfile"),
  go: () => import("highlight.js/lib/languages/go"),
  ini: () => import("highlight.js/lib/languages/ini"),
  java: () => import("highlight.js/lib/languages/java"),
  javascript: () => import("highlight.js/lib/languages/javascript"),
  json: () => import("highlight.js/lib/languages/json"),
  kotlin: () => import("highlight.js/lib/languages/kotlin"),
  lua: () => import("highlight.js/lib/languages/lua"),
  makefile: () => import("highlight.js/lib/languages/makefile"),
  markdown: () => import("highlight.js/lib/languages/markdown"),
  php: () => import("highlight.js/lib/languages/php"),
  python: () => import("highlight.js/lib/languages/python"),
  ruby: () => import("highlight.js/lib/languages/ruby"),
  rust: () => import("highlight.js/lib/languages/rust"),
  sql: () => import("highlight.js/lib/languages/sql"),
  swift: () => import("highlight.js/lib/languages/swift"),
  typescript: () => import("highlight.js/lib/languages/typescript"),
  xml: () => import("highlight.js/lib/languages/xml"),
  yaml: () => import("highlight.js/lib/languages/yaml"),
};
const aliases: Record<string, string> = {
  sh: "bash",
  shell: "bash",
  zsh: "bash",
  console: "bash",
  h: "c",
  "c++": "cpp",
  cc: "cpp",
  cs: "csharp",
  golang: "go",
  html: "xml",
  svg: "xml",
  js: "javascript",
  jsx: "javascript",
  mjs: "javascript",
  ts: "typescript",
  tsx: "typescript",
  kt: "kotlin",
  make: "makefile",
  md: "markdown",
  py: "python",
  rb: "ruby",
  rs: "rust",
  toml: "ini",
  yml: "yaml",
};

async function highlight(
  api: HLJSApi,
  code: string,
  asked: string,
): Promise<HighlightSpan[] | null> {
  const name = aliases[asked] ?? asked;
  const load = Object.hasOwn(languages, name) ? languages[name] : undefined;
  if (!load) return null;
  if (!api.getLanguage(name)) api.registerLanguage(name, (await load()).default);
  return highlightSpans(api.highlight(code, { language: name, ignoreIllegals: true }).value);
}

self.addEventListener("message", async ({ data }: MessageEvent<HighlightJob>) => {
  const spans = await highlight(hljs, data.code, data.language.toLowerCase()).catch(() => null);
  const result: HighlightResult = { id: data.id, spans };
  self.postMessage(result);
});

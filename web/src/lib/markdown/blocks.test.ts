import { describe, expect, it } from "vitest";
import { type Blocks, noBlocks, readBlocks } from "./blocks";
import { highlightSpans } from "./highlightSpans";
import { decodeReferences, safeLink } from "./text";

const text = [
  "# Title\n\nA paragraph with **bold** and [a link][one].\n\n",
  "- one\n- two\n\n  still two\n\n1. first\n\n2. second\n\n",
  "> quoted\n> more\n\n```rust\nfn main() {\n\n}\n```\n\n",
  "| a | b |\n|---|---|\n| 1 | 2 |\n\n<b>html</b>\n\n---\n\n[one]: https://example.org\n\nThe end.",
].join("");
const raws = (blocks: Blocks) => blocks.blocks.map((block) => block.token.raw);
const whole = readBlocks(noBlocks, text, true);

describe("readBlocks", () => {
  it("ends the same, however the text arrived", () => {
    for (const step of [1, 2, 3, 7, 31]) {
      let blocks = noBlocks;
      for (let end = step; end < text.length; end += step) {
        blocks = readBlocks(blocks, text.slice(0, end), false);
      }
      blocks = readBlocks(blocks, text, true);
      expect(blocks.blocks, `steps of ${step}`).toEqual(whole.blocks);
    }
  });

  it("loses no text while it arrives", () => {
    let blocks = noBlocks;
    for (let end = 1; end <= text.length; end++) {
      blocks = readBlocks(blocks, text.slice(0, end), false);
      const shown = raws(blocks).join("").replace(/\s/g, "");
      // Link definitions are the one thing of the text that is not shown.
      const written = text
        .slice(0, end)
        .replace("[one]: https://example.org", "")
        .replace(/\s/g, "");
      if (!text.slice(0, end).includes("[one]:")) expect(shown).toBe(written);
    }
  });

  it("keeps settled blocks as the same objects", () => {
    const before = readBlocks(noBlocks, "First.\n\nSecond.\n\nThi", false);
    const after = readBlocks(before, "First.\n\nSecond.\n\nThird.\n\nFo", false);
    expect(after.blocks[0]).toBe(before.blocks[0]);
    expect(after.blocks[1]).toBe(before.blocks[1]);
    expect(after.blocks[2]).not.toBe(before.blocks[2]);
  });

  it("reads only the tail again", () => {
    const long = "Paragraph.\n\n".repeat(500);
    const before = readBlocks(noBlocks, `${long}Tail`, false);
    expect(long.length - before.tail).toBeLessThan(20);
  });

  it("closes a code block only when something follows or the answer ends", () => {
    const open = readBlocks(noBlocks, "```js\nlet a = 1;\n", false);
    expect(open.blocks.at(-1)?.closed).toBe(false);
    const closed = readBlocks(open, "```js\nlet a = 1;\n```\n\nSo", false);
    expect(closed.blocks[0]?.closed).toBe(true);
  });

  it("starts over when the text is another one", () => {
    const before = readBlocks(noBlocks, "One.\n\nTwo.", false);
    expect(raws(readBlocks(before, "Other.", false))).toEqual(["Other."]);
  });
});

describe("safeLink", () => {
  it.each([
    ["https://example.org/a?b=c&amp;d=e", "https://example.org/a?b=c&d=e"],
    ["HTTP://EXAMPLE.org", "http://example.org/"],
    ["mailto:a@example.org", "mailto:a@example.org"],
  ])("lets %s through", (href, expected) => {
    expect(safeLink(href)).toBe(expected);
  });
  it.each([
    "/api/chats",
    "#top",
    "//example.org",
    "ftp://x.org",
    "file:///etc/passwd",
    "https://a@b.org",
    "",
    "http://",
  ])("leaves %s as text", (href) => expect(safeLink(href)).toBeNull());
});

describe("decodeReferences", () => {
  it("decodes names and numbers, once", () => {
    expect(decodeReferences("&lt;b&gt; &amp;amp; &#8364; &#x1F47A; &unknown; &#0;")).toBe(
      "<b> &amp; € 👺 &unknown; \ufffd",
    );
  });
  it("does not take names from the prototype of objects", () => {
    expect(decodeReferences("&constructor; &toString;")).toBe("&constructor; &toString;");
  });
});

describe("highlightSpans", () => {
  it("reads what highlight.js writes", () => {
    const html =
      '<span class="hljs-keyword">let</span> a = <span class="hljs-string">&quot;<span class="hljs-subst">${b &lt; c}</span>&#x27;&quot;</span>;';
    expect(highlightSpans(html)).toEqual([
      ["hljs-keyword", "let"],
      ["", " a = "],
      ["hljs-string", '"'],
      ["hljs-subst", "${b < c}"],
      ["hljs-string", "'\""],
      ["", ";"],
    ]);
  });
  it("shows other markup as text", () => {
    expect(highlightSpans("<img src=x onerror=alert(1)>")).toEqual([
      ["", "<img src=x onerror=alert(1)>"],
    ]);
  });
});

import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { xssCorpus } from "@/testing/xssCorpus";
import { Markdown } from "./Markdown";

let host: HTMLElement;
let root: Root;

beforeEach(() => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  host = document.createElement("div");
  document.body.append(host);
  root = createRoot(host);
});
afterEach(() => {
  act(() => root.unmount());
  host.remove();
});

function show(text: string, finished = true): HTMLElement {
  act(() => root.render(<Markdown text={text} finished={finished} />));
  return host;
}

const allowedTags = new Set(
  "DIV P H3 H4 H5 H6 UL OL LI BLOCKQUOTE HR BR STRONG EM DEL CODE PRE A SPAN FIGURE FIGCAPTION BUTTON svg path rect SECTION TABLE THEAD TBODY TR TH TD".split(
    " ",
  ),
);
const allowedAttributes = new Set(
  "class href target rel start scope style tabindex aria-label aria-hidden title type data-depth xmlns width height viewBox fill stroke stroke-width stroke-linecap stroke-linejoin d x y rx ry".split(
    " ",
  ),
);

function expectHarmless(element: Element) {
  for (const node of element.querySelectorAll("*")) {
    expect(allowedTags, node.outerHTML).toContain(node.tagName);
    for (const attribute of node.attributes) {
      expect(allowedAttributes, node.outerHTML).toContain(attribute.name);
    }
    if (node.tagName === "A") {
      expect(node.getAttribute("href")).toMatch(/^(https?:\/\/|mailto:)/);
      expect(node.getAttribute("rel")).toBe("noopener noreferrer nofollow");
    }
    const style = node.getAttribute("style");
    if (style) expect(style).toMatch(/^text-align: (left|right|center);?$/);
  }
}

describe("Markdown", () => {
  it("has a corpus worth the name", () => {
    expect(new Set(xssCorpus).size).toBeGreaterThanOrEqual(60);
  });

  it.each(xssCorpus.map((text) => [text]))(
    "turns %j into nothing but harmless elements",
    (text) => {
      expectHarmless(show(text));
      expect(show(text).querySelectorAll("img, script, iframe, style, form, input")).toHaveLength(
        0,
      );
    },
  );

  it("stays harmless at every moment a hostile answer is being written", () => {
    const text = xssCorpus.slice(45, 60).join("\n\n");
    for (let end = 1; end < text.length; end += 5) {
      expectHarmless(show(text.slice(0, end), false));
    }
  });

  it("shows HTML as the text it is", () => {
    expect(show("<b>bold</b> and <script>alert(1)</script>").textContent).toContain(
      "<b>bold</b> and <script>alert(1)</script>",
    );
  });

  it("loads no picture, but says where it is", () => {
    const link = show("![A cat](https://cats.example/cat.png)").querySelector("a");
    expect(link?.textContent).toBe("A cat (picture at cats.example)");
    expect(link?.getAttribute("href")).toBe("https://cats.example/cat.png");
  });

  it("renders what people write", () => {
    const html = show(
      "# One\n\n**b** *e* ~~d~~ `c` [l](https://x.example)\n\n1. a\n   - n\n2. b\n\n> q\n\n| h |\n|--:|\n| 1 |\n\n- [x] done",
    );
    expect(html.querySelector("h3")?.textContent).toBe("One");
    for (const tag of [
      "strong",
      "em",
      "del",
      "code",
      "blockquote",
      "ol",
      "ul ul, ol ul",
      "table",
    ]) {
      expect(html.querySelector(tag), tag).not.toBeNull();
    }
    expect(html.querySelector("td")?.style.textAlign).toBe("right");
    expect(html.textContent).toContain("☑ done");
  });

  it("gives code its language, its text and a copy button", () => {
    const html = show('```rust,ignore\nfn main() { println!("<&>"); }\n```');
    expect(html.querySelector("figcaption span")?.textContent).toBe("rust");
    expect(html.querySelector("pre")?.textContent).toBe('fn main() { println!("<&>"); }');
    expect(html.querySelector("button")?.getAttribute("aria-label")).toBe("Copy code");
  });

  it("gives headings an outline without gaps, wherever the model began", () => {
    const levels = [
      ...show("### A\n\n##### B\n\n## C\n\n#### D\n\n- # in a list").querySelectorAll(".heading"),
    ];
    expect(levels.map((element) => element.tagName)).toEqual(["H3", "H4", "H3", "H4", "P"]);
  });

  it("decodes character references once", () => {
    expect(show("Fish &amp; chips &copy; &amp;lt;").textContent).toBe("Fish & chips © &lt;");
  });

  it("keeps the elements of settled paragraphs while the answer goes on", () => {
    show("First.\n\nSecond", false);
    const first = host.querySelector("p");
    show("First.\n\nSecond, longer.\n\nThird", false);
    expect(host.querySelector("p")).toBe(first);
    expect(host.querySelectorAll("p")).toHaveLength(3);
  });
});

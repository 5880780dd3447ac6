/**
 * marked leaves character references as written, since it expects HTML to come out. We make React
 * text nodes, so they are decoded here; what comes out is text and can never become markup.
 */
const named: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  copy: "©",
  reg: "®",
  trade: "™",
  hellip: "…",
  mdash: "—",
  ndash: "–",
  lsquo: "‘",
  rsquo: "’",
  ldquo: "“",
  rdquo: "”",
  laquo: "«",
  raquo: "»",
  middot: "·",
  bull: "•",
  deg: "°",
  plusmn: "±",
  times: "×",
  divide: "÷",
  frac12: "½",
  euro: "€",
  pound: "£",
  larr: "←",
  rarr: "→",
  uarr: "↑",
  darr: "↓",
  harr: "↔",
  infin: "∞",
  ne: "≠",
  le: "≤",
  ge: "≥",
  alpha: "α",
  beta: "β",
  pi: "π",
  Tab: "\t",
  NewLine: "\n",
  colon: ":",
  sol: "/",
  lpar: "(",
  rpar: ")",
};

export function decodeReferences(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z][a-zA-Z0-9]{1,31}));/g,
    (all, ...groups) => {
      const [decimal, hex, name] = groups as (string | undefined)[];
      if (name !== undefined) return Object.hasOwn(named, name) ? (named[name] ?? all) : all;
      return character(decimal !== undefined ? Number(decimal) : Number.parseInt(hex ?? "", 16));
    },
  );
}

function character(code: number): string {
  const forbidden = code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
  return forbidden ? "\ufffd" : String.fromCodePoint(code);
}

/**
 * The address a link may lead to, or null when it must stay text. Only http, https and mailto,
 * only whole addresses: an answer has no business linking into this page. Decoding comes first,
 * because `java&#115;cript:` is how one hides the scheme; the URL parser drops tabs and newlines.
 */
export function safeLink(href: string): string | null {
  const decoded = decodeReferences(href).trim();
  if (!/^(?:https?:\/\/|mailto:)/i.test(decoded)) return null;
  try {
    const url = new URL(decoded);
    const allowed = ["http:", "https:", "mailto:"].includes(url.protocol);
    // Credentials in an address only serve to make it look like another one.
    return allowed && url.username === "" && url.password === "" ? url.href : null;
  } catch {
    return null;
  }
}

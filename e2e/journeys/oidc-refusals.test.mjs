// Everything a provider, or somebody between, can get wrong: all of it is refused. Printed as a table.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { password } from "../lib/accounts.mjs";
import { makeAccount, startAccounts } from "../lib/goblin.mjs";
import { until } from "../lib/until.mjs";
import { atProvider, visitor } from "../lib/visitor.mjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
let provider;
let issuer;
let goblin;
const table = [];

before(async () => {
  provider = fork(path("../lib/bad_provider.mjs"), [], {
    execPath: path("../node_modules/node/bin/node"),
  });
  [{ issuer }] = await once(provider, "message");
  goblin = await startAccounts({
    GOBLIN_ENGINE__ENABLED: "false",
    // Every sign-in comes from an address of its own, or there would soon be too many from one.
    TRUSTED_PROXIES: "127.0.0.1",
    OIDC_ISSUER: issuer,
    OIDC_CLIENT_ID: "goblin",
    OIDC_CLIENT_SECRET: "secret",
  });
  const owner = await makeAccount(
    goblin,
    "/auth/setup",
    goblin.setupLink,
    "owner@example.org",
    password,
  );
  await owner.post("/api/invitations", { email: "guest@example.org", role: "member" });
});

after(async () => {
  provider?.disconnect();
  await goblin?.stop();
  const rows = [["what is wrong", "outcome", "why, as the log says"], ...table];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column].length)));
  for (const [what, outcome, why = ""] of rows) {
    console.log(`${what.padEnd(widths[0])}  ${outcome.padEnd(widths[1])}  ${why}`.trimEnd());
  }
});

async function tell(lie) {
  provider.send(lie);
  const [answer] = await once(provider, "message");
  assert.deepEqual(answer, { told: true });
}

/** A sign-in whose provider lies; `change` may change the address on the way back. */
async function comesTo(what, lie, change = (address) => address) {
  await tell(lie);
  const somebody = visitor(goblin.url);
  const back = await atProvider(await somebody.begin());
  const place = await somebody.comeBack(change(back, somebody));
  return note(what, place, somebody);
}

/** Notes what came of it: the word the page is given. */
async function note(what, place, somebody) {
  const led = new URL(place, goblin.url);
  assert.equal(led.origin, goblin.url, "nobody is led elsewhere");
  const error = led.searchParams.get("error");
  const outcome = error ?? (led.pathname === "/" ? "signed in" : place);
  const why = error ? await reason(somebody) : "";
  table.push([what, outcome, why]);
  assert.equal(somebody.isSignedIn(), outcome === "signed in", `${what}: ${outcome}`);
  return outcome;
}

/** Why somebody was refused last; only the log says it. */
async function reason(somebody) {
  const line = await until(`the log tells of ${somebody.name}`, () =>
    goblin
      .output()
      .split("\n")
      .findLast(
        (one) => one.includes(`"${somebody.name}"`) && one.includes("a sign-in at a provider"),
      ),
  );
  return /"internal":"oidc: (.*?)"[,}]/.exec(line)?.[1] ?? "";
}

const withParam = (name, value) => (address) => {
  const url = new URL(address);
  if (value === null) url.searchParams.delete(name);
  else url.searchParams.set(name, value);
  return url.href;
};

const refusals = [
  ["wrong nonce", "refused", { claims: { nonce: "another" } }, "nonce"],
  ["no nonce", "refused", { without: ["nonce"] }, "nonce"],
  ["wrong aud", "refused", { claims: { aud: "another" } }, "audience"],
  ["one aud too many", "refused", { claims: { aud: ["goblin", "another"] } }, "audience"],
  ["wrong azp", "refused", { claims: { azp: "another" } }, "another client"],
  ["wrong iss", "refused", { claims: { iss: "https://accounts.example.org" } }, "issuer"],
  ["no sub", "refused", { without: ["sub"] }, "claim"],
  ["unknown kid", "refused", { as: "header", header: { kid: "unknown" } }, "key is not one"],
  ["alg none", "refused", { as: "none" }, "algorithm"],
  ["alg HS256, signed with the public key", "refused", { as: "hs256" }, "algorithm"],
  ["another's key under a known kid", "refused", { as: "foreign" }, "signature"],
  ["a key in the header", "refused", { as: "header", header: { jwk: { kty: "RSA" } } }, "header"],
  ["typ of an access token", "refused", { as: "header", header: { typ: "at+jwt" } }, "header"],
  ["crit", "refused", { as: "header", header: { crit: ["exp"] } }, "header"],
  ["expired", "refused", { claims: { exp: 1 } }, "time is over"],
  ["provider's clock ten minutes ahead", "clock_differs", { seconds: 600 }, "future"],
  ["provider's clock ten minutes behind", "refused", { seconds: -600 }, "too long ago"],
  ["truncated signature", "refused", { as: "truncated" }, "signature"],
  ["oversized token", "refused", { claims: { groups: "x".repeat(20_000) } }, "too long"],
  ["no ID token", "provider_down", { noIdToken: true }],
  ["an answer that is none", "provider_down", { body: [] }],
  ["token endpoint fails", "provider_down", { status: 500 }],
  ["token endpoint redirects", "provider_down", { status: 302 }],
  ["client refused", "provider_down", { status: 401, body: { error: "invalid_client" } }],
  ["code refused", "refused", { status: 400, body: { error: "invalid_grant" } }],
  [
    "userinfo of somebody else",
    "provider_down",
    { without: ["email"], userinfo: { sub: "another", email: "owner@example.org" } },
  ],
  ["not invited", "not_invited", { claims: { sub: "x", email: "x@example.org" } }],
  [
    "address not verified",
    "not_verified",
    { claims: { sub: "x", email: "x@example.org", email_verified: false } },
  ],
  [
    "address not verified, says a word",
    "not_verified",
    { claims: { sub: "x", email: "x@example.org", email_verified: "yes" } },
  ],
  [
    "the owner's address, not linked",
    "not_linked",
    { claims: { sub: "x", email: "Owner@Example.org" } },
  ],
];

test("nothing wrong: an invited guest is taken in, and known from then on", async () => {
  assert.equal(await comesTo("nothing", {}), "signed in");
  assert.equal(await comesTo("nothing, a second time", {}), "signed in");
  const list = { claims: { aud: ["goblin"] } };
  assert.equal(await comesTo("nothing, with an aud in a list", list), "signed in");
  const rewritten = { as: "header", header: {} };
  assert.equal(await comesTo("nothing, signed as the lies below are", rewritten), "signed in");
});

test("what a provider gets wrong is refused", async () => {
  for (const [what, expected, lie, why = ""] of refusals) {
    assert.equal(await comesTo(what, lie), expected, what);
    assert.ok(table.at(-1)[2].includes(why), `${what}: ${table.at(-1)[2]}`);
  }
});

test("what comes back another way is refused", async () => {
  const changes = [
    [
      "refused at the provider",
      "denied",
      (address) => withParam("error", "access_denied")(withParam("code", null)(address)),
    ],
    ["provider says it is down", "provider_down", withParam("error", "temporarily_unavailable")],
    ["no code", "refused", withParam("code", null)],
    ["a code of 5 kB", "refused", withParam("code", "x".repeat(5_000))],
    ["a code that is none", "refused", withParam("code", "' OR 1=1 --")],
    ["sent by another provider (iss)", "refused", withParam("iss", "https://accounts.example.org")],
    ["no state", "expired", withParam("state", null)],
    ["a state that is none", "expired", withParam("state", "x".repeat(43))],
    ["state twice", "expired", (address) => `${address}&state=${"A".repeat(43)}`],
    [
      "no cookie",
      "expired",
      (address, somebody) => {
        somebody.cookies.clear();
        return address;
      },
    ],
    [
      "another browser's cookie",
      "expired",
      (address, somebody) => {
        somebody.cookies.set("goblin-oauth", "A".repeat(43));
        return address;
      },
    ],
  ];
  for (const [what, expected, change] of changes) {
    assert.equal(await comesTo(what, {}, change), expected, what);
  }
});

test("state and code are good once, and only together", async () => {
  await tell({});
  const first = visitor(goblin.url);
  const back = await atProvider(await first.begin());
  assert.equal(new URL(await first.comeBack(back)).href, `${goblin.url}/`);
  first.cookies.delete("goblin-sid");
  assert.equal(await note("state and code replayed", await first.comeBack(back), first), "expired");

  const second = visitor(goblin.url);
  const theirs = new URL(await atProvider(await second.begin()));
  const old = new URL(back).searchParams.get("code");
  const replayed = withParam("code", old)(theirs.href);
  assert.equal(
    await note("code replayed in another sign-in", await second.comeBack(replayed), second),
    "refused",
  );

  // A code somebody was given by a request of their own, without PKCE, put into another's sign-in.
  const third = visitor(goblin.url);
  const asked = new URL(await third.begin());
  const state = asked.searchParams.get("state");
  assert.equal(asked.searchParams.get("code_challenge_method"), "S256");
  for (const name of ["code_challenge", "code_challenge_method", "nonce"])
    asked.searchParams.delete(name);
  asked.searchParams.set("state", "x");
  const injected = withParam("state", state)(await atProvider(asked.href));
  assert.equal(
    await note("code of a request without PKCE", await third.comeBack(injected), third),
    "refused",
  );

  // The same with PKCE of their own.
  const [victim, thief] = [visitor(goblin.url), visitor(goblin.url)];
  const mine = new URL(await atProvider(await thief.begin()));
  const own = new URL(await victim.begin()).searchParams.get("state");
  const crossed = withParam("state", own)(mine.href);
  assert.equal(
    await note("code of another's sign-in", await victim.comeBack(crossed), victim),
    "refused",
  );
});

test("a token that is brought along is good once, and for whom it is", async () => {
  const given = async (lie) => {
    await tell(lie);
    const response = await fetch(`${issuer}/token`, {
      method: "POST",
      headers: {
        authorization: `Basic ${Buffer.from("goblin:secret").toString("base64")}`,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: "grant_type=password&username=x",
    });
    return (await response.json()).id_token;
  };
  const login = await fetch(`${goblin.url}/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "owner@example.org", password }),
  });
  const { access_token: own } = await login.json();
  const link = async (token) => {
    const response = await fetch(`${goblin.url}/api/account/identities`, {
      method: "POST",
      headers: { authorization: `Bearer ${own}`, "content-type": "application/json" },
      body: JSON.stringify({ provider: "oidc", token }),
    });
    return response.status;
  };
  const good = await given({ claims: { sub: "owner-there" } });
  const cases = [
    ["brought along: another's aud", 401, await given({ claims: { aud: "another" } })],
    ["brought along: eleven minutes old", 401, await given({ seconds: -700 })],
    ["brought along: linked to the guest", 409, await given({})],
    ["brought along: nothing wrong", 204, good],
    ["brought along: replayed", 403, good],
  ];
  for (const [what, expected, token] of cases) {
    const status = await link(token);
    table.push([what, String(status)]);
    assert.equal(status, expected, what);
  }
});

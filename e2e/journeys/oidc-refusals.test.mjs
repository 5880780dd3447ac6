// Everything a provider, or somebody between, can get wrong: all of it is refused. Printed as a table.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { startPublicGoblin } from "../lib/goblin.mjs";
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
  goblin = await startPublicGoblin({
    OIDC_ISSUER: issuer,
    OIDC_CLIENT_ID: "goblin",
    OIDC_CLIENT_SECRET: "secret",
  });
  await goblin.api.post("/api/invitations", { email: "guest@example.org", role: "member" });
});

after(async () => {
  provider?.disconnect();
  await goblin?.stop();
  const width = Math.max(...table.map(([what]) => what.length));
  console.log(`${"what is wrong".padEnd(width)}  outcome`);
  for (const [what, outcome] of table) console.log(`${what.padEnd(width)}  ${outcome}`);
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

function note(what, place, somebody) {
  const error = new URL(place, goblin.url).searchParams.get("error");
  const outcome = error ?? (place === "/" ? "signed in" : place);
  table.push([what, outcome]);
  assert.equal(somebody.isSignedIn(), outcome === "signed in", `${what}: ${outcome}`);
  return outcome;
}

const withParam = (name, value) => (address) => {
  const url = new URL(address);
  if (value === null) url.searchParams.delete(name);
  else url.searchParams.set(name, value);
  return url.href;
};

const refusals = [
  ["wrong nonce", "refused", { claims: { nonce: "another" } }],
  ["no nonce", "refused", { without: ["nonce"] }],
  ["wrong aud", "refused", { claims: { aud: "another" } }],
  ["one aud too many", "refused", { claims: { aud: ["goblin", "another"] } }],
  ["wrong azp", "refused", { claims: { azp: "another" } }],
  ["wrong iss", "refused", { claims: { iss: "https://accounts.example.org" } }],
  ["no sub", "refused", { without: ["sub"] }],
  ["unknown kid", "refused", { as: "header", header: { kid: "unknown" } }],
  ["alg none", "refused", { as: "none" }],
  ["alg HS256, signed with the public key", "refused", { as: "hs256" }],
  ["another's key under a known kid", "refused", { as: "foreign" }],
  ["a key in the header", "refused", { as: "header", header: { jwk: { kty: "RSA" } } }],
  ["typ of an access token", "refused", { as: "header", header: { typ: "at+jwt" } }],
  ["crit", "refused", { as: "header", header: { crit: ["exp"] } }],
  ["expired", "refused", { claims: { exp: 1 } }],
  ["provider's clock ten minutes ahead", "clock_differs", { seconds: 600 }],
  ["provider's clock ten minutes behind", "refused", { seconds: -600 }],
  ["truncated signature", "refused", { as: "truncated" }],
  ["oversized token", "refused", { claims: { groups: "x".repeat(20_000) } }],
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
  assert.equal(await comesTo("nothing, with an aud in a list", { claims: { aud: ["goblin"] } }), "signed in");
});

test("what a provider gets wrong is refused", async () => {
  for (const [what, expected, lie] of refusals) {
    assert.equal(await comesTo(what, lie), expected, what);
  }
});

test("what comes back another way is refused", async () => {
  const changes = [
    ["refused at the provider", "denied", (address) => withParam("error", "access_denied")(withParam("code", null)(address))],
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
  assert.equal(await first.comeBack(back), "/");
  first.cookies.delete("goblin-sid");
  assert.equal(note("state and code replayed", await first.comeBack(back), first), "expired");

  const second = visitor(goblin.url);
  const theirs = new URL(await atProvider(await second.begin()));
  const old = new URL(back).searchParams.get("code");
  const replayed = withParam("code", old)(theirs.href);
  assert.equal(note("code replayed in another sign-in", await second.comeBack(replayed), second), "refused");

  // A code somebody was given by a request of their own, without PKCE, put into another's sign-in.
  const third = visitor(goblin.url);
  const asked = new URL(await third.begin());
  const state = asked.searchParams.get("state");
  assert.equal(asked.searchParams.get("code_challenge_method"), "S256");
  for (const name of ["code_challenge", "code_challenge_method", "nonce"]) asked.searchParams.delete(name);
  asked.searchParams.set("state", "x");
  const injected = withParam("state", state)(await atProvider(asked.href));
  assert.equal(note("code of a request without PKCE", await third.comeBack(injected), third), "refused");

  // The same with PKCE of their own.
  const [victim, thief] = [visitor(goblin.url), visitor(goblin.url)];
  const mine = new URL(await atProvider(await thief.begin()));
  const own = new URL(await victim.begin()).searchParams.get("state");
  const crossed = withParam("state", own)(mine.href);
  assert.equal(note("code of another's sign-in", await victim.comeBack(crossed), victim), "refused");
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
  const link = async (token) => {
    const response = await fetch(`${goblin.url}/api/account/identities`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${goblin.owner.token}`,
        "content-type": "application/json",
      },
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

// A provider of OpenID Connect that lies as it is told (`oauth2-mock-server`, which wants a newer Node than the tests
// run on: a process of its own, told by messages).
import { createHmac, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { OAuth2Server } from "oauth2-mock-server";

const server = new OAuth2Server();
const key = await server.issuer.keys.generate("RS256", { kid: "good" });
const foreign = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const publicPem = createPublicKey({
  key: { kty: key.kty, n: key.n, e: key.e },
  format: "jwk",
}).export({
  type: "spki",
  format: "pem",
});

/** What is to be wrong next. */
let lie = {};

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const read = (text) => JSON.parse(Buffer.from(text, "base64url").toString("utf8"));

server.service.on("beforeTokenSigning", (token) => {
  if (token.payload.aud === undefined) return;
  Object.assign(token.payload, {
    sub: "guest",
    email: "guest@example.org",
    email_verified: true,
    name: "A guest",
    ...lie.claims,
  });
  for (const claim of lie.without ?? []) delete token.payload[claim];
  for (const claim of ["iat", "exp", "nbf"]) token.payload[claim] += lie.seconds ?? 0;
});

const wholly = {
  none: (header, claims) => `${part({ ...header, alg: "none" })}.${claims}.`,
  hs256: (header, claims) => {
    const message = `${part({ ...header, alg: "HS256" })}.${claims}`;
    return `${message}.${createHmac("sha256", publicPem).update(message).digest("base64url")}`;
  },
  foreign: (header, claims) => {
    const message = `${part({ ...header, ...lie.header })}.${claims}`;
    return `${message}.${sign("sha256", Buffer.from(message), foreign).toString("base64url")}`;
  },
  header: (header, claims) => {
    const message = `${part({ ...header, ...lie.header })}.${claims}`;
    const own = { key: { ...key }, format: "jwk" };
    return `${message}.${sign("sha256", Buffer.from(message), own).toString("base64url")}`;
  },
  truncated: (header, claims, signature) => `${part(header)}.${claims}.${signature.slice(0, -8)}`,
};

server.service.on("beforeResponse", (response) => {
  if (lie.status) response.statusCode = lie.status;
  if (lie.noIdToken) delete response.body.id_token;
  if (lie.body !== undefined) response.body = lie.body;
  const change = wholly[lie.as];
  if (change && response.body.id_token) {
    const [header, claims, signature] = response.body.id_token.split(".");
    response.body.id_token = change(read(header), claims, signature);
  }
});

server.service.on("beforeUserinfo", (response) => {
  Object.assign(response.body, { sub: "guest", ...lie.userinfo });
});

process.on("message", (message) => {
  lie = message;
  process.send({ told: true });
});
process.on("disconnect", () => process.exit(0));
await server.start(0, "127.0.0.1");
process.send({ issuer: server.issuer.url });

// A real provider of OpenID Connect (`oidc-provider`, certified), with people who sign in by their address alone.
import { createServer } from "node:http";
import Provider from "oidc-provider";

export const client = { id: "goblin", secret: "a secret of the client" };

/**
 * Takes a port, so that its issuer is known; `open` begins to answer, for a client that has people sent back to
 * `redirect`. `says(sub)` gives what it knows of somebody.
 */
export async function startProvider() {
  let answer = (_request, response) => response.writeHead(503).end();
  const server = createServer((request, response) => answer(request, response));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  return {
    issuer,
    open: (redirect, says) => {
      answer = answers(issuer, redirect, says);
    },
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Whoever was sent to the provider signs in there as somebody, and is back at goblin. */
export async function signInThere(page, provider, goblin, address) {
  await page.waitForURL((url) => url.origin === provider.issuer);
  await page.getByRole("heading", { name: "Example ID" }).waitFor();
  await page.getByLabel("Address").fill(address);
  await page.getByRole("button", { name: "Sign in there" }).click();
  await page.waitForURL((url) => url.origin === goblin.url);
}

function answers(issuer, redirect, says) {
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: [redirect],
        response_types: ["code"],
        grant_types: ["authorization_code"],
      },
    ],
    pkce: { required: () => true },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    cookies: { keys: ["of this test only"] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ sub, ...says(sub) }) }),
    // Whoever signs in there lets goblin know who they are.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client.clientId,
        accountId: oidc.session.accountId,
      });
      grant.addOIDCScope("openid email profile");
      await grant.save();
      return grant;
    },
  });
  const other = provider.callback();

  return async (request, response) => {
    if (!request.url.startsWith("/interaction/")) return other(request, response);
    try {
      if (request.method === "GET") {
        response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
        return response.end(form(request.url));
      }
      let body = "";
      for await (const piece of request) body += piece;
      const given = new URLSearchParams(body);
      const result = given.has("no")
        ? { error: "access_denied", error_description: "They said no." }
        : { login: { accountId: given.get("address"), remember: false } };
      await provider.interactionFinished(request, response, result);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  };
}

function form(action) {
  return `<!doctype html><html lang="en"><title>Example ID</title><h1>Example ID</h1>
<form method="post" action="${action}">
<label>Address <input name="address" type="email"></label>
<button>Sign in there</button> <button name="no" value="1" formnovalidate>No</button>
</form></html>`;
}

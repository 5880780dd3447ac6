// Writes the pictures of the README from a real run: node screenshot.mjs http://127.0.0.1:8001 ["A question"]
// With --tiers instead of an address it starts a real Ollama, a model tier and a backend, and writes the pictures of those.
// With --accounts it starts a server where people sign in, and writes the pictures of signing in and of administration.
// With --trust after the address: answers that are held, put aside and taken back, and a trace, as scenes of the test.
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { accountMenu, copiedLink, fillIn, pageOf, password } from "./lib/accounts.mjs";
import { makeAccount, startAccounts, startTiers } from "./lib/goblin.mjs";
import { startOllama } from "./lib/ollama.mjs";
import {
  ask,
  desktop,
  finished,
  lastTurn,
  newChatWith,
  openBrowser,
  openPage,
  phone,
} from "./lib/page.mjs";
import { scene } from "./lib/scene.mjs";
import { still } from "./lib/until.mjs";

const tiers = process.argv[2] === "--tiers" ? await startAll() : null;
const accounts = process.argv[2] === "--accounts" ? await startAccounts() : null;
const url =
  tiers?.goblin.url ??
  accounts?.url ??
  (process.argv[2] ?? process.env.GOBLIN_URL ?? "").replace(/\/+$/, "");
const trust = process.argv[3] === "--trust";
const question =
  (!trust && process.argv[3]) || "Explain in three short points why the sky is blue.";
if (!url) throw new Error("say where Goblin runs: node screenshot.mjs http://127.0.0.1:8001");

const folder = fileURLToPath(new URL("../docs/images/", import.meta.url));
mkdirSync(folder, { recursive: true });
const browser = await openBrowser();

async function startAll() {
  const ollama = await startOllama();
  try {
    const started = await startTiers(ollama);
    return { ...started, stop: () => started.stop().then(ollama.stop) };
  } catch (error) {
    await ollama.stop();
    throw error;
  }
}

async function picture(name, options, prepare) {
  const page = await openPage(browser, { url }, { deviceScaleFactor: 1, ...options });
  await prepare(page);
  await page.evaluate(() => document.fonts.ready);
  await still(page);
  await page.screenshot({ path: `${folder}${name}.png` });
  await page.leave();
  console.log(`${folder}${name}.png`);
}

const ready = (page) => page.getByTestId("who-answers").locator("strong").waitFor();

const answered = async (page) => {
  await ready(page);
  await ask(page, question);
  await page.waitForURL(/\/c\//);
  await finished(page);
  // Long answers end far below; the picture begins with the question.
  await page.getByRole("region", { name: "Conversation" }).evaluate((box) => box.scrollTo(0, 0));
};

async function ordinaryPictures() {
  await picture("chat", { colorScheme: "dark", viewport: desktop }, answered);
  await picture("chat-light", { colorScheme: "light", viewport: desktop }, answered);
  await picture("phone", { colorScheme: "dark", viewport: phone, deviceScaleFactor: 2 }, answered);
}

/** What no model can be asked for: the page is real, the words are the journeys'. */
async function trustPictures() {
  const small = "ollama/gemma:2b";
  const better = "ollama/mistral:7b";
  const first = "The sky is blue because it reflects the oceans, which are blue as well.";
  const points = [
    "Sunlight holds **all colours**; each has a wavelength of its own.",
    "Molecules of air scatter short waves far more than long ones (*Rayleigh scattering*, λ⁻⁴).",
    "So blue reaches the eye from every part of the sky, and red only straight from the sun.",
  ].map((point, at) => `${at + 1}. ${point}\n`);
  const begun = async (page) => {
    const say = await scene.line(page);
    const chat = await newChatWith(page, { url, api: { post } }, {}, question);
    await ask(page, question);
    const turn = scene.turn({
      chat_id: chat.id,
      content: question,
      status: "streaming",
      answer: "",
    });
    await say("turn", { turn: { ...turn, model: null }, chat });
    return { say, turn };
  };
  await picture("hold", { colorScheme: "dark", viewport: desktop }, async (page) => {
    const { say } = await begun(page);
    await say("delta", { text: points.slice(0, 2).join("") });
    const about = { part: "window", window: 1 };
    await say("checking", { about, judge: small, held_tokens: 52 });
    await page.getByText("52 tokens held").waitFor();
  });
  await picture("supersede", { colorScheme: "light", viewport: desktop }, async (page) => {
    const { say, turn } = await begun(page);
    await say("delta", { text: first });
    const why = "It was not sure enough: 41 %, and 65 % is needed.";
    await say("superseded", { model: small, by: better, local: true, why });
    await say("delta", { text: points.join("") });
    const end = { status: "complete", answer: points.join(""), model: better };
    await say("done", { turn: { ...turn, ...end, trace: scene.summary() } });
    await page.getByTestId("facts").waitFor();
  });
  for (const [name, options] of [
    ["trace", { colorScheme: "dark", viewport: { width: 1280, height: 1000 } }],
    ["trace-phone", { colorScheme: "light", viewport: phone, deviceScaleFactor: 2 }],
  ]) {
    await picture(name, options, async (page) => {
      await newChatWith(page, { url, api: { post } }, {}, question);
      const answer = points.join("");
      await scene.turns(page, [scene.turn({ answer, model: better, trace: scene.summary() })]);
      await scene.traces(page, scene.trace());
      await page.reload();
      await page.getByTestId("facts").click();
      await page.getByText("On the way").waitFor();
    });
  }
}

const post = async (path, body) => {
  const headers = { "content-type": "application/json" };
  return (await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) })).json();
};

async function tierPictures() {
  await picture("tiers", { colorScheme: "dark", viewport: desktop }, async (page) => {
    await newChatWith(page, tiers.goblin, { max_tokens: 60, temperature: 0.2, seed: 7 }, question);
    await ask(page, question);
    await lastTurn(page).getByText(question).waitFor();
    await finished(page);
    await page.getByRole("button", { name: /^Model:/ }).click();
    await page.getByText("in memory", { exact: true }).waitFor();
  });
  await tiers.models.kill();
  const lost = async (page) => {
    await page.getByTestId("health-strip").getByText("It cannot be reached.").waitFor();
  };
  await picture("tier-down", { colorScheme: "light", viewport: desktop }, lost);
}

/** Somebody makes the first account, invites others, and looks at where they are signed in. */
async function accountPictures() {
  const owner = "ada@example.org";
  const made = await makeAccount(accounts, "/auth/setup", accounts.setupLink, owner, password);
  await made.patch("/api/account", { name: "Ada" });
  for (const [name, email, role] of [
    ["Grace", "grace@example.org", "admin"],
    ["Alan", "alan@example.org", "member"],
  ]) {
    const { url: link } = await made.post("/api/invitations", { email, role });
    const guest = await makeAccount(accounts, "/auth/invitation", link, email, password);
    await guest.patch("/api/account", { name });
  }
  await made.post("/api/invitations", { email: "edsger@example.org", role: "viewer" });
  const screen = (path, ready) => ({ path, ready });
  const dark = { colorScheme: "dark", viewport: desktop };
  await picture("sign-in", { ...dark, ...screen("/", "form") }, async () => {});
  const signedIn = (prepare) => async (page) => {
    await fillIn(page, owner);
    await prepare(page);
  };
  await picture(
    "invitations",
    { ...dark, ...screen("/admin/invitations", "form") },
    signedIn(async (page) => {
      const form = page.getByRole("form", { name: "Invite somebody" });
      await form.getByLabel("E-mail address").fill("barbara@example.org");
      await form.getByRole("button", { name: "Make an invitation" }).click();
      await copiedLink(page);
    }),
  );
  await picture(
    "people",
    {
      colorScheme: "light",
      viewport: phone,
      deviceScaleFactor: 2,
      ...screen("/admin/users", "form"),
    },
    signedIn((page) => page.getByText("alan@example.org", { exact: true }).waitFor()),
  );
  const firefox =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
  const other = await pageOf(browser, accounts, owner, { userAgent: firefox });
  await picture(
    "sessions",
    { colorScheme: "light", viewport: desktop, ...screen("/", "form") },
    signedIn(async (page) => {
      await page.locator("#question").waitFor();
      await accountMenu(page, "Your account");
      await page.getByRole("link", { name: "Sign-ins" }).click();
      await page.getByText("Firefox on Windows").waitFor();
    }),
  );
  await other.leave();
}

try {
  await (accounts
    ? accountPictures()
    : tiers
      ? tierPictures()
      : trust
        ? trustPictures()
        : ordinaryPictures());
} finally {
  await browser.close();
  await tiers?.stop();
  await accounts?.stop();
}

// Starts the real binary for a journey: its own port, its own empty home, the starter model in place.
//
//   GOBLIN_BIN           the binary (default ../target/release/goblin, else ../target/debug/goblin)
//   GOBLIN_STARTER_GGUF  the starter model, put where `goblin up` looks for models
//   GOBLIN_URL           a server that runs already; then journeys which restart it are skipped
import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./until.mjs";

export const given = process.env.GOBLIN_URL?.replace(/\/+$/, "");
const START_MS = Number(process.env.GOBLIN_START_MS ?? 120_000);
/** Between two looks at a server that starts: below the 600 a minute that a model tier allows a key. */
const PACE_MS = 150;

function binary() {
  if (process.env.GOBLIN_BIN) return process.env.GOBLIN_BIN;
  for (const profile of ["release", "debug"]) {
    const path = fileURLToPath(new URL(`../../target/${profile}/goblin`, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new Error(
    "no goblin binary: build it, or set GOBLIN_BIN (or GOBLIN_URL for a running server)",
  );
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function placeModel(models) {
  const source = process.env.GOBLIN_STARTER_GGUF;
  mkdirSync(models, { recursive: true });
  if (!source) return;
  const target = join(models, basename(source));
  for (const put of [linkSync, symlinkSync, copyFileSync]) {
    try {
      put(source, target);
      return;
    } catch {
      // Another file system, or no right to link: the next way is slower and always works.
    }
  }
}

/**
 * One process of goblin with a home of its own. `kill` is kill -9; `start` brings it back on the same
 * port and data. `extra` is environment, or makes it from the address. `isReady(url)` says whether it can be used.
 */
async function newProcess(command, extra, isReady) {
  const home = mkdtempSync(join(tmpdir(), "goblin-e2e-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const name = `goblin ${command.join(" ")}`;
  const env = {
    ...process.env,
    PORT: String(port),
    HOST: "127.0.0.1",
    HOME: home,
    XDG_DATA_HOME: join(home, "data"),
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_STATE_HOME: join(home, "state"),
    XDG_CACHE_HOME: join(home, "cache"),
    // The browser needs the other core, and llama.cpp on cores it must share is many times slower.
    GOBLIN_ENGINE__THREADS: process.env.GOBLIN_ENGINE__THREADS ?? "1",
    GOBLIN_UPSTREAM__DISCOVER: "false",
    ...(typeof extra === "function" ? extra(url) : extra),
  };
  let child = null;
  let output = "";

  async function start() {
    child = spawn(binary(), command, { env, cwd: home, stdio: ["ignore", "pipe", "pipe"] });
    const keep = (text) => {
      output = (output + text).slice(-8000);
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    const started = child;
    const deadline = Date.now() + START_MS;
    while (Date.now() < deadline) {
      if (started.exitCode !== null)
        throw new Error(`${name} ended with ${started.exitCode}:\n${output}`);
      if (await isReady(url).catch(() => false)) return;
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
    throw new Error(`${name} was not ready after ${START_MS} ms:\n${output}`);
  }

  const end = (signal) =>
    new Promise((resolve) => {
      if (!child || child.exitCode !== null || child.signalCode !== null) return resolve();
      const ending = child;
      const hard = setTimeout(() => ending.kill("SIGKILL"), 15_000);
      ending.once("exit", () => {
        clearTimeout(hard);
        resolve();
      });
      ending.kill(signal);
    });

  return {
    url,
    home,
    pid: () => child?.pid,
    start,
    kill: () => end("SIGKILL"),
    output: () => output,
    stop: async () => {
      await end("SIGTERM");
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function nothingStarts(url) {
  const response = await fetch(`${url}/api/status`);
  if (!response.ok) return false;
  return (await response.json()).upstreams.every((upstream) => upstream.state !== "loading");
}

/** `goblin up`: page, backend and models in one process. */
export async function startGoblin(environment = {}) {
  if (given) return { url: given, api: apiOf(given), owned: false, stop: async () => {} };
  const goblin = await newProcess(["up"], environment, nothingStarts);
  placeModel(join(goblin.home, "data", "goblin", "models"));
  await goblin.start();
  return { ...goblin, api: apiOf(goblin.url), owned: true };
}

/**
 * The two of a deployment: `goblin models serve`, with the starter model behind a key or in front of
 * the given Ollama, and `goblin serve`, which has no model of its own.
 */
export async function startTiers(ollama = null) {
  const models = await startModels(ollama);
  const stop = async () => {
    await models.stop();
  };
  try {
    const goblin = await startBackend(models);
    return {
      goblin,
      models,
      stop: async () => {
        await goblin.stop();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `goblin models serve`. */
export async function startModels(ollama = null) {
  // Not a secret: it listens on this machine only, and is gone in a minute.
  const key = `e2e-${randomUUID()}`;
  const behind = ollama ? { OLLAMA_HOST: ollama.url, GOBLIN_ENGINE__ENABLED: "false" } : {};
  const environment = { LOCAL_LLM_API_KEY: key, ...behind };
  const models = await newProcess(["models", "serve"], environment, async (url) => {
    const response = await fetch(`${url}/v1/models`, { headers: { "x-api-key": key } });
    // An Ollama loads its model when it is asked for.
    const there = ollama ? '"id":' : '"state":"loaded"';
    return response.ok && (await response.text()).includes(there);
  });
  if (!ollama) placeModel(join(models.home, "data", "goblin", "models"));
  try {
    await models.start();
  } catch (error) {
    await models.stop();
    throw error;
  }
  return { ...models, key };
}

/** `goblin serve`, which has no model of its own, in front of a `goblin models serve`. */
export async function startBackend(models, environment = {}) {
  const reached = {
    LOCAL_LLM_PROXY_URL: models.url,
    LOCAL_LLM_API_KEY: models.key,
    GOBLIN_ENGINE__ENABLED: "false",
  };
  const goblin = await newProcess(["serve"], { ...reached, ...environment }, async (url) => {
    const response = await fetch(`${url}/api/status`);
    return response.ok && (await response.json()).upstreams.some(({ state }) => state === "up");
  });
  try {
    await goblin.start();
  } catch (error) {
    await goblin.stop();
    throw error;
  }
  return { ...goblin, api: apiOf(goblin.url), owned: true };
}

/**
 * A backend where people sign in (`goblin serve`, or another command), in front of a model tier. Nobody has an account yet;
 * `setupLink` is read from where its output says the link is. `environment` is one, or makes one from the address.
 */
export async function startAccounts(environment = {}, command = ["serve"]) {
  const models = await startModels();
  const goblin = await newProcess(
    command,
    (url) => ({
      // To be found at an address of its own is what ends local mode.
      FRONTEND_URL: url,
      LOCAL_LLM_PROXY_URL: models.url,
      LOCAL_LLM_API_KEY: models.key,
      GOBLIN_ENGINE__ENABLED: "false",
      ...(typeof environment === "function" ? environment(url) : environment),
    }),
    async (url) => (await fetch(`${url}/auth/state`)).ok,
  );
  const stop = async () => {
    await goblin.stop();
    await models.stop();
  };
  try {
    await goblin.start();
    const place = await until("the output names the file with the set-up link", () =>
      /(\/[^\s"=]*first-link)/.exec(goblin.output())?.at(1),
    );
    return { ...goblin, stop, owned: true, setupLink: readFileSync(place, "utf8").trim() };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Makes an account as a program does: by the set-up link or an invitation. Gives back calls made as that account. */
export async function makeAccount(goblin, path, link, email, password) {
  const body = { token: new URL(link).hash.slice(1), email, password };
  const made = await apiOf(goblin.url).post(path, body);
  return apiOf(goblin.url, { authorization: `Bearer ${made.access_token}` });
}

/** What a command of goblin prints. */
export function goblinPrints(args) {
  const env = { ...process.env, NO_COLOR: "1" };
  const done = spawnSync(binary(), args, { env, encoding: "utf8", timeout: START_MS });
  if (done.status !== 0) throw new Error(`goblin ${args.join(" ")}: ${done.error ?? done.stderr}`);
  return done.stdout;
}

/** The server as seen without the page: what is true, to compare with what is shown. */
function apiOf(url, who = {}) {
  const call = async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: { ...who, ...(body ? { "content-type": "application/json" } : {}) },
      body: body ? JSON.stringify(body) : undefined,
    });
    if (!response.ok)
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? null : response.json();
  };
  return {
    get: (path) => call("GET", path),
    post: (path, body) => call("POST", path, body),
    put: (path, body) => call("PUT", path, body),
    patch: (path, body) => call("PATCH", path, body),
    delete: (path) => call("DELETE", path),
  };
}

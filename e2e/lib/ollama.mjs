// A real Ollama with the starter model, on a port and in a folder of its own.
//
//   OLLAMA_BIN           the program (scripts/ollama.sh prints its path)
//   GOBLIN_STARTER_GGUF  the starter model
//   GOBLIN_SECOND_GGUF   the second model, of another family
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./goblin.mjs";

export const ollamaModel = "smollm2:135m";
export const secondModel = "gemma3:270m";
// It was not taught to chat: a question that goes on with `Answer:` is what it completes.
const secondTemplate = `TEMPLATE """Question: {{ .Prompt }}
Answer:"""
PARAMETER stop "\nQuestion:"
`;
const START_MS = 60_000;

/** With the starter model, and the second one as well when `second` is true. */
export async function startOllama({ second = false } = {}) {
  const program = process.env.OLLAMA_BIN ?? "ollama";
  const starter = process.env.GOBLIN_STARTER_GGUF;
  if (!starter) throw new Error("GOBLIN_STARTER_GGUF names no model for Ollama");
  const other = process.env.GOBLIN_SECOND_GGUF;
  if (second && !other) throw new Error("GOBLIN_SECOND_GGUF names no second model for Ollama");
  const home = mkdtempSync(join(tmpdir(), "goblin-e2e-ollama-"));
  const url = `http://127.0.0.1:${await freePort()}`;
  const env = {
    ...process.env,
    HOME: home,
    OLLAMA_HOST: url,
    OLLAMA_MODELS: join(home, "models"),
    OLLAMA_NUM_PARALLEL: "2",
    OLLAMA_CONTEXT_LENGTH: "4096",
    OLLAMA_KEEP_ALIVE: "30m",
  };
  const log = join(home, "serve.log");
  let child = null;

  /** The server and the runners it started, which are in its group. */
  const kill = () =>
    new Promise((resolve) => {
      if (!child || child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once("exit", () => resolve());
      process.kill(-child.pid, "SIGKILL");
    });
  process.once("exit", () => void kill());

  async function start() {
    const out = openSync(log, "a");
    child = spawn(program, ["serve"], {
      env,
      cwd: home,
      detached: true,
      stdio: ["ignore", out, out],
    });
    const failed = new Promise((_, reject) => child.once("error", reject));
    const deadline = Date.now() + START_MS;
    const answers = async () => {
      while (Date.now() < deadline) {
        const response = await fetch(`${url}/api/version`).catch(() => null);
        if (response?.ok) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`Ollama was not ready after ${START_MS} ms:\n${readFileSync(log, "utf8")}`);
    };
    await Promise.race([answers(), failed]);
  }

  const stop = async () => {
    await kill();
    rmSync(home, { recursive: true, force: true });
  };
  /** One thread: several that wait for each other on cores they must share are many times slower. */
  function create(name, file, more = "") {
    writeFileSync(join(home, "Modelfile"), `FROM ${file}\nPARAMETER num_thread 1\n${more}`);
    const made = spawnSync(program, ["create", name, "-f", "Modelfile"], {
      env,
      cwd: home,
      encoding: "utf8",
    });
    if (made.status !== 0) throw new Error(`ollama create ${name}: ${made.error ?? made.stderr}`);
  }

  try {
    await start();
    create(ollamaModel, starter);
    if (second) create(secondModel, other, secondTemplate);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, start, kill, stop };
}

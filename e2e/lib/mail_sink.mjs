// A mail server that keeps what it is given (aiosmtpd), as the Rust tests start it.
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../crates/goblin/tests/mail_sink.py", import.meta.url));
const HANG_MS = 60_000;

/** Debian's module belongs to Debian's Python, whichever other comes first. */
function python() {
  const has = (name) => spawnSync(name, ["-c", "import aiosmtpd"]).status === 0;
  const found = ["/usr/bin/python3", "python3"].find(has);
  if (!found) throw new Error("aiosmtpd is missing: run `scripts/setup.sh --tests`");
  return found;
}

/** Starts it. `letter()` gives the next letter, and waits for it. */
export async function startMailSink() {
  const child = spawn(python(), [script], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (what) => {
    let hang;
    const late = new Promise((_resolve, reject) => {
      hang = setTimeout(() => reject(new Error(`hangs: ${what}`)), HANG_MS);
    });
    try {
      const { value, done } = await Promise.race([lines.next(), late]);
      if (done) throw new Error(`the mail server ended before ${what}`);
      return value;
    } finally {
      clearTimeout(hang);
    }
  };
  const port = Number(await line("its port"));
  return {
    url: `smtp://127.0.0.1:${port}?tls=none`,
    letter: async () => JSON.parse(await line("a letter")),
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", resolve);
        child.kill();
      }),
  };
}

/** The one link of a letter. */
export function linkOf(letter) {
  const links = letter.text.split("\n").filter((line) => line.includes("://"));
  if (links.length !== 1) throw new Error(`not one link: ${letter.text}`);
  return links[0].trim();
}

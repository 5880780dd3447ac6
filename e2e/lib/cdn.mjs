// A small CDN for tests: serves what `vercel build` wrote by exactly its route table, over TLS, and passes on to a real
// backend what the table sends away. It does to requests what Vercel does: the backend's own name as `Host`, the
// client's address in `X-Forwarded-For`, and nothing kept back of a stream.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { request as askPlain } from "node:http";
import { request as askTls, createServer } from "node:https";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { resolve } from "./routes.mjs";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2",
};
/** Longest silence of the backend, as Vercel's. */
const SILENCE_MS = 120_000;
/** Headers about one connection (RFC 9110, section 7.6.1), which no proxy passes on. */
const ONE_HOP = [
  "connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
  "te",
  "trailer",
  "proxy-connection",
];

const without = (headers, names) =>
  Object.fromEntries(
    Object.entries(headers).filter(([name]) => !names.includes(name.toLowerCase())),
  );

function certificate() {
  const folder = mkdtempSync(join(tmpdir(), "goblin-cdn-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  try {
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    execFileSync(
      "openssl",
      ["req", "-x509", ...kind, ...name, "-days", "2", "-keyout", key, "-out", cert],
      {
        stdio: "pipe",
      },
    );
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Serves `output` (a `.vercel/output`). Requests for the origin `stands` go to `backend` instead, which may be set
 * later, and so may `output`; `env` are the project's variables. `passed` notes what was passed on. Without `tls` it has a
 * certificate for this machine. `keepsWay`: it is a proxy behind others, and adds itself to the way a request came.
 */
export async function startCdn(given) {
  const { stands, env = {}, tls = certificate(), host = "127.0.0.1", port = 0, keepsWay } = given;
  const cdn = { backend: given.backend ?? null, output: given.output, passed: [] };
  const inOutput = (path) => join(cdn.output, "static", normalize(path));
  const isFile = (path) => statSync(inOutput(path), { throwIfNoEntry: false })?.isFile() ?? false;

  function serveFile(found, request, response) {
    const bytes = readFileSync(inOutput(found.file));
    const type = TYPES[extname(found.file)] ?? "application/octet-stream";
    response.writeHead(found.status, { "content-type": type, ...found.response });
    response.end(request.method === "HEAD" ? undefined : bytes);
  }

  function passOn(found, request, response) {
    const url = new URL(found.proxy);
    if (url.origin !== stands || !cdn.backend)
      return void response.writeHead(502).end("no backend");
    const [path, search = ""] = request.url.split(/(?=\?)/);
    const to = new URL(url.pathname + (url.search || search), cdn.backend);
    const from = request.socket.remoteAddress.replace(/^::ffff:/, "");
    const way = keepsWay && request.headers["x-forwarded-for"];
    const headers = {
      ...without(request.headers, [...ONE_HOP, "host"]),
      ...found.request,
      host: new URL(stands).host,
      "x-forwarded-for": way ? `${way}, ${from}` : from,
      "x-forwarded-host": request.headers.host,
      "x-forwarded-proto": "https",
    };
    cdn.passed.push({ method: request.method, path, headers });
    const ask = to.protocol === "https:" ? askTls : askPlain;
    const onward = ask(to, { method: request.method, headers, timeout: SILENCE_MS }, (answer) => {
      // As Vercel does: the table's headers stand in the place of the backend's.
      response.writeHead(answer.statusCode, {
        ...without(answer.headers, ONE_HOP),
        ...found.response,
      });
      response.flushHeaders();
      answer.pipe(response);
    });
    onward.on("timeout", () => onward.destroy(new Error("silent")));
    onward.on("error", () =>
      response.headersSent ? response.destroy() : response.writeHead(502).end("no answer"),
    );
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  }

  const server = createServer(tls, (request, response) => {
    const config = JSON.parse(readFileSync(join(cdn.output, "config.json"), "utf8"));
    const path = decodeURI(request.url.split("?")[0]);
    const found = resolve(config, path, { method: request.method, isFile, env });
    if (found.proxy) return passOn(found, request, response);
    if (found.file) return serveFile(found, request, response);
    response.writeHead(found.status ?? 404, { "content-type": "text/plain", ...found.response });
    response.end("The page could not be found\n");
  });
  await new Promise((ready, failed) => server.once("error", failed).listen(port, host, ready));
  return Object.assign(cdn, {
    url: `https://localhost:${server.address().port}`,
    stop: () =>
      new Promise((ended) => {
        server.close(() => ended());
        server.closeAllConnections();
      }),
  });
}

import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** The address of the API is read at run time from /config.json, so that one bundle serves both the
 * binary (same origin) and a CDN. VITE_API_URL only decides what that file says by default. */
function configJson(): Plugin {
  // What the page is to tell of itself, where a CDN serves this file: `errors`, `events`, `traces`.
  const told = (process.env.VITE_TELEMETRY ?? "").split(",").map((word) => word.trim());
  const wants = (word: string) => told.includes(word);
  const telemetry = {
    errors: wants("errors"),
    events: wants("events"),
    traces: Number(wants("traces")),
  };
  const config = { api_origin: process.env.VITE_API_URL ?? "" };
  const body = `${JSON.stringify(told.some(Boolean) ? { ...config, telemetry } : config)}\n`;
  return {
    name: "goblin-config-json",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "config.json", source: body });
    },
    configureServer(server) {
      server.middlewares.use("/config.json", (_request, response) => {
        response.setHeader("content-type", "application/json");
        response.end(body);
      });
    },
  };
}

/** Packages and our own modules that every page needs. */
const everywhere = new RegExp(
  [
    "node_modules/(react|react-dom|scheduler|zustand|@tanstack/(react-query|query-core))/",
    "node_modules/lucide-react/dist/esm/(?!icons/)",
    "src/api/(client|connection|origin|queries|signIn|telemetry)\\.",
    "src/lib/(draftFiles|problems|useDraft)\\.",
  ].join("|"),
);

const backend = process.env.GOBLIN_URL ?? "http://127.0.0.1:8001";

export default defineConfig({
  plugins: [react(), tailwindcss(), configJson()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  worker: { format: "es" },
  server: { proxy: { "/api": backend, "/auth": backend, "/v1": backend } },
  build: {
    manifest: true,
    sourcemap: false,
    target: ["chrome123", "firefox120", "safari17.5"],
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // Nothing may become a data: URL: the page's CSP loads scripts and workers from 'self' only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What every page needs is one file. Left alone, what a part that is loaded later shares with it becomes a small file
    // of its own, each of which compresses worse.
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: "base", test: everywhere }] } },
    },
  },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});

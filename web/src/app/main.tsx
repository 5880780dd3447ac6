import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { loadOrigin, wantedReports } from "@/api/origin";
import { loadSignIn } from "@/api/signIn";
import { startTelemetry } from "@/api/telemetry";
import { ProblemError } from "@/lib/problems";
import { reloadWhenStale } from "@/lib/staleAssets";
import { Guarded } from "./Broken";
import { preloadChatPage, router } from "./router";
import "./styles.css";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // An answer is an answer; and when there is none, the connection banner asks again.
      retry: (count, error) =>
        error instanceof ProblemError && error.problem.status >= 500 && count < 2,
      networkMode: "always", // the server may be on this machine, where "offline" means nothing
    },
    mutations: { networkMode: "always" },
  },
});

async function start() {
  reloadWhenStale();
  await loadOrigin();
  startTelemetry(wantedReports());
  // Before anything is shown: a chat that flashes up and goes would be worse than a moment of nothing.
  await loadSignIn();
  const element = document.getElementById("root");
  if (!element) throw new Error("index.html has no #root");
  createRoot(element).render(
    <StrictMode>
      <Guarded>
        <QueryClientProvider client={client}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </Guarded>
    </StrictMode>,
  );
  setTimeout(preloadChatPage, 300);
}

start();

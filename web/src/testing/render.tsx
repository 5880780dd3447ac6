import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, type ReactNode } from "react";
import { createRoot } from "react-dom/client";

/** A page with nothing but this on it, and a query cache of its own. */
export function render(node: ReactNode) {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const client = new QueryClient({
    defaultOptions: { queries: { retry: false, networkMode: "always", staleTime: Infinity } },
  });
  const host = document.createElement("div");
  document.body.append(host);
  const root = createRoot(host);
  const show = (what: ReactNode) =>
    act(() => root.render(<QueryClientProvider client={client}>{what}</QueryClientProvider>));
  show(node);
  return {
    client,
    host,
    /** Draws this in its place, keeping what is the same. */
    show,
    leave: () => {
      act(() => root.unmount());
      host.remove();
    },
  };
}

/** Lets everything that is due happen, and React draw it. */
export const settled = () =>
  act(async () => {
    for (let round = 0; round < 5; round++) await new Promise((resolve) => setTimeout(resolve, 0));
  });

import { vi } from "vitest";
import type { Turn } from "@/api/types";

/** A stream of turn events which the test writes. */
export class Line {
  private out: ReadableStreamDefaultController<Uint8Array> | undefined;
  private id = 0;
  readonly response = new Response(
    new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.out = controller;
      },
    }),
  );

  begin = (turn: Turn) => this.write("turn", { turn, chat: null });
  end(turn: Turn): void {
    this.write("done", { turn });
    this.out?.close();
  }

  private write(event: string, data: unknown): void {
    const text = `id: ${++this.id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    this.out?.enqueue(new TextEncoder().encode(text));
  }
}

type Answer = () => Response | Promise<Response>;

/** Answers the page's requests, by "METHOD /path"; all else is a server that cannot be reached. */
export function serve(answers: Record<string, Answer>): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (input: string | Request, init?: RequestInit) => {
    const address = typeof input === "string" ? input : input.url;
    const method = init?.method ?? (typeof input === "string" ? "GET" : input.method);
    const what = `${method} ${new URL(address, "http://page.test").pathname}`;
    asked.push(what);
    const answer = answers[what];
    if (!answer) throw new TypeError("Failed to fetch");
    return answer();
  });
  return asked;
}

export const json = (body: unknown) =>
  new Response(JSON.stringify(body), { headers: { "content-type": "application/json" } });

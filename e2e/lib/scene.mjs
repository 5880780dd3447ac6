// Scenes no model can be asked for: the page's requests answered by the test, in the words of the wire.

export const scene = {
  turn(more = {}) {
    const id = more.id ?? "01931234-0000-7000-8000-0000000000aa";
    return {
      id,
      chat_id: "scene",
      parent: null,
      content: "A question",
      answer: "An answer.",
      reasoning: null,
      status: "complete",
      finish_reason: "stop",
      model: "engine/scene",
      local: true,
      error: null,
      usage: { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30, cached_tokens: 0 },
      left_out: 0,
      timing: { first_token_ms: 80, total_ms: 900 },
      siblings: [id],
      created_at: "2026-11-23T10:00:00Z",
      finished_at: "2026-11-23T10:00:01Z",
      ...more,
    };
  },

  /** Answers GET turns of every chat with these. */
  async turns(page, items) {
    await page.route(/\/api\/chats\/[^/]+\/turns(\?.*)?$/, (route) => {
      if (route.request().method() !== "GET") return route.fallback();
      const before = new URL(route.request().url()).searchParams.get("before");
      const end = before ? items.findIndex((turn) => turn.id === before) : items.length;
      const page = items.slice(Math.max(0, end - 30), end);
      return route.fulfill({ json: { items: page, has_more: end > 30 } });
    });
  },

  /** Answers the next question with a problem, the ones after it for real. */
  async problemOnce(page, problem, headers = {}) {
    await page.route(
      /\/api\/chats\/[^/]+\/turns$/,
      (route) =>
        route.fulfill({
          status: problem.status,
          headers: { "content-type": "application/problem+json", ...headers },
          body: JSON.stringify({
            type: "about:blank",
            title: "",
            request_id: "r",
            param: null,
            ...problem,
          }),
        }),
      { times: 1 },
    );
  },

  async status(page, change) {
    await page.route(/\/api\/status$/, async (route) => {
      const response = await route.fetch();
      return route.fulfill({ response, json: { ...(await response.json()), ...change } });
    });
  },
};

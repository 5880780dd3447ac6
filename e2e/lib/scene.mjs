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
      trace: null,
      feedback: null,
      attachments: [],
      siblings: [id],
      created_at: "2026-11-23T10:00:00Z",
      finished_at: "2026-11-23T10:00:01Z",
      ...more,
    };
  },

  /** Why an answer came from where it came from: a small model was not sure, a better one was believed. */
  trace(more = {}) {
    const verdict = (given) => ({
      concern: "confidence",
      about: { part: "answer" },
      question: "correct_and_complete",
      probability: 0.41,
      mass: 0.97,
      model: "ollama/phi3:3.8b",
      backend: "readout",
      authority: "grant",
      self_judged: false,
      question_hash: "3f2a",
      ms: 18,
      cached_tokens: 120,
      evaluated_tokens: 40,
      question_tokens: 12,
      ...given,
    });
    const safe = { concern: "safety", question: "which", choice: "safe", model: "ollama/gemma:2b" };
    const step = (given) => ({
      provider: "ollama",
      local: true,
      prompt_tokens: 20,
      cost_usd: 0,
      verdicts: [],
      ...given,
    });
    const rung = (model, index, quality) => ({
      model,
      role: index === 0 ? "quick" : "top",
      local: true,
      rung: index,
      quality,
      cost_usd: 0,
      first_token_ms: 200 + 400 * index,
    });
    return {
      trace_id: "01931234-0000-7000-8000-0000000000ff",
      created_at_ms: 1795471200000,
      model: "goblin",
      verify: "hold",
      thresholds: { safety: 0.7, confidence: 0.65, critical: 0.4 },
      route: {
        policy: "9c1e",
        intent: "explain",
        intent_confidence: 0.91,
        runner_up: "chat",
        language: "eng",
        role: "quick",
        features: [
          { name: "words:why", value: 1.2 },
          { name: "context_tokens", value: 412 },
        ],
        candidates: [
          rung("ollama/gemma:2b", 0, 0.58),
          rung("ollama/mistral:7b", 1, 0.74),
          {
            model: "openai/large",
            local: false,
            quality: 0.9,
            cost_usd: 0.002,
            first_token_ms: null,
            passed_over: "the request stays on your machines",
          },
        ],
      },
      steps: [
        step({
          model: "ollama/gemma:2b",
          started_ms: 0,
          first_token_ms: 210,
          ended_ms: 1400,
          tokens: 96,
          outcome: "escalated",
          why: "It was not sure enough: 41 %, and 65 % is needed.",
          verdicts: [
            verdict({ ...safe, about: { part: "window", window: 0 }, probability: 0.97 }),
            verdict({ ...safe, about: { part: "window", window: 1 }, probability: 0.95 }),
            verdict({}),
          ],
        }),
        step({
          model: "ollama/mistral:7b",
          started_ms: 1400,
          first_token_ms: 2100,
          ended_ms: 5200,
          tokens: 140,
          outcome: "accepted",
          verdicts: [
            verdict({ ...safe, about: { part: "answer" }, probability: 0.98 }),
            verdict({ probability: 0.86 }),
            verdict({ probability: 0.7, authority: "none", model: "engine/tiny" }),
            verdict({ probability: null, mass: 0.2, model: "engine/tiny", authority: "none" }),
          ],
        }),
      ],
      prompt_verdicts: [verdict({ ...safe, about: { part: "prompt" }, probability: 0.99 })],
      confidence: {
        value: 0.86,
        calibrated: false,
        method: "judge",
        authority: "grant",
        self_judged: false,
      },
      safety: {
        probability: 0.95,
        category: null,
        authority: "grant",
        found: [],
        refused_by: null,
      },
      notes: ["The role `code` is played by another model."],
      cost_usd: 0,
      would_have_cost_usd: 0.002,
      left_machine: false,
      sent: [],
      cache: "miss",
      ...more,
    };
  },

  /** The same in one line, as a turn has it. */
  summary(more = {}) {
    return {
      trace_id: "01931234-0000-7000-8000-0000000000ff",
      created_at_ms: 1795471200000,
      asked_for: "goblin",
      model: "ollama/mistral:7b",
      outcome: "accepted",
      verify: "hold",
      steps: 2,
      checked: true,
      confidence: scene.trace().confidence,
      refused_by: null,
      cost_usd: 0,
      left_machine: false,
      ...more,
    };
  },

  /** Answers the trace of every turn with this one. */
  async traces(page, trace) {
    await page.route(/\/api\/turns\/[^/]+\/trace$/, (route) => route.fulfill({ json: trace }));
  },

  /**
   * The next question is answered by the test, event by event. To be called before the page is loaded.
   * No model can be asked to be unsafe in its third sentence.
   */
  async line(page) {
    await page.addInitScript(() => {
      const real = window.fetch.bind(window);
      let out = null;
      let id = 0;
      window.__say = (event, data) => {
        const text = `id: ${++id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
        out.enqueue(new TextEncoder().encode(text));
        if (event === "done") out.close();
      };
      window.fetch = (input, init) => {
        const url = typeof input === "string" ? input : input.url;
        const asks = /\/api\/chats\/[^/]+\/turns$/.test(url) && init?.method === "POST";
        if (!asks) return real(input, init);
        const body = new ReadableStream({
          start(controller) {
            out = controller;
            window.__asked = true;
          },
        });
        return Promise.resolve(
          new Response(body, { headers: { "content-type": "text/event-stream" } }),
        );
      };
    });
    return async (event, data) => {
      // The page asks in its own time.
      await page.waitForFunction(() => window.__asked);
      await page.evaluate(([name, value]) => window.__say(name, value), [event, data]);
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

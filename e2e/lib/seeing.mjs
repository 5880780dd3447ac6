// A cloud in OpenAI's wire with a model that takes pictures and one that takes none, as the catalogue knows them. It keeps
// every request, and says how many pictures it was given.
import { createServer } from "node:http";

export const seeingModel = "openai/gpt-5.2";
export const blindModel = "openai/gpt-rosalind-discovery";

const picturesIn = ({ messages }) =>
  messages.flatMap(({ content }) =>
    Array.isArray(content) ? content.filter((part) => part.type === "image_url") : [],
  );

/** What the last question was: its words, and the addresses of all pictures. */
export const askedOf = (body) => {
  const { content } = body.messages.at(-1);
  const parts = Array.isArray(content) ? content : [{ type: "text", text: content }];
  return {
    text: parts.map((part) => part.text ?? "").join(""),
    pictures: picturesIn(body).map((part) => part.image_url.url),
  };
};

async function bodyOf(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return JSON.parse(Buffer.concat(pieces).toString("utf8"));
}

export async function startSeeing() {
  const asked = [];
  const server = createServer(async (request, response) => {
    if (request.method === "GET") {
      response.setHeader("content-type", "application/json");
      const data = [seeingModel, blindModel].map((id) => ({
        id: id.split("/")[1],
        object: "model",
      }));
      response.end(JSON.stringify({ object: "list", data }));
      return;
    }
    const body = await bodyOf(request);
    asked.push(body);
    response.setHeader("content-type", "text/event-stream");
    const chunk = (delta, more = {}) =>
      response.write(
        `data: ${JSON.stringify({
          id: "c1",
          object: "chat.completion.chunk",
          model: body.model,
          choices: [{ index: 0, delta, finish_reason: null, ...more }],
        })}\n\n`,
      );
    chunk({ role: "assistant", content: `I was given ${picturesIn(body).length} picture(s).` });
    chunk({}, { finish_reason: "stop" });
    response.end("data: [DONE]\n\n");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    asked,
    environment: {
      OPENAI_API_KEY: "sk-e2e",
      OPENAI_BASE_URL: `http://127.0.0.1:${server.address().port}/v1`,
    },
    stop: () => new Promise((resolve) => server.close(resolve)),
  };
}

"""A server of models that say what cascade.json has them say, in OpenAI's wire: python scripted_server.py PORT_FILE

`first` and `better` answer, word by word; `judge` answers one token with its log-probabilities, by what it reads: a
question with UNSAFE and an answer with POISON are unsafe, the texts of `first` are not correct and complete, everything
else is. It stands for no cloud: it makes the answers of a cascade known beforehand, so that what a client's package puts
together can be compared with them."""

import json
import math
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TEXTS = {name: " ".join(parts) for name, parts in
         json.loads(Path(__file__).with_name("cascade.json").read_text())["texts"].items()}
SURE = math.log(0.97)
RIVAL = math.log(0.02)


def words_of(model, asked):
    """What a model says to a question: the text it names last, else the question."""
    name = "better" if model == "better" else asked.split()[-1]
    return re.findall(r"\s*\S+", TEXTS.get(name, asked))


def verdict(text):
    """The one token a judge answers, and the one it does not."""
    if "Which line describes" in text:
        question = text.rpartition("Which line describes")[2]
        lines = dict(reversed(line) for line in re.findall(r"^([A-Z])\. (\w+):", question, re.MULTILINE))
        safe, harm = lines["safe"], lines["harm"]
        return (harm, safe) if "POISON" in text else (safe, harm)
    if "correct, and does it answer" in text:
        good = "first answer" not in text
    elif "Is the answer a text that" in text:
        good = "POISON" in text
    else:
        good = "UNSAFE" not in text
    return ("Yes", "No") if good else ("No", "Yes")


class Handler(BaseHTTPRequestHandler):
    """OpenAI's wire: the list of models, chats, vectors, and nothing else."""

    protocol_version = "HTTP/1.1"
    models = ("first", "better", "judge")
    embedders = ()

    def log_message(self, *_):
        """Says nothing."""

    def do_GET(self):
        """The models."""
        models = [{"id": name, "object": "model"} for name in self.models]
        self.send(200 if self.path == "/v1/models" else 404, {"object": "list", "data": models})

    def do_POST(self):
        """A chat."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = {"/v1/chat/completions": self.reply, "/v1/embeddings": self.embed}.get(self.path)
        return reply(body) if reply else self.refuse(404, "there is no such path")

    def refuse(self, status, why):
        """An error."""
        self.send(status, {"error": {"message": why, "type": "invalid_request_error"}})

    def embed(self, body):
        """Vectors, of the models that make them."""
        if body["model"] not in self.embedders:
            return self.refuse(404, "there is no such model")
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [{"object": "embedding", "index": at, "embedding": [0.6, 0.8]} for at in range(len(texts))]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return self.send(200, {"object": "list", "model": body["model"], "data": data, "usage": usage})

    def reply(self, body):
        """What the model of a chat answers."""
        asked = body["messages"][-1]["content"]
        asked = asked if isinstance(asked, str) else "".join(part["text"] for part in asked)
        if body["model"] == "judge":
            said, other = verdict(asked)
            rivals = [{"token": t, "logprob": p, "bytes": None} for t, p in ((said, SURE), (other, RIVAL))]
            return self.answer(body, [said], {"content": [{**rivals[0], "top_logprobs": rivals}]})
        return self.answer(body, words_of(body["model"], asked), None)

    def answer(self, body, words, logprobs):
        """The words as one answer, or as a stream of them."""
        usage = {"prompt_tokens": 10, "completion_tokens": len(words), "total_tokens": 10 + len(words)}
        common = {"id": "chatcmpl-1", "created": 1, "model": body["model"]}
        if not body.get("stream"):
            message = {"role": "assistant", "content": "".join(words)}
            choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "stop"}
            return self.send(200, {**common, "object": "chat.completion", "choices": [choice], "usage": usage})
        deltas = [{"delta": {"content": word}, "logprobs": logprobs, "finish_reason": None} for word in words]
        role = {"delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        return self.stream(common, [role, *deltas, {"delta": {}, "finish_reason": "stop"}], usage)

    def stream(self, common, choices, usage):
        """A stream of the answer's choices, one in each event, and its usage."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        common = {**common, "object": "chat.completion.chunk"}
        for choice in choices:
            self.event({**common, "choices": [{"index": 0, **choice}]})
        self.event({**common, "choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def event(self, chunk):
        """One event of a stream."""
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()

    def send(self, status, body):
        """A whole answer."""
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Server(ThreadingHTTPServer):
    """One thread for each connection."""

    def handle_error(self, request, client_address):
        """A client that hangs up is what a cancelled answer looks like; anything else is told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def serve(handler):
    """Serves for ever, and says in the file of the command line at which port."""
    server = Server(("127.0.0.1", 0), handler)
    Path(sys.argv[1]).write_text(str(server.server_address[1]))
    server.serve_forever()


if __name__ == "__main__":
    serve(Handler)

"""The streaming client, against bytes cut anywhere and against a real socket."""

import http.server
import json
import sys
import threading
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import sse

STREAM = (
    b': ping\r\n\r\n'
    b'data: {"choices":[{"delta":{"role":"assistant"}}]}\r\n\r\n'
    b'event: x\ndata: {"choices":[{"delta":{"content":"G\xc3\xbc"}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"te"}}]}\n\n'
    b'data: {"choices":[{"delta":{},"finish_reason":"length"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}}\n\n'
    b'data: [DONE]\n\n'
)


class SplitterTest(unittest.TestCase):
    def test_payloads_are_the_same_wherever_the_bytes_are_cut(self):
        whole = sse.Splitter().feed(STREAM)
        self.assertEqual(len(whole), 6)
        for cut in range(len(STREAM) + 1):
            splitter = sse.Splitter()
            self.assertEqual(splitter.feed(STREAM[:cut]) + splitter.feed(STREAM[cut:]), whole, cut)

    def test_several_data_lines_are_one_payload(self):
        self.assertEqual(sse.Splitter().feed(b"data: a\ndata:b\n\n"), ["a\nb"])

    def test_an_event_that_has_not_ended_is_not_handed_out(self):
        self.assertEqual(sse.Splitter().feed(b"data: a\n"), [])


class TakeTest(unittest.TestCase):
    def test_times_are_those_of_text_and_not_of_the_role_or_usage(self):
        answer = sse.Answer(sent=10.0)
        ends = [sse.take(answer, payload, 11.0 + i) for i, payload in enumerate(sse.Splitter().feed(STREAM))]
        self.assertEqual(ends, [False] * 5 + [True])
        self.assertEqual((answer.text, answer.first, answer.last), ("Güte", 12.0, 13.0))
        self.assertEqual((answer.ttft, answer.decode_rate), (2.0, 1.0))
        self.assertEqual((answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens), (7, 2, 3))
        self.assertEqual(answer.finish_reason, "length")

    def test_an_error_event_is_a_failure(self):
        with self.assertRaises(sse.StreamFailed):
            sse.take(sse.Answer(sent=0.0), '{"error":{"message":"no"}}', 1.0)


class AskTest(unittest.TestCase):
    def ask(self, status, body):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                seen.append((self.path, self.headers["Authorization"], json.loads(self.rfile.read(length))))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args):
                pass

        seen = []
        httpd = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=httpd.handle_request, daemon=True)
        thread.start()
        server = SimpleNamespace(name="fake", host="127.0.0.1", port=httpd.server_port, key="k", model="m")
        try:
            return sse.ask(server, [{"role": "user", "content": "hi"}], 5, deadline_seconds=20), seen
        finally:
            thread.join(timeout=20)
            httpd.server_close()

    def test_the_request_is_greedy_streams_and_asks_for_usage(self):
        answer, seen = self.ask(200, STREAM)
        self.assertEqual(answer.text, "Güte")
        path, authorization, body = seen[0]
        self.assertEqual((path, authorization), ("/v1/chat/completions", "Bearer k"))
        self.assertEqual((body["temperature"], body["stream"], body["max_tokens"]), (0, True, 5))
        self.assertEqual(body["stream_options"], {"include_usage": True})

    def test_a_refusal_a_cut_stream_and_missing_usage_are_failures(self):
        cut = STREAM.partition(b"data: [DONE]")[0]
        without_usage = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n'
        for status, body in ((503, b"busy"), (200, cut), (200, without_usage)):
            with self.assertRaises(sse.StreamFailed):
                self.ask(status, body)


if __name__ == "__main__":
    unittest.main()

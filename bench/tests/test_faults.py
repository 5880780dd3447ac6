"""The fault matrix: what is played, and how an answer is judged."""

import http.client
import io
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import faults
import faulty


class Response:
    """An answer as `http.client` gives it."""

    def __init__(self, body, status=200):
        self.status, self._body = status, io.BytesIO(body)

    def read(self, most):
        return self._body.read(most)

    def read1(self, most):
        return self._body.read(min(most, 40))


def streamed(events):
    return faults.judged_stream(Response(faulty.sse(events)), began=faults.time.monotonic())


class JudgeTest(unittest.TestCase):
    def test_a_whole_answer_is_told_from_what_only_looks_like_one(self):
        whole = faults.judged_whole
        self.assertEqual(whole(Response(faulty.completion())), "answered")
        self.assertEqual(whole(Response(b"", 502)), "error 502")
        for body in (b"", b"<html>", b"{}", faulty.error()):
            self.assertEqual(whole(Response(body)), "GARBAGE with 200", body)
        empty = json.dumps({"choices": [{"message": {"content": ""}}]}).encode()
        self.assertEqual(whole(Response(empty)), "EMPTY with 200")

    def test_a_stream_that_breaks_is_right_only_when_it_says_so(self):
        broken = faulty.error().decode()
        self.assertEqual(streamed(faulty.frames()), "answered")
        self.assertEqual(streamed([*faulty.frames()[:3], broken]), "part and error")
        self.assertEqual(streamed([broken]), "error in the stream")
        self.assertEqual(streamed(faulty.frames()[:3]), "PARTIAL, silent")
        self.assertEqual(streamed([*faulty.frames()[:3], "[DONE]"]), "PARTIAL, silent")
        self.assertEqual(streamed(["[DONE]"]), "EMPTY, silent")
        self.assertEqual(streamed(["{oops"]), "GARBAGE with 200")

    def test_what_hides_a_fault_is_a_lie_and_what_says_it_is_not(self):
        for word in ("HANGS", "EMPTY, silent", "PARTIAL, silent", "GARBAGE with 200", "CLOSED, no answer"):
            self.assertTrue(faults.is_lie(word), word)
        for word in ("answered", "error 502", "part and error", "error in the stream"):
            self.assertFalse(faults.is_lie(word), word)

    def test_every_fault_is_a_row_and_those_of_streams_are_not_asked_in_one_piece(self):
        names = [row[0] for row in faults.rows([])]
        self.assertEqual(len(names), 2 * len(faulty.FAULTS) + len(faulty.STREAM_FAULTS))
        self.assertIn("stall after some text (stream)", names)
        self.assertNotIn("stall after some text (whole)", names)
        self.assertEqual([row[0] for row in faults.rows(["429"])], ["429 (whole)", "429 (stream)"])


class PlayedTest(unittest.TestCase):
    def ask(self, port, stream):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps({"stream": stream}))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def test_one_server_is_well_and_the_other_does_what_it_is_told(self):
        played = faulty.Played()
        for stream, body in ((False, faulty.completion()), (True, faulty.sse(faulty.frames()))):
            self.assertEqual(self.ask(played.healthy, stream), (200, body))
            self.assertEqual(self.ask(played.faulty, stream), (200, body))
        played.fault = faulty.FAULTS["429"]
        self.assertEqual(self.ask(played.faulty, True)[0], 429)
        self.assertEqual(self.ask(played.healthy, True)[0], 200)
        played.fault = faulty.FAULTS["cut before content"]
        # How a cut shows depends on what was still unread.
        with self.assertRaises((http.client.IncompleteRead, OSError)):
            self.ask(played.faulty, False)
        played.fault = faulty.FAULTS["connection reset"]
        with self.assertRaises(OSError):
            self.ask(played.faulty, False)
        self.assertEqual(played.asked, {"faulty": 5, "healthy": 3})


if __name__ == "__main__":
    unittest.main()

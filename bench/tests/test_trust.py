"""The trust benchmark: its arithmetic, and what it takes for a verdict."""

import sys
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BENCH))

import sse
import trust
import verdicts


def verdict(part, evaluated, question, cached=0):
    """A verdict as a trace has it."""
    return {"concern": "safety", "about": {"part": part}, "evaluated_tokens": evaluated, "question_tokens": question,
            "cached_tokens": cached}


class WrittenTest(unittest.TestCase):
    def test_a_written_verdict_counts_only_when_it_can_be_parsed(self):
        for text, good in (
            ('{"safe": true, "safety_score": 0.9}', True),
            ('Sure! {"confidence": 0.5, "should_escalate": false}', True),
            ('{"safe": true', False),
            ("The answer is safe.", False),
            ('{"score": 1}', False),
            ("[1, 2]", False),
        ):
            self.assertEqual(verdicts.parses(text), good, text)


class ReadTest(unittest.TestCase):
    def test_a_verdict_that_is_read_must_be_a_probability(self):
        for value, good in ((0, True), (0.4, True), (1.0, True), (1.2, False), (float("nan"), False), ("0.4", False),
                            (None, False), (True, False)):
            self.assertEqual(verdicts.is_probability(value), good, value)


class PassesTest(unittest.TestCase):
    def test_the_judges_work_is_counted_for_each_token_there_was(self):
        answer = sse.Answer(sent=0, prompt_tokens=60, completion_tokens=40)
        trace = {"notes": [], "prompt_verdicts": [verdict("prompt", 70, 20)], "steps": [
            {"verdicts": [verdict("window", 50, 25, cached=70), verdict("answer", 5, 5, cached=120)]}]}
        found = verdicts.passes_of(answer, trace)
        self.assertEqual((found.shared, found.marks, found.questions, found.asked), (1.0, 0.25, 0.5, 3))

    def test_a_run_in_which_nobody_judged_measures_nothing(self):
        answer = sse.Answer(sent=0, prompt_tokens=1, completion_tokens=1)
        with self.assertRaises(verdicts.Refused):
            verdicts.passes_of(answer, {"notes": ["nobody"], "prompt_verdicts": [], "steps": []})


class RowTest(unittest.TestCase):
    def test_a_row_has_the_medians_and_the_ratio_of_each_pair(self):
        row = trust.spread_row("x", [(1.0, 10.0), (3.0, 10.0), (2.0, 10.0)], 0.2)
        self.assertEqual(row, ["x", "2.00 s", "10.00 s", "**0.20** (0.10–0.30)", "met (aim ≤ 0.2)"])
        self.assertIn("MISS", trust.spread_row("x", [(3.0, 10.0)], 0.2)[-1])


if __name__ == "__main__":
    unittest.main()

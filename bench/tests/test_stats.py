"""The arithmetic and the table."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import report
import scenarios
import sse
import stats


def answer(sent, first, last, tokens):
    return sse.Answer(sent=sent, first=first, last=last, completion_tokens=tokens)


class StatsTest(unittest.TestCase):
    def test_pairs_are_interleaved_so_that_drift_hits_both(self):
        order = [who for index in range(4) for who in stats.pair_order(index)]
        self.assertEqual(order, [0, 1, 1, 0, 0, 1, 1, 0])

    def test_above_one_is_better_for_times_and_for_rates(self):
        self.assertEqual(stats.ratio(2.0, 4.0, lower_is_better=True), 2.0)
        self.assertEqual(stats.ratio(2.0, 4.0, lower_is_better=False), 0.5)
        with self.assertRaises(ValueError):
            stats.ratio(0.0, 1.0, lower_is_better=True)

    def test_a_row_is_the_median_of_the_pairs_own_ratios(self):
        row = stats.row("x", "tok/s", [(10, 10), (30, 20), (8, 10)], lower_is_better=False, aim=1.2)
        self.assertEqual((row.ours, row.peer), (10, 10))
        self.assertEqual((row.ratio, row.lowest, row.highest), (1.0, 0.8, 1.5))
        self.assertTrue(row.missed)
        with self.assertRaises(ValueError):
            stats.row("x", "s", [], lower_is_better=True)

    def test_an_aim_is_judged_on_the_printed_ratio(self):
        self.assertFalse(stats.row("x", "s", [(1.0, 0.996)], lower_is_better=True, aim=1.0).missed)
        self.assertTrue(stats.row("x", "s", [(1.0, 0.994)], lower_is_better=True, aim=1.0).missed)
        self.assertFalse(stats.row("x", "s", [(1.0, 0.1)], lower_is_better=True).missed)

    def test_streams_together_count_each_first_token_as_prefill(self):
        sums = stats.together([answer(0.0, 1.0, 5.0, 9), answer(0.0, 3.0, 5.0, 9)])
        self.assertEqual(sums["wall"], 5.0)
        self.assertEqual(sums["rate"], 18 / 5)
        self.assertEqual(sums["decode_rate"], 16 / 4)
        self.assertEqual(sums["ttft_p50"], 2.0)

    def test_prompts_repeat_for_one_salt_and_share_no_beginning_with_another(self):
        self.assertEqual(scenarios.filler(50, "a"), scenarios.filler(50, "a"))
        self.assertNotEqual(scenarios.filler(50, "a")[:13], scenarios.filler(50, "b")[:13])


class ReportTest(unittest.TestCase):
    def rows(self):
        return [stats.row("decode", "tok/s", [(9.0, 10.0)], lower_is_better=False, aim=1.0)]

    def test_a_miss_is_called_a_miss(self):
        for table in (report.markdown(self.rows(), [("run", "now")], []), report.terminal(self.rows())):
            self.assertIn("MISS (aim ≥ 1.0)", table)

    def test_only_what_stands_between_the_markers_is_replaced(self):
        once = report.put_between_markers("# Results\n", "first")
        self.assertEqual(report.put_between_markers(once + "\nafter\n", "second").count("second"), 1)
        twice = report.put_between_markers(once + "\nafter\n", "second")
        self.assertTrue(twice.startswith("# Results\n") and twice.endswith("\nafter\n"))
        self.assertNotIn("first", twice)


if __name__ == "__main__":
    unittest.main()

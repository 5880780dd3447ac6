"""The store benchmark: its tables."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import store


class TableTest(unittest.TestCase):
    def test_a_ratio_is_made_of_each_round_and_judged_as_printed(self):
        call = {"engine": "SQLite", "what": "find chat", "few_us": [10, 20, 40], "many_us": [10, 30.08, 80]}
        (row,) = store.cost_rows([call])
        self.assertEqual(row[:3], ["SQLite: find chat", "20 µs", "30 µs"])
        self.assertEqual(row[3], "**1.50** (1.00–2.00)")
        self.assertTrue(row[4].startswith("met"))
        call["many_us"] = [20, 40, 80]
        self.assertTrue(store.cost_rows([call])[0][4].startswith("MISS"))

    def test_rounds_that_do_not_match_are_a_fault(self):
        with self.assertRaises(ValueError):
            store.cost_rows([{"engine": "SQLite", "what": "find chat", "few_us": [10], "many_us": [10, 11]}])

    def test_turns_that_failed_are_counted_with_the_first_reason(self):
        cases = [
            {"engine": "SQLite", "turns": 500, "seconds": 0.5, "failed": 0, "first": None},
            {"engine": "PostgreSQL", "turns": 500, "seconds": 1.25, "failed": 2, "first": "busy"},
        ]
        good, bad = store.together_rows(cases)
        self.assertEqual(good, ["SQLite: 500", "0.50 s", "0", "met (aim 0 failed)"])
        self.assertEqual(bad[2:], ["2: busy", "MISS (aim 0 failed)"])

    def test_a_months_costs_are_a_table_of_their_own(self):
        slow = {"engine": "SQLite", "what": store.COSTS, "few_us": [1000, 3000, 2000], "many_us": [2e6, 4e6, 2.5e6]}
        other = {"engine": "SQLite", "what": "find chat", "few_us": [10], "many_us": [10]}
        self.assertEqual(store.month_rows([other, slow]), [["SQLite", "2.0 ms", "2500 ms", "met (aim ≤ 3 s)"]])
        self.assertEqual(len(store.cost_rows([other, slow])), 1)
        slow["many_us"] = [4e6]
        self.assertTrue(store.month_rows([slow])[0][3].startswith("MISS"))


if __name__ == "__main__":
    unittest.main()

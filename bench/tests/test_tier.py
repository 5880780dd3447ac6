"""The tier benchmark: its arithmetic, its tables, and its fake model server and load generator against each other."""

import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BENCH))

import cancel
import forecast
import fronts
import overhead
import report
import servers
import sse
import stats
import tier


class ArithmeticTest(unittest.TestCase):
    def test_a_percentile_is_a_value_that_was_measured(self):
        values = list(range(1, 101))
        self.assertEqual([stats.percentile(values, share) for share in (0.5, 0.99, 1.0, 0.0)], [50, 99, 100, 1])
        self.assertEqual(stats.percentile([7], 0.99), 7)
        with self.assertRaises(ValueError):
            stats.percentile([], 0.5)

    def test_what_is_added_is_compared_and_not_the_whole(self):
        self.assertEqual(stats.added_ratio(tier=110, nginx=40, direct=10, floor=1), 100 / 30)
        self.assertEqual(stats.added_ratio(tier=9, nginx=40, direct=10, floor=1), 0)
        self.assertIsNone(stats.added_ratio(tier=30, nginx=9, direct=10, floor=1), "nginx added nothing to be told")

    def test_a_prediction_is_off_by_a_share_of_what_came(self):
        errors = [stats.relative_error(p, a) for p, a in ((1.0, 1.0), (1.2, 1.0), (0.5, 1.0), (1.0, 2.0), (5.0, 1.0))]
        self.assertEqual([round(e, 2) for e in errors], [0.0, 0.2, -0.5, -0.5, 4.0])
        self.assertEqual(stats.error_distribution(errors), [1, 1, 2, 0, 1])
        self.assertEqual(stats.share_within(errors, 0.25), 0.4)
        for empty in (lambda: stats.share_within([], 0.25), lambda: stats.relative_error(1, 0)):
            with self.assertRaises(ValueError):
                empty()

    def test_every_path_comes_first_in_its_turn(self):
        firsts = [stats.rotated(["a", "b", "c"], index)[0] for index in range(4)]
        self.assertEqual(firsts, ["a", "b", "c", "a"])
        self.assertEqual(stats.rotated(["a", "b", "c"], 1), ["b", "c", "a"])

    def test_rounds_measure_every_path_and_leave_the_first_round_out(self):
        asked = []

        def measure(path, warm_up):
            asked.append((path.name, warm_up))
            return len(asked)

        paths = [overhead.Path(name, None) for name in ("direct", "nginx")]
        results = overhead.rounds(paths, 2, measure, lambda _: None)
        self.assertEqual(results, [{"direct": 3, "nginx": 4}, {"nginx": 5, "direct": 6}])
        self.assertEqual([name for name, warm_up in asked if warm_up], ["direct", "nginx"])


class TableTest(unittest.TestCase):
    def test_times_are_medians_of_rounds_and_cpu_is_the_least(self):
        results = [
            {who: {"p50": base + shift, "p99": 2 * base, "cpu_us": base + noise, "rate": 1e6 / base}
             for who, base in (("direct", 10), ("nginx", 40), ("tier", 85))}
            for shift, noise in ((0, 5), (0, 0), (100, 9))
        ]
        rows = overhead.cost_rows(results, "tier", "chat", (("p50", "p50"), ("p99", "p99")), 3.0)
        p50, p99, cpu, rate = rows
        self.assertEqual(p50, (["chat: p50", "10 µs", "+30 µs", "+75 µs", "**2.50** (2.50–2.50)"], 2.5, 3.0))
        self.assertIsNone(p99[2], "only the first one has an aim")
        self.assertEqual(cpu[0][1:], ["", "40 µs", "85 µs", "**2.12**"])
        self.assertEqual((cpu[1], cpu[2]), (85 / 40, 3.0))
        self.assertEqual(rate[0][1:4], ["100000", "25000", "11765"])

    def test_without_anything_to_compare_with_there_is_no_ratio_and_no_verdict(self):
        results = [{who: {"p50": 10, "cpu_us": 1, "rate": 1} for who in ("direct", "nginx", "tier")}]
        (cells, ratio, aim), *_ = overhead.cost_rows(results, "tier", "chat", (("p50", "p50"),), 3.0)
        self.assertEqual((cells, ratio, aim), (["chat: p50", "10 µs", "+0 µs", "+0 µs", "—"], None, None))

    def test_a_paced_run_is_summed_over_its_rounds(self):
        run = {"latency_us": [100_000] * 98 + [140_000] * 2, "gaps_us": [5000] * 100, "first_us": [10_000, 12_000]}
        whole, gaps, first = overhead.paced_sums([{"tier": run}, {"tier": run}], "tier")
        self.assertEqual((whole, gaps, first), (40.0, 0.0, 10.0))

    def test_predictions_are_shown_by_model_and_together(self):
        rows = forecast.rows({"a": [(1.0, 1.0), (2.0, 1.0)], "b": [], "c": [(1.2, 1.0)]})
        self.assertEqual(rows[0], ["a", "2", "1", "0", "0", "1", "0", "+0%", "5.0 in 10"])
        self.assertEqual(rows[1][:2], ["b", "0"])
        self.assertEqual(rows[3], ["all", "3", "1", "1", "0", "1", "0", "+20%", "6.7 in 10"])
        self.assertTrue(all(len(row) == len(forecast.HEAD) for row in rows))

    def test_a_hang_up_that_never_arrives_is_said_so(self):
        self.assertEqual(tier.worst([1.0, 3.25]), "3.2 ms")
        self.assertEqual(tier.worst([1.0, None]), "never")

    def test_sections_of_the_results_do_not_touch_each_other(self):
        document = report.put_between_markers("# Results\n", "engine's", "engine")
        document = report.put_between_markers(document, "old", "tier")
        document = report.put_between_markers(document, report.markdown_table(["a", "b"], [["x", "1"]]), "tier")
        self.assertIn("<!-- engine: begin -->\nengine's\n<!-- engine: end -->", document)
        self.assertIn("<!-- tier: begin -->\n| a | b |\n|---|---:|\n| x | 1 |\n<!-- tier: end -->", document)
        self.assertNotIn("old", document)

    def test_a_plain_table_is_aligned(self):
        self.assertEqual(report.plain_table(["", "n"], [["long", "**10**"]]), "       n\nlong  10")


class ProcessTest(unittest.TestCase):
    def test_children_count_and_strangers_do_not(self):
        command = [sys.executable, "-c", (
            "import subprocess, sys; child = subprocess.Popen(['cat']); print(child.pid, flush=True); "
            "sys.stdin.read(); child.kill()")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
            child = int(parent.stdout.readline())
            server = servers.Server("p", "127.0.0.1", 0, "", Path("/dev/null"), parent)
            alone = servers.Server("c", "127.0.0.1", 0, "", Path("/dev/null"), type("P", (), {"pid": child})())
            self.assertEqual(len(servers.family(parent.pid)), 2)
            self.assertGreater(server.memory_bytes(), alone.memory_bytes())
            self.assertGreaterEqual(server.cpu_seconds(), 0.0)
            parent.stdin.close()


@unittest.skipUnless(shutil.which("rustc"), "rustc is not on PATH")
class FakeServerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.work = Path(cls.folder.name)
        for tool in ("upstream", "load"):
            subprocess.run(
                ["rustc", "--edition", "2024", "-o", str(cls.work / tool), str(BENCH / "load" / f"{tool}.rs")],
                cwd=BENCH, check=True, timeout=300)
        cls.fake = fronts.start_fake(cls.work / "upstream", cls.work, 3)
        cls.addClassCleanup(cls.fake.stop)
        cls.direct = overhead.Path("direct", cls.fake)

    def test_the_load_generator_counts_whole_answers_and_streams(self):
        load = overhead.Load(self.work / "load", self.work)
        for stream in (False, True):
            found = load.run(self.direct, "fast", stream, 2, 10, 20)
            self.assertEqual(len(found["latency_us"]), 10)
            self.assertEqual(found["served"], 12, "each connection asks once unmeasured")
            self.assertTrue(all(f <= l for f, l in zip(found["first_us"], found["latency_us"])))

    def test_an_answer_that_is_not_as_expected_fails_the_run(self):
        load = overhead.Load(self.work / "load", self.work)
        with self.assertRaisesRegex(sse.StreamFailed, "20 pieces of text"):
            pieces, overhead.PIECES = overhead.PIECES, 21
            try:
                load.run(self.direct, "fast", True, 1, 1, 20)
            finally:
                overhead.PIECES = pieces

    def test_a_paced_stream_arrives_frame_by_frame(self):
        found = overhead.Load(self.work / "load", self.work).run(self.direct, "paced", True, 1, 2, 20)
        self.assertGreater(len(found["gaps_us"]), 20)

    def test_hang_ups_are_seen(self):
        before = time.time()
        for measure in (cancel.after_first_token, cancel.before_headers):
            milliseconds = measure(self.direct, self.fake)
            self.assertIsNotNone(milliseconds)
            self.assertLessEqual(milliseconds, (time.time() - before) * 1000)

    def test_it_lists_its_models_as_both_kinds_of_server(self):
        self.assertEqual(servers.listed(self.fake), "fast")
        for path, says in (("/api/tags", b'"fast:latest"'), ("/props", b'"total_slots":3'), ("/api/ps", b"8192")):
            status, body = self.fake.get(path)
            self.assertEqual(status, 200)
            self.assertIn(says, body)


if __name__ == "__main__":
    unittest.main()

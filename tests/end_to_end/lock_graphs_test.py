"""`run --lock-graph` with real programs, and `report` over what they leave."""
import json
import unittest

import support


class LockGraphs(support.Case):
    def test_each_process_leaves_its_orders_and_report_finds_the_cycle_that_none_saw(self):
        graphs = self.folder / "graphs"
        for name in ("forth", "back"):
            result = self.run_supervised(support.program("halves"), name,
                                         flags=[f"--lock-graph={graphs}"])
            self.assertEqual((result.code, result.findings), (0, []))
        self.assertEqual(len(list(graphs.glob("*.lockgraph"))), 2)
        result = self.run_plain(support.LOCKWARDEN, "report", graphs, "--format=json")
        self.assertEqual((result.code, result.err), (0, b""))
        (finding,) = [json.loads(line) for line in result.out.splitlines()]
        self.assertEqual(finding["kind"], "potential_deadlock")
        self.assertEqual({lock["class"] for lock in finding["locks"]}, {"accounts", "audit"})
        self.assertIn("no single process saw all of it", finding["evidence"])
        self.assertEqual({thread["stack"][0]["function"] for thread in finding["threads"]},
                         {"Forth", "Back"})
        text = self.run_plain(support.LOCKWARDEN, "report", graphs).out.decode()
        self.assertIn("merged from 2 processes\n", text)
        self.assertRegex(text, r"taken at Forth, halves.c:\d+\) while it holds a mutex of accounts")

    def test_a_process_without_nested_locks_leaves_nothing(self):
        graphs = self.folder / "graphs"
        self.run_supervised("/bin/true", flags=[f"--lock-graph={graphs}"])
        self.assertEqual(list(graphs.iterdir()), [])

    def test_a_directory_that_cannot_be_made_is_a_usage_error(self):
        result = self.run_supervised("/bin/true", flags=["--lock-graph=/proc/no"])
        self.assertEqual(result.code, 64)
        self.assertIn(b"lock_graph: ", result.err)


if __name__ == "__main__":
    unittest.main()

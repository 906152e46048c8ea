"""Threads that end: what they leave behind is told, what they clean up is not."""
import subprocess
import unittest

from support import Case, program, until


class ThreadEndings(Case):
    def start_ending(self, way):
        return self.start(
            self.supervised(program("endings"), way, flags=["--exitcode=0"]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )

    def test_a_mutex_that_is_held_at_the_end_of_a_thread_is_told(self):
        for way in ("joined", "detached"):
            with self.subTest(way=way):
                self.report.unlink(missing_ok=True)
                process = self.start_ending(way)
                finding = until(self.findings, "a finding")[0]
                out, _ = process.communicate(timeout=30)
                self.assertEqual((process.returncode, out), (0, b"done\n"))
                self.assertEqual([(f["kind"], f["misuse"]) for f in self.findings()],
                                 [("misuse", "exit_holding")])
                thread = finding["threads"][0]
                self.assertEqual(thread["stack"][0]["function"], "TakeAndExit")
                self.assertEqual(thread["holds"][0]["stack"][0]["function"], "TakeAndExit")

    def test_it_is_told_at_the_end_of_a_short_program_too(self):
        result = self.run_supervised(program("endings"), "joined", flags=["--exitcode=0"])
        self.assertEqual((result.code, result.out), (0, b"done\n"))
        self.assertEqual([finding["misuse"] for finding in result.findings], ["exit_holding"])

    def test_who_waits_for_it_is_deadlocked(self):
        self.start_ending("wanted")
        until(lambda: "deadlock" in self.kinds(), "a deadlock")
        finding = next(f for f in self.findings() if f["kind"] == "deadlock")
        self.assertIn("TakeAndExit", " ".join(finding["story"]))

    def test_what_is_released_or_handed_on_is_not_told(self):
        for way in ("robust", "released", "cancelled", "main_last"):
            with self.subTest(way=way):
                result = self.run_supervised(program("endings"), way)
                self.assertEqual((result.code, result.out, result.findings), (0, b"done\n", []))

    def test_a_main_thread_that_has_ended_wakes_nobody(self):
        self.start_ending("main_gone")
        until(lambda: self.kinds() == ["deadlock"], "a deadlock")

    def test_names_are_known_when_the_process_is_dead(self):
        result = self.run_supervised(program("endings"), "names")
        self.assertEqual([finding["kind"] for finding in result.findings],
                         ["potential_deadlock"])
        names = sorted(thread["name"] for thread in result.findings[0]["threads"])
        self.assertEqual(names, ["named by main", "named itself"])


if __name__ == "__main__":
    unittest.main()

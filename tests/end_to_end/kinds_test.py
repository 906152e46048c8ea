"""Every kind of thing that a thread can hold or wait for in memory, libc's, C++'s and the
library's own: a program that really
hangs in it is reported, with the right witnesses, and its healthy twin is not.
"""
import subprocess
import unittest

from support import BUILD, Case, end, program, until

PLUGIN = str(BUILD / "lib" / "libstuck_plugin.so")

# program, kind: (finding, confidence, kinds of the locks in it)
STUCK = {
    ("stuck", "spin"): ("deadlock", "strong", {"spinlock"}),
    ("stuck", "spin_mutex"): ("deadlock", "strong", {"spinlock", "mutex"}),
    ("stuck", "spin_self"): ("self_deadlock", "strong", {"spinlock"}),
    ("stuck", "barrier"): ("deadlock", "strong", {"barrier"}),
    ("stuck", "mtx"): ("deadlock", "proven", {"mutex"}),
    ("stuck", "cnd"): ("deadlock", "strong", {"condition"}),
    ("stuck", "once_self"): ("self_deadlock", "strong", {"once"}),
    ("stuck", "once"): ("deadlock", "strong", {"once"}),
    ("stuck", "once_mutex"): ("deadlock", "strong", {"once", "mutex"}),
    ("stuck", "futex"): ("deadlock", "strong", {"futex"}),
    ("stuck", "old_condition"): ("deadlock", "strong", {"condition"}),
    ("stuck_cxx", "guard_mutex"): ("deadlock", "strong", {"static_guard", "mutex"}),
    ("stuck_cxx", "guards"): ("deadlock", "strong", {"static_guard"}),
    ("stuck_cxx", "call_once"): ("deadlock", "strong", {"once", "mutex"}),
    ("stuck_cxx", "semaphore"): ("deadlock", "strong", {"futex"}),
    ("stuck_cxx", "latch"): ("deadlock", "strong", {"futex"}),
    ("stuck_cxx", "barrier"): ("deadlock", "strong", {"futex"}),
    ("stuck_cxx", "future"): ("deadlock", "strong", {"futex"}),
    ("stuck_cxx", "atomic"): ("deadlock", "strong", {"futex"}),
    # The library's own types.
    ("stuck_types", "lock"): ("deadlock", "proven", {"lock"}),
    ("stuck_types", "rlock"): ("deadlock", "proven", {"rlock"}),
    ("stuck_types", "shared_lock"): ("deadlock", "proven", {"shared_lock"}),
    ("stuck_types", "read_again"): ("deadlock", "proven", {"shared_lock"}),
    ("stuck_types", "upgrade"): ("deadlock", "proven", {"shared_lock", "lock"}),
    ("stuck_types", "lost_signal"): ("deadlock", "strong", {"condition"}),
    ("stuck_types", "outer_lock"): ("deadlock", "strong", {"condition", "rlock"}),
    ("stuck_types", "semaphores"): ("deadlock", "strong", {"semaphore"}),
    ("stuck_types", "event"): ("deadlock", "strong", {"event"}),
    ("stuck_types", "barrier"): ("deadlock", "strong", {"barrier"}),
    ("stuck_types", "queue"): ("deadlock", "strong", {"queue"}),
    ("stuck_types", "join"): ("deadlock", "proven", {"lock"}),
    ("stuck_types", "promise"): ("deadlock", "strong", {"future", "lock"}),
    # C++ that only a plugin of a C program brings along.
    ("plugin_host", "guard_mutex"): ("deadlock", "strong", {"static_guard", "mutex"}),
    ("plugin_host", "call_once"): ("deadlock", "strong", {"once", "mutex"}),
    ("plugin_host", "latch"): ("deadlock", "strong", {"futex"}),
}
# Healthy in what they do, but for the order of locks, which the test profile predicts from.
PREDICTED = {"spin", "spin_mutex", "mtx", "lock", "rlock", "shared_lock", "upgrade"}


def command(name, kind):
    return [program(name), *([PLUGIN] if name == "plugin_host" else []), kind]


class Kinds(Case):
    def test_each_that_hangs_is_reported(self):
        for (name, kind), expected in STUCK.items():
            with self.subTest(program=name, kind=kind):
                self.report.unlink(missing_ok=True)
                supervisor = self.start(
                    self.supervised(*command(name, kind), flags=["--on-deadlock=report"]),
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )
                findings = until(self.findings, f"a report of {kind}")
                end(supervisor)
                told = [
                    (f["kind"], f["confidence"], {lock["kind"] for lock in f["locks"]})
                    for f in findings
                ]
                self.assertEqual(told, [expected])

    def test_two_deadlocks_of_one_process_are_each_told_once(self):
        supervisor = self.start(
            self.supervised(*command("stuck", "two_pairs"), flags=["--on-deadlock=report"]),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        until(lambda: len(self.findings()) >= 2, "both reports")
        end(supervisor)  # what it still had to say is said now
        told = [(f["kind"], {lock["kind"] for lock in f["locks"]}, len(f["cycle"]))
                for f in self.findings()]
        self.assertCountEqual(told, [("deadlock", {"mutex"}, 2), ("deadlock", {"spinlock"}, 2)])

    def test_its_healthy_twin_is_not(self):
        for name, kind in STUCK:
            with self.subTest(program=name, kind=kind):
                self.report.unlink(missing_ok=True)
                flags = ["--profile=production"] if kind in PREDICTED else []
                result = self.run_supervised(*command(name, kind), "healthy", flags=flags)
                self.assertEqual((result.code, result.findings, result.err), (0, [], b""))

    def test_a_linked_program_is_known_without_the_preload(self):
        for kind in ("join", "promise"):
            with self.subTest(kind=kind):
                self.report.unlink(missing_ok=True)
                supervisor = self.start(
                    self.supervised("env", "-u", "LD_PRELOAD", *command("stuck_types", kind),
                                    flags=["--on-deadlock=report"]),
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )
                finding = until(self.findings, f"a report of {kind}")[0]
                end(supervisor)
                self.assertEqual((finding["kind"], finding["confidence"]),
                                 STUCK["stuck_types", kind][:2])
                self.assertIn("one", {thread["name"] for thread in finding["threads"]})


if __name__ == "__main__":
    unittest.main()

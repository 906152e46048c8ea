"""Deadlocks that run through two processes, or through file locks: found once, with both
processes in the story; and what only looks like one.
"""
import fcntl
import os
import pathlib
import subprocess
import time
import unittest

from support import Case, Result, end, program, until

# Where a process may not be looked into (another user's, or the container's first), it could
# share the lock's descriptor.
FILES = ["proven", "strong"]


class Found(Case):
    def across(self, kind, *more, flags=()):
        return self.run_supervised(program("across"), kind, self.folder / "file", *more,
                                   flags=flags)

    def expect_cycle(self, result, kind, confidence, locks=2, functions=("cross",)):
        self.assertEqual([f["kind"] for f in result.findings], ["deadlock"], result)
        self.assertEqual(result.code, 66)
        return self.expect_story(result, kind, confidence, locks, functions)

    def expect_story(self, result, kind, confidence, locks=2, expected=("cross",)):
        finding = result.findings[0]
        self.assertIn(finding["confidence"], confidence)
        self.assertIn("2 threads of 2 processes, 2 locks", finding["headline"])
        threads = [finding["threads"][i] for i in finding["cycle"]]
        self.assertEqual(len({thread["pid"] for thread in threads}), 2)
        self.assertIn(finding["pid"], {thread["pid"] for thread in threads})
        self.assertEqual(len(finding["locks"]), locks)
        self.assertEqual(len({lock["shared"] for lock in finding["locks"]}), locks)
        self.assertEqual({lock["kind"] for lock in finding["locks"]}, kind)
        ids = {lock["id"] for lock in finding["locks"]}
        for thread, following in zip(threads, threads[1:] + threads[:1]):
            self.assertIn(thread["waits_for"], ids)
            self.assertIn(thread["waits_for"], {hold["lock"] for hold in following["holds"]})
            functions = [frame["function"] for frame in thread["stack"]]
            self.assertLessEqual(set(expected), set(functions))
            for other in threads:
                self.assertIn(f'(tid {other["tid"]} of pid {other["pid"]})',
                              " ".join(finding["story"]))
        return finding

    def test_on_mutexes_in_shared_memory_of_a_fork(self):
        finding = self.expect_cycle(self.across("mutex"), {"mutex"}, ["proven"])
        for thread in finding["threads"]:
            self.assertTrue(thread["holds"][0]["stack"])

    def test_on_mutexes_of_a_file_mapped_at_two_addresses_by_two_programs(self):
        across, file = program("across"), self.folder / "file"
        result = self.run_supervised(
            "/bin/sh", "-c", f"{across} meet {file} first & {across} meet {file} second; wait")
        self.expect_cycle(result, {"mutex"}, ["proven"])

    def test_and_the_incident_holds_the_ledgers_of_both(self):
        finding = self.expect_cycle(self.across("mutex"), {"mutex"}, ["proven"])
        pids = {thread["pid"] for thread in finding["threads"]}
        (incident,) = self.folder.rglob(finding["incident"])
        others = "".join(f"-{pid}" for pid in pids - {finding["pid"]})
        for name in ("ledger.bin", f"ledger{others}.bin"):
            with open(incident / name, "rb") as ledger:
                self.assertEqual(ledger.read(8), b"LKWARDEN", name)

    def test_on_read_write_locks(self):
        self.expect_cycle(self.across("rwlock"), {"rwlock"}, ["proven"])

    def test_on_named_semaphores_used_as_locks_which_is_a_stall(self):
        supervisor = self.start(self.supervised(
            program("across"), "semaphore", self.folder / "file"), stderr=subprocess.DEVNULL)
        until(self.findings, "a stall")
        self.assertIsNone(supervisor.poll(), "nobody acts on it")
        end(supervisor)
        result = Result(0, b"", b"", self.findings())
        self.assertEqual([f["kind"] for f in result.findings], ["stall"])
        self.expect_story(result, {"semaphore"}, ["likely"])

    def test_on_flock(self):
        finding = self.expect_cycle(self.across("flock"), {"file_lock"}, FILES)
        for i in finding["cycle"]:
            (hold,) = finding["threads"][i]["holds"]
            self.assertIn("cross", [frame["function"] for frame in hold["stack"]])

    def test_on_flock_with_call_sites_only(self):
        finding = self.expect_cycle(self.across("flock", flags=["--stacks=site"]), {"file_lock"},
                                    FILES, functions=[])
        for i in finding["cycle"]:
            (hold,) = finding["threads"][i]["holds"]
            self.assertEqual(len(hold["stack"]), 1)

    def test_on_ranges_locked_by_open_file_descriptions(self):
        finding = self.expect_cycle(self.across("ofd"), {"file_lock"}, FILES)
        self.assertIn(" (taken at ", finding["story"][0])

    def test_on_a_mutex_and_a_file(self):
        self.expect_cycle(self.across("mixed"), {"mutex", "file_lock"}, FILES)

    def test_of_one_thread_with_two_descriptors_of_a_file(self):
        result = self.across("self")
        self.assertEqual([f["kind"] for f in result.findings], ["self_deadlock"])
        self.assertIn(result.findings[0]["confidence"], FILES)
        self.assertIn("file.1", result.findings[0]["locks"][0]["label"])

    def test_of_a_mutex_whose_holder_s_process_has_ended(self):
        result = self.across("orphan")
        self.assertEqual([f["kind"] for f in result.findings], ["deadlock"])
        self.assertIn("has ended", result.findings[0]["headline"])

    def test_and_a_restart_is_of_the_program(self):
        result = self.across("mutex", flags=[
            "--on-deadlock=restart", "--restart-max=1", "--restart-delay=10ms"])
        self.assertEqual([f["kind"] for f in result.findings], ["deadlock"] * 2)
        pids = [{thread["pid"] for thread in finding["threads"]} for finding in result.findings]
        self.assertFalse(pids[0] & pids[1])


class Silent(Case):
    def expect_silence(self, kind, out):
        result = self.run_supervised(program("across"), kind, self.folder / "file")
        self.assertEqual((result.code, result.out, result.findings), (0, out, []), result)

    def test_where_two_processes_contend_and_get_on(self):
        self.expect_silence("healthy", b"")

    def test_where_a_dead_owner_s_robust_mutex_goes_to_the_next(self):
        self.expect_silence("robust", b"the owner is dead\n")

    def test_where_the_holder_is_a_process_that_nobody_supervises(self):
        self.expect_silence("outside", b"got it\n")

    def test_where_such_a_process_shares_the_holder_s_descriptor(self):
        self.expect_silence("fileoutside", b"got it\n")

    def test_where_the_kernel_breaks_the_cycle(self):
        self.expect_silence("posix", b"")

    def test_where_an_alarm_ends_a_wait(self):
        self.expect_silence("alarm", b"")


class HeldOutside(Case):
    def killed_while_it_waits(self, seconds):
        """What is said of a program that waited for a file that this test has locked."""
        file = self.folder / "file"
        supervisor = self.start(self.supervised("flock", file, "true"), stderr=subprocess.PIPE,
                                text=True)
        inode = f":{file.stat().st_ino} "
        until(lambda: any("->" in line and inode in line
                          for line in pathlib.Path("/proc/locks").read_text().splitlines()),
              "the program to wait")
        # A wait is told if it has lasted; how long it is seen is up to the machine.
        begin = time.monotonic()
        until(lambda: time.monotonic() - begin > seconds, "the wait to have lasted")
        supervisor.terminate()
        _, err = supervisor.communicate(timeout=30)
        return err

    def test_a_file_is_said_to_be_held_by_a_process_that_nobody_supervises(self):
        with open(self.folder / "file", "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            for seconds in (1.5, 3, 6, 12):
                err = self.killed_while_it_waits(seconds)
                if err:
                    break
        self.assertRegex(err, r"^lockwarden: thread .*\(tid \d+\) of pid \d+ waited to the "
                              rf"end for the file lock on {self.folder}/file.*, held by pid "
                              rf"{os.getpid()} \(not supervised\)\n$")
        self.assertEqual(self.findings(), [])


if __name__ == "__main__":
    unittest.main()

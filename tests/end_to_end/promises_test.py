"""The five promises that Lockwarden's design makes ("What must stay true"), one class each.

The programs are unmodified; they run plain, under the bare preload and supervised.
"""
import json
import os
import re
import signal
import subprocess
import unittest

from support import (
    BUILD, DEADLINE, DEMO, PYTHON, Case, environment, free_port, program, scrape, until,
)


class AProgramBehavesAsWithoutIt(Case):
    """Promise 1: same results, return values, errno, exit code, signals."""

    def expect_same(self, *command, **options):
        plain = self.run_plain(*command, **options)
        preloaded = self.run_preloaded(*command, **options)
        supervised = self.run_supervised(*command, **options)
        for other in (preloaded, supervised):
            self.assertEqual((other.code, other.out, other.err), (plain.code, plain.out, plain.err))
        self.assertEqual(supervised.findings, [])

    def test_output_and_exit_code(self):
        self.expect_same("/bin/sh", "-c", "echo out; echo err >&2; exit 7")
        self.expect_same("/bin/cat", stdin=b"through\0and through" * 100000)
        self.expect_same("/bin/ls", "/does/not/exist")

    def test_death_by_signal(self):
        for name in ("SIGTERM", "SIGSEGV", "SIGABRT", "SIGKILL"):
            with self.subTest(name):
                number = int(getattr(signal, name))
                self.expect_same(
                    PYTHON, "-c",
                    "import os, resource, signal;"
                    "resource.setrlimit(resource.RLIMIT_CORE, (0, 0));"
                    f"signal.signal({number}, signal.SIG_DFL) if {number} != 9 else None;"
                    f"os.kill(os.getpid(), {number})",
                )

    def test_git_and_a_pipeline(self):
        self.expect_same("/bin/sh", "-ec", GIT_SCRIPT)

    def test_python_s_threads(self):
        self.expect_same(PYTHON, "-c", PYTHON_THREADS)

    def test_errors_of_the_thread_functions(self):
        # Some of these calls are misuse, which Lockwarden says; what they answer is the same.
        command = (PYTHON, "-c", PTHREAD_ERRORS)
        plain = self.run_plain(*command)
        preloaded = self.run_preloaded(*command)
        supervised = self.run_supervised(*command, flags=("--exitcode=0",))
        self.assertEqual((preloaded.code, preloaded.out, preloaded.err), (0, plain.out, b""))
        self.assertEqual((supervised.code, supervised.out), (0, plain.out))
        self.assertEqual({finding["kind"] for finding in supervised.findings}, {"misuse"})

    def test_environment_seen_by_the_program_s_children(self):
        # Whatever the supervisor adds is its own business; what was there stays.
        seen = self.run_supervised(
            "/usr/bin/env", env=environment(KEEP="me", EMPTY=""),
        ).out.decode().split("\n")
        self.assertIn("KEEP=me", seen)
        self.assertIn("EMPTY=", seen)


GIT_SCRIPT = """
rm -rf repository; git init -q repository; cd repository
git config user.name N; git config user.email e@example.org
export GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z
for i in 1 2 3 4 5; do echo $i >file; git add file; git commit -qm $i; done
git log --format=%H | sort | head -n 3
git gc -q
git fsck
"""

PYTHON_THREADS = """
import concurrent.futures, queue, threading
work, done = queue.Queue(10), []
def consume():
    while (item := work.get()) is not None:
        done.append(item)
threads = [threading.Thread(target=consume) for _ in range(4)]
for t in threads: t.start()
for i in range(1000): work.put(i)
for t in threads: work.put(None)
for t in threads: t.join()
print(sum(done), len(done))
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(sum(pool.map(lambda x: x * x, range(1000))))
lock = threading.RLock()
with lock, lock: print(lock.acquire(timeout=0.01))
print(threading.Lock().acquire(timeout=0.01), threading.Semaphore(0).acquire(timeout=0.01))
"""

# Return values that a hook could easily get wrong, asked of libc directly.
PTHREAD_ERRORS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
mutex = (ctypes.c_char * 40)()
attr = (ctypes.c_char * 4)()
print(libc.pthread_mutexattr_init(attr), libc.pthread_mutexattr_settype(attr, 2))
print(libc.pthread_mutex_init(mutex, attr))
print(libc.pthread_mutex_lock(mutex), libc.pthread_mutex_lock(mutex), libc.pthread_mutex_trylock(mutex))
print(libc.pthread_mutex_destroy(mutex))
print(libc.pthread_mutex_unlock(mutex), libc.pthread_mutex_unlock(mutex))
print(libc.pthread_mutex_timedlock(mutex, (ctypes.c_long * 2)(0, -1)))
print(libc.pthread_mutex_unlock(mutex), libc.pthread_mutex_destroy(mutex))
sem = (ctypes.c_char * 32)()
ctypes.set_errno(0)
print(libc.sem_init(sem, 0, 1), libc.sem_wait(sem), libc.sem_trywait(sem), ctypes.get_errno())
print(libc.sem_timedwait(sem, (ctypes.c_long * 2)(1, 0)), ctypes.get_errno())
rwlock = (ctypes.c_char * 56)()
print(libc.pthread_rwlock_init(rwlock, None), libc.pthread_rwlock_rdlock(rwlock))
print(libc.pthread_rwlock_trywrlock(rwlock), libc.pthread_rwlock_tryrdlock(rwlock))
print(libc.pthread_rwlock_unlock(rwlock), libc.pthread_rwlock_unlock(rwlock))
"""


class NoFalseAlarm(Case):
    """Promise 2: every verdict of kind deadlock is true. on_deadlock=abort would make a
    wrong one visible as a dead program as well."""

    def test_nothing_that_ends_by_itself_is_called_a_deadlock(self):
        for mode in ("timed", "try", "slow", "rescued", "recursive", "readers", "condition"):
            for profile in ("test", "production"):
                with self.subTest(mode=mode, profile=profile):
                    result = self.run_supervised(
                        program("near_misses"), mode,
                        flags=[f"--profile={profile}", "--on-deadlock=abort", "--exitcode=0"],
                    )
                    self.assertEqual(result.code, 0, result.err)
                    self.assertNotIn("deadlock", self.kinds())
                    self.assertNotIn("self_deadlock", self.kinds())


class TheReportComesOutAndTheBlackBoxIsThere(Case):
    """Promise 3: when the program hangs, the report still comes out; when it dies, the
    black box is still there."""

    def test_a_program_all_of_whose_threads_hang_is_reported(self):
        result = self.run_supervised(program("crossing"))
        self.assertEqual(self.kinds(), ["deadlock"])
        self.assertEqual(result.code, 66)
        cycle = result.findings[0]
        self.assertEqual(len(cycle["cycle"]), 2)
        for index in cycle["cycle"]:
            thread = cycle["threads"][index]
            self.assertIn("waits_for", thread)
            self.assertEqual(len(thread["holds"]), 1)
            for stack in (thread["stack"], thread["holds"][0]["stack"]):
                places = [(f.get("function"), os.path.basename(f.get("file") or "")) for f in stack]
                self.assertIn(("cross", "crossing.c"), places)

    def test_a_hanging_program_that_is_killed_leaves_its_black_box(self):
        supervisor = self.start(
            self.supervised(program("crossing"), flags=["--on-deadlock=report"]),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        finding = until(self.findings, "a report")[0]
        os.kill(finding["pid"], signal.SIGKILL)
        supervisor.communicate(timeout=30)
        self.assertEqual(supervisor.returncode, -signal.SIGKILL)
        self.assert_one_incident("deadlock")

    def test_what_a_killed_program_did_wrong_is_told_after_its_death(self):
        result = self.run_supervised(program("inverted"), "SIGKILL")
        self.assertEqual(result.code, -signal.SIGKILL)
        self.assertEqual(self.kinds(), ["potential_deadlock"])
        self.assert_one_incident("potential_deadlock")

    def test_also_when_it_ends_by_underscore_exit(self):
        result = self.run_supervised(program("inverted"), "_exit")
        self.assertEqual(result.code, 66)
        self.assertEqual(self.kinds(), ["potential_deadlock"])

    def assert_one_incident(self, kind):
        (incident,) = self.incidents.iterdir()
        self.assertEqual(json.loads((incident / "report.json").read_text())["kind"], kind)
        with open(incident / "ledger.bin", "rb") as ledger:  # sparse: hundreds of megabytes long
            self.assertEqual(ledger.read(8), b"LKWARDEN")


class CostIsMeasuredSideBySide(Case):
    """Promise 4: with the plain program in one run. How much it costs is for bench/."""

    def test_the_demo_prints_both_throughputs_of_one_run(self):
        demo = self.run_plain(DEMO, f"--build={BUILD}", "--part=4")
        text = demo.out.decode()
        self.assertEqual(demo.code, 0, text)
        rates = dict(re.findall(r"^  (without Lockwarden|profile=\w+)\s+(\d+)\s", text, re.MULTILINE))
        self.assertEqual(set(rates), {"without Lockwarden", "profile=production", "profile=test"})
        self.assertTrue(all(int(rate) > 0 for rate in rates.values()), rates)


class NothingIsDroppedSilently(Case):
    """Promise 5: a drop is counted, exported, and printed in every report."""

    def test_more_held_locks_than_there_is_room_for_are_counted(self):
        port = free_port()
        supervisor = self.start(
            self.supervised(program("hoarder"), flags=[f"--metrics=127.0.0.1:{port}"]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self.assertEqual(supervisor.stdout.readline(), b"holding\n")
        sample = 'lockwarden_dropped_records_total{table="held_list"}'
        until(lambda: (scrape(port) or {}).get(sample, 0) > 0, f"{sample} above zero")
        supervisor.stdin.close()
        self.assertEqual(supervisor.wait(DEADLINE), 66)
        self.assertEqual(self.kinds(), ["potential_deadlock"])
        self.assertRegex(supervisor.stderr.read(), rb"(?m)^lockwarden: dropped records: held_list [1-9]")


if __name__ == "__main__":
    unittest.main()

"""`lockwarden inspect` on programs that hang and on programs that only wait, plain, stripped,
stopped, as another user, under `lockwarden run`, and from core files.

Every wait has a deadline; every program started is killed with its process group.
"""
import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ["LOCKWARDEN_BUILD"])
LOCKWARDEN = BUILD / "bin" / "lockwarden"
CORPUS = BUILD / "bin" / "corpus"
WAITS = BUILD / "bin" / "waits"
DEADLINE = 60.0
DEADLOCK, NOT_STUCK, CANNOT_LOOK, USAGE = 66, 0, 1, 64
NOBODY = 65534

# What each program of the corpus is stuck on; words of the report that must be there.
STUCK = {
    "crosswise_c": ("deadlock", ["DEADLOCK: 2 threads, 2 locks", "crosswise.c:", 'mutex "lock']),
    "crosswise_std_cc": ("deadlock", ["DEADLOCK: 3 threads, 3 locks", 'to write rwlock "c"']),
    "relock_c": ("self_deadlock", ["SELF-DEADLOCK", "which it holds itself"]),
    "join_ring_c": ("deadlock", ["to end"]),
    "join_while_holding_c": ("deadlock", ["to end"]),
    "holder_has_ended_c": ("deadlock", ["has ended"]),
    "semaphores_crosswise_c": ("deadlock", ["asleep, nobody left to wake them", "a unit of"]),
    "barrier_one_short_c": ("deadlock", ["nobody left to wake", "waits for the others at barrier"]),
    "lost_wakeup_cc": ("deadlock", ["a signal on condition"]),
    "condition_under_outer_lock_c": ("deadlock", ["a signal on condition"]),
    "both_readers_upgrade_c": ("deadlock", ["to write rwlock"]),
    "read_again_behind_writer_c": ("deadlock", ["rwlock"]),
    "priority_inheriting_c": ("deadlock", ["DEADLOCK"]),
}


def until(condition, what):
    end = time.monotonic() + DEADLINE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {DEADLINE:.0f} s in vain: {what}")
        time.sleep(0.05)


@contextlib.contextmanager
def running(*command, **options):
    process = subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.DEVNULL, start_new_session=True,
        **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options})
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@contextlib.contextmanager
def waiting(mode, *words):
    with running(WAITS, mode, *words, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline()
        if line != b"ready\n":
            raise AssertionError(f"{mode}: {line}")
        yield process


def inspect(*words, user=None):
    return subprocess.run([str(LOCKWARDEN), "inspect", *map(str, words)], capture_output=True,
                          text=True, timeout=DEADLINE, user=user,
                          group=user, extra_groups=[] if user else None)


def inspected(pid, *words, user=None):
    result = inspect(pid, "--json", *words, user=user)
    return result.returncode, json.loads(result.stdout)


def asleep(pid):
    """All threads of it sleep or have ended."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if task.joinpath("stat").read_text().rpartition(")")[2].split()[0] not in "SZ":
            return False
    return True


class StuckPrograms(unittest.TestCase):
    def test_each_is_seen_to_be_stuck_and_on_what(self):
        for name, (kind, words) in STUCK.items():
            with self.subTest(name), running(CORPUS / name) as process:
                code, seen = until(
                    lambda: (lambda r: r if r[0] == DEADLOCK else None)(inspected(process.pid)),
                    f"{name} is found deadlocked")
                self.assertEqual(code, DEADLOCK)
                self.assertEqual(seen["findings"][0]["kind"], kind)
                self.assertEqual(seen["findings"][0]["confidence"], "strong")
                text = inspect(process.pid).stdout
                for word in words:
                    self.assertIn(word, text)

    def test_stripped(self):
        with tempfile.TemporaryDirectory() as folder:
            bare = pathlib.Path(folder) / "bare"
            subprocess.run(["strip", "-o", bare, CORPUS / "crosswise_c"], check=True)
            with running(bare) as process:
                until(lambda: inspected(process.pid)[0] == DEADLOCK, "a stripped program")
                text = inspect(process.pid).stdout
        self.assertIn("DEADLOCK: 2 threads, 2 locks", text)
        self.assertIn("in bare+0x", text)
        self.assertIn("build id", text)

    @unittest.skipUnless(os.geteuid() == 0, "only root can hide the debug files, or make namespaces")
    def test_without_debug_symbols_of_the_c_library(self):
        hidden = ["unshare", "--mount", "sh", "-c",
                  'mkdir -p /usr/lib/debug; mount -t tmpfs none /usr/lib/debug && exec "$@"', "sh"]
        if subprocess.run([*hidden, "true"], capture_output=True).returncode != 0:
            self.skipTest("no mount namespace here")
        for name, awaits in (("mutex_kinds_c", "mutex"), ("semaphores_crosswise_c", "semaphore"),
                             ("barrier_one_short_c", "barrier"),
                             ("lost_wakeup_cc", "condition")):
            def seen():
                found = json.loads(subprocess.run(
                    [*hidden, str(LOCKWARDEN), "inspect", "--json", str(process.pid)],
                    capture_output=True, text=True, timeout=DEADLINE).stdout)
                return found if found["verdict"] == "deadlock" else None
            with self.subTest(name), running(CORPUS / name) as process:
                found = until(seen, f"{name} is found deadlocked")
                self.assertEqual({thread["awaits"] for thread in found["threads"]},
                                 {awaits, "join"})

    @unittest.skipUnless(os.geteuid() == 0, "only root can hide the debug files, or make namespaces")
    def test_in_a_pid_namespace_of_its_own(self):
        made = ["unshare", "--pid", "--fork", "--mount-proc"]
        if subprocess.run([*made, "true"], capture_output=True).returncode != 0:
            self.skipTest("no pid namespace here")
        with running(*made, CORPUS / "crosswise_c") as outer:
            child = until(lambda: pathlib.Path(
                f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split(), "its child")[0]
            seen = until(lambda: (lambda r: r[1] if r[0] == DEADLOCK else None)(inspected(child)),
                         "deadlocked")
        self.assertEqual(seen["findings"][0]["kind"], "deadlock")
        self.assertEqual([thread["tid_inside"] for thread in seen["threads"]][0], 1)
        self.assertEqual(seen["threads"][0]["tid"], int(child))

    def test_python_functions_are_named(self):
        version = subprocess.run(["/usr/bin/python3", "-c", "import sys; print(sys.version_info[1])"],
                                 capture_output=True, text=True, check=True).stdout.strip()
        if version not in ("11", "12"):
            self.skipTest(f"Python 3.{version}: frames of 3.11 and 3.12 are known")
        with running("/usr/bin/python3", HERE.parent / "corpus/stuck/crosswise.py") as process:
            seen = until(lambda: (lambda s: s if s["verdict"] in ("deadlock", "asleep") else None)(
                inspected(process.pid)[1]), "all threads of Python's wait")
            text = inspect(process.pid).stdout
        files = [frame["file"] for thread in seen["threads"] for frame in thread["stack"]]
        self.assertGreaterEqual(len([f for f in files if f and f.endswith("/crosswise.py")]), 2)
        self.assertRegex(text, r"crosswise\.py:\d+")

    def test_stopped_by_a_signal(self):
        with running(CORPUS / "crosswise_c") as process:
            until(lambda: inspected(process.pid)[0] == DEADLOCK, "deadlocked")
            os.killpg(process.pid, signal.SIGSTOP)
            until(lambda: "T" in pathlib.Path(f"/proc/{process.pid}/stat").read_text(), "stopped")
            self.assertEqual(inspected(process.pid)[0], DEADLOCK)
            self.assertIn(") T ", pathlib.Path(f"/proc/{process.pid}/stat").read_text())

    def test_without_stopping_a_thread(self):
        with running(CORPUS / "crosswise_c") as process:
            until(lambda: inspected(process.pid, "--stop=no")[0] == DEADLOCK, "deadlocked")

    def test_under_lockwarden_the_places_where_locks_were_taken_are_told(self):
        with tempfile.TemporaryDirectory() as folder, running(
                LOCKWARDEN, "run", "--on-deadlock=report", f"--incidents={folder}", "--",
                CORPUS / "crosswise_c", cwd=folder) as supervisor:
            def child():
                children = pathlib.Path(
                    f"/proc/{supervisor.pid}/task/{supervisor.pid}/children").read_text().split()
                names = {pid: pathlib.Path(f"/proc/{pid}/comm").read_text() for pid in children}
                return next((pid for pid, name in names.items() if name == "crosswise_c\n"), None)
            pid = until(child, "the program runs")
            until(lambda: inspected(pid)[0] == DEADLOCK, "deadlocked")
            seen = inspected(pid)[1]
            text = inspect(pid).stdout
        self.assertEqual(seen["findings"][0]["confidence"], "proven")
        for thread in seen["findings"][0]["threads"][:2]:
            self.assertTrue(thread["holds"][0]["stack"])
        self.assertIn("taken at cross, crosswise.c:", text)

    def test_several_processes(self):
        with waiting("shared_mutexes") as process:
            until(lambda: inspected(process.pid)[0] == DEADLOCK, "mutexes of two processes")
            self.assertIn("2 threads of 2 processes", inspect(process.pid).stdout)
        with tempfile.TemporaryDirectory() as folder:
            with waiting("files", f"{folder}/a", f"{folder}/b") as process:
                until(lambda: inspected(process.pid)[0] == DEADLOCK, "files of two processes")
                text = inspect(process.pid).stdout
                self.assertIn("2 threads of 2 processes", text)
                self.assertIn(f"{folder}/a", text)
                everybody = inspect("--all", "--json")
                self.assertEqual(everybody.returncode, DEADLOCK)
                verdicts = {json.loads(line)["pid"]: json.loads(line)["verdict"]
                            for line in everybody.stdout.splitlines()}
                self.assertEqual(verdicts[process.pid], "deadlock")


class WaitingPrograms(unittest.TestCase):
    """None of these is a deadlock."""

    def verdict(self, process):
        until(lambda: asleep(process.pid), "asleep")
        for _ in range(3):
            code, seen = inspected(process.pid)
            self.assertEqual(code, NOT_STUCK, seen)
        return seen

    def test_behind_a_read(self):
        with waiting("behind_a_read") as process:
            until(lambda: [thread["awaits"] for thread in inspected(process.pid)[1]["threads"]]
                  == ["system_call", "mutex", "mutex"], "both wait")
            seen = self.verdict(process)
            text = inspect(process.pid).stdout
        self.assertEqual(seen["verdict"], "not_stuck")
        self.assertIn("2 threads wait in the end for thread 'waits'", text)
        self.assertRegex(text, r"reads from pipe:\[\d+\] \(read\), whose writing end pid \d+ \(waits\) has")

    def test_until_a_signal(self):
        with waiting("until_a_signal") as process:
            seen = self.verdict(process)
            text = inspect(process.pid).stdout
        self.assertEqual(seen["verdict"], "asleep")
        self.assertIn("SIGTERM", text)

    def test_idle_workers_and_time_limits(self):
        for mode in ("workers_idle", "timed"):
            with self.subTest(mode), waiting(mode) as process:
                self.assertEqual(self.verdict(process)["verdict"], "not_stuck")

    def test_python_and_shell(self):
        for command in (["/usr/bin/python3", "-c", "import time; time.sleep(600)"],
                        ["sleep", "600"],
                        ["sh", "-c", "sleep 600; true"]):
            with self.subTest(command), running(*command) as process:
                self.assertEqual(self.verdict(process)["verdict"], "not_stuck")


class WhoCannotBeLookedAt(unittest.TestCase):
    def test_usage(self):
        for words in ([], ["x"], ["1", "2"], ["1", "--all"], ["--exe=x", "1"], ["--nonsense", "1"],
                      ["1", "--watch=0"], ["1", "--json=1"]):
            with self.subTest(words):
                result = inspect(*words)
                self.assertEqual(result.returncode, USAGE, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)

    def test_no_process_zombie_thread_kernel(self):
        child = os.fork()
        if child == 0:
            os._exit(0)
        try:
            until(lambda: ") Z " in pathlib.Path(f"/proc/{child}/stat").read_text(), "a zombie")
            for pid, word in ((1 << 29, "no such process"), (child, "zombie"), (2, "the kernel's")):
                with self.subTest(pid):
                    result = inspect(pid)
                    self.assertEqual(result.returncode, CANNOT_LOOK)
                    self.assertIn(word, result.stdout)
        finally:
            os.waitpid(child, 0)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_another_users_process(self):
        with running(CORPUS / "crosswise_c") as process:
            until(lambda: inspected(process.pid)[0] == DEADLOCK, "deadlocked")
            result = inspect(process.pid, user=NOBODY)
            self.assertEqual(result.returncode, CANNOT_LOOK)
            self.assertIn("another user (uid 0)", result.stdout)
            self.assertIn("sudo lockwarden inspect", result.stdout)
            self.assertIn("all threads (3)", result.stdout)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_own_process_as_an_unprivileged_user(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            program = pathlib.Path(folder) / "crosswise_c"
            shutil.copy(CORPUS / "crosswise_c", program)
            command = pathlib.Path(folder) / "lockwarden"
            shutil.copy(LOCKWARDEN, command)
            with running(program, user=NOBODY, group=NOBODY, extra_groups=[]) as process:
                result = until(
                    lambda: (lambda r: r if r.returncode == DEADLOCK else None)(subprocess.run(
                        [command, "inspect", str(process.pid)], capture_output=True, text=True,
                        user=NOBODY, group=NOBODY, extra_groups=[], timeout=DEADLINE)),
                    "deadlocked")
        self.assertIn("DEADLOCK: 2 threads, 2 locks", result.stdout)


class CoreFiles(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        with running(CORPUS / "crosswise_c", cwd=folder.name,
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, unlimited)
                     ) as process:
            until(lambda: inspected(process.pid)[0] == DEADLOCK, "deadlocked")
            process.send_signal(signal.SIGABRT)
            process.wait(DEADLINE)
        cores = list(self.folder.glob("core*"))
        if not cores:
            self.skipTest("this machine's core_pattern puts cores elsewhere")
        self.core = cores[0]

    def test_a_core_tells_the_deadlock(self):
        result = inspect(f"--core={self.core}")
        self.assertEqual(result.returncode, DEADLOCK, result.stdout + result.stderr)
        self.assertIn("DEADLOCK: 2 threads, 2 locks", result.stdout)
        self.assertIn("crosswise.c:", result.stdout)
        self.assertIn("SIGABRT", result.stdout)
        result = inspect("--core", self.core, "--exe", CORPUS / "crosswise_c", "--json")
        self.assertEqual(json.loads(result.stdout)["verdict"], "deadlock")

    def test_a_truncated_core_says_what_is_missing(self):
        whole = self.core.read_bytes()
        for part in (2, 4, 20):
            with self.subTest(part):
                cut = self.folder / "cut"
                cut.write_bytes(whole[:len(whole) // part])
                result = inspect(f"--core={cut}", "--json")
                self.assertIn(result.returncode, (NOT_STUCK, DEADLOCK), result.stderr)
                seen = json.loads(result.stdout)
                self.assertEqual(len(seen["threads"]), 3)
                self.assertIn("truncated", " ".join(seen["notes"]))

    def test_what_is_no_core(self):
        for path in (LOCKWARDEN, "/dev/null", "/nonexistent", self.folder):
            with self.subTest(path):
                result = inspect(f"--core={path}")
                self.assertEqual(result.returncode, CANNOT_LOOK)
                self.assertEqual(result.stdout, "")
                self.assertEqual(result.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()

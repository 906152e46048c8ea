"""The bare preload's helper: a program that nobody supervises is judged all the same, and cannot
tell. Processes that read one ledger are found by the memfd that they have mapped.
"""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import unittest

from support import (
    DEADLINE, LOCKWARDEN, NOBODY, PRELOAD, PYTHON, Case, environment, program, until,
)

LEDGER = re.compile(r" (\d+) +/memfd:lockwarden-ledger")


def ledgers(pid):
    """Inodes of the ledgers that a process has mapped."""
    try:
        return set(LEDGER.findall(pathlib.Path(f"/proc/{pid}/maps").read_text()))
    except OSError:
        return set()


def helpers(pid):
    """Helpers that have mapped this process's ledger."""
    own = ledgers(pid)
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or entry.name == str(pid):
            continue
        with contextlib.suppress(OSError):
            if (entry / "cmdline").read_bytes() == b"lockwarden\0watch\0":
                if own & ledgers(entry.name):
                    found.append(int(entry.name))
    return found


def is_gone(pid):
    """Ended; a zombie of somebody else's counts."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


# Begins with one thread more, which waits for the end of standard input.
THREADED = "import sys, threading\nt = threading.Thread(target=sys.stdin.read)\nt.start()\n"


class HelperCase(Case):
    def preloaded(self, *options):
        changes = {"LOCKWARDEN_OPTIONS": ",".join(options)} if options else {}
        return environment(LD_PRELOAD=str(PRELOAD), **changes)

    def python(self, text, **options):
        options.setdefault("env", self.preloaded())
        return self.start(
            [PYTHON, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **options,
        )

    def helper_of(self, pid):
        return until(lambda: helpers(pid), "a helper")[0]


class Helper(HelperCase):
    def test_a_deadlock_is_reported_and_the_helper_ends_with_the_program(self):
        report = self.folder / "stderr"
        with report.open("wb") as file:
            stuck = self.start([program("philosophers")], env=self.preloaded(), stderr=file)
        until(lambda: b"confidence: proven" in report.read_bytes(), "a report")
        self.assertIn("DEADLOCK: ", report.read_text())
        self.assertIsNone(stuck.poll())  # production: report, and nothing more
        self.assertEqual(len(list((self.folder / "lockwarden-incidents").iterdir())), 1)
        helper = self.helper_of(stuck.pid)
        stuck.kill()
        until(lambda: is_gone(helper), "the helper's end")

    def test_it_acts_as_it_is_told(self):
        result = self.run_plain(program("philosophers"), env=self.preloaded("on_deadlock=abort"))
        self.assertEqual(result.code, -signal.SIGABRT)
        self.assertIn(b"lockwarden: DEADLOCK", result.err)

    def test_a_restart_that_nobody_can_make_is_an_abort(self):
        result = self.run_plain(
            program("philosophers"),
            env=self.preloaded("on_deadlock=restart", f"report={self.report}", "format=json"),
        )
        self.assertEqual((result.code, result.out), (-signal.SIGABRT, b""))
        self.assertEqual(self.kinds(), ["deadlock"])

    def test_it_predicts_if_asked(self):
        result = self.run_plain(
            program("inverted"),
            env=self.preloaded("profile=test", f"report={self.report}", "format=json"),
        )
        self.assertEqual(result.code, 0)
        until(lambda: self.kinds() == ["potential_deadlock"], "the prediction")

    @unittest.skipUnless(os.geteuid() == 0, "becomes another user")
    def test_another_user_gets_the_same(self):
        os.chmod(self.folder, 0o777)
        report = self.folder / "stderr"
        with report.open("wb") as file:
            self.start([program("philosophers")], env=self.preloaded(), stderr=file, user=NOBODY,
                       group=NOBODY, extra_groups=[])
        until(lambda: b"confidence: proven" in report.read_bytes(), "a report")

    def test_forked_children_share_one(self):
        forked = self.python(
            "import os, sys, threading\n"
            "for i in range(3):\n"
            "    if os.fork() == 0: break\n"
            "t = threading.Thread(target=sys.stdin.read); t.start()\n"
            "os.write(1, b'%d\\n' % os.getpid()); t.join()\n"
        )
        pids = [int(forked.stdout.readline()) for _ in range(4)]
        self.assertEqual(len({self.helper_of(pid) for pid in pids}), 1)
        forked.stdin.close()
        self.assertEqual(forked.wait(DEADLINE), 0)

    def test_children_of_a_threaded_program_share_its_own(self):
        forked = self.python(
            THREADED + "import os, time\npid = os.fork()\n"
            "if pid == 0: time.sleep(60)\n"
            "print(pid, flush=True); t.join(); os.kill(pid, 9); os.wait()\n"
        )
        child = int(forked.stdout.readline())
        self.assertEqual(self.helper_of(child), self.helper_of(forked.pid))
        forked.stdin.close()
        self.assertEqual(forked.wait(DEADLINE), 0)

    def test_metrics_and_serve_find_it(self):
        threaded = self.python(THREADED)
        helper = self.helper_of(threaded.pid)
        name = re.compile(rf"/{os.getuid()}/{helper}(/\d+)?$", re.MULTILINE)
        until(lambda: name.search(pathlib.Path("/proc/net/unix").read_text()),
              "the name by which serve finds it")
        threaded.stdin.close()

    def test_every_key_is_known_to_the_recorder(self):
        def keys(**changes):
            result = self.run_plain("/bin/true", env=environment(LOCKWARDEN_OPTIONS="help", **changes))
            return {line.split(b"\t")[0].decode() for line in result.err.splitlines()}
        command = self.run_plain(LOCKWARDEN, env=environment(LOCKWARDEN_OPTIONS="help"))
        wanted = set(re.findall(r"^ +(\w+)=", command.out.decode(), re.MULTILINE))
        self.assertIn("on_stall", wanted)
        self.assertEqual(keys(LD_PRELOAD=str(PRELOAD)), wanted)


class WithoutOne(HelperCase):
    def expect_none(self, process):
        process.stdout.readline()
        self.assertEqual(helpers(process.pid), [])
        process.stdin.close()
        self.assertEqual(process.wait(DEADLINE), 0)

    def test_single_threaded(self):
        self.expect_none(self.python("import sys\nprint('here', flush=True); sys.stdin.read()\n"))

    def test_off(self):
        self.expect_none(self.python(THREADED + "print('here', flush=True)\n",
                                     env=self.preloaded("watchdog=off")))

    def test_supervised(self):
        supervised = self.start(
            self.supervised(PYTHON, "-c", THREADED + "import os; print(os.getpid(), flush=True)\n"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        pid = int(supervised.stdout.readline())
        self.assertTrue(ledgers(pid))
        self.assertEqual(helpers(pid), [])
        supervised.stdin.close()
        self.assertEqual(supervised.wait(DEADLINE), 0)

    def test_after_a_filter(self):
        # Strict mode of a thread's own would end the test: NO_NEW_PRIVS and an empty filter.
        self.expect_none(self.python(
            "import ctypes, struct\n"
            "code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))\n"
            "program = ctypes.create_string_buffer(struct.pack('HxxxxxxP', 1, ctypes.addressof(code)))\n"
            "libc = ctypes.CDLL(None)\n"
            "assert libc.prctl(38, 1, 0, 0, 0) == 0\n"
            "assert libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(program)), 0, 0) == 0\n"
            + THREADED + "print('here', flush=True)\n"))


class Unnoticed(HelperCase):
    LOOK = (
        "import os, signal, sys, threading\n"
        "def look():\n"
        "    try: child = os.waitpid(-1, os.WNOHANG | 0x40000000)\n"
        "    except ChildProcessError: child = None\n"
        "    files = {fd: os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd')\n"
        "             if os.path.lexists(f'/proc/self/fd/{fd}')}\n"
        "    return (child, files, signal.pthread_sigmask(signal.SIG_BLOCK, []), os.getcwd(),\n"
        "            os.environ.copy(), open('/proc/self/task/%d/children' % os.getpid()).read())\n"
        "before = look()\n"
        "t = threading.Thread(target=sys.stdin.read); t.start()\n"
        "after = look()\n"
        "print(before == after, len(os.listdir('/proc/self/task')), flush=True)\n"
        "if before != after: print(before, after, file=sys.stderr)\n"
    )

    def test_nothing_is_left_in_the_program(self):
        looking = self.python(self.LOOK)
        self.helper_of(looking.pid)
        out, err = looking.communicate(timeout=DEADLINE)
        self.assertEqual((looking.returncode, out, err), (0, b"True 2\n", b""))

    def test_a_pipeline_ends_with_the_program(self):
        # The pipe ends when nobody has it open, a helper least of all.
        result = self.run_preloaded(
            "/bin/sh", "-c",
            f"{PYTHON} -c 'import threading; t = threading.Thread(target=print); t.start()' 2>&1 | "
            f"cat; false | {PYTHON} -c 'import sys, threading\n"
            "t = threading.Thread(target=sys.exit); t.start(); t.join(); sys.exit(3)'; echo $?; wait",
        )
        self.assertEqual((result.code, result.out, result.err), (0, b"\n3\n", b""))

    def test_a_daemon_gives_its_standard_error_back(self):
        read_end, write_end = os.pipe()
        daemon = self.start(
            [PYTHON, "-c", "import os, sys, threading, time\n"
             "t = threading.Thread(target=time.sleep, args=(60,), daemon=True); t.start()\n"
             "os.dup2(os.open('/dev/null', os.O_RDWR), 2); time.sleep(60)\n"],
            env=self.preloaded(), stderr=write_end,
        )
        os.close(write_end)
        self.assertEqual(os.read(read_end, 1), b"")  # the test's time limit is its deadline
        os.close(read_end)
        self.assertIsNone(daemon.poll())
        self.assertTrue(helpers(daemon.pid))

    def test_a_program_outlives_its_helper(self):
        threaded = self.python(THREADED + "t.join(); print('well')\n")
        helper = self.helper_of(threaded.pid)
        os.kill(helper, signal.SIGKILL)
        until(lambda: is_gone(helper), "the helper's end")
        out, err = threaded.communicate(timeout=DEADLINE)
        self.assertEqual((threaded.returncode, out, err), (0, b"well\n", b""))

    def test_it_ends_when_the_program_execs_another(self):
        threaded = self.python(
            THREADED + "import os\n"
            "import time\n"
            "while not os.path.exists('go'): time.sleep(0.01)\n"
            "os.execv('/bin/sleep', ['sleep', '60'])\n"
        )
        helper = self.helper_of(threaded.pid)
        (self.folder / "go").touch()
        until(lambda: is_gone(helper), "the helper's end")
        self.assertIsNone(threaded.poll())

    def test_git_does_what_it_does(self):
        git = ["git", "-c", "user.name=n", "-c", "user.email=e"]
        for run in (self.run_plain, self.run_preloaded):
            folder = self.folder / run.__name__
            folder.mkdir()
            (folder / "file").write_text("text\n" * 1000)
            for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "m"],
                            ["-c", "pack.threads=2", "repack", "-q", "-a", "-d"], ["fsck"]):
                result = run(*git, *command, cwd=folder)
                self.assertEqual(result.code, 0, result.err)
                self.assertNotIn(b"lockwarden", result.err)

    def test_watch_by_hand_says_what_to_do(self):
        result = self.run_plain(LOCKWARDEN, "watch")
        self.assertEqual(result.code, 64)
        self.assertIn(b"lockwarden run -- PROGRAM", result.err)


if __name__ == "__main__":
    unittest.main()

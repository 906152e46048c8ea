"""What the supervisor does for a service: explains a death, climbs a ladder, stops what does not
stop, keeps to its budget, and leaves nothing behind."""
import contextlib
import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import unittest

import jsonschema

from support import DEADLINE, PYTHON, Case, environment, program, until

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
TEST_PROGRAM = program("supervisor_test_program")
EXIT_BUDGET_SPENT = 69
EXIT_FINDINGS = 66


def crash_validator():
    schema = json.loads((DOCS / "crash.schema.json").read_text())
    finding = json.loads((DOCS / "finding.schema.json").read_text())
    resolver = jsonschema.RefResolver.from_schema(
        schema, store={"finding.schema.json": finding})
    return jsonschema.Draft202012Validator(schema, resolver=resolver)


class Supervised(Case):
    def the_incident(self):
        (incident,) = self.incidents.iterdir()
        return incident

    def text(self, name):
        return (self.the_incident() / name).read_text()


class Deaths(Supervised):
    def test_what_each_thread_held_and_waited_for_is_told_after_its_death(self):
        for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGBUS):
            with self.subTest(number.name):
                self.incidents = self.folder / number.name
                result = self.run_supervised(program("dying"), str(int(number)))
                self.assertEqual(result.code, -number)
                self.assertEqual(result.findings, [])
                self.assertRegex(result.err.decode(), (
                    rf"\Alockwarden: CRASH: dying was killed by {number.name}; thread .*"
                    r"\(tid \d+\) held mutex 1 \(taken at main, dying\.c:\d+\); "
                    r"1 thread waited for a lock \(pid \d+\), incident \S+\n\Z"))
                report = json.loads(self.text("report.json"))
                crash_validator().validate(report)
                self.assertEqual((report["signal"], report["kind"]), (number.name, "crash"))
                holder, waiter = sorted(report["threads"], key=lambda thread: thread["tid"])
                self.assertEqual(holder["holds"][0]["stack"][0]["function"], "main")
                self.assertEqual(waiter["stack"][0]["function"], "Wait")
                self.assertEqual(waiter["waits_for"], holder["holds"][0]["lock"])
                self.assertIn("waits for mutex 1 here:", self.text("report.txt"))
                self.assertIn("lockwarden_threads ", self.text("metrics.prom"))
                self.assertTrue((self.the_incident() / "ledger.bin").exists())

    def test_the_hook_hears_of_it_by_the_same_id(self):
        told = self.folder / "told"
        self.run_supervised(
            program("dying"), str(int(signal.SIGSEGV)),
            flags=[f'--on_incident=echo "$LOCKWARDEN_KIND $LOCKWARDEN_INCIDENT" >{told}'])
        self.assertEqual(told.read_text(), f"crash {self.the_incident()}\n")
        seen = json.loads(self.text("seen.json"))
        self.assertEqual((seen["count"], seen["incidents"]), (1, 1))

    def test_an_orderly_end_needs_no_explanation(self):
        supervisor = self.start(self.supervised(program("dying"), "hold"), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
        supervisor.stdout.readline()
        supervisor.terminate()
        _, err = supervisor.communicate(timeout=DEADLINE)
        self.assertEqual((supervisor.returncode, err), (-signal.SIGTERM, b""))
        self.assertFalse(self.incidents.exists())

    def test_a_directory_that_cannot_be_written_is_no_reason_to_be_silent(self):
        supervisor = self.start(self.supervised(program("dying"), "hold"), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
        pid = int(supervisor.stdout.readline())
        self.incidents.write_text("in the way")
        os.kill(pid, signal.SIGSEGV)
        _, err = supervisor.communicate(timeout=DEADLINE)
        self.assertIn(b"cannot write the incident: ", err)
        self.assertIn(b"What each thread held and waited for when the process died:", err)
        self.assertIn(b"1 incident could not be written", err)


class Ladders(Supervised):
    def test_a_core_of_the_living_process_is_dumped_before_it_is_aborted(self):
        result = self.run_supervised(program("crossing"), flags=["--on_deadlock=dump+abort:0s"])
        self.assertEqual(result.code, EXIT_FINDINGS, result.err)
        incident = self.the_incident()
        pid = result.findings[0]["pid"]
        self.assertIn(f"lockwarden: dumped a core of pid {pid}: {incident}/core.{pid}\n",
                      result.err.decode())
        core = incident / f"core.{pid}"
        self.assertEqual(core.stat().st_mode & 0o777, 0o600)
        with open(core, "rb") as file:
            self.assertEqual(file.read(4), b"\x7fELF")

    def test_steps_come_one_after_the_other_as_long_as_the_stall_lasts(self):
        result = self.run_supervised(
            program("heartbeats"), "read",
            flags=["--on_stall=note+report:100ms+abort:100ms;starved=report"])
        self.assertEqual(result.code, -signal.SIGABRT, result.err)
        lines = result.err.decode().splitlines()
        self.assertRegex(lines[0], r'^lockwarden: STALL: heartbeat "worker" has not beaten for ')
        self.assertRegex(lines[1], r'heartbeat "worker" has stayed away for \S+ since it was told: '
                                   r'will abort pid \d+$')
        self.assertEqual([finding["kind"] for finding in result.findings], ["stall"])
        self.assertEqual(len(list(self.incidents.iterdir())), 1)

    def test_a_cause_with_a_ladder_of_its_own_is_left_alone(self):
        supervisor = self.start(
            self.supervised(program("heartbeats"), "lock",
                            flags=["--stall_grace=0", "--on_stall=abort;lock=report"]),
            stderr=subprocess.PIPE)
        until(self.findings, "the stall's report")
        # Its own ladder is at its end; on_stall would have acted at once.
        supervisor.terminate()
        supervisor.communicate(timeout=DEADLINE)
        self.assertEqual(supervisor.returncode, -signal.SIGTERM)


class Stopping(Supervised):
    def started(self, *command, flags=(), **options):
        supervisor = self.start(self.supervised(*command, flags=flags), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **options)
        self.assertEqual(supervisor.stdout.readline(), b"ready\n")
        return supervisor

    DEAF = ("/bin/sh", "-c", "trap '' TERM INT; echo ready; while :; do sleep 1000; done")

    def test_what_does_not_stop_is_killed_with_its_children(self):
        supervisor = self.started(*self.DEAF, flags=["--stop_timeout=100ms", "--restart=always"])
        supervisor.terminate()
        _, err = supervisor.communicate(timeout=DEADLINE)
        self.assertEqual(supervisor.returncode, -signal.SIGKILL)
        self.assertEqual(err, b"lockwarden: stop_timeout=100ms is over: killing /bin/sh and what it "
                              b"started\n")

    def test_the_second_request_waits_no_longer(self):
        supervisor = self.started(*self.DEAF, flags=["--stop_timeout=1h"])
        supervisor.terminate()
        until(lambda: signal.SIGTERM not in pending(supervisor.pid), "the first request")
        supervisor.terminate()
        _, err = supervisor.communicate(timeout=DEADLINE)
        self.assertEqual(supervisor.returncode, -signal.SIGKILL)
        self.assertIn(b"asked to stop again: killing /bin/sh", err)

    def test_on_stop_is_the_signal_that_the_program_gets(self):
        supervisor = self.started(TEST_PROGRAM, "signals", flags=["--on_stop=USR1"])
        supervisor.terminate()
        self.assertEqual(supervisor.stdout.readline(), f"signal {signal.SIGUSR1:d} value 0\n".encode())

    def test_a_deadlocked_program_ends_at_the_second_ctrl_c(self):
        output = Terminal(self, self.supervised(
            PYTHON, "-c", DEAF_AND_DEADLOCKED, flags=["--on_deadlock=report"]))
        until(self.findings, "the deadlock")
        output.type(b"\x03")
        output.until(b"^C")  # the terminal has sent the signal; two at a time would be one
        until(lambda: signal.SIGINT not in pending(output.pid), "the first")
        output.type(b"\x03")
        self.assertEqual(output.wait(), -signal.SIGKILL)
        self.assertIn(b"asked to stop again", output.text)

    def test_ctrl_z_stops_both_and_both_go_on(self):
        output = Terminal(self, [PYTHON, "-c", JOB_CONTROL,
                                 *self.supervised(TEST_PROGRAM, "signals-but-stops")])
        output.until(b"ready")
        output.type(b"\x1a")
        output.until(b"both stopped")
        (supervisor,) = children(output.pid)
        os.kill(supervisor, signal.SIGTERM)
        self.assertEqual(output.wait(), 5, output.text)

    def test_with_the_supervisor_the_program_ends_if_that_was_asked_for(self):
        supervisor = self.started(*self.DEAF, flags=["--on_supervisor_death=end"])
        (child,) = children(supervisor.pid)
        supervisor.kill()
        until(lambda: state(child) in (None, "Z"), "the program to end")


DEAF_AND_DEADLOCKED = """
import ctypes, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
libc = ctypes.CDLL(None)
mutex = (ctypes.c_char * 40)()
libc.pthread_mutex_lock(mutex)
libc.pthread_mutex_lock(mutex)
"""


# What a shell does: a job in a process group of its own, in the foreground, continued when it stops.
JOB_CONTROL = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
_, status = os.waitpid(job, os.WUNTRACED)
assert os.WIFSTOPPED(status), status
program = pathlib.Path(f"/proc/{job}/task/{job}/children").read_text().split()[0]
while pathlib.Path(f"/proc/{program}/stat").read_text().rsplit(") ", 1)[1][0] != "T":
    time.sleep(0.01)
print("both stopped", flush=True)
os.killpg(job, signal.SIGCONT)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]))
"""


def state(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    return None


def children(pid):
    return [int(child) for child in
            pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def pending(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    bits = int(re.search(r"ShdPnd:\s*(\w+)", status)[1], 16)
    return {signal.Signals(number) for number in range(1, 32) if bits >> (number - 1) & 1}


class Terminal:
    """A command on a terminal of its own, as a shell would start it."""

    def __init__(self, case, command):
        self.text = b""
        self.status = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(case.folder)
            os.execve(command[0], [str(word) for word in command], environment())
        case.addCleanup(self.end)

    def type(self, keys):
        os.write(self.fd, keys)

    def read(self):
        with contextlib.suppress(OSError):  # the other side is closed
            if select.select([self.fd], [], [], 0)[0]:
                self.text += os.read(self.fd, 4096)

    def until(self, text):
        until(lambda: self.read() or text in self.text, text)

    def wait(self):
        def ended():
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
            return pid
        until(ended, "the command to end")
        self.read()
        return os.waitstatus_to_exitcode(self.status)

    def end(self):
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class Budget(Supervised):
    def test_it_is_kept_over_the_supervisor_s_own_restart(self):
        flags = ["--restart=always", "--restart_delay=0", "--restart_max=2",
                 f"--restart_state={self.folder / 'restarts'}"]
        first = self.run_supervised("/bin/false", flags=flags)
        self.assertEqual(first.code, EXIT_BUDGET_SPENT)
        self.assertEqual(first.err.count(b"restarting"), 2)
        second = self.run_supervised("/bin/false", flags=flags)
        self.assertEqual(second.code, EXIT_BUDGET_SPENT)
        self.assertNotIn(b"restarting", second.err)

    def test_where_it_cannot_be_kept_that_is_said_once(self):
        result = self.run_supervised("/bin/false", flags=[
            "--restart=always", "--restart_delay=0", "--restart_max=3", "--restart_state=/proc/x"])
        self.assertEqual(result.code, EXIT_BUDGET_SPENT)
        self.assertEqual(result.err.count(b"restart_state: cannot write /proc/x"), 1)


@unittest.skipUnless(os.geteuid() == 0, "only root can make a pid namespace")
class FirstProcess(Supervised):
    def namespaced(self, *command, flags=()):
        return ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
                *self.supervised(*command, flags=flags)]

    def test_as_pid_1_it_stops_what_does_not_stop_and_says_so_by_its_code(self):
        supervisor = self.start(
            self.namespaced(*Stopping.DEAF, flags=["--stop_timeout=100ms"]),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(supervisor.stdout.readline(), b"ready\n")
        (first,) = children(supervisor.pid)
        os.kill(first, signal.SIGTERM)
        _, err = supervisor.communicate(timeout=DEADLINE)
        # The first process of a namespace cannot die of its own signal.
        self.assertEqual(supervisor.returncode, 128 + signal.SIGKILL, err)

    def test_as_pid_1_it_finds_a_deadlock_and_explains_a_death(self):
        result = self.run_plain(*self.namespaced(program("crossing")))
        self.assertEqual(result.code, EXIT_FINDINGS, result.err)
        self.assertEqual(self.kinds(), ["deadlock"])
        result = self.run_plain(*self.namespaced(program("dying"), str(int(signal.SIGSEGV))))
        self.assertEqual(result.code, 128 + signal.SIGSEGV)
        self.assertIn(b"CRASH: dying was killed by SIGSEGV", result.err)


class ManyRestarts(Supervised):
    deadline = 600.0

    def after(self, restarts, expected=None):
        """What the supervisor has open and mapped after so many restarts; `expected`: waits for that."""
        count, fifo = self.folder / f"count-{restarts}", self.folder / f"fifo-{restarts}"
        os.mkfifo(fifo)
        hold = os.open(fifo, os.O_RDWR)
        self.addCleanup(os.close, hold)
        supervisor = self.start(
            self.supervised(
                "/bin/sh", "-c", f"{TEST_PROGRAM} fail-until {count} {restarts + 1} || exit 1; "
                f"echo up; read line <{fifo}",
                flags=["--restart=always", "--restart_window=0", "--restart_delay=0"]),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.assertEqual(supervisor.stdout.readline(), b"up\n")
        root = pathlib.Path(f"/proc/{supervisor.pid}")
        until(lambda: len(children(supervisor.pid)) == 1, "one child")

        def ledgers():
            return (root / "maps").read_text().count("memfd:")
        until(lambda: ledgers() == 1, "the ledgers of ended processes to go")

        def opened():
            names = []
            for fd in (root / "fd").iterdir():
                with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                    names.append(os.path.basename(os.readlink(fd)).split(":")[0])
            return sorted(names)
        # What a start has open for a moment goes; what has leaked stays.
        if expected is None:
            descriptors = min((opened() for _ in range(200)), key=len)
        else:
            until(lambda: opened() == expected[0], f"{expected[0]}, not {opened()}")
            descriptors = expected[0]
        mapped = ledgers()
        os.write(hold, b"\n")
        supervisor.terminate()
        supervisor.wait(DEADLINE)
        return descriptors, mapped

    def test_a_thousand_leave_what_three_leave(self):
        few = self.after(3)
        self.assertEqual(self.after(1000, few), few)


if __name__ == "__main__":
    unittest.main()

"""Each system call that the supervisor makes, the incident writer and the ledger reader among it, is
made to fail once, by strace: the program's own result stays what it is, a finding is told or
its loss is, no incident is half-written, and the supervisor neither crashes nor hangs.

The calls are taken from a run without faults, so that new ones are found by themselves.
"""
import collections
import json
import os
import re
import shutil
import subprocess
import unittest

from support import LOCKWARDEN, Case, program

# What each call may well answer. Memory is left out: nobody promises to live without.
ERRORS = {
    "accept4": "EMFILE", "access": "EACCES", "bind": "EADDRINUSE", "chmod": "EPERM",
    "clone": "EAGAIN", "clone3": "EAGAIN", "dup": "EMFILE", "epoll_create1": "EMFILE",
    "epoll_ctl": "ENOMEM", "epoll_wait": "EINTR", "faccessat": "EACCES", "faccessat2": "EACCES",
    "fallocate": "ENOSPC", "fchmod": "EPERM", "fcntl": "EINVAL", "fstat": "EIO", "fsync": "EIO",
    "ftruncate": "ENOSPC", "getdents64": "EIO", "getrandom": "EAGAIN", "getsockopt": "ENOBUFS",
    "listen": "EADDRINUSE", "lseek": "EINVAL", "mkdir": "ENOSPC", "mkdirat": "ENOSPC",
    "mmap": "ENOMEM", "newfstatat": "EIO", "openat": "EMFILE", "pidfd_open": "EMFILE",
    "pidfd_send_signal": "EPERM", "pipe2": "EMFILE", "poll": "EINTR", "pread64": "EIO",
    "prlimit64": "EPERM", "process_vm_readv": "EPERM", "pwrite64": "ENOSPC", "read": "EIO",
    "readlink": "EACCES", "recvmsg": "ENOMEM", "renameat": "EIO", "renameat2": "EIO",
    "rmdir": "EIO", "sendto": "ENOBUFS", "signalfd4": "EMFILE", "socket": "EMFILE",
    "statfs": "EIO", "statx": "EIO", "unlink": "EIO", "unlinkat": "EIO", "vfork": "EAGAIN",
    "wait4": "EINTR", "write": "ENOSPC",
}
# As incidents are written: also in each ordinary test run.
WRITING = ("fchmod", "fsync", "mkdirat", "pwrite64", "renameat2")
# What cannot be removed stays, be it the directory that was made to see whether one can be.
REMOVING = ("unlinkat", "rmdir")
# What eventfd_write writes, as strace shows it.
EVENT = r', "\1\0\0\0\0\0\0\0", 8)'
# One line at the start, before the program runs.
EXIT_USAGE = 64
EXIT_FINDINGS = 66
IN_INCIDENT = {"report.json", "report.txt", "seen.json", "ledger.txt", "modules.txt"}
# What says that something was lost, and what.
LOSSES = re.compile(rb"cannot|could not|refused|not saved|no incidents|cut short|lost|dropped|given up")


@unittest.skipUnless(shutil.which("strace"), "needs strace")
class Faults(Case):
    deadline = 60.0

    def setUp(self):
        super().setUp()
        self.log = self.folder / "calls"

    def run_traced(self, *options, flags=()):
        shutil.rmtree(self.incidents, ignore_errors=True)
        return self.run_plain(
            "strace", "-o", self.log, *options, LOCKWARDEN, "run", f"--incidents={self.incidents}",
            *flags, "--", program("inverted"))

    def calls(self):
        """{name: [ordinal, ...]} of what the supervisor itself calls, its loader left out."""
        seen, ours, begun = collections.Counter(), collections.defaultdict(list), False
        for line in self.log.read_text(errors="replace").splitlines():
            name = line.split("(", 1)[0]
            seen[name] += 1
            begun |= line.startswith("fcntl(0, F_GETFD")  # the first that main does
            if EVENT in line:  # a counter in the kernel, which has always room for one
                continue
            if begun and name in ERRORS and (name != "mmap" or "MAP_SHARED" in line):
                ours[name].append(seen[name])
        return ours

    def check(self, name, ordinal):
        error = ERRORS[name]
        result = self.run_traced("-e", f"trace={name}",
                                 "-e", f"inject={name}:error={error}:when={ordinal}")
        told = b"lockwarden: POTENTIAL DEADLOCK: " in result.err
        lost = LOSSES.search(result.err) is not None
        with self.subTest(call=name, ordinal=ordinal, error=error):
            self.assertIn(result.code, (0, EXIT_USAGE, EXIT_FINDINGS), result.err)
            self.assertTrue(told or lost, result.err)
            # A report that was cut short is a finding all the same.
            self.assertEqual(result.code == EXIT_FINDINGS, told or b"cut short" in result.err,
                             result.err)
            if result.code == EXIT_USAGE:
                self.assertEqual(result.err.count(b"\n"), 1, result.err)
            incidents = list(self.incidents.iterdir()) if self.incidents.exists() else []
            if told and not incidents:
                self.assertTrue(lost, result.err)
            if name in REMOVING:
                incidents = [one for one in incidents if not one.name.startswith(".tmp-")]
            for incident in incidents:
                self.assertFalse(incident.name.startswith("."), "half an incident")
                self.assertLessEqual(IN_INCIDENT, set(os.listdir(incident)))
                report = json.loads((incident / "report.json").read_text())
                self.assertEqual(report["incident"], incident.name)

    def fault_free(self):
        result = self.run_traced()
        if b"ptrace" in result.err:
            self.skipTest("may not trace")
        self.assertEqual(result.code, EXIT_FINDINGS, result.err)
        return self.calls()

    def test_while_an_incident_is_written(self):
        calls = self.fault_free()
        for name in WRITING:
            self.assertIn(name, calls)
            self.check(name, calls[name][-1])

    def test_everywhere(self):
        calls = self.fault_free()
        for name, ordinals in sorted(calls.items()):
            # First, last, and some between.
            step = max(1, len(ordinals) // 6)
            for ordinal in sorted({*ordinals[::step], ordinals[-1]}):
                self.check(name, ordinal)


if __name__ == "__main__":
    unittest.main()

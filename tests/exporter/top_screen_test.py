"""`lockwarden top` as a person meets it: in a terminal of 80 columns and 24 lines, which tmux
plays, with keys sent to it and its screen read."""
import os
import pty
import re
import shutil
import subprocess
import unittest

import served
import support


class Top(served.Case):
    def terminal(self, *arguments, columns=80, lines=24):
        """Starts top in a terminal; self.screen() is what stands there."""
        self.tmux = ["tmux", "-L", f"lockwarden-{self.folder.name}", "-f", "/dev/null"]
        command = " ".join(map(str, [support.LOCKWARDEN, "top", *arguments]))
        subprocess.run([*self.tmux, "new-session", "-d", "-x", str(columns), "-y", str(lines),
                        f"{command}; echo ended with $?; exec sleep 600"], check=True, timeout=30,
                       env=support.environment(TERM="xterm-256color"), cwd=self.folder)
        self.addCleanup(subprocess.run, [*self.tmux, "kill-server"], timeout=30,
                        stderr=subprocess.DEVNULL)

    def screen(self, *flags):
        return subprocess.run([*self.tmux, "capture-pane", "-p", *flags], check=True, timeout=30,
                              capture_output=True).stdout.decode()

    def keys(self, *names):
        subprocess.run([*self.tmux, "send-keys", *names], check=True, timeout=30)

    def see(self, text, what):
        return support.until(lambda: text in (it := self.screen()) and it, f"{what}: {text}")

    def test_a_deadlock_appears_in_red_and_keys_do_what_they_say(self):
        self.serve()
        self.terminal(self.pid())
        self.see("service (pid", "the program")
        self.see("LOCK CLASS", "the classes")
        self.deadlock()
        screen = self.see("DEADLOCK: 4 threads stuck", "the deadlock")
        lines = screen.splitlines()
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertIn("DEADLOCK", lines[1])
        self.assertRegex(screen, r"has waited \S+ for mutex .*, held by ")
        support.until(lambda: re.search(r"\x1b\[[0-9;]*31m[^\n]*DEADLOCK", self.screen("-e")),
                      "it is red")
        self.keys("s")
        self.see("sorted by holds", "sorting")
        self.keys("/", "n", "o", "b", "o", "d", "y", "Enter")
        self.see("filter: nobody", "the filter")
        self.keys("Escape")
        support.until(lambda: "filter" not in self.screen().splitlines()[0], "no filter")
        self.keys("f")
        self.see("FROZEN", "frozen")
        self.keys("f")
        self.keys("h")
        self.see("sort by the next column", "help")
        self.keys("h")
        self.keys("d")
        self.see("written to lockwarden-top-", "the dump")
        dump = next(self.folder.glob("lockwarden-top-*.txt"))
        self.assertIn("DEADLOCK", dump.read_text())
        self.assertEqual(dump.stat().st_mode & 0o777, 0o600)
        subprocess.run([*self.tmux, "resize-window", "-x", "120", "-y", "40"], check=True, timeout=30)
        self.keys("x")  # no key of its own; what was said last goes
        support.until(lambda: self.screen().split("\n")[39].startswith("q quit"),
                      "it fills the new size")
        self.keys("q")
        self.see("ended with 0", "it quits, and the terminal is as it was")

    def test_a_terminal_that_is_gone_ends_it(self):
        self.serve()
        master, slave = pty.openpty()
        process = self.start([support.LOCKWARDEN, "top"], stdin=slave, stdout=slave,
                             stderr=subprocess.PIPE, env=support.environment(TERM="xterm"))
        os.close(slave)
        support.until(lambda: os.read(master, 100), "it draws")
        os.close(master)  # not its controlling terminal: no signal tells it
        self.assertEqual(process.wait(support.DEADLINE), 0)

    def test_without_a_terminal_it_is_one_pass_of_text(self):
        self.serve()
        result = self.run_plain(support.LOCKWARDEN, "top", str(self.pid()))
        self.assertEqual((result.code, result.err), (0, b""))
        self.assertIn(b"service (pid", result.out)
        self.assertIn(b"LOCK CLASS", result.out)
        self.assertNotIn(b"\x1b", result.out)

    def test_who_is_not_watched_is_told_so(self):
        result = self.run_plain(support.LOCKWARDEN, "top", "1")
        self.assertEqual(result.code, 1)
        self.assertIn(b"pid 1 is not", result.err)
        self.assertEqual(self.run_plain(support.LOCKWARDEN, "top", "--nonsense").code, 64)


if __name__ == "__main__":
    if shutil.which("tmux") is None:
        raise SystemExit("tmux is missing: scripts/setup test")
    unittest.main()

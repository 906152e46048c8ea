"""Manual pages and shell completions: made from the table that --help is made from, accepted by
the tools that read them, and completing what the command takes.
"""
import gzip
import pathlib
import re
import shutil
import subprocess
import unittest

import support

PAGES = support.BUILD / "pages"


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          timeout=60, **options)


def helped():
    """{command: its options}, from --help."""
    usage = run(support.LOCKWARDEN, "--help").stdout
    commands = re.findall(r"lockwarden ([a-z]+) ", usage.split("Options of run")[0])
    options = {}
    for command in dict.fromkeys(commands):
        text = run(support.LOCKWARDEN, command, "--help").stdout
        options[command] = re.findall(r"^  --(\w+)(?:=| )", text, re.MULTILINE)
    return options


def manual(name):
    return gzip.decompress((PAGES / "man1" / f"{name}.1.gz").read_bytes()).decode()


class ManualPages(unittest.TestCase):
    def test_each_command_has_a_page_with_each_option_of_its_help(self):
        commands = helped()
        self.assertLessEqual({"run", "serve", "report"}, set(commands))
        for command, options in commands.items():
            page = manual(f"lockwarden-{command}")
            self.assertEqual(options != [], command != "selftest", command)
            self.assertEqual(re.findall(r"^\\fB\\-\\-(\w+)\\fR", page, re.MULTILINE), options)
            self.assertIn(f"lockwarden\\-{command}", manual("lockwarden"))
        self.assertEqual({path.name for path in (PAGES / "man1").iterdir()},
                         {"lockwarden.1.gz", *(f"lockwarden-{name}.1.gz" for name in commands)})

    def test_groff_has_nothing_to_say(self):
        for path in sorted((PAGES / "man1").iterdir()):
            page = gzip.decompress(path.read_bytes()).decode()
            for arguments in (["-Tutf8"], ["-Tascii"]):
                result = run("groff", "-man", "-ww", "-rF0", "-z", *arguments, input=page)
                self.assertEqual((result.returncode, result.stderr), (0, ""), path.name)
            shown = re.sub(".\b", "", run("groff", "-man", "-Tascii", input=page).stdout)
            self.assertIn("SYNOPSIS", shown)
            self.assertIn("--", shown)

    def test_mandoc_has_nothing_to_say(self):
        if not shutil.which("mandoc"):
            self.skipTest("mandoc is not installed")
        for path in sorted((PAGES / "man1").iterdir()):
            page = gzip.decompress(path.read_bytes()).decode()
            result = run("mandoc", "-T", "lint", "-W", "warning", input=page)
            self.assertEqual((result.returncode, result.stdout), (0, ""), path.name)


class Completions(unittest.TestCase):
    """What a shell offers after a line, its cursor at the end."""

    def bash(self, line):
        # Words as readline would split them: '=' stands alone.
        words = [word for word in re.split(r"\s+|(=)", line) if word is not None]
        words = [word for i, word in enumerate(words) if word or i == len(words) - 1]
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  "_lockwarden; printf '%s\\n' \"${COMPREPLY[@]}\"")
        result = run("bash", "--norc", "--noprofile", "-c", script, "bash",
                     PAGES / "lockwarden.bash", *words, cwd=PAGES)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [word for word in result.stdout.split("\n") if word]

    def test_bash_completes_commands_options_and_values(self):
        commands = helped()
        self.assertEqual(set(self.bash("lockwarden ")), {*commands, "--help", "--version"})
        self.assertEqual(self.bash("lockwarden rep"), ["report"])
        for command, options in commands.items():
            offered = {word.strip("-=") for word in self.bash(f"lockwarden {command} --")}
            self.assertEqual(offered - {""}, {*options, "help"}, command)
        self.assertEqual(self.bash("lockwarden run --on_dead"), ["--on_deadlock="])
        self.assertEqual(self.bash("lockwarden run --profile=pro"), ["production"])
        self.assertEqual(self.bash("lockwarden run --profile="), ["test", "production"])
        self.assertEqual(self.bash("lockwarden run --on-deadlock=re"), ["report", "restart"])
        self.assertEqual(self.bash("lockwarden run --profile pro"), ["production"])
        self.assertIn("sarif", self.bash("lockwarden report --format="))
        self.assertEqual(self.bash("lockwarden report --baseline=lockwarden.b"), ["lockwarden.bash"])
        self.assertEqual(self.bash("lockwarden report lockwarden.f"), ["lockwarden.fish"])
        self.assertEqual(self.bash("lockwarden run --incidents=ma"), ["man1"])
        self.assertIn("python3", self.bash("lockwarden run -- python"))

    def test_bash_offers_it_as_the_shell_itself_asks(self):
        result = run("bash", "--norc", "-c", f'source "{PAGES}/lockwarden.bash"; complete -p lockwarden')
        self.assertIn("-F _lockwarden", result.stdout)

    def test_zsh_and_fish_accept_theirs(self):
        for shell, name, check in (("zsh", "_lockwarden", "-n"), ("fish", "lockwarden.fish", "-n")):
            with self.subTest(shell=shell):
                if not shutil.which(shell):
                    self.skipTest(f"{shell} is not installed")
                result = run(shell, check, PAGES / name)
                self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_fish_completes_values(self):
        if not shutil.which("fish"):
            self.skipTest("fish is not installed")
        result = run("fish", "--no-config", "-c", f'source "{PAGES}/lockwarden.fish"; '
                     'complete -C "lockwarden run --profile="')
        offered = {line.split("\t")[0] for line in result.stdout.splitlines()}
        self.assertEqual(offered, {"--profile=test", "--profile=production"})

    def test_all_three_name_every_option(self):
        for name in ("lockwarden.bash", "_lockwarden", "lockwarden.fish"):
            text = (PAGES / name).read_text()
            for command, options in helped().items():
                for option in options:
                    self.assertIn(option, text, f"{name}, {command}")


class Version(unittest.TestCase):
    def test_it_names_the_build(self):
        shown = run(support.LOCKWARDEN, "--version").stdout
        found = re.fullmatch(r"lockwarden \d+\.\d+\.\d+ \(build id ([0-9a-f]{40})\)\n", shown)
        self.assertTrue(found, shown)
        self.assertIn(found.group(1), run("readelf", "-n", support.LOCKWARDEN).stdout)


if __name__ == "__main__":
    unittest.main()

"""The container examples and the unit: checked by the linters that Debian has, and every option
that they give to Lockwarden is one that it knows."""
import json
import pathlib
import re
import shlex
import shutil
import unittest

import yaml

from support import LOCKWARDEN, Case

FILES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "containers"


class Containers(Case):
    def expect_known_options(self, command):
        """Runs the same command on /bin/true, with its directories replaced."""
        words = [re.sub(r"(\$\{STATE_DIRECTORY\}|/var/lib/lockwarden)", str(self.folder), word)
                 for word in command]
        words = [re.sub(r"^--metrics=.*", "--metrics=127.0.0.1:0", word) for word in words]
        self.assertEqual((words[0].rsplit("/", 1)[-1], words[1]), ("lockwarden", "run"))
        self.assertIn("--", words)
        result = self.run_plain(LOCKWARDEN, *words[1:words.index("--")], "--", "/bin/true")
        self.assertEqual(result.code, 0, result.err)

    def test_the_unit_is_one(self):
        self.assertIsNotNone(shutil.which("systemd-analyze"), "needs Debian's systemd")
        text = (FILES / "memcached-lockwarden.service").read_text()
        unit = self.folder / "memcached-lockwarden.service"
        # What is not installed here would be an error of the machine's, not of the unit.
        unit.write_text(text.replace("/usr/bin/lockwarden", str(LOCKWARDEN))
                        .replace("/usr/bin/memcached", "/bin/true"))
        result = self.run_plain("systemd-analyze", "verify", "--man=no", unit)
        self.assertEqual((result.code, result.out, result.err), (0, b"", b""))
        command = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", text, re.MULTILINE)[1]
        self.expect_known_options(shlex.split(command.replace("\\\n", " ")))
        self.assert_longer("TimeoutStopSec", re.search(r"^TimeoutStopSec=(\d+)s$", text,
                                                       re.MULTILINE)[1], command)

    def test_the_manifest_is_one(self):
        path = FILES / "kubernetes.yaml"
        rules = "{extends: default, rules: {line-length: {max: 100}, braces: {max-spaces-inside: 0}}}"
        result = self.run_plain("yamllint", "--strict", "-d", rules, path)
        self.assertEqual((result.code, result.out), (0, b""), result.out)
        (deployment,) = yaml.safe_load_all(path.read_text())
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        self.assertTrue(pod["shareProcessNamespace"])
        self.assertEqual(deployment["spec"]["selector"]["matchLabels"],
                         deployment["spec"]["template"]["metadata"]["labels"])
        self.expect_known_options(container["command"])
        self.assert_longer("terminationGracePeriodSeconds", pod["terminationGracePeriodSeconds"],
                           " ".join(container["command"]))
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        self.assertIn(f"--metrics=0.0.0.0:{ports['lockwarden']}", container["command"])
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        self.assertEqual(mounted, {volume["name"] for volume in pod["volumes"]})
        # The probes are those that the command prints.
        printed = yaml.safe_load(self.run_plain(
            LOCKWARDEN, "run", "--print=probes", "--metrics=0.0.0.0:9464", "--", "memcached").out)
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            self.assertEqual(container[probe], printed[probe], probe)

    def test_the_dockerfile_s_command_is_known(self):
        text = (FILES / "Dockerfile").read_text().replace("\\\n", "")
        words = {name: json.loads(value) for name, value in
                 re.findall(r"^(ENTRYPOINT|CMD) +(\[.*\])$", text, re.MULTILINE)}
        self.expect_known_options(words["ENTRYPOINT"] + words["CMD"])

    def assert_longer(self, what, seconds, command):
        self.assertGreater(int(seconds), int(re.search(r"--stop_timeout=(\d+)s", command)[1]), what)


if __name__ == "__main__":
    unittest.main()

"""The Debian packages: made by cpack, installed into a bare Debian tree, used there, removed.

Needs root and debootstrap; LOCKWARDEN_BARE=DIR names a tree that is there already (it is copied).
"""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["LOCKWARDEN_BUILD"])


def run(*command, timeout=600, **options):
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=timeout, **options)
    if result.returncode != 0:
        raise AssertionError(f"{command} ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="lockwarden-deb-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        run("cpack", "-G", "DEB", "-B", cls.folder, cwd=BUILD)
        cls.debs = {path.name.split("_")[0]: path for path in cls.folder.glob("*.deb")}

    def contents(self, package):
        return [line.split()[5][1:] for line in run("dpkg-deb", "-c", self.debs[package]).splitlines()]

    def test_there_are_three_with_what_belongs_in_each(self):
        self.assertEqual(set(self.debs), {"lockwarden", "liblockwarden", "liblockwarden-dev"})
        command = self.contents("lockwarden")
        for path in ("/usr/bin/lockwarden", "/usr/lib/lockwarden/liblockwarden_preload.so",
                     "/usr/share/man/man1/lockwarden-report.1.gz",
                     "/usr/share/bash-completion/completions/lockwarden"):
            self.assertIn(path, command)
        self.assertFalse([path for path in command if path.endswith((".h", ".a"))])
        self.assertIn("/usr/include/lockwarden/gtest.h", self.contents("liblockwarden-dev"))
        self.assertTrue(any(".so.0.1" in path for path in self.contents("liblockwarden")))
        for package, path in self.debs.items():
            depends = run("dpkg-deb", "-f", path, "Depends")
            self.assertIn("liblockwarden" if package.endswith("-dev") else "libc6", depends)

    def test_they_install_on_a_bare_machine_and_leave_nothing(self):
        if os.geteuid() != 0:
            self.skipTest("only root can install packages")
        tree = self.folder / "tree"
        bare = os.environ.get("LOCKWARDEN_BARE")
        if bare:
            run("cp", "-ax", "--reflink=auto", f"{bare}/.", f"{tree}/")
        elif shutil.which("debootstrap"):
            run("debootstrap", "--variant=minbase", "bookworm", tree, timeout=900)
        else:
            self.skipTest("debootstrap is not installed")
        # Its /proc and /dev are mounted where nobody else sees them, and go with the command.
        enter = ('mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"')
        in_tree = lambda *command: run("unshare", "--mount", "sh", "-c", enter, tree, *command, env={
            **os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"})
        listing = lambda: set(run("find", tree / "usr", tree / "etc", "-xdev", "-not", "-path",
                                  "*/var/*").splitlines())
        in_tree("apt-get", "-q", "update")
        for package in ("lockwarden", "liblockwarden"):
            shutil.copy(self.debs[package], tree / "tmp")
        packages = [f"/tmp/{self.debs[package].name}" for package in ("lockwarden", "liblockwarden")]
        # What they need first, so that what they themselves leave behind can be told.
        needed = set()
        for package in ("lockwarden", "liblockwarden"):
            text = run("dpkg-deb", "-f", self.debs[package], "Depends")
            needed |= {part.split("|")[0].split("(")[0].strip() for part in text.split(",")}
        in_tree("apt-get", "-q", "-y", "install", "--no-install-recommends", *sorted(needed))
        before = listing()
        in_tree("apt-get", "-q", "-y", "install", "--no-install-recommends", *packages)
        self.assertIn("lockwarden 0.", in_tree("lockwarden", "--version"))
        self.assertIn("usage: lockwarden report", in_tree("lockwarden", "report", "--help"))
        self.assertEqual(in_tree("lockwarden", "run", "--incidents=/tmp/i", "--", "/bin/echo", "done"),
                         "done\n")
        self.assertIn("-F _lockwarden", in_tree(
            "bash", "-c", ". /usr/share/bash-completion/completions/lockwarden; complete -p lockwarden"))
        in_tree("apt-get", "-q", "-y", "purge", "lockwarden", "liblockwarden")
        left = {path for path in listing() - before if "ld.so.cache" not in path}
        self.assertEqual(left, set())


if __name__ == "__main__":
    unittest.main()

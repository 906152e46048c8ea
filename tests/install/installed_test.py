"""The installed package: a user's project builds and runs against an install tree, by
find_package and by pkg-config, and the installed command supervises it.

LOCKWARDEN_BUILD in the environment is the build folder; CXX the compiler.
"""
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["LOCKWARDEN_BUILD"])
CXX = os.environ["CXX"]
USER = pathlib.Path(__file__).resolve().parent / "user"
DEADLINE = 300  # seconds; for a build on a busy machine


def run(*command, **options):
    """What it printed; an error that shows its output if it failed."""
    result = subprocess.run([str(part) for part in command], timeout=DEADLINE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if result.returncode != 0:
        raise AssertionError(f"{command} ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="lockwarden-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        run("cmake", "--install", BUILD, "--prefix", cls.folder / "installed")
        # Paths of the build tree, or of the first place, must not have got into it.
        cls.prefix = cls.folder / "moved"
        (cls.folder / "installed").rename(cls.prefix)

    def test_find_package(self):
        out = self.folder / "by-cmake"
        run("cmake", "-S", USER, "-B", out, f"-DCMAKE_PREFIX_PATH={self.prefix}",
            f"-DCMAKE_CXX_COMPILER={CXX}", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wshadow -Werror")
        run("cmake", "--build", out)
        self.assertEqual(run(out / "user"), "done\n")
        self.assertEqual(run(out / "serving"), "done\n")
        self.assertEqual(run(out / "user_shared"), "done\n")
        needed = run("readelf", "-d", out / "user_shared")
        self.assertRegex(needed, r"NEEDED.*liblockwarden\.so\.0\.1")
        self.assertNotRegex(run("readelf", "-d", out / "user"), "liblockwarden")
        self.assertEqual(run(out / "host", out / "libplugin.so"), "one recorder\n")
        command = self.prefix / "bin" / "lockwarden"
        told = run(command, "run", "--exitcode=0", f"--incidents={self.folder / 'incidents'}", "--",
                   out / "user")
        self.assertIn("done\n", told)
        self.assertIn("LOCK-ORDER VIOLATION", told)

    def test_pkg_config(self):
        found = [path.parent for path in self.prefix.rglob("lockwarden.pc")]
        self.assertEqual(len(found), 1)
        environment = {**os.environ, "PKG_CONFIG_PATH": str(found[0]),
                       "LD_LIBRARY_PATH": str(found[0].parent)}
        for package in ("lockwarden", "lockwarden-shared"):
            with self.subTest(package=package):
                flags = shlex.split(
                    run("pkg-config", "--cflags", "--libs", package, env=environment))
                program = self.folder / f"by-pkg-config-{package}"
                run(CXX, "-std=c++20", USER / "main.cc", USER / "bank.cc", *flags, "-o", program)
                self.assertEqual(run(program, env=environment), "done\n")
                shared = "liblockwarden" in run("readelf", "-d", program)
                self.assertEqual(shared, package == "lockwarden-shared")

    def test_nothing_but_the_package_is_there(self):
        top = {path.relative_to(self.prefix).parts[0] for path in self.prefix.rglob("*")}
        self.assertEqual(top, {"bin", "include", "lib", "share"})
        headers = {path.relative_to(self.prefix / "include").parts[0]
                   for path in (self.prefix / "include").rglob("*.h")}
        self.assertEqual(headers, {"lockwarden"})


if __name__ == "__main__":
    unittest.main()

"""Tools with threads, and many short processes: pigz, pbzip2, xz, sqlite3, a parallel build.
Heavy."""
import hashlib
import random
import unittest

from real_programs import RealProgram


class Compressors(RealProgram):
    MEGABYTES = 24

    def setUp(self):
        super().setUp()
        self.needs("pigz", "pbzip2", "xz")
        words = [random.Random(i).randbytes(i % 11 + 2).hex().encode() for i in range(4000)]
        text = b" ".join(random.Random(1).choices(words, k=self.MEGABYTES << 16))
        self.data = self.folder / "data"
        self.data.write_bytes(text)

    def pack_and_unpack(self, pack, unpack):
        def work(way):
            code, packed = way.run(*pack, self.data)
            (way.folder / "packed").write_bytes(packed)
            again, unpacked = way.run(*unpack, way.folder / "packed")
            self.assertEqual(unpacked, self.data.read_bytes())
            return code, again, len(packed), hashlib.sha256(packed).hexdigest()
        self.expect_same(work, f"{pack[0]}: {self.data.stat().st_size >> 20} MiB there and back, in threads")

    def test_pigz(self):
        self.pack_and_unpack(("pigz", "-n", "-c", "-p4", "-b64"), ("pigz", "-dc", "-p4"))

    def test_pbzip2(self):
        self.pack_and_unpack(("pbzip2", "-c", "-p4", "-b2"), ("pbzip2", "-dc", "-p4"))

    def test_xz(self):
        self.pack_and_unpack(
            ("xz", "-c", "-1", "-T2", "--block-size=2MiB"), ("xz", "-dc", "-T2"),
        )


class Sqlite(RealProgram):
    WRITERS, ROWS = 6, 150

    def test_sqlite3(self):
        self.needs("sqlite3")
        self.expect_same(
            self.work, f"sqlite3: {self.WRITERS} processes on one database, with a journal and with a log ahead",
        )

    def work(self, way):
        return way.run("/bin/sh", "-ec", SQLITE_SCRIPT.format(writers=self.WRITERS, rows=self.ROWS))


SQLITE_SCRIPT = """
for journal in delete wal; do
  sqlite3 $journal.db "pragma journal_mode=$journal; pragma synchronous=off;
                       create table t (writer int, i int); create index x on t (i);"
  pids=
  for writer in $(seq {writers}); do
    for i in $(seq {rows}); do echo "insert into t values ($writer, $i);"; done |
      sqlite3 -cmd ".timeout 100000" -cmd "pragma synchronous=off" $journal.db & pids="$pids $!"
  done
  for pid in $pids; do wait $pid; done
  sqlite3 $journal.db "select count(*), sum(i), count(distinct writer) from t; pragma integrity_check;"
done
"""


class ParallelBuild(RealProgram):
    SOURCES, STEPS = 150, 1500
    DEADLINE = 600.0

    def test_a_parallel_build(self):
        self.needs("cmake", "ninja", "gcc")
        self.expect_same(
            self.work, f"cmake and ninja -j4: {self.SOURCES} C files and {self.STEPS} other steps",
        )

    def work(self, way):
        source, build = way.folder / "source", way.folder / "build"
        source.mkdir()
        names = [f"part{i}" for i in range(self.SOURCES)]
        for i, name in enumerate(names):
            (source / f"{name}.c").write_text(f"int {name}(int x) {{ return x + {i}; }}\n")
        calls = " + ".join(f"{name}({i})" for i, name in enumerate(names))
        declarations = "".join(f"int {name}(int);\n" for name in names)
        (source / "main.c").write_text(
            f"#include <stdio.h>\n{declarations}int main(void) {{ printf(\"%d\\n\", {calls}); return 0; }}\n"
        )
        (source / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(generated C)\n"
            f"add_executable(program main.c {' '.join(f'{name}.c' for name in names)})\n"
        )
        configured = way.run("cmake", "-G", "Ninja", "-S", source, "-B", build)[0]
        built = way.run("ninja", "-C", build, "-j4")[0]
        (way.folder / "build.ninja").write_text(
            "rule step\n  command = echo $out >$out && true\n"
            + "".join(f"build step{i}: step\n" for i in range(self.STEPS))
        )
        stepped = way.run("ninja", "-j4")[0]
        steps = sum((way.folder / f"step{i}").stat().st_size for i in range(self.STEPS))
        return configured, built, stepped, steps, way.load(build / "program")


if __name__ == "__main__":
    unittest.main()

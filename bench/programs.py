"""Whole programs for scripts/bench: each serves or works under a way of running it, and says
how fast that went. Debian's binaries as they are; their load runs plain, on the same machine.

A program's rate(run) answers "how much a second", more is better. `run` is scripts/bench's:
run.start(arguments) starts the program under the variant, run.folder is empty and its own.
Everything listens on Unix sockets in that folder, and every server started is ended.
"""
import re
import subprocess
import time

TIMEOUT = 180  # seconds, for any one step


class Run:
    """One run of a program under one variant."""

    def __init__(self, folder, build, prefix, environment, plain_environment):
        self.folder = folder
        self.build = build
        self._prefix = prefix
        self._environment = environment
        self._plain = plain_environment
        self._servers = []

    def start(self, *arguments, ready):
        """A server; returns when ready() is true."""
        log = open(self.folder / "server.log", "wb")
        server = subprocess.Popen([*self._prefix, *map(str, arguments)], env=self._environment,
                                  cwd=self.folder, stdout=log, stderr=log)
        log.close()
        self._servers.append(server)
        deadline = time.monotonic() + TIMEOUT
        while not ready():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "server.log").read_text(errors="replace"))
            time.sleep(0.02)

    def work(self, *arguments):
        """A program that ends by itself: its output, and the seconds that it took."""
        return self._run([*self._prefix, *map(str, arguments)], self._environment)

    def load(self, *arguments):
        """A client, run plain: its output."""
        return self._run([str(a) for a in arguments], self._plain)[0]

    def _run(self, command, environment):
        begin = time.monotonic()
        done = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True,
                              timeout=TIMEOUT)
        if done.returncode != 0:
            raise RuntimeError(f"{command}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode(errors="replace"), time.monotonic() - begin

    def answers(self, *arguments):
        return subprocess.run([str(a) for a in arguments], env=self._plain, cwd=self.folder,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def end(self):
        for server in self._servers:
            server.terminate()
        for server in self._servers:
            try:
                server.wait(timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def memcached(run):
    socket = run.folder / "socket"
    run.start("memcached", "-u", "root", "-t", "4", "-m", "64", "-s", socket, ready=socket.exists)
    return float(run.load(run.build / "bin/memcached_load", socket, "1.2", "8"))


def redis(run):
    socket = run.folder / "socket"
    run.start("redis-server", "--port", "0", "--unixsocket", socket, "--save", "",
              "--io-threads", "2", "--io-threads-do-reads", "yes",
              ready=lambda: run.answers("redis-cli", "-s", socket, "ping"))
    output = run.load("redis-benchmark", "-s", socket, "--csv", "-t", "set,get",
                      "-n", "20000", "-c", "32", "-P", "8", "-r", "100000")
    rates = [float(line.split('","')[1]) for line in output.splitlines()[1:]]
    return len(rates) / sum(1 / rate for rate in rates)


def mariadb(run):
    data, socket = run.folder / "data", run.folder / "socket"
    run.load("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root",
             "--auth-root-authentication-method=normal", "--skip-test-db")
    client = ["--no-defaults", f"--socket={socket}", "--user=root"]
    run.start("mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={socket}",
              "--user=root", "--skip-networking", "--innodb-flush-log-at-trx-commit=0",
              "--skip-log-bin",
              ready=lambda: run.answers("mariadb-admin", *client, "ping"))
    queries = 12000
    output = run.load("mariadb-slap", *client, "--concurrency=4", "--iterations=2",
                      "--auto-generate-sql", "--auto-generate-sql-load-type=mixed",
                      "--auto-generate-sql-add-autoincrement", "--engine=innodb",
                      f"--number-of-queries={queries}")
    return queries / float(re.search(r"Average number of seconds.*: ([0-9.]+)", output)[1])


def rocksdb(run):
    output, _ = run.work("db_bench", f"--db={run.folder}/db", "--threads=2", "--num=100000",
                         "--benchmarks=fillrandom,readrandom", "--compression_type=none")
    rates = [float(rate) for rate in re.findall(r"micros/op ([0-9]+) ops/sec", output)]
    return len(rates) / sum(1 / rate for rate in rates)


def pbzip2(run):
    """Megabytes a second, of text with enough repetition to be compressed."""
    words = [b"%x" % (i * 2654435761 % 2**32) for i in range(4096)]
    text = b" ".join(words[(i * i) % 4096] for i in range(400_000))
    (run.folder / "text").write_bytes(text)
    _, seconds = run.work("pbzip2", "-p2", "-b1", "-k", "-f", run.folder / "text")
    return len(text) / 1e6 / seconds


# Title, unit, what it needs on PATH, what measures it.
PROGRAMS = [
    ("memcached, 4 threads", "requests/s", ["memcached"], memcached),
    ("redis-server, 2 io threads", "requests/s",
     ["redis-server", "redis-cli", "redis-benchmark"], redis),
    ("mariadbd, 4 clients of mariadb-slap", "queries/s",
     ["mariadbd", "mariadb-install-db", "mariadb-slap", "mariadb-admin"], mariadb),
    ("db_bench (rocksdb), 2 threads", "operations/s", ["db_bench"], rocksdb),
    ("pbzip2, 2 threads", "MB/s", ["pbzip2"], pbzip2),
]

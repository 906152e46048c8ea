"""Real servers under a bounded load: memcached, redis, mariadb, nginx. Heavy."""
import os
import pathlib
import re
import signal
import unittest

from support import free_port, program
from real_programs import RealProgram, until


class Memcached(RealProgram):
    CONNECTIONS, SECONDS = 8, 6

    def test_memcached(self):
        self.needs("memcached")
        self.expect_same(self.serve, f"memcached, 4 threads, {self.CONNECTIONS} connections that check every byte")

    def serve(self, way):
        socket = way.folder / "socket"
        server = way.start("memcached", "-u", "root", "-t", "4", "-m", "64", "-s", socket)
        until(socket.exists, "memcached listens")
        way.load(program("memcached_load"), socket, self.SECONDS, self.CONNECTIONS)
        os.kill(server.pid, signal.SIGINT)
        return way.ended(server)


class Redis(RealProgram):
    REQUESTS = 20000

    def test_redis_under_more_load(self):
        self.needs("redis-server", "redis-benchmark", "redis-cli")
        self.expect_same(
            self.serve, f"redis-server, 3 io threads, {5 * self.REQUESTS} requests, append-only file, saves",
            may_drop="stack",
        )

    def serve(self, way):
        port = free_port()
        client = ("redis-cli", "-p", port)
        server = way.start(
            "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", way.folder,
            "--io-threads", "3", "--io-threads-do-reads", "yes", "--appendonly", "yes",
            "--save", "1 1000", "--lazyfree-lazy-user-del", "yes",
        )
        until(lambda: way.answers(*client, "ping"), "redis answers")
        way.load(
            "redis-benchmark", "-p", port, "-q", "-c", "100", "-P", "8", "-r", "100000", "-n",
            self.REQUESTS, "-t", "set,get,lpush,sadd",
        )
        way.load("redis-benchmark", "-p", port, "-q", "-c", "100", "-n", self.REQUESTS, "incr", "counter")
        way.load(*client, "bgrewriteaof")
        until(lambda: "aof_rewrite_in_progress:0" in way.load(*client, "info", "persistence"), "rewritten")
        counted = way.load(*client, "get", "counter").strip()
        pushed = way.load(*client, "llen", "mylist").strip()
        way.load(*client, "flushall", "async")
        way.load(*client, "shutdown", "nosave")
        return counted, pushed, way.ended(server)


class MariaDb(RealProgram):
    CLIENTS, ROUNDS = 8, 120

    def test_mariadb(self):
        self.needs("mariadbd", "mariadb", "mariadb-install-db", "mariadb-slap", "mariadb-admin")
        self.expect_same(
            self.serve, f"mariadbd: mariadb-slap with {self.CLIENTS} clients, then {self.CLIENTS} "
            f"clients of {self.ROUNDS} transactions on shared rows, each kind of thread handling",
            may_drop="stack", known=self.is_aria_s_ring,
        )

    def is_aria_s_ring(self, finding):
        """Aria's log has a ring of 8 buffers of 1 MiB, each with a mutex, which are locked
        hand over hand: a true cycle in lock order. That it cannot deadlock, since only the
        holder of the newest buffer goes on to the next, no lock shows."""
        places = sorted(int(lock["address"], 16) for lock in finding["locks"])
        steps = {after - before for before, after in zip(places, places[1:])}
        return (
            finding["kind"] == "potential_deadlock" and len(places) == 8 and len(steps) == 1
            and 1 << 20 < steps.pop() < (1 << 20) + 4096
        )

    def serve(self, way):
        return [
            self.serve_with(way, handling)
            for handling in ("one-thread-per-connection", "pool-of-threads")
        ]

    def serve_with(self, way, handling):
        data, socket = way.folder / handling, way.folder / f"{handling}.socket"
        way.load(
            "mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root",
            "--auth-root-authentication-method=normal", "--skip-test-db",
        )
        server = way.start(
            "mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={socket}", "--user=root",
            "--skip-networking", f"--thread-handling={handling}", "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M", f"--log-error={data}/error.log", f"--pid-file={data}/pid",
            "--innodb-print-all-deadlocks=OFF",
        )
        client = ("mariadb", "--no-defaults", f"--socket={socket}", "--user=root", "--batch", "-N")
        until(lambda: way.answers(*client, "-e", "select 1"), "mariadb answers", 120)
        way.load(
            "mariadb-slap", "--no-defaults", f"--socket={socket}", "--user=root",
            f"--concurrency={self.CLIENTS}", "--number-of-queries=2000", "--iterations=1",
            "--auto-generate-sql", "--auto-generate-sql-load-type=mixed",
            "--auto-generate-sql-add-autoincrement", "--engine=innodb",
        )
        way.load(*client, stdin=b"""
            create database work; use work;
            create table account (id int primary key, amount bigint not null) engine=innodb;
            insert into account select seq, 1000 from seq_1_to_20;
            create table log (id int auto_increment primary key, amount int) engine=aria;
        """)
        # Each adds to all rows in the same order, so that the sums are known.
        work = "begin; update account set amount = amount + 1 where id <= 10;" \
               " update account set amount = amount - 1 where id > 10; commit;" \
               " insert into log (amount) values (1); select sum(amount) from account;\n"
        clients = [
            self.start_client(way, *client, "work", text="use work;\n" + work * self.ROUNDS)
            for _ in range(self.CLIENTS)
        ]
        sums = [self.finish_client(process) for process in clients]
        results = way.load(*client, "work", "-e", "select sum(amount) from log; check table account, log;"
                           " select id, amount from account order by id;")
        way.load("mariadb-admin", "--no-defaults", f"--socket={socket}", "--user=root", "shutdown")
        return sums, results, way.ended(server)

    def start_client(self, way, *command, text):
        source = way.folder / f"client-{len(list(way.folder.iterdir()))}.sql"
        source.write_text(text)
        with open(source, "rb") as stdin, open(f"{source}.out", "wb") as out:
            process = self.start(command, stdin=stdin, stdout=out, stderr=out, cwd=way.folder)
        return process, source

    def finish_client(self, started):
        process, source = started
        code = process.wait(self.DEADLINE)
        lines = pathlib.Path(f"{source}.out").read_text().splitlines()
        return code, len(lines), set(lines)


class Nginx(RealProgram):
    REQUESTS, FILES = 20000, 20

    def test_nginx_with_a_thread_pool(self):
        self.needs("nginx", "ab")
        self.expect_same(
            self.serve, f"nginx, 2 workers with pools of 4 threads, {2 * self.REQUESTS} requests, reload",
        )

    def serve(self, way):
        port = free_port()
        (way.folder / "files").mkdir()
        for i in range(self.FILES):
            (way.folder / "files" / str(i)).write_bytes(bytes([65 + i]) * (i * 7001 + 1))
        (way.folder / "conf").write_text(f"""
            daemon off; worker_processes 2; pid {way.folder}/pid; error_log {way.folder}/error.log;
            user root;
            thread_pool files threads=4 max_queue=65536;
            events {{ worker_connections 512; }}
            http {{
              access_log off; client_body_temp_path {way.folder}/body; proxy_temp_path {way.folder}/proxy;
              fastcgi_temp_path {way.folder}/f; uwsgi_temp_path {way.folder}/u; scgi_temp_path {way.folder}/s;
              server {{
                listen 127.0.0.1:{port};
                location / {{ root {way.folder}/files; aio threads=files; sendfile off; directio off; }}
              }}
            }}
        """)
        server = way.start("nginx", "-c", way.folder / "conf", "-e", way.folder / "error.log")
        url = f"http://127.0.0.1:{port}"
        until(lambda: way.answers("curl", "-sf", f"{url}/0"), "nginx answers")
        results = []
        for turn in range(2):
            for path in (3, 19):
                said = way.load("ab", "-q", "-r", "-c", "40", "-n", self.REQUESTS // 2, f"{url}/{path}")
                results.append(re.findall(r"(?m)^((?:Complete|Failed|Non-2xx|Document Length).*)$", said))
            results += [way.load("curl", "-sf", f"{url}/{i}") for i in range(self.FILES)]
            os.kill(int((way.folder / "pid").read_text()), signal.SIGHUP if turn == 0 else signal.SIGQUIT)
        return results, way.ended(server)


if __name__ == "__main__":
    unittest.main()

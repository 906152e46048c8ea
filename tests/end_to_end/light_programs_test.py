"""Real programs whose load takes a moment: redis, git, and Python's locks and pools."""
import unittest

from support import PYTHON, free_port
from real_programs import RealProgram, until


class Redis(RealProgram):
    REQUESTS = 5000

    def test_redis_with_io_threads(self):
        self.needs("redis-server", "redis-benchmark", "redis-cli")
        self.expect_same(
            self.serve, f"redis-server, 2 io threads, {6 * self.REQUESTS} requests, bgsave",
            # A destructor of libgpg-error is called from code without unwind tables.
            may_drop="stack",
        )

    def serve(self, way):
        port = free_port()
        client = ("redis-cli", "-p", port)
        server = way.start(
            "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", way.folder,
            "--io-threads", "2", "--io-threads-do-reads", "yes", "--appendonly", "yes", "--save", "",
        )
        until(lambda: way.answers(*client, "ping"), "redis answers")
        way.load(
            "redis-benchmark", "-p", port, "-q", "-c", "40", "-P", "4",
            "-n", self.REQUESTS, "-t", "set,get,incr,lpush,lpop,sadd",
        )
        way.load(*client, "bgsave")
        until(lambda: "rdb_bgsave_in_progress:0" in way.load(*client, "info", "persistence"), "saved")
        counted = way.load(*client, "get", "counter:__rand_int__").strip()
        keys = way.load(*client, "dbsize").strip()
        saved = "rdb_last_bgsave_status:ok" in way.load(*client, "info", "persistence")
        way.load(*client, "flushall", "async")
        way.load(*client, "shutdown", "nosave")
        return counted, keys, saved, way.ended(server)


class Git(RealProgram):
    def test_git(self):
        self.needs("git")
        self.expect_same(self.work, "git: init, 12 commits, clone, threaded grep and repack, gc, fsck")

    def work(self, way):
        return way.run("/bin/sh", "-ec", GIT_SCRIPT, env={
            "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z",
            "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
        })


GIT_SCRIPT = """
git init -q origin; cd origin
git config user.name N; git config user.email e@example.org
git config pack.threads 4; git config grep.threads 4; git config index.threads 4
for commit in 1 2 3 4 5 6 7 8 9 10 11 12; do
  for file in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    seq $commit $((commit * file * 10)) >file-$file-$((commit % 3))
  done
  git add -A; git commit -q -m "commit $commit"
done
git grep -c 77 | cksum
git repack -q -a -d -f --window=20
git gc -q
cd ..
git clone -q file://$PWD/origin clone 2>/dev/null
cd clone
git rev-parse HEAD
git log -p | cksum
git fsck --full
"""


class Python(RealProgram):
    def test_python_s_locks_and_pools(self):
        self.expect_same(self.work, "python3: every lock of threading, queues, pools of threads and processes")

    def work(self, way):
        return way.run(PYTHON, "-c", PYTHON_SCRIPT)


PYTHON_SCRIPT = """
import concurrent.futures, multiprocessing, queue, threading

def square(x): return x * x

def main():
    lock, again, units = threading.Lock(), threading.RLock(), threading.BoundedSemaphore(3)
    total = [0, 0, 0]
    def count():
        for _ in range(2000):
            with lock: total[0] += 1
            with again:
                with again: total[1] += 1
            with units:
                with lock: total[2] += 1
    threads = [threading.Thread(target=count) for _ in range(6)]
    for t in threads: t.start()
    for t in threads: t.join()
    print(total)

    barrier, order = threading.Barrier(4), []
    def meet():
        for turn in range(50):
            if barrier.wait() == 0: order.append(turn)
    threads = [threading.Thread(target=meet) for _ in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
    print(order == sorted(order), len(order))

    started, condition, items = threading.Event(), threading.Condition(), []
    def consume(results):
        started.wait()
        while True:
            with condition:
                condition.wait_for(lambda: items)
                item = items.pop()
            if item is None: return
            results.append(item)
    taken = [[] for _ in range(4)]
    threads = [threading.Thread(target=consume, args=(t,)) for t in taken]
    for t in threads: t.start()
    started.set()
    for i in list(range(3000)):
        with condition:
            items.insert(0, i)
            condition.notify()
    for _ in threads:
        with condition:
            items.insert(0, None)
            condition.notify_all()
    for t in threads: t.join()
    print(sum(map(sum, taken)), sum(map(len, taken)))

    work, done = queue.PriorityQueue(8), queue.SimpleQueue()
    def serve():
        while (item := work.get()) < 10**6:
            done.put(item)
            work.task_done()
    threads = [threading.Thread(target=serve) for _ in range(3)]
    for t in threads: t.start()
    for i in range(2000): work.put(i)
    work.join()
    for t in threads: work.put(10**6)
    for t in threads: t.join()
    print(done.qsize())
    print(lock.acquire(timeout=0.01), lock.acquire(timeout=0.01), lock.acquire(False))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print(sum(pool.map(square, range(1000))))
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        print(sum(pool.map(square, range(200), chunksize=20)))
    with multiprocessing.Pool(2) as pool:
        print(sum(pool.map(square, range(200))))
    shared = multiprocessing.Value('i', 0)
    children = [multiprocessing.Process(target=add, args=(shared,)) for _ in range(3)]
    for c in children: c.start()
    for c in children: c.join()
    print(shared.value, [c.exitcode for c in children])

def add(shared):
    for _ in range(500):
        with shared.get_lock(): shared.value += 1

main()
"""


if __name__ == "__main__":
    unittest.main()

"""Language runtimes: Python's own tests of its threads, java, node. Heavy."""
import re
import unittest

from support import PYTHON
from real_programs import RealProgram


class Python(RealProgram):
    DEADLINE = 900.0

    def expect_same_tests(self, *modules):
        self.expect_same(lambda way: self.run_tests(way, modules), f"python3 -m test {' '.join(modules)}")

    def run_tests(self, way, modules):
        code, out = way.run(PYTHON, "-m", "test", "-v", *modules)
        text = out.decode(errors="replace")
        # "test_name (module.Class.test_name) ... ok", though a test may print in between.
        verdicts = sorted(re.findall(r"(?m)^(test_\w+ \([\w.]+\))", text))
        ends = re.findall(r"(?m)^(Ran \d+ tests?|FAILED.*|OK.*|ERROR:.*|FAIL:.*|Result: .*)", text)
        return code, verdicts, [re.sub(r" in .*", "", line) for line in ends]

    def test_test_threading(self):
        self.expect_same_tests("test_threading", "test_threading_local", "test_threadedtempfile")

    def test_test_thread_and_queue(self):
        self.expect_same_tests("test_thread", "test_queue", "test_sched")

    def test_test_threadsignals(self):
        self.expect_same_tests("test_threadsignals")

    def test_test_concurrent_futures(self):
        self.expect_same_tests("test_concurrent_futures")


class Java(RealProgram):
    def test_java(self):
        self.needs("java", "javac")
        self.expect_same(
            self.work, "javac and java: monitors, conditions, pools, phasers on 8 threads",
            may_drop="stack",  # compiled code has no unwind tables
        )

    def work(self, way):
        (way.folder / "Work.java").write_text(JAVA)
        compiled = way.run("javac", "-J-Xmx256m", "Work.java")
        return compiled, way.run("java", "-Xmx256m", "-cp", way.folder, "Work")


JAVA = """
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.*;
import java.util.stream.*;

public class Work {
  static long total;
  static final Object monitor = new Object();
  static int turn;

  public static void main(String[] unused) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(8);
    List<Future<Long>> results = new ArrayList<>();
    ReentrantLock lock = new ReentrantLock(true);
    ReentrantReadWriteLock readWrite = new ReentrantReadWriteLock();
    Map<Integer, Integer> map = new HashMap<>();
    for (int t = 0; t < 8; ++t) {
      final int me = t;
      results.add(pool.submit(() -> {
        long mine = 0;
        for (int i = 0; i < 20000; ++i) {
          synchronized (monitor) { ++total; }
          if (i % 100 == 0) { lock.lock(); try { mine += i; } finally { lock.unlock(); } }
          if (i % 1000 == 0) {
            readWrite.writeLock().lock();
            try { map.merge(i, 1, Integer::sum); } finally { readWrite.writeLock().unlock(); }
          }
        }
        return mine;
      }));
    }
    long sum = 0;
    for (Future<Long> result : results) sum += result.get();
    System.out.println(total + " " + sum + " " + map.values().stream().mapToInt(x -> x).sum());

    Thread[] threads = new Thread[4];
    StringBuffer order = new StringBuffer();
    for (int t = 0; t < 4; ++t) {
      final int me = t;
      threads[t] = new Thread(() -> {
        for (int i = 0; i < 200; ++i) {
          synchronized (monitor) {
            while (turn % 4 != me) {
              try { monitor.wait(); } catch (InterruptedException e) { return; }
            }
            if (i == 0) order.append(me);
            ++turn;
            monitor.notifyAll();
          }
        }
      });
      threads[t].start();
    }
    for (Thread thread : threads) thread.join();
    System.out.println(turn + " " + order);

    Thread sleeper = new Thread(() -> {
      synchronized (monitor) {
        try { monitor.wait(); System.out.println("woken"); }
        catch (InterruptedException e) { System.out.println("interrupted"); }
      }
    });
    sleeper.start();
    sleeper.interrupt();
    sleeper.join();

    CyclicBarrier barrier = new CyclicBarrier(4);
    Semaphore units = new Semaphore(2);
    AtomicLong met = new AtomicLong();
    CountDownLatch latch = new CountDownLatch(4);
    BlockingQueue<Integer> queue = new ArrayBlockingQueue<>(5);
    for (int t = 0; t < 4; ++t) {
      pool.submit(() -> {
        for (int i = 0; i < 50; ++i) {
          barrier.await();
          units.acquire();
          met.incrementAndGet();
          units.release();
        }
        for (int i = 0; i < 250; ++i) queue.put(i);
        latch.countDown();
        return null;
      });
    }
    long taken = 0;
    for (int i = 0; i < 1000; ++i) taken += queue.take();
    latch.await();
    System.out.println(met + " " + taken);
    System.out.println(IntStream.range(0, 1000000).parallel().asLongStream().sum());
    System.out.println(CompletableFuture.supplyAsync(() -> 1).thenCombineAsync(
        CompletableFuture.supplyAsync(() -> 2), Integer::sum).get());
    pool.shutdown();
    System.out.println(pool.awaitTermination(60, TimeUnit.SECONDS));
    for (int i = 0; i < 20; ++i) { byte[][] garbage = new byte[100][100000]; if (garbage.length == 0) return; }
    System.gc();
    System.exit(7);
  }
}
"""


class Node(RealProgram):
    def test_node_with_worker_threads(self):
        self.needs("node")
        self.expect_same(
            self.work, "node: 6 worker threads on shared memory, Atomics.wait, the crypto and file pool",
            may_drop="stack",  # compiled code has no unwind tables
        )

    def work(self, way):
        (way.folder / "work.js").write_text(NODE)
        return way.run("node", way.folder / "work.js")


NODE = """
const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
const crypto = require('crypto'), fs = require('fs'), zlib = require('zlib');
if (isMainThread) {
  const memory = new SharedArrayBuffer(64);
  let left = 6;
  const seen = [];
  for (let i = 0; i < 6; ++i) {
    const worker = new Worker(__filename, { workerData: { memory, me: i } });
    worker.on('message', (sum) => seen.push(sum));
    worker.on('error', (error) => { console.log(error); process.exit(1); });
    worker.on('exit', (code) => { if (code !== 0) process.exit(2); if (--left === 0) finish(); });
  }
  async function finish() {
    console.log(new Int32Array(memory)[0], seen.sort((a, b) => a - b).join());
    const keys = await Promise.all([...Array(16).keys()].map((i) => new Promise((done) =>
      crypto.pbkdf2('secret' + i, 'salt', 2000, 32, 'sha256', (e, key) => done(key.toString('hex'))))));
    console.log(crypto.createHash('sha256').update(keys.join()).digest('hex'));
    const packed = await Promise.all([...Array(8).keys()].map((i) => new Promise((done) =>
      zlib.deflate(Buffer.alloc(200000, 'abc' + i), (e, out) => done(out.length)))));
    console.log(packed.join());
    await Promise.all([...Array(50).keys()].map((i) => fs.promises.writeFile('file' + i, 'x'.repeat(i))));
    const sizes = await Promise.all([...Array(50).keys()].map((i) => fs.promises.stat('file' + i)));
    console.log(sizes.reduce((sum, s) => sum + s.size, 0));
    process.exitCode = 5;
  }
} else {
  // A lock in shared memory: word 1 is taken or not, word 0 is what it guards.
  const words = new Int32Array(workerData.memory);
  for (let i = 0; i < 2000; ++i) {
    while (Atomics.compareExchange(words, 1, 0, 1) !== 0) Atomics.wait(words, 1, 1, 50);
    words[0] = words[0] + 1;
    Atomics.store(words, 1, 0);
    Atomics.notify(words, 1, 1);
  }
  parentPort.postMessage(workerData.me * 10);
}
"""


if __name__ == "__main__":
    unittest.main()

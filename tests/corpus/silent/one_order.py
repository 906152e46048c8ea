# expect: nothing
# Two threads take two threading.Locks in one order, often, and an RLock again and again.
import threading

outer, inner, recursive = threading.Lock(), threading.Lock(), threading.RLock()
both = threading.Barrier(2)


def work():
    both.wait()
    for _ in range(2000):
        with outer, inner:
            pass
        with recursive, recursive:
            pass


threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

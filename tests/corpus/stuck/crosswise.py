# expect: deadlock
# Two threads take two threading.Locks crosswise.
import threading

locks = [threading.Lock(), threading.Lock()]
both = threading.Barrier(2)


def cross(mine):
    with locks[mine]:
        both.wait()
        with locks[1 - mine]:
            pass


threads = [threading.Thread(target=cross, args=(side,)) for side in (0, 1)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

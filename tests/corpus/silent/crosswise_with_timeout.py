# expect: no deadlock
# Two threads take two threading.Locks crosswise, and give up after a while.
import threading

locks = [threading.Lock(), threading.Lock()]
both = threading.Barrier(2)


def cross(mine):
    with locks[mine]:
        both.wait()
        if locks[1 - mine].acquire(timeout=0.7):
            locks[1 - mine].release()


threads = [threading.Thread(target=cross, args=(side,)) for side in (0, 1)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

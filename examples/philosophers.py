"""Dining philosophers, the way one writes them first: everybody takes the fork to the left, says
grace with the others, and then reaches for the fork to the right.

Plain Python, the twin of philosophers.c: it hangs every time. Nothing in here knows of Lockwarden.
Try
  lockwarden run -- /usr/bin/python3 examples/philosophers.py
"""
import threading

NAMES = ["Aristotle", "Hypatia", "Spinoza"]

forks = [threading.Lock() for _ in NAMES]
grace = threading.Barrier(len(NAMES))


def dine(seat):
    with forks[seat]:
        grace.wait()
        with forks[(seat + 1) % len(NAMES)]:
            print(NAMES[seat], "eats")


def main():
    guests = [threading.Thread(target=dine, args=(seat,)) for seat in range(len(NAMES))]
    for guest in guests:
        guest.start()
    for guest in guests:
        guest.join()
    print("the table is cleared")


main()

"""Two clerks move money between two accounts, one each way, and each locks the account
that the money leaves before the account that it goes to.

Plain Python, nothing in here knows of Lockwarden. Sooner or later, mostly in the first
round, each clerk holds the lock that the other one wants. Try
  lockwarden run -- /usr/bin/python3 examples/transfer.py
"""
import threading
import time


class Account:
    def __init__(self, balance):
        self.balance = balance
        self.lock = threading.Lock()


def transfer(source, target, amount):
    with source.lock:
        time.sleep(0.02)  # asks the bank's computer whether the account is covered
        with target.lock:
            source.balance -= amount
            target.balance += amount


def clerk(source, target):
    for _ in range(500):
        transfer(source, target, 1)


def main():
    savings, checking = Account(1000), Account(1000)
    clerks = [
        threading.Thread(target=clerk, args=(savings, checking)),
        threading.Thread(target=clerk, args=(checking, savings)),
    ]
    for each in clerks:
        each.start()
    for each in clerks:
        each.join()
    print("savings", savings.balance, "checking", checking.balance)


main()

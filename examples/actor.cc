// An actor: one thread owns the state, and everybody else sends it messages. No lock around the
// state, since only its own thread touches it.
//
// Shows: Queue as a mailbox, with three kinds of message. The last is a sentinel: it says "that was
// all", behind everything that was sent before, and the actor stops when it comes to it. Try
//   lockwarden run -- build/bin/actor [DEPOSITS]
#include <lockwarden/lockwarden.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <variant>
#include <vector>

namespace {

struct Deposit {
  int amount;
};
struct Ask {
  lockwarden::Queue<long>* answer;
};
struct Close {};
using Message = std::variant<Deposit, Ask, Close>;

class Account {
 public:
  void Send(Message message) { mailbox_.push(message); }

 private:
  void Run() {
    for (bool open = true; open;) {
      const Message message = *mailbox_.pop();
      if (const auto* deposit = std::get_if<Deposit>(&message)) {
        balance_ += deposit->amount;
      } else if (const auto* ask = std::get_if<Ask>(&message)) {
        ask->answer->push(balance_);
      } else {
        open = false;
      }
    }
  }

  lockwarden::Queue<Message> mailbox_{0, "mailbox"};
  long balance_ = 0;                        // of the actor's thread only
  std::jthread thread_{[this] { Run(); }};  // last: it uses what stands above
};

}  // namespace

int main(int argc, char** argv) {
  const int deposits = argc > 1 ? std::atoi(argv[1]) : 1000;
  Account account;
  {
    std::vector<std::jthread> customers;
    for (int i = 0; i < 4; ++i) {
      customers.emplace_back([&] {
        for (int deposit = 0; deposit < deposits; ++deposit) account.Send(Deposit{1});
      });
    }
  }
  lockwarden::Queue<long> answer(1, "answer");
  account.Send(Ask{&answer});
  std::printf("balance %ld\n", *answer.pop());
  account.Send(Close{});
}

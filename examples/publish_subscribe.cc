// An exchange: what is published on a topic reaches everybody who has subscribed to it.
//
// Shows: SharedLock. Publishing only reads the table of subscribers, so publishers do not wait for
// each other; subscribing changes it, alone. Each subscriber has a queue of its own. Nothing is
// pushed into a queue while the table is locked: a full queue would stop the whole exchange. Try
//   lockwarden run -- build/bin/publish_subscribe [MESSAGES]
#include <lockwarden/lockwarden.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using Inbox = lockwarden::Queue<int>;

class Exchange {
 public:
  std::shared_ptr<Inbox> Subscribe(const std::string& topic) {
    auto inbox = std::make_shared<Inbox>(16, "inbox");
    const std::scoped_lock hold(lock_);
    subscribers_[topic].push_back(inbox);
    return inbox;
  }
  void Publish(const std::string& topic, int message) {
    for (const auto& inbox : SubscribersOf(topic)) inbox->push(message);
  }
  void Close(const std::string& topic) {
    for (const auto& inbox : SubscribersOf(topic)) inbox->close();
  }

 private:
  std::vector<std::shared_ptr<Inbox>> SubscribersOf(const std::string& topic) {
    const std::shared_lock hold(lock_);
    const auto found = subscribers_.find(topic);
    return found == subscribers_.end() ? std::vector<std::shared_ptr<Inbox>>() : found->second;
  }

  lockwarden::SharedLock lock_{"exchange"};
  std::map<std::string, std::vector<std::shared_ptr<Inbox>>> subscribers_;  // guarded by lock_
};

}  // namespace

int main(int argc, char** argv) {
  const int messages = argc > 1 ? std::atoi(argv[1]) : 1000;
  Exchange exchange;
  std::atomic<long> received{0};
  std::vector<std::jthread> subscribers;
  for (const char* topic : {"news", "news", "weather"}) {
    subscribers.emplace_back([&received, inbox = exchange.Subscribe(topic)] {
      while (inbox->pop()) ++received;
    });
  }
  {
    std::vector<std::jthread> publishers;
    for (const char* topic : {"news", "weather"}) {
      publishers.emplace_back([&exchange, topic, messages] {
        for (int message = 0; message < messages; ++message) exchange.Publish(topic, message);
        exchange.Close(topic);
      });
    }
  }
  subscribers.clear();  // joins them
  std::printf("%ld messages were received\n", received.load());
}

// Shows its own locks through the installed exporter, by a port and by a registry; prints
// "done" if it could.
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include <lockwarden/exporter.h>
#include <lockwarden/lockwarden.h>
#include <lockwarden/watchdog.h>

namespace {

// Acquisitions that `collectable` tells of, in all classes.
double Acquisitions(const prometheus::Collectable& collectable) {
  double sum = 0;
  for (const auto& family : collectable.Collect()) {
    if (family.name != "lockwarden_lock_acquisitions_total") continue;
    for (const auto& metric : family.metric) sum += metric.counter.value;
  }
  return sum;
}

}  // namespace

int main() {
  lockwarden::Lock lock;
  auto exporter = lockwarden::Exporter::Start({.address = "127.0.0.1:0"});
  if (!exporter.ok() || (*exporter)->port() == 0) return 1;
  const auto watchdog = lockwarden::Watchdog::Start({});
  if (!watchdog.ok()) return 1;
  const auto collectable = (*exporter)->collectable();
  for (int i = 0; i < 1000; ++i) {
    lock.lock();
    lock.unlock();
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (Acquisitions(*collectable) < 1000) {
    if (std::chrono::steady_clock::now() > deadline) return 1;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  exporter->reset();
  if (!collectable->Collect().empty()) return 1;
  std::puts("done");
  return 0;
}

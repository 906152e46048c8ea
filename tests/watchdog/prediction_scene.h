// What the tests of predictions and misuse begin with: two threads, two mutexes, one ledger.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>

#include "tests/watchdog/scene.h"

namespace lockwarden {

inline constexpr uint8_t kX = static_cast<uint8_t>(ledger::Mode::kExclusive);

class PredictionTest : public testing::Test {
 protected:
  void SetUp() override {
    one = scene.Thread("one");
    two = scene.Thread("two");
    a = scene.Mutex();
    b = scene.Mutex();
  }
  ledger::OrderWitness Seen(uint32_t thread, uint64_t from_site, uint64_t to_site) {
    ledger::OrderWitness witness;
    witness.thread_serial = scene.SerialOf(thread);
    witness.from_mode = witness.to_mode = kX;
    witness.from_site = from_site;
    witness.to_site = to_site;
    return witness;
  }
  Scene scene;
  uint32_t one = 0, two = 0;
  Scene::Ref a = 0, b = 0;
};

}  // namespace lockwarden

// Everything that reads untrusted bytes, one target each: whatever it is given, it returns.
//
//   fuzz --target=NAME CORPUS...   with libFuzzer (scripts/fuzz)
//   fuzz --seeds=DIR --runs=N      without: each target on DIR/NAME/* and on N mutations of them,
//                                  the same in every run
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "exporter/http_message.h"
#include "runtime/ledger.h"
#include "tests/watchdog/scene.h"
#include "watchdog/baseline.h"
#include "watchdog/command_line.h"
#include "watchdog/order_rules.h"
#include "watchdog/process_facts.h"
#include "watchdog/registrar.h"
#include "watchdog/report.h"
#include "watchdog/report/finding_reader.h"
#include "watchdog/report/lock_graph.h"
#include "watchdog/self_restart.h"
#include "watchdog/suppressions.h"

namespace lockwarden {
namespace {

using Bytes = absl::string_view;

Finding SomeFinding() {
  Finding finding;
  finding.kind = FindingKind::kMisuse;
  finding.fingerprint = "00112233445566ff";
  FindingThread thread;
  thread.name = "worker";
  finding.threads.push_back(thread);
  return finding;
}

// Writes {offset, length, bytes} one after the other over a ledger that has something in it, where
// something was written before; then looks at it as the supervisor does.
void FuzzLedger(Bytes bytes) {
  Scene scene;
  const uint32_t a = scene.Thread("a"), b = scene.Thread("b");
  const auto first = scene.Mutex(), second = scene.RwLock();
  scene.book.AddModule(0x4000, 0x5000, "/usr/bin/program");
  scene.book.lock(first).name = scene.book.AddName("a lock");
  scene.Take(a, first);
  scene.Take(b, second);
  scene.Block(a, second);
  scene.Block(b, first);
  scene.book.AddEdge(first, second, {ledger::OrderWitness{}});
  scene.book.AddMisuse(ledger::MisuseKind::kUnlockNotOwner, 1, first);
  std::vector<std::pair<uint64_t, uint64_t>> written{{0, sizeof(ledger::Header)}};
  for (const ledger::TableDirectoryEntry& table : scene.book.header().tables) {
    const uint64_t used = table.used;
    if (used != 0) written.push_back({table.offset, used * table.record_size});
  }
  const auto before = scene.book.Reader();  // has checked the directory already
  while (bytes.size() > 4) {
    const auto& [offset, size] = written[static_cast<uint8_t>(bytes[0]) % written.size()];
    const uint64_t at =
        static_cast<uint64_t>(static_cast<uint8_t>(bytes[1])) << 8 | static_cast<uint8_t>(bytes[2]);
    const size_t length =
        std::min<size_t>(1 + static_cast<uint8_t>(bytes[3]) % 8, bytes.size() - 4);
    if (at % size + length <= size) {
      std::memcpy(scene.book.base() + offset + at % size, bytes.data() + 4, length);
    }
    bytes.remove_prefix(4 + length);
  }
  const auto after = LedgerReader::FromMemory(scene.book.base(), scene.book.size());
  for (const LedgerReader* reader : {before.get(), after.ok() ? after->get() : nullptr}) {
    if (reader == nullptr) continue;
    ProcessJudge judge(reader, &scene.kernel, &scene.resolver, 1, {.confirm_after_ns = 1});
    for (uint64_t now : {1000, 2000, 3000}) judge.Step(now);
    judge.Finish(4000);
    reader->Modules();
    reader->Heartbeats();
    reader->ThreadLives();
    for (uint32_t id : {0u, 1u, 5u, 100u, 0xffffffffu}) {
      reader->Stack(id);
      reader->Name(id);
      reader->Class(id);
    }
  }
}

void FuzzOptions(Bytes bytes) {
  const auto settings = ParseOptionsVariable(bytes);
  if (settings.ok()) ResolveOptions(*settings, {}, "/folder").IgnoreError();
}

void FuzzCommandLine(Bytes bytes) {
  const auto line = ParseCommandLine(absl::StrSplit(bytes, '\n'));
  if (line.ok()) ResolveOptions({}, line->settings, "/folder").IgnoreError();
}

void FuzzSuppressions(Bytes bytes) {
  auto parsed = Suppressions::Parse(bytes, "fuzzed");
  if (!parsed.ok()) return;
  parsed->Covers(SomeFinding());
  parsed->Unused();
}

void FuzzBaseline(Bytes bytes) {
  auto parsed = Baseline::Parse(bytes, "fuzzed");
  if (!parsed.ok()) return;
  parsed->Knows(SomeFinding());
  parsed->Unseen();
}

void FuzzRules(Bytes bytes) {
  const auto parsed = OrderRules::Parse(bytes, "fuzzed");
  if (parsed.ok()) parsed->Broken({"a", "cache.cc:41", "rows"}, {"b", "cells", "audit log"});
}

void FuzzRegistration(Bytes bytes) {
  constexpr char kToken[] = "0123456789abcdef0123456789abcdef";
  CheckHello(bytes, kToken).IgnoreError();
  ReadStepAside(bytes, kToken);
}

void FuzzFinding(Bytes bytes) {
  const auto finding = ParseFinding(bytes);
  if (finding.ok()) FormatText(*finding, TextStyle());
}

void FuzzLockGraph(Bytes bytes) {
  std::vector<std::string> lines = absl::StrSplit(bytes, '\n');
  size_t next = 0;
  ParseLockGraph([&](std::string* line) {
    if (next == lines.size()) return false;
    *line = lines[next++];
    return true;
  }).IgnoreError();
}

void FuzzProcessStat(Bytes bytes) { ParseProcessStat(std::string(bytes)); }

void FuzzRestarts(Bytes bytes) { SelfRestart::ParseHistory(bytes, 1u << 30); }

void FuzzHttp(Bytes bytes) {
  HttpRequest request;
  if (ParseRequest(bytes, &request) == RequestState::kComplete) {
    IsAuthorized(request.authorization, "user:password");
  }
}

struct Target {
  const char* name;  // and the folder of its seeds
  void (*run)(Bytes bytes);
};
constexpr Target kTargets[] = {
    {"ledger", FuzzLedger},
    {"options", FuzzOptions},
    {"command_line", FuzzCommandLine},
    {"suppressions", FuzzSuppressions},
    {"baseline", FuzzBaseline},
    {"rules", FuzzRules},
    {"registration", FuzzRegistration},
    {"finding", FuzzFinding},
    {"lock_graph", FuzzLockGraph},
    {"process_stat", FuzzProcessStat},
    {"restarts", FuzzRestarts},
    {"http", FuzzHttp},
};

}  // namespace
}  // namespace lockwarden

#ifdef LOCKWARDEN_LIBFUZZER

namespace {
const lockwarden::Target* target = nullptr;
}

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  for (int i = 1; i < *count; ++i) {
    absl::string_view name = (*arguments)[i];
    if (!absl::ConsumePrefix(&name, "--target=")) continue;
    for (const auto& candidate : lockwarden::kTargets) {
      if (name == candidate.name) target = &candidate;
    }
  }
  if (target == nullptr) {
    for (const auto& candidate : lockwarden::kTargets) std::printf("%s\n", candidate.name);
    std::exit(64);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  target->run({reinterpret_cast<const char*>(data), size});
  return 0;
}

#else

namespace {

std::vector<std::string> Seeds(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry);
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

// Some of: a byte changed, cut out or put in, a piece of another seed.
std::string Mutate(const std::vector<std::string>& seeds, std::mt19937_64* random) {
  std::string bytes = seeds[(*random)() % seeds.size()];
  for (uint64_t n = 1 + (*random)() % 8; n > 0; --n) {
    const size_t at = (*random)() % (bytes.size() + 1);
    const std::string& other = seeds[(*random)() % seeds.size()];
    constexpr char kSpecial[] = {0, -1, '"', '\'', '=', ',', '\n', '*', ':', '9', ' ', '('};
    const char byte = (*random)() % 2 == 0 ? kSpecial[(*random)() % sizeof kSpecial]
                                           : static_cast<char>((*random)());
    switch ((*random)() % 4) {
      case 0:
        if (at < bytes.size()) bytes[at] = byte;
        break;
      case 1:
        bytes.erase(at, (*random)() % 16);
        break;
      case 2:
        bytes.insert(at, 1 + (*random)() % 3, byte);
        break;
      case 3:
        if (!other.empty()) {
          const size_t from = (*random)() % other.size();
          bytes.insert(at, other.substr(from, (*random)() % 64));
        }
        break;
    }
  }
  return bytes;
}

}  // namespace

int main(int count, char** arguments) {
  std::string folder;
  uint64_t runs = 0;
  for (int i = 1; i < count; ++i) {
    absl::string_view word = arguments[i];
    if (absl::ConsumePrefix(&word, "--seeds=")) folder = std::string(word);
    if (absl::ConsumePrefix(&word, "--runs=") && !absl::SimpleAtoi(word, &runs)) return 64;
  }
  for (const auto& target : lockwarden::kTargets) {
    const std::vector<std::string> seeds = Seeds(std::filesystem::path(folder) / target.name);
    if (seeds.empty()) return std::printf("%s: no seeds\n", target.name), 1;
    for (const std::string& seed : seeds) target.run(seed);
    std::mt19937_64 random(20240607);
    for (uint64_t run = 0; run < runs; ++run) {
      const std::string bytes = Mutate(seeds, &random);
      // What crashes is found by its number: the same in every run.
      std::fprintf(stderr, "\r%s %d ", target.name, static_cast<int>(run));
      target.run(bytes);
    }
    std::printf("%s: %zu seeds, %d mutations\n", target.name, seeds.size(), static_cast<int>(runs));
  }
  return 0;
}

#endif

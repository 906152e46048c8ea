// Parses what the recorder needs of LOCKWARDEN_OPTIONS and LOCKWARDEN_SOCKET. Keys that
// only the supervisor acts on are known here by name, so that a typing error is told from
// them; LOCKWARDEN_OPTIONS=help prints them all.
#include "runtime/settings.h"

#include <sys/syscall.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "runtime/ledger.h"
#include "runtime/notice.h"
#include "runtime/raw_syscall.h"

namespace lockwarden::ledger {

Settings the_settings;

namespace {

struct Key {
  const char* name;
  const char* help;
};
// Every key of watchdog/options.cc has its line here (a test compares them). "judge": `lockwarden
// run`, else the helper.
constexpr Key kKeys[] = {
    {"profile", "test|production (default: production; lockwarden run: test)"},
    {"stacks", "full|site|off: stacks of acquisitions and waits (default: full)"},
    {"order", "off|report|throw|abort: for the linked types: an acquisition against the lock order"},
    {"watchdog", "helper|off: whether a process beside the program judges it (default: helper)"},
    {"on_deadlock", "report|dump|abort|restart; the judge acts on it (restart: only lockwarden run)"},
    {"on_stall", "report|dump|abort|restart; the same"},
    {"stall_grace", "a duration; for the judge"},
    {"stall_quorum", "a count; for the judge"},
    {"wait_limit", "a duration; for the judge"},
    {"restart", "never|on-failure|always; lockwarden run acts on it"},
    {"restart_delay", "a duration; lockwarden run acts on it"},
    {"restart_max", "a count; lockwarden run acts on it"},
    {"restart_window", "a duration; lockwarden run acts on it"},
    {"restart_state", "a file; lockwarden run acts on it"},
    {"on_stop", "a signal; lockwarden run acts on it"},
    {"stop_timeout", "a duration; lockwarden run acts on it"},
    {"on_supervisor_death", "go-on|end; lockwarden run acts on it"},
    {"metrics", "ADDR:PORT; for the judge"},
    {"metrics_password", "a file; for the judge"},
    {"textfile", "a file; for the judge"},
    {"print", "lockwarden run acts on it"},
    {"incidents", "a directory; for the judge"},
    {"incidents_max", "a count; for the judge"},
    {"incidents_mb", "a count; for the judge"},
    {"on_incident", "a shell command; for the judge"},
    {"on_incident_timeout", "a duration; for the judge"},
    {"predict", "locks|joins|classes; for the judge"},
    {"rules", "a file; lock order is recorded; for the judge"},
    {"lock_graph", "a directory; for the judge"},
    {"suppressions", "a file; for the judge"},
    {"baseline", "a file; for the judge"},
    {"write_baseline", "a file; for the judge"},
    {"verbose", "yes|no; for the judge"},
    {"report", "stderr or a file; for the judge"},
    {"format", "text|json; for the judge"},
    {"notify", "own|program|off; lockwarden run acts on it"},
    {"exitcode", "0 to 255; lockwarden run acts on it"},
};

// One word of the options: a view, with quotes taken off the value.
struct Text {
  const char* begin;
  size_t size;
  bool Is(const char* other) const {
    return std::strlen(other) == size && std::memcmp(begin, other, size) == 0;
  }
};

bool SameKey(Text text, const char* name) {
  if (std::strlen(name) != text.size) return false;
  for (size_t i = 0; i < text.size; ++i) {
    if ((text.begin[i] == '-' ? '_' : text.begin[i]) != name[i]) return false;
  }
  return true;
}

void Say(const char* a, Text b, const char* c, Text d) {
  const char prefix[] = "lockwarden: LOCKWARDEN_OPTIONS: ";
  const iovec parts[6] = {{const_cast<char*>(prefix), sizeof(prefix) - 1},
                    {const_cast<char*>(a), std::strlen(a)},
                    {const_cast<char*>(b.begin), b.size},
                    {const_cast<char*>(c), std::strlen(c)},
                    {const_cast<char*>(d.begin), d.size},
                    {const_cast<char*>("\n"), 1}};
  WriteLine(parts, 6);
}

void PrintHelp() {
  for (const Key& key : kKeys) {
    const iovec parts[4] = {{const_cast<char*>(key.name), std::strlen(key.name)},
                      {const_cast<char*>("\t"), 1},
                      {const_cast<char*>(key.help), std::strlen(key.help)},
                      {const_cast<char*>("\n"), 1}};
    WriteLine(parts, 4);
  }
}

bool ParseOrder(Text value, OrderChoice* out) {
  constexpr const char* kChoices[] = {"off", "report", "throw", "abort"};
  for (uint8_t i = 0; i < 4; ++i) {
    if (value.Is(kChoices[i])) return *out = static_cast<OrderChoice>(i + 1), true;
  }
  return false;
}

void Apply(Settings* settings, Text key, Text value) {
  if (key.Is("help")) return PrintHelp();
  if (SameKey(key, "profile")) {
    if (value.Is("test") || value.Is("production")) {
      settings->order = value.Is("test");
      return;
    }
  } else if (SameKey(key, "order")) {
    if (ParseOrder(value, &settings->order_choice)) return;
  } else if (SameKey(key, "rules")) {
    settings->rules = value.size != 0;
    return;
  } else if (SameKey(key, "watchdog")) {
    if (value.Is("helper") || value.Is("off")) {
      settings->helper = value.Is("helper");
      return;
    }
  } else if (SameKey(key, "stacks")) {
    if (value.Is("full") || value.Is("site") || value.Is("off")) {
      settings->stacks = value.Is("full")   ? StackMode::kFull
                         : value.Is("site") ? StackMode::kSite
                                            : StackMode::kOff;
      return;
    }
  } else {
    for (const Key& known : kKeys) {
      if (SameKey(key, known.name)) return;  // the supervisor's business
    }
    return Say("unknown key ", key, "; LOCKWARDEN_OPTIONS=help lists them", {"", 0});
  }
  Say("bad value for ", key, ": ", value);
}

bool Separates(char c) { return c == ',' || c == ' ' || c == '\t' || c == '\n'; }

void ParseOptions(const char* at, Settings* settings) {
  while (*at != '\0') {
    while (Separates(*at)) ++at;
    const char* key = at;
    while (*at != '\0' && *at != '=' && !Separates(*at)) ++at;
    const Text name = {key, static_cast<size_t>(at - key)};
    Text value = {"", 0};
    if (*at == '=') {
      ++at;
      const char quote = (*at == '"' || *at == '\'') ? *at++ : '\0';
      const char* begin = at;
      while (*at != '\0' && (quote != '\0' ? *at != quote : !Separates(*at))) ++at;
      value = {begin, static_cast<size_t>(at - begin)};
      if (quote != '\0' && *at == quote) ++at;
    }
    if (name.size != 0) Apply(settings, name, value);
  }
}

void ParseSocket(const char* text, Settings* settings) {
  constexpr size_t kToken = 32;
  const char* colon = std::strchr(text, ':');
  if (colon == nullptr || static_cast<size_t>(colon - text) != kToken ||
      std::strlen(colon + 1) >= sizeof(settings->socket_path)) {
    return;
  }
  std::memcpy(settings->token, text, kToken);
  std::memcpy(settings->socket_path, colon + 1, std::strlen(colon + 1) + 1);
}

}  // namespace

Settings ParseSettings(const char* options, const char* socket) {
  Settings settings;
  if (options != nullptr) ParseOptions(options, &settings);
  settings.order |= settings.rules;
  if (socket != nullptr) ParseSocket(socket, &settings);
  return settings;
}

void LoadSettings() {
  enum State : uint8_t { kNew, kLoading, kLoaded };
  static constinit std::atomic<uint8_t> state{kNew};
  // Acquire: pairs with the release below.
  uint8_t now = state.load(std::memory_order_acquire);
  if (now == kLoaded) return;
  // Acquire: as above, for who comes second.
  if (now == kNew && state.compare_exchange_strong(now, kLoading, std::memory_order_acquire)) {
    RememberStandardError();
    the_settings = ParseSettings(std::getenv(kOptionsVariable), std::getenv(kSocketVariable));
    state.store(kLoaded, std::memory_order_release);  // pairs with each acquire here
    return;
  }
  constexpr int kMostYields = 100'000;
  for (int i = 0; i < kMostYields && now != kLoaded; ++i) {
    RawSyscall(SYS_sched_yield);
    now = state.load(std::memory_order_acquire);  // pairs with the release above
  }
}

}  // namespace lockwarden::ledger

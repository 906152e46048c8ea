// Asking, and answering; and ServeCommand, by which the command reaches it.
#include "exporter/host_server.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "exporter/http_server.h"
#include "exporter/listen_address.h"
#include "exporter/page_files.h"
#include "exporter/pages.h"
#include "exporter/textfile.h"
#include "nlohmann/json.hpp"
#include "watchdog/metrics_view.h"
#include "watchdog/serve_command.h"

namespace lockwarden {
namespace {

constexpr time_t kLookEverySeconds = 2;
constexpr size_t kMostAnswer = 8u << 20;                     // bytes
constexpr size_t kMostIncident = 1u << 20;                   // reports are cut at a quarter of that
constexpr absl::Duration kPatienceAUser = absl::Seconds(3);  // in one look
constexpr char kJson[] = "application/json; charset=utf-8";
constexpr char kMetrics[] = "text/plain; version=0.0.4; charset=utf-8";

// Other users' words: ours are nested no deeper, and what is nested deeply is copied recursively.
nlohmann::json ParseStatus(const std::string& text) {
  constexpr int kDeepest = 8;
  const auto keep = [](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    return depth <= kDeepest;
  };
  return nlohmann::json::parse(text, keep, /*allow_exceptions=*/false);
}

HttpResponse NotFound() { return {.status = 404, .body = "not found\n"}; }

// Reports of what `status` lists; those that were fetched before are kept.
std::map<std::string, std::string> Incidents(const LocalServer& server,
                                             const nlohmann::json& status,
                                             const HostProcess* before) {
  std::map<std::string, std::string> incidents;
  const auto list = status.find("incidents");
  if (list == status.end() || !list->is_array()) return incidents;
  for (const auto& incident : *list) {
    if (incidents.size() == kMostShownFindings) break;
    if (!incident.is_object() || !incident.contains("number") ||
        !incident["number"].is_number_unsigned()) {
      continue;
    }
    const std::string number = absl::StrCat(incident["number"].get<uint64_t>());
    if (before != nullptr && before->incidents.contains(number)) {
      incidents[number] = before->incidents.at(number);
    } else {
      incidents[number] = LocalGet(server, absl::StrCat("/incidents/", number), kMostIncident);
    }
  }
  return incidents;
}

nlohmann::ordered_json Describe(const HostProcess& process) {
  nlohmann::ordered_json entry = {{"process", process.process},
                                  {"slot", process.slot},
                                  {"path", absl::StrCat("process/", process.path(), "/")},
                                  {"answers", process.answers}};
  const auto status = ParseStatus(process.status);
  for (const char* member :
       {"running", "recorded", "not_answering", "deadlocked_threads", "deadlocks_total",
        "potential_deadlocks", "restarts_total", "threads_total"}) {
    if (status.is_object() && status.contains(member) && status[member].is_primitive()) {
      entry[member] = status[member];
    }
  }
  return entry;
}

}  // namespace

std::shared_ptr<const HostProcess> HostServer::Ask(const LocalServer& server,
                                                   const HostProcess* before) {
  auto process =
      before == nullptr ? std::make_shared<HostProcess>() : std::make_shared<HostProcess>(*before);
  const std::string answer = LocalGet(server, "/api/v1/status", kMostAnswer);
  const auto status = ParseStatus(answer);
  process->answers = status.is_object();
  if (!process->answers) return before == nullptr ? nullptr : process;
  if (before == nullptr) {
    process->supervisor_pid = server.pid;
    const auto program = status.find("program");
    process->process =
        SafeName(program != status.end() && program->is_string() ? program->get<std::string>()
                                                                 : std::string());
    process->slot = slots_.Take(process->process);
  }
  process->status = answer;
  process->metrics = LocalGet(server, "/metrics", kMostAnswer);
  process->incidents = Incidents(server, status, before);
  return process;
}

void HostServer::Look() {
  std::set<std::string> there;
  std::map<uid_t, absl::Duration> spent;  // so that one user's silent sockets are that user's loss
  for (const LocalServer& server : FindLocalServers(kMostSupervisors)) {
    there.insert(server.name);
    if (spent[server.uid] > kPatienceAUser) continue;
    const absl::Time begun = absl::Now();
    const auto before = known_.find(server.name);
    auto process = Ask(server, before == known_.end() ? nullptr : before->second.get());
    if (process != nullptr) known_[server.name] = std::move(process);
    spent[server.uid] += absl::Now() - begun;
  }
  for (auto next = known_.begin(); next != known_.end();) {
    const auto process = next++;
    if (there.contains(process->first)) continue;
    slots_.Free(process->second->process, process->second->slot);
    known_.erase(process);
  }
  Processes shown;
  for (const auto& [name, process] : known_) shown.push_back(process);
  std::sort(shown.begin(), shown.end(), [](const auto& a, const auto& b) {
    return std::pair(a->process, a->slot) < std::pair(b->process, b->slot);
  });
  MutexLock lock(&mutex_);
  shown_.swap(shown);
  looked_seconds_ = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
}

HostServer::Processes HostServer::Latest() const {
  MutexLock lock(&mutex_);
  return shown_;
}

std::string HostServer::FileSdText(const std::string& address) const {
  const Processes processes = Latest();
  std::vector<const HostProcess*> plain;
  for (const auto& process : processes) plain.push_back(process.get());
  return FileSd(plain, address);
}

HttpResponse HostServer::OfProcess(const HostProcess& process, const std::string& rest) const {
  if (rest.rfind("/incidents/", 0) == 0) {
    const auto found = process.incidents.find(rest.substr(11));
    if (found == process.incidents.end() || found->second.empty()) return NotFound();
    return {.content_type = "text/html; charset=utf-8",
            .body = found->second,
            .headers = {{"Content-Security-Policy", "sandbox"}}};  // perhaps another user's words
  }
  if (rest == "/metrics" || rest == "/api/v1/status") {
    if (!process.answers) return {.status = 503, .body = "its supervisor does not answer\n"};
    const bool metrics = rest == "/metrics";
    return {.content_type = metrics ? kMetrics : kJson,
            .body = metrics ? process.metrics : process.status};
  }
  return PageFile(rest);
}

HttpResponse HostServer::Answer(const HttpRequest& request) const {
  if (request.path == "/healthz" || request.path == "/livez") return {.body = "serving\n"};
  if (request.path == "/readyz") {
    MutexLock lock(&mutex_);
    if (looked_seconds_ == 0) return {.status = 503, .body = "nobody was asked yet\n"};
    return {.body = "ready\n"};
  }
  if (!credentials_.empty() && !IsAuthorized(request.authorization, credentials_)) {
    return PasswordNeeded();
  }
  const Processes processes = Latest();
  if (request.path == "/metrics") {
    std::vector<const HostProcess*> plain;
    size_t silent = 0;
    for (const auto& process : processes) {
      plain.push_back(process.get());
      if (!process->answers) ++silent;
    }
    return {.content_type = kMetrics,
            .body = absl::StrCat(
                MergeMetrics(plain),
                "# HELP lockwarden_serve_supervisors Supervisors on this host.\n"
                "# TYPE lockwarden_serve_supervisors gauge\nlockwarden_serve_supervisors ",
                processes.size(),
                "\n# HELP lockwarden_serve_silent_supervisors Those that do not answer.\n"
                "# TYPE lockwarden_serve_silent_supervisors gauge\n"
                "lockwarden_serve_silent_supervisors ",
                silent, "\n")};
  }
  if (request.path == "/api/v1/processes") {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const auto& process : processes) list.push_back(Describe(*process));
    return {.content_type = kJson,
            .body = nlohmann::ordered_json({{"processes", list}})
                        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                    "\n"};
  }
  absl::string_view path = request.path;
  if (absl::ConsumePrefix(&path, "/process/")) {
    const size_t slash = path.find('/');
    for (const auto& process : processes) {
      if (process->path() != path.substr(0, slash)) continue;
      if (slash == path.npos) {
        return {.status = 302,
                .body = "",
                .headers = {{"Location", absl::StrCat("/process/", path, "/")}}};
      }
      return OfProcess(*process, std::string(path.substr(slash)));
    }
    return NotFound();
  }
  if (request.path == "/") {
    return {.content_type = "text/html; charset=utf-8", .body = page_files::kHostHtml};
  }
  if (request.path == "/host.js") {
    return {.content_type = "text/javascript; charset=utf-8", .body = page_files::kHostJs};
  }
  return request.path == "/page.css" ? PageFile(request.path) : NotFound();
}

absl::Status ServeCommand(const ServeRequest& request) {
  absl::StatusOr<ListenAddress> address = ParseListenAddress(request.metrics);
  if (!address.ok()) return address.status();
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  HostServer host(request.credentials);
  const auto server = HttpServer::Open(
      *address, [&host](const HttpRequest& asked) { return host.Answer(asked); },
      HttpServer::Limits());
  if (!server.ok()) return server.status();
  address->port = (*server)->port();
  fprintf(stderr, "lockwarden: serving on http://%s/\n", address->ToString().c_str());
  std::string written;
  for (;;) {
    host.Look();
    if (std::string text = host.FileSdText(address->ToString());
        !request.file_sd.empty() && text != written) {
      const absl::Status status = WriteTextfile(request.file_sd, text);
      if (!status.ok() && written.empty()) return status;
      written = std::move(text);
    }
    const timespec pause = {kLookEverySeconds, 0};
    if (sigtimedwait(&ends, nullptr, &pause) > 0) return absl::OkStatus();
  }
}

}  // namespace lockwarden

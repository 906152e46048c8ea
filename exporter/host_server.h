// HostServer: `lockwarden serve`. Asks every supervisor of the host now and then, keeps what
// they said, and answers from that: a supervisor that hangs holds up nobody.
//
//   Look()  the caller's thread, every two seconds: names, answers, slots, file_sd
//   pages   the server's thread: copies of pointers
//
// Thread safety: Look belongs to one thread, Answer to another.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "watchdog/mutex.h"
#include "exporter/host_view.h"
#include "exporter/http_message.h"
#include "exporter/local_get.h"

namespace lockwarden {

class HostServer {
 public:
  static constexpr size_t kMostSupervisors = 256;

  explicit HostServer(std::string credentials) : credentials_(std::move(credentials)) {}

  void Look();
  HttpResponse Answer(const HttpRequest& request) const;
  // Those that are known now, for file_sd.
  std::string FileSdText(const std::string& address) const;

 private:
  using Processes = std::vector<std::shared_ptr<const HostProcess>>;

  std::shared_ptr<const HostProcess> Ask(const LocalServer& server, const HostProcess* before);
  Processes Latest() const;
  HttpResponse OfProcess(const HostProcess& process, const std::string& rest) const;

  const std::string credentials_;
  Slots slots_;                                                      // Look's thread only
  std::map<std::string, std::shared_ptr<const HostProcess>> known_;  // by name; likewise
  mutable Mutex mutex_;
  Processes shown_ ABSL_GUARDED_BY(mutex_);
  double looked_seconds_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace lockwarden

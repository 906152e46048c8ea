// Exporter: a linked service shows its own locks, deadlocks included, to Prometheus and on a
// status page, from threads of its own that wait for none of the service's.
//
//   auto exporter = lockwarden::Exporter::Start({.address = "127.0.0.1:9464"});
//
// or, where the service has a registry and an exposer of prometheus-cpp already:
//
//   auto exporter = lockwarden::Exporter::Start({.address = ""});
//   registry_exposer.RegisterCollectable((*exporter)->collectable());
//
// Link lockwarden::exporter. Under `lockwarden run` it shows the same as the supervisor, which
// alone reports and acts; without one nobody reports, the numbers tell. Thread safety: one
// thread starts and destroys; scrapes go on at any time. In a forked child it is not there.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace lockwarden {

class Exporter {
 public:
  struct Options {
    std::string address = "127.0.0.1:9464";  // ADDR:PORT; port 0: any; empty: no port
    std::string credentials = "";            // "user:password" for basic auth; empty: none
  };
  // Never throws. Errors: kInvalidArgument when the address makes no sense, kUnavailable when
  // the port cannot be had now.
  static absl::StatusOr<std::unique_ptr<Exporter>> Start(const Options& options);
  ~Exporter();
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  int port() const;  // 0: none
  // Every metric of this exporter. Its Collect copies what is ready, and waits for nothing; it
  // may outlive the exporter, and is empty then.
  std::shared_ptr<prometheus::Collectable> collectable() const;

 private:
  class Impl;
  explicit Exporter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockwarden

// ShippedText: what `lockwarden run --print=...` prints: files for Prometheus, Grafana, systemd
// and Kubernetes that fit the run that was configured. The watchdog declares it, the exporter's
// library has the files, the `lockwarden` executable links both.
//
// Thread safety: a pure function.
#pragma once

#include <string>

namespace lockwarden {

struct RunNames {
  std::string program;  // base name
  std::string command;  // the whole command line, quoted for systemd
  std::string metrics;  // as given: "ADDR:PORT", ":PORT" or "PORT"; empty: the default
};

// `what` is one of Options::print; empty for any other.
std::string ShippedText(const std::string& what, const RunNames& names);

}  // namespace lockwarden

// The exporter as a library: serves a MetricsView that the program publishes to Prometheus.
//
//   lockwarden::MetricsBoard board;
//   auto server = lockwarden::MakeMetricsServer(&board);
//   absl::Status status = server->Start("127.0.0.1:9464");
//   board.Publish(view);                 // whenever there are new numbers
//
// Link lockwarden::exporter. Thread safety: as the two classes say.
#pragma once

#include "watchdog/metrics_server.h"  // IWYU pragma: export
#include "watchdog/metrics_view.h"    // IWYU pragma: export

// Serves metrics of its own through the installed exporter; prints "done" if it could.
#include <cstdio>

#include <lockwarden/exporter.h>

int main() {
  lockwarden::MetricsBoard board;
  board.Publish({});
  const auto server = lockwarden::MakeMetricsServer(&board);
  if (!server->Start("127.0.0.1:0").ok() || server->port() == 0) return 1;
  std::puts("done");
  return 0;
}

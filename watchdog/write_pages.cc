// A build step: writes the manual pages and the shell completions into a directory.
//
//   lockwarden_pages DIR
#include <cstdio>
#include <string>

#include "watchdog/manual_pages.h"
#include "watchdog/text_file.h"

int main(int argc, char** argv) {
  using namespace lockwarden;
  if (argc != 2) {
    std::fputs("usage: lockwarden_pages DIR\n", stderr);
    return 64;
  }
  const std::string directory = argv[1];
  bool good = true;
  const auto write = [&](const std::string& name, const std::string& text) {
    const absl::Status status = ReplaceTextFile(directory + "/" + name, text);
    if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    good = good && status.ok();
  };
  write("man1/lockwarden.1", ManualPage());
  for (const CommandInfo& command : Commands()) {
    write(std::string("man1/lockwarden-") + command.name + ".1", ManualPage(command));
  }
  write("lockwarden.bash", BashCompletion());
  write("_lockwarden", ZshCompletion());
  write("lockwarden.fish", FishCompletion());
  return good ? 0 : 1;
}

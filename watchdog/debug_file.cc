// The local half of libdwfl's dwfl_standard_find_debuginfo: that one goes on to ask
// debuginfod servers when DEBUGINFOD_URLS is set; see debug_file.h.
#include "watchdog/debug_file.h"

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "watchdog/elf_file.h"

namespace lockwarden {
namespace {

constexpr char kDebugRoot[] = "/usr/lib/debug";
bool ask_servers = false;

std::string BuildIdOf(Dwfl_Module* module) {
  const unsigned char* bits = nullptr;
  GElf_Addr address = 0;
  const int size = dwfl_module_build_id(module, &bits, &address);
  if (size <= 0) return "";
  return std::string(reinterpret_cast<const char*>(bits), static_cast<size_t>(size));
}

std::vector<std::string> Candidates(const std::string& build_id, const char* file_name,
                                    const char* debuglink) {
  std::vector<std::string> paths;
  if (build_id.size() > 1) {
    const std::string hex = absl::BytesToHexString(build_id);
    paths.push_back(
        absl::StrCat(kDebugRoot, "/.build-id/", hex.substr(0, 2), "/", hex.substr(2), ".debug"));
  }
  // A link with a slash is the path of a file shared by several debug files (dwz), which
  // libdw finds by itself when it needs it.
  if (debuglink == nullptr || std::strchr(debuglink, '/') != nullptr) return paths;
  const std::string file = file_name == nullptr ? "" : file_name;
  const std::string directory = file.substr(0, file.rfind('/') + 1);
  if (directory.empty()) return paths;
  paths.push_back(absl::StrCat(directory, debuglink));
  paths.push_back(absl::StrCat(directory, ".debug/", debuglink));
  paths.push_back(absl::StrCat(kDebugRoot, directory, debuglink));
  return paths;
}

}  // namespace

void LetFindDebugFileAskServers() { ask_servers = true; }

int FindDebugFile(Dwfl_Module* module, void** userdata, const char* module_name, Dwarf_Addr base,
                  const char* file_name, const char* debuglink_file, GElf_Word debuglink_crc,
                  char** debuginfo_file_name) {
  // Without a build id nothing would tell the right debug file from a stale one.
  const std::string build_id = BuildIdOf(module);
  if (build_id.empty()) return -1;
  for (const std::string& path : Candidates(build_id, file_name, debuglink_file)) {
    UniqueFd file = OpenRegular(path);
    if (!file.valid() || lockwarden::BuildIdOf(file.get()) != build_id) continue;
    *debuginfo_file_name = strdup(path.c_str());
    return file.release();
  }
  if (!ask_servers) return -1;
  return dwfl_standard_find_debuginfo(module, userdata, module_name, base, file_name,
                                      debuglink_file, debuglink_crc, debuginfo_file_name);
}

}  // namespace lockwarden

// See helper_text.h.
#include "watchdog/helper_text.h"

#include "absl/strings/str_cat.h"
#include "watchdog/finding_parts.h"

namespace lockwarden {

std::string Arrivals(const ModelNode& node) {
  if (node.mode != ledger::Mode::kArrive || node.wait == nullptr || node.wait->peer == 0) return "";
  return absl::StrCat(" (", node.arrived, " of ", node.wait->peer,
                      node.arrived == 1 ? " has" : " have", " come)");
}

std::string HelpersText(const ModelNode& node, std::string next) {
  const size_t more = node.helpers.size() - 1;
  const bool many = more > 0;
  if (many) absl::StrAppend(&next, " and ", Counted(more, "other"));
  if (node.mode == ledger::Mode::kArrive) {
    return absl::StrCat(", to which ", next, many ? " have" : " has", " not come");
  }
  const char* where = node.lock.kind == ledger::LockKind::kEvent ? " seen to set" : " seen at";
  return absl::StrCat(
      node.lock.kind == ledger::LockKind::kEvent ? ", which only " : ", whose other end only ",
      next, many ? " were" : " was", where);
}

}  // namespace lockwarden

// Copies page by page and skips what is zero; see ledger_copy.h.
#include "watchdog/ledger_copy.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/ledger.h"
#include "watchdog/file_write.h"

namespace lockwarden {
namespace {

constexpr uint64_t kPage = ledger::kPageSize;
// A `used` count that a broken program has overwritten could make us touch, and so
// allocate, all of a table. Up to here it is believed; beyond, only what is in memory.
constexpr uint64_t kBelieved = 16u << 20;

struct Result {
  uint64_t written = 0;
  uint64_t absent = 0;  // pages beyond kBelieved that were not in memory
};

bool IsIndex(uint32_t id) {
  return id == ledger::kLockIndex || id == ledger::kEdgeIndex || id == ledger::kStackIndex ||
         id == ledger::kClassIndex || id == ledger::kThreadEdgeIndex;
}

bool IsZero(const char* page, uint64_t size) {
  return page[0] == 0 && std::memcmp(page, page + 1, size - 1) == 0;
}

// Which pages of a range are in memory; all of them if the kernel will not say.
std::vector<unsigned char> Residency(const char* begin, uint64_t size) {
  std::vector<unsigned char> pages((size + kPage - 1) / kPage, 1);
  if (mincore(const_cast<char*>(begin), size, pages.data()) != 0) {
    std::fill(pages.begin(), pages.end(), 1);
  }
  return pages;
}

absl::Status CopyRange(const char* base, uint64_t begin, uint64_t end, int fd, Result* result) {
  std::vector<unsigned char> resident;
  if (end - begin > kBelieved) resident = Residency(base + begin, end - begin);
  char page[kPage];
  for (uint64_t at = begin; at < end; at += kPage) {
    if (at - begin >= kBelieved && (resident[(at - begin) / kPage] & 1) == 0) {
      ++result->absent;
      continue;
    }
    const uint64_t size = std::min(kPage, end - at);
    // Copied first: the program goes on writing, and a page must not turn from zero to
    // something, or the other way, between the look and the write.
    std::memcpy(page, base + at, size);
    if (IsZero(page, size)) continue;
    if (absl::Status status = WriteAt(fd, page, size, at); !status.ok()) return status;
    result->written += size;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CopyLedger(const void* base, uint64_t size, int fd, std::string* summary) {
  const char* bytes = static_cast<const char*>(base);
  if (size < kPage) return absl::InternalError("the ledger is too small to be one");
  if (!FileSizeAllowed(size)) return ErrnoStatus("RLIMIT_FSIZE", EFBIG);
  if (ftruncate(fd, static_cast<off_t>(size)) != 0) return ErrnoStatus("ftruncate", errno);
  Result header_result;
  if (absl::Status s = CopyRange(bytes, 0, kPage, fd, &header_result); !s.ok()) return s;
  const auto* header = static_cast<const ledger::Header*>(base);
  for (uint32_t id = 0; id < ledger::kTableCount; ++id) {
    const ledger::TableDirectoryEntry& entry = header->tables[id];
    const uint64_t offset = entry.offset, record_size = entry.record_size;
    const uint64_t capacity = entry.capacity;
    // Relaxed: a copy of a living ledger is as torn as any snapshot, and readers of the
    // file check every record as they do in the segment.
    const uint64_t used = std::min<uint64_t>(entry.used.load(std::memory_order_relaxed), capacity);
    absl::StrAppend(summary, ledger::TableName(static_cast<ledger::TableId>(id)), " offset=",
                    offset, " record_size=", record_size, " used=", used);
    // No overflow: both factors have 32 bits.
    if (offset % kPage != 0 || offset > size || record_size * capacity > size - offset) {
      absl::StrAppend(summary, " left out: does not fit into the segment\n");
      continue;
    }
    if (IsIndex(id)) {
      absl::StrAppend(summary, " left out: an index, not needed to read the others\n");
      continue;
    }
    Result result;
    absl::Status status =
        CopyRange(bytes, offset, offset + used * record_size, fd, &result);
    if (!status.ok()) return status;
    absl::StrAppend(summary, " written=", result.written);
    if (result.absent > 0) {
      absl::StrAppend(summary, " pages left out, not in memory: ", result.absent);
    }
    summary->push_back('\n');
  }
  return absl::OkStatus();
}

}  // namespace lockwarden

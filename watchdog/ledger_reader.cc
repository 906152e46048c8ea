// LedgerReader: mapping and checking a ledger.
//
// The directory is copied once, in Check, and never read again: what was checked is
// what is used.
//
// Must never: write, or use an offset or a capacity that was not checked.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "watchdog/snapshot.h"

namespace lockwarden {
namespace {

using ledger::Header;
using ledger::PackedRef;
using ledger::TableId;
using ledger::ThreadRecord;
using ledger::ThreadState;

uint32_t RecordSizeOf(TableId id) {
  switch (id) {
    case ledger::kThreads: return sizeof(ThreadRecord);
    case ledger::kLocks: return sizeof(ledger::LockRecord);
    case ledger::kClasses: return sizeof(ledger::LockClassRecord);
    case ledger::kEdges:
    case ledger::kThreadEdges: return sizeof(ledger::OrderEdge);
    case ledger::kWitnesses: return sizeof(ledger::OrderWitness);
    case ledger::kModules: return sizeof(ledger::ModuleRecord);
    case ledger::kHeartbeats: return sizeof(ledger::HeartbeatRecord);
    case ledger::kMisuse: return sizeof(ledger::MisuseRecord);
    case ledger::kThreadLives: return sizeof(ledger::ThreadLife);
    case ledger::kNames: return 1;
    case ledger::kLockIndex:
    case ledger::kEdgeIndex:
    case ledger::kThreadEdgeIndex:
    case ledger::kStackIndex:
    case ledger::kClassIndex:
    case ledger::kStacks: return sizeof(uint64_t);
    case ledger::kTableCount: break;
  }
  return 0;
}

std::string FixedString(const char* text, size_t size) {
  return std::string(text, strnlen(text, size));
}

// Acquire: pairs with whichever store of the writer's published the value (P2, P5, P6,
// T2); a plain statistic needs none and gets it all the same.
template <class T>
T Load(const std::atomic<T>& value) {
  return value.load(std::memory_order_acquire);  // as above
}

}  // namespace

absl::StatusOr<std::unique_ptr<LedgerReader>> LedgerReader::FromDescriptor(int fd) {
  struct Closer {
    int fd;
    ~Closer() { close(fd); }
  } closer{fd};
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ledger is not a memfd: ", std::strerror(errno)));
  }
  if ((seals & F_SEAL_SHRINK) == 0) {
    return absl::InvalidArgumentError("the ledger is not sealed against shrinking");
  }
  struct stat status {};
  if (fstat(fd, &status) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ledger's size cannot be read: ", std::strerror(errno)));
  }
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  if (size < ledger::kPageSize) {
    return absl::InvalidArgumentError(absl::StrCat("the ledger has only ", size, " bytes"));
  }
  void* base = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ledger cannot be mapped: ", std::strerror(errno)));
  }
  std::unique_ptr<LedgerReader> reader(new LedgerReader);
  reader->base_ = static_cast<const char*>(base);
  reader->size_ = size;
  reader->owned_ = true;
  if (absl::Status status_of_check = reader->Check(); !status_of_check.ok()) {
    return status_of_check;
  }
  return reader;
}

absl::StatusOr<std::unique_ptr<LedgerReader>> LedgerReader::FromMemory(const void* base,
                                                                       uint64_t size) {
  if (base == nullptr || reinterpret_cast<uint64_t>(base) % alignof(ThreadRecord) != 0) {
    return absl::InvalidArgumentError("the ledger is not aligned");
  }
  std::unique_ptr<LedgerReader> reader(new LedgerReader);
  reader->base_ = static_cast<const char*>(base);
  reader->size_ = size;
  if (absl::Status status = reader->Check(); !status.ok()) return status;
  return reader;
}

LedgerReader::~LedgerReader() {
  if (owned_) munmap(const_cast<char*>(base_), size_);
}

const Header& LedgerReader::header() const { return *reinterpret_cast<const Header*>(base_); }

absl::Status LedgerReader::Check() {
  if (size_ < std::max<uint64_t>(sizeof(Header), ledger::kPageSize)) {
    return absl::InvalidArgumentError(absl::StrCat("the ledger has only ", size_, " bytes"));
  }
  const Header& h = header();
  if (std::memcmp(h.magic, ledger::kMagic, sizeof(h.magic)) != 0) {
    return absl::InvalidArgumentError("not a ledger: the magic is missing");
  }
  if (h.layout_version != ledger::kLayoutVersion) {
    return absl::InvalidArgumentError(absl::StrCat("the ledger has layout version ",
                                                   h.layout_version, "; this reader knows version ",
                                                   ledger::kLayoutVersion));
  }
  if (h.header_size != sizeof(Header) || h.table_count != ledger::kTableCount ||
      h.total_size > size_) {
    return absl::InvalidArgumentError("the ledger's header makes no sense");
  }
  for (uint32_t i = 0; i < ledger::kTableCount; ++i) {
    const auto id = static_cast<TableId>(i);
    const TableView view{h.tables[i].offset, h.tables[i].record_size, h.tables[i].capacity};
    // Products of two 32-bit numbers: no overflow in 64 bits.
    const uint64_t bytes = uint64_t{view.record_size} * view.capacity;
    if (view.record_size != RecordSizeOf(id) || view.offset % ledger::kPageSize != 0 ||
        view.offset < ledger::kPageSize || view.offset > size_ || bytes > size_ - view.offset) {
      return absl::InvalidArgumentError(
          absl::StrCat("the ledger's table of ", ledger::TableName(id), " makes no sense"));
    }
    tables_[i] = view;
  }
  identity_.image_id[0] = h.image_id[0];
  identity_.image_id[1] = h.image_id[1];
  identity_.ledger_pid = h.pid;
  identity_.parent_pid = h.parent_pid;
  identity_.start_ticks = h.process_start_ticks;
  identity_.clock_monotonic_ns = h.clock_monotonic_ns;
  identity_.clock_realtime_ns = h.clock_realtime_ns;
  identity_.flags = h.flags;
  identity_.program = FixedString(h.program, sizeof(h.program));
  if (identity_.program.empty()) identity_.program = FixedString(h.comm, sizeof(h.comm));
  return absl::OkStatus();
}

uint32_t LedgerReader::Used(TableId id) const {
  return std::min(Load(header().tables[id].used), tables_[id].capacity);
}

bool LedgerReader::IsLock(PackedRef ref) const {
  return ledger::IndexOf(ref) < Used(ledger::kLocks);
}

bool LedgerReader::IsThread(PackedRef ref) const {
  const uint32_t serial = ledger::SerialIn(ledger::IndexOf(ref));
  return serial != 0 && serial < Load(header().next_thread_serial) &&
         ref == ledger::ThreadRef(serial);
}

}  // namespace lockwarden

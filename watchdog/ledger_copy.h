// The black box: a ledger's segment saved as a sparse file, from which `lockwarden report`
// reads what a LedgerReader does.
//
// Thread safety: no state. Must never: read what the program has not used. The segment is
// hundreds of megabytes of which most were never touched, and touching them, even to
// read, would allocate them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace lockwarden {

// Writes the segment at `base` into `fd`, an empty file opened for writing: the header and
// of each table the records handed out. Index tables are left as holes: readers do not use
// them. The directory in the header is not believed: a table that does not fit into the
// segment is left out.
// *summary gets one line a table: name, offset, record size, records, and bytes written or
// why there are none.
// Errors: kResourceExhausted when the disk, a quota or RLIMIT_FSIZE has no room; kInternal.
absl::Status CopyLedger(const void* base, uint64_t size, int fd, std::string* summary);

}  // namespace lockwarden

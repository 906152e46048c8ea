// The JSON behind the status page; docs/api.md says what each member means.
//
// Pure functions. Strings that are not UTF-8 are mended, never thrown about.
#pragma once

#include <string>

#include "exporter/metric_table.h"

namespace lockwarden {

// Why /livez fails: a deadlock that is proven and whose process still runs, or a quorum of
// heartbeats that stay away. Empty: it does not.
std::string WhyNotLive(const PageSource& source);

// /api/v1/status: one object.
std::string StatusJson(const PageSource& source);

}  // namespace lockwarden

// The other side of HttpServer::OpenAbstract: which supervisors there are on this host, and a
// GET to one of them.
//
// Thread safety: no state. Blocks for at most some seconds; never called by a thread that answers
// requests. Must never: trust who has only the right name.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lockwarden {

// The name in the abstract namespace of who answers: PREFIX UID "/" PID "/" START, so that a pid
// that is used again is another name. START as ProcessStat::start_ticks has it.
std::string LocalName(uid_t uid, pid_t pid, uint64_t start_ticks);
std::string OwnLocalName();

struct LocalServer {
  std::string name;
  uid_t uid = 0;
  pid_t pid = 0;
};
// Those of this user, or of all if we are root: at most `most`, our own first, and of one user at
// most a quarter of them; only those that really are run by whom their name says. They share our network
// namespace: what runs in a container with one of its own is not seen.
std::vector<LocalServer> FindLocalServers(size_t most);
// The names among the lines of /proc/net/unix, by pid. Pure.
std::vector<LocalServer> ParseLocalServers(const std::string& lines, uid_t user);
// See FindLocalServers. Pure.
std::vector<LocalServer> ShareOut(std::vector<LocalServer> servers, uid_t user, size_t most);

// The body of the answer, if its status is 200 and the server is run by the user that its name
// says; else empty.
// `most`: bytes; a longer answer is none.
std::string LocalGet(const LocalServer& server, const std::string& path, size_t most);

}  // namespace lockwarden

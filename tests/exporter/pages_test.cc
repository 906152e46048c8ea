// What is answered at which path, without a socket.
#include "exporter/pages.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "nlohmann/json.hpp"

namespace lockwarden {
namespace {

class PagesTest : public testing::Test {
 protected:
  PagesTest() {
    watch_.program = "server";
    watch_.program_running = true;
    watch_.interposer_active = true;
    live_.time_seconds = 100;
    live_.processes.push_back({.pid = 7, .program = "server", .is_program = true});
    live_.locks.push_back({.pid = 7, .label = "mutex 1", .kind = "mutex", .lock_class = "f x.c:1"});
    LiveThread thread;
    thread.pid = 7;
    thread.tid = 8;
    thread.name = "<script>";
    thread.waits = thread.has_lock = true;
    thread.holds.push_back({.lock = 0, .mode = "exclusive", .since_seconds = 90, .where = "f"});
    live_.threads.push_back(thread);
  }
  void AddDeadlock(const std::string& confidence) {
    auto finding = std::make_shared<ShownFinding>();
    finding->number = 3;
    finding->kind = "deadlock";
    finding->confidence = confidence;
    finding->headline = "DEADLOCK: <b>2</b> threads";
    finding->pid = 7;
    finding->text = "lockwarden: DEADLOCK & more\n";
    finding->json = "{}";
    finding->threads = {{7, 8}};
    watch_.shown_findings.push_back(finding);
    watch_.deadlocked_threads = 1;
  }
  HttpResponse Get(const std::string& path) {
    const Pages pages([this] { return std::make_shared<const MetricsView>(watch_); },
                      [this] { return std::make_shared<const LiveView>(live_); }, "");
    return pages.Answer({.method = "GET", .path = path, .authorization = ""});
  }

  MetricsView watch_;
  LiveView live_;
};

TEST_F(PagesTest, LivezFailsOnlyOnAProvenDeadlockOfAProcessThatStillRuns) {
  EXPECT_EQ(Get("/livez").status, 200);
  AddDeadlock("likely");
  EXPECT_EQ(Get("/livez").status, 200);
  AddDeadlock("proven");
  EXPECT_EQ(Get("/livez").status, 503);
  EXPECT_NE(Get("/livez").body.find("DEADLOCK"), std::string::npos);
  live_.processes[0].pid = 9;  // restarted
  EXPECT_EQ(Get("/livez").status, 200);
}

TEST_F(PagesTest, LivezFailsOnAQuorumOfMissedHeartbeats) {
  watch_.stalled = true;
  EXPECT_EQ(Get("/livez").status, 503);
  EXPECT_NE(Get("/livez").body.find("heartbeats"), std::string::npos);
}

TEST_F(PagesTest, ReadyzFollowsTheProgramAndHealthzTheExporterAlone) {
  EXPECT_EQ(Get("/readyz").status, 200);
  watch_.interposer_active = false;
  EXPECT_EQ(Get("/readyz").status, 503);
  watch_.program_running = false;
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(PagesTest, StatusSaysWhoHoldsAndWaitsAndThatTheProgramDoesNotAnswer) {
  nlohmann::json status = nlohmann::json::parse(Get("/api/v1/status").body);
  EXPECT_EQ(status["not_answering"], "");
  EXPECT_EQ(status["threads"][0]["holds"][0]["lock"], 0);
  EXPECT_EQ(status["threads"][0]["deadlocked"], false);
  live_.processes[0].standing_still = true;
  status = nlohmann::json::parse(Get("/api/v1/status").body);
  EXPECT_EQ(status["not_answering"], "stopped");
  AddDeadlock("proven");
  status = nlohmann::json::parse(Get("/api/v1/status").body);
  EXPECT_EQ(status["not_answering"], "deadlocked");
  EXPECT_EQ(status["threads"][0]["deadlocked"], true);
  EXPECT_EQ(status["incidents"][0]["number"], 3);
}

TEST_F(PagesTest, StringsThatAreNotUtf8AreMended) {
  live_.threads[0].name = "\xff\xfe";
  EXPECT_TRUE(nlohmann::json::accept(Get("/api/v1/status").body));
}

TEST_F(PagesTest, AnIncidentIsAPageOfItsOwnAndWhatTheProgramNamedCannotBecomeMarkup) {
  AddDeadlock("proven");
  const HttpResponse page = Get("/incidents/3");
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(page.body.find("DEADLOCK &amp; more"), std::string::npos);
  EXPECT_EQ(page.body.find("<b>"), std::string::npos);
  EXPECT_EQ(page.body.find("{{"), std::string::npos);
  EXPECT_EQ(Get("/api/v1/incidents/3").body, "{}\n");
  for (const char* path :
       {"/incidents/4", "/incidents/x", "/incidents/../3", "/api/v1/incidents/"}) {
    EXPECT_EQ(Get(path).status, 404) << path;
  }
}

TEST_F(PagesTest, ThePageNeedsNothingFromElsewhere) {
  for (const char* path : {"/", "/page.css", "/page.js", "/graph.js"}) {
    const HttpResponse file = Get(path);
    EXPECT_EQ(file.status, 200) << path;
    std::string text = file.body;
    // Names of XML namespaces are not fetched.
    for (size_t at; (at = text.find("http://www.w3.org/")) != text.npos;) text.erase(at, 18);
    EXPECT_EQ(text.find("http://"), text.npos) << path;
    EXPECT_EQ(text.find("https://"), text.npos) << path;
    EXPECT_EQ(text.find("innerHTML"), text.npos) << path;
  }
}

}  // namespace
}  // namespace lockwarden

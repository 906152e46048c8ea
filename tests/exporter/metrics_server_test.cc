// The server as the supervisor uses it, over real sockets on 127.0.0.1.
#include "watchdog/metrics_server.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "tests/exporter/http_client.h"

namespace lockwarden {
namespace {

class MetricsServerTest : public testing::Test {
 protected:
  void Start() {
    server_ = MakeMetricsServer(&board_);
    const absl::Status status = server_->Start("127.0.0.1:0");
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_NE(server_->port(), 0);
  }
  std::string ScrapeIt() { return Scrape(server_->port()); }

  MetricsBoard board_;
  std::unique_ptr<MetricsServer> server_;
};

TEST_F(MetricsServerTest, AnswersBeforeAnythingWasPublished) {
  Start();
  EXPECT_EQ(SampleOn(ScrapeIt(), "lockwarden_deadlocks_total{kind=\"deadlock\"}"), "0");
}

TEST_F(MetricsServerTest, ServesTheLatestViewAndLargeCountersExactly) {
  Start();
  MetricsView view;
  view.lock_acquisitions = 9'007'199'254'740'991;  // 2^53 - 1
  board_.Publish(view);
  EXPECT_EQ(SampleOn(ScrapeIt(),
                     "lockwarden_lock_acquisitions_total{lock_class=\"other\",mode=\"exclusive\"}"),
            "9007199254740991");
  view.deadlocks["deadlock"] = 1;
  board_.Publish(view);
  EXPECT_EQ(SampleOn(ScrapeIt(), "lockwarden_deadlocks_total{kind=\"deadlock\"}"), "1");
}

TEST_F(MetricsServerTest, PromtoolFindsNothingToComplainAbout) {
  ASSERT_STRNE(PROMTOOL, "") << "promtool is in Debian's package prometheus";
  Start();
  // Twice: the families that prometheus-cpp adds are filled by the first scrape.
  ASSERT_NE(ScrapeIt(), "");
  const std::string page = ScrapeIt();
  ASSERT_NE(page, "");
  FILE* promtool = popen(PROMTOOL " check metrics 2>&1 >&2", "w");
  ASSERT_NE(promtool, nullptr);
  EXPECT_EQ(fwrite(page.data(), 1, page.size(), promtool), page.size());
  EXPECT_EQ(pclose(promtool), 0) << page;
}

TEST_F(MetricsServerTest, AStuckPublisherDoesNotBlackOutAScrape) {
  Start();
  absl::Notification published, release;
  std::thread publisher([&] {
    MetricsView view;
    view.deadlocked_threads = 2;
    board_.Publish(view);
    published.Notify();
    release.WaitForNotification();
  });
  published.WaitForNotification();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(SampleOn(ScrapeIt(), "lockwarden_deadlocked_threads"), "2");
  }
  release.Notify();
  publisher.join();
}

TEST_F(MetricsServerTest, IdleConnectionsDoNotBlackOutAScrape) {
  Start();
  // More than there are places: the one that has been silent longest gives way.
  for (const int idle_count : {2, 100}) {
    std::vector<std::unique_ptr<Connection>> idle;
    for (int i = 0; i < idle_count; ++i) {
      idle.push_back(std::make_unique<Connection>(server_->port()));
      ASSERT_TRUE(idle.back()->ok());
    }
    EXPECT_NE(SampleOn(ScrapeIt(), "lockwarden_program_up"), "") << idle_count;
  }
}

TEST_F(MetricsServerTest, ClientsThatDoNotReadDoNotBlackOutAScrape) {
  Start();
  MetricsView view;  // a page larger than what sockets hold
  for (int i = 0; i < 100'000; ++i) view.misuse["kind_" + std::to_string(i)] = 1;
  board_.Publish(view);
  std::vector<std::unique_ptr<Connection>> slow;
  for (int i = 0; i < 5; ++i) {
    slow.push_back(std::make_unique<Connection>(server_->port()));
    ASSERT_TRUE(slow.back()->Send("GET /metrics HTTP/1.1\r\n\r\n"));
  }
  board_.Publish(MetricsView{});
  EXPECT_NE(SampleOn(ScrapeIt(), "lockwarden_program_up"), "");
}

TEST_F(MetricsServerTest, FiftyScrapersAmongIdleClientsAllGetAWholePage) {
  Start();
  std::vector<std::string> pages(50);
  std::vector<std::thread> scrapers;
  for (std::string& page : pages) {
    scrapers.emplace_back([this, &page] { page = ScrapeIt(); });
  }
  // Who has only just been accepted is not idle.
  std::vector<std::unique_ptr<Connection>> idle;
  for (int i = 0; i < 100; ++i) idle.push_back(std::make_unique<Connection>(server_->port()));
  for (int i = 0; i < 100; ++i) board_.Publish(MetricsView{});
  for (std::thread& scraper : scrapers) scraper.join();
  for (const std::string& page : pages) {
    // The first and the last family of the table.
    EXPECT_NE(SampleOn(page, "lockwarden_deadlocks_total{kind=\"deadlock\"}"), "");
    EXPECT_NE(page.find("lockwarden_build_info{"), page.npos);
  }
}

TEST_F(MetricsServerTest, WhoDoesNotKnowThePasswordGetsHealthOnly) {
  server_ = MakeMetricsServer(&board_);
  server_->Protect("scraper:s3cret");
  ASSERT_TRUE(server_->Start("127.0.0.1:0").ok());
  const auto status_of = [this](const std::string& path, const std::string& header) {
    Connection connection(server_->port());
    connection.Send("GET " + path + " HTTP/1.1\r\n" + header + "\r\n");
    return connection.ReceiveUntilClosed().substr(0, 12);
  };
  for (const char* path : {"/metrics", "/", "/api/v1/status", "/incidents/1", "/page.js"}) {
    EXPECT_EQ(status_of(path, ""), "HTTP/1.1 401") << path;
    EXPECT_EQ(status_of(path, "Authorization: Basic c2NyYXBlcjp3cm9uZw==\r\n"), "HTTP/1.1 401");
  }
  EXPECT_EQ(status_of("/metrics", "authorization: Basic c2NyYXBlcjpzM2NyZXQ=\r\n"), "HTTP/1.1 200");
  EXPECT_EQ(status_of("/healthz", ""), "HTTP/1.1 200");
}

TEST_F(MetricsServerTest, WhatIsNoRequestIsRefusedAndHeadHasNoBody) {
  Start();
  const auto answer_to = [this](const std::string& request) {
    Connection connection(server_->port());
    EXPECT_TRUE(connection.Send(request));
    return connection.ReceiveUntilClosed();
  };
  EXPECT_EQ(answer_to("nonsense\r\n\r\n").substr(0, 12), "HTTP/1.1 400");
  EXPECT_EQ(answer_to("POST /metrics HTTP/1.1\r\n\r\n").substr(0, 12), "HTTP/1.1 405");
  EXPECT_EQ(answer_to("GET /" + std::string(9000, 'a')).substr(0, 12), "HTTP/1.1 431");
  EXPECT_EQ(answer_to("GET /nothing HTTP/1.1\r\n\r\n").substr(0, 12), "HTTP/1.1 404");
  const std::string head = answer_to("HEAD /metrics HTTP/1.1\r\n\r\n");
  EXPECT_EQ(head.substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(head.substr(head.size() - 4), "\r\n\r\n");
}

TEST_F(MetricsServerTest, ATakenPortIsUnavailableAndSaysSoAndCanBeTriedAgain) {
  Start();
  const std::string address = "127.0.0.1:" + std::to_string(server_->port());
  std::unique_ptr<MetricsServer> second = MakeMetricsServer(&board_);
  const absl::Status status = second->Start(address);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "metrics cannot be served on " + address + ": Address already in use");
  EXPECT_FALSE(second->running());
  EXPECT_EQ(second->port(), 0);

  server_.reset();
  const absl::Status again = second->Start(address);
  ASSERT_TRUE(again.ok()) << again;
  EXPECT_TRUE(second->running());
  EXPECT_NE(Scrape(second->port()), "");
}

TEST_F(MetricsServerTest, StartsAgainOnTheSamePortRightAfterScrapes) {
  Start();
  const int port = server_->port();
  ASSERT_NE(ScrapeIt(), "");
  for (int i = 0; i < 3; ++i) {
    server_.reset();
    EXPECT_EQ(Scrape(port), "");
    server_ = MakeMetricsServer(&board_);
    const absl::Status status = server_->Start("127.0.0.1:" + std::to_string(port));
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(server_->port(), port);
    ASSERT_NE(ScrapeIt(), "");
  }
}

TEST_F(MetricsServerTest, AnAddressThatMakesNoSenseIsInvalid) {
  server_ = MakeMetricsServer(&board_);
  EXPECT_EQ(server_->Start("nowhere").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(server_->running());
}

TEST_F(MetricsServerTest, AnAddressOfAnotherMachineIsUnavailable) {
  server_ = MakeMetricsServer(&board_);
  const absl::Status status = server_->Start("192.0.2.1:9464");  // reserved for documents
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("Cannot assign requested address"), std::string::npos) << status;
}

TEST_F(MetricsServerTest, Ipv6IsServedWhereTheMachineHasIt) {
  server_ = MakeMetricsServer(&board_);
  const absl::Status status = server_->Start("[::1]:0");
  if (status.ok()) {
    EXPECT_NE(server_->port(), 0);
  } else {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  }
}

TEST_F(MetricsServerTest, ASecondStartIsRefusedAndTheFirstGoesOn) {
  Start();
  EXPECT_EQ(server_->Start("127.0.0.1:0").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(ScrapeIt(), "");
}

}  // namespace
}  // namespace lockwarden

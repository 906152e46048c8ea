// Rules files: what they say, what is wrong with them, and which order edges break them.
#include "watchdog/order_rules.h"

#include <gtest/gtest.h>

#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

OrderRules Parsed(absl::string_view text) {
  auto rules = OrderRules::Parse(text, "test.rules");
  EXPECT_TRUE(rules.ok()) << rules.status();
  return rules.ok() ? *std::move(rules) : OrderRules();
}

int LineBroken(const OrderRules& rules, const std::string& wanted, const std::string& held) {
  const auto broken = rules.Broken({wanted}, {held});
  return broken.empty() ? 0 : broken.front().line;
}

TEST(OrderRulesTest, EachLineOrdersNamesAndTheyReachAlongOthers) {
  const OrderRules rules = Parsed(
      "# what comes first\n"
      "\n"
      "order a before b before c   # a chain\n"
      "order \"audit log\" before cache.cc:41\n"
      "order c before d\n"
      "order a before d\n");
  EXPECT_EQ(LineBroken(rules, "a", "b"), 3);
  EXPECT_EQ(LineBroken(rules, "a", "c"), 3);
  EXPECT_EQ(LineBroken(rules, "b", "d"), 3);
  EXPECT_EQ(LineBroken(rules, "c", "d"), 5);
  EXPECT_EQ(LineBroken(rules, "audit log", "cache.cc:41"), 4);
  EXPECT_EQ(LineBroken(rules, "b", "a"), 0);
  EXPECT_EQ(LineBroken(rules, "d", "a"), 0);
  EXPECT_EQ(LineBroken(rules, "a", "cache.cc:41"), 0);
  EXPECT_EQ(LineBroken(rules, "a", "a"), 0);
  EXPECT_TRUE(Parsed("").empty());
}

TEST(OrderRulesTest, ErrorsNameTheLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"order a before b\norder a after b\n",
       "test.rules:2: must be 'order A before B', is 'order a after b'"},
      {"order a\n", "test.rules:1: must be 'order A before B', is 'order a'"},
      {"\n\n  rank a 3", "test.rules:3: must be 'order A before B', is 'rank a 3'"},
      {"order a before", "test.rules:1: must be 'order A before B', is 'order a before'"},
      {"order \"a before b\n", "test.rules:1: the quote is never closed"},
      {"order \"\" before b\n", "test.rules:1: a name is empty"},
      {"order a before a\n", "test.rules:1: 'a' before itself"},
      {"order a before b\norder b before c\norder c before a\n",
       "test.rules:3: 'c' before 'a' contradicts line 1"},
  };
  for (const auto& [text, error] : cases) {
    const auto rules = OrderRules::Parse(text, "test.rules");
    ASSERT_FALSE(rules.ok()) << text;
    EXPECT_EQ(rules.status().message(), error);
  }
  EXPECT_EQ(OrderRules::Load("/nowhere/rules").status().message(),
            "cannot read /nowhere/rules: No such file or directory");
}

class RuleWatchTest : public testing::Test {
 protected:
  RuleWatchTest() {
    thread_ = scene_.Thread("one");
    a_ = scene_.Mutex();
    b_ = scene_.Mutex();
    scene_.book.lock(a_).name = scene_.book.AddName("alpha");
    scene_.resolver.names[scene_.AddressOf(b_) + 1] = "beta";  // the variable
  }
  void Seen(Scene::Ref from, Scene::Ref to, uint64_t to_site, uint8_t to_bits = 0) {
    ledger::OrderWitness witness;
    witness.thread_serial = scene_.SerialOf(thread_);
    witness.from_mode = static_cast<uint8_t>(ledger::Mode::kExclusive);
    witness.to_mode = witness.from_mode | to_bits;
    witness.from_site = 0x4011;
    witness.to_site = to_site;
    scene_.book.AddEdge(from, to, {witness});
  }
  // What two looks and the end say under these rules.
  std::vector<Finding> Judge(const OrderRules& rules) {
    const auto reader = scene_.book.Reader();
    ProcessJudge judge(reader.get(), &scene_.kernel, &scene_.resolver, 1,
                       {.predict = false, .rules = &rules});
    std::vector<Finding> all = judge.Step(Scene::kStart);
    EXPECT_TRUE(all.empty());  // names may still come
    for (Finding& finding : judge.Step(Scene::kStart + 1)) all.push_back(std::move(finding));
    for (Finding& finding : judge.Finish(Scene::kStart + 2)) all.push_back(std::move(finding));
    return all;
  }
  Scene scene_;
  uint32_t thread_;
  Scene::Ref a_, b_;
};

TEST_F(RuleWatchTest, AnEdgeAgainstARuleIsToldOnceForItsSites) {
  Seen(b_, a_, 0x4012);
  Seen(a_, b_, 0x4014);
  scene_.book.AddEdge(b_, a_, {});
  const auto findings = Judge(Parsed("order alpha before beta\n"));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kOrderViolation);
  EXPECT_EQ(findings[0].headline,
            "LOCK-ORDER VIOLATION: thread 'one' (tid 100) takes \"alpha\" while it holds mutex 2 (beta)");
  EXPECT_EQ(findings[0].story[1], "The rule in test.rules:1 says: alpha before beta.");
  ASSERT_EQ(findings[0].threads.size(), 1u);
  EXPECT_EQ(findings[0].threads[0].stack[0].function, "f4012");
  EXPECT_EQ(findings[0].threads[0].holds[0].stack[0].function, "f4011");
}

TEST_F(RuleWatchTest, RulesThatReachAlongOthersAreToldFromLockToLock) {
  Seen(b_, a_, 0x4012);
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"order alpha before middle before beta\n",
            "The rule in test.rules:1 says: alpha before middle before beta."},
           {"order middle before beta\norder alpha before middle\n",
            "The rules in test.rules:1 and :2 say: alpha before middle before beta."}}) {
    const auto findings = Judge(Parsed(text));
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].story[1], why);
  }
}

TEST_F(RuleWatchTest, WhatKeepsTheRulesOrIsBoundedIsNotTold) {
  Seen(a_, b_, 0x4012);
  EXPECT_TRUE(Judge(Parsed("order alpha before beta\n")).empty());
  EXPECT_TRUE(Judge(Parsed("order other before alpha\n")).empty());
  EXPECT_TRUE(Judge(OrderRules()).empty());
  Seen(b_, a_, 0x4013, ledger::kTimed);
  EXPECT_TRUE(Judge(Parsed("order alpha before beta\n")).empty());
}

TEST_F(RuleWatchTest, LocksAreKnownByWhereTheyWereMadeAsWell) {
  scene_.book.lock(a_).init_stack = scene_.book.AddStack({0x4029});
  Seen(b_, a_, 0x4012);
  EXPECT_EQ(Judge(Parsed("order file.cc:41 before beta\n")).size(), 1u);
  EXPECT_EQ(Judge(Parsed("order /src/file.cc:41 before beta\n")).size(), 1u);
  EXPECT_EQ(Judge(Parsed("order f4029 before beta\n")).size(), 1u);
  EXPECT_EQ(Judge(Parsed("order file.cc:42 before beta\n")).size(), 0u);
}

}  // namespace
}  // namespace lockwarden

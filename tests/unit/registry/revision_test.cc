// SPDX-License-Identifier: Apache-2.0
#include "registry/revision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/unit/registry/definitions_fixture.h"

namespace freshline::registry {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RevisionTest : public ::testing::Test {
 protected:
  RevisionTest() : revision_(*ParseDefinitions(kSound, "sound")) {}

  absl::StatusOr<std::shared_ptr<const QueryPlan>> Plan(
      std::vector<std::string> references) {
    return revision_->PlanReferences(references);
  }

  std::shared_ptr<const Revision> revision_;
};

TEST_F(RevisionTest, FindsByName) {
  EXPECT_EQ(revision_->FindService("home")->name, "home");
  EXPECT_EQ(revision_->FindService("hom"), nullptr);
  EXPECT_EQ(revision_->FindSource("visits"), &revision_->sources()[1]);
  EXPECT_EQ(revision_->FindSource("visit"), nullptr);
  EXPECT_EQ(revision_->FindSourceIndex("visits"), 1u);
  EXPECT_EQ(revision_->FindSourceIndex("visit"), std::nullopt);
  EXPECT_EQ(revision_->group(base::GroupId{2}).name, "next");
  EXPECT_EQ(revision_->groups()[2].FindFeature("scores"), 1u);
  EXPECT_EQ(revision_->groups()[2].FindFeature("score"), std::nullopt);
  EXPECT_EQ(revision_->sources()[0].FindColumn("colour"), std::nullopt);
}

TEST_F(RevisionTest, PlansKeepTheOrderAskedFor) {
  const auto plan =
      Plan({"next:scores", "visits:count", "next:items", "activity:*"});
  ASSERT_THAT(plan, IsOk());
  EXPECT_THAT((*plan)->names,
              ElementsAre("next:scores", "visits:count", "next:items",
                          "activity:spent", "activity:brands"));
  EXPECT_THAT((*plan)->groups, ElementsAre(base::GroupId{2}, base::GroupId{3},
                                           base::GroupId{0}));
  EXPECT_THAT((*plan)->group_index, ElementsAre(0, 1, 0, 2, 2));
  EXPECT_THAT((*plan)->entities, ElementsAre(0, 1));
  EXPECT_EQ((*plan)->features[0].feature, 1u);
  EXPECT_EQ((*plan)->features[0].group, base::GroupId{2});
}

TEST_F(RevisionTest, PlansOfReferencesHaveAFlowAndBudgetOfTheirOwn) {
  const auto plan = Plan({"visits:count"});
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(revision_->adhoc_flow(), base::FlowId{2});
  EXPECT_EQ((*plan)->flow, revision_->adhoc_flow());
  EXPECT_EQ((*plan)->slo, kAdhocSlo);
  EXPECT_EQ((*plan)->budget_max, 10 * kAdhocSlo);
}

TEST_F(RevisionTest, UnknownReferencesAreNamedWithTheNearestKnown) {
  EXPECT_THAT(Plan({"visits:cuont"}),
              StatusIs(absl::StatusCode::kNotFound,
                       "\"visits:cuont\": feature group visits has no such "
                       "feature; did you mean \"count\"?"));
  EXPECT_THAT(Plan({"visit:count"}),
              StatusIs(absl::StatusCode::kNotFound,
                       "\"visit:count\": unknown feature group; did you mean "
                       "\"visits\"?"));
  EXPECT_THAT(Plan({"weather:*"}),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("; known are activity, embedding, next, "
                                 "visits")));
}

TEST_F(RevisionTest, MalformedReferencesAreRefused) {
  for (const char* reference :
       {"", ":", "visits", "visits:", ":count", "visits:count:x", "*"}) {
    EXPECT_THAT(Plan({reference}), StatusIs(absl::StatusCode::kInvalidArgument,
                                            HasSubstr("is not a reference")))
        << reference;
  }
  EXPECT_THAT(Plan({}), StatusIs(absl::StatusCode::kInvalidArgument,
                                 HasSubstr("no feature is asked for")));
}

TEST_F(RevisionTest, RepeatedReferencesAreRefused) {
  EXPECT_THAT(Plan({"visits:count", "visits:count"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("\"visits:count\" is repeated")));
  EXPECT_THAT(Plan({"next:scores", "next:*"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("\"next:*\" repeats \"next:scores\"")));
}

TEST_F(RevisionTest, HugeReferencesAreEchoedInPart) {
  const auto plan = Plan({std::string(1 << 20, 'x')});
  ASSERT_FALSE(plan.ok());
  EXPECT_LT(plan.status().message().size(), 400u);
}

}  // namespace
}  // namespace freshline::registry

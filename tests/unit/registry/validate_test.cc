// SPDX-License-Identifier: Apache-2.0
#include "registry/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/random.h"
#include "google/protobuf/text_format.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/registry/definitions_fixture.h"

namespace freshline::registry {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<const Revision> Sound() {
  auto revision = ParseDefinitions(kSound, "sound.textproto",
                                   {.number = 7, .adhoc_slo = kAdhocSlo});
  EXPECT_THAT(revision, IsOk());
  return *std::move(revision);
}

TEST(ValidateTest, NamesBecomePositions) {
  const auto revision = Sound();
  EXPECT_EQ(revision->number(), 7u);
  ASSERT_EQ(revision->entities().size(), 2u);
  EXPECT_EQ(revision->entities()[1].keys[0].type, Scalar::kString);
  ASSERT_EQ(revision->sources().size(), 2u);
  EXPECT_EQ(revision->sources()[1].entity, 1u);
  const Source* clicks = revision->FindSource("clicks");
  ASSERT_NE(clicks, nullptr);
  EXPECT_EQ(clicks->events_max, 100u);
  EXPECT_EQ(clicks->FindColumn("bought"), 3u);
  EXPECT_EQ(clicks->columns[4].type, Scalar::kTimestamp);
  const FeatureGroup& visits = revision->groups()[3];
  EXPECT_EQ(visits.id, base::GroupId{3});
  EXPECT_EQ(visits.source, 1u);
  EXPECT_EQ(visits.entity, 1u);
}

TEST(ValidateTest, WhatIsNotWrittenHasTheDocumentedDefault) {
  const auto revision = Sound();
  const Source* visits = revision->FindSource("visits");
  EXPECT_EQ(visits->events_max, 1000u);
  EXPECT_EQ(visits->retention, std::chrono::hours(48));
  EXPECT_EQ(visits->allowed_lateness, visits->retention);
  const FeatureGroup& group = revision->groups()[1];
  EXPECT_EQ(group.max_age, base::Duration::zero());
  EXPECT_EQ(group.staleness.kind, Staleness::Kind::kPendingShare);
  EXPECT_EQ(group.staleness.weight, 1);
  EXPECT_EQ(group.placement, Placement::kByCost);
  EXPECT_EQ(group.batch_max, 1u);
  EXPECT_FALSE(group.approximate.has_value());
  const auto& embedding = std::get<Embedding>(group.computation);
  EXPECT_EQ(embedding.last_events, 50u);
  EXPECT_EQ(embedding.decay, 0.4);
  const FeatureService* home = revision->FindService("home");
  EXPECT_EQ(home->weight, 1);
  EXPECT_EQ(home->plan->slo, std::chrono::milliseconds(30));
  EXPECT_EQ(home->plan->budget_max, std::chrono::milliseconds(300));
}

TEST(ValidateTest, WhatIsWrittenArrives) {
  const auto revision = Sound();
  const FeatureGroup& next = revision->groups()[2];
  EXPECT_EQ(next.placement, Placement::kScheduled);
  EXPECT_EQ(next.batch_max, 16u);
  EXPECT_EQ(next.staleness.kind, Staleness::Kind::kAge);
  EXPECT_EQ(next.staleness.weight, 0.5);
  ASSERT_TRUE(next.approximate.has_value());
  EXPECT_EQ(next.approximate->value, 0.6);
  EXPECT_EQ(next.max_age, std::chrono::hours(1));
  const auto& retrieval = std::get<Retrieval>(next.computation);
  EXPECT_EQ(retrieval.top, 7u);
  EXPECT_EQ(retrieval.item_column, 0u);
  EXPECT_EQ(retrieval.brand_column, 2u);
  EXPECT_EQ(retrieval.category_column, std::nullopt);
  EXPECT_EQ(next.features[1].output, RetrievalOutput::kScores);
  EXPECT_EQ(revision->item_tables()[0].path, "items.fltab");

  const Aggregate& sum = *revision->groups()[0].features[0].aggregate;
  EXPECT_EQ(sum.fn, Aggregate::Fn::kSum);
  EXPECT_EQ(sum.column, 1u);
  EXPECT_EQ(sum.over, std::chrono::hours(14 * 24));
  ASSERT_EQ(sum.filters.size(), 1u);
  EXPECT_EQ(sum.filters[0].column, 3u);
  EXPECT_EQ(sum.filters[0].op, Filter::Op::kEq);
  EXPECT_EQ(std::get<int64_t>(sum.filters[0].value.value), 1);
  const Aggregate& brands = *revision->groups()[0].features[1].aggregate;
  EXPECT_EQ(brands.fn, Aggregate::Fn::kLastN);
  EXPECT_EQ(brands.last_events, 9u);
  EXPECT_EQ(brands.n, 5u);
}

TEST(ValidateTest, TheDefaultRowHasDefaultsAndNotFound) {
  const auto revision = Sound();
  const FeatureGroup& group = revision->groups()[0];
  const RowView row(group.layout, group.default_row);
  EXPECT_EQ(row.status(0), ValueStatus::kDefaulted);
  EXPECT_EQ(row.Float64(0), 1.5);
  EXPECT_EQ(row.status(1), ValueStatus::kNotFound);
}

TEST(ValidateTest, ServicesHavePlansOverGroupsOfSeveralEntities) {
  const auto revision = Sound();
  const FeatureService* all = revision->FindService("all");
  ASSERT_NE(all, nullptr);
  EXPECT_EQ(all->flow, base::FlowId{1});
  EXPECT_EQ(all->plan->flow, base::FlowId{1});
  EXPECT_EQ(all->weight, 3);
  EXPECT_EQ(all->plan->budget_max, std::chrono::milliseconds(20));
  EXPECT_THAT(all->plan->names,
              ElementsAre("visits:count", "activity:spent", "activity:brands"));
  EXPECT_THAT(all->plan->groups,
              ElementsAre(base::GroupId{3}, base::GroupId{0}));
  EXPECT_THAT(all->plan->group_index, ElementsAre(0, 1, 1));
  EXPECT_THAT(all->plan->entities, ElementsAre(1, 0));
}

TEST(ValidateTest, RefusesWrongEntities) {
  for (const Fault& fault : {
           Fault{"name: \"user_id\" type: INT64", "name: \"user_id\"",
                 "entity[0].key[0].type: a join key is INT64 or STRING"},
           Fault{"name: \"user_id\" type: INT64",
                 "name: \"user_id\" type: FLOAT64",
                 "entity[0].key[0].type: a join key is INT64 or STRING"},
           Fault{"name: \"visitor\"", "name: \"shop\"",
                 "join key \"shop\" is already defined at x.textproto:5:9"},
           Fault{"key { name: \"user_id\" type: INT64 }", "",
                 "an entity has 1 to 4 join keys, not 0"},
       }) {
    ExpectRefused(fault);
  }
  ExpectRefused({"entity {\n  name: \"visit\"",
                 "entity { name: \"Extra\" key { name: \"k\" type: INT64 } }\n"
                 "entity {\n  name: \"visit\"",
                 "entity[1].name: \"Extra\" is not a name"});
  ExpectRefused({"entity {\n  name: \"visit\"",
                 "entity { name: \"x\""
                 " key { name: \"a\" type: INT64 }"
                 " key { name: \"b\" type: INT64 }"
                 " key { name: \"c\" type: INT64 }"
                 " key { name: \"d\" type: INT64 }"
                 " key { name: \"e\" type: INT64 } }\n"
                 "entity {\n  name: \"visit\"",
                 "an entity has 1 to 4 join keys, not 5"});
}

TEST(ValidateTest, RefusesWrongSources) {
  for (const Fault& fault : {
           Fault{"entity: \"user\" retention", "entity: \"usr\" retention",
                 "source[0].entity: unknown entity \"usr\"; did you mean "
                 "\"user\"?"},
           Fault{"entity: \"user\" retention", "retention",
                 "source[0].entity: is required"},
           Fault{"retention: \"2d\"", "",
                 "source[1].retention: is required: a duration"},
           Fault{"retention: \"30d\"", "retention: \"0s\"",
                 "\"0s\" must be longer than 0"},
           Fault{"retention: \"30d\"", "retention: \"30 days\"",
                 "\"30 days\" is not a duration"},
           Fault{"events_max: 100", "events_max: 0",
                 "source[0].events_max: is 0: it must be 1 to 100000"},
           Fault{"events_max: 100", "events_max: 100001",
                 "is 100001: it must be 1 to 100000"},
           Fault{"events_max: 100", "allowed_lateness: \"31d\"",
                 "\"31d\" is longer than the retention, 30d"},
           Fault{"events_max: 100", "durability: DURABLE",
                 "source[0].durability: DURABLE cannot be reached: there is "
                 "no storage yet"},
           Fault{"events_max: 100", "durability: 9",
                 "source[0].durability: 9 cannot be reached"},
           Fault{"name: \"shown_at\" type: TIMESTAMP", "name: \"shown_at\"",
                 "source[0].column[4].type: is required"},
           Fault{"name: \"shown_at\"", "name: \"item\"",
                 "column \"item\" is already defined at x.textproto:10:12"},
           Fault{"name: \"shown_at\"", "name: \"user_id\"",
                 "\"user_id\" is a join key of entity user"},
           Fault{"name: \"shown_at\" ", "", "every column needs a name"},
       }) {
    ExpectRefused(fault);
  }
}

TEST(ValidateTest, RefusesWrongItemTables) {
  ExpectRefused({"path: \"items.fltab\"", "", "item_table[0].path: is"});
  ExpectRefused({"path: \"items.fltab\" dim: 8", "path: \"x\"",
                 "item_table[0].dim: is 0: it must be 1 to 4096"});
}

TEST(ValidateTest, RefusesWrongGroups) {
  for (const Fault& fault : {
           Fault{"name: \"visits\" source: \"visits\"",
                 "name: \"visits\" source: \"visit\"",
                 "feature_group[3].source: unknown source \"visit\"; did you "
                 "mean \"visits\"?"},
           Fault{"name: \"visits\" source:",
                 "name: \"visits\" batch_max: 65 source:",
                 "feature_group[3].batch_max: is 65: it must be 1 to 64"},
           Fault{"name: \"visits\" source:",
                 "name: \"visits\" batch_max: 0 source:",
                 "batch_max: is 0: it must be 1 to 64"},
           Fault{"max_age: \"1h\"", "max_age: \"-1h\"",
                 "feature_group[2].max_age: \"-1h\" is not a duration"},
           Fault{"weight: 0.5", "weight: -0.5",
                 "feature_group[2].staleness.weight: is -0.5: it must be "
                 "finite and greater than 0"},
           Fault{"weight: 0.5", "weight: nan", "weight: is nan"},
           Fault{"value: 0.6", "value: 1",
                 "feature_group[2].approximate.value: 1 is not in [0, 1)"},
           Fault{"value: 0.6", "value: nan", "approximate.value: nan"},
           Fault{"kind: CO_VISITATION", "",
                 "feature_group[2].approximate.kind: is required"},
           Fault{"name: \"visits\" source:",
                 "name: \"visits\" approximate { kind: CO_VISITATION } source:",
                 "feature_group[3].approximate.kind: CO_VISITATION "
                 "approximates a retrieval"},
           Fault{"weight: 0.5", "weight: inf", "weight: is inf"},
           Fault{"kind: AGE", "kind: 9", "9 is none of PENDING_SHARE"},
           Fault{"placement: SCHEDULED", "placement: 9",
                 "9 is none of BY_COST, INLINE, SCHEDULED"},
           Fault{"name: \"brands\"", "name: \"spent\"",
                 "feature \"spent\" is already defined at x.textproto:21:5"},
           Fault{"type { list: STRING }", "",
                 "feature[1].type: is required: { scalar: INT64 }"},
           Fault{"type { list: STRING }", "type { list: 0 }",
                 "feature[1].type.list: is required"},
           Fault{"type { vector_dim: 8 }", "type { vector_dim: 4097 }",
                 "type.vector_dim: is 4097: it must be 1 to 4096"},
       }) {
    ExpectRefused(fault);
  }
  ExpectRefused({"feature_service {\n  name: \"home\"",
                 "feature_group { name: \"empty\" source: \"clicks\" }\n"
                 "feature_service {\n  name: \"home\"",
                 "feature_group[4]: has no feature: define at least one"});
}

TEST(ValidateTest, RefusesWrongServices) {
  for (const Fault& fault : {
           Fault{"slo: \"30ms\"", "", "feature_service[0].slo: is required"},
           Fault{"slo: \"30ms\"", "slo: \"0ms\"", "must be longer than 0"},
           Fault{"slo: \"30ms\"", "slo: \"61s\"",
                 "\"61s\" is longer than 1m, the longest allowed"},
           Fault{"budget_max: \"20ms\"", "budget_max: \"9ms\"",
                 "\"9ms\" is shorter than the slo, 10ms"},
           Fault{"budget_max: \"20ms\"", "budget_max: \"11m\"",
                 "\"11m\" is longer than 10m, the longest allowed"},
           Fault{"weight: 3", "weight: -3", "feature_service[1].weight: is -3"},
           Fault{"weight: 3", "weight: 0", "feature_service[1].weight: is 0"},
           Fault{"feature: \"activity:spent\"", "feature: \"activity:spend\"",
                 "feature_service[0].feature[1]: \"activity:spend\": feature "
                 "group activity has no such feature; did you mean "
                 "\"spent\"?"},
           Fault{"feature: \"activity:spent\"", "feature: \"actvity:spent\"",
                 "unknown feature group; did you mean \"activity\"?"},
           Fault{"feature: \"activity:spent\"", "feature: \"activity\"",
                 "\"activity\" is not a reference"},
           Fault{"feature: \"activity:spent\"", "feature: \"next:items\"",
                 "\"next:items\" is repeated"},
           Fault{"feature: \"next:*\" feature: \"activity:spent\"", "",
                 "feature_service[0]: asks for no feature"},
           Fault{"name: \"home\"", "name: \"all\"",
                 "feature service \"all\" is already defined at "},
       }) {
    ExpectRefused(fault);
  }
}

TEST(ValidateTest, AServiceHasAtMost256Features) {
  std::string text = absl::StrCat(
      kSound, "feature_group { name: \"wide\" source: \"clicks\"\n");
  for (int i = 0; i < 256; ++i) {
    absl::StrAppend(&text, "feature { name: \"f", i,
                    "\" type { scalar: INT64 } aggregate { fn: COUNT over: "
                    "\"1h\" } }\n");
  }
  absl::StrAppend(&text, "}\nfeature_service { name: \"wide\" slo: \"5ms\"\n");
  const auto service = [&](absl::string_view features) {
    return ParseDefinitions(absl::StrCat(text, features, "}"), "x").status();
  };
  EXPECT_THAT(service("feature: \"wide:*\""), IsOk());
  EXPECT_THAT(service("feature: \"wide:*\" feature: \"visits:count\""),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("makes more than 256 features")));
  EXPECT_THAT(service("feature: \"visits:count\" feature: \"wide:*\""),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("makes more than 256 features")));
}

TEST(ValidateTest, CountsOfDefinitionsAreBounded) {
  std::string text;
  for (uint32_t i = 0; i <= kEntitiesMax; ++i) {
    absl::StrAppend(&text, "entity { name: \"e", i,
                    "\" key { name: \"k\" type: INT64 } }\n");
  }
  EXPECT_THAT(ParseDefinitions(text, "x"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "x:65:1: entity[64]: is one too many: at most 64 are "
                       "allowed"));
}

TEST(ValidateTest, FilesAreOneSetWhateverTheirOrder) {
  const std::string text = kSound;
  const size_t cut = text.find("feature_group");
  std::vector<DefinitionFile> files(2);
  files[0].name = "later";
  files[1].name = "earlier";
  const auto parse = [](const std::string& from, DefinitionFile* file) {
    return google::protobuf::TextFormat::ParseFromString(from,
                                                         &file->definitions);
  };
  ASSERT_TRUE(parse(text.substr(cut), &files[0]));
  ASSERT_TRUE(parse(text.substr(0, cut), &files[1]));
  const auto revision = BuildRevision(files);
  ASSERT_THAT(revision, IsOk());
  EXPECT_EQ((*revision)->groups().size(), 4u);

  ASSERT_TRUE(parse(text, &files[1]));
  EXPECT_THAT(BuildRevision(files),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("earlier: feature_group[0].name: feature "
                                 "group \"activity\" is already defined at "
                                 "later: rename one")));
}

TEST(ValidateTest, UnknownFieldsAndViolationsAreReportedTogether) {
  std::string text = kSound;
  text.replace(text.find("slo: \"10ms\""), 11, "slo: \"99s\" colour: 1");
  EXPECT_THAT(ParseDefinitions(text, "x").status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("no field named \"colour\""),
                             HasSubstr("\"99s\" is longer than 1m"))));
}

TEST(ValidateTest, FilesThatCannotBeReadAreAllNamed) {
  const auto revision = LoadDefinitions({"no/a.textproto", "no/b.textproto"});
  EXPECT_EQ(revision.status().message(),
            "no/a.textproto: No such file or directory\n"
            "no/b.textproto: No such file or directory");
}

// Words and bytes of a sound text exchanged, lost and doubled: the result is a
// revision or a list of violations that each name the file.
TEST(ValidateTest, MutatedTextsAreUnderstoodOrRefused) {
  const std::vector<std::string> words =
      absl::StrSplit(std::string(kSound), absl::ByAnyChar(" \n"));
  int refused = 0;
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    SCOPED_TRACE(seed);
    base::Rng rng(seed);
    std::vector<std::string> mutated = words;
    for (uint64_t n = 1 + rng.Below(3); n > 0; --n) {
      std::string& word = mutated[rng.Below(mutated.size())];
      switch (rng.Below(4)) {
        case 0:
          word = words[rng.Below(words.size())];
          break;
        case 1:
          word.clear();
          break;
        case 2:
          word += " " + word;
          break;
        default:
          word.insert(rng.Below(word.size() + 1), 1,
                      static_cast<char>(rng.Below(256)));
      }
    }
    const absl::Status status =
        ParseDefinitions(absl::StrJoin(mutated, " "), "x.textproto").status();
    if (status.ok()) continue;
    ++refused;
    ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    const std::string message(status.message());
    for (const absl::string_view line : absl::StrSplit(message, '\n')) {
      ASSERT_EQ(line.substr(0, 12), "x.textproto:") << message;
    }
  }
  EXPECT_GT(refused, 300);
}

TEST(ValidateTest, AnEmptySetIsARevisionWithoutServices) {
  const auto revision = BuildRevision({}, {});
  ASSERT_THAT(revision, IsOk());
  EXPECT_EQ((*revision)->FindService("home"), nullptr);
}

TEST(ValidateTest, AFileThatDefinesNothingIsAnErrorByItsName) {
  for (const char* text : {"", "\n\n", "# nothing\n"}) {
    EXPECT_THAT(ParseDefinitions(text, "cut.textproto"),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("cut.textproto:1:1: the file defines "
                                   "nothing")));
  }
}

}  // namespace
}  // namespace freshline::registry

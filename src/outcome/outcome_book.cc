// SPDX-License-Identifier: Apache-2.0
#include "outcome/outcome_book.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/foreign_text.h"
#include "base/status_macros.h"
#include "ingest/key_extract.h"
#include "registry/entity_key.h"

namespace freshline::outcome {

using registry::FeatureService;
using registry::Revision;

namespace {

absl::Status CheckOutcome(const OutcomeReport& report, size_t i) {
  const absl::string_view id = report.request_ids[i];
  if (id.empty() || id.size() > OutcomeBook::kRequestIdBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("request_id[", i, "]: ", id.size(),
                     " bytes; give the id that the request had, of 1 to ",
                     OutcomeBook::kRequestIdBytesMax));
  }
  const double loss = report.losses[i];
  if (!(loss >= 0 && loss <= OutcomeBook::kLossMax)) {
    return absl::InvalidArgumentError(
        absl::StrCat("loss[", i, "]: ", loss,
                     " is not a number in [0, 1e9]; what an answer earned is "
                     "reported as what it missed of the best"));
  }
  return absl::OkStatus();
}

absl::Status CheckReport(const OutcomeReport& report) {
  const size_t outcomes = report.request_ids.size();
  if (outcomes != report.losses.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("loss: ", report.losses.size(), " values for ", outcomes,
                     " of request_id; give one for each"));
  }
  if (outcomes == 0 || outcomes > OutcomeBook::kOutcomesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("request_id: ", outcomes, " outcomes; give 1 to ",
                     OutcomeBook::kOutcomesMax, " in one report"));
  }
  for (size_t i = 0; i < outcomes; ++i) {
    FRESHLINE_RETURN_IF_ERROR(CheckOutcome(report, i));
  }
  return absl::OkStatus();
}

bool Gives(std::span<const ingest::ColumnInput> columns,
           const std::string& join_key) {
  return std::any_of(columns.begin(), columns.end(),
                     [&](const ingest::ColumnInput& column) {
                       return column.name == absl::string_view(join_key);
                     });
}

void Add(double loss, GroupOutcomes::Mean* mean) {
  ++mean->outcomes;
  mean->loss += (loss - mean->loss) / static_cast<double>(mean->outcomes);
}

}  // namespace

// The keys that a report names.
class OutcomeBook::KeyFinder {
 public:
  // Returns: INVALID_ARGUMENT naming the column.
  static absl::StatusOr<KeyFinder> Create(const Revision& revision,
                                          const table::Table* table,
                                          const registry::QueryPlan& plan,
                                          const OutcomeReport& report) {
    KeyFinder finder(table);
    std::vector<std::string> wanted;
    for (const uint32_t e : plan.entities) {
      const registry::Entity& entity = revision.entities()[e];
      bool named = false;
      for (const registry::JoinKey& key : entity.keys) {
        named |= Gives(report.entities, key.name);
        wanted.push_back(key.name);
      }
      if (!named) continue;
      FRESHLINE_ASSIGN_OR_RETURN(
          ingest::KeyExtractor extractor,
          ingest::KeyExtractor::Create(
              entity, report.entities, report.request_ids.size(),
              ingest::KeyShape::kOneOrOnePerRow, "entities"));
      finder.of_entity_.emplace_back(e, std::move(extractor));
    }
    FRESHLINE_RETURN_IF_ERROR(CheckNames(report.entities, wanted));
    return finder;
  }

  std::vector<base::KeyId> KeysOf(size_t outcome) {
    std::vector<base::KeyId> keys;
    for (const auto& [entity, extractor] : of_entity_) {
      table_->Read(
          entity, extractor.Key(outcome, &builder_),
          [&](const table::KeyView& key) { keys.push_back(key.id()); });
    }
    return keys;
  }

 private:
  explicit KeyFinder(const table::Table* table) : table_(table) {}

  static absl::Status CheckNames(std::span<const ingest::ColumnInput> columns,
                                 const std::vector<std::string>& wanted) {
    if (columns.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("entities: none is given; give the join keys of whom "
                       "the outcome is, of: ",
                       absl::StrJoin(wanted, ", ")));
    }
    for (const ingest::ColumnInput& column : columns) {
      if (std::find(wanted.begin(), wanted.end(), column.name) ==
          wanted.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("entities: the feature service has no join key ",
                         base::Quoted(column.name),
                         "; it has: ", absl::StrJoin(wanted, ", ")));
      }
    }
    return absl::OkStatus();
  }

  const table::Table* table_;
  std::vector<std::pair<uint32_t, ingest::KeyExtractor>> of_entity_;
  registry::EntityKeyBuilder builder_;
};

OutcomeBook::OutcomeBook(OutcomeOptions options, Rooms rooms)
    : options_(options),
      rooms_(std::move(rooms)),
      memory_(std::max(options.answers_max, 1U)),
      groups_(rooms_.revision->groups().size()),
      tokens_(options.per_second_max),
      tokens_at_(rooms_.clock->Now()) {}

uint64_t OutcomeBook::NameOf(base::FlowId flow,
                             absl::string_view request_id) const {
  if (request_id.empty() || options_.answers_max == 0) return 0;
  const uint64_t name =
      absl::HashOf(base::ToInt(flow), request_id.size(), request_id);
  return std::max<uint64_t>(name, 1);
}

void OutcomeBook::Remember(uint64_t name, std::span<const AnsweredRow> rows) {
  base::MutexLock lock(&mu_);
  memory_.Remember(name, rows.first(std::min(rows.size(), kRowsMax)));
}

absl::Status OutcomeBook::Admit(size_t outcomes) {
  const double burst = std::max<double>(options_.per_second_max, kOutcomesMax);
  const base::MonoTime now = rooms_.clock->Now();
  base::MutexLock lock(&mu_);
  const double seconds = base::ToMillis(now - tokens_at_) / 1000;
  if (seconds > 0) {
    tokens_ = std::min(burst, tokens_ + seconds * options_.per_second_max);
    tokens_at_ = now;
  }
  const auto wanted = static_cast<double>(outcomes);
  if (wanted > tokens_) {
    counters_.refused += outcomes;
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", options_.per_second_max,
                     " outcomes a second; report a sample of them, or raise "
                     "outcomes.per_second_max of the daemon's configuration"));
  }
  tokens_ -= wanted;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<OutcomeStatus>> OutcomeBook::Report(
    const OutcomeReport& report) {
  if (options_.answers_max == 0) {
    return absl::FailedPreconditionError(
        "outcomes are not taken: outcomes.answers_max is 0 in the daemon's "
        "configuration");
  }
  FRESHLINE_RETURN_IF_ERROR(CheckReport(report));
  FRESHLINE_ASSIGN_OR_RETURN(
      const FeatureService* service,
      rooms_.revision->GetService(report.feature_service));
  FRESHLINE_ASSIGN_OR_RETURN(KeyFinder finder,
                             KeyFinder::Create(*rooms_.revision, rooms_.table,
                                               *service->plan, report));
  FRESHLINE_RETURN_IF_ERROR(Admit(report.request_ids.size()));
  std::vector<OutcomeStatus> statuses;
  std::vector<AnsweredRow> rows;
  for (size_t i = 0; i < report.request_ids.size(); ++i) {
    const uint64_t name = NameOf(service->plan->flow, report.request_ids[i]);
    const std::vector<base::KeyId> keys = finder.KeysOf(i);
    rows.clear();
    OutcomeStatus status = OutcomeStatus::kAccepted;
    {
      base::MutexLock lock(&mu_);
      switch (memory_.Take(name, keys, &rows)) {
        case AnswerMemory::Found::kTaken:
          ++counters_.accepted;
          break;
        case AnswerMemory::Found::kUnknown:
          ++counters_.unknown;
          status = OutcomeStatus::kUnknown;
          break;
        case AnswerMemory::Found::kRepeated:
          ++counters_.repeated;
          status = OutcomeStatus::kRepeated;
          break;
      }
    }
    Learn(rows, report.losses[i]);
    statuses.push_back(status);
  }
  return statuses;
}

void OutcomeBook::Learn(std::span<const AnsweredRow> rows, double loss) {
  for (const AnsweredRow& row : rows) {
    const size_t group = base::ToInt(row.row.group);
    {
      base::MutexLock lock(&mu_);
      GroupOutcomes& means = groups_[group];
      Add(loss, row.approximate   ? &means.approximate
                : row.pending > 0 ? &means.stale
                                  : &means.fresh);
    }
    // It says nothing of the stored row, which the caller did not see.
    if (row.approximate) continue;
    if (row.pending > 0) rooms_.table->NoteLoss(row.row, loss);
    staleness::LearnedCurve* const curve = (*rooms_.metrics)[group].learned();
    if (curve != nullptr) curve->Observe(row.events, row.pending, loss);
  }
}

OutcomeCounters OutcomeBook::Counters() const {
  base::MutexLock lock(&mu_);
  OutcomeCounters counters = counters_;
  counters.answers = memory_.size();
  return counters;
}

std::vector<GroupOutcomes> OutcomeBook::Groups() const {
  base::MutexLock lock(&mu_);
  return groups_;
}

}  // namespace freshline::outcome

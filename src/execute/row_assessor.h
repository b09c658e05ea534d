// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/job_shape.h"
#include "base/mutex.h"
#include "base/time.h"
#include "featurize/feature_function.h"
#include "registry/revision.h"
#include "schedule/policy.h"
#include "staleness/metric.h"
#include "table/table.h"

namespace freshline::execute {

// The functions of a revision by GroupId; null for groups that have none of
// the kind.
using FunctionSet = std::vector<std::unique_ptr<featurize::FeatureFunction>>;

// Working memory of one thread for every function of a set.
class ScratchSet {
 public:
  explicit ScratchSet(const FunctionSet& functions) {
    for (const auto& f : functions) {
      scratch_.push_back(f == nullptr ? nullptr : f->MakeScratch());
    }
  }
  featurize::Scratch* of(base::GroupId group) {
    return scratch_[base::ToInt(group)].get();
  }

  // A buffer for one row, for computing while answering.
  registry::RowBytes row;

 private:
  std::vector<std::unique_ptr<featurize::Scratch>> scratch_;
};

// Lends working memory to threads that come and go: at most as many sets are
// made as were ever in use at once. Thread-safe.
class ScratchPool {
 public:
  explicit ScratchPool(const FunctionSet& functions) : functions_(functions) {}

  class Loan {
   public:
    Loan(ScratchPool* pool, std::unique_ptr<ScratchSet> set)
        : pool_(pool), set_(std::move(set)) {}
    Loan(Loan&&) = default;
    Loan& operator=(Loan&&) = delete;
    ~Loan() {
      if (set_ != nullptr) pool_->Return(std::move(set_));
    }
    ScratchSet& operator*() { return *set_; }
    ScratchSet* operator->() { return set_.get(); }

   private:
    ScratchPool* const pool_;
    std::unique_ptr<ScratchSet> set_;
  };
  Loan Borrow() {
    {
      base::MutexLock lock(&mu_);
      if (!idle_.empty()) {
        std::unique_ptr<ScratchSet> set = std::move(idle_.back());
        idle_.pop_back();
        return Loan(this, std::move(set));
      }
    }
    return Loan(this, std::make_unique<ScratchSet>(functions_));
  }

 private:
  void Return(std::unique_ptr<ScratchSet> set) {
    base::MutexLock lock(&mu_);
    idle_.push_back(std::move(set));
  }
  const FunctionSet& functions_;
  base::Mutex mu_;
  std::vector<std::unique_ptr<ScratchSet>> idle_ ABSL_GUARDED_BY(mu_);
};

// What a stored row lacks, and what making it fresh would be worth and cost.
struct Assessment {
  table::Signals signals;
  bool fresh = false;  // as IsFresh()
  base::Seq want = 0;  // a row that has seen this is fresh
  double gain = 0;
  base::JobShape shape;
};

// Age of a stored row; 0 when it was never computed.
base::Duration AgeOf(const table::StoredRow& row, base::UnixMicros now_us);

// How long the first pending event has waited; 0 when none is pending.
base::Duration WaitOf(const table::Signals& signals, base::UnixMicros now_us);

// Whether the rows of a group are made anew for every answer: what is so cheap
// is neither scheduled nor, as a rule, stored.
inline bool IsMadeAnew(const registry::FeatureGroup& group,
                       const featurize::FeatureFunction& function) {
  return function.always_inline() &&
         group.placement != registry::Placement::kScheduled;
}

// FeatureFunction::HoldsUntil(), and until the clock reaches the first of
// events that are all ahead of it (KeyView::window_time_us).
base::UnixMicros HoldsUntil(const featurize::FeatureFunction& function,
                            const featurize::Input& input,
                            base::UnixMicros now_us);

// Whether the row lacks nothing: no event is pending, time has not changed it
// (StoredRow::holds_until_us), and it is within max_age where one is set.
// Cheap: decides whether Assess() is worth it.
bool IsFresh(const registry::FeatureGroup& group, const table::StoredRow& row,
             const table::Signals& signals, base::UnixMicros now_us);

// Assesses one row under its key's lock. A row that time has changed is worth
// what a row with one pending event is. Cost: FeatureFunction::Shape() and
// StalenessMetric::Gain().
Assessment Assess(const registry::FeatureGroup& group,
                  const featurize::FeatureFunction& function,
                  const staleness::StalenessMetric& metric,
                  const table::KeyView& key, base::UnixMicros now_us,
                  featurize::Scratch* scratch);

}  // namespace freshline::execute

// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_execution.h"

#include <cstring>
#include <stdexcept>
#include <utility>

#include "base/check.h"

namespace freshline::test {

absl::Status CountingFunction::Compute(
    std::span<const featurize::Input> inputs,
    std::span<registry::RowBytes* const> outputs, featurize::Scratch*) const {
  if (!throw_with.empty()) throw std::runtime_error(throw_with);
  if (!fail_with.ok()) return fail_with;
  for (size_t i = 0; i < inputs.size(); ++i) {
    registry::RowWriter writer(group_.layout, outputs[i]);
    writer.SetInt64(0, static_cast<int64_t>(inputs[i].events.size));
  }
  return absl::OkStatus();
}

FakeWorkerPool::FakeWorkerPool(uint32_t workers, size_t batch_max)
    : batch_max_(batch_max), running_(workers, false) {
  for (uint32_t i = 0; i < workers; ++i) {
    jobs_.push_back(std::make_unique<execute::Job>());
    jobs_.back()->rows.resize(batch_max);
  }
}

execute::Job& FakeWorkerPool::job(base::WorkerId worker) {
  FRESHLINE_CHECK(!running_[base::ToInt(worker)]);
  return *jobs_[base::ToInt(worker)];
}

uint32_t FakeWorkerPool::busy() const {
  return static_cast<uint32_t>(
      std::count(running_.begin(), running_.end(), true));
}

void FakeWorkerPool::Start(base::WorkerId worker) {
  FRESHLINE_CHECK(!running_[base::ToInt(worker)]);
  FRESHLINE_CHECK(busy() < usable());
  running_[base::ToInt(worker)] = true;
  ++started_;
}

void FakeWorkerPool::WriteOff(base::WorkerId worker) {
  const size_t i = base::ToInt(worker);
  FRESHLINE_CHECK(running_[i]);
  given_up_.push_back(std::move(jobs_[i]));
  jobs_[i] = std::make_unique<execute::Job>();
  jobs_[i]->rows.resize(batch_max_);
  running_[i] = false;
}

std::optional<base::WorkerId> FakeWorkerPool::NextFinished() {
  if (finished_.empty()) return std::nullopt;
  const base::WorkerId worker = finished_.front();
  finished_.pop_front();
  return worker;
}

void FakeWorkerPool::Finish(uint32_t worker, base::Duration run_time,
                            base::Duration cpu_time) {
  FRESHLINE_CHECK(running_[worker]);
  execute::Job& job = *jobs_[worker];
  const std::unique_ptr<featurize::Scratch> scratch =
      job.function->MakeScratch();
  std::vector<featurize::Input> inputs;
  std::vector<registry::RowBytes*> outputs;
  for (size_t i = 0; i < job.row_count; ++i) {
    inputs.push_back({job.rows[i].events.View(), job.rows[i].window_time_us});
    outputs.push_back(&job.rows[i].output);
  }
  job.shape = job.function->Shape(inputs[0], scratch.get());
  job.status = job.function->Compute(inputs, outputs, scratch.get());
  job.run_time = run_time;
  job.cpu_time = cpu_time;
  running_[worker] = false;
  finished_.push_back(base::WorkerId{worker});
}

FakeQuery::FakeQuery(FakeClock* clock, base::MonoTime deadline,
                     std::vector<schedule::Need> needs,
                     std::shared_ptr<QueryOutcome> outcome,
                     base::Duration send_cost, base::Duration guard)
    : clock_(clock),
      deadline_(deadline),
      needs_(std::move(needs)),
      outcome_(std::move(outcome)),
      send_cost_(send_cost),
      guard_(guard) {
  outcome_->rows.resize(needs_.size());
}

void FakeQuery::Patch(size_t need, const table::StoredRow& row, uint32_t,
                      base::Obtained how) {
  QueryOutcome::Row& out = outcome_->rows[need];
  out.how = how;
  out.as_of = row.as_of.sequence;
  // The one INT64 of CountingFunction's row stands behind 8 status bytes.
  std::memcpy(&out.value, row.bytes.data() + 8, sizeof(out.value));
}

void FakeQuery::Send() {
  ++outcome_->sent;
  if (send_cost_ > base::Duration::zero()) clock_->Advance(send_cost_);
  outcome_->sent_at = clock_->Now();
}

}  // namespace freshline::test

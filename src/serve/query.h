// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/time.h"
#include "ingest/ingest.h"
#include "registry/revision.h"
#include "serve/answer.h"

namespace freshline::serve {

// One decoded query, free of the wire: views of memory that the caller keeps
// until the outcome came.
struct Query {
  std::shared_ptr<const registry::QueryPlan> plan;
  std::span<const ingest::ColumnInput> entities;
  std::span<const ingest::DecodedBatch> events;
  base::MonoTime received;  // when it reached the machine, as near as is known
  base::MonoTime caller_deadline = base::kInfiniteFuture;
  std::optional<int64_t> budget_us;
  // Whose connection it came by, for what is learned of callers; 0: not known.
  uint64_t caller = 0;
  // What the caller saw last time beyond the server's part. Untrusted.
  std::optional<int64_t> overhead_us;
  // A stored row within these is good enough.
  std::optional<uint32_t> max_pending;
  std::optional<int64_t> max_age_us;
  absl::string_view request_id;  // for outcomes; empty: none will be reported
};

// Where the outcome of one query goes. Exactly one of OnAnswer() and OnError()
// is called, once, from any thread.
class Completion {
 public:
  virtual ~Completion() = default;

  // The events carried were applied; called before the outcome, on the thread
  // that calls Get(). `results` holds batch after batch.
  virtual void OnEvents(const ingest::PreparedEvents& events,
                        std::span<const ingest::EventResult> results) = 0;
  // The query is about to wait under this ticket, for FeatureServer::Cancel().
  // Returns whether anybody still wants the answer; else CANCELLED comes at
  // once.
  virtual bool OnWaiting(base::TicketId ticket) = 0;
  virtual void OnAnswer(const Answer& answer) = 0;
  virtual void OnError(const absl::Status& status) = 0;
};

// Owns the duty to complete: a handle that is destroyed unused reports
// CANCELLED, so that no query can hang.
class CompletionHandle {
 public:
  explicit CompletionHandle(Completion* completion) : completion_(completion) {}
  CompletionHandle(CompletionHandle&& other) noexcept
      : completion_(other.completion_) {
    other.completion_ = nullptr;
  }
  CompletionHandle& operator=(CompletionHandle&&) = delete;
  ~CompletionHandle() {
    if (completion_ != nullptr) {
      completion_->OnError(absl::CancelledError("the caller went away"));
    }
  }
  Completion* operator->() const { return completion_; }
  // Gives the duty to whoever calls the outcome now.
  Completion* Release() {
    Completion* completion = completion_;
    completion_ = nullptr;
    return completion;
  }

 private:
  Completion* completion_;
};

}  // namespace freshline::serve

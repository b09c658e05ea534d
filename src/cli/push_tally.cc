// SPDX-License-Identifier: Apache-2.0
#include "cli/push_tally.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace freshline::cli {
namespace {

constexpr base::Duration kProgressInterval = std::chrono::seconds(5);

std::string WhyLate(const PushContext& context) {
  std::string why = "they are older than what is kept";
  if (!context.retention.empty()) {
    absl::StrAppend(&why, " (source ", context.source, ": retention ",
                    context.retention, "), or more than ",
                    context.allowed_lateness,
                    " (allowed_lateness) behind the newest event of their key");
  }
  if (!context.producer.empty()) {
    absl::StrAppend(&why, ", or 4096 numbers behind the producer's newest");
  }
  return absl::StrCat(
      why,
      "; to push old events as if the newest came now: --shift-time now (of a "
      "file), or by a duration, as in --shift-time 90d; to keep them longer, "
      "change the source's definition");
}

std::string Why(EventStatus status, const PushContext& context) {
  switch (status) {
    case EventStatus::kDuplicate:
      return absl::StrCat(
          context.producer.empty()
              ? std::string("their producer")
              : absl::StrCat("producer \"", context.producer, "\""),
          " pushed these numbers before; for other events give another "
          "--producer, or a --first-sequence beyond those used");
    case EventStatus::kLate:
      return WhyLate(context);
    case EventStatus::kFuture:
      return "their time lies further ahead of the daemon's clock than it "
             "allows (ingest.future_us_max); check the zone, times without one "
             "are UTC, and --time-unit, or move them: --shift-time now";
    case EventStatus::kExhausted:
      return "their keys are new and the table is full; raise table.keys_max "
             "or table.bytes_max of the daemon, or shorten retentions";
    default:
      return "this command is older than the daemon and does not know why";
  }
}

}  // namespace

void PushTally::Add(const PushAnswer& answer,
                    absl::Span<const uint64_t> lines) {
  size_t at = 0;
  for (size_t b = 0; b < answer.event_batches(); ++b) {
    const EventAnswer events = answer.events(b);
    for (size_t i = 0; i < events.size(); ++i, ++at) {
      ++total_;
      const size_t status =
          std::min(static_cast<size_t>(events.status(i)), kStatuses - 1);
      const uint64_t line = at < lines.size() ? lines[at] : 0;
      if (by_status_[status]++ == 0) first_line_[status] = line;
      if (begin_line_ == 0) begin_line_ = line;
      end_line_ = std::max(end_line_, line);
      newest_ = std::max(newest_, events.ingest_sequence(i));
    }
    level_ = events.ack_level();
  }
}

void PushTally::Print(bool json, std::ostream& out) const {
  std::vector<std::string> parts;
  for (size_t s = 1; s < by_status_.size(); ++s) {
    if (!json && by_status_[s] == 0) continue;
    const std::string name = ToString(static_cast<EventStatus>(s));
    parts.push_back(json ? absl::StrCat("\"", name, "\": ", by_status_[s])
                         : absl::StrCat(by_status_[s], " ", name));
  }
  const std::string level = accepted() > 0 ? ToString(level_) : "";
  if (json) {
    out << "{\"events\": " << total_ << ", \"by_status\": {"
        << absl::StrJoin(parts, ", ") << "}, \"newest_sequence\": " << newest_
        << ", \"last_line\": " << end_line_ << ", \"ack_level\": \"" << level
        << "\"}\n";
    return;
  }
  out << "pushed " << total_ << " events";
  if (total_ > 0) out << ": " << absl::StrJoin(parts, ", ");
  if (accepted() > 0) {
    out << "; acknowledged " << level << ", newest sequence " << newest_;
  }
  out << "\n";
}

std::vector<std::string> Refusals(const PushTally& tally,
                                  const PushContext& context) {
  std::vector<std::string> sentences;
  for (const EventStatus status :
       {EventStatus::kDuplicate, EventStatus::kLate, EventStatus::kFuture,
        EventStatus::kExhausted}) {
    if (tally.Of(status) == 0) continue;
    const uint64_t line = tally.FirstLine(status);
    sentences.push_back(absl::StrCat(
        tally.Of(status), " ", ToString(status),
        line > 0 ? absl::StrCat(" (the first on line ", line, ")") : "", ": ",
        Why(status, context)));
  }
  return sentences;
}

void PushProgress::Tell(const PushTally& tally) {
  const base::MonoTime now = clock_.Now();
  if (now - told_ < kProgressInterval) return;
  told_ = now;
  const double seconds = base::ToMillis(now - begun_) / 1000;
  err_ << absl::StrFormat("freshline: %d events by line %d, %.0f a second\n",
                          tally.total(), tally.end_line(),
                          static_cast<double>(tally.total()) / seconds);
  err_.flush();
}

}  // namespace freshline::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/push.h"

#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/duration_text.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "base/waker.h"
#include "cli/csv_events.h"
#include "cli/push_tally.h"
#include "cli/schema.h"
#include "cli/shell_quote.h"
#include "client/raw_client.h"
#include "csv/input.h"
#include "freshline/v1/feature_store.pb.h"

namespace freshline::cli {
namespace {

// What a request holds besides its events: names, lengths, the producer.
constexpr size_t kRequestBytesBeside = 64 << 10;
constexpr size_t kRequestBytesMin = 1 << 10;
// How long a request is sent again that the daemon has no room for.
constexpr base::Duration kComeAgainMax = std::chrono::seconds(10);

absl::StatusOr<char> ParseDelimiter(const std::string& text) {
  if (text.empty()) return '\0';
  if (text == "comma") return ',';
  if (text == "semicolon") return ';';
  if (text == "tab" || text == "\\t") return '\t';
  if (text == "bar") return '|';
  if (text.size() == 1 && text[0] != '"' && text[0] != '\n') return text[0];
  return absl::InvalidArgumentError(
      absl::StrCat("--delimiter \"", text,
                   "\": write one character, or comma, semicolon, tab or bar"));
}

absl::StatusOr<std::unique_ptr<csv::Input>> OpenInput(const std::string& path,
                                                      std::istream& in) {
  if (path != "-") return csv::Input::OpenFile(path);
  // A stream would wait for a whole block of what comes through a pipe.
  if (&in == &std::cin) return csv::Input::FromDescriptor(STDIN_FILENO);
  return csv::Input::FromStream(in);
}

// The row of a refused request that the daemon's message names, as in
// "batches[0]: column \"price\", row 200: ..." or
// "batches[0].event_time_us[200] is ...".
std::optional<size_t> RowNamed(absl::string_view message) {
  for (const absl::string_view before :
       {absl::string_view(", row "), absl::string_view("event_time_us[")}) {
    const size_t at = message.find(before);
    if (at == absl::string_view::npos) continue;
    const absl::string_view rest = message.substr(at + before.size());
    uint64_t row = 0;
    if (absl::SimpleAtoi(rest.substr(0, rest.find_first_not_of("0123456789")),
                         &row)) {
      return row;
    }
  }
  return std::nullopt;
}

// How the daemon refuses while it ends.
constexpr char kDraining[] = "the server is draining";

// Whether it is the request that was too large, by gRPC's words or the
// daemon's.
bool TooLarge(const absl::Status& status) {
  for (const char* words :
       {"larger than max", "in one request", "the request has"}) {
    if (absl::StrContains(status.message(), words)) return true;
  }
  return false;
}

// What a file holds is wrong, or no argument would make it right.
absl::Status WrongContent(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInvalidArgument
             ? absl::DataLossError(status.message())
             : status;
}

// The time after which the daemon wants a refused request again; nullopt where
// it does not say, or has not refused it for want of room.
std::optional<base::Duration> ComeAgainAfter(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kResourceExhausted) {
    return std::nullopt;
  }
  const auto payload = status.GetPayload(client::kRetryPushbackPayload);
  uint32_t ms = 0;  // where it is negative, it means never
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &ms)) {
    return std::nullopt;
  }
  return std::max<base::Duration>(std::chrono::milliseconds(ms),
                                  std::chrono::milliseconds(1));
}

// Sends, and again where the daemon says when to come again: nothing of a
// request so refused was applied.
absl::StatusOr<PushAnswer> SendHeeding(Client& client,
                                       absl::Span<const EventRows> batches) {
  const base::Clock& clock = base::Clock::Real();
  const base::MonoTime give_up = clock.Now() + kComeAgainMax;
  base::EventFdWaker pause(clock);
  while (true) {
    absl::StatusOr<PushAnswer> answer = client.PushEvents(batches);
    if (answer.ok()) return answer;
    const auto after = ComeAgainAfter(answer.status());
    if (!after.has_value()) return answer;
    const base::MonoTime next = clock.Now() + *after;
    if (next > give_up) return answer;
    while (clock.Now() < next) pause.WaitUntil(next);
  }
}

// A file of events on its way to the daemon.
class CsvPush {
 public:
  CsvPush(Client& client, const PushFlags& flags, std::istream& in,
          std::ostream& err, PushTally* tally)
      : client_(client), flags_(flags), in_(in), err_(err), tally_(*tally) {}

  absl::Status Run() {
    FRESHLINE_ASSIGN_OR_RETURN(const Schema schema, Schema::Ask(client_));
    FRESHLINE_ASSIGN_OR_RETURN(const SchemaSource* source,
                               schema.GetSource(flags_.source));
    context_ = {source->name, source->retention, source->allowed_lateness,
                flags_.producer};
    FRESHLINE_ASSIGN_OR_RETURN(CsvEventOptions options, MakeOptions(schema));
    FRESHLINE_RETURN_IF_ERROR(FindShift(*source, &options));
    FRESHLINE_ASSIGN_OR_RETURN(const auto input,
                               OpenInput(flags_.csv_path, in_));
    auto reader = CsvEventReader::Open(options, *source, *input);
    packed_ = input->packed();
    if (!reader.ok()) return InFile(WrongContent(reader.status()));
    if (!(*reader)->absent().empty()) {
      err_ << "freshline: the file has no column "
           << absl::StrJoin((*reader)->absent(), ", ")
           << ": NULL in every event\n";
    }
    return Send(**reader);
  }

  const PushContext& context() const { return context_; }

 private:
  absl::StatusOr<CsvEventOptions> MakeOptions(const Schema& schema) const {
    CsvEventOptions options;
    options.time_column = flags_.time_column;
    const auto unit = base::ParseTimeUnit(flags_.time_unit);
    if (!unit.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--time-unit \"", flags_.time_unit, "\": write s, ms, us or ns"));
    }
    options.time_unit = *unit;
    FRESHLINE_ASSIGN_OR_RETURN(options.delimiter,
                               ParseDelimiter(flags_.delimiter));
    options.ignore = flags_.ignore;
    options.nulls = flags_.nulls;
    options.producer = flags_.producer;
    options.sequence_column = flags_.sequence_column;
    options.first_sequence = flags_.first_sequence;
    options.from_line = flags_.from_line;
    options.batch_events = flags_.batch_events;
    if (schema.events_per_request_max() > 0) {
      options.batch_events = std::min<size_t>(options.batch_events,
                                              schema.events_per_request_max());
    }
    if (schema.request_bytes_max() > 0) {
      const size_t most = schema.request_bytes_max();
      options.batch_bytes = most > 2 * kRequestBytesBeside
                                ? most - kRequestBytesBeside
                                : std::max(most / 2, kRequestBytesMin);
    }
    return options;
  }

  // Fills in options->shift_us.
  absl::Status FindShift(const SchemaSource& source, CsvEventOptions* options) {
    if (flags_.shift_time.empty()) return absl::OkStatus();
    if (flags_.shift_time != "now") {
      absl::string_view text = flags_.shift_time;
      const bool back = absl::ConsumePrefix(&text, "-");
      const auto shift = base::ParseDuration(text);
      if (!shift.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("--shift-time: write now, or a duration with or "
                         "without a minus: ",
                         shift.status().message()));
      }
      const int64_t us = shift->count() / 1000;
      options->shift_us = back ? -us : us;
      return absl::OkStatus();
    }
    if (flags_.csv_path == "-") {
      return absl::InvalidArgumentError(
          "--shift-time now reads the file twice, which standard input cannot "
          "be; give a file, or a duration");
    }
    FRESHLINE_ASSIGN_OR_RETURN(const auto input,
                               csv::Input::OpenFile(flags_.csv_path));
    // All of the file, so that the shift does not hang on where it goes on.
    CsvEventOptions all = *options;
    all.from_line = 0;
    auto reader = CsvEventReader::Open(all, source, *input);
    if (!reader.ok()) return InFile(WrongContent(reader.status()));
    const auto newest = (*reader)->NewestTime();
    if (!newest.ok()) return InFile(newest.status());
    if (!newest->has_value()) return absl::OkStatus();
    options->shift_us = base::Clock::Real().WallNowMicros() - **newest;
    shift_us_ = options->shift_us;
    return absl::OkStatus();
  }

  absl::Status Send(CsvEventReader& reader) {
    PushProgress progress(base::Clock::Real(), err_);
    while (true) {
      absl::StatusOr<std::optional<CsvBatch>> batch = reader.Next();
      if (!batch.ok()) return Stopped(batch.status(), reader.next_line());
      if (!batch->has_value()) return AtEnd(reader);
      CsvBatch& events = **batch;
      const EventRows rows(std::move(events.events));
      const absl::StatusOr<PushAnswer> answer =
          SendHeeding(client_, absl::MakeConstSpan(&rows, 1));
      if (!answer.ok()) return Refused(answer.status(), events.lines);
      tally_.Add(*answer, events.lines);
      progress.Tell(tally_);
    }
  }

  absl::Status AtEnd(const CsvEventReader& reader) const {
    if (tally_.total() > 0) return absl::OkStatus();
    if (flags_.from_line == 0) {
      return absl::FailedPreconditionError(
          absl::StrCat(Name(), " holds no event"));
    }
    return absl::InvalidArgumentError(
        absl::StrCat(Name(), ": no record begins at or behind --from-line ",
                     flags_.from_line, "; the last one begins before it (line ",
                     reader.next_line(), " was next)"));
  }

  // The daemon did not take the events of `lines`.
  absl::Status Refused(const absl::Status& status,
                       const std::vector<uint64_t>& lines) const {
    const std::string range =
        absl::StrCat("lines ", lines.front(), " to ", lines.back());
    absl::string_view message = status.message();
    absl::ConsumePrefix(&message, "batches[0]");
    absl::ConsumePrefix(&message, ".");
    absl::ConsumePrefix(&message, ": ");
    std::string text;
    absl::StatusCode code = status.code();
    if (TooLarge(status)) {
      code = absl::StatusCode::kInvalidArgument;
      text = absl::StrCat(range, ": ", message, "; lower --batch (now ",
                          flags_.batch_events, ")");
    } else if (const auto row = RowNamed(message);
               row.has_value() && *row < lines.size()) {
      // The row of a request tells nothing where the line stands; what stands
      // on it is wrong, not how it was sent.
      code = WrongContent(status).code();
      text = absl::StrCat(
          "line ", lines[*row], ": ",
          absl::StrReplaceAll(message, {{absl::StrCat(", row ", *row), ""}}));
    } else {
      text = absl::StrCat(range, ": ", message);
    }
    if (code == absl::StatusCode::kUnavailable &&
        absl::StrContains(message, kDraining)) {
      absl::StrAppend(&text, "; none of them was applied");
    } else if (code == absl::StatusCode::kUnavailable ||
               code == absl::StatusCode::kDeadlineExceeded) {
      absl::StrAppend(&text, "; whether they were applied is not known",
                      flags_.producer.empty()
                          ? ", and without --producer pushing them again may "
                            "count them twice"
                          : ", and with --producer pushing them again is "
                            "harmless");
    }
    return Stopped(absl::Status(code, text), lines.front());
  }

  // An error, what was pushed before it, and how to go on at `line`.
  absl::Status Stopped(const absl::Status& status, uint64_t line) const {
    std::string text(InFile(status).message());
    if (tally_.total() == 0) {
      absl::StrAppend(&text, ". Nothing was pushed before it");
    } else {
      absl::StrAppend(&text, ". Lines ", tally_.begin_line(), " to ",
                      tally_.end_line(), " were pushed before it (",
                      tally_.total(), " events); to go on",
                      flags_.csv_path == "-" ? " with the same input" : "",
                      ": ", GoOn(line));
    }
    return absl::Status(status.code(), text);
  }

  // The command as it was given, but from `line` on.
  std::string GoOn(uint64_t line) const {
    std::vector<std::string> words = {"freshline"};
    const auto takes_value = [&](const std::string& word) {
      return word == "--from-line" ||
             (word == "--shift-time" && shift_us_.has_value());
    };
    for (size_t i = 0; i < flags_.arguments.size(); ++i) {
      const std::string& word = flags_.arguments[i];
      if (takes_value(word)) {
        ++i;
      } else if (!takes_value(word.substr(0, word.find('=')))) {
        words.push_back(ShellQuote(word));
      }
    }
    if (shift_us_.has_value()) {
      words.push_back(absl::StrCat("--shift-time=", *shift_us_, "us"));
    }
    words.push_back(absl::StrCat("--from-line ", line));
    return absl::StrJoin(words, " ");
  }

  std::string Name() const {
    return flags_.csv_path == "-" ? "standard input" : flags_.csv_path;
  }
  // Lines of an archive are those of the text within.
  absl::Status InFile(const absl::Status& status) const {
    return absl::Status(
        status.code(),
        absl::StrCat(Name(), packed_ ? " (unpacked by gzip)" : "", ": ",
                     status.message()));
  }

  Client& client_;
  const PushFlags& flags_;
  std::istream& in_;
  std::ostream& err_;
  PushTally& tally_;
  PushContext context_;
  std::optional<int64_t> shift_us_;  // of --shift-time now
  bool packed_ = false;
};

absl::Status PushJson(Client& client, const std::string& path, std::istream& in,
                      PushTally* tally) {
  std::stringstream text;
  if (path == "-") {
    text << in.rdbuf();
  } else {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": cannot be opened for reading"));
    }
    text << file.rdbuf();
  }
  v1::PushEventsRequest request;
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(text.str(), &request);
  if (!parsed.ok()) {
    return absl::DataLossError(
        absl::StrCat(path, ": no PushEventsRequest: ", parsed.ToString()));
  }
  std::vector<EventRows> batches;
  for (v1::EventBatch& batch : *request.mutable_batches()) {
    batches.emplace_back(std::move(batch));
  }
  FRESHLINE_ASSIGN_OR_RETURN(const PushAnswer answer,
                             SendHeeding(client, batches));
  tally->Add(answer, {});
  if (tally->total() > 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path == "-" ? "standard input" : path, " holds no event"));
}

// After a push that went to its end: whether anything came of it.
absl::Status CheckApplied(const PushTally& tally, const PushContext& context,
                          std::ostream& err) {
  const std::vector<std::string> refusals = Refusals(tally, context);
  if (refusals.empty()) return absl::OkStatus();
  if (tally.accepted() == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("no event was applied. ", absl::StrJoin(refusals, ". ")));
  }
  for (const std::string& refusal : refusals) {
    err << "freshline: not applied: " << refusal << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Push(Client& client, const PushFlags& flags, std::istream& in,
                  std::ostream& out, std::ostream& err) {
  PushTally tally;
  CsvPush csv(client, flags, in, err, &tally);
  absl::Status status = flags.json_path.empty()
                            ? csv.Run()
                            : PushJson(client, flags.json_path, in, &tally);
  // After an error too: what was accepted stays accepted.
  tally.Print(flags.json, out);
  if (status.ok()) status = CheckApplied(tally, csv.context(), err);
  return status;
}

}  // namespace freshline::cli

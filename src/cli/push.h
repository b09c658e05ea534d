// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "freshline/client.h"

namespace freshline::cli {

struct PushFlags {
  std::string source;
  std::string csv_path;   // "-": standard input
  std::string json_path;  // a PushEventsRequest as JSON; "-" likewise
  std::string time_column = "event_time";
  std::string time_unit = "us";
  std::string shift_time;  // "now", or a duration with or without a minus
  std::string delimiter;   // a character, or comma, semicolon, tab, bar
  std::vector<std::string> ignore;
  std::vector<std::string> nulls;
  std::string producer;
  std::string sequence_column;
  uint64_t first_sequence = 1;
  uint64_t from_line = 0;
  size_t batch_events = 500;
  bool json = false;  // how to print the result
  // Of the whole command, for the hint how to go on after an error.
  std::vector<std::string> arguments;
};

// Sends a file's events and tells what became of them: on `out` how many were
// accepted, also before an error; on `err` how far it has come, and what was
// not accepted and why.
//
// Requests are as large as --batch says and no larger than the daemon takes.
// One that the daemon has no room for is sent again when the daemon says, for
// ten seconds at most.
// Returns: the client's errors; DATA_LOSS where the file is wrong, its header
// too, by itself or by the daemon's word; INVALID_ARGUMENT where the arguments
// are; FAILED_PRECONDITION where the file holds no event or none was accepted,
// with what to do about it. Errors name file and line, what was applied before,
// and the command that goes on from there.
absl::Status Push(Client& client, const PushFlags& flags, std::istream& in,
                  std::ostream& out, std::ostream& err);

}  // namespace freshline::cli

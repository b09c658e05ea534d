// SPDX-License-Identifier: Apache-2.0
#include "daemon/library_lines.h"

#include <absl/base/internal/raw_logging.h>
#include <google/protobuf/stubs/logging.h>

#include <atomic>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/bounded_write.h"
#include "base/bug_sink.h"

namespace freshline::daemon {
namespace {

using log::AsyncLog;
using log::Library;

// Hooks are plain functions: they find the log here.
std::atomic<AsyncLog*> target{nullptr};

// The process ends behind this line, before the log's thread could write it.
void LastWords(const char* file, int line, absl::string_view text) {
  base::WriteLastWords(absl::StrCat(file, ":", line, ": ", text, "\n"));
}

void OfProtobuf(google::protobuf::LogLevel level, const char* file, int line,
                const std::string& message) {
  if (level == google::protobuf::LOGLEVEL_FATAL) {
    LastWords(file, line, message);
    return;
  }
  target.load()->WriteOf(Library::kProtobuf,
                         absl::StrCat(file, ":", line, ": ", message));
}

// Abseil hands over where a line comes from, never the line itself, and must
// not be made to allocate: it may be inside an allocator or a signal handler.
// So its lines are left out, but for the last.
bool OfAbseil(absl::LogSeverity severity, const char* /*file*/, int /*line*/,
              char** /*buffer*/, int* /*size*/) {
  return severity == absl::LogSeverity::kFatal;
}

void OfBugs(const char* line) { target.load()->Write(line); }

}  // namespace

void RouteLibraryLines(AsyncLog* log) {
  target = log;
  google::protobuf::SetLogHandler(OfProtobuf);
  absl::raw_logging_internal::RegisterLogFilterAndPrefixHook(OfAbseil);
  base::SetBugSink(OfBugs);
}

}  // namespace freshline::daemon

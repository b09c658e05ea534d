// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <climits>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bench/commands/commands.h"
#include "version/version.h"

namespace {

using freshline::bench::Invocation;

// After sysexits.h, as the daemon.
constexpr int kUsage = 64;
constexpr int kInternal = 70;

Invocation Describe(int argc, char** argv) {
  Invocation call;
  for (int i = 0; i < argc; ++i) {
    call.command += (i > 0 ? " " : "") + std::string(argv[i]);
  }
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  call.program = error ? std::string(argv[0]) : self.string();
  // In a build tree and in an install tree.
  const auto here = std::filesystem::path(call.program).parent_path();
  for (const auto& candidate :
       {here / "freshlined", here / "../sbin/freshlined"}) {
    if (call.daemon.empty() && std::filesystem::exists(candidate)) {
      call.daemon = std::filesystem::canonical(candidate).string();
    }
  }
  if (call.daemon.empty()) call.daemon = "freshlined";
  return call;
}

// Where a relative path that an error names was looked for in vain: the flags'
// defaults are such paths, of a checkout's root. Empty where it names none.
std::string Where(const CLI::App& app, const std::string& message) {
  if (absl::StrContains(message, "looked for")) return "";
  std::error_code error;
  for (const CLI::App* command : app.get_subcommands()) {
    for (const CLI::Option* option : command->get_options()) {
      const std::string path = option->count() > 0 ? option->results().front()
                                                   : option->get_default_str();
      if (!absl::StrContains(path, "/") || path.front() == '/' ||
          !absl::StrContains(message, path) ||
          std::filesystem::exists(path, error)) {
        continue;
      }
      return absl::StrCat("; ", path, " is looked for from ",
                          std::filesystem::current_path(error).string(),
                          ": name another with ", option->get_name());
    }
  }
  return "";
}

int Main(int argc, char** argv) {
  namespace bench = freshline::bench;
  CLI::App app(
      "freshline-bench: makes click traces, trains the recommender's tables, "
      "replays clicks against freshlined and scores what it served");
  app.require_subcommand(1);
  app.set_version_flag("--version",
                       std::string(freshline::version::Version()) + " (" +
                           std::string(freshline::version::Commit()) + ")");
  app.footer("Exit codes: 0 done, 1 failed, 64 usage, 70 internal error.");
  const Invocation call = Describe(argc, argv);
  bench::Run run;
  bench::AddGenerate(&app, call, &run);
  bench::AddTrain(&app, call, &run);
  bench::AddReplay(&app, call, &run);
  bench::AddCompare(&app, call, &run);
  bench::AddCheck(&app, call, &run);
  bench::AddRecover(&app, call, &run);
  bench::AddSimulate(&app, call, &run);
  bench::AddSaturate(&app, call, &run);
  bench::AddReport(&app, call, &run);
  bench::AddLearnCurve(&app, call, &run);
  bench::AddAgree(&app, call, &run);
  bench::AddVerifyLog(&app, call, &run);
  bench::AddWhatIf(&app, call, &run);
  bench::AddEcho(&app, call, &run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : kUsage;
  }
  const absl::Status status = run();
  if (!status.ok()) {
    const std::string message(status.message());
    std::cerr << "freshline-bench: " << message << Where(app, message) << "\n";
    // What is wrong with an argument begins with it.
    return absl::StartsWith(message, "--") ? kUsage : 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "freshline-bench: " << e.what() << "\n";
    return kInternal;
  }
}

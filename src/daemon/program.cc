// SPDX-License-Identifier: Apache-2.0
#include "daemon/program.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/logger.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bounded_write.h"
#include "base/clock.h"
#include "daemon/config/config.h"
#include "daemon/config/memory_limit.h"
#include "daemon/daemon.h"
#include "daemon/library_lines.h"
#include "log/async_log.h"
#include "version/version.h"

namespace freshline::daemon {
namespace {

// After sysexits.h; documented in docs/operations.md.
enum ExitCode : int {
  kOk = 0,
  kUsage = 64,
  kInternal = 70,
  kSystem = 71,
  kConfig = 78,
};

// For what runs at the end of a drain, which nobody waits for any more.
constexpr base::Duration kWorkersPatience = std::chrono::seconds(2);
// For the last lines of the log, where somebody is slow to read them.
constexpr base::Duration kLogPatience = std::chrono::milliseconds(200);

struct Flags {
  std::string config;
  bool check_config = false;
  bool print_config = false;
  bool version = false;
  std::string log_level = "info";
};

std::string VersionText() {
  return std::string(absl::StrCat("freshlined ", version::Version(), " (",
                                  version::Commit(), ", ", version::Build(),
                                  ")"));
}

std::vector<absl::string_view> NamesOf(
    const schedule::PolicyCatalogue& catalogue) {
  std::vector<absl::string_view> names;
  for (const schedule::PolicyConfig& policy : catalogue.policies()) {
    names.emplace_back(policy.name);
  }
  return names;
}

// A standard stream that is closed would be the next file that is opened, a
// connection perhaps, and get the log's lines. What takes its place can be read
// but not written, so that lines count as lost.
void OccupyStandardStreams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1) continue;
    // The lowest free number, which is `fd`, as those below it are taken.
    [[maybe_unused]] const int opened = ::open("/dev/null", O_RDONLY);
  }
}

// What the machine refuses may be had later, an address whose last owner is
// about to leave, say; a configuration does not get better by itself.
ExitCode ExitOf(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) ? kSystem : kConfig;
}

int Fail(const absl::Status& status, ExitCode code) {
  base::WriteLastWords(absl::StrCat("freshlined: ", status.message(), "\n"));
  return code;
}

// Blocked before any thread is made, so that only the waiting main thread
// takes them. What a broken pipe and a file at its limit would send is an error
// of the write instead.
sigset_t BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number :
       {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2}) {
    sigaddset(&set, number);
  }
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  return set;
}

// Returns with the first signal that asks for the end.
int AwaitEnd(const sigset_t& signals) {
  while (true) {
    int number = 0;
    sigwait(&signals, &number);
    if (number == SIGHUP) {
      spdlog::warn(
          "SIGHUP: ignored; configuration and definitions are read at start, "
          "so restart to change them");
    } else if (number == SIGUSR1 || number == SIGUSR2) {
      spdlog::warn("{}: ignored; it has no meaning here",
                   number == SIGUSR1 ? "SIGUSR1" : "SIGUSR2");
    } else {
      return number;
    }
  }
}

// The log of the process from here on: it lives to the end, as lines may come
// from any thread until then.
log::AsyncLog* StartLog() {
  static auto* const log =
      new log::AsyncLog(log::AsyncLog::Options{}, base::Clock::Real());
  const auto level = spdlog::get_level();
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("freshlined", log::MakeSpdlogSink(log)));
  spdlog::set_level(level);
  RouteLibraryLines(log);
  return log;
}

void TellOfMemory(const DaemonConfig& config, const MemoryLimit& memory) {
  spdlog::info("memory: {} allows {} MiB; table.bytes_max is {} MiB", memory.by,
               memory.bytes >> 20, config.table.bytes_max >> 20);
  for (const std::string& sentence : config.origin.derived) {
    spdlog::info("derived: {}", sentence);
  }
  for (const std::string& sentence : config.origin.warnings) {
    spdlog::warn("{}", sentence);
  }
}

// Answers what waits, and writes what files lack. A second signal skips the
// waits.
void DrainAndStop(Daemon* daemon, const sigset_t& signals) {
  std::atomic<bool> drained{false};
  std::thread drain([&] {
    daemon->Drain(/*hurry=*/false);
    drained = true;
    kill(getpid(), SIGTERM);
  });
  AwaitEnd(signals);
  if (!drained) daemon->Drain(/*hurry=*/true);
  drain.join();
  const uint32_t hung = daemon->StopWorkers(kWorkersPatience);
  if (hung > 0) {
    spdlog::warn(
        "{} computations never ended: leaving without them; everything else "
        "was drained",
        hung);
  }
  daemon->CloseFiles();
}

int Serve(const DaemonConfig& config, const MemoryLimit& memory,
          const schedule::PolicyCatalogue& catalogue) {
  const sigset_t signals = BlockSignals();
  log::AsyncLog* const log = StartLog();
  spdlog::info("{}", VersionText());
  TellOfMemory(config, memory);
  absl::StatusOr<std::unique_ptr<Daemon>> daemon =
      Daemon::Start(config, catalogue, log);
  if (!daemon.ok()) {
    log->Close(kLogPatience);
    return Fail(daemon.status(), ExitOf(daemon.status()));
  }
  const int number = AwaitEnd(signals);
  spdlog::info("signal {}: draining", number);
  DrainAndStop(daemon->get(), signals);
  spdlog::info("stopped");
  log->Close(kLogPatience);
  // Without destructors: what is left is memory, which the kernel takes back
  // as a whole, and perhaps threads that never end.
  std::cout.flush();
  std::_Exit(kOk);
}

int Run(const Flags& flags, const schedule::PolicyCatalogue& catalogue) {
  if (flags.version) {
    std::cout << VersionText() << "\n";
    return kOk;
  }
  const auto level = spdlog::level::from_str(flags.log_level);
  spdlog::set_level(level);
  const Machine machine{std::max(1U, std::thread::hardware_concurrency()),
                        FindMemoryLimit()};
  const absl::StatusOr<DaemonConfig> config =
      LoadConfig(flags.config, machine, NamesOf(catalogue));
  if (!config.ok()) return Fail(config.status(), kConfig);
  if (flags.print_config) {
    std::cout << PrintConfig(*config);
    return kOk;
  }
  if (flags.check_config) {
    const absl::Status checked = CheckConfig(*config, catalogue);
    if (!checked.ok()) return Fail(checked, kConfig);
    std::cout << flags.config << ": OK\n";
    for (const std::string& sentence : config->origin.derived) {
      std::cout << "derived: " << sentence << "\n";
    }
    for (const std::string& sentence : config->origin.warnings) {
      std::cout << "warning: " << sentence << "\n";
    }
    return kOk;
  }
  return Serve(*config, machine.memory, catalogue);
}

}  // namespace

int RunProgram(int argc, char** argv,
               const schedule::PolicyCatalogue& catalogue) {
  OccupyStandardStreams();
  CLI::App app(
      "freshlined: a feature store that spends every query's spare "
      "milliseconds on freshness");
  app.footer(
      "Exit codes: 0 drained and stopped, 64 usage, 70 internal error, "
      "71 refused by the system, an address in use, say; 78 configuration.");
  Flags flags;
  app.add_option(
      "--config", flags.config,
      "Daemon configuration, a freshline.config.v1.Daemon textproto");
  app.add_flag("--check_config", flags.check_config,
               "Check configuration, definitions and item tables, and exit");
  app.add_flag("--print_config", flags.print_config,
               "Print the effective configuration and exit");
  app.add_flag("--version", flags.version, "Print the version and exit");
  app.add_option("--log_level", flags.log_level,
                 "trace, debug, info, warning, error or off")
      ->check(
          CLI::IsMember({"trace", "debug", "info", "warning", "error", "off"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kOk : kUsage;
  }
  if (flags.config.empty() && !flags.version) {
    app.exit(CLI::RequiredError("--config"));
    return kUsage;
  }
  try {
    return Run(flags, catalogue);
  } catch (const std::exception& e) {
    return Fail(absl::InternalError(e.what()), kInternal);
  }
}

}  // namespace freshline::daemon

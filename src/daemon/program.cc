// SPDX-License-Identifier: Apache-2.0
#include "daemon/program.h"

#include <pthread.h>
#include <signal.h>
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
#include "daemon/config/config.h"
#include "daemon/daemon.h"
#include "version/version.h"

namespace freshline::daemon {
namespace {

// After sysexits.h; documented in README.
enum ExitCode : int {
  kOk = 0,
  kUsage = 64,
  kInternal = 70,
  kConfig = 78,
};

// For what runs at the end of a drain, which nobody waits for any more.
constexpr base::Duration kWorkersPatience = std::chrono::seconds(2);

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

int Fail(const absl::Status& status, ExitCode code) {
  std::cerr << "freshlined: " << std::string(status.message()) << "\n";
  return code;
}

// Blocked before any thread is made, so that only the waiting main thread
// takes them.
sigset_t BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return set;
}

int Serve(const DaemonConfig& config,
          const schedule::PolicyCatalogue& catalogue) {
  const sigset_t signals = BlockSignals();
  absl::StatusOr<std::unique_ptr<Daemon>> daemon =
      Daemon::Start(config, catalogue);
  if (!daemon.ok()) return Fail(daemon.status(), kConfig);
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  spdlog::info("signal {}: draining", signal_number);
  std::atomic<bool> drained{false};
  // A second signal during the drain skips its waits.
  std::thread drain([&] {
    (*daemon)->Drain(/*hurry=*/false);
    drained = true;
    kill(getpid(), SIGTERM);
  });
  sigwait(&signals, &signal_number);
  if (!drained) (*daemon)->Drain(/*hurry=*/true);
  drain.join();
  const uint32_t hung = (*daemon)->StopWorkers(kWorkersPatience);
  if (hung > 0) {
    spdlog::warn(
        "{} computations never ended: leaving without them; everything else "
        "was drained",
        hung);
    spdlog::shutdown();
    std::quick_exit(kOk);
  }
  daemon->reset();
  spdlog::info("stopped");
  return kOk;
}

int Run(const Flags& flags, const schedule::PolicyCatalogue& catalogue) {
  if (flags.version) {
    std::cout << VersionText() << "\n";
    return kOk;
  }
  const auto level = spdlog::level::from_str(flags.log_level);
  spdlog::set_level(level);
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const absl::StatusOr<DaemonConfig> config =
      LoadConfig(flags.config, cores, NamesOf(catalogue));
  if (!config.ok()) return Fail(config.status(), kConfig);
  if (flags.print_config) {
    std::cout << PrintConfig(*config);
    return kOk;
  }
  if (flags.check_config) {
    const absl::Status checked = CheckConfig(*config, catalogue);
    if (!checked.ok()) return Fail(checked, kConfig);
    std::cout << flags.config << ": OK\n";
    return kOk;
  }
  spdlog::info("{}", VersionText());
  return Serve(*config, catalogue);
}

}  // namespace

int RunProgram(int argc, char** argv,
               const schedule::PolicyCatalogue& catalogue) {
  CLI::App app(
      "freshlined: a feature store that spends every query's spare "
      "milliseconds on freshness");
  app.footer(
      "Exit codes: 0 drained and stopped, 64 usage, 70 internal error, "
      "78 configuration.");
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
    std::cerr << "freshlined: " << e.what() << "\n";
    return kInternal;
  }
}

}  // namespace freshline::daemon

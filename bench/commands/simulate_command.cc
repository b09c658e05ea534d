// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <iostream>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/replay/workload.h"
#include "bench/sim/simulation.h"
#include "schedule/policies.h"

namespace freshline::bench {
namespace {

struct Flags {
  WorkloadOptions workload{"out/quickstart/trace/trace.csv",
                           "out/quickstart/tables", "auto", 60, 1};
  std::string policies = "slo_aware,edf,fifo,stale_then_refresh,eager_fifo";
  std::vector<double> loads = {0.5, 0.9, 2};
  double slo_ms = 30;
  double guard_ms = 2;
  uint32_t workers = 2;
  double base_ms = 0.8;  // of a row without a scan
  double scan_ms = 1.2;  // of each interest more
  double noise = 0.15;   // sigma of the log of a run's time
};

// The clicks of a slice as arrivals that carry their event.
class SliceStream final : public SimStream {
 public:
  explicit SliceStream(const std::vector<Click>& clicks) : clicks_(clicks) {}
  bool Next(SimArrival* arrival) override {
    if (next_ == clicks_.size()) return false;
    const Click& click = clicks_[next_++];
    *arrival = {};
    arrival->at = std::chrono::microseconds(click.time_us);
    arrival->row = {base::KeyId{static_cast<uint64_t>(click.user)},
                    base::GroupId{0}};
    uint32_t& seen = seen_[click.user];
    ++seen;
    // As measured on such clicks: 1 to 4 interests for .43/.23/.14/.20.
    const double u =
        static_cast<double>(
            base::MixBits(static_cast<uint64_t>(click.user) * 31 + seen) >>
            11) *
        0x1.0p-53;
    const uint32_t scans = u < .43 ? 1 : u < .66 ? 2 : u < .80 ? 3 : 4;
    arrival->shape = {base::GroupId{0}, seen, std::min(scans, seen)};
    return true;
  }

 private:
  const std::vector<Click>& clicks_;
  size_t next_ = 0;
  absl::flat_hash_map<int64_t, uint32_t> seen_;
};

class ScanTimes final : public SimServiceTimes {
 public:
  ScanTimes(double base_ms, double scan_ms, double noise)
      : base_ms_(base_ms), scan_ms_(scan_ms), noise_(noise) {}
  SimRun Sample(const base::JobShape& shape, uint32_t batch, uint64_t draw,
                base::Duration) const override {
    base::Rng rng(draw);
    const double ms = (base_ms_ + scan_ms_ * shape.scans) * batch;
    return {base::FromMillis(ms * rng.LogNormal(0, noise_)), true};
  }

 private:
  const double base_ms_, scan_ms_, noise_;
};

absl::Status Simulate(const Flags& flags) {
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload,
                             Workload::Load(flags.workload));
  const ScanTimes times(flags.base_ms, flags.scan_ms, flags.noise);
  constexpr double kMeanScans = 0.43 + 2 * 0.23 + 3 * 0.14 + 4 * 0.20;
  const double capacity =
      flags.workers * 1e3 / (flags.base_ms + flags.scan_ms * kMeanScans);
  std::printf("%-19s %5s %9s %8s %7s %9s %8s %s\n", "policy", "load", "queries",
              "captured", "fresh", "p99 ms", "rows/q", "actions");
  for (const double load : flags.loads) {
    FRESHLINE_ASSIGN_OR_RETURN(
        const Slice slice,
        workload->Cut(load * capacity / workload->natural_rate()));
    for (const absl::string_view name : absl::StrSplit(flags.policies, ',')) {
      SimOptions options;
      FRESHLINE_ASSIGN_OR_RETURN(options.policy, schedule::FindPolicy(name));
      options.groups = {{1}};
      options.workers = flags.workers;
      options.slo = base::FromMillis(flags.slo_ms);
      options.guard = base::FromMillis(flags.guard_ms);
      options.gain_is_value = false;
      for (uint32_t scans = 1; scans <= 4; ++scans) {
        options.profile_shapes.push_back({base::GroupId{0}, 8, scans});
      }
      SliceStream stream(slice.queries);
      const SimResult r = RunSimulation(options, &stream, times);
      const auto refreshed =
          r.obtained[static_cast<size_t>(base::Obtained::kRefreshed)];
      std::printf("%-19s %5.2f %9llu %7.1f%% %6.1f%% %9.2f %8.3f %016llx\n",
                  std::string(name).c_str(), load,
                  static_cast<unsigned long long>(r.queries),
                  100 * r.captured_share(),
                  100.0 * static_cast<double>(refreshed) /
                      static_cast<double>(std::max<uint64_t>(1, r.queries)),
                  static_cast<double>(r.latency_ns.Quantile(0.99)) / 1e6,
                  static_cast<double>(r.rows_computed) /
                      static_cast<double>(std::max<uint64_t>(1, r.queries)),
                  static_cast<unsigned long long>(r.actions_hash));
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddSimulate(CLI::App* app, const Invocation&, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "simulate",
      "Run the daemon's policies over a trace in virtual time; equal actions "
      "hashes mean equal decisions");
  auto f = std::make_shared<Flags>();
  sub->add_option("--trace", f->workload.trace, "REES46 CSV, plain or .gz")
      ->envname("FRESHLINE_REES46")
      ->capture_default_str();
  sub->add_option("--tables", f->workload.tables, "Directory of items.fltab")
      ->capture_default_str();
  sub->add_option("--window", f->workload.window, "auto or START+SECONDS")
      ->capture_default_str();
  sub->add_option("--slice", f->workload.slice_seconds, "Seconds; 0: all")
      ->capture_default_str();
  sub->add_option("--policies", f->policies, "Separated by commas")
      ->capture_default_str();
  sub->add_option("--loads", f->loads, "1 is what the workers can compute")
      ->delimiter(',')
      ->capture_default_str();
  sub->add_option("--slo", f->slo_ms, "Milliseconds")->capture_default_str();
  sub->add_option("--guard", f->guard_ms, "Milliseconds")
      ->capture_default_str();
  sub->add_option("--workers", f->workers, "Virtual workers")
      ->capture_default_str();
  sub->add_option("--base-ms", f->base_ms, "Time of a row beside its scans")
      ->capture_default_str();
  sub->add_option("--scan-ms", f->scan_ms, "Time of each interest")
      ->capture_default_str();
  sub->add_option("--noise", f->noise, "Sigma of the log of a run's time")
      ->capture_default_str();
  sub->callback([f, run] { *run = [f] { return Simulate(*f); }; });
}

}  // namespace freshline::bench

// SPDX-License-Identifier: Apache-2.0
#include "bench/bound/fresh_value.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "base/check.h"

namespace freshline::bench {

using base::Duration;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double Ns(Duration d) { return static_cast<double>(d.count()); }

// Numbers in a row: adds to all from one on, and the least of the first or of
// the last ones, in O(log n) each.
class SuffixSums {
 public:
  explicit SuffixSums(std::span<const double> values) {
    while (leaves_ < values.size()) leaves_ *= 2;
    least_.assign(2 * leaves_, kInfinity);
    added_.assign(2 * leaves_, 0);
    std::copy(values.begin(), values.end(),
              least_.begin() + static_cast<ptrdiff_t>(leaves_));
    for (size_t node = leaves_ - 1; node > 0; --node) Update(node);
  }

  void AddFrom(size_t index, double x) {
    size_t node = leaves_ + index;
    least_[node] += x;
    for (; node > 1; node /= 2) {
      if (node % 2 == 0) {
        least_[node + 1] += x;
        added_[node + 1] += x;
      }
      Update(node / 2);
    }
  }

  double LeastOfFirst(size_t last) const { return Climb<1>(last); }
  double LeastFrom(size_t first) const { return Climb<0>(first); }

 private:
  void Update(size_t node) {
    least_[node] =
        std::min(least_[2 * node], least_[2 * node + 1]) + added_[node];
  }

  // Side 1: with what is left of `index`; 0: with what is right of it.
  template <size_t kSide>
  double Climb(size_t index) const {
    size_t node = leaves_ + index;
    double least = least_[node];
    for (; node > 1; node /= 2) {
      if (node % 2 == kSide) least = std::min(least, least_[node ^ 1]);
      least += added_[node / 2];
    }
    return least;
  }

  size_t leaves_ = 1;
  std::vector<double> least_;  // of the leaves below, with what was added
  std::vector<double> added_;  // to all leaves below
};

// The least of any range of numbers.
class RangeMin {
 public:
  explicit RangeMin(std::span<const double> values)
      : leaves_(values.size()), least_(2 * values.size(), kInfinity) {
    std::copy(values.begin(), values.end(),
              least_.begin() + static_cast<ptrdiff_t>(leaves_));
    for (size_t node = leaves_; node-- > 1;) {
      least_[node] = std::min(least_[2 * node], least_[2 * node + 1]);
    }
  }

  // Of [begin, end).
  double Of(size_t begin, size_t end) const {
    double least = kInfinity;
    for (begin += leaves_, end += leaves_; begin < end; begin /= 2, end /= 2) {
      if (begin % 2 == 1) least = std::min(least, least_[begin++]);
      if (end % 2 == 1) least = std::min(least, least_[--end]);
    }
    return least;
  }

 private:
  size_t leaves_;
  std::vector<double> least_;
};

struct Job {
  double release = 0;  // ns, as the others
  double deadline = 0;
  double work = 0;
  double value = 0;
};

// The queries of an instance as jobs that share nothing (step 1).
class Separation {
 public:
  explicit Separation(const BoundInstance& instance);
  std::vector<Job> Jobs() const;

 private:
  struct Window {
    size_t begin = 0;  // places of events
    size_t end = 0;    // up to the last moment to start
    Job job;
  };

  size_t EndAt(size_t begin, double at) const;
  void AddWindow(const BoundQuery& query, const RangeMin& run,
                 const RangeMin& work);

  const BoundInstance& instance_;
  // By place: the events, those of a row side by side, in order of time.
  std::vector<double> at_;
  std::vector<uint32_t> row_;
  std::vector<size_t> row_end_;
  std::vector<size_t> place_;  // of each event
  std::vector<Window> windows_;
};

Separation::Separation(const BoundInstance& instance) : instance_(instance) {
  const std::vector<BoundEvent>& events = instance.events;
  std::vector<size_t> order(events.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return events[a].row < events[b].row;
  });
  place_.resize(order.size());
  std::vector<double> runs;
  std::vector<double> works;
  for (size_t place = 0; place < order.size(); ++place) {
    const BoundEvent& event = events[order[place]];
    place_[order[place]] = place;
    at_.push_back(Ns(event.at));
    row_.push_back(event.row);
    runs.push_back(Ns(event.run));
    works.push_back(Ns(event.work));
  }
  row_end_.resize(order.size());
  for (size_t place = order.size(); place-- > 0;) {
    const bool last =
        place + 1 == order.size() || row_[place + 1] != row_[place];
    row_end_[place] = last ? place + 1 : row_end_[place + 1];
  }
  const RangeMin run(runs);
  const RangeMin work(works);
  for (const BoundQuery& query : instance.queries) {
    AddWindow(query, run, work);
  }
}

size_t Separation::EndAt(size_t begin, double at) const {
  const auto from = at_.begin() + static_cast<ptrdiff_t>(begin);
  const auto to = at_.begin() + static_cast<ptrdiff_t>(row_end_[begin]);
  return static_cast<size_t>(std::upper_bound(from, to, at) - at_.begin());
}

void Separation::AddWindow(const BoundQuery& query, const RangeMin& run,
                           const RangeMin& work) {
  FRESHLINE_CHECK(query.event < place_.size());
  FRESHLINE_CHECK(query.value >= 0 && std::isfinite(query.value));
  Window window;
  window.begin = place_[query.event];
  const double release = at_[window.begin];
  const double deadline = Ns(query.deadline);
  FRESHLINE_CHECK(deadline >= release);
  const size_t end = EndAt(window.begin, deadline);
  const double latest = deadline - run.Of(window.begin, end);
  if (latest < release || query.value == 0) return;
  window.end = EndAt(window.begin, latest);
  window.job = {release, deadline, work.Of(window.begin, end), query.value};
  windows_.push_back(window);
}

std::vector<Job> Separation::Jobs() const {
  // Value that a start at each event could serve: a later start up to the next
  // event serves no more.
  std::vector<double> change(at_.size() + 1, 0);
  for (const Window& w : windows_) {
    change[w.begin] += w.job.value;
    change[w.end] -= w.job.value;
  }
  std::vector<double> minus_value(at_.size(), 0);
  double value = 0;
  for (size_t place = 0; place < at_.size(); ++place) {
    value += change[place];
    minus_value[place] = -value;
  }
  const RangeMin shared(minus_value);
  std::vector<Job> jobs;
  jobs.reserve(windows_.size());
  for (const Window& w : windows_) {
    const double together = std::max(w.job.value, -shared.Of(w.begin, w.end));
    jobs.push_back(w.job);
    jobs.back().work *= w.job.value / together;
  }
  return jobs;
}

// Step 2, for jobs in order of release and of deadline. With Y the sum of work
// up to a job, the jobs i..j fit in their windows' union while
//   Y(j) - speed · deadline(j) <= Y(i - 1) - speed · release(i).
double DensestFirst(std::span<const Job> jobs, double speed) {
  std::vector<double> left;   // the right hand side
  std::vector<double> right;  // minus the left hand side
  for (const Job& job : jobs) {
    left.push_back(-speed * job.release);
    right.push_back(speed * job.deadline);
  }
  SuffixSums before(left);
  SuffixSums upto(right);
  std::vector<size_t> order(jobs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return jobs[a].value * jobs[b].work > jobs[b].value * jobs[a].work;
  });
  double value = 0;
  for (const size_t k : order) {
    const Job& job = jobs[k];
    const double room = before.LeastOfFirst(k) + upto.LeastFrom(k);
    const double taken = std::clamp(room, 0.0, job.work);
    if (job.work <= 0) {
      value += job.value;
      continue;
    }
    if (taken <= 0) continue;
    value += job.value * taken / job.work;
    if (k + 1 < jobs.size()) before.AddFrom(k + 1, taken);
    upto.AddFrom(k, -taken);
  }
  return value;
}

}  // namespace

double FreshValueBound(const BoundInstance& instance) {
  FRESHLINE_CHECK(instance.workers > 0);
  FRESHLINE_CHECK(std::is_sorted(
      instance.events.begin(), instance.events.end(),
      [](const BoundEvent& a, const BoundEvent& b) { return a.at < b.at; }));
  std::vector<Job> jobs = Separation(instance).Jobs();
  if (jobs.empty()) return 0;
  const auto by_deadline = [](const Job& a, const Job& b) {
    return a.deadline != b.deadline ? a.deadline < b.deadline
                                    : a.release < b.release;
  };
  std::stable_sort(jobs.begin(), jobs.end(), by_deadline);
  bool agree = true;
  std::vector<Job> earlier = jobs;
  for (size_t i = jobs.size() - 1; i-- > 0;) {
    agree &= earlier[i].release <= earlier[i + 1].release;
    earlier[i].release = std::min(earlier[i].release, earlier[i + 1].release);
  }
  const double speed = instance.workers;
  const double bound = DensestFirst(earlier, speed);
  if (agree) return bound;
  std::stable_sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) {
    return a.release < b.release;
  });
  for (size_t i = 1; i < jobs.size(); ++i) {
    jobs[i].deadline = std::max(jobs[i].deadline, jobs[i - 1].deadline);
  }
  return std::min(bound, DensestFirst(jobs, speed));
}

}  // namespace freshline::bench

// SPDX-License-Identifier: Apache-2.0
#include "featurize/recommend.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "base/check.h"
#include "featurize/candidate_scores.h"
#include "featurize/top_scan.h"

namespace freshline::featurize {
namespace {

constexpr double kClickDecay = 0.4;
constexpr double kOwnDecay = 0.7;
constexpr float kJoinCosine = 0.7F;
constexpr double kPriorVisits = 5;
constexpr double kMissFactor = 3;
constexpr double kOwnWeight = 0.1;

constexpr uint32_t kUnknown = UINT32_MAX;

// What a click means to one table.
struct ResolvedClick {
  int64_t item = 0;
  uint32_t row = kUnknown;
  double weight = 0;  // .4^k
  // Unit length, [dim]; nullptr: none. Valid until the next Resolve().
  const float* vector = nullptr;
};

constexpr size_t kCandidatesMax =
    Recommender::kInterestsMax * Recommender::kScanTop +
    Recommender::kNeighbourClicks * kNeighboursMax + Recommender::kClicksMax;

}  // namespace

struct Recommender::User {
  base::FixedVector<ResolvedClick, kClicksMax> clicks;
  size_t first_interest = 0;  // row of the matrix of interests
  size_t interests = 0;
  std::array<double, kInterestsMax> weights{};
};

class Recommender::WorkingMemory final : public Scratch {
 public:
  WorkingMemory(const ItemTable& table, size_t users_max)
      : users(users_max),
        encoded(kClicksMax * table.dim()),
        interests(users_max * kInterestsMax * table.dim()),
        scan(table, users_max * kInterestsMax),
        scores(kCandidatesMax) {}

  std::vector<User> users;
  User single;                   // of calls for one user without a scan
  std::vector<float> encoded;    // [kClicksMax x dim], of unknown items
  std::vector<float> interests;  // [users_max * kInterestsMax x dim]
  TopScan scan;
  CandidateScores scores;
};

Recommender::Recommender(std::shared_ptr<const ItemTable> table,
                         const Kernels& kernels)
    : table_(std::move(table)), kernels_(kernels) {}

Recommender Recommender::OfItems(std::shared_ptr<const ItemTable> table) {
  const uint32_t items = table->items();
  Recommender recommender(std::move(table));
  recommender.scanned_ = items;
  return recommender;
}

std::unique_ptr<Scratch> Recommender::MakeScratch(size_t users_max) const {
  return std::make_unique<WorkingMemory>(*table_, users_max);
}

void Recommender::Resolve(Clicks clicks, WorkingMemory* memory,
                          User* user) const {
  user->clicks.clear();
  user->interests = 0;
  double weight = 1;
  for (const ClickedItem& click :
       clicks.first(std::min(clicks.size(), kClicksMax))) {
    if (!user->clicks.empty() && user->clicks.back().item == click.item) {
      continue;
    }
    ResolvedClick resolved{click.item, kUnknown, weight, nullptr};
    weight *= kClickDecay;
    if (const auto row = table_->Find(click.item); row.has_value()) {
      resolved.row = *row;
      resolved.vector = table_->vector(*row);
    } else if (click.attributes.has_value()) {
      float* const encoded =
          memory->encoded.data() + user->clicks.size() * table_->dim();
      EncodeContent(table_->projection(), *click.attributes, encoded);
      if (Normalise({encoded, table_->content_columns()})) {
        resolved.vector = encoded;
      }
    }
    user->clicks.push_back(resolved);
  }
}

void Recommender::AddInterests(WorkingMemory* memory, User* user) const {
  const size_t dim = table_->dim();
  float* const sums = memory->interests.data() + user->first_interest * dim;
  std::array<float, kInterestsMax> lengths{};
  for (const ResolvedClick& click : user->clicks) {
    if (click.vector == nullptr) continue;
    size_t best = kInterestsMax;
    float best_cosine = -2;
    for (size_t i = 0; i < user->interests; ++i) {
      const float cosine =
          kernels_.dot_float(click.vector, sums + i * dim, dim) /
          std::max(lengths[i], 1e-12F);
      if (cosine > best_cosine) {
        best_cosine = cosine;
        best = i;
      }
    }
    if (best_cosine <= kJoinCosine && user->interests < kInterestsMax) {
      best = user->interests++;
      user->weights[best] = 0;
      std::fill_n(sums + best * dim, dim, 0.0F);
    }
    float* const sum = sums + best * dim;
    const auto weight = static_cast<float>(click.weight);
    for (size_t d = 0; d + 1 < dim; ++d) sum[d] += weight * click.vector[d];
    lengths[best] = std::sqrt(kernels_.dot_float(sum, sum, dim));
    user->weights[best] += click.weight;
  }
  for (size_t i = 0; i < user->interests; ++i) {
    Normalise({sums + i * dim, dim});
  }
}

size_t Recommender::CountInterests(Clicks clicks, Scratch* scratch) const {
  auto* const memory = static_cast<WorkingMemory*>(scratch);
  Resolve(clicks, memory, &memory->single);
  memory->single.first_interest = 0;
  AddInterests(memory, &memory->single);
  return memory->single.interests;
}

void Recommender::AddCoVisitation(const User& user, bool by_largest,
                                  WorkingMemory* memory) const {
  const size_t count = std::min(user.clicks.size(), kNeighbourClicks);
  double all = 0;
  for (size_t k = 0; k < count; ++k) all += user.clicks[k].weight;
  for (size_t k = 0; k < count; ++k) {
    const ResolvedClick& click = user.clicks[k];
    if (click.row == kUnknown) continue;
    const auto neighbours = table_->neighbours(click.row);
    const auto weights = table_->weights(click.row);
    if (neighbours.empty()) continue;
    const double whole =
        by_largest ? weights[0] : table_->total(click.row) + kPriorVisits;
    const double factor = click.weight / all / whole;
    for (size_t i = 0; i < neighbours.size(); ++i) {
      if (!table_->is_candidate(neighbours[i])) continue;
      memory->scores.Add(neighbours[i], factor * weights[i]);
    }
  }
}

void Recommender::AddOwn(const User& user, double weight,
                         WorkingMemory* memory) const {
  for (size_t k = 0; k < user.clicks.size(); ++k) {
    const ResolvedClick& click = user.clicks[k];
    bool seen = false;
    for (size_t i = 0; i < k && !seen; ++i) {
      seen = user.clicks[i].item == click.item;
    }
    if (seen) continue;
    // An unknown item is a candidate all the same: numbered behind all rows.
    const uint32_t candidate = click.row != kUnknown
                                   ? click.row
                                   : table_->rows() + static_cast<uint32_t>(k);
    memory->scores.Add(candidate, weight);
    weight *= kOwnDecay;
  }
}

void Recommender::AddDense(const User& user, double factor,
                           WorkingMemory* memory) const {
  double all = 0;
  for (size_t i = 0; i < user.interests; ++i) all += user.weights[i];
  for (size_t i = 0; i < user.interests; ++i) {
    const size_t vector = user.first_interest + i;
    const float* const interest =
        memory->interests.data() + vector * table_->dim();
    const std::span<Hit> hits = memory->scan.hits(vector);
    float best = kNeverRecommended;
    for (Hit& hit : hits) {
      hit.score =
          kernels_.dot_float(interest, table_->vector(hit.row), table_->dim()) +
          table_->popularity(hit.row);
      best = std::max(best, hit.score);
    }
    double sum = 0;
    for (Hit& hit : hits) {
      hit.score = std::exp(table_->beta() * (hit.score - best));
      sum += hit.score;
    }
    const double scale = factor * user.weights[i] / all / sum;
    for (const Hit& hit : hits) memory->scores.Add(hit.row, scale * hit.score);
  }
}

void Recommender::TakeBest(const User& user, size_t top, WorkingMemory* memory,
                           RankedList* out) const {
  const auto item_of = [&](uint32_t candidate) {
    return candidate < table_->rows()
               ? table_->item(candidate)
               : user.clicks[candidate - table_->rows()].item;
  };
  const auto better = [&](const CandidateScores::Entry& a,
                          const CandidateScores::Entry& b) {
    if (a.score != b.score) return a.score > b.score;
    return item_of(a.candidate) < item_of(b.candidate);
  };
  const auto entries = memory->scores.entries();
  const size_t count = std::min(top, entries.size());
  std::partial_sort(entries.begin(),
                    entries.begin() + static_cast<std::ptrdiff_t>(count),
                    entries.end(), better);
  out->clear();
  for (const auto& entry : entries.first(count)) {
    out->push_back({item_of(entry.candidate), entry.score});
  }
  FillWithPopular(top, out);
}

void Recommender::FillWithPopular(size_t top, RankedList* out) const {
  const size_t scored = out->size();
  for (uint32_t row = 0; row < table_->items() && out->size() < top; ++row) {
    if (!table_->is_candidate(row)) break;  // nor is any less popular one
    const int64_t item = table_->item(row);
    bool listed = false;
    for (size_t i = 0; i < scored && !listed; ++i) {
      listed = (*out)[i].item == item;
    }
    // Popularity is at most 0, so these stand behind everything scored.
    if (!listed) out->push_back({item, double{table_->popularity(row)} - 1});
  }
}

void Recommender::Recommend(std::span<const Clicks> users, size_t top,
                            Scratch* scratch, std::span<RankedList> out) const {
  auto* const memory = static_cast<WorkingMemory*>(scratch);
  FRESHLINE_CHECK(users.size() == out.size() &&
                  users.size() <= memory->users.size());
  FRESHLINE_CHECK(top > 0 && top <= kRankedMax);
  size_t vectors = 0;
  for (size_t u = 0; u < users.size(); ++u) {
    User& user = memory->users[u];
    Resolve(users[u], memory, &user);
    user.first_interest = vectors;
    AddInterests(memory, &user);
    vectors += user.interests;
  }
  if (vectors > 0) {
    memory->scan.Run(*table_, kernels_, memory->interests, vectors, kScanTop,
                     scanned_);
  }
  for (size_t u = 0; u < users.size(); ++u) {
    const User& user = memory->users[u];
    double all = 0;
    double missed = 0;
    for (size_t k = 0; k < std::min(user.clicks.size(), kNeighbourClicks);
         ++k) {
      const ResolvedClick& click = user.clicks[k];
      const double total =
          click.row == kUnknown ? 0.0 : double{table_->total(click.row)};
      missed += click.weight * kPriorVisits / (total + kPriorVisits);
      all += click.weight;
    }
    const double miss = all > 0 ? missed / all : 0;
    memory->scores.Clear();
    AddCoVisitation(user, /*by_largest=*/false, memory);
    AddDense(user, 1 + kMissFactor * miss, memory);
    AddOwn(user, kOwnWeight, memory);
    TakeBest(user, top, memory, &out[u]);
  }
}

void Recommender::CoVisitation(Clicks clicks, double own_weight, size_t top,
                               Scratch* scratch, RankedList* out) const {
  auto* const memory = static_cast<WorkingMemory*>(scratch);
  Resolve(clicks, memory, &memory->single);
  memory->scores.Clear();
  AddCoVisitation(memory->single, /*by_largest=*/true, memory);
  if (own_weight > 0) AddOwn(memory->single, own_weight, memory);
  TakeBest(memory->single, top, memory, out);
}

void Recommender::OwnItems(Clicks clicks, size_t top, Scratch* scratch,
                           RankedList* out) const {
  auto* const memory = static_cast<WorkingMemory*>(scratch);
  Resolve(clicks, memory, &memory->single);
  memory->scores.Clear();
  AddOwn(memory->single, 1, memory);
  TakeBest(memory->single, top, memory, out);
}

void Recommender::Popular(size_t top, RankedList* out) const {
  out->clear();
  FillWithPopular(top, out);
}

}  // namespace freshline::featurize

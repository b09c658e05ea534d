// SPDX-License-Identifier: Apache-2.0
#include "bench/train/train.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <system_error>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/output_file.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "bench/trace/reader.h"
#include "bench/train/covisitation.h"
#include "featurize/content.h"

namespace freshline::bench {
namespace {

using Pair = CovisitationCounter::Pair;
using featurize::ItemTableContents;

struct Item {
  int64_t id = 0;
  uint64_t clicks = 0;
  featurize::ItemAttributes attributes;
};

// Every candidate, most clicked first, equals by id.
std::vector<Item> ListItems(std::span<const Click> clicks,
                            const StringPool& pool,
                            std::span<const CatalogueItem> catalogue) {
  std::vector<Item> items;
  absl::flat_hash_map<int64_t, size_t> places;
  const auto place_of = [&](int64_t id) {
    const auto [it, added] = places.try_emplace(id, items.size());
    if (added) items.push_back({id, 0, {}});
    return it->second;
  };
  for (const Click& click : clicks) {
    Item& item = items[place_of(click.item)];
    ++item.clicks;
    item.attributes = {click.category, pool.text(click.brand), click.price};
  }
  for (const CatalogueItem& entry : catalogue) {
    items[place_of(entry.id)].attributes = {entry.category, entry.brand,
                                            entry.price};
  }
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.clicks != b.clicks ? a.clicks > b.clicks : a.id < b.id;
  });
  return items;
}

// The pairs of every session, items as rows.
std::vector<Pair> CountPairs(std::span<const Click> clicks,
                             const std::vector<Item>& items) {
  absl::flat_hash_map<int64_t, uint32_t> row_of;
  row_of.reserve(items.size());
  for (uint32_t row = 0; row < items.size(); ++row) {
    row_of.emplace(items[row].id, row);
  }
  std::vector<size_t> order(clicks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return clicks[a].session != clicks[b].session
               ? clicks[a].session < clicks[b].session
               : a < b;
  });
  CovisitationCounter counter;
  std::vector<uint32_t> session;
  for (size_t i = 0; i < order.size(); ++i) {
    const Click& click = clicks[order[i]];
    session.push_back(row_of.at(click.item));
    if (i + 1 == order.size() ||
        clicks[order[i + 1]].session != click.session) {
      counter.AddSession(session);
      session.clear();
    }
  }
  return counter.Take();
}

float WeightOf(uint64_t weight) {
  return static_cast<float>(static_cast<double>(weight) /
                            CovisitationCounter::kUnit);
}

// Totals of all pairs, and the strongest of each item.
void KeepStrongest(std::vector<Pair>* pairs, ItemTableContents* table) {
  const size_t items = table->ids.size();
  table->offsets.assign(1, 0);
  size_t begin = 0;
  for (uint32_t row = 0; row < items; ++row) {
    size_t end = begin;
    uint64_t total = 0;
    for (; end < pairs->size() && (*pairs)[end].item == row; ++end) {
      total += (*pairs)[end].weight;
    }
    const auto first = pairs->begin() + static_cast<ptrdiff_t>(begin);
    const auto last = pairs->begin() + static_cast<ptrdiff_t>(end);
    std::sort(first, last, [](const Pair& a, const Pair& b) {
      return a.weight != b.weight ? a.weight > b.weight
                                  : a.neighbour < b.neighbour;
    });
    const size_t kept =
        std::min<size_t>(end - begin, featurize::kNeighboursMax);
    for (size_t i = begin; i < begin + kept; ++i) {
      table->neighbours.push_back((*pairs)[i].neighbour);
      table->weights.push_back(WeightOf((*pairs)[i].weight));
    }
    table->totals.push_back(WeightOf(total));
    table->offsets.push_back(static_cast<uint32_t>(table->neighbours.size()));
    begin = end;
  }
}

// One sweep of averaging over the graph of co-visits, then unit length.
void LearnVectors(const std::vector<Item>& items,
                  const std::vector<Pair>& pairs, const ModelOptions& options,
                  ItemTableContents* table) {
  const size_t dim = options.dim;
  const featurize::ContentProjection projection =
      featurize::ViewProjection(table->projection, table->hash_seed);
  std::vector<float> content(items.size() * dim);
  for (size_t row = 0; row < items.size(); ++row) {
    featurize::EncodeContent(projection, items[row].attributes,
                             &content[row * dim]);
  }
  table->vectors = content;
  for (float& v : table->vectors) v *= options.content_weight;
  for (const Pair& pair : pairs) {
    const float weight = WeightOf(pair.weight);
    float* to = &table->vectors[pair.item * dim];
    const float* from = &content[pair.neighbour * dim];
    for (size_t d = 0; d < dim; ++d) to[d] += weight * from[d];
  }
  for (size_t row = 0; row < items.size(); ++row) {
    featurize::Normalise({&table->vectors[row * dim], dim - 1});
  }
}

void AppendPadding(const ModelOptions& options, ItemTableContents* table) {
  base::Rng rng(base::MixBits(options.seed ^ 0x70616464696e67ULL));
  std::vector<float> vector(options.dim);
  table->vectors.reserve(size_t{options.pad} * options.dim);
  while (table->popularity.size() < options.pad) {
    for (size_t d = 0; d + 1 < vector.size(); ++d) {
      vector[d] = static_cast<float>(rng.Uniform() - 0.5);
    }
    featurize::Normalise({vector.data(), vector.size() - 1});
    table->vectors.insert(table->vectors.end(), vector.begin(), vector.end());
    table->popularity.push_back(featurize::kNeverRecommended);
  }
}

absl::Status CheckOptions(const ModelOptions& options) {
  if (options.dim < 2 || options.dim > featurize::kTableDimMax) {
    return absl::InvalidArgumentError(absl::StrCat("dim is ", options.dim,
                                                   ": it must be from 2 to ",
                                                   featurize::kTableDimMax));
  }
  if (options.pad > featurize::kTableRowsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("pad is ", options.pad, ": a table holds at most ",
                     featurize::kTableRowsMax, " rows"));
  }
  if (!(options.beta > 0 && options.beta <= 1e6F) ||
      !(options.content_weight > 0 && options.content_weight <= 1e6F)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "beta is ", options.beta, " and content_weight ",
        options.content_weight, ": both must be above 0 and at most 1e6"));
  }
  return absl::OkStatus();
}

// Says what is being done, where anyone listens.
void Tell(std::FILE* progress, absl::string_view what) {
  if (progress == nullptr) return;
  std::fprintf(progress, "train: %.*s\n", static_cast<int>(what.size()),
               what.data());
  std::fflush(progress);
}

absl::StatusOr<std::vector<Click>> ReadClicks(const TrainOptions& options,
                                              StringPool* pool,
                                              TrainReport* report) {
  ReadOptions read;
  read.since_us = options.since_us;
  read.until_us = options.until_us;
  read.jitter = false;
  read.skipped_share_max = options.skipped_share_max;
  read.time_unit = options.time_unit;
  ReadReport rows;
  FRESHLINE_ASSIGN_OR_RETURN(std::vector<Click> clicks,
                             ReadTrace(options.trace, read, pool, &rows));
  report->clicks = clicks.size();
  report->malformed = rows.malformed;
  absl::flat_hash_set<int64_t> items;
  for (const Click& click : clicks) items.insert(click.item);
  report->clicked_items = static_cast<uint32_t>(items.size());
  Tell(options.progress,
       absl::StrCat(clicks.size(), " clicks from ", options.trace));
  if (rows.malformed > 0) {
    Tell(options.progress,
         absl::StrCat(rows.malformed, " malformed rows skipped, the first: ",
                      options.trace, ":", rows.examples[0].line, ": ",
                      rows.examples[0].reason));
  }
  if (rows.out_of_order > 0) {
    Tell(
        options.progress,
        absl::StrCat(rows.out_of_order,
                     " rows were earlier than the one before: sorted by time"));
  }
  if (clicks.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.trace, " has no row in the time range to train on (of ",
        rows.rows, " read): widen --since and --until"));
  }
  return clicks;
}

std::string UntilPath(const std::string& directory) {
  return (std::filesystem::path(directory) / "items.fltab.until").string();
}

absl::Status NoteUntil(const TrainOptions& options) {
  const std::string path = UntilPath(options.out);
  if (options.until_us == std::numeric_limits<int64_t>::max()) {
    std::error_code error;
    std::filesystem::remove(path, error);
    return absl::OkStatus();
  }
  constexpr base::FileKind kKind = {
      "time of a trace's row", [](absl::string_view head) {
        return base::TryParseDateTime(absl::StripTrailingAsciiWhitespace(head))
            .has_value();
      }};
  return base::WriteOutputFile(path, base::FormatTime(options.until_us) + "\n",
                               kKind);
}

}  // namespace

absl::StatusOr<ItemTableContents> BuildItemTable(
    std::span<const Click> clicks, const StringPool& pool,
    std::span<const CatalogueItem> catalogue, const ModelOptions& options) {
  FRESHLINE_RETURN_IF_ERROR(CheckOptions(options));
  if (clicks.empty()) {
    return absl::InvalidArgumentError("there is no click to learn from");
  }
  const std::vector<Item> items = ListItems(clicks, pool, catalogue);
  if (items.size() > featurize::kTableRowsMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "there are ", items.size(), " items: a table holds at most ",
        featurize::kTableRowsMax));
  }
  std::vector<Pair> pairs = CountPairs(clicks, items);
  ItemTableContents table;
  table.dim = options.dim;
  table.beta = options.beta;
  table.hash_seed = base::MixBits(options.seed);
  table.projection = featurize::DrawProjection(options.dim - 1, options.seed);
  const double most = std::log(static_cast<double>(items[0].clicks) + 1);
  for (const Item& item : items) {
    table.ids.push_back(item.id);
    table.popularity.push_back(static_cast<float>(
        (std::log(static_cast<double>(item.clicks) + 0.3) - most) /
        static_cast<double>(options.beta)));
  }
  LearnVectors(items, pairs, options, &table);
  KeepStrongest(&pairs, &table);
  AppendPadding(options, &table);
  return table;
}

std::optional<int64_t> TrainedUntil(const std::string& directory) {
  std::ifstream in(UntilPath(directory));
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  const absl::StatusOr<int64_t> until = base::ParseTime(line);
  if (!until.ok()) return std::nullopt;
  return *until;
}

absl::StatusOr<TrainReport> RunTrain(const TrainOptions& options) {
  TrainReport report;
  StringPool pool;
  FRESHLINE_ASSIGN_OR_RETURN(const std::vector<Click> clicks,
                             ReadClicks(options, &pool, &report));
  std::vector<CatalogueItem> catalogue;
  if (!options.catalogue.empty()) {
    FRESHLINE_ASSIGN_OR_RETURN(catalogue, ReadCatalogue(options.catalogue));
    Tell(options.progress,
         absl::StrCat(catalogue.size(), " items from ", options.catalogue));
  }
  FRESHLINE_ASSIGN_OR_RETURN(
      const ItemTableContents table,
      BuildItemTable(clicks, pool, catalogue, options.model));
  report.items = static_cast<uint32_t>(table.ids.size());
  report.padded_items =
      static_cast<uint32_t>(table.popularity.size() - table.ids.size());
  report.neighbours = table.neighbours.size();
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  report.table_path =
      (std::filesystem::path(options.out) / "items.fltab").string();
  FRESHLINE_RETURN_IF_ERROR(
      featurize::WriteItemTable(report.table_path, table));
  FRESHLINE_RETURN_IF_ERROR(NoteUntil(options));
  Tell(options.progress,
       absl::StrCat("wrote ", report.table_path, ": ", report.items, " items, ",
                    report.neighbours, " neighbours, ", report.padded_items,
                    " rows of padding"));
  return report;
}

}  // namespace freshline::bench

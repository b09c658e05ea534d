// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/time_text.h"
#include "bench/trace/catalogue.h"
#include "bench/trace/click.h"
#include "featurize/item_table.h"

// Makes the tables of the recommender from the clicks before a replay window.

namespace freshline::bench {

struct ModelOptions {
  uint32_t dim = 64;  // dim - 1 columns of content, and popularity
  float beta = 30;    // sharpness of the dense scores
  // What an item's own content weighs in its vector, in co-visits.
  float content_weight = 5;
  uint64_t seed = 1;  // of hashes, projections and padding
  // Rows to fill the table up to, with random unit vectors that are scanned
  // and never recommended; 0: no padding.
  uint32_t pad = 0;
};

// Builds the table: items by popularity, co-visitation with the 200 strongest
// neighbours of each, and vectors: the content of an item and that of what is
// clicked near it, averaged in one sweep. With a catalogue, every item of it
// is a candidate, clicked or not. Without one (`catalogue` empty), the
// candidates are the clicked items alone: ids that no click of `clicks` names
// cannot get in.
//
// `clicks` are in order of time, their strings in `pool`. Deterministic.
// Returns: INVALID_ARGUMENT without any click, for more rows than a table
// holds, or for an option out of range. Cost: about 2 s for 700,000 clicks and
// 400,000 items.
absl::StatusOr<featurize::ItemTableContents> BuildItemTable(
    std::span<const Click> clicks, const StringPool& pool,
    std::span<const CatalogueItem> catalogue, const ModelOptions& options);

struct TrainOptions {
  std::string trace;
  std::string catalogue;  // path, or empty
  // Rows with since <= time < until are learned from: until is where the
  // replay window begins.
  int64_t since_us = std::numeric_limits<int64_t>::min();
  int64_t until_us = std::numeric_limits<int64_t>::max();
  double skipped_share_max = 0.01;                     // as ReadOptions has it
  base::TimeUnit time_unit = base::TimeUnit::kMicros;  // likewise
  std::string out = "out/tables";                      // directory: items.fltab
  ModelOptions model;
  std::FILE* progress = nullptr;  // lines about each step, where set
};

struct TrainReport {
  uint64_t clicks = 0;
  uint64_t malformed = 0;      // rows of the trace that were skipped
  uint32_t clicked_items = 0;  // items of the clicks
  uint32_t items = 0;          // candidates
  uint32_t padded_items = 0;   // rows that are never recommended
  uint64_t neighbours = 0;
  std::string table_path;
};

// Reads the trace, and the catalogue where one is named, and writes the table.
// Returns: the errors of reading, building and writing; INVALID_ARGUMENT where
// no row lies in the time range.
absl::StatusOr<TrainReport> RunTrain(const TrainOptions& options);

// TrainOptions::until_us of the table in `directory`, which RunTrain() notes
// beside it: what is replayed from before it was learned from. Whole seconds;
// nullopt where the table was trained on every row, or elsewhere.
std::optional<int64_t> TrainedUntil(const std::string& directory);

}  // namespace freshline::bench

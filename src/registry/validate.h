// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/time.h"
#include "freshline/v1/registry.pb.h"
#include "registry/revision.h"
#include "registry/textproto.h"

// From the users' definitions to a Revision: everything is checked here, once,
// so that no other room meets a wrong name, type or range. The rules stand
// beside the fields in proto/freshline/v1/registry.proto; the bounds that it
// does not state are these.

namespace freshline::registry {

inline constexpr uint32_t kEntitiesMax = 64;
inline constexpr uint32_t kSourcesMax = 64;
inline constexpr uint32_t kItemTablesMax = 64;
inline constexpr uint32_t kGroupsMax = 1024;
inline constexpr uint32_t kServicesMax = 1024;
inline constexpr uint32_t kColumnsMax = 64;         // of a source
inline constexpr uint32_t kGroupFeaturesMax = 256;  // of a group
inline constexpr uint32_t kFiltersMax = 16;         // of an aggregate
inline constexpr uint32_t kVectorDimMax = 4096;
inline constexpr uint32_t kDefaultElementsMax = 1000;     // of a list
inline constexpr uint32_t kDefaultStringBytesMax = 4096;  // and of operands

inline constexpr uint32_t kKeysMax = 4;  // of an entity
inline constexpr uint32_t kEventsMaxDefault = 1000;
inline constexpr uint32_t kEventsMaxMax = 100'000;
inline constexpr uint32_t kLastNMax = 1000;
inline constexpr uint32_t kItemEventsDefault = 50;  // embedding, retrieval
inline constexpr uint32_t kItemEventsMax = 50;
inline constexpr double kDecayDefault = 0.4;
inline constexpr uint32_t kTopDefault = 20;
inline constexpr uint32_t kTopMax = 100;
inline constexpr uint32_t kBatchMaxMax = 64;
inline constexpr base::Duration kSloMax = std::chrono::seconds(60);
inline constexpr base::Duration kAdhocSlo = std::chrono::milliseconds(50);

// One file of definitions, parsed.
struct DefinitionFile {
  std::string name;  // as violations call it
  freshline::v1::Definitions definitions;
  std::unique_ptr<LocationTree> locations;  // null: not made from text
};

struct RevisionOptions {
  uint64_t number = 1;
  base::Duration adhoc_slo = kAdhocSlo;  // of queries by references
};

// Validates the files as one set of definitions, whatever their order, and
// resolves every name. Item table files are not opened.
// Returns: INVALID_ARGUMENT with every violation, one per line, each with
// file:line:column and field path.
absl::StatusOr<std::shared_ptr<const Revision>> BuildRevision(
    absl::Span<const DefinitionFile> files,
    const RevisionOptions& options = {});

// Reads, parses and validates files. Errors of parsing and of validation are
// reported together; files that cannot be read as well.
absl::StatusOr<std::shared_ptr<const Revision>> LoadDefinitions(
    absl::Span<const std::string> paths, const RevisionOptions& options = {});

// The same from one text, which violations call `name`.
absl::StatusOr<std::shared_ptr<const Revision>> ParseDefinitions(
    absl::string_view text, absl::string_view name,
    const RevisionOptions& options = {});

}  // namespace freshline::registry

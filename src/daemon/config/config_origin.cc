// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/config_origin.h"

#include "absl/strings/str_cat.h"

namespace freshline::daemon {

namespace v1 = freshline::config::v1;
using registry::FieldPlace;

namespace {

std::string Mebibytes(uint64_t bytes) {
  return absl::StrCat(bytes >> 20, " MiB");
}

}  // namespace

void TellOfMemory(const v1::Daemon& from, const MemoryLimit& memory,
                  const PlentyDefaults& plenty, DaemonConfig* out) {
  if (memory.bytes == 0) return;
  const std::string has =
      absl::StrCat(memory.by, " allows ", Mebibytes(memory.bytes));
  const auto follows = [&](absl::string_view field, bool written,
                           uint64_t value, uint64_t plentiful) {
    if (written || value >= plentiful) return;
    out->origin.derived.push_back(
        absl::StrCat(field, " is ", value, " (", Mebibytes(value), "): ", has));
  };
  follows("table.bytes_max", from.table().has_bytes_max(), out->table.bytes_max,
          plenty.table_bytes_max);
  follows("rpc.memory_quota_bytes", from.rpc().has_memory_quota_bytes(),
          out->rpc.memory_quota_bytes, plenty.memory_quota_bytes);
  follows("rpc.intake_bytes_max", from.rpc().has_intake_bytes_max(),
          out->rpc.intake_bytes_max, plenty.intake_bytes_max);
  if (from.table().has_bytes_max() &&
      out->table.bytes_max > memory.bytes / 4 * 3) {
    out->origin.warnings.push_back(out->origin.At(
        "table.bytes_max",
        absl::StrCat("is ", out->table.bytes_max, ", and ", has,
                     ": the kernel may end the daemon before the table is "
                     "full; lower it, or leave it out")));
  }
}

void KeepPlaces(const FieldPlace& root, const v1::Daemon& from,
                DaemonConfig* out) {
  auto& places = out->origin.places;
  const auto keep = [&places](const FieldPlace& place) {
    places[place.path()] = place.Where();
  };
  for (int i = 0; i < from.listen_size(); ++i) keep(root.Field("listen", i));
  for (int i = 0; i < from.definitions_size(); ++i) {
    keep(root.Field("definitions", i));
  }
  for (const char* field : {"port_file", "item_table_dir"}) {
    keep(root.Field(field));
  }
  keep(root.Field("decision_log").Field("path"));
  keep(root.Field("table").Field("bytes_max"));
}

std::string ConfigOrigin::At(const std::string& field,
                             absl::string_view message) const {
  const auto place = places.find(field);
  const std::string where =
      place == places.end() ? "" : absl::StrCat(place->second, ": ");
  return absl::StrCat(where, field, ": ", message);
}

}  // namespace freshline::daemon

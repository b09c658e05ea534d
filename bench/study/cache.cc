// SPDX-License-Identifier: Apache-2.0
#include "bench/study/cache.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/output_file.h"
#include "base/random.h"

namespace freshline::bench {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;

// The content under a fingerprint; null where there is none.
json Read(const std::string& path, absl::string_view fingerprint) {
  std::ifstream in(path);
  if (!in) return nullptr;
  json file = json::parse(in, nullptr, false);
  if (!file.is_object() || !file.contains("format") ||
      !file.contains("fingerprint") || file["format"] != kFormat ||
      file["fingerprint"] != std::string(fingerprint)) {
    return nullptr;
  }
  return file;
}

absl::Status Write(json content, const std::string& path,
                   absl::string_view fingerprint) {
  content["format"] = kFormat;
  content["fingerprint"] = std::string(fingerprint);
  const std::filesystem::path target(path);
  std::error_code error;
  std::filesystem::create_directories(target.parent_path(), error);
  // The name has the digest of what it depends on, which nobody else gives a
  // file: whatever object stands there was cut short, or is of another format.
  constexpr base::FileKind kKind = {"cached run", [](absl::string_view head) {
                                      return absl::StartsWith(head, "{");
                                    }};
  return base::WriteOutputFile(
      path, content.dump(-1, ' ', false, json::error_handler_t::replace) + "\n",
      kKind);
}

}  // namespace

std::string StudyDigest(absl::string_view text) {
  uint64_t hash = text.size();
  for (const char c : text) {
    hash = base::MixBits(hash ^ static_cast<unsigned char>(c));
  }
  return absl::StrFormat("%016x", hash);
}

std::string StudyCache::PathOf(const char* kind,
                               absl::string_view fingerprint) const {
  return absl::StrCat(directory_, "/", kind, "/", StudyDigest(fingerprint),
                      ".json");
}

std::optional<StudyRun> StudyCache::FindRun(
    absl::string_view fingerprint) const {
  const std::string path = PathOf("runs", fingerprint);
  const json file = Read(path, fingerprint);
  if (file.is_null()) return std::nullopt;
  try {
    absl::StatusOr<RunReport> report = ParseRun(file.at("run").dump(), path);
    if (!report.ok()) return std::nullopt;
    return StudyRun{*std::move(report),
                    file.at("hits").get<std::vector<uint32_t>>()};
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

std::optional<SliceUsers> StudyCache::FindSlice(
    absl::string_view fingerprint) const {
  const json file = Read(PathOf("slices", fingerprint), fingerprint);
  if (file.is_null()) return std::nullopt;
  try {
    SliceUsers users;
    file.at("user").get_to(users.user);
    file.at("scored").get_to(users.scored);
    file.at("never").get_to(users.never);
    file.at("infinite").get_to(users.infinite);
    const size_t size = users.user.size();
    if (users.scored.size() != size || users.never.size() != size ||
        users.infinite.size() != size) {
      return std::nullopt;
    }
    return users;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

absl::Status StudyCache::PutRun(absl::string_view fingerprint,
                                const StudyRun& run) const {
  return Write(
      {{"run", json::parse(FormatRun(run.report))}, {"hits", run.hits}},
      PathOf("runs", fingerprint), fingerprint);
}

absl::Status StudyCache::PutSlice(absl::string_view fingerprint,
                                  const SliceUsers& users) const {
  return Write({{"user", users.user},
                {"scored", users.scored},
                {"never", users.never},
                {"infinite", users.infinite}},
               PathOf("slices", fingerprint), fingerprint);
}

}  // namespace freshline::bench

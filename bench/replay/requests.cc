// SPDX-License-Identifier: Apache-2.0
#include "bench/replay/requests.h"

#include <chrono>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "freshline/v1/feature_store.pb.h"

namespace freshline::bench {
namespace {

v1::Values* AddColumn(v1::EventBatch* batch, const char* name) {
  v1::Column* column = batch->add_columns();
  column->set_name(name);
  return column->mutable_values();
}

void FillBatch(std::span<const Click> clicks, size_t begin, size_t end,
               const StringPool& pool, const EncodeOptions& options,
               v1::EventBatch* batch) {
  batch->set_source("clicks");
  batch->set_producer_id(options.producer);
  v1::Int64s* user = AddColumn(batch, "user_id")->mutable_int64s();
  v1::Int64s* item = AddColumn(batch, "product_id")->mutable_int64s();
  v1::Int64s* category = AddColumn(batch, "category_id")->mutable_int64s();
  v1::Strings* brand = AddColumn(batch, "brand")->mutable_strings();
  v1::Float64s* price = AddColumn(batch, "price")->mutable_float64s();
  v1::Strings* type = AddColumn(batch, "event_type")->mutable_strings();
  for (size_t i = begin; i < end; ++i) {
    const Click& click = clicks[i];
    user->add_values(click.user);
    item->add_values(click.item);
    category->add_values(click.category);
    brand->add_values(pool.text(click.brand));
    price->add_values(click.price);
    const absl::string_view name = ClickTypeName(click.type);
    type->add_values(name.data(), name.size());
    batch->add_event_time_us(options.origin_us + click.time_us);
    if (!options.producer.empty()) {
      batch->add_producer_sequence(options.first_sequence + i);
    }
  }
}

// The service and the user that a request is about.
template <typename Request>
Request RequestFor(int64_t user, const std::string& service) {
  Request request;
  request.set_feature_service(service);
  v1::Column* key = request.add_entities();
  key->set_name("user_id");
  key->mutable_values()->mutable_int64s()->add_values(user);
  return request;
}

v1::GetFeaturesRequest Query(int64_t user, const std::string& service) {
  return RequestFor<v1::GetFeaturesRequest>(user, service);
}

// What a user's click says of the user's query before: as FindTruths() has it,
// the truth of a query is the next click on another item.
class Reports {
 public:
  struct Earlier {
    size_t query = 0;
    std::string report;
  };

  // Of query i, whose click is on `item`: the earlier query whose truth it is,
  // if any.
  std::optional<Earlier> Next(size_t i, int64_t user, int64_t item,
                              const std::string& service) {
    const auto [it, first] = last_.try_emplace(user, Last{i, item});
    if (first) return std::nullopt;
    Last& last = it->second;
    if (last.item == item) return std::nullopt;
    auto request = RequestFor<v1::ReportOutcomeRequest>(user, service);
    request.add_request_id(NameOf(last.query));
    Earlier earlier{last.query, request.SerializeAsString()};
    last = {i, item};
    return earlier;
  }

  static std::string NameOf(size_t query) { return absl::StrCat("q", query); }

 private:
  struct Last {
    size_t query = 0;  // the first of the clicks on `item`
    int64_t item = 0;
  };
  absl::flat_hash_map<int64_t, Last> last_;
};

void AddReports(const std::vector<Click>& clicks, const EncodeOptions& options,
                EncodedQueries* out) {
  Reports reports;
  out->report_bytes.resize(clicks.size());
  for (size_t i = 0; i < clicks.size(); ++i) {
    const Click& click = clicks[i];
    const uint32_t service =
        options.service_of ? options.service_of(click.user) : 0;
    std::optional<Reports::Earlier> earlier =
        reports.Next(i, click.user, click.item, options.services[service]);
    if (!earlier) continue;
    out->report_bytes[i] = std::move(earlier->report);
    LoadRequest& request = out->requests[i];
    request.report = out->report_bytes[i];
    request.report_back = i - earlier->query;
    request.chosen = click.item;
  }
}

}  // namespace

EncodedQueries EncodeQueries(const std::vector<Click>& clicks,
                             const StringPool& pool,
                             const EncodeOptions& options) {
  EncodedQueries out;
  out.bytes.reserve(clicks.size());
  EncodeOptions storm = options;
  storm.producer = absl::StrCat(options.producer, "-storm");
  size_t stormed = 0;
  for (size_t i = 0; i < clicks.size(); ++i) {
    const uint32_t service =
        options.service_of ? options.service_of(clicks[i].user) : 0;
    v1::GetFeaturesRequest request =
        Query(clicks[i].user, options.services[service]);
    if (options.push_first) {
      out.push_bytes.push_back(EncodePush(clicks, i, i + 1, pool, options));
    } else {
      FillBatch(clicks, i, i + 1, pool, options, request.add_events());
    }
    if (!options.storm.empty()) {
      const size_t begin = stormed;
      while (stormed < options.storm.size() &&
             options.storm[stormed].time_us <= clicks[i].time_us) {
        ++stormed;
      }
      out.storm_bytes.push_back(
          begin == stormed
              ? ""
              : EncodePush(options.storm, begin, stormed, pool, storm));
    }
    if (options.report_outcomes) request.set_request_id(Reports::NameOf(i));
    out.bytes.push_back(request.SerializeAsString());
  }
  out.requests.reserve(clicks.size());
  for (size_t i = 0; i < clicks.size(); ++i) {
    LoadRequest request;
    request.offset = std::chrono::microseconds(clicks[i].time_us);
    request.query = out.bytes[i];
    if (options.push_first) request.push = out.push_bytes[i];
    if (!out.storm_bytes.empty()) request.beside = out.storm_bytes[i];
    if (options.slo_of) request.slo = options.slo_of(clicks[i].user);
    out.requests.push_back(request);
  }
  if (options.report_outcomes) AddReports(clicks, options, &out);
  return out;
}

std::string EncodePush(std::span<const Click> clicks, size_t begin, size_t end,
                       const StringPool& pool, const EncodeOptions& options) {
  v1::PushEventsRequest request;
  FillBatch(clicks, begin, end, pool, options, request.add_batches());
  return request.SerializeAsString();
}

std::string EncodeProbe(int64_t user, const std::string& service,
                        std::optional<int64_t> budget_us) {
  v1::GetFeaturesRequest request = Query(user, service);
  if (budget_us.has_value()) request.set_budget_us(*budget_us);
  return request.SerializeAsString();
}

}  // namespace freshline::bench

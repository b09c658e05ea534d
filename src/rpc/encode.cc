// SPDX-License-Identifier: Apache-2.0
#include "rpc/encode.h"

#include <vector>

#include "registry/row_layout.h"

namespace freshline::rpc {
namespace {

using registry::FeatureGroup;
using registry::RowView;
using registry::Scalar;
using registry::ValueStatus;
using registry::ValueType;

// One feature over all the rows of its group.
struct ColumnSource {
  const serve::Answer& answer;
  size_t group;
  size_t feature;
  const FeatureGroup& definition;
  // False where not even a default exists: the element is a zero value.
  bool ViewOf(uint32_t row, RowView* view, ValueStatus* status) const {
    *status = answer.Value(group, row, feature, view);
    return view->has_value(feature);
  }
};

template <typename Append>
void ForEachRow(const ColumnSource& source, v1::FeatureColumn* column,
                const Append& append) {
  const uint32_t rows = source.answer.rows(source.group);
  bool all_present = true;
  RowView view(source.definition.layout, {});
  for (uint32_t row = 0; row < rows; ++row) {
    ValueStatus status;
    const bool has_value = source.ViewOf(row, &view, &status);
    append(has_value ? &view : nullptr);
    if (status != ValueStatus::kPresent && all_present) {
      all_present = false;
      for (uint32_t i = 0; i < row; ++i) column->add_statuses(v1::PRESENT);
    }
    if (!all_present) {
      column->add_statuses(static_cast<v1::ValueStatus>(status));
    }
  }
}

void EncodeScalars(const ColumnSource& source, Scalar type,
                   v1::FeatureColumn* column) {
  const size_t f = source.feature;
  v1::Values* values = column->mutable_values();
  switch (type) {
    case Scalar::kBool: {
      auto* out = values->mutable_bools()->mutable_values();
      ForEachRow(source, column, [&](const RowView* row) {
        out->Add(row != nullptr && row->Bool(f));
      });
      return;
    }
    case Scalar::kInt64:
    case Scalar::kTimestamp: {
      auto* out = (type == Scalar::kInt64 ? values->mutable_int64s()
                                          : values->mutable_timestamps_us())
                      ->mutable_values();
      ForEachRow(source, column, [&](const RowView* row) {
        out->Add(row == nullptr ? 0 : row->Int64(f));
      });
      return;
    }
    case Scalar::kFloat64: {
      auto* out = values->mutable_float64s()->mutable_values();
      ForEachRow(source, column, [&](const RowView* row) {
        out->Add(row == nullptr ? 0.0 : row->Float64(f));
      });
      return;
    }
    case Scalar::kString: {
      v1::Strings* out = values->mutable_strings();
      ForEachRow(source, column, [&](const RowView* row) {
        std::string* value = out->add_values();
        if (row == nullptr) return;
        const absl::string_view text = row->String(f);
        value->assign(text.data(), text.size());
      });
      return;
    }
  }
}

void EncodeVectors(const ColumnSource& source, uint32_t dim,
                   v1::FeatureColumn* column) {
  v1::FloatVectors* out = column->mutable_values()->mutable_vectors();
  out->set_dim(dim);
  auto* values = out->mutable_values();
  values->Reserve(static_cast<int>(dim * source.answer.rows(source.group)));
  ForEachRow(source, column, [&](const RowView* row) {
    if (row == nullptr) {
      values->Resize(values->size() + static_cast<int>(dim), 0.0F);
      return;
    }
    const std::span<const float> vector = row->Vector(source.feature);
    values->Add(vector.begin(), vector.end());
  });
}

void EncodeLists(const ColumnSource& source, Scalar type,
                 v1::FeatureColumn* column) {
  const size_t f = source.feature;
  v1::Lists* lists = column->mutable_values()->mutable_lists();
  v1::Values* elements = lists->mutable_elements();
  std::vector<absl::string_view> texts;
  ForEachRow(source, column, [&](const RowView* row) {
    size_t length = 0;
    if (row != nullptr && type == Scalar::kFloat64) {
      const auto list = row->Float64List(f);
      elements->mutable_float64s()->mutable_values()->Add(list.begin(),
                                                          list.end());
      length = list.size();
    } else if (row != nullptr && type == Scalar::kString) {
      texts.clear();
      row->AppendStringList(f, &texts);
      for (const absl::string_view text : texts) {
        elements->mutable_strings()->add_values(text.data(), text.size());
      }
      length = texts.size();
    } else if (row != nullptr) {
      const auto list = row->Int64List(f);
      length = list.size();
      if (type == Scalar::kBool) {
        for (const int64_t v : list) {
          elements->mutable_bools()->add_values(v != 0);
        }
      } else {
        (type == Scalar::kInt64 ? elements->mutable_int64s()
                                : elements->mutable_timestamps_us())
            ->mutable_values()
            ->Add(list.begin(), list.end());
      }
    }
    lists->add_lengths(static_cast<uint32_t>(length));
  });
}

void EncodeFreshness(const serve::Answer& answer, size_t group,
                     v1::GroupFreshness* out) {
  out->set_group(answer.group(group).name);
  bool holds_for_ever = true;
  for (uint32_t row = 0; row < answer.rows(group); ++row) {
    const serve::RowFreshness& f = answer.freshness(group, row);
    out->add_obtained(static_cast<v1::Obtained>(f.obtained));
    out->add_fidelity(static_cast<v1::Fidelity>(f.fidelity));
    out->add_event_time_us(f.event_time_us);
    out->add_as_of_us(f.as_of.time_us);
    out->add_as_of_sequence(f.as_of.sequence);
    out->add_pending_events(f.pending);
    holds_for_ever &= f.holds_until_us == table::kHoldsForEver;
  }
  if (holds_for_ever) return;
  for (uint32_t row = 0; row < answer.rows(group); ++row) {
    const int64_t until = answer.freshness(group, row).holds_until_us;
    out->add_holds_until_us(until == table::kHoldsForEver ? 0 : until);
  }
}

}  // namespace

void EncodeAnswer(const serve::Answer& answer,
                  v1::GetFeaturesResponse* response) {
  const registry::QueryPlan& plan = answer.plan();
  response->set_revision(answer.revision().number());
  response->set_rows(answer.rows());
  response->set_price(answer.price());
  for (size_t i = 0; i < plan.features.size(); ++i) {
    const size_t group = plan.group_index[i];
    const ColumnSource source{answer, group, plan.features[i].feature,
                              answer.group(group)};
    v1::FeatureColumn* column = response->add_features();
    column->set_name(plan.names[i]);
    column->set_group(static_cast<uint32_t>(group));
    const ValueType& type = source.definition.layout.type(source.feature);
    switch (type.shape) {
      case ValueType::Shape::kScalar:
        EncodeScalars(source, type.scalar, column);
        break;
      case ValueType::Shape::kVector:
        EncodeVectors(source, type.dim, column);
        break;
      case ValueType::Shape::kList:
        EncodeLists(source, type.scalar, column);
        break;
    }
  }
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    EncodeFreshness(answer, g, response->add_groups());
  }
}

}  // namespace freshline::rpc

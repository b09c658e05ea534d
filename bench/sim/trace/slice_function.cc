// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/trace/slice_function.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "registry/validate.h"
#include "registry/value_type.h"

namespace freshline::bench {

using registry::Scalar;

namespace {

struct TraceColumn {
  absl::string_view name;
  Scalar type;
};
constexpr TraceColumn kTraceColumns[] = {
    {"product_id", Scalar::kInt64},     {"category_id", Scalar::kInt64},
    {"category_code", Scalar::kString}, {"brand", Scalar::kString},
    {"price", Scalar::kFloat64},        {"event_type", Scalar::kString}};

int64_t IntOf(const Click& click, absl::string_view column) {
  return column == "product_id" ? click.item : click.category;
}

absl::string_view TextOf(const Click& click, absl::string_view column,
                         const StringPool& pool) {
  if (column == "event_type") return ClickTypeName(click.type);
  return pool.text(column == "brand" ? click.brand : click.category_code);
}

bool IsOfTraces(absl::string_view column) {
  return std::any_of(std::begin(kTraceColumns), std::end(kTraceColumns),
                     [&](const TraceColumn& c) { return c.name == column; });
}

}  // namespace

absl::Status ClickEvents::CheckSource(const registry::Source& source) {
  for (const TraceColumn& known : kTraceColumns) {
    const std::optional<uint32_t> index = source.FindColumn(known.name);
    if (!index.has_value() || source.columns[*index].type == known.type) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "source \"", source.name, "\": column \"", known.name,
        "\" has another type than in a click trace; declare it as in "
        "config/rees46.textproto"));
  }
  return absl::OkStatus();
}

ClickEvents::ClickEvents(const registry::Source& source)
    : source_(source), columns_(source.columns.size()) {}

void ClickEvents::Fill(const SliceView& slice, UserState state,
                       uint32_t events_max) {
  const std::vector<uint32_t>& timeline = slice.set->timelines[state.user];
  FRESHLINE_CHECK(state.prefix <= timeline.size());
  times_.clear();
  sequences_.clear();
  for (Column& column : columns_) {
    column.ints.clear();
    column.doubles.clear();
    column.strings.clear();
    column.nulls.clear();
  }
  const size_t n = std::min<size_t>(state.prefix, events_max);
  for (size_t i = state.prefix - n; i < state.prefix; ++i) {
    Append(slice.trace.clicks[timeline[i]], *slice.pool);
    sequences_.push_back(i + 1);
  }
  views_.clear();
  for (size_t c = 0; c < columns_.size(); ++c) {
    const Column& column = columns_[c];
    views_.push_back({source_.columns[c].type, column.ints.data(),
                      column.doubles.data(), column.strings.data(),
                      column.nulls.data()});
  }
}

void ClickEvents::Append(const Click& click, const StringPool& pool) {
  times_.push_back(click.time_us);
  for (size_t c = 0; c < columns_.size(); ++c) {
    const absl::string_view name = source_.columns[c].name;
    const bool known = IsOfTraces(name);
    Column& column = columns_[c];
    column.nulls.push_back(known ? 0 : 1);
    switch (source_.columns[c].type) {
      case Scalar::kString: {
        const absl::string_view text = known ? TextOf(click, name, pool) : "";
        column.strings.emplace_back(text.data(), text.size());
        break;
      }
      case Scalar::kFloat64:
        column.doubles.push_back(known ? click.price : 0);
        break;
      case Scalar::kBool:
      case Scalar::kInt64:
      case Scalar::kTimestamp:
        column.ints.push_back(known ? IntOf(click, name) : 0);
        break;
    }
  }
}

table::EventView ClickEvents::View() const {
  return {times_.size(), times_.data(), sequences_.data(), views_, false, 0};
}

absl::StatusOr<std::unique_ptr<SliceFunction>> SliceFunction::Load(
    const std::string& definitions, const std::string& tables,
    const std::string& group) {
  auto f = std::unique_ptr<SliceFunction>(new SliceFunction());
  FRESHLINE_ASSIGN_OR_RETURN(f->revision_,
                             registry::LoadDefinitions({definitions}));
  const auto& groups = f->revision_->groups();
  const auto found = std::find_if(
      groups.begin(), groups.end(),
      [&](const registry::FeatureGroup& g) { return g.name == group; });
  if (found == groups.end()) {
    return absl::NotFoundError(
        absl::StrCat(definitions, ": no feature_group \"", group, "\""));
  }
  f->group_ = found->id;
  const auto* retrieval = std::get_if<registry::Retrieval>(&found->computation);
  if (retrieval == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(definitions, ": feature_group \"", group,
                     "\" has no retrieval: name one that is scheduled work"));
  }
  FRESHLINE_RETURN_IF_ERROR(
      ClickEvents::CheckSource(f->revision_->sources()[found->source]));
  FRESHLINE_ASSIGN_OR_RETURN(
      f->tables_, featurize::ItemTables::Open(*f->revision_, tables));
  f->table_ = f->tables_.table(retrieval->item_table);
  FRESHLINE_ASSIGN_OR_RETURN(
      f->function_,
      featurize::MakeFunction(*f->revision_, f->group_, f->tables_));
  return f;
}

std::unique_ptr<SliceFunction::Memory> SliceFunction::MakeMemory() const {
  auto memory = std::make_unique<Memory>();
  memory->scratch = function_->MakeScratch();
  const registry::Source& source = revision_->sources()[group().source];
  for (uint32_t i = 0; i < std::max(1U, batch_max()); ++i) {
    memory->events.emplace_back(source);
  }
  memory->rows.resize(memory->events.size());
  return memory;
}

base::JobShape SliceFunction::ShapeOf(const SliceView& slice, UserState state,
                                      Memory* memory) const {
  Prepare(slice, {&state, 1}, memory);
  base::JobShape shape =
      function_->Shape(memory->inputs[0], memory->scratch.get());
  shape.group = base::GroupId{0};
  return shape;
}

void SliceFunction::Prepare(const SliceView& slice,
                            std::span<const UserState> states,
                            Memory* memory) const {
  FRESHLINE_CHECK(!states.empty() && states.size() <= memory->events.size());
  memory->inputs.clear();
  memory->outputs.clear();
  for (size_t i = 0; i < states.size(); ++i) {
    memory->events[i].Fill(slice, states[i], function_->events_needed());
    const table::EventView view = memory->events[i].View();
    memory->inputs.push_back(
        {view, view.empty() ? 0 : view.event_time_us[view.size - 1]});
    memory->outputs.push_back(&memory->rows[i]);
  }
}

absl::Status SliceFunction::Compute(Memory* memory) const {
  return function_->Compute(memory->inputs, memory->outputs,
                            memory->scratch.get());
}

std::vector<base::JobShape> ShapesOf(const SliceFunction& function,
                                     const SliceView& slice) {
  const auto memory = function.MakeMemory();
  std::vector<base::JobShape> shapes;
  shapes.reserve(slice.set->queries.size());
  for (const Query& q : slice.set->queries) {
    shapes.push_back(function.ShapeOf(slice, {q.user, q.fresh}, memory.get()));
  }
  return shapes;
}

}  // namespace freshline::bench

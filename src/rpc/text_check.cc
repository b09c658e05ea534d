// SPDX-License-Identifier: Apache-2.0
#include "rpc/text_check.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/foreign_text.h"

namespace freshline::rpc {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::io::CodedInputStream;

namespace {

enum WireType : uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kGroupBegin = 3,
  kGroupEnd = 4,
  kFixed32 = 5
};

// Somewhat more than the parser's own, 100: what is deeper is no message to it.
constexpr int kDepthMax = 120;

// Larger numbers are not checked. Ours are below.
constexpr int kFieldNumberMax = 64;

}  // namespace

TextCheck::TextCheck(const Descriptor* type) {
  absl::flat_hash_map<const Descriptor*, uint32_t> known;
  TypeOf(type, &known);
}

uint32_t TextCheck::TypeOf(
    const Descriptor* descriptor,
    absl::flat_hash_map<const Descriptor*, uint32_t>* known) {
  const auto [it, is_new] =
      known->emplace(descriptor, static_cast<uint32_t>(types_.size()));
  const uint32_t index = it->second;
  if (!is_new) return index;
  types_.emplace_back();
  Type fields;
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* const field = descriptor->field(i);
    if (field->number() > kFieldNumberMax) continue;
    const auto number = static_cast<size_t>(field->number());
    if (number >= fields.size()) fields.resize(number + 1);
    Field& out = fields[number];
    out.descriptor = field;
    out.repeated = field->is_repeated();
    if (field->type() == FieldDescriptor::TYPE_STRING) {
      out.kind = Field::Kind::kText;
    } else if (field->type() == FieldDescriptor::TYPE_MESSAGE) {
      out.kind = Field::Kind::kMessage;
      out.type = TypeOf(field->message_type(), known);
    }
  }
  types_[index] = std::move(fields);
  return index;
}

// One pass over one message.
class TextCheck::Walk {
 public:
  Walk(const std::deque<Type>& types, CodedInputStream* input)
      : types_(types), input_(*input) {}

  // Reads to the end of the message, or of the group `group`. Returns: false
  // when it found text to refuse, or nothing more can be read.
  bool Message(const Type& type, uint32_t group, int depth) {
    uint32_t counts[kFieldNumberMax + 1] = {};
    while (const uint32_t tag = input_.ReadTag()) {
      const uint32_t number = tag >> 3;
      switch (tag & 7) {
        case kVarint: {
          uint64_t ignored = 0;
          if (!input_.ReadVarint64(&ignored)) return false;
          break;
        }
        case kFixed64:
          if (!input_.Skip(8)) return false;
          break;
        case kFixed32:
          if (!input_.Skip(4)) return false;
          break;
        case kGroupBegin:
          if (depth == 0 || !Message(kNoFields, number, depth - 1)) {
            return false;
          }
          break;
        case kGroupEnd:
          return number == group;
        case kBytes:
          if (!Bytes(number < type.size() ? type[number] : kNoField,
                     counts + std::min<uint32_t>(number, kFieldNumberMax),
                     depth)) {
            return false;
          }
          break;
        default:
          return false;
      }
    }
    return group == 0 && input_.ConsumedEntireMessage();
  }

  // "" where nothing was found; else "field: why it is refused".
  std::string Error() const {
    if (!found_) return "";
    return absl::StrCat(path_, ": ", base::Quoted(text_),
                        " is no UTF-8: send text as UTF-8, and other bytes "
                        "written as text, in hexadecimal say");
  }

 private:
  static inline const Field kNoField;
  static inline const Type kNoFields;

  bool Bytes(const Field& field, uint32_t* count, int depth) {
    uint32_t size = 0;
    if (!input_.ReadVarint32(&size) || size > INT32_MAX) return false;
    const auto bytes = static_cast<int>(size);
    const uint32_t index = (*count)++;
    bool ok = false;
    switch (field.kind) {
      case Field::Kind::kOther:
        return input_.Skip(bytes);
      case Field::Kind::kText:
        ok = Text(bytes);
        break;
      case Field::Kind::kMessage: {
        if (depth == 0) return false;
        const CodedInputStream::Limit limit = input_.PushLimit(bytes);
        ok = Message(types_[field.type], /*group=*/0, depth - 1);
        input_.PopLimit(limit);
        break;
      }
    }
    if (!ok && found_) {
      const std::string name = field.descriptor->name();
      path_ = absl::StrCat(name,
                           field.repeated ? absl::StrCat("[", index, "]") : "",
                           path_.empty() ? "" : ".", path_);
    }
    return ok;
  }

  bool Text(int bytes) {
    const void* data = nullptr;
    int size = 0;
    if (bytes == 0) return true;
    if (input_.GetDirectBufferPointer(&data, &size) && size >= bytes) {
      const absl::string_view text(static_cast<const char*>(data),
                                   static_cast<size_t>(bytes));
      if (base::IsUtf8(text)) return input_.Skip(bytes);
      text_.assign(text.data(), text.size());
    } else {
      if (!input_.ReadString(&text_, bytes)) return false;
      if (base::IsUtf8(text_)) return true;
    }
    found_ = true;
    return false;
  }

  const std::deque<Type>& types_;
  CodedInputStream& input_;
  bool found_ = false;
  std::string text_;
  std::string path_;
};

TextCheck::Finding TextCheck::Check(
    google::protobuf::io::ZeroCopyInputStream* message) const {
  CodedInputStream input(message);
  Walk walk(types_, &input);
  const bool well_formed = walk.Message(types_[0], /*group=*/0, kDepthMax);
  return {walk.Error(), well_formed};
}

}  // namespace freshline::rpc

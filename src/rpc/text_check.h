// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace freshline::rpc {

// Finds text that is no UTF-8 in a message of one type before it is parsed.
// The parser would refuse it too, but without the name of the field, and with
// a line on stderr for each.
//
// Thread-safety: immutable, every method from any thread.
// Cost: a look at each field, without its contents unless it is text.
class TextCheck {
 public:
  explicit TextCheck(const google::protobuf::Descriptor* type);

  struct Finding {
    // Names the first `string` field that is no UTF-8, as in
    // "events[0].columns[2].name", and its value; empty: there is none.
    std::string error;
    // False: the bytes are no message of any type; there is no use in parsing
    // them.
    bool well_formed = false;
  };
  Finding Check(google::protobuf::io::ZeroCopyInputStream* message) const;

 private:
  class Walk;
  // What a field number of a message type stands for.
  struct Field {
    enum class Kind : uint8_t { kOther, kText, kMessage };
    Kind kind = Kind::kOther;
    bool repeated = false;
    uint32_t type = 0;  // of kMessage; index into types_
    const google::protobuf::FieldDescriptor* descriptor = nullptr;
  };
  using Type = std::vector<Field>;  // by field number

  uint32_t TypeOf(const google::protobuf::Descriptor* descriptor,
                  absl::flat_hash_map<const google::protobuf::Descriptor*,
                                      uint32_t>* known);

  std::deque<Type> types_;  // the message's own first
};

}  // namespace freshline::rpc

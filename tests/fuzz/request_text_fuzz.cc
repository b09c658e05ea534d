// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "freshline/v1/feature_store.pb.h"
#include "rpc/text_check.h"

namespace {
int lines = 0;
void CountLine(google::protobuf::LogLevel, const char*, int,
               const std::string&) {
  ++lines;
}
}  // namespace

// What the check of texts lets through makes the parser log nothing, and what
// the parser takes the check takes, in one piece as in many.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using freshline::rpc::TextCheck;
  static const TextCheck text_check(
      freshline::v1::GetFeaturesRequest::descriptor());
  google::protobuf::SetLogHandler(&CountLine);
  if (size > 1 << 16) return 0;
  const auto check = [&](int piece) {
    google::protobuf::io::ArrayInputStream input(data, static_cast<int>(size),
                                                 piece);
    return text_check.Check(&input);
  };
  const TextCheck::Finding whole = check(-1);
  const TextCheck::Finding pieces = check(3);
  FRESHLINE_CHECK(whole.error == pieces.error);
  FRESHLINE_CHECK(whole.well_formed == pieces.well_formed);
  lines = 0;
  freshline::v1::GetFeaturesRequest request;
  const bool parsed = request.ParseFromArray(data, static_cast<int>(size));
  if (whole.error.empty() && whole.well_formed) {
    FRESHLINE_CHECK(lines == 0);
  } else {
    FRESHLINE_CHECK(!parsed);
  }
  return 0;
}

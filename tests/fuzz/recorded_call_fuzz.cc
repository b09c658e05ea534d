// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "record/call_codec.h"

// Whatever is accepted as a call of a decision log is written as the same call.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using freshline::record::DecodeCall;
  using freshline::record::EncodeCall;
  freshline::record::v1::Call message;
  if (size > 1 << 16 || !message.ParseFromArray(data, static_cast<int>(size))) {
    return 0;
  }
  freshline::schedule::RecordedCall call;
  if (!DecodeCall(message, &call)) return 0;
  freshline::record::v1::Call written;
  EncodeCall(call, &written);
  freshline::schedule::RecordedCall again;
  FRESHLINE_CHECK(DecodeCall(written, &again));
  freshline::record::v1::Call twice;
  EncodeCall(again, &twice);
  FRESHLINE_CHECK(written.SerializeAsString() == twice.SerializeAsString());
  FRESHLINE_CHECK(again.kind == call.kind && again.now == call.now);
  FRESHLINE_CHECK(again.actions.list.size() == call.actions.list.size());
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "record/block.h"

namespace freshline::record {

// Tells definitions apart: CRC-32 of the texts of their files, one after the
// other, in hex.
class Fingerprint {
 public:
  void Add(absl::string_view text) {
    crc_ = crc32(crc_, reinterpret_cast<const unsigned char*>(text.data()),
                 static_cast<unsigned>(text.size()));
  }
  std::string hex() const { return absl::StrFormat("%08x", crc_); }

 private:
  uLong crc_ = 0;
};

}  // namespace freshline::record

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <istream>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace freshline::csv {

// Text in blocks, from a file, a descriptor or a stream. What begins as a gzip
// archive is inflated, however it comes; an archive of several members is read
// as one.
//
// Bounds: one block of each kind, 512 KiB in all. Not thread-safe.
class Input {
 public:
  // Returns: NOT_FOUND for a file that cannot be opened, with the reason;
  // INVALID_ARGUMENT for a directory.
  static absl::StatusOr<std::unique_ptr<Input>> OpenFile(
      const std::string& path);
  // Standard input, say: a block is what one read gives. The descriptor is not
  // closed.
  static std::unique_ptr<Input> FromDescriptor(int descriptor);
  // `in` must outlive the input.
  static std::unique_ptr<Input> FromStream(std::istream& in);
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // Writes up to `size` bytes, size > 0. Returns: how many, 0 at the end;
  // DATA_LOSS where the source cannot be read on, or its archive is damaged or
  // ends early, always after the bytes before.
  absl::StatusOr<size_t> Read(char* out, size_t size);

  // Whether it is an archive; known after the first Read().
  bool packed() const { return inflater_ != nullptr; }

 private:
  class Source;
  class Inflater;

  explicit Input(std::unique_ptr<Source> source);

  const std::unique_ptr<Source> source_;
  std::unique_ptr<Inflater> inflater_;  // of an archive
  bool begun_ = false;
};

}  // namespace freshline::csv

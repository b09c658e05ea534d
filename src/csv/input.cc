// SPDX-License-Identifier: Apache-2.0
#include "csv/input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"

namespace freshline::csv {
namespace {

// Blocks grow from the first size to the largest: a short file costs little.
constexpr size_t kFirstBlockBytes = 4 << 10;
constexpr size_t kBlockBytes = 256 << 10;

std::string ErrnoText(int error) { return std::strerror(error); }

}  // namespace

// Bytes as they come, with a look ahead at the first ones.
class Input::Source {
 public:
  explicit Source(int descriptor, bool owned)
      : descriptor_(descriptor), owned_(owned) {}
  explicit Source(std::istream& in) : in_(&in) {}
  ~Source() {
    if (owned_) close(descriptor_);
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  // The next bytes, at least `wanted` unless the source ends before; they stay
  // until Drop().
  absl::StatusOr<absl::string_view> Look(size_t wanted) {
    while (end_ - at_ < wanted) {
      if (at_ > 0) {
        std::memmove(block_.data(), block_.data() + at_, end_ - at_);
        end_ -= at_;
        at_ = 0;
      }
      if (end_ == 0) {
        block_.resize(std::min(std::max(2 * block_.size(), kFirstBlockBytes),
                               kBlockBytes));
      }
      FRESHLINE_ASSIGN_OR_RETURN(
          const size_t n, Fill(block_.data() + end_, block_.size() - end_));
      if (n == 0) break;
      end_ += n;
    }
    return absl::string_view(block_.data() + at_, end_ - at_);
  }
  void Drop(size_t bytes) { at_ += bytes; }

 private:
  absl::StatusOr<size_t> Fill(char* out, size_t size) {
    if (in_ != nullptr) {
      in_->read(out, static_cast<std::streamsize>(size));
      if (in_->bad()) return absl::DataLossError("reading failed");
      return static_cast<size_t>(in_->gcount());
    }
    while (true) {
      const ssize_t n = read(descriptor_, out, size);
      if (n >= 0) return static_cast<size_t>(n);
      if (errno == EINTR) continue;
      return absl::DataLossError(
          absl::StrCat("cannot be read on: ", ErrnoText(errno)));
    }
  }

  const int descriptor_ = -1;
  const bool owned_ = false;
  std::istream* const in_ = nullptr;
  std::vector<char> block_;
  size_t at_ = 0;
  size_t end_ = 0;
};

// The members of a gzip archive, one after another.
class Input::Inflater {
 public:
  explicit Inflater(Source& source) : source_(source) {
    constexpr int kGzipOnly = 15 + 16;
    ready_ = inflateInit2(&stream_, kGzipOnly) == Z_OK;
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  absl::StatusOr<size_t> Read(char* out, size_t size) {
    if (!ready_) return absl::InternalError("zlib cannot be initialised");
    while (!ended_) {
      FRESHLINE_ASSIGN_OR_RETURN(const absl::string_view packed,
                                 source_.Look(1));
      if (packed.empty()) {
        return absl::DataLossError("the gzip archive ends early");
      }
      FRESHLINE_ASSIGN_OR_RETURN(const size_t n, Inflate(packed, out, size));
      if (n > 0) return n;
    }
    return 0;
  }

 private:
  absl::StatusOr<size_t> Inflate(absl::string_view packed, char* out,
                                 size_t size) {
    // zlib does not write into its input, and does not say so.
    stream_.next_in =
        reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(std::min(size, kBlockBytes));
    const uInt before = stream_.avail_out;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    source_.Drop(packed.size() - stream_.avail_in);
    if (code == Z_STREAM_END) {
      FRESHLINE_RETURN_IF_ERROR(NextMember());
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      return absl::DataLossError(absl::StrCat(
          "the gzip archive is damaged: ",
          stream_.msg != nullptr ? stream_.msg : "unknown to zlib"));
    }
    return before - stream_.avail_out;
  }

  // Another member may follow; so may zeros, from media that pad to blocks.
  absl::Status NextMember() {
    FRESHLINE_ASSIGN_OR_RETURN(const absl::string_view rest, source_.Look(2));
    ended_ = rest.empty() || rest[0] == '\0';
    if (ended_) return absl::OkStatus();
    if (inflateReset(&stream_) != Z_OK) {
      return absl::InternalError("zlib cannot be reset");
    }
    return absl::OkStatus();
  }

  Source& source_;
  z_stream stream_{};
  bool ready_ = false;
  bool ended_ = false;
};

Input::Input(std::unique_ptr<Source> source) : source_(std::move(source)) {}
Input::~Input() = default;

absl::StatusOr<std::unique_ptr<Input>> Input::OpenFile(
    const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return absl::NotFoundError(
        absl::StrCat(path, ": cannot be opened: ", ErrnoText(errno)));
  }
  auto source = std::make_unique<Source>(descriptor, /*owned=*/true);
  struct stat about {};
  if (fstat(descriptor, &about) == 0 && S_ISDIR(about.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is a directory; name a file"));
  }
  return std::unique_ptr<Input>(new Input(std::move(source)));
}

std::unique_ptr<Input> Input::FromDescriptor(int descriptor) {
  return std::unique_ptr<Input>(
      new Input(std::make_unique<Source>(descriptor, /*owned=*/false)));
}

std::unique_ptr<Input> Input::FromStream(std::istream& in) {
  return std::unique_ptr<Input>(new Input(std::make_unique<Source>(in)));
}

absl::StatusOr<size_t> Input::Read(char* out, size_t size) {
  if (!begun_) {
    begun_ = true;
    FRESHLINE_ASSIGN_OR_RETURN(const absl::string_view first, source_->Look(2));
    if (first.substr(0, 2) == "\x1f\x8b") {
      inflater_ = std::make_unique<Inflater>(*source_);
    }
  }
  if (inflater_ != nullptr) return inflater_->Read(out, size);
  FRESHLINE_ASSIGN_OR_RETURN(const absl::string_view bytes, source_->Look(1));
  const size_t n = std::min(size, bytes.size());
  std::memcpy(out, bytes.data(), n);
  source_->Drop(n);
  return n;
}

}  // namespace freshline::csv

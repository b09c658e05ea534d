// SPDX-License-Identifier: Apache-2.0
#include "featurize/item_table.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "featurize/item_table_layout.h"

namespace freshline::featurize {
namespace {

// Closes a file descriptor at the end of a scope.
class ScopedFd {
 public:
  explicit ScopedFd(int fd) : fd_(fd) {}
  ~ScopedFd() {
    if (fd_ >= 0) close(fd_);
  }
  ScopedFd(const ScopedFd&) = delete;
  ScopedFd& operator=(const ScopedFd&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status Damaged(const std::string& path, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("item table ", path, ": ", what,
                   ": the file is damaged or cut short; write it again"));
}

absl::Status CheckKind(const std::string& path, const ItemTableHeader& header,
                       uint32_t expected_dim) {
  if (std::memcmp(header.magic, ItemTableHeader::kMagic,
                  sizeof(header.magic)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "item table ", path,
        ": does not begin with \"FRSHLTAB\": it is not an item table; give a "
        "file that `freshline-bench train` wrote"));
  }
  if (header.version != ItemTableHeader::kVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("item table ", path, ": has format version ",
                     header.version, ", and this program reads version ",
                     ItemTableHeader::kVersion, ": write the table again"));
  }
  if (HeaderCrc(header) != header.header_crc) {
    return Damaged(path,
                   absl::StrCat("the header has checksum ", HeaderCrc(header),
                                ", not ", header.header_crc));
  }
  if (expected_dim != 0 && header.dim != expected_dim) {
    return absl::InvalidArgumentError(
        absl::StrCat("item table ", path, ": has vectors of ", header.dim,
                     " columns, and the definitions say dim: ", expected_dim,
                     ": correct the definition, or give the table it means"));
  }
  return absl::OkStatus();
}

// So that no product of counts can overflow.
absl::Status CheckCounts(const std::string& path,
                         const ItemTableHeader& header) {
  const auto within = [&](absl::string_view name, uint64_t value, uint64_t min,
                          uint64_t max) {
    if (value >= min && value <= max) return absl::OkStatus();
    return Damaged(
        path, absl::StrCat(name, " is ", value, ", not in ", min, " to ", max));
  };
  FRESHLINE_RETURN_IF_ERROR(within("dim", header.dim, 2, kTableDimMax));
  FRESHLINE_RETURN_IF_ERROR(within("rows", header.rows, 0, kTableRowsMax));
  FRESHLINE_RETURN_IF_ERROR(within("items", header.items, 0, header.rows));
  FRESHLINE_RETURN_IF_ERROR(
      within("neighbours", header.neighbours, 0,
             std::min(header.items * kNeighboursMax, uint64_t{UINT32_MAX})));
  FRESHLINE_RETURN_IF_ERROR(within("index_slots", header.index_slots,
                                   header.items + 1, 4 * kTableRowsMax));
  if (!std::has_single_bit(header.index_slots)) {
    return Damaged(path, absl::StrCat("index_slots is ", header.index_slots,
                                      ", not a power of two"));
  }
  if (!(header.beta > 0 && header.beta < 1e6F)) {
    return Damaged(path, absl::StrCat("beta is ", header.beta,
                                      ", not above 0 and below 1e6"));
  }
  return absl::OkStatus();
}

// Index of the first float outside [min, max], `allowed` aside, or `count`. NaN
// is outside.
uint64_t FirstBad(const float* values, uint64_t count, float min, float max,
                  float allowed) {
  for (uint64_t i = 0; i < count; ++i) {
    const bool good =
        (values[i] >= min && values[i] <= max) || values[i] == allowed;
    if (!good) return i;
  }
  return count;
}

}  // namespace

ItemTable::~ItemTable() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), bytes_);
}

absl::StatusOr<std::shared_ptr<const ItemTable>> ItemTable::Open(
    const std::string& path, uint32_t expected_dim) {
  const ScopedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) {
    return absl::NotFoundError(absl::StrCat(
        "item table ", path, ": cannot be opened (", std::strerror(errno),
        "): check item_table_dir and the path, or write the "
        "table with `freshline-bench train`"));
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("item table ", path, ": is not a regular file"));
  }
  std::shared_ptr<ItemTable> table(new ItemTable());
  table->bytes_ = static_cast<uint64_t>(info.st_size);
  if (table->bytes_ < sizeof(ItemTableHeader)) {
    return Damaged(path, absl::StrCat("has ", table->bytes_,
                                      " bytes, and the header alone has ",
                                      sizeof(ItemTableHeader)));
  }
  void* data = mmap(nullptr, table->bytes_, PROT_READ,
                    MAP_PRIVATE | MAP_POPULATE, fd.get(), 0);
  if (data == MAP_FAILED) {
    return absl::UnavailableError(absl::StrCat("item table ", path,
                                               ": cannot be mapped (",
                                               std::strerror(errno), ")"));
  }
  table->data_ = static_cast<const std::byte*>(data);
  FRESHLINE_RETURN_IF_ERROR(table->Bind(path, expected_dim));
  FRESHLINE_RETURN_IF_ERROR(table->CheckContents(path));
  return std::shared_ptr<const ItemTable>(std::move(table));
}

absl::Status ItemTable::Bind(const std::string& path, uint32_t expected_dim) {
  ItemTableHeader header;
  std::memcpy(&header, data_, sizeof(header));
  FRESHLINE_RETURN_IF_ERROR(CheckKind(path, header, expected_dim));
  FRESHLINE_RETURN_IF_ERROR(CheckCounts(path, header));
  const ItemTableLayout layout(header);
  if (layout.file_bytes != bytes_) {
    return Damaged(
        path, absl::StrCat("has ", bytes_, " bytes, and its header describes ",
                           layout.file_bytes));
  }
  const uint32_t crc =
      Crc32(0, data_ + sizeof(header), bytes_ - sizeof(header));
  if (crc != header.contents_crc) {
    return Damaged(path,
                   absl::StrCat("the contents have checksum ", crc,
                                ", and the header says ", header.contents_crc));
  }
  dim_ = header.dim;
  rows_ = static_cast<uint32_t>(header.rows);
  items_ = static_cast<uint32_t>(header.items);
  neighbour_count_ = static_cast<uint32_t>(header.neighbours);
  beta_ = header.beta;
  index_mask_ = header.index_slots - 1;
  const auto bind = [&]<typename T>(const T*& member, uint64_t offset) {
    member = reinterpret_cast<const T*>(data_ + offset);
  };
  const float* projection = nullptr;
  bind(projection, layout.projection);
  projection_ =
      ViewProjection({projection, 4 * content_columns()}, header.hash_seed);
  bind(ids_, layout.ids);
  bind(index_, layout.index);
  bind(offsets_, layout.offsets);
  bind(neighbours_, layout.neighbours);
  bind(weights_, layout.weights);
  bind(totals_, layout.totals);
  bind(biases_, layout.biases);
  bind(scales_, layout.scales);
  bind(quantised_, layout.quantised);
  bind(vectors_, layout.vectors);
  return absl::OkStatus();
}

// A matching checksum does not make a file honest: indexes are checked because
// they are followed, numbers because NaN breaks every order.
absl::Status ItemTable::CheckContents(const std::string& path) const {
  for (uint64_t slot = 0; slot <= index_mask_; ++slot) {
    if (index_[slot] != kNoRow && index_[slot] >= items_) {
      return Damaged(path, absl::StrCat("slot ", slot, " of the index names ",
                                        "row ", index_[slot], " of ", items_));
    }
  }
  for (uint32_t i = 0; i <= items_; ++i) {
    const uint32_t least = i == 0 ? 0 : offsets_[i - 1];
    if (offsets_[i] < least || offsets_[i] > neighbour_count_ ||
        offsets_[i] - least > kNeighboursMax) {
      return Damaged(path, absl::StrCat("neighbours of row ", i, " begin at ",
                                        offsets_[i], " of ", neighbour_count_));
    }
  }
  for (uint32_t i = 0; i < neighbour_count_; ++i) {
    if (neighbours_[i] >= items_ || !(weights_[i] > 0)) {
      return Damaged(path,
                     absl::StrCat("neighbour ", i, " is row ", neighbours_[i],
                                  " of ", items_, ", weight ", weights_[i]));
    }
  }
  const uint64_t scanned = blocks() * kBlockRows;
  const struct {
    absl::string_view name;
    const float* values;
    uint64_t count;
    float min;
    float max;
    float allowed;
  } sections[] = {{"number of the projection", projection_.frequency_category,
                   4 * content_columns(), -1e3F, 1e3F, 0},
                  {"weight", weights_, neighbour_count_, 0, 1e9F, 0},
                  {"total", totals_, items_, 0, 1e12F, 0},
                  {"popularity", biases_, scanned, -1e9F, 0, kNeverRecommended},
                  {"scale", scales_, scanned, 0, 1, 0},
                  {"number of the vectors", vectors_, uint64_t{rows_} * dim_,
                   -1.01F, 1.01F, 0}};
  for (const auto& section : sections) {
    const uint64_t bad = FirstBad(section.values, section.count, section.min,
                                  section.max, section.allowed);
    if (bad != section.count) {
      return Damaged(path, absl::StrCat(section.name, " ", bad, " is ",
                                        section.values[bad], ", not in ",
                                        section.min, " to ", section.max));
    }
  }
  for (uint64_t row = items_; row < scanned; ++row) {
    if (biases_[row] > kNeverRecommended) {
      return Damaged(
          path, absl::StrCat("row ", row, " is no item, and has popularity ",
                             biases_[row]));
    }
  }
  return absl::OkStatus();
}

std::optional<uint32_t> ItemTable::Find(int64_t item) const {
  const uint64_t first = SlotOf(item, index_mask_ + 1);
  // Bounded, should a file leave no slot free.
  for (uint64_t i = 0; i <= index_mask_; ++i) {
    const uint32_t row = index_[(first + i) & index_mask_];
    if (row == kNoRow) return std::nullopt;
    if (ids_[row] == item) return row;
  }
  return std::nullopt;
}

}  // namespace freshline::featurize

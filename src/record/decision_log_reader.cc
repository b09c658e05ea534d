// SPDX-License-Identifier: Apache-2.0
#include "record/decision_log_reader.h"

#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "record/block.h"
#include "record/call_codec.h"

namespace freshline::record {

using schedule::RecordedCall;

namespace {

constexpr uint32_t kVersion = 1;

// Takes a varint off the front. Returns false where there is none.
bool TakeVarint(absl::string_view* in, uint64_t* out) {
  *out = 0;
  for (int shift = 0; shift < 64 && !in->empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in->front());
    in->remove_prefix(1);
    *out |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DecisionLogReader>> DecisionLogReader::Open(
    const std::string& path) {
  auto log = std::unique_ptr<DecisionLogReader>(new DecisionLogReader());
  log->path_ = path;
  errno = 0;
  log->in_.open(path, std::ios::binary);
  if (!log->in_) {
    const std::string why =
        absl::StrCat("decision log \"", path, "\": ", std::strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(why)
                           : absl::UnavailableError(why);
  }
  char magic[sizeof kMagic];
  log->in_.read(magic, sizeof magic);
  if (!log->in_ || std::memcmp(magic, kMagic, sizeof magic) != 0) {
    return log->Wrong(
        "is no decision log: it does not begin with FRESHLOG. freshlined "
        "writes one where decision_log.path is configured");
  }
  log->at_ = sizeof magic;
  if (!log->ReadBlock()) {
    return log->Wrong("ends before its header does: " + log->end_);
  }
  if (!log->header_.ParseFromString(log->block_)) {
    return log->Wrong("has a header that is no message");
  }
  if (log->header_.version() != kVersion) {
    return log->Wrong(absl::StrCat("is of version ", log->header_.version(),
                                   ", this program reads version ", kVersion,
                                   ": read it with the program that wrote it, "
                                   "of commit ",
                                   log->header_.commit()));
  }
  log->next_ = log->block_.size();
  return log;
}

absl::Status DecisionLogReader::Wrong(const std::string& what) const {
  return absl::InvalidArgumentError(
      absl::StrCat("decision log \"", path_, "\" ", what));
}

bool DecisionLogReader::ReadBlock() {
  char head[kBlockHeadBytes];
  in_.read(head, sizeof head);
  if (in_.gcount() == 0) {
    end_ = absl::StrCat("cut short after byte ", at_);
    return false;
  }
  if (!in_) {
    end_ = absl::StrCat("cut short within the block at byte ", at_);
    return false;
  }
  const uint32_t size = ReadWord(head);
  if (size > kBlockBytesMax) {
    end_ = absl::StrCat("damaged at byte ", at_, ": a block of ", size,
                        " bytes is too large");
    return false;
  }
  block_.resize(size);
  in_.read(block_.data(), size);
  if (!in_) {
    end_ = absl::StrCat("cut short within the block at byte ", at_);
    return false;
  }
  if (Crc32(block_) != ReadWord(head + 4)) {
    end_ = absl::StrCat("damaged at byte ", at_, ": the checksum differs");
    return false;
  }
  at_ += sizeof head + size;
  next_ = 0;
  return true;
}

absl::StatusOr<bool> DecisionLogReader::Next(RecordedCall* call) {
  if (!end_.empty()) return false;
  while (next_ == block_.size()) {
    if (!ReadBlock()) return false;
  }
  absl::string_view rest(block_);
  rest.remove_prefix(next_);
  uint64_t size = 0;
  if (!TakeVarint(&rest, &size) || size > rest.size() ||
      !call_.ParseFromArray(rest.data(), static_cast<int>(size))) {
    return Wrong(absl::StrCat("holds no calls before byte ", at_));
  }
  next_ = block_.size() - rest.size() + size;
  if (call_.kind() == v1::Call::END) {
    end_ = call_.reason().empty() ? "ended" : call_.reason();
    return false;
  }
  if (!DecodeCall(call_, call)) {
    return Wrong(absl::StrCat("has a call that is none before byte ", at_));
  }
  return true;
}

absl::StatusOr<schedule::PolicyConfig> PolicyOf(
    const v1::Header& header, const schedule::PolicyCatalogue& catalogue) {
  const v1::Header::Policy& from = header.policy();
  FRESHLINE_ASSIGN_OR_RETURN(schedule::PolicyConfig policy,
                             catalogue.Find(from.name()));
  policy.background = from.background();
  policy.tickets_max = from.tickets_max();
  policy.rows_max = from.rows_max();
  policy.background_max = from.background_max();
  policy.quarantine_failures = from.quarantine_failures();
  policy.backoff_min = base::Duration(from.backoff_min_ns());
  policy.probe_interval = base::Duration(from.probe_interval_ns());
  FRESHLINE_RETURN_IF_ERROR(schedule::ValidatePolicyConfig(policy));
  return policy;
}

std::vector<schedule::GroupTraits> GroupsOf(const v1::Header& header) {
  std::vector<schedule::GroupTraits> groups;
  for (const v1::Header::Group& group : header.groups()) {
    groups.push_back({group.batch_max()});
  }
  return groups;
}

absl::StatusOr<std::vector<schedule::FlowTraits>> FlowsOf(
    const v1::Header& header) {
  std::vector<schedule::FlowTraits> flows;
  for (const v1::Header::Flow& flow : header.flows()) {
    // Written so that NaN fails.
    if (!(flow.weight() > 0 &&
          flow.weight() < std::numeric_limits<double>::infinity())) {
      return absl::InvalidArgumentError(
          absl::StrCat("flow \"", flow.service(), "\": weight ", flow.weight(),
                       " is not above 0"));
    }
    flows.push_back({flow.weight()});
  }
  return flows;
}

}  // namespace freshline::record

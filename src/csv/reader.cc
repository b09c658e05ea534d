// SPDX-License-Identifier: Apache-2.0
#include "csv/reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace freshline::csv {
namespace {

// Blocks grow from the first size to the largest: a short file costs little.
constexpr size_t kFirstBlockBytes = 4 << 10;
constexpr size_t kBlockBytes = 256 << 10;
constexpr size_t kRecordBytesLimit = 1 << 30;
constexpr char kDelimiters[] = {',', ';', '\t', '|'};

const char* Find(const char* begin, const char* end, char c) {
  const void* found = std::memchr(begin, c, static_cast<size_t>(end - begin));
  return found == nullptr ? end : static_cast<const char*>(found);
}

// The first line break of [begin, end), or end.
const char* FindBreak(const char* begin, const char* end) {
  return Find(begin, Find(begin, end, '\n'), '\r');
}

bool IsBreak(char c) { return c == '\n' || c == '\r'; }

// Breaks of a text that does not end within a CRLF.
uint64_t CountBreaks(absl::string_view text) {
  uint64_t n = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    n += text[i] == '\n' ||
         (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n'));
  }
  return n;
}

// What a file that is no text begins with, and what to do about it.
struct Foreign {
  absl::string_view begin;
  absl::string_view what;
};
constexpr char kUtf16Remedy[] =
    "is UTF-16 or UTF-32 text; make it UTF-8, for example by: iconv -f UTF-16 "
    "-t UTF-8";
constexpr Foreign kForeign[] = {
    {{"\xff\xfe", 2}, kUtf16Remedy},
    {{"\xfe\xff", 2}, kUtf16Remedy},
    {{"\0\0\xfe\xff", 4}, kUtf16Remedy},
    {{"PK\x03\x04", 4},
     "is a zip archive or a workbook; unpack it, or save the sheet as CSV "
     "(UTF-8)"},
    {{"\x28\xb5\x2f\xfd", 4}, "is packed by zstd; unpack it: zstdcat"},
    {{"\xfd"
      "7zXZ",
      5},
     "is packed by xz; unpack it: xzcat"},
    {{"BZh", 3}, "is packed by bzip2; unpack it: bzcat"},
    {{"PAR1", 4}, "is a Parquet file; export it as CSV"},
};

absl::Status NoText(absl::string_view first) {
  for (const Foreign& foreign : kForeign) {
    if (absl::StartsWith(first, foreign.begin)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the file ", foreign.what));
    }
  }
  // Within a value, further down, it is a character as any other.
  const absl::string_view line = first.substr(0, first.find_first_of("\n\r"));
  if (line.find('\0') == absl::string_view::npos) return absl::OkStatus();
  // ASCII letters of UTF-16 without a mark: every other byte is 0.
  if (first.size() > 1 && (first[0] == '\0') != (first[1] == '\0')) {
    return absl::InvalidArgumentError(absl::StrCat("the file ", kUtf16Remedy));
  }
  return absl::InvalidArgumentError(
      "the file is no text: it holds bytes of 0; give CSV in UTF-8");
}

}  // namespace

std::string Reader::DelimiterName(char delimiter) {
  switch (delimiter) {
    case ',':
      return "comma";
    case ';':
      return "semicolon";
    case '\t':
      return "tab";
    case '|':
      return "bar";
    default:
      return std::string(1, delimiter);
  }
}

Reader::Reader(Input& input, ReaderOptions options)
    : input_(&input), options_(options) {
  FRESHLINE_CHECK(options_.record_bytes_max <= kRecordBytesLimit);
}

absl::StatusOr<Reader> Reader::Open(Input& input, ReaderOptions options) {
  Reader reader(input, options);
  FRESHLINE_RETURN_IF_ERROR(reader.ReadHeader());
  return reader;
}

absl::Status Reader::ReadHeader() {
  FRESHLINE_RETURN_IF_ERROR(SkipPreamble());
  if (options_.delimiter == 0) FRESHLINE_RETURN_IF_ERROR(DetectDelimiter());
  switch (Next()) {
    case Got::kRecord:
      break;
    case Got::kEnd:
      return absl::InvalidArgumentError(
          "the file is empty; its first line must name the columns");
    case Got::kMalformed:
      return absl::InvalidArgumentError(
          absl::StrCat("line ", line_, ": the header: ", error_));
    case Got::kFailed:
      return absl::DataLossError(error_);
  }
  for (size_t i = 0; i < fields_.size(); ++i) {
    const absl::string_view name = absl::StripAsciiWhitespace(fields_[i]);
    header_.push_back(name.empty() ? absl::StrCat("#", i + 1)
                                   : std::string(name));
  }
  return CheckNames();
}

// The byte order mark and "sep=;", which Excel writes and reads.
absl::Status Reader::SkipPreamble() {
  Fill();
  const absl::string_view first(buffer_.data(), std::min<size_t>(end_, 4096));
  FRESHLINE_RETURN_IF_ERROR(NoText(first));
  constexpr absl::string_view kMark = "\xef\xbb\xbf";
  if (absl::StartsWith(first, kMark)) at_ += kMark.size();
  const absl::string_view rest(buffer_.data() + at_, end_ - at_);
  if (rest.size() < 6 || !absl::StartsWithIgnoreCase(rest, "sep=") ||
      !IsBreak(rest[5])) {
    return absl::OkStatus();
  }
  if (options_.delimiter == 0) options_.delimiter = rest[4];
  at_ += AfterBreak(5);
  ++next_line_;
  return absl::OkStatus();
}

absl::Status Reader::DetectDelimiter() {
  options_.delimiter = ',';
  if (!SkipEmptyLines()) return absl::OkStatus();
  const size_t length = FindLineEnd(0).value_or(0);
  std::vector<char> there;
  bool quoted = false;
  for (const char c : absl::string_view(buffer_.data() + at_, length)) {
    if (c == '"') quoted = !quoted;
    const bool known = std::find(std::begin(kDelimiters), std::end(kDelimiters),
                                 c) != std::end(kDelimiters);
    if (quoted || !known) continue;
    if (std::find(there.begin(), there.end(), c) == there.end()) {
      there.push_back(c);
    }
  }
  if (there.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "line ", next_line_, ": the header has both a ",
        DelimiterName(there[0]), " and a ", DelimiterName(there[1]),
        ", and either may separate its names; say which (--delimiter, or a "
        "line \"sep=",
        absl::string_view(&there[0], 1), "\" before it)"));
  }
  if (!there.empty()) options_.delimiter = there[0];
  return absl::OkStatus();
}

absl::Status Reader::CheckNames() const {
  for (size_t i = 0; i < header_.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      if (header_[i] != header_[k]) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "line ", line_, ": the header names two columns \"", header_[i],
          "\", ", k + 1, " and ", i + 1, "; rename one"));
    }
  }
  return absl::OkStatus();
}

bool Reader::Fill() {
  if (ended_) return false;
  if (end_ > at_) {
    std::memmove(buffer_.data(), buffer_.data() + at_, end_ - at_);
  }
  end_ -= at_;
  at_ = 0;
  block_bytes_ =
      std::min(std::max(2 * block_bytes_, kFirstBlockBytes), kBlockBytes);
  if (buffer_.size() < end_ + block_bytes_) buffer_.resize(end_ + block_bytes_);
  const auto n = input_->Read(buffer_.data() + end_, buffer_.size() - end_);
  if (!n.ok()) failure_ = std::string(n.status().message());
  ended_ = !n.ok() || *n == 0;
  if (!ended_) end_ += *n;
  return !ended_;
}

bool Reader::SkipEmptyLines() {
  while (true) {
    if (at_ == end_ && !Fill()) return false;
    if (!IsBreak(buffer_[at_])) return true;
    at_ += AfterBreak(0);
    ++next_line_;
  }
}

// Positions here and below are relative to at_, which Fill() moves.
std::optional<size_t> Reader::FindLineEnd(size_t from) {
  while (true) {
    const char* begin = buffer_.data() + at_;
    const char* end = buffer_.data() + end_;
    const char* found = FindBreak(begin + from, end);
    if (found != end) return static_cast<size_t>(found - begin);
    from = end_ - at_;
    if (from > options_.record_bytes_max) return std::nullopt;
    if (!Fill()) return from;
  }
}

size_t Reader::AfterBreak(size_t at) {
  if (at_ + at == end_) return at;
  if (buffer_[at_ + at] == '\n') return at + 1;
  if (at_ + at + 1 == end_ && !Fill()) return at + 1;
  return buffer_[at_ + at + 1] == '\n' ? at + 2 : at + 1;
}

void Reader::SkipLine() {
  while (true) {
    const char* begin = buffer_.data() + at_;
    const char* found = FindBreak(begin, buffer_.data() + end_);
    at_ += static_cast<size_t>(found - begin);
    if (at_ < end_) {
      at_ += AfterBreak(0);
      break;
    }
    if (!Fill()) break;
  }
  next_line_ = line_ + 1;
}

Reader::Got Reader::Malformed(std::string why) {
  error_ = std::move(why);
  fields_.clear();
  SkipLine();
  return Got::kMalformed;
}

void Reader::Reject() {
  at_ = record_at_;
  SkipLine();
}

Reader::Got Reader::Next() {
  error_.clear();
  while (true) {
    fields_.clear();
    const bool more = SkipEmptyLines();
    line_ = next_line_;
    const std::optional<size_t> length = more ? FindLineEnd(0) : 0;
    if (!length.has_value() || *length > options_.record_bytes_max) {
      return Malformed(absl::StrCat("the line is longer than ",
                                    options_.record_bytes_max, " bytes"));
    }
    const size_t after = AfterBreak(*length);
    // What stands before the place where reading failed may be half a record.
    if (!failure_.empty() && at_ + *length == end_) {
      error_ = failure_;
      return Got::kFailed;
    }
    if (!more) return Got::kEnd;
    const char* begin = buffer_.data() + at_;
    if (Find(begin, begin + *length, '"') != begin + *length) {
      return ReadQuoted();
    }
    SplitPlain(absl::string_view(begin, *length));
    if (fields_.size() > options_.fields_max) {
      return Malformed(
          absl::StrCat("more than ", options_.fields_max, " fields"));
    }
    record_at_ = at_;
    at_ += after;
    ++next_line_;
    // Spreadsheets write lines of nothing but delimiters below the last row.
    const bool blank = fields_.size() > 1 && fields_.size() == *length + 1;
    if (!blank || header_.empty()) return Got::kRecord;
  }
}

void Reader::SplitPlain(absl::string_view line) {
  const char* at = line.data();
  const char* const end = at + line.size();
  while (fields_.size() <= options_.fields_max) {
    const char* next = Find(at, end, options_.delimiter);
    fields_.emplace_back(at, static_cast<size_t>(next - at));
    if (next == end) break;
    at = next + 1;
  }
}

std::string Reader::ReadQuotedField(size_t* at, Piece* piece) {
  const auto there = [&] { return at_ + *at < end_ || Fill(); };
  piece->begin = ++*at;
  while (true) {
    if (*at > options_.record_bytes_max) {
      return std::string(absl::StrCat("longer than ", options_.record_bytes_max,
                                      " bytes; is a quote not closed?"));
    }
    if (!there()) return "a quote is not closed before the end of the file";
    const char* begin = buffer_.data() + at_;
    const char* quote = Find(begin + *at, buffer_.data() + end_, '"');
    *at = static_cast<size_t>(quote - begin);
    if (at_ + *at == end_) continue;
    piece->end = (*at)++;
    if (!there() || buffer_[at_ + *at] != '"') return "";
    piece->doubled = true;
    ++*at;
  }
}

Reader::Got Reader::ReadQuoted() {
  std::vector<Piece> pieces;
  size_t at = 0;
  const auto there = [&] { return at_ + at < end_ || Fill(); };
  while (true) {
    if (pieces.size() == options_.fields_max) {
      return Malformed(
          absl::StrCat("more than ", options_.fields_max, " fields"));
    }
    Piece& piece = pieces.emplace_back(Piece{at, at});
    if (there() && buffer_[at_ + at] == '"') {
      std::string wrong = ReadQuotedField(&at, &piece);
      if (!wrong.empty()) return Malformed(std::move(wrong));
    } else {
      while (there() && buffer_[at_ + at] != options_.delimiter &&
             !IsBreak(buffer_[at_ + at])) {
        ++at;
      }
      piece.end = at;
    }
    if (at > options_.record_bytes_max) {
      return Malformed(absl::StrCat("the record is longer than ",
                                    options_.record_bytes_max, " bytes"));
    }
    if (!there() || IsBreak(buffer_[at_ + at])) break;
    if (buffer_[at_ + at] != options_.delimiter) {
      return Malformed(absl::StrCat("text behind the quote that closes field ",
                                    pieces.size(),
                                    "; a quote within a field is doubled"));
    }
    ++at;
  }
  return TakePieces(at, pieces);
}

Reader::Got Reader::TakePieces(size_t length, std::span<const Piece> pieces) {
  const size_t after = AfterBreak(length);
  if (!failure_.empty() && at_ + length == end_) {
    error_ = failure_;
    return Got::kFailed;
  }
  const absl::string_view record(buffer_.data() + at_, after);
  unquoted_.clear();
  unquoted_.reserve(length);  // views of it are kept while it grows
  for (const Piece& piece : pieces) {
    absl::string_view field =
        record.substr(piece.begin, piece.end - piece.begin);
    if (piece.doubled) {
      const size_t begin = unquoted_.size();
      for (size_t i = 0; i < field.size(); ++i) {
        unquoted_.push_back(field[i]);
        if (field[i] == '"') ++i;
      }
      field = absl::string_view(unquoted_).substr(begin);
    }
    fields_.push_back(field);
  }
  record_at_ = at_;
  at_ += after;
  next_line_ += CountBreaks(record);
  return Got::kRecord;
}

}  // namespace freshline::csv

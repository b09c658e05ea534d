// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "csv/input.h"

namespace freshline::csv {

struct ReaderOptions {
  // What separates fields: , ; | or a tab; 0: the one of them that the header
  // has, or a comma where it has none.
  char delimiter = 0;
  // Longest record, in bytes. At most 1 GiB.
  size_t record_bytes_max = 1 << 20;
  // Most fields of a record.
  size_t fields_max = 4096;
};

// Records of a CSV file as RFC 4180 writes them, and as other tools do:
// quoted fields with doubled quotes, delimiters and line breaks inside; lines
// that end with LF, CRLF or CR; a byte order mark; a first line "sep=;";
// another delimiter. A quote inside a field that does not begin with one stands
// for itself. Empty lines are skipped, wherever they are.
//
// The first record names the columns; it is read by Open().
//
// A record that is wrong costs its first line, never those after it: reading
// goes on with the next line of the file, even within what seemed to be a
// quoted field.
//
// Bounds: memory of a record and a block of the input. Cost: some 1 GB/s, a
// third of it where fields are quoted. Not thread-safe.
class Reader {
 public:
  // Takes the header. `input` must outlive the reader.
  // Returns: INVALID_ARGUMENT, naming the remedy, for an empty file, one that
  // is no UTF-8 text (UTF-16, a workbook, an archive other than gzip), a name
  // that is missing or given twice, or a header that has several of the
  // delimiters; DATA_LOSS where the input cannot be read.
  static absl::StatusOr<Reader> Open(Input& input, ReaderOptions options = {});

  const std::vector<std::string>& header() const { return header_; }
  char delimiter() const { return options_.delimiter; }

  enum class Got : uint8_t {
    kRecord,
    kMalformed,  // a record that cannot be read; error() says why
    kEnd,
    kFailed,  // the input cannot be read on; error() says why
  };
  // The next record. After kEnd and kFailed there is none.
  Got Next();

  // Of the last record, valid until Next(). They may be more or fewer than the
  // header has.
  std::span<const absl::string_view> fields() const { return fields_; }
  // The line of the file on which it began, from 1.
  uint64_t line() const { return line_; }
  const std::string& error() const { return error_; }

  // Takes the record back: reading goes on with the line after its first one.
  // Where a record spans lines and is wrong, an unclosed quote before may be
  // why. After kRecord only.
  void Reject();

  // What to call a delimiter: "comma", "semicolon", "tab", "bar".
  static std::string DelimiterName(char delimiter);

 private:
  Reader(Input& input, ReaderOptions options);

  absl::Status ReadHeader();
  absl::Status SkipPreamble();
  absl::Status DetectDelimiter();
  absl::Status CheckNames() const;
  // Makes more bytes available after end_; false at the end of the input.
  bool Fill();
  bool SkipEmptyLines();
  // The end of the line at `from`: the position of its break, or end_ at the
  // end of the input. nullopt where it is too long.
  std::optional<size_t> FindLineEnd(size_t from);
  size_t AfterBreak(size_t at);  // the position behind the break at `at`
  void SplitPlain(absl::string_view line);
  // A field of a record that has quotes, relative to at_.
  struct Piece {
    size_t begin = 0;
    size_t end = 0;
    bool doubled = false;  // holds doubled quotes
  };
  Got ReadQuoted();
  // Takes a field from its opening quote to behind its closing one; returns
  // what is wrong with it, or "".
  std::string ReadQuotedField(size_t* at, Piece* piece);
  Got TakePieces(size_t length, std::span<const Piece> pieces);
  Got Malformed(std::string why);
  void SkipLine();

  Input* input_;
  ReaderOptions options_;
  std::vector<std::string> header_;

  std::vector<char> buffer_;
  size_t block_bytes_ = 0;  // of the last Fill()
  size_t at_ = 0;           // of the next record
  size_t end_ = 0;          // of what is there
  bool ended_ = false;
  std::string failure_;  // why the input cannot be read on
  uint64_t next_line_ = 1;

  size_t record_at_ = 0;  // of the last record
  uint64_t line_ = 0;
  std::vector<absl::string_view> fields_;
  std::string unquoted_;  // fields with doubled quotes, without them
  std::string error_;
};

}  // namespace freshline::csv

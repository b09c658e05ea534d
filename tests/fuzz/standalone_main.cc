// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without libFuzzer, over a corpus and seeded mutations of
// it: the same inputs in every run, so that a failure can be run again.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using freshline::base::Rng;
using Bytes = std::vector<uint8_t>;

constexpr int kMutations = 20'000;
constexpr size_t kBytesMax = 4096;
constexpr size_t kBytesTotalMax = 16 << 20;

constexpr char kCulprit[] = "fuzz_culprit.bin";
Bytes current;  // what the target is given

// On abort, keeps the input; only calls that a signal handler may make.
void KeepCulprit(int) {
  constexpr char kWords[] = "the input stands in fuzz_culprit.bin\n";
  const int file = open(kCulprit, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0 && write(file, current.data(), current.size()) >= 0 &&
      write(STDERR_FILENO, kWords, sizeof(kWords) - 1) > 0) {
    close(file);
  }
  _exit(70);
}

void RunOne(const Bytes& input) {
  // A block of exactly its size: AddressSanitizer sees who reads past it.
  current = Bytes(input);
  LLVMFuzzerTestOneInput(current.data(), current.size());
}

Bytes ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

// Flips, inserts, removes or repeats bytes, or takes the tail of another input.
void Mutate(const std::vector<Bytes>& corpus, Rng* rng, Bytes* bytes) {
  const size_t at = rng->Below(bytes->size() + 1);
  const auto place = bytes->begin() + static_cast<ptrdiff_t>(at);
  const size_t left = bytes->size() - at;
  switch (rng->Below(5)) {
    case 0:
      if (left > 0) (*bytes)[at] ^= static_cast<uint8_t>(1 << rng->Below(8));
      return;
    case 1:
      bytes->insert(place, static_cast<uint8_t>(rng->Next()));
      return;
    case 2:
      bytes->erase(place, place + static_cast<ptrdiff_t>(rng->Below(left + 1)));
      return;
    case 3: {
      const Bytes piece(place,
                        place + static_cast<ptrdiff_t>(rng->Below(left + 1)));
      bytes->insert(bytes->end(), piece.begin(), piece.end());
      return;
    }
    default: {
      const Bytes& other = corpus[rng->Below(corpus.size())];
      const size_t from = rng->Below(other.size() + 1);
      bytes->erase(place, bytes->end());
      bytes->insert(bytes->end(), other.begin() + static_cast<ptrdiff_t>(from),
                    other.end());
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER|FILE\n", argv[0]);
    return 64;
  }
  std::vector<std::filesystem::path> paths;
  if (std::filesystem::is_directory(argv[1])) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
      if (entry.is_regular_file()) paths.push_back(entry.path());
    }
  } else if (std::filesystem::is_regular_file(argv[1])) {
    paths.emplace_back(argv[1]);
  }
  if (paths.empty()) {
    std::fprintf(stderr, "%s: no input there: a corpus needs one\n", argv[1]);
    return 66;
  }
  std::sort(paths.begin(), paths.end());
  signal(SIGABRT, KeepCulprit);
  std::vector<Bytes> corpus;
  for (const auto& path : paths) corpus.push_back(ReadFile(path));
  for (const Bytes& input : corpus) RunOne(input);

  Rng rng(1);
  size_t total = 0;
  int runs = 0;
  for (; runs < kMutations && total < kBytesTotalMax; ++runs) {
    Bytes input = corpus[rng.Below(corpus.size())];
    for (uint64_t n = 1 + rng.Below(4); n > 0; --n) {
      Mutate(corpus, &rng, &input);
    }
    input.resize(std::min(input.size(), kBytesMax));
    total += input.size();
    RunOne(input);
  }
  std::printf("%zu inputs and %d mutations of them\n", corpus.size(), runs);
  return 0;
}

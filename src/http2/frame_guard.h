// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/time.h"

namespace freshline::http2 {

class Screen;

// Stands before the session of one HTTP/2 connection: says when the client
// sends what none would, header blocks without end or frames that carry
// nothing, and keeps back what the session would take amiss. The session's
// library has no bound for how often idle frames come.
//
// Kept back are resets of streams that were never opened. By the letter they
// end the connection, and the library ends it; but clients of gRPC 1.51 send
// them whenever the deadlines of calls pass that wait to be sent.
//
// Kept back, too, is whatever belongs to requests that were refused before the
// session saw them (Screen).
//
// Frames that carry nothing (WINDOW_UPDATE, PRIORITY, PING, RST_STREAM,
// CONTINUATION, unknown ones, DATA below kSmallData bytes that does not end its
// stream) take from a credit, those that ask for an answer, PING and SETTINGS,
// much of it. The credit grows with time
// and with every stream that is opened, so that nothing that belongs to calls
// ever uses it up. What is no HTTP/2 at all is passed on to the session, which
// hangs up. It reads plaintext: whoever terminates TLS does so before.
//
// A value: no clock, no I/O. Thread-safety: none.
// Cost: a few nanoseconds a frame; payloads are skipped, not read.
class FrameGuard {
 public:
  struct Limits {
    // One header block as sent: HEADERS with its CONTINUATIONs, in bytes.
    uint32_t header_block_bytes_max = 64 << 10;
    double credit_max = 10'000;
    double credit_per_second = 2000;
    double credit_per_stream = 16;
  };
  static constexpr double kSettingsCost = 50;
  static constexpr double kPingCost = 20;
  // A client whose calls time out before they are sent may reset streams that
  // were never opened: thousands at once, and nobody's loss.
  static constexpr double kResetCost = 0.05;
  static constexpr uint32_t kSmallData = 1024;

  // What was seen of calls.
  struct Calls {
    // One counts once more for each kBlockBytesPerCall of its headers.
    uint64_t opened = 0;
    uint64_t reset = 0;  // of those opened
  };

  enum class Fault : uint8_t { kNone, kHeaderBlock, kIdleFrames };

  static constexpr uint32_t kBlockBytesPerCall = 8 << 10;

  explicit FrameGuard(const Limits& limits)
      : limits_(limits), credit_(limits.credit_max) {}

  // Has heads shown to `screen` from now on, which outlives the reading.
  void ShowTo(Screen* screen) { screen_ = screen; }

  // Goes on with the next bytes of the connection, adding the calls that they
  // open and reset to `calls`. Returns: the fault, for ever after the first
  // one.
  Fault Read(std::span<const uint8_t> bytes, base::MonoTime now, Calls* calls);

  // What of the bytes last read the session may have, in order. The header of
  // a frame that was cut by the end of a read comes whole with the next one.
  // Valid until the next Read(), and while the bytes that it was given are.
  std::span<const std::span<const uint8_t>> passed() const { return passed_; }

  // Whether the client has sent the preface of HTTP/2 whole.
  bool begun() const { return preface_left_ == 0; }

 private:
  static constexpr size_t kHeaderBytes = 9;
  static constexpr size_t kPrefaceBytes = 24;

  void Refill(base::MonoTime now);
  // Skips the preface. Returns: false when it is another protocol.
  bool SkipPreface(std::span<const uint8_t>* bytes);
  // Returns: whether the session may have the frame, of whose payload there is
  // `payload` yet, and maybe more.
  bool OnFrame(std::span<const uint8_t> payload, Calls* calls);
  bool ScreenHead(uint32_t stream, uint32_t length, uint8_t flags,
                  std::span<const uint8_t> payload);
  void OnHeaders(uint32_t stream, uint32_t length, bool end, Calls* calls);
  void Pass(const uint8_t* begin, const uint8_t* end) {
    if (begin != end) passed_.emplace_back(begin, end);
  }
  void Spend(double cost);
  void AddToBlock(uint32_t length, bool end, Calls* calls);

  const Limits limits_;
  double credit_;
  base::MonoTime refilled_{};
  Fault fault_ = Fault::kNone;
  bool foreign_ = false;
  size_t preface_left_ = kPrefaceBytes;
  std::array<uint8_t, kHeaderBytes> header_{};
  size_t header_have_ = 0;
  uint64_t payload_left_ = 0;
  bool cutting_ = false;  // the payload that is left is kept back
  std::array<uint8_t, kHeaderBytes> split_{};
  std::vector<std::span<const uint8_t>> passed_;
  Screen* screen_ = nullptr;
  uint32_t last_stream_ = 0;
  uint32_t last_passed_ = 0;  // of those that the session saw opened
  bool in_block_ = false;     // more of the headers is to come
  uint64_t block_bytes_ = 0;
};

}  // namespace freshline::http2

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "http2/session.h"

namespace freshline::http2 {

// The header block of an answer that is always the same, as it is sent: in a
// form that neither uses nor changes what the client remembers of headers.
std::string ConstantBlock(std::span<const Field> fields);

// Answers requests that need not be looked at, before the session sees them:
// under overload most are refused, and whatever the library does for one costs
// several times what there is to do.
//
// A client's headers are the same bytes call after call, but for a field that
// varies (a timeout), as long as it adds nothing to what both sides remember
// of headers. So what the session has made of some bytes holds for the same
// bytes, until others add something. Requests that are recognised and refused
// are cut out of what the session sees, which takes their streams for such
// that were never opened; whatever comes after is as if they had not been.
//
// Lifecycle: one for each connection, for its life. FrameGuard asks OnHead()
// while it reads, then the session reads, and whoever it tells says Learn().
// Thread-safety: none. Errors: none; what is in doubt is not recognised.
// Bounds: kKnownMax heads of kHeadBytesMax. Cost: some ten nanoseconds a head.
class Screen {
 public:
  class Judge {
   public:
    // Whether it may refuse anything now. Where it may not, heads are not even
    // looked at.
    virtual bool Refuses() = 0;
    // The block to refuse a request with whose headers are as those that
    // Learn() was told of with `kind`, or nullptr to let it through, where
    // `ahead` others were let through that the session has not seen yet. It
    // must stay until Take().
    virtual const std::string* Refuse(const void* kind, size_t ahead) = 0;

   protected:
    ~Judge() = default;
  };

  // `judge` outlives it.
  explicit Screen(Judge* judge) : judge_(judge) {}

  // The first head on `stream`, whole. Returns: whether it was refused, and is
  // to be kept from the session. `ended`: the request has no body.
  bool OnHead(uint32_t stream, bool ended, std::span<const uint8_t> block);
  // The session gets headers that were not shown.
  void Forget() { known_.clear(), candidate_.reset(); }
  // The body of `stream` has ended.
  void OnEnd(uint32_t stream);
  // So many bytes of DATA were kept from the session.
  void OnCut(uint32_t bytes) { cut_bytes_ += bytes; }
  // The client has changed what it may be sent.
  void OnSettings() { settled_ = false; }

  // The session has made `fields` headers of the head on `stream`, of which the
  // one at `varying` (-1: none) matters to nobody; requests with the same are
  // of `kind`.
  void Learn(StreamId stream, const void* kind, int fields, int varying);
  // A read begins. `settled`: the session has sent headers since the client
  // last changed its settings.
  void BeginRead(bool settled) {
    settled_ = settled;
    ahead_ = 0;
  }
  // Nothing is refused any more.
  void Stop() { stopped_ = true; }

  // Appends the answers to what was refused. Returns: how many there are.
  size_t Take(std::string* out);
  size_t refused() const { return refused_.size(); }

  static constexpr size_t kKnownMax = 4;
  static constexpr size_t kHeadBytesMax = 512;

 private:
  struct Known {
    const void* kind = nullptr;
    std::string before;  // the field that varies
    std::string after;
    bool varies = false;
  };
  struct Candidate {
    uint32_t stream = 0;
    std::string block;
  };
  struct Refused {
    uint32_t stream = 0;
    bool ended = false;
    const std::string* block = nullptr;
  };
  static bool Matches(const Known& known, std::span<const uint8_t> block);

  Judge* const judge_;
  std::vector<Known> known_;
  size_t next_known_ = 0;  // to be replaced
  std::optional<Candidate> candidate_;
  std::vector<Refused> refused_;
  size_t ahead_ = 0;
  uint64_t cut_bytes_ = 0;  // that the client's window is to be given back
  bool settled_ = false;
  bool stopped_ = false;
};

}  // namespace freshline::http2

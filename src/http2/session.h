// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"

struct nghttp2_session;

namespace freshline::http2 {

using StreamId = int32_t;

// A header or trailer to send. The name is a constant, in lower case; the value
// may go once the call that it is given to has returned.
struct Field {
  absl::string_view name;
  absl::string_view value;
};

// The error codes of RFC 9113, section 7, that are used here.
enum class ErrorCode : uint32_t {
  kNone = 0,
  kProtocol = 1,
  kInternal = 2,
  kRefusedStream = 7,
  kCancel = 8,
  kEnhanceYourCalm = 11,
};

class Session;

// What is kept of one stream, and told of it: implemented by the layer above.
// The session never owns a stream, and does not touch it after OnClose(), which
// comes exactly once.
//
// Thread-safety: none; every method on the thread of its session.
class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // 0 before it is open and once it is closed.
  StreamId id() const { return id_; }

 protected:
  ~Stream() = default;

 private:
  friend class Session;

  // More of the request's body.
  virtual void OnData(std::span<const uint8_t> bytes) = 0;
  // The client has sent the whole request.
  virtual void OnEnd() = 0;
  // Everything that was handed to Session::Send() has gone out.
  virtual void OnSent() {}
  // The stream is over: both sides are through, one of them has reset it, or
  // the connection has ended. `unsent` bytes of the body never went out.
  virtual void OnClose(uint64_t unsent) = 0;

  StreamId id_ = 0;
  bool deferred_ = false;   // the library waits for more of the body
  bool finishing_ = false;  // trailers_ follow what is left of the body
  std::string body_;
  size_t body_at_ = 0;  // what is before it has gone out
  absl::InlinedVector<std::pair<absl::string_view, std::string>, 3> trailers_;
  Stream* previous_ = nullptr;
  Stream* next_ = nullptr;
};

// The server's side of one HTTP/2 connection, by libnghttp2: bytes in, events
// out; answers in, bytes out. It knows requests and streams, not what they
// mean. What the library takes amiss though clients do it, and floods that it
// does not bound, are for FrameGuard, which stands before it.
//
// Lifecycle: Receive() what FrameGuard passes, then Produce() and send what
// there is, after every read and every answer: acknowledgements and windows
// wait there, too. Destroy it to end all streams.
// Thread-safety: none.
// Bounds: header lists of Limits, counted as they are unpacked: a header block
// of some bytes can stand for megabytes, at 1 us of checks for each entry. The
// layer above bounds bodies; whoever sends the output stops calling Receive()
// while it is not taken, which bounds the acknowledgements and resets that
// wait.
class Session {
 public:
  struct Limits {
    // Streams that may be open. An honest client keeps to it; one that does not
    // loses its connection.
    uint32_t streams_max = 1024;
    // Of one header list, as clients are told; 32 bytes an entry more than its
    // text (RFC 9113, section 6.5.2).
    uint32_t header_list_bytes_told = 8 << 10;
    // Beyond, the stream is reset; and beyond the number, the connection ends.
    uint32_t header_list_bytes_max = 64 << 10;
    uint32_t header_bombs_max = 4;
    // What may be under way to here before it was read.
    uint32_t stream_window_bytes = 256 << 10;
    uint32_t connection_window_bytes = 1 << 20;
  };

  // Is told of requests as they come. Must not destroy the session.
  class Handler {
   public:
    virtual ~Handler() = default;
    // The headers of a request begin; those of the one before are through.
    virtual void OnBegin() = 0;
    // The views are valid during the call.
    virtual void OnHeader(absl::string_view name, absl::string_view value) = 0;
    // All headers are there. Returns: who is told of the rest of stream `id`,
    // or nullptr where it has been answered and nobody cares.
    virtual Stream* OnRequest(StreamId id) = 0;
  };

  enum class Fault : uint8_t {
    kNone,
    kProtocol,     // what came is no HTTP/2, or the library had enough of it
    kHeaderBombs,  // header lists beyond the limit, or in too many pieces
  };

  // `handler` outlives the session.
  Session(const Limits& limits, Handler* handler);
  // Tells the streams that are open.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Goes on with the next bytes of the client. Returns: false when the session
  // cannot go on, fault() says why; what Produce() still gives is worth
  // sending.
  bool Receive(std::span<const uint8_t> bytes);
  Fault fault() const { return fault_; }

  // Appends what is to be sent to `out`, until that has `bytes_max` or nothing
  // is left that may be sent now. Returns: false when the session cannot go on.
  bool Produce(std::string* out, size_t bytes_max);
  // Nothing is to be read or sent any more.
  bool over() const;

  // An answer without a body, whose fields are headers and trailers in one. If
  // the request has not ended, the stream is reset once the answer is out: the
  // client need not send the rest.
  void RespondOnly(StreamId id, std::span<const Field> fields);
  // The headers of an answer; a body and Finish() follow.
  // REQUIRES, as all that take a stream: it is open.
  void Respond(Stream* stream, std::span<const Field> headers);
  // More of the body.
  void Send(Stream* stream, std::string bytes);
  // The trailers, once the body is out; if the request has not ended, the
  // stream is reset then.
  void Finish(Stream* stream, std::span<const Field> trailers);
  void Reset(StreamId id, ErrorCode code);

  void Ping();
  // Asks the client to open no more streams here; those that it opens before it
  // has read that are served.
  void BeginDrain();
  // Streams opened from now on are not served; the session is over() when the
  // others are.
  void EndDrain();
  // Ends the session as soon as that is sent. `why` is for the client's log.
  void Terminate(ErrorCode code, absl::string_view why);

  // Whether headers have gone out since the client last changed its settings,
  // and with them whatever it has to be told before other headers.
  bool settled() const { return settled_; }
  // So many requests were answered before they came here.
  void CountRefused(uint64_t n) {
    requests_ += n;
    answers_ += n;
  }

  // Bytes of bodies that Produce() has given out since this was last asked.
  uint64_t TakeBodyBytes() { return std::exchange(body_bytes_, 0); }
  // Streams that somebody is told of.
  size_t streams() const { return streams_; }
  // Counts since the beginning. `answers`: frames of headers and bodies that
  // were sent; pings do not count as activity of the client, these do.
  uint64_t requests() const { return requests_; }
  uint64_t answers() const { return answers_; }
  uint64_t pings() const { return pings_; }
  uint64_t ping_acks() const { return ping_acks_; }

 private:
  struct Hooks;  // what the library calls
  void Open(StreamId id, bool ended);
  void Close(Stream* stream);
  Stream* Find(StreamId id) const;

  const Limits limits_;
  Handler* const handler_;
  nghttp2_session* session_ = nullptr;
  Fault fault_ = Fault::kNone;
  uint64_t header_bytes_ = 0;  // of the list that is coming in
  uint32_t header_bombs_ = 0;
  uint64_t body_bytes_ = 0;
  uint64_t requests_ = 0;
  uint64_t answers_ = 0;
  uint64_t pings_ = 0;
  uint64_t ping_acks_ = 0;
  size_t streams_ = 0;
  bool settled_ = false;
  Stream* first_ = nullptr;
};

}  // namespace freshline::http2

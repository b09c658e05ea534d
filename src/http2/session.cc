// SPDX-License-Identifier: Apache-2.0
#include "http2/session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"

namespace freshline::http2 {
namespace {

// Out of reach: what resets cost is counted by Connection, which tells floods
// from the calls of honest clients that ran out of time together.
constexpr uint64_t kNoResetLimit = uint64_t{1} << 30;
// RFC 9113, section 6.5.2.
constexpr size_t kEntryBytes = 32;
constexpr size_t kFieldsMax = 8;

absl::string_view View(const uint8_t* bytes, size_t n) {
  return {reinterpret_cast<const char*>(bytes), n};
}

nghttp2_nv Pair(absl::string_view name, absl::string_view value) {
  // The library copies what it is not told to leave.
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())),
          name.size(), value.size(), NGHTTP2_NV_FLAG_NO_COPY_NAME};
}

std::array<nghttp2_nv, kFieldsMax> Pairs(std::span<const Field> fields) {
  FRESHLINE_CHECK(fields.size() <= kFieldsMax);
  std::array<nghttp2_nv, kFieldsMax> pairs;
  for (size_t i = 0; i < fields.size(); ++i) {
    pairs[i] = Pair(fields[i].name, fields[i].value);
  }
  return pairs;
}

}  // namespace

struct Session::Hooks {
  static Session* Of(void* user) { return static_cast<Session*>(user); }

  static bool IsRequest(const nghttp2_frame* frame) {
    return frame->hd.type == NGHTTP2_HEADERS &&
           frame->headers.cat == NGHTTP2_HCAT_REQUEST;
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame,
                            void* user) {
    Session* const self = Of(user);
    self->header_bytes_ = 0;
    if (IsRequest(frame)) self->handler_->OnBegin();
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame,
                      const uint8_t* name, size_t name_bytes,
                      const uint8_t* value, size_t value_bytes, uint8_t,
                      void* user) {
    Session* const self = Of(user);
    self->header_bytes_ += name_bytes + value_bytes + kEntryBytes;
    if (self->header_bytes_ > self->limits_.header_list_bytes_max) {
      // It is unpacked to its end all the same, but quickly.
      return ++self->header_bombs_ > self->limits_.header_bombs_max
                 ? NGHTTP2_ERR_CALLBACK_FAILURE
                 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (IsRequest(frame)) {
      self->handler_->OnHeader(View(name, name_bytes),
                               View(value, value_bytes));
    }
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Session* const self = Of(user);
    const bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (IsRequest(frame)) {
      self->Open(frame->hd.stream_id, ended);
    } else if (frame->hd.type == NGHTTP2_DATA ||
               frame->hd.type == NGHTTP2_HEADERS) {
      Stream* const stream = self->Find(frame->hd.stream_id);
      if (stream != nullptr && ended) stream->OnEnd();
    } else if (frame->hd.type == NGHTTP2_SETTINGS) {
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) self->settled_ = false;
    } else if (frame->hd.type == NGHTTP2_PING) {
      ++((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 ? self->ping_acks_
                                                   : self->pings_);
    }
    return 0;
  }

  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data,
                    size_t length, void* user) {
    Stream* const stream = Of(user)->Find(id);
    if (stream != nullptr) stream->OnData({data, length});
    return 0;
  }

  static int OnClose(nghttp2_session* session, int32_t id, uint32_t,
                     void* user) {
    Session* const self = Of(user);
    Stream* const stream = self->Find(id);
    if (stream == nullptr) return 0;
    nghttp2_session_set_stream_user_data(session, id, nullptr);
    self->Close(stream);
    return 0;
  }

  // The frame is out. Not sooner: a reset that is queued makes the library
  // drop the headers that are queued before it.
  static int OnSend(nghttp2_session* session, const nghttp2_frame* frame,
                    void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) {
      return 0;
    }
    ++Of(user)->answers_;
    if (frame->hd.type == NGHTTP2_HEADERS) Of(user)->settled_ = true;
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
        nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) ==
            0) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static ssize_t ReadBody(nghttp2_session* session, int32_t id, uint8_t* to,
                          size_t length, uint32_t* flags,
                          nghttp2_data_source* source, void* user) {
    auto* const stream = static_cast<Stream*>(source->ptr);
    const size_t n = std::min(length, stream->body_.size() - stream->body_at_);
    std::memcpy(to, stream->body_.data() + stream->body_at_, n);
    stream->body_at_ += n;
    Of(user)->body_bytes_ += n;
    const bool all = stream->body_at_ == stream->body_.size();
    if (all) {
      stream->body_ = std::string();
      stream->body_at_ = 0;
    }
    if (all && stream->finishing_) {
      *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
      absl::InlinedVector<nghttp2_nv, 3> pairs;
      for (const auto& [name, value] : stream->trailers_) {
        pairs.push_back(Pair(name, value));
      }
      nghttp2_submit_trailer(session, id, pairs.data(), pairs.size());
    } else if (n == 0) {
      stream->deferred_ = true;
      return NGHTTP2_ERR_DEFERRED;
    } else if (all) {
      stream->OnSent();
    }
    return static_cast<ssize_t>(n);
  }

  static nghttp2_session_callbacks* MakeCallbacks() {
    nghttp2_session_callbacks* c = nullptr;
    FRESHLINE_CHECK(nghttp2_session_callbacks_new(&c) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(c, OnHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, OnData);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, OnClose);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, OnSend);
    return c;
  }

  static nghttp2_option* MakeOption() {
    nghttp2_option* option = nullptr;
    FRESHLINE_CHECK(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_stream_reset_rate_limit(option, kNoResetLimit,
                                               kNoResetLimit);
    return option;
  }
};

Session::Session(const Limits& limits, Handler* handler)
    : limits_(limits), handler_(handler) {
  // Of the process; the library only reads them.
  static nghttp2_session_callbacks* const callbacks = Hooks::MakeCallbacks();
  static nghttp2_option* const option = Hooks::MakeOption();
  FRESHLINE_CHECK(
      nghttp2_session_server_new2(&session_, callbacks, this, option) == 0);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits_.header_list_bytes_told},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
  FRESHLINE_CHECK(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings,
                                          std::size(settings)) == 0);
  nghttp2_session_set_local_window_size(
      session_, NGHTTP2_FLAG_NONE, 0,
      static_cast<int32_t>(limits_.connection_window_bytes));
}

Session::~Session() {
  while (first_ != nullptr) Close(first_);
  nghttp2_session_del(session_);
}

bool Session::Receive(std::span<const uint8_t> bytes) {
  const ssize_t n =
      nghttp2_session_mem_recv(session_, bytes.data(), bytes.size());
  if (n >= 0) return true;
  fault_ = header_bombs_ > limits_.header_bombs_max ||
                   n == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS
               ? Fault::kHeaderBombs
               : Fault::kProtocol;
  return false;
}

bool Session::Produce(std::string* out, size_t bytes_max) {
  while (out->size() < bytes_max) {
    const uint8_t* data = nullptr;
    const ssize_t n = nghttp2_session_mem_send(session_, &data);
    if (n < 0) return false;
    if (n == 0) break;
    out->append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
  }
  return true;
}

bool Session::over() const {
  return nghttp2_session_want_read(session_) == 0 &&
         nghttp2_session_want_write(session_) == 0;
}

void Session::Open(StreamId id, bool ended) {
  ++requests_;
  Stream* const stream = handler_->OnRequest(id);
  if (stream == nullptr) return;
  nghttp2_session_set_stream_user_data(session_, id, stream);
  stream->id_ = id;
  stream->next_ = first_;
  if (first_ != nullptr) first_->previous_ = stream;
  first_ = stream;
  ++streams_;
  if (ended) stream->OnEnd();
}

void Session::Close(Stream* stream) {
  (stream->previous_ == nullptr ? first_ : stream->previous_->next_) =
      stream->next_;
  if (stream->next_ != nullptr) stream->next_->previous_ = stream->previous_;
  stream->previous_ = stream->next_ = nullptr;
  --streams_;
  stream->id_ = 0;
  const uint64_t unsent = stream->body_.size() - stream->body_at_;
  stream->body_ = std::string();
  stream->body_at_ = 0;
  stream->OnClose(unsent);
}

Stream* Session::Find(StreamId id) const {
  return static_cast<Stream*>(
      nghttp2_session_get_stream_user_data(session_, id));
}

void Session::RespondOnly(StreamId id, std::span<const Field> fields) {
  const auto pairs = Pairs(fields);
  nghttp2_submit_response(session_, id, pairs.data(), fields.size(), nullptr);
}

void Session::Respond(Stream* stream, std::span<const Field> headers) {
  const auto pairs = Pairs(headers);
  nghttp2_data_provider body{};
  body.source.ptr = stream;
  body.read_callback = Hooks::ReadBody;
  nghttp2_submit_response(session_, stream->id_, pairs.data(), headers.size(),
                          &body);
}

void Session::Send(Stream* stream, std::string bytes) {
  if (stream->body_at_ == stream->body_.size()) {
    stream->body_ = std::move(bytes);
    stream->body_at_ = 0;
  } else {
    stream->body_.append(bytes);
  }
  if (std::exchange(stream->deferred_, false)) {
    nghttp2_session_resume_data(session_, stream->id_);
  }
}

void Session::Finish(Stream* stream, std::span<const Field> trailers) {
  stream->finishing_ = true;
  for (const Field& field : trailers) {
    stream->trailers_.emplace_back(field.name, std::string(field.value));
  }
  if (std::exchange(stream->deferred_, false)) {
    nghttp2_session_resume_data(session_, stream->id_);
  }
}

void Session::Reset(StreamId id, ErrorCode code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id,
                            static_cast<uint32_t>(code));
}

void Session::Ping() {
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
}

void Session::BeginDrain() { nghttp2_submit_shutdown_notice(session_); }

void Session::EndDrain() {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

void Session::Terminate(ErrorCode code, absl::string_view why) {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_),
                        static_cast<uint32_t>(code),
                        reinterpret_cast<const uint8_t*>(why.data()),
                        why.size());
}

}  // namespace freshline::http2

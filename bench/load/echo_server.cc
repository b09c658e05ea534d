// SPDX-License-Identifier: Apache-2.0
#include "bench/load/echo_server.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/output_file.h"
#include "base/status_macros.h"
#include "base/thread.h"
#include "freshline/v1/feature_store.grpc.pb.h"

namespace freshline::bench {
namespace {

// Sums the table over and over until stopped; a pass is a pass over memory.
void Scan(const std::vector<int8_t>& table, const std::atomic<bool>& stop) {
  base::PrepareThread("scan", /*punctual=*/false);
  base::SetOwnSchedClass(base::SchedClass::kIdle);
  constexpr size_t kChunk = 1 << 16;
  std::atomic<int64_t> sink{0};
  while (!stop.load(std::memory_order_relaxed)) {
    for (size_t at = 0; at < table.size(); at += kChunk) {
      if (stop.load(std::memory_order_relaxed)) return;
      const size_t end = std::min(table.size(), at + kChunk);
      sink.store(std::accumulate(table.begin() + static_cast<ptrdiff_t>(at),
                                 table.begin() + static_cast<ptrdiff_t>(end),
                                 int64_t{0}),
                 std::memory_order_relaxed);
    }
  }
}

using Writer = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;
// Requests and answers as bytes: nothing is parsed.
using RawService = v1::FeatureStore::WithRawMethod_GetFeatures<
    v1::FeatureStore::WithRawMethod_PushEvents<v1::FeatureStore::Service>>;

// One slot for calls of one method: accepts a call with its request, answers,
// and makes its successor. Deletes itself.
class EchoCall {
 public:
  // Lets the service accept one call of the method.
  using Post = void (*)(RawService&, grpc::ServerContext*, grpc::ByteBuffer*,
                        Writer*, grpc::ServerCompletionQueue*, void* tag);

  EchoCall(RawService& service, grpc::ServerCompletionQueue& cq,
           const grpc::ByteBuffer& answer, Post post)
      : service_(service),
        cq_(cq),
        answer_(answer),
        post_(post),
        writer_(&context_) {
    post_(service_, &context_, &request_, &writer_, &cq_, this);
  }

  // The last operation ended; `ok` is gRPC's.
  void Proceed(bool ok) {
    if (answered_ || !ok) {  // not ok: the server shuts down
      delete this;
      return;
    }
    new EchoCall(service_, cq_, answer_, post_);
    answered_ = true;
    writer_.Finish(answer_, grpc::Status::OK, this);
  }

 private:
  RawService& service_;
  grpc::ServerCompletionQueue& cq_;
  const grpc::ByteBuffer& answer_;
  const Post post_;
  bool answered_ = false;
  grpc::ServerContext context_;
  Writer writer_;
  grpc::ByteBuffer request_;
};

constexpr EchoCall::Post kPosts[] = {
    [](RawService& service, grpc::ServerContext* context,
       grpc::ByteBuffer* request, Writer* writer,
       grpc::ServerCompletionQueue* cq, void* tag) {
      service.RequestGetFeatures(context, request, writer, cq, cq, tag);
    },
    [](RawService& service, grpc::ServerContext* context,
       grpc::ByteBuffer* request, Writer* writer,
       grpc::ServerCompletionQueue* cq, void* tag) {
      service.RequestPushEvents(context, request, writer, cq, cq, tag);
    },
};

// A port and a line break, and nothing else.
constexpr base::FileKind kPortFileKind = {
    "port file", [](absl::string_view head) {
      uint32_t port = 0;
      return absl::SimpleAtoi(absl::StripTrailingAsciiWhitespace(head), &port);
    }};

absl::Status WritePort(const std::string& path, int port) {
  if (path.empty()) return absl::OkStatus();
  return base::WriteOutputFile(path, absl::StrCat(port, "\n"), kPortFileKind);
}

}  // namespace

struct EchoServer::Rep {
  RawService service;
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  std::unique_ptr<grpc::Server> server;
  grpc::ByteBuffer answer;
  int port = 0;
  std::thread poller;
  std::vector<int8_t> table;
  std::atomic<bool> stop{false};  // relaxed; the joins order the rest
  std::vector<std::thread> scanners;
};

std::string EchoAnswer(size_t bytes) {
  v1::GetFeaturesResponse answer;
  if (bytes < 3) return "";
  size_t padding = bytes - 2;
  answer.set_request_id(std::string(padding, 'e'));
  while (answer.ByteSizeLong() > bytes) {
    answer.set_request_id(std::string(--padding, 'e'));
  }
  return answer.SerializeAsString();
}

absl::StatusOr<std::unique_ptr<EchoServer>> EchoServer::Start(
    const EchoOptions& options) {
  constexpr size_t kAnswerMax = 64 << 20;
  constexpr size_t kScanMax = size_t{4} << 30;
  if (options.answer.size() > kAnswerMax || options.scan_threads < 0 ||
      options.scan_threads > 256 || options.scan_bytes > kScanMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("EchoOptions: answer has ", options.answer.size(),
                     " bytes (at most ", kAnswerMax, "), scan_threads is ",
                     options.scan_threads, " (0 to 256), scan_bytes ",
                     options.scan_bytes, " (at most ", kScanMax, ")"));
  }
  auto rep = std::make_unique<Rep>();
  const grpc::Slice slice(options.answer);
  rep->answer = grpc::ByteBuffer(&slice, 1);
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.SetMaxReceiveMessageSize(kAnswerMax);
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(),
                           &rep->port);
  builder.RegisterService(&rep->service);
  rep->queue = builder.AddCompletionQueue();
  rep->server = builder.BuildAndStart();
  if (rep->server == nullptr || rep->port == 0) {
    return absl::UnavailableError(
        absl::StrCat(options.listen, ": cannot be bound"));
  }
  if (options.listen.rfind("unix:", 0) == 0) rep->port = 0;
  constexpr int kSlots = 64;  // calls that may arrive within one poll
  for (int i = 0; i < kSlots; ++i) {
    for (const EchoCall::Post post : kPosts) {
      new EchoCall(rep->service, *rep->queue, rep->answer, post);
    }
  }
  rep->poller = std::thread([r = rep.get()] {
    base::PrepareThread("echo", /*punctual=*/true);
    base::SetOwnSchedClass(base::SchedClass::kRealtime);
    void* tag = nullptr;
    bool ok = false;
    while (r->queue->Next(&tag, &ok)) static_cast<EchoCall*>(tag)->Proceed(ok);
  });
  rep->table.assign(options.scan_bytes, 1);
  for (int i = 0; i < options.scan_threads && options.scan_bytes > 0; ++i) {
    rep->scanners.emplace_back([r = rep.get()] { Scan(r->table, r->stop); });
  }
  std::unique_ptr<EchoServer> echo(new EchoServer(std::move(rep)));
  FRESHLINE_RETURN_IF_ERROR(WritePort(options.port_file, echo->rep_->port));
  return echo;
}

EchoServer::EchoServer(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}

EchoServer::~EchoServer() {
  rep_->stop.store(true, std::memory_order_relaxed);
  for (std::thread& scanner : rep_->scanners) scanner.join();
  rep_->server->Shutdown(gpr_time_0(GPR_CLOCK_MONOTONIC));
  rep_->queue->Shutdown();
  rep_->poller.join();
}

int EchoServer::port() const { return rep_->port; }

}  // namespace freshline::bench

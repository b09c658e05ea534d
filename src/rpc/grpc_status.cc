// SPDX-License-Identifier: Apache-2.0
#include "rpc/grpc_status.h"

#include <string>

namespace freshline::rpc {
namespace {

constexpr size_t kMessageBytesMax = 4096;

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()),
          std::string(status.message().substr(0, kMessageBytesMax))};
}

}  // namespace freshline::rpc

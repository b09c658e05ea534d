// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "rpc/call.h"
#include "rpc/request_counts.h"
#include "rpc/responses.h"

namespace freshline::rpc {

class Poller;

// What a method of a service is to the server.
struct MethodEntry {
  // Makes a call of it, on the poller's thread; the call deletes itself.
  std::function<Call*(Poller* poller, const CallOrigin& origin)> make;
  CodeCounts* counts = nullptr;
  // For calls that stand in line to be served: whether one that comes now,
  // behind `ahead` that were read and are not in line yet, is to be refused as
  // it comes, with `refusal`, which is counted but for its code.
  std::function<bool(Poller* poller, size_t ahead)> hopeless = {};
  std::shared_ptr<const ConstantStatus> refusal = {};
};

// The methods by path, "/package.Service/Method". Complete before the first
// connection, and constant from then on.
using MethodTable = absl::flat_hash_map<std::string, MethodEntry>;

}  // namespace freshline::rpc

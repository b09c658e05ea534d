// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/time.h"
#include "rpc/call.h"
#include "rpc/request_counts.h"

namespace freshline::rpc {

class Poller;

// What a method of a service is to the server.
struct MethodEntry {
  // Makes a call of it, on the poller's thread; the call deletes itself.
  std::function<Call*(Poller* poller, const CallOrigin& origin)> make;
  CodeCounts* counts = nullptr;
  // The longest that its calls can have, where they stand in line to be served;
  // where they do not, no limit.
  base::Duration budget_max = base::Duration::max();
};

// The methods by path, "/package.Service/Method". Complete before the first
// connection, and constant from then on.
using MethodTable = absl::flat_hash_map<std::string, MethodEntry>;

}  // namespace freshline::rpc

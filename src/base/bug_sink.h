// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace freshline::base {

// Where the lines about survived bugs go: whatever thread finds one calls
// `sink` with a line without a line break. It must not block. nullptr, as at
// first: to standard error, within 100 ms.
using BugSink = void (*)(const char* line);
void SetBugSink(BugSink sink);

}  // namespace freshline::base

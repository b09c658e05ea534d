// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freshline/v1/operations.pb.h"
#include "registry/revision.h"

namespace freshline::rpc {

// Writes the revision's number, entities and sources into `response`, with what
// was left to its default.
void EncodeSchema(const registry::Revision& revision,
                  v1::GetSchemaResponse* response);

}  // namespace freshline::rpc

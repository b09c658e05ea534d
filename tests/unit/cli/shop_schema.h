// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freshline/v1/operations.pb.h"
#include "google/protobuf/text_format.h"

namespace freshline::cli {

// What a daemon answers to GetSchema: a shop's users and cards, and clicks.
inline v1::GetSchemaResponse ShopSchema() {
  v1::GetSchemaResponse response;
  google::protobuf::TextFormat::ParseFromString(
      R"pb(
        revision: 1
        entities {
          name: "user"
          key { name: "user_id" type: INT64 }
        }
        entities {
          name: "card"
          key { name: "card" type: STRING }
        }
        entities {
          name: "visit"
          key { name: "visit" type: INT64 }
        }
        entities {
          name: "trip"
          key { name: "visit" type: STRING }
        }
        sources {
          name: "clicks"
          entity: "user"
          column { name: "item" type: INT64 }
          column { name: "price" type: FLOAT64 }
          column { name: "brand" type: STRING }
          column { name: "gift" type: BOOL }
          column { name: "seen" type: TIMESTAMP }
          retention: "30d"
          allowed_lateness: "10s"
        }
        sources { name: "payments" entity: "card" }
        request_bytes_max: 1000000
        events_per_request_max: 10000
      )pb",
      &response);
  return response;
}

}  // namespace freshline::cli

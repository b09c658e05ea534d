// SPDX-License-Identifier: Apache-2.0
//
// Sends one click and asks for the user's features in the same call: the
// answer has seen the click. Works with the shipped REES46 definitions.

#include <freshline/client.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

namespace {

int Fail(const absl::Status& status) {
  std::cerr << status.ToString() << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: example_client TARGET USER_ID\n";
    return 64;
  }
  const int64_t user_id = std::atoll(argv[2]);
  freshline::ClientOptions options;
  options.target = argv[1];
  auto client = freshline::Client::Create(options);
  if (!client.ok()) return Fail(client.status());

  const auto now = std::chrono::system_clock::now().time_since_epoch();
  freshline::EventRows click("clicks");
  click.Int64s("user_id", {user_id})
      .Int64s("product_id", {1003461})
      .TimesUs(
          {std::chrono::duration_cast<std::chrono::microseconds>(now).count()});

  freshline::FeatureRequest request("recommend");
  request.Entity("user_id", {user_id})
      .AddEvents(click)
      .Budget(std::chrono::milliseconds(30));
  const auto answer = (*client)->GetFeatures(request);
  if (!answer.ok()) return Fail(answer.status());

  for (size_t i = 0; i < answer->feature_count(); ++i) {
    const freshline::FeatureView feature = answer->feature(i);
    const freshline::RowFreshness fresh = feature.freshness();
    std::cout << feature.name() << ": " << ToString(feature.status()) << ", "
              << ToString(fresh.obtained) << ", " << fresh.pending_events
              << " events pending\n";
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "schedule/recent_offers.h"

#include <cmath>

#include "base/random.h"

namespace freshline::schedule {

namespace {

constexpr size_t kPlaces = 8192;

}  // namespace

RecentOffers::RecentOffers(base::Duration memory)
    : memory_(memory), places_(kPlaces) {}

RecentOffers::Offer& RecentOffers::PlaceOf(base::RowId row) {
  const uint64_t hash = base::MixBits(base::ToInt(row.key) ^
                                      base::MixBits(base::ToInt(row.group)));
  return places_[hash % kPlaces];
}

double RecentOffers::Renew(base::RowId row, base::Seq newest,
                           base::MonoTime now) {
  Offer& offer = PlaceOf(row);
  double share = 1;
  if (offer.at > base::kInfinitePast && offer.row == row &&
      offer.newest == newest) {
    share = -std::expm1(-static_cast<double>((now - offer.at).count()) /
                        static_cast<double>(memory_.count()));
  }
  offer = {row, newest, now};
  return share;
}

void RecentOffers::Done(base::RowId row) {
  Offer& offer = PlaceOf(row);
  if (offer.row == row) offer.at = base::kInfinitePast;
}

}  // namespace freshline::schedule

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/mutex.h"

namespace freshline::test {

// A gate that opens once and stays open. Thread-safe.
class Latch {
 public:
  void Open() {
    base::MutexLock lock(&mu_);
    open_ = true;
    opened_.NotifyAll();
  }
  void Wait() {
    base::MutexLock lock(&mu_);
    while (!open_) opened_.Wait(&mu_);
  }

 private:
  base::Mutex mu_;
  base::CondVar opened_;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace freshline::test

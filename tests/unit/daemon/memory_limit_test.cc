// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/memory_limit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace freshline::daemon {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// A machine of 2 GiB, as its kernel would describe it.
class MemoryLimitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = ::testing::TempDir() + "memory_limit_test";
    std::filesystem::remove_all(root_);
    Holds("/proc/meminfo", "MemTotal:        2097152 kB\nMemFree: 1 kB\n");
  }
  void Holds(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  MemoryLimit Find() const { return FindMemoryLimit(root_); }
  std::string root_;
};

TEST_F(MemoryLimitTest, WithoutAGroupTheMachineIsTheLimit) {
  EXPECT_EQ(Find().bytes, 2048 * kMiB);
  EXPECT_EQ(Find().by, "the machine");
}

TEST_F(MemoryLimitTest, TheLeastOfAGroupAndAllAboveItCounts) {
  Holds("/proc/self/cgroup", "0::/system.slice/freshlined.service\n");
  const std::string base = "/sys/fs/cgroup/system.slice";
  Holds(base + "/freshlined.service/memory.max", "max\n");
  EXPECT_EQ(Find().bytes, 2048 * kMiB);
  Holds(base + "/memory.max", "1073741824\n");
  EXPECT_EQ(Find().bytes, 1024 * kMiB);
  EXPECT_EQ(Find().by, "cgroup /system.slice");
  Holds(base + "/freshlined.service/memory.max", "536870912\n");
  EXPECT_EQ(Find().bytes, 512 * kMiB);
  EXPECT_EQ(Find().by, "cgroup /system.slice/freshlined.service");
  Holds(base + "/freshlined.service/memory.high", "400000000\n");
  EXPECT_EQ(Find().bytes, 400'000'000U);
}

TEST_F(MemoryLimitTest, InsideAContainerTheGroupIsTheRoot) {
  Holds("/proc/self/cgroup", "0::/\n");
  Holds("/sys/fs/cgroup/memory.max", "268435456\n");
  EXPECT_EQ(Find().bytes, 256 * kMiB);
  EXPECT_EQ(Find().by, "cgroup /");
}

TEST_F(MemoryLimitTest, VersionOneIsReadWhereItsControllerIs) {
  Holds("/proc/self/cgroup",
        "12:cpuset:/docker/abc\n4:cpu,memory:/docker/abc\n0::/\n");
  const std::string base = "/sys/fs/cgroup/memory";
  Holds(base + "/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(Find().bytes, 2048 * kMiB);
  // A container sees its own group as the root of the mount.
  Holds(base + "/memory.limit_in_bytes", "536870912\n");
  EXPECT_EQ(Find().bytes, 512 * kMiB);
  Holds(base + "/docker/abc/memory.limit_in_bytes", "134217728\n");
  EXPECT_EQ(Find().bytes, 128 * kMiB);
  EXPECT_EQ(Find().by, "cgroup /docker/abc");
}

TEST_F(MemoryLimitTest, NonsenseIsNoLimit) {
  Holds("/proc/meminfo", "");
  Holds("/proc/self/cgroup", "nonsense\n0::\n:::\n0::relative\n");
  EXPECT_EQ(Find().bytes, 0U);
}

TEST(RealMemoryLimitTest, ThisMachineHasSome) {
  EXPECT_GT(FindMemoryLimit().bytes, 64 * kMiB);
}

}  // namespace
}  // namespace freshline::daemon

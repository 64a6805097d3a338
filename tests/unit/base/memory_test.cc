// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/testing.h"

namespace tapgate {
namespace {

// A host's /proc and /sys of our own.
class MemoryOfAJob : public testing::Test {
  protected:
    void file(const std::string& path, const std::string& text) const {
        const std::string full = root.path() + path;
        std::filesystem::create_directories(full.substr(0, full.rfind('/')));
        std::ofstream(full) << text;
    }
    [[nodiscard]] Memory now() const { return memory(root.path()); }

    TemporaryDirectory root;
};

TEST_F(MemoryOfAJob, WithoutALimit) {
    file("/proc/meminfo", "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  4194304 kB\n");
    file("/proc/self/cgroup", "0::/user.slice\n");
    file("/sys/fs/cgroup/user.slice/memory.max", "max\n");
    EXPECT_EQ(now().available, 4096U);
    EXPECT_EQ(now().limit, 0U);
}

TEST_F(MemoryOfAJob, Version2TheNarrowestOfAllAbove) {
    file("/proc/meminfo", "MemTotal:  8388608 kB\nMemAvailable:  4194304 kB\n");
    file("/proc/self/cgroup", "0::/slurm/job_1/step_0\n");
    file("/sys/fs/cgroup/slurm/job_1/memory.max", std::to_string(300 << 20));
    file("/sys/fs/cgroup/slurm/job_1/memory.current", std::to_string(100 << 20));
    file("/sys/fs/cgroup/slurm/job_1/memory.stat",
         "anon 1\ninactive_file " + std::to_string(40 << 20) + "\n");
    file("/sys/fs/cgroup/slurm/job_1/step_0/memory.max", "max\n");
    EXPECT_EQ(now().available, 240U);
    EXPECT_EQ(now().limit, 300U);
    EXPECT_EQ(memory_kills(root.path()), 0U);
    file("/sys/fs/cgroup/slurm/job_1/memory.events", "low 0\noom 3\noom_kill 2\n");
    EXPECT_EQ(memory_kills(root.path()), 2U);
}

TEST_F(MemoryOfAJob, Version1) {
    file("/proc/meminfo", "MemTotal:  8388608 kB\nMemAvailable:  4194304 kB\n");
    file("/proc/self/cgroup",
         "9:name=systemd:/\n4:cpu,memory:/slurm_n1/job_1/step_batch/task_0\n0::/\n");
    const std::string group = "/sys/fs/cgroup/memory/slurm_n1/job_1";
    file(group + "/memory.limit_in_bytes", std::to_string(300 << 20));
    file(group + "/memory.usage_in_bytes", std::to_string(10 << 20));
    file(group + "/step_batch/memory.limit_in_bytes", "9223372036854771712\n");
    file(group + "/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    EXPECT_EQ(now().available, 290U);
    EXPECT_EQ(now().limit, 300U);
    EXPECT_EQ(memory_kills(root.path()), 1U);
}

TEST_F(MemoryOfAJob, AHostWithLessThanTheLimit) {
    file("/proc/meminfo", "MemTotal:  8388608 kB\nMemAvailable:  102400 kB\n");
    file("/proc/self/cgroup", "0::/job\n");
    file("/sys/fs/cgroup/job/memory.max", std::to_string(300 << 20));
    file("/sys/fs/cgroup/job/memory.current", "0\n");
    EXPECT_EQ(now().available, 100U);
}

}  // namespace
}  // namespace tapgate

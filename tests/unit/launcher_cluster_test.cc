// SPDX-License-Identifier: GPL-2.0-or-later
//
// VMs on other hosts: what is said to Slurm and what it says (captured from Slurm 22.05), what a
// process in a job knows, and who has a MAC address on a bridge that several hosts share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>

#include "launcher/base/batch_job.h"
#include "launcher/base/memory.h"
#include "launcher/cluster/slurm_words.h"
#include "launcher/network/mac_user.h"
#include "tests/unit/launcher_testing.h"

namespace tapgate {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

VmName vm(const std::string& name) {
    return VmName::parse(name).value();
}

// ---- squeue

TEST(SlurmQueue, TellsStateNodeTimesAndReason) {
    const auto jobs = parse_squeue(
        "12|PENDING||0:00|8:00:00|1280M|Resources|tapgate-web\n"
        "11|RUNNING|n1|1-02:03:04|UNLIMITED|1280M|None|tapgate-db.1\n"
        "10|COMPLETING|n2|0:10|1:00:00|300M|None|tapgate-old\n");
    ASSERT_EQ(jobs.size(), 3U);
    EXPECT_EQ(jobs[0].vm.str(), "db.1");
    EXPECT_TRUE(jobs[0].runs());
    EXPECT_EQ(jobs[0].node, "n1");
    EXPECT_EQ(jobs[0].up, "1-02:03:04");
    EXPECT_EQ(jobs[0].limit, "UNLIMITED");
    EXPECT_EQ(jobs[0].state_text(), "running");
    EXPECT_TRUE(jobs[1].is_ending());
    EXPECT_EQ(jobs[1].state_text(), "stopping");
    EXPECT_TRUE(jobs[2].waits());
    EXPECT_EQ(jobs[2].id, "12");
    EXPECT_EQ(jobs[2].node, "");
    EXPECT_EQ(jobs[2].memory, "1280M");
    EXPECT_EQ(jobs[2].state_text(), "queued: Resources");
}

TEST(SlurmQueue, LeavesOtherJobsAndOddLinesOut) {
    const auto jobs = parse_squeue(
        "1|RUNNING|n1|0:01|1:00|1M|None|bash\n"
        "2|RUNNING|n1|0:01|1:00|1M|None|tapgate-\n"
        "3|RUNNING|n1|0:01|1:00|1M|None|tapgate-a|b\n"
        "4|RUNNING\n"
        "slurm_load_jobs error\n"
        "\n"
        "5|RUNNING|n1|0:01|1:00|1M|(a | b)|tapgate-bad\n"
        "6|RUNNING|n1|0:01|1:00|1M|None|tapgate-good");
    ASSERT_EQ(jobs.size(), 1U);
    EXPECT_EQ(jobs[0].id, "6");
}

TEST(SlurmQueue, TheJobThatSaysMostOfItsVm) {
    const auto jobs = parse_squeue(
        "1|COMPLETING|n1|0:01|1:00|1M|None|tapgate-a\n"
        "2|PENDING||0:00|1:00|1M|Dependency|tapgate-a\n"
        "3|PENDING||0:00|1:00|1M|Priority|tapgate-b\n"
        "4|RUNNING|n1|0:00|1:00|1M|None|tapgate-b\n");
    ASSERT_EQ(jobs.size(), 2U);
    EXPECT_EQ(jobs[0].id, "2");
    EXPECT_EQ(jobs[1].id, "4");
}

TEST(SlurmQueue, StatesThatAreRare) {
    const auto state = [](const std::string& word) {
        return parse_squeue("1|" + word + "|n1|0:01|1:00|1M|None|tapgate-a")[0].state_text();
    };
    EXPECT_EQ(state("CONFIGURING"), "queued: configuring");
    EXPECT_EQ(state("SUSPENDED"), "suspended");
    EXPECT_EQ(state("PENDING"), "queued: pending");
}

// What growth asks for: a queue of a thousand.
TEST(SlurmQueue, AThousandJobs) {
    std::string output;
    for (int i = 0; i < 1000; i++)
        output += std::to_string(i) + "|PENDING||0:00|8:00:00|1280M|Priority|tapgate-vm" +
                  std::to_string(i) + "\n";
    EXPECT_EQ(parse_squeue(output).size(), 1000U);
}

TEST(SlurmQueue, IsAskedForTheUsersJobsOnly) {
    EXPECT_THAT(squeue_words(), Contains("--me"));
    EXPECT_THAT(squeue_words(), Not(Contains(StartsWith("--name"))));
    EXPECT_THAT(squeue_words(vm("web")), Contains("--name=tapgate-web"));
}

// ---- sbatch, srun, scontrol

SlurmRequest request() {
    return {.vm = vm("web"),
            .memory = 1024,
            .cpus = 2,
            .options = {"partition=vms", "time=8:00:00"},
            .lab = "rhce",
            .output = "/home/a/.local/share/tapgate/web/slurm.log",
            .directory = "/home/a",
            .command = {"/usr/bin/tapgate", "run", "web", "--append=it's; rm -rf $HOME", "--on=here"}};
}

TEST(SlurmJobs, AreTheVms) {
    const auto words = sbatch_words(request());
    EXPECT_EQ(words[0], "sbatch");
    for (const char* word :
         {"--parsable", "--dependency=singleton", "--no-requeue", "--job-name=tapgate-web",
          "--cpus-per-task=2", "--mem=1224M", "--comment=tapgate vm=web lab=rhce",
          "--output=/home/a/.local/share/tapgate/web/slurm.log", "--chdir=/home/a",
          "--partition=vms", "--time=8:00:00", "--nodes=1", "--ntasks=1"})
        EXPECT_THAT(words, Contains(word));
    SlurmRequest without = request();
    without.lab.clear();
    EXPECT_THAT(sbatch_words(without), Contains("--comment=tapgate vm=web"));
}

TEST(SlurmJobs, NoWordMeansAnythingToAShell) {
    EXPECT_EQ(sbatch_words(request()).back(),
              "--wrap=exec /usr/bin/tapgate run web '--append=it'\\''s; rm -rf $HOME' --on=here");
}

TEST(SlurmJobs, MemoryBesideTheGuest) {
    EXPECT_EQ(memory_beside_guest(128), 200U);
    EXPECT_EQ(memory_beside_guest(16384), 1024U);
}

TEST(SlurmJobs, TheNumberOfANewJob) {
    EXPECT_EQ(parse_sbatch("4711\n"), "4711");
    EXPECT_EQ(parse_sbatch("4711;cluster\n"), "4711");
    EXPECT_EQ(parse_sbatch("sbatch: error\n"), "");
}

TEST(SlurmJobs, StepsRunBesideTheVm) {
    const auto job = parse_squeue("7|RUNNING|n1|0:01|1:00|1M|None|tapgate-web")[0];
    EXPECT_THAT(srun_words(job, {"/usr/bin/tapgate", "status", "web"}, false),
                ElementsAre("srun", "--quiet", "--jobid=7", "--overlap", "--nodes=1", "--ntasks=1",
                            "--mem=0", "--export=ALL", "--quit-on-interrupt", "/usr/bin/tapgate",
                            "status", "web"));
    EXPECT_THAT(srun_words(job, {"tapgate"}, true), Contains("--pty"));
}

TEST(SlurmJobs, TimeToPowerDown) {
    EXPECT_EQ(parse_kill_wait("KeepAliveTime           = SYSTEM_DEFAULT\n"
                              "KillOnBadExit           = 0\n"
                              "KillWait                = 30 sec\n"
                              "LaunchParameters        = (null)\n"),
              30U);
    EXPECT_EQ(parse_kill_wait("KillOnBadExit = 0\n"), std::nullopt);
    EXPECT_EQ(power_down_limit_in_job(std::chrono::seconds(30)), milliseconds(25000));
    EXPECT_EQ(power_down_limit_in_job(std::chrono::seconds(3)), milliseconds(1000));
}

TEST(SlurmJobs, HowTheyEnd) {
    EXPECT_EQ(parse_job_end("JobId=1 JobName=tapgate-a JobState=FAILED Reason=NonZeroExitCode "
                            "Requeue=0 DerivedExitCode=0:0 ExitCode=1:0 RunTime=00:00:06"),
              "FAILED, exit code 1");
    EXPECT_EQ(parse_job_end("JobId=1 JobState=CANCELLED ExitCode=0:15"), "CANCELLED, signal 15");
    EXPECT_EQ(parse_job_end("JobId=1 JobState=COMPLETED ExitCode=0:0"), "COMPLETED");
    EXPECT_EQ(parse_job_end("slurm_load_jobs error: Invalid job id specified"), "");
}

// ---- inside a job

std::optional<BatchJob> job_with(const std::map<std::string, std::string>& environment,
                                 int pid = 100) {
    return batch_job_in(
        [&](const char* name) {
            const auto found = environment.find(name);
            return found == environment.end() ? nullptr : found->second.c_str();
        },
        pid);
}

TEST(InAJob, SlurmsTaskScriptAndStep) {
    const std::map<std::string, std::string> script = {
        {"SLURM_JOB_ID", "1"}, {"SLURMD_NODENAME", "n1"}, {"SLURM_TASK_PID", "100"}};
    const auto task = job_with(script);
    ASSERT_TRUE(task);
    EXPECT_EQ(task->system, BatchJob::System::slurm);
    EXPECT_TRUE(task->is_task);
    EXPECT_TRUE(task->in_batch_script);
    EXPECT_FALSE(job_with(script, 101)->is_task);
    auto step = script;
    step["SLURM_STEP_ID"] = "0";
    EXPECT_FALSE(job_with(step)->in_batch_script);
}

TEST(InAJob, ALoginShellOfSallocIsInNone) {
    EXPECT_FALSE(job_with({{"SLURM_JOB_ID", "1"}}));
    EXPECT_FALSE(job_with({}));
    EXPECT_FALSE(job_with({{"_CONDOR_SCRATCH_DIR", ""}}));
}

TEST(InAJob, OthersToo) {
    EXPECT_EQ(job_with({{"_CONDOR_SCRATCH_DIR", "/x"}})->system, BatchJob::System::htcondor);
    EXPECT_EQ(job_with({{"NOMAD_ALLOC_ID", "x"}})->system, BatchJob::System::nomad);
}

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
    file("/proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/slurm_n1/job_1/step_batch/task_0\n0::/\n");
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

// ---- MAC addresses on a bridge of several hosts

const InterfaceName br0 = InterfaceName::parse("br0").value();
const MacAddress guest = MacAddress::parse("52:54:00:12:34:56").value();

class Macs : public testing::Test {
  protected:
    Macs() {
        network.links.push_back({.index = 1, .name = "br0", .kind = "bridge"});
        network.links.push_back(
            {.index = 2, .name = "vx0", .kind = "vxlan", .master = 1, .tunnel_from = "10.0.0.1"});
        network.links.push_back({.index = 3, .name = "tap0", .kind = "tun", .master = 1});
        for (HostLink& link : network.links)
            if (link.master != 0)
                link.port.emplace();
    }
    void hear(int port, std::uint64_t age, bool entered = false) {
        network.stations.push_back(
            {.mac = guest, .port = port, .bridge = 1, .entered = entered, .age = age});
    }
    // Ages while it is waited for, and does not change otherwise unless `then` has it.
    std::string wait(bool own, const std::function<void(milliseconds)>& then = {}) {
        return error_of([&] {
            require_free_mac(br0, guest, own,
                             {.network = [&] { return network; },
                              .vm_elsewhere = [&] { return elsewhere; },
                              .sleep =
                                  [&](milliseconds time) {
                                      waited += time;
                                      for (Station& one : network.stations)
                                          one.age += static_cast<std::uint64_t>(time.count());
                                      if (then)
                                          then(waited);
                                  },
                              .tell = [&](const std::string& text) { told += text; }});
        });
    }

    HostNetwork network;
    std::string elsewhere;
    milliseconds waited{0};
    std::string told;
};

TEST_F(Macs, NobodyHasIt) {
    EXPECT_EQ(wait(false), "none");
    hear(3, 31000);
    EXPECT_EQ(wait(false), "none");
    EXPECT_EQ(waited, milliseconds(0));
}

TEST_F(Macs, ATapOrAStationOfThisHostIsNoWaitWorth) {
    hear(3, 100);
    EXPECT_THAT(wait(true), HasSubstr("a station behind the port tap0 on br0 has the MAC address"));
    network.stations.clear();
    network.links[2].mac = guest.host_side();
    EXPECT_THAT(wait(true), HasSubstr("the tap tap0 on br0 has"));
    EXPECT_EQ(waited, milliseconds(0));
}

TEST_F(Macs, AVmThatMovesStartsAtOnce) {
    hear(2, 1000);
    EXPECT_EQ(wait(true), "none");
    EXPECT_EQ(waited, milliseconds(0));
}

TEST_F(Macs, NotWhileItRunsThere) {
    hear(2, 1000);
    elsewhere = "n1";
    EXPECT_THAT(wait(true), HasSubstr("this VM itself, on the host n1, on br0 has"));
    EXPECT_EQ(waited, milliseconds(0));
}

TEST_F(Macs, AGivenAddressAgesFirst) {
    hear(2, 1000);
    EXPECT_EQ(wait(false), "none");
    EXPECT_GE(waited, milliseconds(29000));
    EXPECT_THAT(told, HasSubstr("of another host, behind the port vx0"));
}

TEST_F(Macs, OneThatIsHeardAgainIsThere) {
    hear(2, 10000);
    EXPECT_THAT(wait(false,
                     [&](milliseconds passed) {
                         if (passed >= milliseconds(3000))
                             network.stations[0].age = 0;
                     }),
                HasSubstr("already; give this VM another with mac="));
    EXPECT_LE(waited, milliseconds(3500));
}

TEST_F(Macs, WhatEvpnHasEnteredIsThereUntilItGoes) {
    hear(2, 600000, true);
    EXPECT_THAT(wait(true), HasSubstr("already"));
    EXPECT_LE(waited, milliseconds(6000));
    waited = milliseconds(0);
    EXPECT_EQ(wait(true,
                   [&](milliseconds passed) {
                       if (passed >= milliseconds(1000))
                           network.stations.clear();
                   }),
              "none");
    EXPECT_LE(waited, milliseconds(1500));
}

}  // namespace
}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is said to Slurm, and what it says: as captured from Slurm 22.05.
#include "launcher/cluster/slurm_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launcher/vm/description.h"
#include "launcher/vm/setting.h"

namespace tapgate {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::StartsWith;

VmName vm(const std::string& name) {
    return VmName::parse(name).value();
}

// ---- squeue

TEST(SlurmQueue, TellsStateNodeTimesAndReason) {
    const auto jobs = parse_squeue(
        "12|PENDING||0:00|8:00:00|Resources|tapgate-web\n"
        "11|RUNNING|n1|1-02:03:04|UNLIMITED|None|tapgate-db.1\n"
        "10|COMPLETING|n2|0:10|1:00:00|None|tapgate-old\n");
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
    EXPECT_EQ(jobs[2].state_text(), "queued: Resources");
}

TEST(SlurmQueue, LeavesOtherJobsAndOddLinesOut) {
    const auto jobs = parse_squeue(
        "1|RUNNING|n1|0:01|1:00|None|bash\n"
        "2|RUNNING|n1|0:01|1:00|None|tapgate-\n"
        "3|RUNNING|n1|0:01|1:00|None|tapgate-a|b\n"
        "4|RUNNING\n"
        "slurm_load_jobs error\n"
        "\n"
        "5|RUNNING|n1|0:01|1:00|(a | b)|tapgate-bad\n"
        "6|RUNNING|n1|0:01|1:00|None|tapgate-good");
    ASSERT_EQ(jobs.size(), 1U);
    EXPECT_EQ(jobs[0].id, "6");
}

TEST(SlurmQueue, TheJobThatSaysMostOfItsVm) {
    const auto jobs = parse_squeue(
        "1|COMPLETING|n1|0:01|1:00|None|tapgate-a\n"
        "2|PENDING||0:00|1:00|Dependency|tapgate-a\n"
        "3|PENDING||0:00|1:00|Priority|tapgate-b\n"
        "4|RUNNING|n1|0:00|1:00|None|tapgate-b\n");
    ASSERT_EQ(jobs.size(), 2U);
    EXPECT_EQ(jobs[0].id, "2");
    EXPECT_EQ(jobs[1].id, "4");
}

TEST(SlurmQueue, StatesThatAreRare) {
    const auto state = [](const std::string& word) {
        return parse_squeue("1|" + word + "|n1|0:01|1:00|None|tapgate-a")[0].state_text();
    };
    EXPECT_EQ(state("CONFIGURING"), "queued: configuring");
    EXPECT_EQ(state("SUSPENDED"), "suspended");
    EXPECT_EQ(state("PENDING"), "queued: pending");
}

TEST(SlurmQueue, IsSilentWithoutAController) {
    EXPECT_TRUE(is_silence(
        "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"));
    EXPECT_TRUE(
        is_silence("scancel: error: Kill job error: Socket timed out on send/recv operation\n"));
    EXPECT_FALSE(is_silence("sbatch: error: Memory specification can not be satisfied\n"));
}

// What growth asks for: a queue of a thousand.
TEST(SlurmQueue, AThousandJobs) {
    std::string output;
    for (int i = 0; i < 1000; i++)
        output += std::to_string(i) + "|PENDING||0:00|8:00:00|Priority|tapgate-vm" +
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
    return {
        .vm = vm("web"),
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
          "--cpus-per-task=2", "--mem=1024M", "--comment=tapgate vm=web lab=rhce",
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

TEST(SlurmJobs, KnowWhatTheyWereStartedWith) {
    SlurmRequest started = request();
    started.words = {"web", "--append=two\nlines # tapgate start: [\"x\"]", "--on=slurm,time=5"};
    const std::string wrap = sbatch_words(started).back().substr(std::string("--wrap=").size());
    // As sbatch makes a script of it, and scontrol tells it.
    EXPECT_EQ(parse_batch_script("#!/bin/sh\n# This script was created by sbatch --wrap.\n\n" +
                                 wrap + "\n\n"),
              started.words);
    // The first of them is what runs: the other line is no command.
    EXPECT_THAT(wrap, StartsWith("exec /usr/bin/tapgate run web "));
    EXPECT_EQ(wrap.substr(wrap.find('\n')).substr(0, 3), "\n# ");
    EXPECT_EQ(std::count(wrap.begin(), wrap.end(), '\n'), 1);
    EXPECT_EQ(parse_batch_script("#!/bin/sh\nexec tapgate run web\n"), std::nullopt);
    EXPECT_EQ(parse_batch_script("\n# tapgate start: [1]\n"), std::nullopt);
    EXPECT_EQ(parse_batch_script("\n# tapgate start: [\"web\n"), std::nullopt);
}

// What is shown of it when it comes byte by byte, as one, and in all other halves.
std::string shown_of_step(const std::string& written) {
    StepErrors whole;
    std::string first = whole.pass(written);
    first += whole.rest();
    for (size_t i = 0; i <= written.size(); i++) {
        StepErrors halves;
        std::string text = halves.pass(written.substr(0, i));
        text += halves.pass(written.substr(i));
        text += halves.rest();
        EXPECT_EQ(text, first);
    }
    StepErrors bytes;
    std::string text;
    for (const char byte : written)
        text += bytes.pass({&byte, 1});
    EXPECT_EQ(text + bytes.rest(), first);
    return first;
}

TEST(SlurmSteps, ExitCodesAreNotTold) {
    EXPECT_EQ(shown_of_step("tapgate: web is off\n"
                            "srun: error: n1: task 0: Exited with exit code 1\n"),
              "tapgate: web is off\n");
    for (const char* own : {"srun: error: Unable to create step for job 7: Invalid job id\n",
                            "srun: error: n1: task 0: Out Of Memory\n", "srun: error: half",
                            "srun: lost\nsrun: error: Node failure on n1\n", "", "\n\n", "srun",
                            "tapgate: srun: error: n1: task 0: Exited with exit code 1\n"})
        EXPECT_EQ(shown_of_step(own), own);
    // What may be a question is not held back.
    StepErrors errors;
    EXPECT_EQ(errors.pass("Password: "), "Password: ");
    EXPECT_EQ(errors.pass("srun: error: n1: task 0: Exited with exit code 1\n"),
              "srun: error: n1: task 0: Exited with exit code 1\n");
    EXPECT_EQ(errors.pass("srun: error: n1: task 0: Exited with exit code 1\n"), "");
}

TEST(SlurmSteps, AnEndThatWasAskedForIsNotTold) {
    const std::string end =
        "slurmstepd-n1: error: *** STEP 2.39 ON n1 CANCELLED AT 2026-11-28 ***\n"
        "srun: error: n1: task 0: Killed\n";
    EXPECT_EQ(shown_of_step(end), end);
    StepErrors errors;
    errors.expect_end();
    EXPECT_EQ(errors.pass("kept\n" + end + "slurmstepd: error: other\nslurms"),
              "kept\nslurmstepd: error: other\n");
    EXPECT_EQ(errors.pass("ay\n" + end), "slurmsay\n");
    EXPECT_EQ(errors.pass("srun: error: Node failure on n1\n"),
              "srun: error: Node failure on n1\n");
}

TEST(SlurmJobs, MemoryBesideTheGuest) {
    const auto memory_of = [](const char* memory, const char* accelerator) {
        return job_memory(describe_vm(vm("web"), {command_line_setting("memory", memory, "/"),
                                                  command_line_setting("accel", accelerator, "/")})
                              .spec);
    };
    EXPECT_EQ(memory_of("128M", "auto"), 328U);
    EXPECT_EQ(memory_of("16G", "kvm"), 16384U + 1024U);
    EXPECT_EQ(memory_of("128M", "tcg"), 328U + 256U);
}

TEST(SlurmJobs, TheNumberOfANewJob) {
    EXPECT_EQ(parse_sbatch("4711\n"), "4711");
    EXPECT_EQ(parse_sbatch("4711;cluster\n"), "4711");
    EXPECT_EQ(parse_sbatch("sbatch: error\n"), "");
}

TEST(SlurmJobs, StepsRunBesideTheVm) {
    const auto job = parse_squeue("7|RUNNING|n1|0:01|1:00|None|tapgate-web")[0];
    EXPECT_THAT(srun_words(job, {"/usr/bin/tapgate", "status", "web"}),
                ElementsAre("srun", "--quiet", "--jobid=7", "--overlap", "--nodes=1", "--ntasks=1",
                            "--mem=0", "--export=ALL", "--chdir=/", "--quit-on-interrupt",
                            "--unbuffered", "/usr/bin/tapgate", "status", "web"));
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

}  // namespace
}  // namespace tapgate

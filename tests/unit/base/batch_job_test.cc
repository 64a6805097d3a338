// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/batch_job.h"

#include <gtest/gtest.h>

#include <map>

namespace tapgate {
namespace {

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
    EXPECT_TRUE(batch_job_in([](const char* name) { return name[0] == 'S' ? "1" : nullptr; }, 101,
                             "slurmstepd")
                    ->is_task);
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

}  // namespace
}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cluster/slurm.h"

#include <unistd.h>

#include <cstdlib>

#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/base/program.h"
#include "launcher/base/text.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/file.h"

namespace tapgate {

namespace {

constexpr std::chrono::seconds answer_limit{3};
// sbatch may wait for a site's own scripts. Submitting a VM twice would be worse than waiting.
constexpr std::chrono::seconds submit_limit{60};
// A thousand jobs take 100 KiB.
constexpr size_t most_output = 64UL * 1024 * 1024;

ProgramResult ask(const std::vector<std::string>& words,
                  std::chrono::milliseconds limit = answer_limit) {
    const std::string& program = words.front();
    if (!find_program(program))
        throw LauncherError("on=slurm: there is no " + program +
                            " here; install Slurm's client (Debian: slurm-client), or say on=here");
    ProgramResult result;
    try {
        result = run_program(words, limit, most_output);
    } catch (const LauncherError&) {
        throw SlurmSilence("Slurm does not answer (" + program + ", within " +
                           std::to_string(limit.count() / 1000) +
                           " s): nothing is known of its VMs, and nothing was done with them; "
                           "see scontrol ping");
    }
    if (is_silence(result.errors) && result.exit_code != 0)
        throw SlurmSilence("Slurm does not answer: " + terminal_text(result.errors));
    if (result.exit_code != 0)
        throw LauncherError("Slurm: " + terminal_text(result.errors.empty()
                                                          ? program + " fails without a word"
                                                          : result.errors));
    return result;
}

void leave_own_job() {
    std::vector<std::string> own;
    for (char** one = environ; one != nullptr && *one != nullptr; one++) {
        const std::string name(*one, std::string_view(*one).find('='));
        // SLURM_CONF says which cluster to use.
        if ((name.starts_with("SLURM_") && name != "SLURM_CONF") || name.starts_with("SLURMD_"))
            own.push_back(name);
    }
    for (const std::string& name : own)
        unsetenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): one thread
}

// Whether a value of `on` names Slurm, without describing the whole VM.
bool names_slurm(std::string_view value) {
    return value.substr(0, value.find(',')) == "slurm";
}

}  // namespace

std::vector<SlurmJob> slurm_jobs() {
    return parse_squeue(ask(squeue_words()).output);
}

std::optional<SlurmJob> slurm_job(const VmName& vm) {
    auto jobs = parse_squeue(ask(squeue_words(vm)).output);
    if (jobs.empty())
        return std::nullopt;
    return std::move(jobs.front());
}

std::string submit_job(const SlurmRequest& request) {
    leave_own_job();
    std::string id = parse_sbatch(ask(sbatch_words(request), submit_limit).output);
    if (id.empty())
        throw LauncherError("Slurm: sbatch told no job's number; see squeue --me");
    return id;
}

void cancel_job(const std::string& id) {
    ask({"scancel", id});
}

std::string job_end(const std::string& id) {
    try {
        return parse_job_end(ask({"scontrol", "--oneliner", "show", "job", id}).output);
    } catch (const LauncherError&) {
        // Slurm forgets a job some minutes after its end (MinJobAge).
        return {};
    }
}

std::chrono::seconds kill_wait() {
    constexpr unsigned slurms_own = 30;
    try {
        return std::chrono::seconds(
            parse_kill_wait(ask({"scontrol", "show", "config"}).output).value_or(slurms_own));
    } catch (const LauncherError&) {
        // A VM that runs is worth more than a number that is nearly always the default.
        return std::chrono::seconds(slurms_own);
    }
}

std::string slurm_log_path(const VmName& vm) {
    return vm_data_directory(vm) + "/slurm.log";
}

bool is_on_slurm(const VmName& vm) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    if (const char* const value = std::getenv("TAPGATE_ON"))
        return names_slurm(value);
    if (has_vm_file(vm))
        if (const auto value = vm_file_value(vm, "on"))
            return names_slurm(*value);
    return access(slurm_log_path(vm).c_str(), F_OK) == 0;
}

void prepare_step() {
    leave_own_job();
    setenv("TAPGATE_ON", "here", 1);  // NOLINT(concurrency-mt-unsafe): one thread
}

std::optional<std::vector<std::string>> job_words(const std::string& id) {
    return parse_batch_script(ask({"scontrol", "write", "batch_script", id, "-"}).output);
}

}  // namespace tapgate

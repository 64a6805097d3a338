// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cluster/slurm_words.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "launcher/base/text.h"

namespace tapgate {

namespace {

constexpr std::string_view job_prefix = "tapgate-";

// The name comes last, since it is the only one that others choose, and may contain '|'.
constexpr const char* squeue_format = "%A|%T|%N|%M|%l|%r|%j";
constexpr size_t squeue_fields = 7;

std::string job_name(const VmName& vm) {
    return std::string(job_prefix) + vm.str();
}

// The lower, the more a job says about its VM.
int rank(const SlurmJob& job) {
    if (job.runs())
        return 0;
    return job.is_ending() ? 3 : job.waits() ? 2 : 1;
}

std::optional<SlurmJob> parse_job(std::string_view line) {
    std::array<std::string, squeue_fields> fields;
    for (size_t i = 0; i < squeue_fields; i++) {
        const size_t bar = i + 1 < squeue_fields ? line.find('|') : line.size();
        if (bar == std::string_view::npos)
            return std::nullopt;
        fields.at(i) = line.substr(0, bar);
        line.remove_prefix(std::min(bar + 1, line.size()));
    }
    if (!fields[6].starts_with(job_prefix))
        return std::nullopt;
    auto vm = VmName::parse(fields[6].substr(job_prefix.size()));
    if (!vm)
        return std::nullopt;
    return SlurmJob{.id = fields[0],
                    .vm = std::move(*vm),
                    .state = fields[1],
                    .node = fields[2],
                    .up = fields[3],
                    .limit = fields[4],
                    .reason = fields[5]};
}

// Slurm's lines look like "srun: error: n1: task 0: Exited with exit code 1" or
// "slurmstepd-n1: error: *** STEP 2.39 ON n1 ...".
constexpr std::string_view srun_prefix = "srun: error: ";
constexpr std::string_view stepd_prefix = "slurmstepd";
constexpr size_t longest_line = 1024;
// Whether a line that begins so may be one of Slurm's.
bool may_be_slurms(std::string_view beginning) {
    constexpr std::array prefixes = {srun_prefix, stepd_prefix};
    return std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view prefix) {
        return beginning.substr(0, prefix.size()) == prefix.substr(0, beginning.size());
    });
}
bool is_exit_code(std::string_view line) {
    return line.starts_with(srun_prefix) &&
           line.find(": Exited with exit code ") != std::string_view::npos;
}
// Whether the line says that the step was told to end.
bool is_end(std::string_view line) {
    return line.find(line.starts_with(srun_prefix) ? ": task " : ": error: *** STEP ") !=
           std::string_view::npos;
}

// The mark in the job's script that is followed by the words with which the VM was submitted.
constexpr std::string_view words_mark = "\n# tapgate start: ";

// The word after `key` in the output of scontrol.
std::string value_of(std::string_view output, std::string_view key) {
    for (size_t at = output.find(key); at != std::string_view::npos;
         at = output.find(key, at + 1)) {
        if (at > 0 && output[at - 1] != ' ' && output[at - 1] != '\n')
            continue;
        const std::string_view value = output.substr(at + key.size());
        return std::string(value.substr(0, value.find_first_of(" \n")));
    }
    return {};
}

}  // namespace

bool SlurmJob::waits() const {
    return state == "PENDING" || state == "CONFIGURING" || state == "REQUEUED" ||
           state == "REQUEUE_HOLD" || state == "REQUEUE_FED" || state == "SPECIAL_EXIT";
}

std::string SlurmJob::state_text() const {
    if (runs())
        return "running";
    if (is_ending())
        return "stopping";
    if (waits())
        return "queued: " + (reason.empty() || reason == "None" ? in_small_letters(state) : reason);
    return in_small_letters(state);
}

std::vector<std::string> squeue_words(const std::optional<VmName>& vm) {
    std::vector<std::string> words = {"squeue", "--me", "--noheader", "--all",
                                      std::string("--format=") + squeue_format};
    if (vm)
        words.push_back("--name=" + job_name(*vm));
    return words;
}

std::vector<SlurmJob> parse_squeue(std::string_view output) {
    std::map<std::string, SlurmJob> jobs;
    while (!output.empty()) {
        const std::string_view line = output.substr(0, output.find('\n'));
        output.remove_prefix(std::min(line.size() + 1, output.size()));
        auto job = parse_job(line);
        if (!job)
            continue;
        const auto [found, is_new] = jobs.emplace(job->vm.str(), *job);
        if (!is_new && rank(*job) < rank(found->second))
            found->second = std::move(*job);
    }
    std::vector<SlurmJob> all;
    all.reserve(jobs.size());
    for (auto& [name, job] : jobs)
        all.push_back(std::move(job));
    return all;
}

bool is_silence(std::string_view errors) {
    constexpr std::array<std::string_view, 3> silences = {
        "Unable to contact slurm controller", "Socket timed out",
        "Zero Bytes were transmitted or received"};
    return std::any_of(silences.begin(), silences.end(), [&](std::string_view words) {
        return errors.find(words) != std::string_view::npos;
    });
}

std::uint64_t job_memory(const VmSpec& vm) {
    return vm.memory.mebibytes() + memory_beside_guest(vm.memory) +
           (vm.accelerator == Accelerator::tcg ? translated_code : 0);
}

std::vector<std::string> sbatch_words(const SlurmRequest& request) {
    const std::string command = "exec " + shell_text(request.command);
    std::vector<std::string> words = {
        "sbatch",
        "--parsable",
        // Only one job of the VM at a time: a second one would find the images locked.
        "--dependency=singleton",
        // A guest whose node failed has lost its power; whether to boot it again is its user's
        // decision.
        "--no-requeue",
        "--job-name=" + job_name(request.vm),
        "--nodes=1",
        "--ntasks=1",
        "--cpus-per-task=" + std::to_string(request.cpus),
        "--mem=" + std::to_string(request.memory) + "M",
        "--comment=tapgate vm=" + request.vm.str() +
            (request.lab.empty() ? "" : " lab=" + request.lab),
        "--output=" + request.output,
        // Slurm writes to the same file.
        "--open-mode=append",
        // With a list of variables, slurmd would log the user in first, which takes seconds.
        "--export=ALL",
        "--chdir=" + request.directory,
    };
    for (const std::string& option : request.options)
        words.push_back("--" + option);
    // `exec`, so that tapgate and not the shell gets Slurm's signals. After it, for `restart`, the
    // words of the start, which only Slurm and the user see.
    words.push_back("--wrap=" + command +
                    (request.words.empty()
                         ? ""
                         : std::string(words_mark) +
                               nlohmann::json(request.words)
                                   .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)));
    return words;
}

std::string parse_sbatch(std::string_view output) {
    const size_t end = std::min(output.find_first_not_of("0123456789"), output.size());
    return std::string(output.substr(0, end));
}

// In "/", which every host has: a directory of this host may be missing there.
std::vector<std::string> srun_words(const SlurmJob& job, const std::vector<std::string>& command,
                                    bool terminal) {
    std::vector<std::string> words = {"srun",      "--quiet",      "--jobid=" + job.id,
                                      "--overlap", "--nodes=1",    "--ntasks=1",
                                      "--mem=0",   "--export=ALL", "--chdir=/"};
    if (terminal)
        words.emplace_back("--pty");
    else
        // Unbuffered, since ssh's protocol has no lines.
        words.insert(words.end(), {"--quit-on-interrupt", "--unbuffered"});
    words.insert(words.end(), command.begin(), command.end());
    return words;
}

// Shows each byte as soon as it is certain that its line is not srun's.
std::string StepErrors::pass(std::string_view bytes) {
    std::string shown;
    for (const char byte : bytes) {
        if (inside_line_) {
            shown += byte;
        } else {
            held_ += byte;
            inside_line_ = held_.size() > longest_line || !may_be_slurms(held_);
            if (inside_line_ ||
                (byte == '\n' && !is_exit_code(held_) && !(end_expected_ && is_end(held_))))
                shown += held_;
            if (inside_line_ || byte == '\n')
                held_.clear();
        }
        if (byte == '\n')
            inside_line_ = false;
    }
    return shown;
}

std::string StepErrors::rest() {
    return std::exchange(held_, {});
}

std::optional<std::vector<std::string>> parse_batch_script(std::string_view script) {
    const size_t at = script.find(words_mark);
    if (at == std::string_view::npos)
        return std::nullopt;
    const std::string_view line = script.substr(at + words_mark.size());
    const auto json = nlohmann::json::parse(line.substr(0, line.find('\n')), nullptr, false);
    if (!json.is_array() || json.empty() ||
        !std::all_of(json.begin(), json.end(), [](const auto& one) { return one.is_string(); }))
        return std::nullopt;
    return json.get<std::vector<std::string>>();
}

std::optional<unsigned> parse_kill_wait(std::string_view output) {
    // "KillWait                = 30 sec"
    constexpr std::string_view key = "KillWait ";
    const size_t at = output.find(key);
    if (at == std::string_view::npos)
        return std::nullopt;
    std::string_view value = output.substr(at + key.size());
    value.remove_prefix(std::min(value.find_first_of("0123456789\n"), value.size()));
    unsigned seconds = 0;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    return error == std::errc() ? std::optional(seconds) : std::nullopt;
}

std::chrono::milliseconds power_down_limit_in_job(std::chrono::seconds kill_wait) {
    constexpr std::chrono::seconds for_qemu{5};
    constexpr std::chrono::seconds least{1};
    return std::max(kill_wait - for_qemu, least);
}

std::string parse_job_end(std::string_view output) {
    std::string state = value_of(output, "JobState=");
    const std::string exit_code = value_of(output, "ExitCode=");
    if (state.empty() || exit_code.empty() || exit_code == "0:0")
        return state;
    const size_t colon = exit_code.find(':');
    const std::string signal = exit_code.substr(std::min(colon + 1, exit_code.size()));
    return state + ", " +
           (signal == "0" || colon == std::string::npos ? "exit code " + exit_code.substr(0, colon)
                                                        : "signal " + signal);
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/several.h"

#include <algorithm>
#include <chrono>

#include "launcher/base/output.h"
#include "launcher/base/progress_table.h"
#include "launcher/base/question.h"
#include "launcher/base/stop_signals.h"
#include "launcher/cli/slurm_verbs.h"
#include "launcher/cluster/slurm.h"
#include "launcher/lab/jobs.h"
#include "launcher/lab/member_jobs.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

// The VMs that a command means. When Slurm does not answer, those of this host, and why.
struct Meant {
    std::vector<std::string> names;
    std::string silence;
};

// All that run, including those that start or end.
Meant all_running() {
    Meant all;
    std::vector<std::string>& names = all.names;
    for (const VmName& name : vms_with_state()) {
        if (const Life life = vm_state(name).life; life != Life::off && life != Life::crashed)
            names.push_back(name.str());
    }
    try {
        for (const SlurmJob& job : jobs_to_list())
            if (std::find(names.begin(), names.end(), job.vm.str()) == names.end())
                names.push_back(job.vm.str());
    } catch (const LauncherError& error) {
        all.silence = error.what();
    }
    return all;
}

// Does the VM wait in Slurm's queue? That takes as long as Slurm likes, and side by side with all
// others.
bool queues(const CommandLine& command, const std::string& name) {
    const std::string_view verb = command.verb->name;
    if (verb != "start" && verb != "restart")
        return false;
    for (const Setting& setting : command.settings)
        if (setting.key == "on")
            return setting.value.starts_with("slurm");
    const auto vm = VmName::parse(name);
    return vm && is_on_slurm(*vm);
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines)
        text.append(text.empty() ? "" : "; ").append(line);
    return text;
}

// What a VM has to say, without its name, with which its notes may begin. A wait has also printed
// what was missing before, so there the last one counts.
std::string reasons(const CommandLine& command, const std::string& name, const JobResult& job) {
    std::vector<std::string> notes = job.notes;
    if (command.verb->name == "wait" && notes.size() > 1)
        notes.erase(notes.begin(), notes.end() - 1);
    for (std::string& one : notes)
        if (one.starts_with(name + ": "))
            one.erase(0, name.size() + 2);
    return name + ": " + joined(notes);
}

// The VMs that the command means: its operands, or with --all those that run.
Meant names_meant(const CommandLine& command) {
    const std::string verb(command.verb->name);
    if (command.has("all") && !command.operands.empty())
        throw UsageError(verb + " takes names, or --all, and not both");
    if (command.has("all"))
        return all_running();
    const std::vector<std::string>& names = command.operands;
    if (names.empty())
        throw UsageError(verb + " needs the name of a VM, or several, or --all for all that run");
    for (const std::string& name : names)
        if (std::count(names.begin(), names.end(), name) > 1)
            throw UsageError(verb + ": " + name + " is there twice");
    return {names, {}};
}

VmJob job_for(const CommandLine& command, const std::string& name, size_t row) {
    VmJob job{.row = row,
              .words = words_for(command, name),
              .doing = std::string(command.verb->doing),
              .done = std::string(command.verb->done)};
    // More than its guest may take, since the steps around that have their own limits.
    job.limit = command.seconds("timeout", std::chrono::seconds(120)) +
                command.seconds("powerdown-limit", std::chrono::seconds(0)) +
                std::chrono::seconds(180);
    job.only_waits = command.verb->name == "wait";
    job.ends_at_signal = job.only_waits || command.verb->name == "start";
    if (queues(command, name)) {
        job.doing = "waiting for Slurm";
        job.limit = std::chrono::hours(24 * 365);
        job.only_waits = job.ends_at_signal = true;
    }
    return job;
}

// Runs the verb for several VMs. Nothing if the command names only one, which the verb does itself.
std::optional<ExitCode> on_several(const CommandLine& command) {
    const auto [names, silence] = names_meant(command);
    if (names.empty()) {
        if (!silence.empty())
            throw LauncherError(silence);
        note("no VM runs");
        return ExitCode::done;
    }
    if (names.size() == 1 && !command.has("all"))
        return std::nullopt;
    // Ask here, once, since none of the jobs can ask.
    if (command.has("to-base") && !command.has("yes") && can_ask() &&
        !agreed("Going back to their bases gives up all that these " +
                std::to_string(names.size()) + " VMs have written, and their snapshots. Go on"))
        throw LauncherError("nothing was done");
    std::vector<ProgressTable::Row> rows;
    std::vector<VmJob> jobs;
    for (const std::string& name : names) {
        jobs.push_back(job_for(command, name, rows.size()));
        rows.push_back({.name = name, .text = "waiting"});
    }
    const bool starts = command.verb->name == "start" || command.verb->name == "restart";
    StopSignals stop;
    // The caller prints what each of them has said when all are done.
    ProgressTable table(std::move(rows), ProgressTable::Failures::told_by_caller);
    const JobsResult result = run_jobs(
        jobs, {.parallel = starts ? default_parallel() : static_cast<unsigned>(jobs.size()),
               .stop = &stop,
               .table = &table});
    for (size_t i = 0; i < jobs.size(); i++) {
        const JobResult& job = result.jobs[i];
        print(job.output);
        if (job.end == JobResult::End::failed)
            note(reasons(command, names[i], job));
        if (job.end == JobResult::End::not_begun)
            note(names[i] + ": not begun, since " + result.signal + " came");
    }
    if (!silence.empty())
        note(silence);
    if (result.failed.empty() && result.signal.empty())
        return silence.empty() ? ExitCode::done : ExitCode::failed;
    note(std::to_string(result.failed.size()) + " of " + std::to_string(jobs.size()) + " failed");
    return result.signal.empty() ? ExitCode::failed : code_of_signal(result.signal);
}

}  // namespace

std::vector<std::string> words_for(const CommandLine& command, const std::string& operand) {
    std::vector<std::string> words = {std::string(command.verb->name), operand};
    for (const VerbOption& option : command.grammar->options) {
        const std::string name(option.name);
        if (!command.has(name) || name == "all")
            continue;
        words.push_back("--" + name);
        if (!option.argument.empty())
            words.back().append("=").append(command.option(name));
    }
    for (const Setting& setting : command.settings)
        words.push_back("--" + setting.key + "=" + setting.value);
    return words;
}

ExitCode do_command(const CommandLine& command) {
    if (!command.verb->doing.empty())
        if (const auto done = on_several(command))
            return *done;
    // From here on: the command has only one VM.
    if (const auto done = done_on_slurm(command))
        return *done;
    // From here on: the VM is one of this host.
    return command.verb->run(command);
}

}  // namespace tapgate

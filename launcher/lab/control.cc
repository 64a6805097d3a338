// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/lab/control.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "launcher/base/child_process.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/image/base_image.h"
#include "launcher/image/removal.h"
#include "launcher/lab/jobs.h"
#include "launcher/lab/member_jobs.h"
#include "launcher/qemu/control.h"
#include "launcher/vm/file.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A template that has changed is read as a whole.
constexpr milliseconds reset_limit = std::chrono::hours(1);
// A guest that does not run any more is not waited for.
constexpr milliseconds address_limit = seconds(20);

// How long QEMUs that hang may take together.
constexpr milliseconds answers_limit = seconds(3);
constexpr milliseconds answer_limit = seconds(1);
constexpr milliseconds shortest_answer{50};

// What QEMU calls its guest's state; empty when it does not say so before the deadline.
std::string guest_state(const VmName& name, std::chrono::steady_clock::time_point deadline) {
    try {
        const milliseconds left(milliseconds_until(deadline));
        return guest_status(name, std::clamp(left, shortest_answer, answer_limit));
    } catch (const LauncherError&) {
        return {};
    }
}

bool is_clone(const VmName& name) {
    const VmSpec spec = load_vm_file(name).spec;
    return std::any_of(spec.disks.begin(), spec.disks.end(), [](const Disk& disk) {
        const auto record = read_base_record(disk.path.str());
        return record && !record->files.empty();
    });
}

}  // namespace

UniqueFd lock_labs() {
    // Lock the directory itself: a lock file would have to be kept forever.
    const std::string directory = runtime_directory();
    make_private_directory(directory);
    UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        fail_with_errno(shown(directory));
    if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (errno != EWOULDBLOCK)
        fail_with_errno(shown(directory));
    throw LauncherError("another `tapgate lab' of yours is at work; try again when it has ended");
}

void take_lab_down(const std::vector<LabMember>& members, const LabStop& stop) {
    const std::vector<std::string> names = names_of(members);
    std::vector<VmJob> jobs;
    for (size_t i = 0; i < members.size(); i++) {
        if (members[i].life == Life::off || !members[i].made)
            continue;
        VmJob job{
            .row = i,
            .words = {"stop", names[i], "--timeout=" + std::to_string(stop.limit.count() / 1000)},
            .doing = "powering down",
            .done = "is off",
            .limit = stop.limit + beyond_stop};
        if (stop.force)
            job.words.emplace_back("--force");
        jobs.push_back(std::move(job));
    }
    ProgressTable table(rows_of(members));
    const JobsResult result =
        run_jobs(jobs, {.parallel = static_cast<unsigned>(jobs.size()), .table = &table});
    if (!result.failed.empty())
        throw LauncherError(std::to_string(result.failed.size()) + " of " +
                            std::to_string(jobs.size()) + " VMs did not end; " +
                            first_reason(result, jobs, names));
}

std::vector<LabMember> running_members(const Lab& lab) {
    const std::vector<LabMember> members = lab_members(lab);
    std::vector<LabMember> running;
    std::copy_if(members.begin(), members.end(), std::back_inserter(running),
                 [](const LabMember& one) { return one.life == Life::running; });
    if (running.empty())
        throw LauncherError("no VM of the lab " + lab.name.str() +
                            " runs; start them with: tapgate lab up " + shell_word(lab.path));
    return running;
}

LabAnswers ask_lab(const Lab& lab, const std::string& doing, const std::string& done,
                   const std::function<std::vector<std::string>(const VmName& name)>& words) {
    constexpr milliseconds limit = std::chrono::hours(24);
    const std::vector<LabMember> running = running_members(lab);
    std::vector<VmJob> jobs;
    for (const LabMember& member : running)
        jobs.push_back({.row = jobs.size(),
                        .words = words(member.name),
                        .doing = doing,
                        .done = done,
                        .limit = limit,
                        .only_waits = true,
                        .ends_at_signal = true});
    StopSignals stop;
    ProgressTable table(rows_of(running), ProgressTable::Failures::told_by_caller);
    const JobsResult result = run_jobs(jobs, {.stop = &stop, .table = &table});
    LabAnswers answers{.all = {}, .signal = result.signal};
    for (size_t i = 0; i < running.size(); i++) {
        const JobResult& job = result.jobs[i];
        LabAnswer& answer = answers.all.emplace_back(LabAnswer{
            .name = running[i].name,
            .failed = job.end != JobResult::End::succeeded,
            .output = job.output,
            .errors = job.errors,
        });
        if (answer.failed && answer.errors.empty() && !job.notes.empty())
            answer.errors = job.notes.back() + "\n";
    }
    return answers;
}

std::string lab_removal_text(const std::vector<LabMember>& members) {
    std::string text;
    for (const LabMember& member : members)
        if (member.made)
            text += plan_removal(member.name, OwnImages::go).text();
    return text;
}

void reset_lab(const std::vector<LabMember>& members, bool force) {
    const std::vector<std::string> names = names_of(members);
    std::vector<VmJob> jobs;
    for (size_t i = 0; i < members.size(); i++) {
        if (!members[i].made || !is_clone(members[i].name))
            continue;
        if (members[i].life != Life::off && members[i].life != Life::crashed && !force)
            throw LauncherError(names[i] + " is " + members[i].state_text() +
                                "; power the lab down first, with tapgate lab down, or cut its "
                                "power with --force");
        VmJob job{.row = i,
                  .words = {"reset", "--to-base", names[i]},
                  .doing = "going back to its base",
                  .done = "is as its base is",
                  .limit = reset_limit};
        if (force)
            job.words.emplace_back("--force");
        jobs.push_back(std::move(job));
    }
    if (jobs.empty())
        throw LauncherError(
            "no VM of the lab is made of a template: there is nothing to go back "
            "to");
    ProgressTable table(rows_of(members));
    const JobsResult result = run_jobs(jobs, {.parallel = default_parallel(), .table = &table});
    if (!result.failed.empty())
        throw LauncherError(std::to_string(result.failed.size()) + " of " +
                            std::to_string(jobs.size()) + " VMs are not as their base is; " +
                            first_reason(result, jobs, names));
}

void remove_lab(const std::vector<LabMember>& members) {
    std::string wrong;
    std::set<std::string> notes;
    for (const LabMember& member : members) {
        if (!member.made)
            continue;
        try {
            for (std::string& text :
                 remove_vm(member.name, plan_removal(member.name, OwnImages::go)))
                notes.insert(std::move(text));
        } catch (const LauncherError& error) {
            wrong += "\n" + member.name.str() + ": " + error.what();
        }
    }
    for (const std::string& text : notes)
        note(text);
    if (!wrong.empty())
        throw LauncherError("not everything could be removed:" + wrong);
}

std::vector<LabVmStatus> lab_status(const std::vector<LabMember>& members) {
    std::vector<LabVmStatus> all;
    std::vector<VmJob> jobs;
    const auto deadline = std::chrono::steady_clock::now() + answers_limit;
    for (size_t i = 0; i < members.size(); i++) {
        const LabMember& member = members[i];
        LabVmStatus& status = all.emplace_back(LabVmStatus{.name = member.name,
                                                           .life = member.life,
                                                           .state = member.state_text(),
                                                           .made = member.made,
                                                           .planned = member.planned.has_value()});
        try {
            // A VM that is not made yet may get its template's.
            if (member.made)
                status.memory = load_vm(member.name, {}).spec.memory.mebibytes();
            else if (std::any_of(member.planned->settings.begin(), member.planned->settings.end(),
                                 [](const Setting& one) { return one.key == "memory"; }))
                status.memory = describe_lab_vm(*member.planned).spec.memory.mebibytes();
        } catch (const LauncherError&) {
            // Its other columns are known nevertheless.
        }
        if (member.life != Life::running)
            continue;
        if (member.job) {
            status.node = member.job->node;
            status.up = member.job->up;
        } else {
            if (const auto record = read_run_record(member.name))
                status.started = record->started;
            status.guest = guest_state(member.name, deadline);
        }
        jobs.push_back({.row = i,
                        .words = {"ip", "--json", member.name.str()},
                        .doing = {},
                        .done = {},
                        .limit = address_limit});
    }
    const JobsResult result = run_jobs(jobs, {.parallel = static_cast<unsigned>(jobs.size())});
    for (size_t i = 0; i < jobs.size(); i++) {
        // A guest without an address is listed too.
        const auto adapters = nlohmann::json::parse(result.jobs[i].output, nullptr, false);
        for (const auto& adapter : adapters.is_array() ? adapters : nlohmann::json::array())
            for (const auto& one : adapter.value("addresses", nlohmann::json::array())) {
                const std::string port =
                    one.contains("port") ? " port " + one.at("port").dump() : "";
                all[jobs[i].row].addresses.push_back(shown(one.value("address", "")) + port);
            }
    }
    return all;
}

}  // namespace tapgate

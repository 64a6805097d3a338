// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/lab/control.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/text.h"
#include "launcher/doctor/facts.h"
#include "launcher/image/base_image.h"
#include "launcher/image/clone.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/removal.h"
#include "launcher/lab/jobs.h"
#include "launcher/network/helper_client.h"
#include "launcher/qemu/argv.h"
#include "launcher/qemu/machine_version.h"
#include "launcher/run/host.h"
#include "launcher/vm/file.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = ProgressTable::Clock;
using State = ProgressTable::State;

// More than the commands themselves allow: `start` 125 s, `kill` 10 s.
constexpr milliseconds start_limit = seconds(150);
constexpr milliseconds kill_limit = seconds(60);
constexpr milliseconds beyond_wait = seconds(60);
constexpr milliseconds beyond_stop = seconds(60);
// A template that has changed is read again.
constexpr milliseconds reset_limit = std::chrono::hours(1);
// A guest that does not run any more is not asked.
constexpr milliseconds address_limit = seconds(20);
// For the guests of VMs that were there before, when what was started has to end again.
constexpr int rollback_seconds = 30;

// What a new overlay may become before anybody looks again, in MiB.
constexpr std::uint64_t room_of_overlay = 16;

std::vector<std::string> names_of(const std::vector<LabMember>& members) {
    std::vector<std::string> names;
    names.reserve(members.size());
    for (const LabMember& member : members)
        names.push_back(member.name.str());
    return names;
}

std::string own_data_directory(const VmName& name) {
    return data_directory() + "/" + name.str();
}

// The reason of the first failure, behind the VM's name.
std::string first_reason(const JobsResult& result, const std::vector<VmJob>& jobs,
                         const std::vector<std::string>& names) {
    const size_t first = result.failed.front();
    return names.at(jobs[first].row) + ": " + result.jobs[first].notes.back();
}

std::vector<ProgressTable::Row> rows_of(const std::vector<LabMember>& members) {
    std::vector<ProgressTable::Row> rows;
    rows.reserve(members.size());
    for (const LabMember& member : members)
        rows.push_back({.name = member.name.str(),
                        .text = member.made ? std::string(name_of(member.life)) : "not made",
                        .state = State::waiting});
    return rows;
}

// A start is QEMU's and the kernel's work, and hardly a wait.
unsigned default_parallel() {
    return std::max(2U, std::thread::hardware_concurrency());
}

bool is_clone(const VmName& name) {
    const VmSpec spec = load_vm_file(name).spec;
    return std::any_of(spec.disks.begin(), spec.disks.end(), [](const Disk& disk) {
        const auto record = read_base_record(disk.path.str());
        return record && !record->files.empty();
    });
}

// ---- up

class Up {
  public:
    Up(const Lab& lab, LabStart options) : lab_(lab), options_(std::move(options)) {
        for (LabMember& member : lab_members(lab)) {
            if (member.planned)
                members_.push_back(std::move(member));
            else
                note(member.name.str() + " is of an earlier form of " + shown(lab.path) +
                     "; it stays until tapgate lab destroy");
        }
    }

    void run() {
        check();
        // From here on: nothing is known that could be in the way.
        // Who reads what is told here may be gone before it is undone.
        std::signal(SIGPIPE, SIG_IGN);
        stop_.emplace();
        table_.emplace(rows_of(members_));
        try {
            make();
            start();
        } catch (const LauncherError& error) {
            undo(error.what(), error.code());
        } catch (const std::exception& error) {
            undo(error.what(), ExitCode::failed);
        }
    }

  private:
    [[nodiscard]] bool runs(size_t i) const { return members_[i].life == Life::running; }

    [[nodiscard]] bool is_made_now(size_t i) const {
        return std::find(made_.begin(), made_.end(), i) != made_.end();
    }

    // One that stays when the VM goes, so that its guest must not lose its power.
    [[nodiscard]] bool has_own_disk(size_t i) const {
        const auto& settings = members_[i].planned->settings;
        return std::any_of(settings.begin(), settings.end(),
                           [](const Setting& setting) { return setting.key == "disk"; });
    }

    [[nodiscard]] const LabSection& section_of(size_t i) const {
        return lab_.sections.at(members_[i].planned->section);
    }

    void check() {
        std::vector<VmSpec> all;
        std::vector<VmSpec> starting;
        std::set<std::string> bases;
        std::uint64_t overlays = 0;
        std::vector<std::string> outdated;
        for (size_t i = 0; i < members_.size(); i++) {
            const LabMember& member = members_[i];
            if (member.life == Life::starting || member.life == Life::stopping)
                throw LauncherError(member.name.str() + " is " + std::string(name_of(member.life)) +
                                    " just now; try again when that is over");
            if (!member.made && runs(i))
                throw LauncherError(member.name.str() +
                                    " runs, and has no VM file; end it first, with: tapgate stop " +
                                    member.name.str());
            const LabSection& section = section_of(i);
            if (!member.made)
                check_new(member.name);
            else if (!is_as_planned(member))
                outdated.push_back(member.name.str());
            if (!member.made && section.base) {
                if (bases.insert(section.base->str()).second)
                    check_base(section);
                overlays++;
            }
            VmSpec spec = member.made    ? load_vm(member.name, {}).spec
                          : section.base ? clone_spec(member, section)
                                         : describe_lab_vm(*member.planned).spec;
            if (!runs(i)) {
                check_startable(spec);
                starting.push_back(spec);
            }
            all.push_back(std::move(spec));
        }
        check_lab_conflicts(all);
        LabFacts facts{
            .memory_available = memory_available(), .network = host_network(), .user = getuid()};
        for (const std::string& bridge : lab_bridges(starting))
            facts.verdicts.emplace(bridge, policy_verdict(helper_path(options_.helper), bridge));
        check_lab_room(starting, facts);
        const DiskFacts disk = data_disk();
        if (overlays * room_of_overlay > disk.free_mebibytes)
            throw LauncherError("disk: " + shown(disk.path) + " has " +
                                std::to_string(disk.free_mebibytes) + " MiB left, and " +
                                std::to_string(overlays) + " VMs to make need " +
                                std::to_string(room_of_overlay) + " MiB each to begin with");
        if (!outdated.empty())
            note(std::to_string(outdated.size()) + " VMs (" + outdated.front() +
                 (outdated.size() > 1 ? ", ..." : "") + ") are not as " + shown(lab_.path) +
                 " has them: they were made before, or edited, and stay as they are until tapgate "
                 "lab destroy");
    }

    // What is in the directory would go with the VM when that is rolled back or destroyed.
    static void check_new(const VmName& name) {
        const std::string directory = own_data_directory(name);
        std::error_code error;
        if (std::filesystem::exists(directory, error) &&
            !std::filesystem::is_empty(directory, error))
            throw LauncherError(shown(directory) +
                                " holds the files of an earlier VM: move or remove them");
    }

    // Are the lines that the lab's file gives it in the VM's?
    static bool is_as_planned(const LabMember& member) {
        const std::string file = "\n" + read_file(vm_file_path(member.name)).value_or("");
        std::istringstream planned(vm_file_text(member.name, member.planned->settings));
        for (std::string line; std::getline(planned, line);) {
            // A machine's version is written down when the VM is made.
            if (!line.starts_with('#') && !line.starts_with("machine =") &&
                file.find("\n" + line + "\n") == std::string::npos)
                return false;
        }
        return true;
    }

    static void check_base(const LabSection& section) {
        const VmName& base = section.base.value();
        if (!has_vm_file(base))
            throw wrong_setting(section.base_place, "no VM is called " + base.str() +
                                                        "; make one with: tapgate create, or "
                                                        "tapgate import");
        if (vm_state(base).qemu != 0)
            throw LauncherError("the template " + base.str() +
                                " runs; end it first, with: tapgate stop " + base.str());
    }

    // The VM as cloning is going to describe it, but for its disks: those are the template's, which
    // a clone only reads.
    static VmSpec clone_spec(const LabMember& member, const LabSection& section) {
        std::vector<Setting> settings = member.planned->settings;
        bool own_nets = false;
        for (const Setting& setting : settings)
            own_nets = own_nets || setting.key == "net";
        for (const Setting& setting : load_vm_file(section.base.value()).settings)
            if (setting.source != Setting::Source::built_in &&
                std::none_of(member.planned->settings.begin(), member.planned->settings.end(),
                             [&](const Setting& one) { return one.key == setting.key; }))
                settings.push_back(setting);
        VmSpec spec = describe_unfiled_vm(member.name, settings).spec;
        spec.snapshot = true;
        for (Net& net : spec.nets)
            if (!own_nets)
                net.mac.reset();
        return spec;
    }

    void check_startable(const VmSpec& spec) const {
        try {
            qemu_argv(spec, host_facts(spec, options_.helper), planned_fds(spec, false));
            refuse_written_base(spec);
            check_images(spec);
            check_bases(spec);
        } catch (const LauncherError& error) {
            throw LauncherError(spec.name.str() + ": " + error.what(), error.code());
        }
    }

    void make() {
        for (size_t i = 0; i < members_.size(); i++) {
            if (members_[i].made)
                continue;
            table_->set(i, State::busy, "being made", Clock::now());
            try {
                make(i);
            } catch (const LauncherError& error) {
                table_->set(i, State::failed, std::string("failed: ") + error.what(), Clock::now());
                throw LauncherError(members_[i].name.str() + ": " + error.what(), error.code());
            }
            // Only now: what stands in its way is not ours to remove.
            made_.push_back(i);
            table_->set(i, State::waiting, "made", Clock::now());
            if (const std::string signal = stop_->take(); !signal.empty())
                throw LauncherError(signal);
        }
    }

    void make(size_t i) {
        const VmName& name = members_[i].name;
        const std::vector<Setting>& settings = members_[i].planned->settings;
        const std::string heading = lab_mark(lab_.name) + "\n";
        if (const auto& base = section_of(i).base) {
            const auto progress = [&](double percent) {
                table_->set(i, State::busy,
                            "being made, " + std::to_string(static_cast<int>(percent)) +
                                "% of its template read",
                            Clock::now());
            };
            for (std::string& text : clone_vm(*base, name, settings, progress, heading))
                notes_.insert(std::move(text));
            return;
        }
        const std::string path = vm_file_path(name);
        const MachineType machine = describe_vm(name, settings).spec.machine;
        write_new_file(path, heading + vm_file_text(name, with_machine_version(settings, machine)),
                       shown(path) + ": there is a VM of this name already");
    }

    void start() {
        std::map<size_t, std::vector<size_t>> starts;  // the jobs of a section
        std::map<std::pair<size_t, std::string>, std::vector<size_t>> waits;  // and of a goal
        std::vector<VmJob> jobs;
        for (size_t i = 0; i < members_.size(); i++) {
            if (runs(i))
                continue;
            std::vector<std::string> words{"start", members_[i].name.str()};
            if (!options_.helper.empty())
                words.push_back("--helper=" + options_.helper);
            starts[members_[i].planned->section].push_back(jobs.size());
            jobs.push_back({.row = i,
                            .words = std::move(words),
                            .doing = "starting",
                            .done = "runs",
                            .limit = start_limit});
        }
        for (const LabSection& section : lab_.sections)
            for (const LabDependency& after : section.after)
                add_waits(after, starts, waits, jobs);
        for (VmJob& job : jobs)
            if (!job.only_waits)
                for (const LabDependency& after : section_of(job.row).after) {
                    const auto& before = after.goal == "running"
                                             ? starts[after.section]
                                             : waits[std::pair(after.section, after.goal)];
                    job.after.insert(job.after.end(), before.begin(), before.end());
                }
        const unsigned parallel = lab_.parallel.value_or(default_parallel());
        const JobsResult result = run_jobs(
            jobs,
            {.parallel = parallel, .stop_at_failure = true, .stop = &*stop_, .table = &*table_});
        // A start that failed because somebody else's came first has started nothing.
        for (size_t i = 0; i < jobs.size(); i++)
            if (!jobs[i].only_waits &&
                (result.jobs[i].end == JobResult::End::succeeded ||
                 (result.jobs[i].end == JobResult::End::failed && is_made_now(jobs[i].row))))
                started_.push_back(jobs[i].row);
        if (!result.failed.empty())
            throw LauncherError(
                first_reason(result, jobs, names_of(members_)),
                static_cast<ExitCode>(result.jobs[result.failed.front()].exit_code));
        if (!result.signal.empty())
            throw LauncherError(result.signal);
        for (size_t i = 0; i < jobs.size(); i++)
            for (const std::string& text : result.jobs[i].notes)
                // What ends in dots was progress.
                if (!jobs[i].only_waits && !text.ends_with("..."))
                    notes_.insert(text);
        for (const std::string& text : notes_)
            note(text);
    }

    // Each VM of the section is waited for once, whoever else waits for it.
    void add_waits(const LabDependency& after, const std::map<size_t, std::vector<size_t>>& starts,
                   std::map<std::pair<size_t, std::string>, std::vector<size_t>>& waits,
                   std::vector<VmJob>& jobs) const {
        if (after.goal == "running" || waits.contains({after.section, after.goal}))
            return;
        auto& of_goal = waits[{after.section, after.goal}];
        for (size_t i = 0; i < members_.size(); i++) {
            if (members_[i].planned->section != after.section)
                continue;
            VmJob job{.row = i,
                      .words = {"wait", members_[i].name.str(), "--for=" + after.goal,
                                "--timeout=" + std::to_string(options_.ready.count() / 1000)},
                      .doing = "runs, waiting for " + after.goal,
                      .done = "runs, " + after.goal + " is there",
                      .limit = options_.ready + beyond_wait,
                      .only_waits = true};
            if (const auto found = starts.find(after.section); found != starts.end())
                for (const size_t start : found->second)
                    if (jobs[start].row == i)
                        job.after.push_back(start);
            of_goal.push_back(jobs.size());
            jobs.push_back(std::move(job));
        }
    }

    [[noreturn]] void undo(const std::string& reason, ExitCode code) {
        const std::string left = roll_back();
        throw LauncherError("the lab " + lab_.name.str() + " does not start: " + reason + left,
                            code);
    }

    // What is to be told of it, behind the reason.
    std::string roll_back() {
        std::string left;
        std::vector<VmJob> jobs;
        for (const size_t i : started_) {
            const std::string name = members_[i].name.str();
            const bool cut_power = is_made_now(i) && !has_own_disk(i);
            jobs.push_back(
                {.row = i,
                 .words = cut_power
                              ? std::vector<std::string>{"kill", name}
                              : std::vector<std::string>{"stop", "--force", name,
                                                         "--timeout=" +
                                                             std::to_string(rollback_seconds)},
                 .doing = "stopping again",
                 .done = "is off again",
                 .limit = cut_power ? kill_limit : seconds(rollback_seconds) + beyond_stop});
        }
        const JobsResult result =
            run_jobs(jobs, {.parallel = static_cast<unsigned>(jobs.size()), .table = &*table_});
        for (const size_t failed : result.failed)
            left += "\n" + members_[jobs[failed].row].name.str() +
                    " could not be ended: " + result.jobs[failed].notes.back();
        for (const size_t i : made_) {
            const VmName& name = members_[i].name;
            try {
                remove_vm(name, plan_removal(name, true));
                table_->set(i, State::waiting, "not made", Clock::now());
            } catch (const LauncherError& error) {
                left += "\n" + name.str() + " could not be removed: " + error.what();
            }
        }
        if (left.empty() && !(started_.empty() && made_.empty()))
            left = "; what was made and started for it is gone again";
        return left;
    }

    const Lab& lab_;
    LabStart options_;
    std::vector<LabMember> members_;  // those of the file
    std::optional<StopSignals> stop_;
    std::optional<ProgressTable> table_;
    std::vector<size_t> made_;
    std::vector<size_t> started_;
    std::set<std::string> notes_;  // of cloning and starting, each once
};

}  // namespace

UniqueFd lock_labs() {
    // The directory itself: a file for it would have to be kept for ever.
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

void bring_lab_up(const Lab& lab, const LabStart& options) {
    Up(lab, options).run();
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

std::string lab_removal_text(const std::vector<LabMember>& members) {
    std::string text;
    for (const LabMember& member : members)
        if (member.made)
            text += plan_removal(member.name, true).text();
    return text;
}

void reset_lab(const std::vector<LabMember>& members, bool force) {
    const std::vector<std::string> names = names_of(members);
    std::vector<VmJob> jobs;
    for (size_t i = 0; i < members.size(); i++) {
        if (!members[i].made || !is_clone(members[i].name))
            continue;
        if (members[i].life != Life::off && members[i].life != Life::crashed && !force)
            throw LauncherError(names[i] + " is " + std::string(name_of(members[i].life)) +
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
            for (std::string& text : remove_vm(member.name, plan_removal(member.name, true)))
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
    for (size_t i = 0; i < members.size(); i++) {
        const LabMember& member = members[i];
        LabVmStatus& status = all.emplace_back(LabVmStatus{.name = member.name,
                                                           .life = member.life,
                                                           .made = member.made,
                                                           .planned = member.planned.has_value()});
        try {
            // One that is not made yet may have its template's.
            if (member.made)
                status.memory = load_vm(member.name, {}).spec.memory.mebibytes();
            else if (std::any_of(member.planned->settings.begin(), member.planned->settings.end(),
                                 [](const Setting& one) { return one.key == "memory"; }))
                status.memory = describe_lab_vm(*member.planned).spec.memory.mebibytes();
        } catch (const LauncherError&) {
            // Its other columns are known all the same.
        }
        if (member.life != Life::running)
            continue;
        if (const auto record = read_run_record(member.name))
            status.started = record->started;
        jobs.push_back({.row = i,
                        .words = {"ip", "--json", member.name.str()},
                        .doing = {},
                        .done = {},
                        .limit = address_limit});
    }
    const JobsResult result = run_jobs(jobs, {.parallel = static_cast<unsigned>(jobs.size())});
    for (size_t i = 0; i < jobs.size(); i++) {
        // A guest without an address is told of as well.
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

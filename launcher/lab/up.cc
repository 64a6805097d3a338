// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/lab/up.h"

#include <algorithm>
#include <csignal>
#include <exception>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/text.h"
#include "launcher/image/clone.h"
#include "launcher/image/removal.h"
#include "launcher/lab/jobs.h"
#include "launcher/lab/member_jobs.h"
#include "launcher/lab/plan.h"
#include "launcher/lab/start_check.h"
#include "launcher/qemu/machine_version.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"

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
// When what was started has to end again: for the guests of VMs that existed before.
constexpr int rollback_seconds = 30;

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
        check_lab_start(lab_, members_, options_.helper);
        // From here on: as far as is known, nothing is in the way.
        // Whoever reads our output may go away before everything is undone.
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

    // Whether the VM has a disk that stays when the VM goes, so that its guest must not lose its
    // power.
    [[nodiscard]] bool has_own_disk(size_t i) const {
        const auto& settings = members_[i].planned->settings;
        return std::any_of(settings.begin(), settings.end(),
                           [](const Setting& setting) { return setting.key == "disk"; });
    }

    [[nodiscard]] const LabSection& section_of(size_t i) const {
        return lab_.sections.at(members_[i].planned->section);
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
            // Only now: what is in the way before is not ours to remove.
            made_.push_back(i);
            table_->set(i, State::waiting, "made", Clock::now());
            if (const std::string signal = stop_->take(); !signal.empty())
                throw LauncherError(signal, code_of_signal(signal));
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
        const MachineType machine = describe_vm(name, settings).spec.machine;
        write_new_vm_file(name,
                          heading + vm_file_text(name, with_machine_version(settings, machine)));
    }

    void start() {
        std::map<size_t, std::vector<size_t>> starts;                         // the jobs by section
        std::map<std::pair<size_t, std::string>, std::vector<size_t>> waits;  // by section and goal
        std::vector<VmJob> jobs;
        for (size_t i = 0; i < members_.size(); i++) {
            if (runs(i))
                continue;
            std::vector<std::string> words{"start", members_[i].name.str()};
            if (!options_.helper.empty())
                words.push_back("--helper=" + options_.helper);
            const bool on_slurm = members_[i].on_slurm;
            if (on_slurm)
                words.push_back("--timeout=" + std::to_string(options_.ready.count() / 1000));
            starts[members_[i].planned->section].push_back(jobs.size());
            jobs.push_back({.row = i,
                            .words = std::move(words),
                            .doing = on_slurm ? "waiting for Slurm" : "starting",
                            .done = "runs",
                            .limit = start_limit + (on_slurm ? options_.ready : milliseconds(0)),
                            // All go into the queue at once, and a signal removes them from it.
                            .only_waits = on_slurm,
                            .ends_at_signal = on_slurm});
        }
        for (const LabSection& section : lab_.sections)
            for (const LabDependency& after : section.after)
                add_waits(after, starts, waits, jobs);
        for (VmJob& job : jobs)
            if (job.words.front() == "start")
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
            if (jobs[i].words.front() == "start" &&
                (result.jobs[i].end == JobResult::End::succeeded ||
                 (result.jobs[i].end == JobResult::End::failed && is_made_now(jobs[i].row))))
                started_.push_back(jobs[i].row);
        if (!result.failed.empty())
            throw LauncherError(
                first_reason(result, jobs, names_of(members_)),
                static_cast<ExitCode>(result.jobs[result.failed.front()].exit_code));
        if (!result.signal.empty())
            throw LauncherError(result.signal, code_of_signal(result.signal));
        for (size_t i = 0; i < jobs.size(); i++)
            for (const std::string& text : result.jobs[i].notes)
                // A note that ends in dots only showed progress.
                if (jobs[i].words.front() == "start" && !text.ends_with("..."))
                    notes_.insert(text);
        for (const std::string& text : notes_)
            note(text);
    }

    // Each VM of the section is waited for only once, however many sections wait for it.
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

    // Undoes everything. Returns what to say about that, after the reason.
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
                remove_vm(name, plan_removal(name, OwnImages::go));
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
    std::vector<LabMember> members_;  // those in the file
    std::optional<StopSignals> stop_;
    std::optional<ProgressTable> table_;
    std::vector<size_t> made_;
    std::vector<size_t> started_;
    std::set<std::string> notes_;  // from cloning and starting, each once
};

}  // namespace

void bring_lab_up(const Lab& lab, const LabStart& options) {
    Up(lab, options).run();
}

}  // namespace tapgate

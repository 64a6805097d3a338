// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/lab/jobs.h"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <utility>

#include "common/unique_fd.h"
#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/base/program.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

using Clock = ProgressTable::Clock;
using End = JobResult::End;
using State = ProgressTable::State;
using std::chrono::milliseconds;

// An unnamed file for output. Not a pipe: its reader would wait for a supervisor that lives on and
// keeps it open.
UniqueFd memory_file() {
    UniqueFd file(memfd_create("tapgate", MFD_CLOEXEC));
    if (!file)
        fail_with_errno("memfd_create");
    return file;
}

std::string content_of(const UniqueFd& file) {
    std::string text;
    std::array<char, 65536> buffer{};
    ssize_t got = 0;
    while ((got = pread(file.get(), buffer.data(), buffer.size(),
                        static_cast<off_t>(text.size()))) > 0)
        text.append(buffer.data(), static_cast<size_t>(got));
    return text;
}

class Runner {
  public:
    Runner(const std::vector<VmJob>& jobs, const JobOptions& options)
        : jobs_(jobs), options_(options), self_(own_program()) {
        result_.jobs.resize(jobs.size());
    }

    JobsResult run() {
        for (;;) {
            begin_what_can();
            if (running_.empty())
                break;
            wait_for_an_end();
        }
        return std::move(result_);
    }

  private:
    struct Running {
        size_t job;
        std::unique_ptr<ChildProcess> process;
        UniqueFd output;
        UniqueFd errors;
        Clock::time_point deadline;
        bool told = false;  // it was told to end
    };

    [[nodiscard]] bool can_begin(size_t index) const {
        const VmJob& job = jobs_[index];
        return result_.jobs[index].end == End::not_begun && !is_running(index) &&
               std::all_of(job.after.begin(), job.after.end(), [&](size_t before) {
                   return result_.jobs[before].end == End::succeeded;
               });
    }

    [[nodiscard]] bool is_running(size_t index) const {
        return std::any_of(running_.begin(), running_.end(),
                           [&](const Running& one) { return one.job == index; });
    }

    void begin_what_can() {
        if (!result_.signal.empty() || (options_.stop_at_failure && !result_.failed.empty()))
            return;
        auto working = std::count_if(running_.begin(), running_.end(), [&](const Running& one) {
            return !jobs_[one.job].only_waits;
        });
        for (size_t i = 0; i < jobs_.size(); i++) {
            const bool waits = jobs_[i].only_waits;
            if ((!waits && working >= static_cast<std::ptrdiff_t>(options_.parallel)) ||
                !can_begin(i))
                continue;
            begin(i);
            working += waits ? 0 : 1;
        }
    }

    void begin(size_t index) {
        const VmJob& job = jobs_[index];
        std::vector<std::string> argv{self_};
        argv.insert(argv.end(), job.words.begin(), job.words.end());
        try {
            Running one{.job = index,
                        .process = nullptr,
                        .output = memory_file(),
                        .errors = memory_file(),
                        .deadline = Clock::now() + job.limit};
            one.process = std::make_unique<ChildProcess>(Launch{.program = self_,
                                                                .argv = std::move(argv),
                                                                .output = one.output.get(),
                                                                .errors = one.errors.get()});
            running_.push_back(std::move(one));
        } catch (const LauncherError& error) {
            // The other jobs must be waited for all the same.
            fail(index, error.what());
            return;
        }
        show(job.row, State::busy, job.doing);
    }

    void fail(size_t index, const std::string& why) {
        result_.jobs[index].end = End::failed;
        result_.jobs[index].exit_code = static_cast<int>(ExitCode::failed);
        result_.jobs[index].notes.push_back(why);
        result_.failed.push_back(index);
        show(jobs_[index].row, State::failed, "failed: " + without_name(jobs_[index], why));
    }

    // The reason without the VM's name, with which many errors begin: it is in the row.
    static std::string without_name(const VmJob& job, const std::string& why) {
        const std::string name = job.words.size() > 1 ? job.words[1] + ": " : "";
        return why.starts_with(name) ? why.substr(name.size()) : why;
    }

    void wait_for_an_end() {
        std::vector<pollfd> fds;
        fds.push_back({options_.stop != nullptr ? options_.stop->fd() : -1, POLLIN, 0});
        for (const Running& one : running_)
            fds.push_back({one.process->pidfd(), POLLIN, 0});
        constexpr int second = 1000;
        if (poll(fds.data(), fds.size(), second) < 0 && errno != EINTR)
            fail_with_errno("poll");
        if (options_.stop != nullptr)
            if (std::string signal = options_.stop->take(); !signal.empty())
                result_.signal = std::move(signal);
        if (!result_.signal.empty() || (options_.stop_at_failure && !result_.failed.empty()))
            end_those_that_wait();
        const auto now = Clock::now();
        for (size_t i = 0; i < running_.size();) {
            if (reaped(running_[i], now))
                running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
            else
                i++;
        }
        if (options_.table != nullptr)
            options_.table->tick(now);
    }

    // Tells each such job only once.
    void end_those_that_wait() {
        for (Running& one : running_)
            if (jobs_[one.job].ends_at_signal && !std::exchange(one.told, true))
                kill(one.process->pid(), SIGTERM);
    }

    // Whether it has ended.
    bool reaped(Running& one, Clock::time_point now) {
        const VmJob& job = jobs_[one.job];
        JobResult& result = result_.jobs[one.job];
        const auto end = one.process->wait(milliseconds(0));
        if (!end && now < one.deadline)
            return false;
        result.output = content_of(one.output);
        result.errors = content_of(one.errors);
        result.notes = notes_in(result.errors);
        if (end && end->in_order()) {
            result.end = End::succeeded;
            show(job.row, State::done, job.done);
            return true;
        }
        std::string why = "tapgate " + job.words.front();
        if (!end) {
            why += " took longer than " + std::to_string(job.limit.count() / 1000) +
                   " s, and was killed";
        } else if (!result.notes.empty()) {
            why = result.notes.back();
            result.notes.pop_back();
        } else {
            why += " ended with " + end->text();
        }
        fail(one.job, why);
        result.exit_code =
            (end ? end->exit_code() : std::nullopt).value_or(static_cast<int>(ExitCode::failed));
        return true;
    }

    void show(size_t row, State state, const std::string& text) const {
        if (options_.table != nullptr)
            options_.table->set(row, state, text, Clock::now());
    }

    const std::vector<VmJob>& jobs_;
    JobOptions options_;
    std::string self_;
    std::vector<Running> running_;
    JobsResult result_;
};

}  // namespace

JobsResult run_jobs(const std::vector<VmJob>& jobs, const JobOptions& options) {
    return Runner(jobs, options).run();
}

std::vector<std::string> notes_in(std::string_view errors) {
    constexpr std::string_view prefix = "tapgate: ";
    std::vector<std::string> notes;
    while (!errors.empty()) {
        const size_t end = errors.find('\n');
        // ssh(1) ends its lines with \r\n.
        const std::string_view line = trimmed(errors.substr(0, end), "\r");
        errors.remove_prefix(end == std::string_view::npos ? errors.size() : end + 1);
        if (line.starts_with(prefix))
            notes.emplace_back(line.substr(prefix.size()));
        else if (!notes.empty())
            notes.back().append("\n").append(line);
        else if (!line.empty())
            notes.emplace_back(line);
    }
    for (std::string& one : notes)
        one = terminal_text(one);
    return notes;
}

}  // namespace tapgate

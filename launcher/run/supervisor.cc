// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/host_resources.h"
#include "launcher/base/memory.h"
#include "launcher/base/output.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/base/unix_socket.h"
#include "launcher/qemu/qmp_client.h"
#include "launcher/run/console.h"
#include "launcher/run/console_log.h"
#include "launcher/run/ending.h"
#include "launcher/run/host.h"
#include "launcher/run/process.h"
#include "launcher/run/share_servers.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using Clock = std::chrono::steady_clock;
using Step = PowerDown::Step;
using std::chrono::milliseconds;

// For QEMU itself, from exec to its guest's first instruction: this takes 0.1 s, or more if it has
// to read a snapshot or to touch a lot of memory.
constexpr milliseconds start_limit{60000};
// The same, once somebody wants it to end.
constexpr milliseconds hurried_start_limit{5000};
// For `tapgate stop` in a job, so that it can see the end.
constexpr milliseconds farewell{500};
// A guest writes a few MB in that time, at most.
constexpr milliseconds log_interval{15000};

class Supervisor {
  public:
    Supervisor(const VmSpec& spec, SuperviseOptions options)
        : spec_(spec),
          name_(spec.name),
          options_(std::move(options)),
          down_(options_.limits),
          background_(!options_.console) {}

    ExitCode run() {
        const HostFacts host = host_facts(spec_, options_.helper);
        // From here on: nobody else can start this VM.
        UniqueFd lock = lock_vm(name_);
        if (const VmState state = vm_state(name_); state.qemu != 0)
            throw LauncherError(name_.str() +
                                " is running already, without its supervisor (QEMU's "
                                "process is " +
                                std::to_string(state.qemu) + "); end it with: tapgate stop " +
                                name_.str());
        clear_vm_directory(name_);
        try {
            start(host);
        } catch (...) {
            qemu_.reset();
            shares_.reset();
            clear_vm_directory(name_);
            throw;
        }
        // From here on: the guest runs, and signals press its power button.
        tell_ready();
        const ProcessEnd end = watch();
        // What is not cleared is what `list` calls crashed.
        if (end.in_order())
            clear_vm_directory(name_);
        if (options_.console)
            return verdict(end);
        // This process's end ends the job, and so any step of it that waits for the VM's end.
        lock.reset();
        std::this_thread::sleep_for(farewell);
        return verdict(end);
    }

  private:
    void start(const HostFacts& host) {
        PreparedVm vm = prepare_vm(spec_, host, options_.plain_bridge);
        vm.record.words = options_.words;
        for (const std::string& text : options_.quiet ? std::vector<std::string>() : vm.notes)
            note(text);
        stop_.emplace();
        shares_.emplace(spec_, vm_directory(name_));
        qemu_ = start_qemu(name_, vm);
        // Now only QEMU has the taps, which go with it.
        vm.fds.clear();
        wait_until_running();
        shares_->close_sockets();
    }

    // QEMU answers QMP once everything is set up and its guest may run.
    void wait_until_running() {
        const auto begin = Clock::now();
        auto deadline = begin + start_limit;
        bool told = false;
        bool signalled = false;
        while (!answers()) {
            std::array<pollfd, 2> fds{pollfd{qemu_->pidfd(), POLLIN, 0},
                                      pollfd{signalled ? -1 : stop_->fd(), POLLIN, 0}};
            poll(fds.data(), fds.size(), 1);
            if (const auto end = qemu_->wait(milliseconds(0))) {
                if (memory_kills() > memory_kills_)
                    throw LauncherError(out_of_memory());
                if (const std::string failure = shares_->failure(); !failure.empty())
                    throw LauncherError(failure);
                throw LauncherError("QEMU does not start (" + end->text() +
                                    "): " + words(end->status));
            }
            const auto now = Clock::now();
            if (fds[1].revents != 0) {
                // The guest may run already, so here, too, its power button comes first.
                signalled = true;
                deadline = std::min(deadline, now + hurried_start_limit);
            }
            if (now > deadline)
                throw LauncherError(
                    "QEMU does not answer within " +
                    std::to_string(std::chrono::ceil<std::chrono::seconds>(now - begin).count()) +
                    " s, and was killed: " + words());
            if (!told && now - begin > milliseconds(1000)) {
                note("waiting for QEMU ...");
                told = true;
            }
        }
    }

    bool answers() {
        // Before QMP, so that nothing the guest says is missed: the console's socket exists before
        // QMP's.
        if (!options_.ready && !background_ && !socket_)
            socket_ = connect_unix(console_path(name_));
        try {
            return QmpClient::connect(qmp_path(name_), milliseconds(1000))
                .execute("query-status", nullptr, milliseconds(1000))
                .ok();
        } catch (const QmpError&) {
            return false;
        }
    }

    void tell_ready() {
        if (const std::string text = qemu_words(name_); !text.empty())
            note("QEMU says: " + text);
        if (!options_.ready) {
            if (background_)
                note(name_.str() + " runs");
            return;
        }
        const UniqueFd log(open(qemu_log_path(name_).c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
        if (log) {
            dup2(log.get(), STDOUT_FILENO);
            dup2(log.get(), STDERR_FILENO);
        }
        // Whoever waited for this may be gone.
        write_all(options_.ready.get(), "R");
        options_.ready.reset();
        background_ = true;
    }

    ProcessEnd watch() {
        const RawTerminal terminal(background_ ? -1 : STDIN_FILENO);
        if (!background_)
            console_.emplace(std::move(socket_), console_input(), STDOUT_FILENO);
        if (terminal.active())
            note(name_.str() + " runs; Ctrl-] powers it down");
        for (;;) {
            std::array<pollfd, 3 + Console::polls> fds{};
            fds[0] = {qemu_->pidfd(), POLLIN, 0};
            fds[1] = {stop_->fd(), POLLIN, 0};
            fds[2] = {shares_->fd(), POLLIN, 0};
            const Console::Polls wanted =
                console_ ? console_->wanted()
                         : Console::Polls{pollfd{-1, 0, 0}, pollfd{-1, 0, 0}, pollfd{-1, 0, 0}};
            std::copy(wanted.begin(), wanted.end(), fds.begin() + 3);
            const auto next = std::min(down_.next().value_or(log_check_), log_check_);
            if (poll(fds.data(), fds.size(), milliseconds_until(next)) < 0 && errno != EINTR)
                fail_with_errno("poll");
            if (fds[0].revents != 0) {
                if (const auto end = qemu_->wait(milliseconds(1000))) {
                    if (console_)
                        console_->drain();
                    return *end;
                }
            }
            if (fds[2].revents != 0) {
                for (const std::string& line : shares_->ended())
                    note(line);
            }
            if (const std::string signal = stop_->take(); !signal.empty()) {
                why_ = signal;
                take(down_.begin(Clock::now()));
            }
            if (console_) {
                Console::Polls ready{};
                std::copy(fds.begin() + 3, fds.end(), ready.begin());
                for (unsigned leaves = console_->carry(ready); leaves > 0; leaves--) {
                    why_ = "Ctrl-]";
                    take(down_.hurry(Clock::now()));
                }
            }
            take(down_.due(Clock::now()));
            if (Clock::now() >= log_check_)
                check_log();
        }
    }

    void check_log() {
        log_check_ = Clock::now() + log_interval;
        try {
            limit_console_log(name_);
        } catch (const LauncherError& error) {
            // That is no reason to leave the VM alone; but one report is enough.
            if (!std::exchange(log_fails_, true))
                note(error.what());
        }
    }

    void take(Step step) {
        switch (step) {
            case Step::none:
                return;
            case Step::ask:
                if (vm_state(name_).life == Life::lost) {
                    note(why_ + ": the guest cannot be asked, since the directory " +
                         shown(vm_directory(name_)) + " was removed; cutting its power");
                    down_.kill(Clock::now());
                    qemu_->kill();
                    return;
                }
                if (!asked_)
                    note(why_ + ": asking the guest to power down, for at most " +
                         std::to_string(options_.limits.guest.count() / 1000) + " s" +
                         (why_ == "Ctrl-]" ? "; Ctrl-] again cuts its power" : ""));
                break;
            case Step::quit:
                note("cutting the guest's power");
                break;
            case Step::kill:
                note("QEMU does not quit; killing it");
                qemu_->kill();
                return;
            case Step::give_up:
                throw LauncherError("QEMU cannot be killed: it hangs in the kernel, process " +
                                    std::to_string(qemu_->pid()));
        }
        try {
            take_step(name_, step);
        } catch (const LauncherError& error) {
            if (!asked_ || step != Step::ask)
                note(error.what());
        }
        asked_ = true;
    }

    [[nodiscard]] ExitCode verdict(const ProcessEnd& end) const {
        const std::string after =
            background_ ? "" : "; QEMU's words are in " + shown(qemu_log_path(name_));
        if (down_.step() == Step::quit || down_.step() == Step::kill) {
            note(name_.str() + " has ended, its guest without having shut down");
            return ExitCode::failed;
        }
        if (!end.in_order() && memory_kills() > memory_kills_)
            throw LauncherError(out_of_memory());
        if (!end.in_order())
            throw LauncherError("QEMU failed (" + end.text() + "): " + words(end.status) + after);
        if (background_ || isatty(STDIN_FILENO) != 0)
            note(name_.str() + " has ended");
        return ExitCode::done;
    }

    [[nodiscard]] std::string out_of_memory() const {
        const std::uint64_t limit = memory().limit;
        const std::string wanted = std::to_string(spec_.memory.mebibytes()) + " MiB of " +
                                   name_.str() + " and what QEMU needs beside";
        return "the kernel has killed QEMU for want of memory: " +
               (limit == 0 ? "this host has too little for the " + wanted + "; less with memory="
                           : "the limit of this job or session is " + std::to_string(limit) +
                                 " MiB, too little for the " + wanted +
                                 "; a higher limit (Slurm: --mem), or less with memory=");
    }

    // What QEMU said, or why it said nothing; `status' is how it ended, if it did by itself.
    [[nodiscard]] std::string words(int status = 0) const {
        const std::string text = qemu_words(name_);
        if (!text.empty())
            return text;
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
            return "somebody has killed it, as `tapgate kill' does";
        const std::string directory = vm_directory(name_);
        return disk_space(directory).free_mebibytes > 0
                   ? "it said nothing"
                   : "there is no room for its words, or its sockets, in " + shown(directory);
    }

    const VmSpec& spec_;
    const VmName& name_;
    SuperviseOptions options_;
    PowerDown down_;
    std::optional<StopSignals> stop_;
    std::optional<ShareServers> shares_;
    std::unique_ptr<ChildProcess> qemu_;
    UniqueFd socket_;  // of the console, until there is `console_`
    std::optional<Console> console_;
    std::string why_;
    Clock::time_point log_check_ = Clock::now();
    std::uint64_t memory_kills_ = memory_kills();
    bool log_fails_ = false;
    bool asked_ = false;
    bool background_;
};

}  // namespace

ExitCode supervise(const VmSpec& spec, SuperviseOptions options) {
    // A terminal that goes away, or a reader of our output that ends, must not end the VM.
    std::signal(SIGPIPE, SIG_IGN);
    // QEMU makes its sockets with it: whoever could connect to QMP would control the user's whole
    // account.
    umask(077);
    return Supervisor(spec, std::move(options)).run();
}

}  // namespace tapgate

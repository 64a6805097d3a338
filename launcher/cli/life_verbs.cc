// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/life_verbs.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>

#include "launcher/base/child_process.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/output.h"
#include "launcher/base/program.h"
#include "launcher/base/progress_bar.h"
#include "launcher/base/text.h"
#include "launcher/cli/operand.h"
#include "launcher/image/clone.h"
#include "launcher/qemu/control.h"
#include "launcher/run/power_down.h"
#include "launcher/run/supervisor.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using Step = PowerDown::Step;

// What the supervisor does before its guest runs has limits of its own, which sum up to less.
constexpr milliseconds start_limit{120000};

// A descriptor that the process which started this one left open for it.
UniqueFd inherited_fd(const CommandLine& command, const std::string& option) {
    if (!command.has(option))
        return {};
    const std::string text = command.option(option);
    int fd = -1;
    std::from_chars(text.data(), text.data() + text.size(), fd);
    if (fd <= STDERR_FILENO)
        throw UsageError("--" + option + " is tapgate's own");
    return UniqueFd(fd);
}

// ---- starting

bool listens(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return false;
    std::memcpy(address.sun_path, path.data(), path.size());
    const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return fd &&
           connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// What makes the program behind it a unit of the user's systemd, where that answers; else nothing.
//
// A scope and not a service: so the supervisor is our child in both cases, with our environment,
// stderr and exit code. QEMU is deaf to the SIGTERM that a scope's every process gets.
std::vector<std::string> systemd_words(const VmName& name, milliseconds power_down_limit) {
    const char* const runtime = std::getenv("XDG_RUNTIME_DIR");  // NOLINT(concurrency-mt-unsafe)
    if (runtime == nullptr || !listens(std::string(runtime) + "/systemd/private") ||
        !listens(std::string(runtime) + "/bus"))
        return {};
    const auto program = find_program("systemd-run");
    if (!program)
        return {};
    return {*program, "--user", "--scope", "--quiet", "--collect", "--unit=tapgate-" + name.str(),
            "--description=tapgate: the VM " + name.str(),
            // The steps behind the first take up to 10 s.
            "--property=TimeoutStopSec=" + std::to_string(power_down_limit.count() / 1000 + 15),
            "--"};
}

// What was asked for, as words of a command line that mean the same in any directory.
std::vector<std::string> start_words(const CommandLine& command) {
    const std::string& operand = command.operands.at(0);
    std::vector<std::string> words = {is_image(operand) && !operand.starts_with('/')
                                          ? current_directory() + "/" + operand
                                          : operand};
    for (const char* option : {"helper", "powerdown-limit"}) {
        if (command.has(option))
            words.push_back("--" + std::string(option) + "=" + command.option(option));
    }
    if (command.has("plain-bridge"))
        words.emplace_back("--plain-bridge");
    for (const Setting& setting : command.settings)
        words.push_back("--" + setting.key + "=" + absolute_value(setting));
    return words;
}

// Starts a supervisor in the background and waits for its word. Returns the exit code.
int start_in_background(const CommandLine& command) {
    const VmDescription vm = described_vm(command);
    std::vector<std::string> argv =
        systemd_words(vm.spec.name, command.seconds("powerdown-limit", PowerDown::Limits().guest));
    const std::string self = own_program();
    const std::string program = argv.empty() ? self : argv[0];
    argv.insert(argv.end(), {self, "run", "--ready-fd=3"});
    const std::vector<std::string> words = start_words(command);
    argv.insert(argv.end(), words.begin(), words.end());

    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        fail_with_errno("pipe");
    const UniqueFd ready(ends[0]);
    UniqueFd theirs(ends[1]);
    ChildProcess supervisor(
        {.program = program, .argv = argv, .inherited = {theirs.get()}, .output = STDERR_FILENO});
    theirs.reset();
    pollfd said{ready.get(), POLLIN, 0};
    const auto deadline = Clock::now() + start_limit;
    while (poll(&said, 1, milliseconds_until(deadline)) < 0 && errno == EINTR) {
    }
    char word = 0;
    if (said.revents == 0)
        throw LauncherError(vm.spec.name.str() + " does not start within " +
                            std::to_string(start_limit.count() / 1000) + " s");
    if (read(ready.get(), &word, 1) == 1) {
        supervisor.release();
        print(vm.spec.name.str() + " runs\n");
        return static_cast<int>(ExitCode::done);
    }
    // It has said why already.
    const auto end = supervisor.wait(milliseconds(5000));
    if (!end || !WIFEXITED(end->status) || WEXITSTATUS(end->status) == 0)
        throw LauncherError("the supervisor of " + vm.spec.name.str() + " failed (" +
                            (end ? end->text() : "it hangs") + ")");
    return WEXITSTATUS(end->status);
}

// ---- ending

// The process of a VM that runs; none, and a note, when it does not.
UniqueFd running_qemu(const VmName& name) {
    UniqueFd qemu = qemu_pidfd(name);
    if (qemu)
        return qemu;
    const VmState state = vm_state(name);
    if (state.life == Life::starting)
        throw LauncherError(name.str() + " is just being started; try again when it runs");
    note(name.str() + " does not run");
    return {};
}

// Until the supervisor has ended too: then the VM can be started again. What it left after a
// failure goes, since the user knows of that end.
void settle(const VmName& name) {
    const UniqueFd lock = lock_vm(name, milliseconds(3000));
    clear_vm_directory(name);
}

bool ended(const UniqueFd& qemu, milliseconds limit) {
    pollfd end{qemu.get(), POLLIN, 0};
    return poll(&end, 1, static_cast<int>(limit.count())) > 0;
}

void end_by_force(const VmName& name, const UniqueFd& qemu) {
    kill_qemu(qemu);
    if (!ended(qemu, PowerDown::Limits().kill))
        throw LauncherError("QEMU cannot be killed: it hangs in the kernel, process " +
                            std::to_string(vm_state(name).qemu));
}

// Throws when the guest does not power down in time and `force` is not there to end it.
void power_down(const VmName& name, const UniqueFd& qemu, milliseconds limit, bool force) {
    PowerDown down({.guest = limit});
    const auto begin = Clock::now();
    auto tell = begin + milliseconds(1000);
    Step step = down.begin(begin);
    for (;;) {
        if (step == Step::quit && !force)
            throw LauncherError(name.str() + " has not powered down within " +
                                std::to_string(limit.count() / 1000) +
                                " s; its guest may not react to the power button. Wait longer with "
                                "--timeout=SECONDS, or cut its power: tapgate stop --force " +
                                name.str());
        if (step == Step::quit)
            note("cutting the guest's power");
        if (step == Step::kill || step == Step::give_up) {
            end_by_force(name, qemu);
            return;
        }
        if (step != Step::none) {
            try {
                take_step(name, step);
            } catch (const LauncherError& error) {
                // It may have ended just now.
                if (ended(qemu, milliseconds(0)))
                    return;
                if (!force)
                    throw;
                note(error.what());
            }
        }
        const auto until = std::min(tell, down.next().value_or(tell));
        if (ended(qemu, milliseconds(milliseconds_until(until))))
            return;
        if (Clock::now() >= tell) {
            const auto passed =
                std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin);
            note("waiting for " + name.str() + " to power down (" + std::to_string(passed.count()) +
                 " s)");
            tell += milliseconds(5000);
        }
        step = down.due(Clock::now());
    }
}

// The command line that the VM was started with, as far as `command` does not say otherwise.
CommandLine as_started(const CommandLine& command) {
    const auto record = read_run_record(command.vm_name());
    if (!record)
        return command;
    std::vector<std::string> words = {"restart"};
    words.insert(words.end(), record->words.begin(), record->words.end());
    CommandLine result = parse_command_line(words, current_directory());
    for (const auto& [option, value] : command.options)
        result.options[option] = value;
    for (const Setting& given : command.settings)
        std::erase_if(result.settings, [&](const Setting& old) { return old.key == given.key; });
    result.settings.insert(result.settings.end(), command.settings.begin(), command.settings.end());
    return result;
}

int interrupt(const CommandLine& command, const char* qmp) {
    const VmName name = command.vm_name();
    if (!running_qemu(name))
        return static_cast<int>(ExitCode::failed);
    qmp_command(name, qmp);
    return static_cast<int>(ExitCode::done);
}

}  // namespace

int run_vm(const CommandLine& command) {
    PowerDown::Limits limits;
    limits.guest = command.seconds("powerdown-limit", limits.guest);
    return supervise(described_vm(command).spec, {.helper = command.option("helper"),
                                                  .plain_bridge = command.has("plain-bridge"),
                                                  .limits = limits,
                                                  .ready = inherited_fd(command, "ready-fd"),
                                                  .words = start_words(command)});
}

int start_vm(const CommandLine& command) {
    return start_in_background(command);
}

int stop_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    if (const UniqueFd qemu = running_qemu(name))
        power_down(name, qemu, command.seconds("timeout", PowerDown::Limits().guest),
                   command.has("force"));
    if (vm_state(name).life != Life::off)
        settle(name);
    return static_cast<int>(ExitCode::done);
}

int kill_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    if (const UniqueFd qemu = running_qemu(name))
        end_by_force(name, qemu);
    if (vm_state(name).life != Life::off)
        settle(name);
    return static_cast<int>(ExitCode::done);
}

int restart_vm(const CommandLine& command) {
    const CommandLine again = as_started(command);
    // Before it is stopped: a VM that cannot be started again should go on.
    described_vm(again);
    stop_vm(command);
    return start_in_background(again);
}

int reset_vm(const CommandLine& command) {
    if (!command.has("to-base")) {
        if (command.has("force"))
            throw UsageError("reset takes --force only with --to-base");
        return interrupt(command, "system_reset");
    }
    const VmName name = command.vm_name();
    if (vm_state(name).qemu != 0) {
        if (!command.has("force"))
            throw LauncherError(name.str() + " runs; end it first, with: tapgate stop " +
                                name.str() + "; or cut its power with --force");
        // Before its power is cut: what cannot be reset should go on.
        require_resettable(name);
        kill_vm(command);
    }
    ProgressBar bar("reading the images that " + name.str() + " stands on");
    for (const std::string& one : reset_to_base(name, [&](double percent) { bar.show(percent); }))
        note(one);
    note(name.str() + " is as its base is; start it with: tapgate start " + name.str());
    return static_cast<int>(ExitCode::done);
}
int pause_vm(const CommandLine& command) {
    return interrupt(command, "stop");
}
int resume_vm(const CommandLine& command) {
    return interrupt(command, "cont");
}

}  // namespace tapgate

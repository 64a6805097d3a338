// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/background.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "launcher/base/child_process.h"
#include "launcher/base/output.h"
#include "launcher/base/program.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/unix_socket.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;

// All that the supervisor does before its guest runs has limits, whose sum is less than this.
constexpr milliseconds ready_limit{120000};
// The steps after the power button take up to 10 s.
constexpr milliseconds beyond_power_down{15000};

bool listens(const std::string& path) {
    return static_cast<bool>(connect_unix(path));
}

// The words that start the program after them as a unit of the user's systemd, if that answers;
// otherwise none.
//
// The unit is a scope and not a service, so that the supervisor is always our child, with our
// environment, stderr and exit code. QEMU ignores the SIGTERM that every process in a scope gets.
std::vector<std::string> systemd_words(const VmName& name, milliseconds power_down_limit) {
    const char* const runtime = std::getenv("XDG_RUNTIME_DIR");  // NOLINT(concurrency-mt-unsafe)
    if (runtime == nullptr || !listens(std::string(runtime) + "/systemd/private") ||
        !listens(std::string(runtime) + "/bus"))
        return {};
    const auto program = find_program("systemd-run");
    if (!program)
        return {};
    return {*program,
            "--user",
            "--scope",
            "--quiet",
            "--collect",
            "--unit=tapgate-" + name.str(),
            "--description=tapgate: the VM " + name.str(),
            "--property=TimeoutStopSec=" +
                std::to_string((power_down_limit + beyond_power_down).count() / 1000),
            "--"};
}

// What there is to read: the supervisor's byte, or a signal that came first.
enum class Said { nothing, word, signal };

Said wait_for_word(const UniqueFd& word, const HeldSignals& signals,
                   std::chrono::steady_clock::time_point deadline) {
    std::array<pollfd, 2> fds{pollfd{word.get(), POLLIN, 0}, pollfd{signals.fd(), POLLIN, 0}};
    while (poll(fds.data(), fds.size(), milliseconds_until(deadline)) < 0 && errno == EINTR) {
    }
    return fds[0].revents != 0 ? Said::word : fds[1].revents != 0 ? Said::signal : Said::nothing;
}

// Ends the supervisor and its guest, if that runs by now, as a signal to the supervisor would. A
// second signal ends the waiting.
[[noreturn]] void take_back(ChildProcess& supervisor, const VmName& name,
                            milliseconds power_down_limit, const HeldSignals& signals) {
    const std::string signal = signals.take();
    const auto deadline = std::chrono::steady_clock::now() + power_down_limit + beyond_power_down;
    supervisor.signal(SIGTERM);
    bool ended = supervisor.wait(milliseconds(500)).has_value();
    if (!ended)
        note(signal + ": waiting for " + name.str() + " to end again");
    while (!ended && signals.take().empty() && std::chrono::steady_clock::now() < deadline)
        ended = supervisor.wait(milliseconds(100)).has_value();
    supervisor.release();
    throw LauncherError(
        signal + ": " + name.str() +
            (ended ? " was not started"
                   : " is still powering down; cut its power with: tapgate kill " + name.str()),
        code_of_signal(signal));
}

}  // namespace

ExitCode start_supervisor(const VmName& name, milliseconds power_down_limit,
                          const std::vector<std::string>& words) {
    std::vector<std::string> argv = systemd_words(name, power_down_limit);
    const std::string self = own_program();
    const std::string program = argv.empty() ? self : argv[0];
    argv.insert(argv.end(), {self, "run", "--ready-fd=3"});
    argv.insert(argv.end(), words.begin(), words.end());

    const HeldSignals signals;
    Pipe ready = make_pipe();
    ChildProcess supervisor({.program = program,
                             .argv = argv,
                             .inherited = {ready.writing.get()},
                             .output = STDERR_FILENO});
    ready.writing.reset();
    const Said said =
        wait_for_word(ready.reading, signals, std::chrono::steady_clock::now() + ready_limit);
    if (said == Said::signal)
        take_back(supervisor, name, power_down_limit, signals);
    char word = 0;
    if (said == Said::nothing)
        throw LauncherError(name.str() + " does not start within " +
                            std::to_string(ready_limit.count() / 1000) + " s");
    if (read(ready.reading.get(), &word, 1) == 1) {
        supervisor.release();
        // The signal came too late to end anything.
        static_cast<void>(signals.take());
        return ExitCode::done;
    }
    // It has already said why.
    const auto end = supervisor.wait(milliseconds(5000));
    if (!end || !WIFEXITED(end->status) || WEXITSTATUS(end->status) == 0)
        throw LauncherError("the supervisor of " + name.str() + " failed (" +
                            (end ? end->text() : "it hangs") + ")");
    return static_cast<ExitCode>(WEXITSTATUS(end->status));
}

}  // namespace tapgate

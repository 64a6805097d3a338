// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/background.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "launcher/base/child_process.h"
#include "launcher/base/program.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;

// What the supervisor does before its guest runs has limits of its own, which sum up to less.
constexpr milliseconds ready_limit{120000};

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

}  // namespace

ExitCode start_supervisor(const VmName& name, milliseconds power_down_limit,
                          const std::vector<std::string>& words) {
    std::vector<std::string> argv = systemd_words(name, power_down_limit);
    const std::string self = own_program();
    const std::string program = argv.empty() ? self : argv[0];
    argv.insert(argv.end(), {self, "run", "--ready-fd=3"});
    argv.insert(argv.end(), words.begin(), words.end());

    Pipe ready = make_pipe();
    ChildProcess supervisor({.program = program,
                             .argv = argv,
                             .inherited = {ready.writing.get()},
                             .output = STDERR_FILENO});
    ready.writing.reset();
    pollfd said{ready.reading.get(), POLLIN, 0};
    const auto deadline = std::chrono::steady_clock::now() + ready_limit;
    while (poll(&said, 1, milliseconds_until(deadline)) < 0 && errno == EINTR) {
    }
    char word = 0;
    if (said.revents == 0)
        throw LauncherError(name.str() + " does not start within " +
                            std::to_string(ready_limit.count() / 1000) + " s");
    if (read(ready.reading.get(), &word, 1) == 1) {
        supervisor.release();
        return ExitCode::done;
    }
    // It has said why already.
    const auto end = supervisor.wait(milliseconds(5000));
    if (!end || !WIFEXITED(end->status) || WEXITSTATUS(end->status) == 0)
        throw LauncherError("the supervisor of " + name.str() + " failed (" +
                            (end ? end->text() : "it hangs") + ")");
    return static_cast<ExitCode>(WEXITSTATUS(end->status));
}

}  // namespace tapgate

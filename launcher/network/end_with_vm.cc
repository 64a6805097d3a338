// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/end_with_vm.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/qemu/control.h"

namespace tapgate {

namespace {

// The last words of a guest that shuts down may still be on their way.
constexpr int last_words_ms = 1000;

// Closes what this process has inherited, so that whoever reads or writes there need not wait for
// it.
void let_go_of_input_and_output() {
    const UniqueFd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (nothing)
        for (const int fd : {STDIN_FILENO, STDOUT_FILENO})
            dup2(nothing.get(), fd);
}

void watch(const VmName& name, const UniqueFd& qemu, const UniqueFd& process) {
    std::array<pollfd, 2> ends{pollfd{process.get(), POLLIN, 0}, pollfd{qemu.get(), POLLIN, 0}};
    while (poll(ends.data(), ends.size(), -1) < 0 && errno == EINTR) {
    }
    if (poll(ends.data(), 1, last_words_ms) != 0)
        return;
    // As ssh does: where a login has made the terminal raw, a newline alone is only half of one.
    const std::string end = isatty(STDERR_FILENO) == 1 ? "\r\n" : "\n";
    write_all(STDERR_FILENO, "tapgate: " + ended_text(name) + end);
    syscall(SYS_pidfd_send_signal, process.get(), SIGTERM, nullptr, 0);
}

}  // namespace

void end_with_vm(const VmName& name) {
    const UniqueFd qemu = qemu_pidfd(name);
    if (!qemu)
        throw LauncherError(ended_text(name));
    const UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
    if (!self)
        fail_with_errno("pidfd_open");
    const pid_t child = fork();
    if (child < 0)
        fail_with_errno("fork");
    if (child > 0) {
        while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
        }
        return;
    }
    // A grandchild, so that ssh does not see its end, in a session of its own, so that no key on
    // the terminal ends it.
    if (fork() == 0 && setsid() > 0) {
        let_go_of_input_and_output();
        watch(name, qemu, self);
    }
    _exit(0);
}

std::string ended_text(const VmName& name) {
    return name.str() + " does not run any more; start it with: tapgate start " + name.str();
}

bool ends(const UniqueFd& qemu) {
    constexpr int moment_ms = 1000;
    pollfd end{qemu.get(), POLLIN, 0};
    return !qemu || poll(&end, 1, moment_ms) > 0;
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/tap_exec.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

void require_free_descriptors(int first, unsigned count) {
    const long limit = sysconf(_SC_OPEN_MAX);
    if (limit >= 0 && first + static_cast<long>(count) > limit)
        throw LauncherError("--fd: this process may open " + std::to_string(limit) +
                            " descriptors, so none is called " +
                            std::to_string(first + static_cast<long>(count) - 1) +
                            "; choose a lower number, or raise ulimit -n");
    for (int fd = first; fd < first + static_cast<int>(count); fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            throw LauncherError("--fd: descriptor " + std::to_string(fd) +
                                " is open already, by whoever started tapgate; choose another "
                                "number, or close it (in a shell: " +
                                std::to_string(fd) + ">&-)");
    }
}

void place_descriptors(std::vector<UniqueFd> taps, int first) {
    const int behind = first + static_cast<int>(taps.size());
    // First move taps away from numbers that other taps are to get.
    for (UniqueFd& tap : taps) {
        UniqueFd copy(fcntl(tap.get(), F_DUPFD_CLOEXEC, behind));
        if (!copy)
            fail_with_errno("--fd: cannot move the tap's descriptor");
        tap = std::move(copy);
    }
    for (const UniqueFd& tap : taps) {
        if (dup2(tap.get(), first++) < 0)
            fail_with_errno("--fd: cannot move the tap's descriptor");
    }
}

void set_tap_environment(int first, unsigned count, const std::string& tap) {
    std::string numbers;
    for (unsigned i = 0; i < count; i++)
        numbers += (i == 0 ? "" : ",") + std::to_string(first + static_cast<int>(i));
    // NOLINTBEGIN(concurrency-mt-unsafe): there is one thread
    if (setenv("TAPGATE_TAP_FDS", numbers.c_str(), 1) != 0 ||
        setenv("TAPGATE_TAP_NAME", tap.c_str(), 1) != 0)
        fail_with_errno("cannot set the command's environment");
    // NOLINTEND(concurrency-mt-unsafe)
}

void become(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const std::string& word : words)
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): exec does not write there
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    fail_with_errno("cannot start " + quoted_word(words[0]));
}

}  // namespace tapgate

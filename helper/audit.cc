// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/audit.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>

#include "common/unique_fd.h"

namespace tapgate {

int audit(const std::string& line) {
    const UniqueFd log(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    constexpr timeval time_limit{.tv_sec = 1, .tv_usec = 0};
    if (!log || setsockopt(log.get(), SOL_SOCKET, SO_SNDTIMEO, &time_limit, sizeof time_limit) != 0)
        return errno;
    constexpr sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    const std::string message = "<" + std::to_string(LOG_AUTHPRIV | LOG_INFO) + ">tapgate-helper[" +
                                std::to_string(getpid()) + "]: " + line;
    const ssize_t sent = sendto(log.get(), message.data(), message.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), sizeof address);
    return sent >= 0 || errno == ENOENT || errno == ECONNREFUSED ? 0 : errno;
}

}  // namespace tapgate

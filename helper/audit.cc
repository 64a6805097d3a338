// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/audit.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "common/unique_fd.h"

namespace tapgate {

void audit(const std::string& line) {
    const UniqueFd log(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!log)
        return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    constexpr std::string_view path = "/dev/log";
    std::copy(path.begin(), path.end(), address.sun_path);
    const std::string message = "<" + std::to_string(LOG_AUTHPRIV | LOG_INFO) + ">tapgate-helper[" +
                                std::to_string(getpid()) + "]: " + line;
    // Whether it arrived is the log's business: see audit.h.
    [[maybe_unused]] const ssize_t sent =
        sendto(log.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
               reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace tapgate

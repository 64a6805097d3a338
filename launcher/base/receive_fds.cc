// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/receive_fds.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/fd_passing.h"

namespace tapgate {

std::vector<UniqueFd> receive_fds(int socket, size_t most) {
    char byte = 1;
    iovec data{&byte, sizeof byte};
    // Room for one message with as many descriptors as the kernel allows.
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * max_fds_in_message)> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t got = 0;
    do {
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        throw std::system_error(errno, std::generic_category());

    // Take ownership of everything that came before judging it, so that a wrong message leaks
    // nothing.
    std::vector<UniqueFd> fds;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            fds.emplace_back(fd);
        }
    }
    const bool closed = got == 0 && fds.empty();
    const bool truncated = (message.msg_flags & MSG_CTRUNC) != 0;
    if (!closed && (got != 1 || byte != 0 || truncated || fds.empty() || fds.size() > most))
        throw std::system_error(EPROTO, std::generic_category());
    return fds;
}

}  // namespace tapgate

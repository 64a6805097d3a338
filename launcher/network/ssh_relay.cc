// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/ssh_relay.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

struct FreeList {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

// Copies what has come from one to the other; false at the end.
bool move_bytes(int from, int to) {
    std::array<char, 65536> buffer{};
    const ssize_t got = read(from, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    return got > 0 && write_all(to, {buffer.data(), static_cast<size_t>(got)});
}

}  // namespace

UniqueFd connect_to(const SshTarget& target) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    if (getaddrinfo(target.address.c_str(), std::to_string(target.port).c_str(), &hints, &list) !=
        0)
        throw LauncherError(shown(target.str()) + " is no address of this host's networks");
    const std::unique_ptr<addrinfo, FreeList> addresses(list);
    UniqueFd fd(socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd || connect(fd.get(), list->ai_addr, list->ai_addrlen) != 0)
        fail_with_errno(shown(target.str()));
    return fd;
}

void relay(const UniqueFd& socket) {
    bool typing = true;
    for (;;) {
        std::array<pollfd, 2> fds{pollfd{socket.get(), POLLIN, 0},
                                  pollfd{typing ? STDIN_FILENO : -1, POLLIN, 0}};
        if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR)
            fail_with_errno("poll");
        if (fds[0].revents != 0 && !move_bytes(socket.get(), STDOUT_FILENO))
            return;
        if (fds[1].revents != 0 && !move_bytes(STDIN_FILENO, socket.get())) {
            typing = false;
            shutdown(socket.get(), SHUT_WR);
        }
    }
}

}  // namespace tapgate

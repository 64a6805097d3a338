// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/unix_socket.h"

#include <sys/socket.h>

#include <cstring>

namespace tapgate {

std::optional<sockaddr_un> unix_address(const std::string& path) {
    if (path.empty() || path.size() > longest_socket_path)
        return std::nullopt;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

UniqueFd connect_unix(const std::string& path) {
    const auto address = unix_address(path);
    if (!address)
        return {};
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd && connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
        fd.reset();
    return fd;
}

}  // namespace tapgate

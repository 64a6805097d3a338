// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/un.h>

#include <optional>
#include <string>

#include "common/unique_fd.h"

namespace tapgate {

/// The longest path of a UNIX socket, in bytes.
constexpr size_t longest_socket_path = sizeof sockaddr_un{}.sun_path - 1;

/// The path as the socket calls take it; nothing when it is empty or too long for them.
std::optional<sockaddr_un> unix_address(const std::string& path);

/// A non-blocking connection to whoever listens at `path`; none when nobody does (yet). Never
/// blocks.
UniqueFd connect_unix(const std::string& path);

}  // namespace tapgate

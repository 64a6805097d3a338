// SPDX-License-Identifier: GPL-2.0-or-later
//
// The other end of common/fd_passing.h.
#pragma once

#include <vector>

#include "common/unique_fd.h"

namespace tapgate {

/// Waits for one message of send_fds() on `socket` and owns what came, close-on-exec. No more than
/// `most` are taken. An empty answer means that the peer closed the socket without sending any.
/// Throws std::system_error when receiving fails, EPROTO when what came is not such a message
/// (whatever descriptors came with it are closed).
std::vector<UniqueFd> receive_fds(int socket, size_t most);

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// The other end of common/fd_passing.h.
#pragma once

#include <vector>

#include "common/unique_fd.h"

namespace tapgate {

/// Waits for one message of send_fds() on `socket` and takes ownership of the descriptors in it, at
/// most `most`, close-on-exec. Returns none when the peer closed the socket without sending any.
/// Throws std::system_error when receiving fails; with EPROTO when the message is not such a one
/// (the descriptors that came with it are closed).
std::vector<UniqueFd> receive_fds(int socket, size_t most);

}  // namespace tapgate

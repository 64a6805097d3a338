// SPDX-License-Identifier: GPL-2.0-or-later
//
// The helper's reply as QEMU reads it (recv_fd() in its net/tap.c): one sendmsg() with one data
// byte, 0x00, and the descriptors in one SCM_RIGHTS control message. See unix(7).
#pragma once

#include <span>

#include "common/unique_fd.h"

namespace tapgate {

/// The most descriptors that one message can carry: SCM_MAX_FD in the kernel's include/net/scm.h.
constexpr size_t max_fds_in_message = 253;

/// Sends `fds` over the connected UNIX stream socket `socket`: 1 to max_fds_in_message of them,
/// which the caller goes on owning. Never raises SIGPIPE. Throws std::system_error when the message
/// was not sent; no descriptor was passed then.
void send_fds(int socket, std::span<const UniqueFd> fds);

}  // namespace tapgate

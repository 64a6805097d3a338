// SPDX-License-Identifier: GPL-2.0-or-later
//
// The helper's reply as QEMU reads it (net/tap.c, recv_fd()): one data byte, 0x00, with the
// descriptors in one SCM_RIGHTS control message of one sendmsg(). See unix(7).
#pragma once

#include <span>

#include "common/unique_fd.h"

namespace tapgate {

/// The most descriptors that one message can carry: SCM_MAX_FD in the kernel's include/net/scm.h.
constexpr size_t max_fds_in_message = 253;

/// Sends `fds` (1 to max_fds_in_message; they stay the caller's) over the connected UNIX stream
/// socket `socket`. Never raises SIGPIPE. Throws std::system_error when the message was not sent;
/// then no descriptor went.
void send_fds(int socket, std::span<const UniqueFd> fds);

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// The launcher's side of tapgate-helper: starts the helper as QEMU would, and receives the taps
// that it sends.
//
// The launcher does this itself because QEMU cannot: its sandbox sets no-new-privs, under which a
// helper that QEMU starts has no privilege.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/names.h"
#include "common/unique_fd.h"
#include "launcher/base/error.h"

namespace tapgate {

/// What to ask the helper for: one interface with a number of queues.
struct TapRequest {
    InterfaceName bridge;
    unsigned queues = 1;  ///< 1 to max_fds_in_message; there is a descriptor for each
    bool vnet_header = true;
    std::optional<MacAddress> mac;  ///< the guest's
    std::optional<VmName> vm;
};

/// Why there is no tap: what() is the whole text for the user, with the helper's own words in it.
class HelperError : public LauncherError {
  public:
    enum class Kind {
        not_started,  ///< there is no such program, or it cannot be run
        refused,      ///< it refused (policy, quota, no such bridge, no privilege)
        broken,       ///< it was killed by a signal, or sent something else than was asked for
        too_slow,     ///< it did not end within the time limit, and was killed
    };

    HelperError(Kind kind, const std::string& text, std::string words)
        : LauncherError(text, kind == Kind::refused ? ExitCode::refused : ExitCode::failed),
          kind_(kind),
          words_(std::move(words)) {}

    [[nodiscard]] Kind kind() const { return kind_; }
    /// What the helper itself wrote to stderr, fit for a terminal; may be empty.
    [[nodiscard]] const std::string& words() const { return words_; }

  private:
    Kind kind_;
    std::string words_;
};

/// The helper to start: `chosen` unless it is empty, otherwise the one that was installed with this
/// program, an absolute path fixed at build time. PATH is never searched.
std::string helper_path(const std::string& chosen = {});

/// How long the helper may take. It gives up by itself after 10 s.
constexpr std::chrono::milliseconds helper_time_limit{15000};

/// Starts the program `helper` and returns the `request.queues` descriptors of the new tap in the
/// helper's order. The caller owns them; they are close-on-exec. The tap exists for as long as one
/// of them is open. The helper gets stdio, its socket and the environment, and no other descriptor
/// of this process. When this function returns or throws, the helper has ended, unless even SIGKILL
/// did not end it (the exception's text says so).
///
/// Throws HelperError when there is no tap, a LauncherError or std::system_error when this process
/// lacks the descriptors or the memory to ask, and std::invalid_argument for an impossible number
/// of queues.
std::vector<UniqueFd> request_taps(const std::string& helper, const TapRequest& request,
                                   std::chrono::milliseconds limit = helper_time_limit);

/// The name of the tap behind the descriptor; empty when it is not a tap.
std::string tap_name(int tap);

/// Descriptors of vhost-net, one for each queue, or the reason why there are none.
struct VhostQueues {
    std::vector<UniqueFd> fds;  ///< close-on-exec; as many as were asked for, or none
    std::string why_not;        ///< empty when `fds` has them
};

/// Opens vhost-net `count` times. To be called before QEMU is told to use vhost: QEMU 7.2 aborts
/// when it cannot open vhost-net itself, while a guest does well without it.
VhostQueues open_vhost(unsigned count, const std::string& device = "/dev/vhost-net");

}  // namespace tapgate

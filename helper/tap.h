// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef TAPGATE_HELPER_TAP_H
#define TAPGATE_HELPER_TAP_H

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace tapgate {

/// A tap device that goes, port and all, when its last queue is closed: it is never made
/// persistent, so nothing has to be undone when a later step fails.
class Tap {
  public:
    /// Makes a tap of `queues` queues, down, owned by `owner`. The owner is set here, before
    /// anything else can happen to it: any local user may attach to an ownerless multiqueue tap.
    /// Needs CAP_NET_ADMIN. Throws Failure.
    static Tap create(uid_t owner, bool vnet_header, unsigned queues);

    [[nodiscard]] const std::string& name() const { return name_; }

    /// One descriptor a queue.
    [[nodiscard]] std::span<const UniqueFd> queues() const { return queues_; }

  private:
    std::string name_;
    std::vector<UniqueFd> queues_;
};

}  // namespace tapgate

#endif

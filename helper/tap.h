// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef TAPGATE_HELPER_TAP_H
#define TAPGATE_HELPER_TAP_H

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "helper/link.h"

namespace tapgate {

/// A tap device, held by its queues. One that was made here goes, port and all, when the last queue
/// is closed: it is never made persistent, so nothing has to be undone when a later step fails.
class Tap {
  public:
    /// Makes a tap of `queues` queues, down, owned by `owner`. The owner is set here, before
    /// anything else can happen to it: any local user may attach to an ownerless multiqueue tap.
    /// Needs CAP_NET_ADMIN. Throws Failure.
    static Tap create(uid_t owner, bool vnet_header, unsigned queues);

    /// Attaches a queue to the tap `link`, and leaves it what it is: whoever attaches first decides
    /// that for the others. Needs CAP_NET_ADMIN. Throws Failure, also when a tap of one queue is in
    /// use.
    static Tap attach(const Link& link);

    /// Makes a persistent tap go when its last queue is closed. Throws Failure.
    void make_transient() const;

    [[nodiscard]] const std::string& name() const { return name_; }

    /// One descriptor a queue.
    [[nodiscard]] std::span<const UniqueFd> queues() const { return queues_; }

  private:
    bool try_name(const UniqueFd& tun, unsigned flags, const std::string& name);
    void add_queue(unsigned flags);

    std::string name_;
    std::vector<UniqueFd> queues_;
};

}  // namespace tapgate

#endif

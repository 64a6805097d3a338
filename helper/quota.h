// SPDX-License-Identifier: GPL-2.0-or-later
//
// max-taps=N, exactly: however many helpers run at once, N taps of a user come to be on a bridge,
// never one more, and the first N that ask get them.
//
// There is no lock, since whoever holds one can be stopped (SIGSTOP) by the user whose process it
// is. Instead there are N names, slot_name(bridge, uid, 0) to (..., N-1). The kernel gives a name
// once; a tap has its slot before it becomes a port, and until it is gone. Who finds all N taken
// has no tap.
//
// Taps of the user that have no slot among those N count as well (made before the rule had a limit,
// or when it was higher): they make so many slots at the end unavailable. A tap whose slot is one
// of these counts as one without.
#ifndef TAPGATE_HELPER_QUOTA_H
#define TAPGATE_HELPER_QUOTA_H

#include <string>
#include <vector>

#include "helper/link.h"
#include "helper/tap.h"

namespace tapgate {

class Quota {
  public:
    /// For `uid` on the bridge with ifindex `bridge`, where the taps `own` of that user are now.
    Quota(unsigned max_taps, uid_t uid, int bridge, const std::vector<Link>& own);

    /// How many of the user's taps are on the bridge already.
    [[nodiscard]] unsigned taken() const { return taken_; }

    /// Whether there may be one more.
    [[nodiscard]] bool is_full() const { return taken_ >= max_taps_; }

    /// Takes a slot for `tap`. False: there is none left. Needs CAP_NET_ADMIN. Throws LinkError.
    [[nodiscard]] bool claim(const LinkSocket& links, const Tap& tap) const;

  private:
    unsigned max_taps_;
    uid_t uid_;
    int bridge_;
    unsigned taken_ = 0;
    unsigned slots_;  // 0 to slots_-1 can be had
};

}  // namespace tapgate

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace tapgate {

struct Snapshot {
    std::string tag;
    std::int64_t date = 0;     ///< seconds since 1970
    std::uint64_t ram = 0;     ///< size of RAM and device state in bytes; 0 when the VM was off
    bool on_all_disks = true;  ///< false when one was made or lost without tapgate
};

}  // namespace tapgate

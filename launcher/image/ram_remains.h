// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a snapshot with the guest's RAM leaves in the image when QEMU fails to save it, and how that
// is taken out again: the disk grows over it for a moment, and shrinks. A note of the VM's, made
// before the snapshot, tells those who come later when tapgate was killed meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "launcher/qemu/qmp_client.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// MiB that the state of a guest's devices takes in a snapshot, at the most.
constexpr std::uint64_t snapshot_of_devices = 64;

/// The image that QEMU writes the guest's RAM to, for as long as a snapshot is made.
class RamRemains {
  public:
    using Milliseconds = std::chrono::milliseconds;

    /// Notes the size that the disk has. `node`: QEMU's name for it; `image`: as query-block tells
    /// of it; `limit`: for each step. Throws a LauncherError when there is no room for the note.
    RamRemains(QmpClient& qmp, const VmName& vm, std::string node, const nlohmann::json& image,
               Milliseconds limit);
    /// The note goes, unless the disk could not be given its size back.
    ~RamRemains();
    RamRemains(const RamRemains&) = delete;
    RamRemains& operator=(const RamRemains&) = delete;

    /// Takes out what was written, and that alone: a snapshot that failed QEMU itself takes back.
    /// SIGINT, SIGTERM and SIGHUP wait until it is over. Returns why that was not possible; empty:
    /// it was. Throws a LauncherError, of the signal when one came.
    std::string take_back();

  private:
    std::string shrink_again();
    bool resized(std::uint64_t size, std::string& why);

    QmpClient& qmp_;
    const VmName& vm_;
    std::string node_;
    Milliseconds limit_;
    std::uint64_t size_;       // bytes
    std::uint64_t entry_ = 0;  // that one entry of the first table leads to; 0: not known
    std::uint64_t most_ = 0;   // that QEMU can write
    bool has_size_ = true;
};

/// A disk of the running VM that has grown, since tapgate was killed in take_back(), gets its size
/// back, while the guest still stands still for that. Returns what the user should know; empty:
/// there was nothing to mend.
std::string mend_grown_disk(const VmName& vm, QmpClient& qmp);
std::string mend_grown_disk(const VmName& vm);

/// The same of a VM that is off, whose disk somebody may have resized since then: what is odd about
/// it, and the command that would mend it; empty: nothing is.
std::string grown_disk(const VmSpec& spec);

}  // namespace tapgate

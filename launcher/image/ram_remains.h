// SPDX-License-Identifier: GPL-2.0-or-later
//
// Removes what a snapshot with the guest's RAM leaves in the image when QEMU fails to save it: the
// disk grows over it for a moment, and shrinks again. A note, made before the snapshot, tells later
// commands when tapgate was killed meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "launcher/qemu/qmp_client.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// The most MiB that the state of a guest's devices takes in a snapshot.
constexpr std::uint64_t snapshot_of_devices = 64;

/// The image that QEMU writes the guest's RAM to, while a snapshot is being made.
class RamRemains {
  public:
    using Milliseconds = std::chrono::milliseconds;

    /// Notes the disk's current size. `node` is QEMU's name for it, `image` what query-block says
    /// about it, and `limit` the time for each step. Throws a LauncherError when there is no room
    /// for the note.
    RamRemains(QmpClient& qmp, const VmName& vm, std::string node, const nlohmann::json& image,
               Milliseconds limit);
    /// Removes the note, unless the disk's size could not be restored.
    ~RamRemains();
    RamRemains(const RamRemains&) = delete;
    RamRemains& operator=(const RamRemains&) = delete;

    /// Removes what was written, but no more: QEMU itself removes a snapshot that failed. SIGINT,
    /// SIGTERM and SIGHUP are held back until that is done. Returns why it was not possible, or an
    /// empty string. Throws a LauncherError, also for a signal that came.
    std::string take_back();

  private:
    std::string shrink_again();
    bool resized(std::uint64_t size, std::string& why);

    QmpClient& qmp_;
    const VmName& vm_;
    std::string node_;
    Milliseconds limit_;
    std::uint64_t size_;       // in bytes
    std::uint64_t entry_ = 0;  // how much one entry of the first table maps; 0: not known
    std::uint64_t most_ = 0;   // the most that QEMU can write
    bool has_size_ = true;
};

/// Restores the size of a disk of the running VM that has grown because tapgate was killed in
/// take_back(), if the guest has stood still since then. Returns what the user should know; empty
/// when there was nothing to repair.
std::string mend_grown_disk(const VmName& vm, QmpClient& qmp);
std::string mend_grown_disk(const VmName& vm);

/// The same for a VM that is off, but repairs nothing, since somebody may have resized the disk
/// since then. Returns what is odd and the command that would repair it; empty when nothing is.
std::string grown_disk(const VmSpec& spec);

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// Plugging disks and adapters into a VM that runs, and out of it, by QMP.
//
// What is plugged in is called as at a start: diskN on the image diskN-image, nicN on the netdev
// netN. A step that fails takes back those before it.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/qemu/argv_drives.h"
#include "launcher/qemu/qmp_client.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// A disk, or a CD in its drive, of a VM that runs.
struct PluggedImage {
    std::string device;  ///< "disk0", "cdrom0"
    std::string path;
    bool read_only = false;
};

/// A connection to the QMP of a VM that runs: while it is there, no other tapgate plugs.
class Hotplug {
  public:
    /// Throws a QmpError.
    explicit Hotplug(const VmName& name);

    /// The devices that have a name, ports and controllers too.
    std::set<std::string> devices();

    /// What is in the disks and the drives.
    std::vector<PluggedImage> images();

    /// Plugs the disk in, as `id`. Throws a LauncherError; nothing of it is left then.
    void plug_disk(const Disk& disk, const std::string& id, const HostDevices& host);

    /// Plugs the adapter in, as `nicN` for the `index` N. Descriptors for a bridge only: one tap
    /// for each queue, and as many of vhost-net or none. Throws as plug_disk() does.
    void plug_nic(const Net& net, unsigned index, const MacAddress& mac,
                  std::optional<unsigned> mtu, const std::vector<UniqueFd>& taps,
                  const std::vector<UniqueFd>& vhosts);

    /// Takes the disk or the adapter out, when the guest has let go of it; and what is behind it,
    /// also what is left of an earlier call that gave up. Throws a LauncherError, after `limit`
    /// too.
    void unplug(const std::string& id, std::chrono::milliseconds limit);

    /// Whether something of the disk or the adapter is there: itself, or what is behind it.
    bool has_part_of(const std::string& id);

  private:
    nlohmann::json command(const std::string& command, const nlohmann::json& arguments = nullptr);
    void undo(const std::string& command, const nlohmann::json& arguments) noexcept;
    void place(ArgvJson& device);
    std::vector<std::string> nodes_of(const std::string& id);
    void wait_until_gone(const std::string& id, std::chrono::milliseconds limit);
    void remove_node(const std::string& node);

    std::string vm_;
    QmpClient qmp_;
};

}  // namespace tapgate

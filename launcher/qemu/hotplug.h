// SPDX-License-Identifier: GPL-2.0-or-later
//
// Plugs disks and adapters into a running VM, and unplugs them, by QMP.
//
// They have the same names as at a start: diskN on the image diskN-image, nicN on the netdev netN.
// When a step fails, the steps before it are undone.
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

/// A disk, or a CD in its drive, of a running VM.
struct PluggedImage {
    std::string device;  ///< "disk0", "cdrom0"
    std::string path;
    bool read_only = false;
};

/// A connection to the QMP of a running VM. While it exists, no other tapgate can plug or unplug.
class Hotplug {
  public:
    /// Throws a QmpError.
    explicit Hotplug(const VmName& name);

    /// The ids of all devices that have one, including ports and controllers.
    std::set<std::string> devices();

    /// The images in the VM's disks and drives.
    std::vector<PluggedImage> images();

    /// Plugs the disk in, as `id`. Throws a LauncherError, and then leaves nothing behind.
    void plug_disk(const Disk& disk, const std::string& id, const HostDevices& host);

    /// Plugs the adapter in, as nicN where N is `index`. For a bridge it needs descriptors: a tap
    /// for each queue, and as many of vhost-net or none. Throws as plug_disk() does.
    void plug_nic(const Net& net, unsigned index, const MacAddress& mac,
                  std::optional<unsigned> mtu, const std::vector<UniqueFd>& taps,
                  const std::vector<UniqueFd>& vhosts);

    /// Unplugs the disk or the adapter, and what is behind it, when the guest has let go of it.
    /// Also completes an earlier call that gave up. Throws a LauncherError, also when `limit` is
    /// over.
    void unplug(const std::string& id, std::chrono::milliseconds limit);

    /// Whether a part of the disk or the adapter is there: the device, or what is behind it.
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

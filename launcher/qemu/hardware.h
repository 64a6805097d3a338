// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a guest finds in its VM. The RAM in a snapshot only fits a VM with the same: QEMU finds out
// when the disks are as they were then already, and sometimes not even then.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "launcher/qemu/qmp_client.h"

namespace tapgate {

struct Hardware {
    /// By keys of VM files, in values that they can have ("memory", "512M"); beside them
    /// "firmware", the file of a UEFI, and "kernel", "given" when QEMU loads one.
    std::map<std::string, std::string> settings;
    /// The types and places of devices ("virtio-blk-pci", "port4 0"), by QEMU's ids.
    struct Device {
        std::string type;
        std::string place;
        friend bool operator==(const Device&, const Device&) = default;
    };
    std::map<std::string, Device> devices;
};

/// What the VM has now, as QEMU says. Throws a QmpError or a LauncherError.
Hardware hardware_of(QmpClient& qmp);

/// What differs between the two, as a part of a line: "memory was 512M and is 1024M, nic1
/// (virtio-net-pci) was not there". Empty when nothing does.
std::string difference_between(const Hardware& then, const Hardware& now);

/// The words for `tapgate set` with which a VM like `now` gets the settings of `then`; without the
/// firmware and the devices.
std::string settings_to_restore(const Hardware& then, const Hardware& now);

nlohmann::json json_of(const Hardware& hardware);

/// Nothing when `json` has another form.
std::optional<Hardware> hardware_in(const nlohmann::json& json);

}  // namespace tapgate

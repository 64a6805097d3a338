// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/standstill.h"

#include <nlohmann/json.hpp>
#include <thread>

#include "launcher/base/error.h"
#include "launcher/base/host_resources.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;

// What QEMU calls the state of a guest whose disk has failed.
constexpr std::string_view disk_failure = "io-error";

// Of the disk whose request failed, by QEMU's word.
std::string disk_trouble(const VmName& name, milliseconds limit) {
    for (const auto& device : qmp_command(name, "query-block", nullptr, limit)) {
        const std::string status = device.value("io-status", "ok");
        const auto inserted = device.find("inserted");
        if (status == "ok" || inserted == device.end() || !inserted->is_object())
            continue;
        const std::string path = inserted->value("file", "");
        if (status != "nospace")
            return "the host cannot read or write " + shown(path) +
                   " (dmesg may say why); when that is mended";
        const DiskFacts space = disk_space(path);
        return "the file system " + shown(mount_point_of(path)) + " is full, where " + shown(path) +
               " grows (" + std::to_string(space.free_mebibytes) + " MiB free); make room there";
    }
    return "a disk of it has failed; when that is mended";
}

// The guest's state; empty when QEMU does not say: others say better why.
std::string state_of(const VmName& name, milliseconds limit) {
    try {
        return guest_status(name, limit);
    } catch (const LauncherError&) {
        return {};
    }
}

}  // namespace

std::string failed_disk(const VmName& name, milliseconds limit) {
    if (state_of(name, limit) != disk_failure)
        return {};
    std::string trouble = "a disk of it has failed; when that is mended";
    try {
        trouble = disk_trouble(name, limit);
    } catch (const LauncherError&) {
        // It hangs now, or has ended.
    } catch (const nlohmann::json::exception&) {
        // A QEMU that answers otherwise.
    }
    return "its guest stands still, since " + trouble + ", then: tapgate resume " + name.str();
}

std::string standstill(const VmName& name, milliseconds limit) {
    if (state_of(name, limit) == "paused")
        return "its guest is paused; it goes on with: tapgate resume " + name.str();
    return failed_disk(name, limit);
}

void let_go_on(const VmName& name) {
    const std::string before = guest_status(name);
    qmp_command(name, "cont");
    // What failed is tried again at once.
    std::string now = guest_status(name);
    for (int left = 20; left > 0 && before == disk_failure && now == "running"; left--) {
        std::this_thread::sleep_for(milliseconds(50));
        now = guest_status(name);
    }
    if (now == "running")
        return;
    const std::string why = standstill(name);
    throw LauncherError(name.str() + " does not go on: " +
                        (why.empty() ? "its guest is in the state " + now : why));
}

}  // namespace tapgate

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

// And of one whose RAM was to be replaced by a snapshot's, which did not fit.
constexpr std::string_view half_restored = "restore-vm";

std::string since_half_restored(const VmName& name) {
    return "its guest cannot go on, since half of its state is a snapshot's; end it with: tapgate "
           "kill " +
           name.str();
}

// What QEMU says about the disk whose request failed.
std::string disk_trouble(QmpClient& qmp, milliseconds limit) {
    std::string unknown = "a disk of it has failed; when that is mended";
    try {
        for (const auto& device : qmp_command(qmp, "query-block", nullptr, limit)) {
            const std::string status = device.value("io-status", "ok");
            const auto inserted = device.find("inserted");
            if (status == "ok" || inserted == device.end() || !inserted->is_object())
                continue;
            const std::string path = inserted->value("file", "");
            if (status != "nospace")
                return "the host cannot read or write " + shown(path) +
                       " (dmesg may say why); when that is mended";
            const DiskFacts space = disk_space(path);
            return "the file system " + shown(mount_point_of(path)) + " is full, where " +
                   shown(path) + " grows (" + std::to_string(space.free_mebibytes) +
                   " MiB free); make room there";
        }
    } catch (const nlohmann::json::exception&) {  // NOLINT(bugprone-empty-catch)
        // The answer has another form than QEMU's.
    }
    return unknown;
}

std::string since_disk_failed(const VmName& name, QmpClient& qmp, milliseconds limit) {
    return "its guest stands still, since " + disk_trouble(qmp, limit) + ", then: tapgate resume " +
           name.str();
}

// The result of `look` at a QEMU that answers. For one that does not, others explain why.
template <typename Look>
std::string where_it_answers(const VmName& name, milliseconds limit, const Look& look) {
    try {
        QmpClient qmp = QmpClient::connect(qmp_path(name), limit);
        return look(qmp);
    } catch (const QmpError&) {
        return {};
    } catch (const LauncherError&) {
        return {};
    }
}

}  // namespace

std::string failed_disk(const VmName& name, milliseconds limit) {
    return where_it_answers(name, limit, [&](QmpClient& qmp) {
        return guest_status(qmp, limit) == disk_failure ? since_disk_failed(name, qmp, limit) : "";
    });
}

std::string standstill(const VmName& name, QmpClient& qmp, milliseconds limit) {
    const std::string state = guest_status(qmp, limit);
    if (state == "paused")
        return "its guest is paused; it goes on with: tapgate resume " + name.str();
    if (state == half_restored)
        return since_half_restored(name);
    return state == disk_failure ? since_disk_failed(name, qmp, limit) : "";
}

std::string standstill(const VmName& name, milliseconds limit) {
    return where_it_answers(name, limit,
                            [&](QmpClient& qmp) { return standstill(name, qmp, limit); });
}

void let_go_on(const VmName& name) {
    const std::string before = guest_status(name);
    if (before == half_restored)  // QEMU would let it go on, and ruin its disks
        throw LauncherError(name.str() + ": " + since_half_restored(name));
    qmp_command(name, "cont");
    // The guest retries what failed at once.
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

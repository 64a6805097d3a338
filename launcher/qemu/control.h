// SPDX-License-Identifier: GPL-2.0-or-later
//
// What can be asked of a running VM, by its QMP socket and its process.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/qemu/qmp_client.h"
#include "launcher/vm/state.h"

namespace tapgate {

/// How long a VM's QMP may take. If another client is connected, this includes waiting for it to
/// leave.
constexpr std::chrono::milliseconds qmp_limit{3000};

/// The error to show when the VM's QMP fails; it includes the way out of a QEMU that hangs. Waits
/// up to `limit` for the end of a QEMU that seems to be ending.
LauncherError qmp_failure(const VmName& name, const QmpError& error,
                          std::chrono::milliseconds limit = qmp_limit);

/// Runs one QMP command. Throws a LauncherError when QEMU does not answer, or refuses.
nlohmann::json qmp_command(const VmName& name, const std::string& command,
                           const nlohmann::json& arguments = nullptr,
                           std::chrono::milliseconds limit = qmp_limit);

/// The same over an existing connection. Throws a QmpError when QEMU does not answer, and a
/// LauncherError when it refuses.
nlohmann::json qmp_command(QmpClient& qmp, const std::string& command,
                           const nlohmann::json& arguments = nullptr,
                           std::chrono::milliseconds limit = qmp_limit);

/// What QEMU calls the guest's state: "running", "paused", "internal-error", ... For a VM or over a
/// connection; throws as the corresponding qmp_command() does.
std::string guest_status(const VmName& name, std::chrono::milliseconds limit = qmp_limit);
std::string guest_status(QmpClient& qmp, std::chrono::milliseconds limit = qmp_limit);

/// Where a viewer finds the VM's screen: "unix:PATH", "127.0.0.1:5901", "HOST:5901". Asks QEMU,
/// since that may have chosen the port. Empty when there is no screen. Throws as qmp_command()
/// does.
std::string vnc_address(const VmName& name, std::chrono::milliseconds limit = qmp_limit);

/// A descriptor of the VM's QEMU, which the caller owns. poll() finds it readable when QEMU has
/// ended. None when QEMU does not run.
UniqueFd qemu_pidfd(const VmName& name);

/// Kills QEMU with SIGKILL.
void kill_qemu(const UniqueFd& pidfd);

}  // namespace tapgate

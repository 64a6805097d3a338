// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/control.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <thread>

#include "launcher/base/text.h"

namespace tapgate {

namespace {

// Whether QEMU has ended, or does soon: its sockets go first, and on a busy host it takes a while
// until the rest has gone.
bool has_ended(const VmName& name, std::chrono::milliseconds limit) {
    constexpr std::chrono::milliseconds pause{10};
    for (auto left = std::min(limit, qmp_limit); left.count() > 0; left -= pause) {
        if (vm_state(name).qemu == 0)
            return true;
        std::this_thread::sleep_for(pause);
    }
    return false;
}

}  // namespace

LauncherError qmp_failure(const VmName& name, const QmpError& error,
                          std::chrono::milliseconds limit) {
    if (std::string why = why_lost(name); !why.empty())
        return LauncherError(std::move(why));
    if ((error.kind() == QmpError::Kind::unreachable || error.kind() == QmpError::Kind::closed) &&
        has_ended(name, limit))
        return LauncherError(name.str() + " has just ended");
    const bool may_hang = error.kind() == QmpError::Kind::too_slow;
    if (!may_hang && error.kind() != QmpError::Kind::unreachable)
        return LauncherError(error.what());
    return LauncherError(std::string(error.what()) + "; if that stays so, " +
                         (may_hang ? "QEMU hangs, and " : "") + "its end is: tapgate kill " +
                         name.str());
}

nlohmann::json qmp_command(QmpClient& qmp, const std::string& command,
                           const nlohmann::json& arguments, std::chrono::milliseconds limit) {
    QmpAnswer answer = qmp.execute(command, arguments, limit);
    if (!answer.ok())
        throw LauncherError("QEMU refuses " + command + ": " + answer.error);
    return std::move(answer.value);
}

nlohmann::json qmp_command(const VmName& name, const std::string& command,
                           const nlohmann::json& arguments, std::chrono::milliseconds limit) {
    try {
        QmpClient qmp = QmpClient::connect(qmp_path(name), std::min(limit, qmp_limit));
        return qmp_command(qmp, command, arguments, limit);
    } catch (const QmpError& error) {
        throw qmp_failure(name, error, limit);
    }
}

std::string guest_status(QmpClient& qmp, std::chrono::milliseconds limit) {
    const nlohmann::json answer = qmp_command(qmp, "query-status", nullptr, limit);
    const auto status = answer.is_object() ? answer.find("status") : answer.end();
    return status != answer.end() && status->is_string() ? shown(status->get<std::string>())
                                                         : "unknown";
}

std::string guest_status(const VmName& name, std::chrono::milliseconds limit) {
    try {
        QmpClient qmp = QmpClient::connect(qmp_path(name), limit);
        return guest_status(qmp, limit);
    } catch (const QmpError& error) {
        throw qmp_failure(name, error, limit);
    }
}

std::string vnc_address(const VmName& name, std::chrono::milliseconds limit) {
    const nlohmann::json vnc = qmp_command(name, "query-vnc", nullptr, limit);
    if (!vnc.value("enabled", false))
        return {};
    std::string host = vnc.value("host", "");
    if (vnc.value("family", "") == "unix")
        return "unix:" + (host.empty() ? vnc.value("service", "") : host);
    // It listens on every address of this host; a viewer elsewhere needs the host's name.
    if (std::array<char, 256> own{};
        (host == "0.0.0.0" || host == "::") && gethostname(own.data(), own.size() - 1) == 0)
        host = own.data();
    return host + ":" + vnc.value("service", "");
}

UniqueFd qemu_pidfd(const VmName& name) {
    const pid_t pid = vm_state(name).qemu;
    if (pid == 0)
        return {};
    UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    // Make sure that it is still the same process: its number may belong to another by now.
    if (vm_state(name).qemu != pid)
        fd.reset();
    return fd;
}

void kill_qemu(const UniqueFd& pidfd) {
    syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/control.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/qemu/qmp_client.h"

namespace tapgate {

namespace {

nlohmann::json answer_of(QmpClient& qmp, const std::string& command,
                         const nlohmann::json& arguments, std::chrono::milliseconds limit) {
    QmpAnswer answer = qmp.execute(command, arguments, limit);
    if (!answer.ok())
        throw LauncherError("QEMU refuses " + command + ": " + answer.error);
    return std::move(answer.value);
}

std::string status_in(const nlohmann::json& answer) {
    const auto status = answer.is_object() ? answer.find("status") : answer.end();
    return status != answer.end() && status->is_string() ? shown(status->get<std::string>())
                                                         : "unknown";
}

}  // namespace

std::string qmp_path(const VmName& name) {
    return vm_directory(name) + "/qmp.sock";
}
std::string console_path(const VmName& name) {
    return vm_directory(name) + "/console.sock";
}

nlohmann::json qmp_command(const VmName& name, const std::string& command,
                           const nlohmann::json& arguments, std::chrono::milliseconds limit) {
    try {
        QmpClient qmp = QmpClient::connect(qmp_path(name), limit);
        return answer_of(qmp, command, arguments, limit);
    } catch (const QmpError& error) {
        throw LauncherError(error.what());
    }
}

std::string guest_status(const VmName& name, std::chrono::milliseconds limit) {
    return status_in(qmp_command(name, "query-status", nullptr, limit));
}

std::string vnc_address(const VmName& name, std::chrono::milliseconds limit) {
    const nlohmann::json vnc = qmp_command(name, "query-vnc", nullptr, limit);
    if (!vnc.value("enabled", false))
        return {};
    std::string host = vnc.value("host", "");
    if (vnc.value("family", "") == "unix")
        return "unix:" + (host.empty() ? vnc.value("service", "") : host);
    // Every address of this host: what others call it is the one that a viewer needs.
    if (std::array<char, 256> own{};
        (host == "0.0.0.0" || host == "::") && gethostname(own.data(), own.size() - 1) == 0)
        host = own.data();
    return host + ":" + vnc.value("service", "");
}

void take_step(const VmName& name, PowerDown::Step step) {
    try {
        QmpClient qmp = QmpClient::connect(qmp_path(name), qmp_limit);
        if (step == PowerDown::Step::quit) {
            answer_of(qmp, "quit", nullptr, qmp_limit);
            return;
        }
        if (status_in(answer_of(qmp, "query-status", nullptr, qmp_limit)) == "paused")
            answer_of(qmp, "cont", nullptr, qmp_limit);
        answer_of(qmp, "system_powerdown", nullptr, qmp_limit);
    } catch (const QmpError& error) {
        throw LauncherError(error.what());
    }
}

UniqueFd qemu_pidfd(const VmName& name) {
    const pid_t pid = vm_state(name).qemu;
    if (pid == 0)
        return {};
    UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    // Still the same process: the number can have become another's in between.
    if (vm_state(name).qemu != pid)
        fd.reset();
    return fd;
}

void kill_qemu(const UniqueFd& pidfd) {
    syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
}

}  // namespace tapgate

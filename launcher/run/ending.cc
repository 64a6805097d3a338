// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/ending.h"

#include <poll.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/base/output.h"
#include "launcher/qemu/control.h"
#include "launcher/qemu/qmp_client.h"
#include "launcher/qemu/standstill.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using Step = PowerDown::Step;

// For a moment, a VM that another tapgate has just ended looks as if it were starting.
constexpr milliseconds ending_looks_so{300};
constexpr milliseconds ending_pause{20};

// At the next question it becomes clear whether QEMU hangs.
constexpr milliseconds look_limit{1000};

bool ended(const UniqueFd& qemu, milliseconds limit) {
    pollfd end{qemu.get(), POLLIN, 0};
    return poll(&end, 1, static_cast<int>(limit.count())) > 0;
}

LauncherError still_up(const VmName& name, milliseconds limit) {
    return LauncherError(name.str() + " has not powered down within " +
                         std::to_string(limit.count() / 1000) +
                         " s; its guest may not react to the power button. Wait longer with "
                         "--timeout=SECONDS, or cut its power: tapgate stop --force " +
                         name.str());
}

}  // namespace

void take_step(const VmName& name, PowerDown::Step step) {
    try {
        QmpClient qmp = QmpClient::connect(qmp_path(name), qmp_limit);
        if (step == PowerDown::Step::quit) {
            qmp_command(qmp, "quit");
            return;
        }
        if (guest_status(qmp) == "paused")
            qmp_command(qmp, "cont");
        qmp_command(qmp, "system_powerdown");
    } catch (const QmpError& error) {
        throw qmp_failure(name, error);
    }
}

UniqueFd running_qemu(const VmName& name) {
    for (auto left = ending_looks_so;; left -= ending_pause) {
        if (UniqueFd qemu = qemu_pidfd(name))
            return qemu;
        if (vm_state(name).life != Life::starting)
            break;
        if (left.count() <= 0)
            throw LauncherError(name.str() + " is just being started; try again when it runs");
        std::this_thread::sleep_for(ending_pause);
    }
    require_vm(name);
    note(name.str() + " does not run");
    return {};
}

void require_running(const VmName& name) {
    if (const std::string why = why_lost(name); !why.empty())
        throw LauncherError(why);
    const VmState state = vm_state(name);
    if (state.qemu != 0)
        return;
    require_vm(name);
    throw LauncherError(name.str() +
                        (state.life == Life::starting
                             ? " is just being started; wait for it with: tapgate wait "
                             : " does not run; start it with: tapgate start ") +
                        name.str());
}

void settle(const VmName& name) {
    try {
        const UniqueFd lock = lock_vm(name, milliseconds(3000));
        clear_vm_directory(name);
    } catch (const LauncherError&) {
        if (vm_state(name).qemu == 0)
            throw;
        // Somebody has started it again.
    }
}

void end_by_force(const VmName& name, const UniqueFd& qemu) {
    kill_qemu(qemu);
    if (!ended(qemu, PowerDown::Limits().kill))
        throw LauncherError("QEMU cannot be killed: it hangs in the kernel, process " +
                            std::to_string(vm_state(name).qemu));
}

void power_down_vm(const VmName& name, const UniqueFd& qemu, milliseconds limit, bool force) {
    if (const std::string why = why_lost(name); !why.empty()) {
        if (!force)
            throw LauncherError(why);
        note("its guest cannot be asked; cutting its power");
        end_by_force(name, qemu);
        return;
    }
    // A guest whose disk has failed will not see the power button.
    if (const std::string why = failed_disk(name, look_limit); !why.empty() && !force)
        throw LauncherError(name.str() + ": " + why + "; or cut its power: tapgate kill " +
                            name.str());
    PowerDown down({.guest = limit});
    const auto begin = Clock::now();
    auto tell = begin + milliseconds(1000);
    Step step = down.begin(begin);
    bool asked = false;
    std::optional<LauncherError> unheard;  // the error of the last press
    for (;;) {
        if (step == Step::quit && !force)
            throw unheard ? *unheard : still_up(name, limit);
        if (step == Step::quit)
            note("cutting the guest's power");
        if (step == Step::kill || step == Step::give_up) {
            end_by_force(name, qemu);
            return;
        }
        if (step != Step::none) {
            try {
                take_step(name, step);
                asked = true;
                unheard.reset();
            } catch (const LauncherError& error) {
                // It may be ending right now: its sockets close first.
                if (ended(qemu, milliseconds(2000)))
                    return;
                unheard = error;
                // If an earlier press was heard, the guest may be powering down, on a host too busy
                // for an answer.
                if (!asked) {
                    if (!force)
                        throw;
                    note(error.what());
                }
            }
        }
        const auto until = std::min(tell, down.next().value_or(tell));
        if (ended(qemu, milliseconds(milliseconds_until(until))))
            return;
        if (Clock::now() >= tell) {
            const auto passed =
                std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin);
            note("waiting for " + name.str() + " to power down (" + std::to_string(passed.count()) +
                 " s)");
            tell += milliseconds(5000);
        }
        step = down.due(Clock::now());
    }
}

}  // namespace tapgate

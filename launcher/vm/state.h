// SPDX-License-Identifier: GPL-2.0-or-later
//
// The state of a VM that runs or has run: its directory below runtime_directory(), which contains
//
//   lock       flock()ed by the VM's supervisor while it lives, so that only one can start it
//   qemu.pid   locked (fcntl) by QEMU while it lives: the lock, not the file, says that it runs
//   vm.json    the RunRecord, written before QEMU starts
//   console.lock flock()ed by `tapgate console`, so that only one runs
//   qmp.sock events.sock console.sock agent.sock vnc.sock console.log console.log.1 qemu.log
//
// Its mode is 0700: whoever can connect to qmp.sock controls the user's account.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"
#include "common/unique_fd.h"

namespace tapgate {

/// The VM's directory of sockets and files. It need not exist.
std::string vm_directory(const VmName& name);

/// The names of the files that QEMU makes in that directory.
namespace vm_files {
constexpr std::string_view qmp = "qmp.sock";
constexpr std::string_view events = "events.sock";  ///< a second QMP, for `tapgate events`
constexpr std::string_view console = "console.sock";
constexpr std::string_view agent = "agent.sock";  ///< the guest agent's
constexpr std::string_view vnc = "vnc.sock";
constexpr std::string_view pid = "qemu.pid";
}  // namespace vm_files

/// The name of the socket in that directory for the VM's share number `index`, if it is virtiofs.
std::string share_socket(size_t index);

std::string qmp_path(const VmName& name);
std::string events_path(const VmName& name);
std::string console_path(const VmName& name);
std::string agent_path(const VmName& name);

/// An adapter of a VM that has been started.
struct RunNet {
    std::string bridge;  ///< empty: QEMU's own NAT
    std::string mac;
    std::string tap;      ///< the name of the tap device; empty when not known
    std::string id = {};  ///< QEMU's id of the adapter: "nic0"
};

/// What the supervisor that started a VM tells the other verbs.
struct RunRecord {
    pid_t supervisor = 0;
    std::int64_t started = 0;        ///< seconds since 1970
    std::string qemu;                ///< the path of the program
    std::string accelerator;         ///< "kvm" or "tcg"
    std::string unit;                ///< the unit of systemd --user that it runs in; empty: none
    std::vector<std::string> words;  ///< the arguments of `tapgate start`
    std::vector<RunNet> nets;
};

void write_run_record(const VmName& name, const RunRecord& record);

/// Nothing when the VM was never started, or its record cannot be read.
std::optional<RunRecord> read_run_record(const VmName& name);

enum class Life {
    off,       ///< never started, or ended in order
    starting,  ///< a supervisor holds the lock, but QEMU does not run yet
    running,
    stopping,  ///< QEMU has ended, and the supervisor is about to
    lost,      ///< QEMU runs, but the directory was removed: see qemu_process.h
    crashed,   ///< neither runs, but the directory was not cleared: killed, or the host went down
};
std::string_view name_of(Life life);

struct VmState {
    Life life = Life::off;
    pid_t qemu = 0;        ///< 0 when it does not run
    pid_t supervisor = 0;  ///< 0 when it does not run
};
VmState vm_state(const VmName& name);

/// Why tapgate cannot reach a VM that is lost, and the ways to its end; empty if it is not lost.
std::string why_lost(const VmName& name);

/// Throws no_such_vm() when the VM has neither a file nor a directory of a run: a mistyped name
/// must not be taken for a VM that is off.
void require_vm(const VmName& name);

/// All VMs that have a directory or are lost, in alphabetical order, whatever their state.
std::vector<VmName> vms_with_state();

/// The host that the VM runs on, if that is another host that shares the home and has its runtime
/// directory there (a node of a cluster). Empty when none is known.
std::string host_of_running(const VmName& name);

/// The runtime base below the home (see directories.h) of the host that the VM ran on last; empty
/// when none is known.
std::string last_runtime_base(const VmName& name);

/// The right to start the VM, held for as long as the descriptor is open. Makes the directory if
/// there is none. When another process has the right, or the VM is lost, throws a LauncherError
/// ("lab is running already ...") without waiting.
UniqueFd lock_vm(const VmName& name);

/// The same, but waits up to `limit` for another tapgate that has it. Not while the VM runs.
UniqueFd lock_vm(const VmName& name, std::chrono::milliseconds limit);

/// The right to type on the VM's console, held for as long as the descriptor is open. When another
/// `tapgate console` has it, throws a LauncherError without waiting.
UniqueFd lock_console(const VmName& name);

/// Removes what a run has left, except its logs. Only for the holder of the lock.
void clear_vm_directory(const VmName& name);

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is known of a VM that runs, or ran: its directory below runtime_directory(), which holds
//
//   lock       flock()ed by the VM's supervisor for as long as it lives: one start at a time
//   qemu.pid   locked by QEMU (fcntl) for as long as it lives: that lock, not the file, is life
//   vm.json    the RunRecord, written before QEMU starts
//   console.lock flock()ed by `tapgate console`: one at a time
//   qmp.sock events.sock console.sock agent.sock vnc.sock console.log console.log.1 qemu.log
//
// Its mode is 0700: who can connect to qmp.sock has the whole of the user's account.
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

/// The VM's directory of sockets and files. It may not be there.
std::string vm_directory(const VmName& name);

/// What QEMU makes in that directory.
namespace vm_files {
constexpr std::string_view qmp = "qmp.sock";
constexpr std::string_view events = "events.sock";  ///< QMP again, for `tapgate events'
constexpr std::string_view console = "console.sock";
constexpr std::string_view agent = "agent.sock";  ///< of the guest's agent
constexpr std::string_view vnc = "vnc.sock";
constexpr std::string_view pid = "qemu.pid";
}  // namespace vm_files

/// The name there of the socket of the VM's share number `index`, when that is by virtiofs.
std::string share_socket(size_t index);

std::string qmp_path(const VmName& name);
std::string events_path(const VmName& name);
std::string console_path(const VmName& name);
std::string agent_path(const VmName& name);

/// An adapter of a VM that was started.
struct RunNet {
    std::string bridge;  ///< empty: QEMU's own NAT
    std::string mac;
    std::string tap;      ///< the tap device's name; empty when not known
    std::string id = {};  ///< QEMU's for the adapter: "nic0"
};

/// What the supervisor that started a VM leaves for the other verbs.
struct RunRecord {
    pid_t supervisor = 0;
    std::int64_t started = 0;        ///< seconds since 1970
    std::string qemu;                ///< the program
    std::string accelerator;         ///< "kvm" or "tcg"
    std::string unit;                ///< the systemd --user unit it runs in; empty: none
    std::vector<std::string> words;  ///< that `tapgate start` was given
    std::vector<RunNet> nets;
};

void write_run_record(const VmName& name, const RunRecord& record);

/// Nothing when the VM was never started (or its record cannot be read).
std::optional<RunRecord> read_run_record(const VmName& name);

enum class Life {
    off,       ///< never started, or shut down in order
    starting,  ///< a supervisor holds the lock, and QEMU is not there yet
    running,
    stopping,  ///< QEMU has ended, the supervisor is about to
    crashed,   ///< neither lives, and the directory was not cleared: killed, or the host went down
};
std::string_view name_of(Life life);

struct VmState {
    Life life = Life::off;
    pid_t qemu = 0;        ///< 0 when it does not run
    pid_t supervisor = 0;  ///< 0 when there is none
};
VmState vm_state(const VmName& name);

/// Throws no_such_vm() when the VM has neither a file nor a directory of a run: a name that was
/// mistyped is no VM that is off.
void require_vm(const VmName& name);

/// All VMs that have a directory, in alphabetical order, whatever their state.
std::vector<VmName> vms_with_state();

/// The host that the VM runs on, when it is another one that shares the home, and has its runtime
/// directory there (a node of a cluster). Empty: none that is known.
std::string host_of_running(const VmName& name);

/// The runtime base (see directories.h), below the home, of the host that the VM ran on last;
/// empty: none is known.
std::string last_runtime_base(const VmName& name);

/// The right to start the VM: held while the descriptor is open. The directory is made when it is
/// not there. Throws a LauncherError when another process has it ("lab is running already ..."),
/// without waiting.
UniqueFd lock_vm(const VmName& name);

/// The same, waiting up to `limit` for another tapgate that has it. Not while the VM runs.
UniqueFd lock_vm(const VmName& name, std::chrono::milliseconds limit);

/// The right to type on the VM's console, as long as the descriptor is open. Throws a LauncherError
/// when another `tapgate console` has it, without waiting.
UniqueFd lock_console(const VmName& name);

/// Takes away what a run left, all but its logs. Only for who holds the lock.
void clear_vm_directory(const VmName& name);

}  // namespace tapgate

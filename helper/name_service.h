// SPDX-License-Identifier: GPL-2.0-or-later
//
// Looks up users and groups without running the name service in this process.
//
// Names may live in LDAP, SSSD or elsewhere, behind modules that libc loads (nsswitch.conf(5)). A
// static, privileged program under a system call filter is no place for such code. So:
//   1. /etc/passwd and /etc/group are read here; on most hosts nothing else is needed.
//   2. For other names, the helper asks tapgate-lookup, a program without any privilege, in which
//      libc's name service runs.
//
// tapgate-lookup runs with the caller's uid, so the caller must be kept from tampering with it. A
// process that executes a file which its user may execute but not read is not dumpable, and so is
// out of reach of ptrace(2), /proc/PID/mem and /proc/PID/fd from its first moment (would_dump() in
// the kernel's fs/exec.c); with fs.suid_dumpable=1 this does not hold, and then nobody is asked.
// Therefore tapgate-lookup is installed execute-only (mode 0711). Where it can be read, because a
// store has no such mode (NixOS, Guix), the helper executes a copy of it in memory
// (memfd_create(2)), whose mode is 0111 and which nobody else can open. A process that is ending
// has no memory any more, and with that loses this protection in old kernels, where its descriptors
// are then within reach (pidfd_getfd(2)). So only the answer of a tapgate-lookup that has ended by
// itself, with exit code 0, counts; and it comes by a socket, from which nobody can take it back.
#pragma once

#include <optional>
#include <string>

#include "helper/policy.h"
#include "helper/privileges.h"

namespace tapgate {

/// The host's users and groups. Each file is read at most once, and only when a name is asked for.
class HostNames : public NameService {
  public:
    std::optional<uid_t> user_id(const std::string& name) override;
    std::optional<gid_t> group_id(const std::string& name) override;

    /// The owner of the subordinate uid `uid` by /etc/subuid; nothing when it has no owner, or only
    /// root, who may own all of them. Throws Failure when the owner cannot be found out, when no
    /// user has the name that is given there, when there are two owners, or when a line of the file
    /// is malformed.
    std::optional<uid_t> owner_of(uid_t uid);

  private:
    std::optional<std::string> passwd_;  // the files' texts, once read
    std::optional<std::string> group_;
};

/// The caller, with his groups, which this process still has. Throws Failure, also when the caller
/// is a subordinate uid of a subordinate uid.
Asker asker_of(const Caller& caller, HostNames& names);

}  // namespace tapgate

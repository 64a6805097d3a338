// SPDX-License-Identifier: GPL-2.0-or-later
//
// Users and groups, without the name service in this process.
//
// Names may live in LDAP, SSSD or elsewhere, behind modules that libc loads (nsswitch.conf(5)). A
// program that is static, privileged and under a system call filter is no place for such code. So:
//   1. /etc/passwd and /etc/group are read here; on most hosts that is all.
//   2. What is not there is asked of tapgate-lookup, a program without any privilege, in which
//      libc's name service runs.
// It runs with the caller's uid, like everything here by then, so the caller must be kept from
// tampering with it. A process that executes a file which its user may execute and not read is
// undumpable, and therefore out of reach of ptrace(2) and /proc/PID/mem and fd from its first
// moment on (would_dump() in the kernel's fs/exec.c), unless fs.suid_dumpable=1, where nobody is
// asked. So tapgate-lookup is installed execute-only (mode 0711). Where it can be read, since a
// store has no such mode (NixOS, Guix), a copy of it in memory (memfd_create(2)) is executed whose
// mode is 0111 and which nobody else can open.
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

    /// Whose subordinate uid `uid` is, by /etc/subuid; nothing when nobody's but root's, who may
    /// have all of them. Throws Failure when it cannot be found out, nobody has the name there, it
    /// is two users', or a line there is none.
    std::optional<uid_t> owner_of(uid_t uid);

  private:
    std::optional<std::string> passwd_;  // the files' texts, once read
    std::optional<std::string> group_;
};

/// The caller, with the groups that the kernel says this process has, which are the caller's.
/// Throws Failure, also when it is a subordinate uid of a subordinate uid.
Asker asker_of(const Caller& caller, HostNames& names);

}  // namespace tapgate

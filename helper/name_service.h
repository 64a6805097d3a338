// SPDX-License-Identifier: GPL-2.0-or-later
//
// Users and groups, without the name service in this process.
//
// Names may live in LDAP, SSSD or elsewhere, behind modules that libc loads (nsswitch.conf(5)). A
// program that is static, privileged and under a system call filter is no place for such code. So:
//   1. /etc/passwd and /etc/group are read here; on most hosts that is all.
//   2. What is not there is asked of tapgate-lookup, a program without any privilege, which libc's
//   name
//      service runs in.
// It runs with the caller's uid, like everything here by then, so the caller must be kept from
// tampering with it. A process that executes a file which its user may execute and not read is
// undumpable, and therefore out of reach of ptrace(2) and /proc/PID/mem and fd from its first
// moment on (would_dump() in the kernel's fs/exec.c). So tapgate-lookup is installed execute-only
// (mode 0711). Where it can be read, because a store has no such mode (NixOS, Guix), what is
// executed is a copy in memory (memfd_create(2)) whose mode is 0111, and which nobody else can
// open; that takes a moment, and /proc.
#ifndef TAPGATE_HELPER_NAME_SERVICE_H
#define TAPGATE_HELPER_NAME_SERVICE_H

#include <optional>
#include <string>

#include "helper/policy.h"
#include "helper/privileges.h"

namespace tapgate {

/// The host's users and groups. Each file is read at most once, and only when a name is asked for.
class HostNames : public NameService {
  public:
    /// `keep_from_lookup` is a descriptor that tapgate-lookup is not to inherit (the reply's
    /// socket), or -1.
    explicit HostNames(int keep_from_lookup) : keep_from_lookup_(keep_from_lookup) {}

    std::optional<uid_t> user_id(const std::string& name) override;
    std::optional<gid_t> group_id(const std::string& name) override;

  private:
    int keep_from_lookup_;
    std::optional<std::string> passwd_;  // the files' texts, once read
    std::optional<std::string> group_;
};

/// The caller, with the groups that the kernel says this process has, which are the caller's; read
/// only when a rule of `policy` is about a group. Throws Failure.
Asker asker_of(const Caller& caller, const Policy& policy);

}  // namespace tapgate

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cap-ng.h>

#include <array>
#include <cstring>

#include "helper/failure.h"

namespace tapgate {

namespace {

using CapabilitySets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

constexpr unsigned net_admin_bit = 1U << static_cast<unsigned>(CAP_NET_ADMIN);

// No capability except CAP_NET_ADMIN, permitted and effective as the arguments say.
CapabilitySets only_net_admin(bool permitted, bool effective) {
    CapabilitySets sets{};
    sets[0].permitted = permitted ? net_admin_bit : 0;
    sets[0].effective = effective ? net_admin_bit : 0;
    return sets;
}

// What the kernel says this process has. libcap-ng's own reader goes through /proc, and no file may
// be read before privileges are dropped.
CapabilitySets capabilities_now() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    CapabilitySets sets{};
    if (syscall(SYS_capget, &header, sets.data()) != 0)
        fail_with_errno("failed to drop privileges");
    return sets;
}

// The user ids, or the group ids, of this process: real, effective, saved.
using Ids = std::array<unsigned, 3>;

// `get` is getresuid() or getresgid(), which can report a failure, unlike getuid().
Ids ids_now(int (*get)(unsigned*, unsigned*, unsigned*)) {
    Ids ids{};
    if (get(ids.data(), &ids[1], &ids[2]) != 0)
        fail_with_errno("failed to drop privileges");
    return ids;
}

// Not capng_change_id(), which does the same but reads /proc/self/status three times on the way.
// The supplementary groups stay, on purpose: see the head of privileges.h.
void become_real_ids(uid_t uid, gid_t gid) {
    if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        fail_with_errno("failed to drop privileges");
}

void keep_net_admin_only(bool permitted) {
    capng_clear(CAPNG_SELECT_BOTH);
    const auto sets = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);
    if ((permitted && capng_update(CAPNG_ADD, sets, CAP_NET_ADMIN) != 0) ||
        capng_apply(CAPNG_SELECT_CAPS) != 0)
        throw Failure("failed to drop privileges");
}

// Asks the kernel, not the library, what is left, and then tries to regain root.
void prove_dropped(const Caller& caller) {
    if (ids_now(getresuid) != Ids{caller.uid, caller.uid, caller.uid} ||
        ids_now(getresgid) != Ids{caller.gid, caller.gid, caller.gid})
        throw Failure("failed to drop privileges: the ids are not the caller's");
    const CapabilitySets wanted = only_net_admin(caller.privileged, caller.privileged);
    if (std::memcmp(capabilities_now().data(), wanted.data(), sizeof wanted) != 0)
        throw Failure("failed to drop privileges: more than CAP_NET_ADMIN is left");
    if (caller.uid != 0 && setresuid(0, 0, 0) == 0)
        throw Failure("failed to drop privileges: root can be had back");
}

}  // namespace

Caller become_caller() {
    const auto [real_uid, effective_uid, saved_uid] = ids_now(getresuid);
    const bool privileged = (capabilities_now()[0].permitted & net_admin_bit) != 0;
    const Caller caller{
        .uid = real_uid,
        .gid = ids_now(getresgid).front(),
        .privileged = privileged,
        .no_new_privs = !privileged && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
    };

    // Without this, setresuid() from root to a user would take CAP_NET_ADMIN as well.
    if (effective_uid == 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        fail_with_errno("failed to drop privileges");
    become_real_ids(caller.uid, caller.gid);
    keep_net_admin_only(caller.privileged);
    // A caller who was given CAP_NET_ADMIN as an ambient capability would still have it there.
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        fail_with_errno("failed to drop privileges");
    prove_dropped(caller);
    return caller;
}

std::string why_unprivileged(const Caller& caller) {
    return error_text(EPERM) +
           (caller.no_new_privs
                ? ": started under no-new-privs, which takes tapgate-helper's privilege away "
                  "(QEMU's -sandbox on and some containers and services set it)"
                : ": tapgate-helper has no CAP_NET_ADMIN: as root, chmod 4755 it (or setcap "
                  "cap_net_admin=ep it), on a file system not mounted nosuid; or it is traced");
}

// One capset(). Not libcap-ng: it would first ask the kernel what this program already knows.
void set_privileges_effective(bool effective) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const CapabilitySets sets = only_net_admin(true, effective);
    if (syscall(SYS_capset, &header, sets.data()) != 0)
        fail_with_errno("failed to drop privileges");
}

}  // namespace tapgate

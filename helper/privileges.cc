// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cap-ng.h>

#include <array>

#include "helper/failure.h"

namespace tapgate {

namespace {

constexpr unsigned net_admin_bit = 1U << static_cast<unsigned>(CAP_NET_ADMIN);

struct CapabilitySets {
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> words{};

    // libcap-ng's own reader goes through /proc, and files are not to be read before the drop.
    static CapabilitySets of_this_process() {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        CapabilitySets sets;
        if (syscall(SYS_capget, &header, sets.words.data()) != 0)
            fail_with_errno("failed to drop privileges");
        return sets;
    }

    [[nodiscard]] bool permits_net_admin() const {
        return (words[0].permitted & net_admin_bit) != 0;
    }

    // Whether the permitted and effective sets are exactly `bits`, and nothing is inheritable.
    [[nodiscard]] bool are_exactly(unsigned bits) const {
        return words[0].permitted == bits && words[0].effective == bits &&
               words[0].inheritable == 0 && words[1].permitted == 0 && words[1].effective == 0 &&
               words[1].inheritable == 0;
    }
};

// Setuid root, or started by root: the usual case, and the one in which there is much to drop.
void drop_from_root(uid_t uid, gid_t gid) {
    // Sets the ids, keeps CAP_NET_ADMIN over that, and empties the bounding set. The supplementary
    // groups stay, on purpose: see the head of privileges.h.
    if (capng_change_id(static_cast<int>(uid), static_cast<int>(gid), CAPNG_CLEAR_BOUNDING) != 0)
        throw Failure("failed to drop privileges: CAP_SETUID, CAP_SETGID or CAP_SETPCAP is missing");
}

// A file capability, or nothing worth keeping. The ids are the caller's already, unless the helper was
// installed setgid or setuid to another user, or is setuid root where the caller's bounding set lacks
// CAP_NET_ADMIN: all of that must give its caller nothing.
void drop_from_user(uid_t uid, gid_t gid) {
    if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        fail_with_errno("failed to drop privileges");
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        throw Failure("failed to drop privileges");
}

// Asks the kernel, not the library, what is left; then tries to win root back.
void prove_dropped(const Caller& caller) {
    uid_t uids[3] = {};
    gid_t gids[3] = {};
    if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
        getresgid(&gids[0], &gids[1], &gids[2]) != 0)
        fail_with_errno("failed to drop privileges");
    for (const uid_t uid : uids)
        if (uid != caller.uid)
            throw Failure("failed to drop privileges: the user id is not the caller's");
    for (const gid_t gid : gids)
        if (gid != caller.gid)
            throw Failure("failed to drop privileges: the group id is not the caller's");
    if (!CapabilitySets::of_this_process().are_exactly(caller.privileged ? net_admin_bit : 0))
        throw Failure("failed to drop privileges: more than CAP_NET_ADMIN is left");
    if (caller.uid != 0 && setresuid(0, 0, 0) == 0)
        throw Failure("failed to drop privileges: root can be had back");
}

}  // namespace

Caller become_caller() {
    const bool from_root = geteuid() == 0;
    const Caller caller{
        .uid = getuid(),
        .gid = getgid(),
        .privileged = CapabilitySets::of_this_process().permits_net_admin(),
        .no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
    };

    capng_clear(CAPNG_SELECT_BOTH);
    if (caller.privileged &&
        capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
                     CAP_NET_ADMIN) != 0)
        throw Failure("failed to drop privileges");
    if (from_root && caller.privileged)
        drop_from_root(caller.uid, caller.gid);
    else
        drop_from_user(caller.uid, caller.gid);

    // Ambient capabilities go by themselves where they are no longer permitted and inheritable; a
    // caller who was given CAP_NET_ADMIN as an ambient one would still have it there.
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        fail_with_errno("failed to drop privileges");
    prove_dropped(caller);
    return caller;
}

void drop_all_privileges() {
    // One capset() of empty sets. Not libcap-ng: it would first ask the kernel what it already knows.
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const CapabilitySets nothing;
    if (syscall(SYS_capset, &header, nothing.words.data()) != 0)
        fail_with_errno("failed to drop privileges");
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/tap.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "helper/failure.h"

namespace tapgate {

namespace {

// Makes `tun` a queue of the tap of that name. False, with errno: the kernel refused.
bool set_interface(const UniqueFd& tun, unsigned flags, const std::string& name) {
    ifreq request{};
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | flags);
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    return ioctl(tun.get(), TUNSETIFF, &request) == 0;
}

unsigned vnet_flag(bool vnet_header) {
    return vnet_header ? IFF_VNET_HDR : 0;
}

}  // namespace

UniqueFd open_tun() {
    UniqueFd fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    if (fd)
        return fd;
    switch (errno) {
        case ENOENT:
        case ENODEV:
            throw Failure(std::string("failed to open /dev/net/tun: ") + error_text(errno) +
                          ": the tun module is not there: modprobe tun");
        case EACCES:
            throw Failure(std::string("failed to open /dev/net/tun: ") + error_text(errno) +
                          ": chmod 0666 /dev/net/tun (that is its usual mode, and grants nothing)");
        default:
            fail_with_errno("failed to open /dev/net/tun");
    }
}

bool make_tap(const UniqueFd& tun, const std::string& name, bool vnet_header) {
    if (set_interface(tun, vnet_flag(vnet_header) | IFF_TUN_EXCL, name))
        return true;
    if (errno == EBUSY)
        return false;
    fail_with_errno("failed to create tun device");
}

void set_owner(const UniqueFd& tun, uid_t owner) {
    if (ioctl(tun.get(), TUNSETOWNER, owner) != 0)
        fail_with_errno("failed to create tun device: cannot set its owner");
}

std::vector<UniqueFd> make_private_tap(const std::string& name, bool vnet_header, unsigned queues) {
    std::vector<UniqueFd> tap;
    while (tap.size() < queues) {
        tap.push_back(open_tun());
        if (!set_interface(tap.back(), vnet_flag(vnet_header) | (queues > 1 ? IFF_MULTI_QUEUE : 0U),
                           name))
            fail_with_errno("failed to create tun device");
    }
    return tap;
}

bool remove_unused_tap(const std::string& name) {
    const UniqueFd tun = open_tun();
    return set_interface(tun, 0, name) && ioctl(tun.get(), TUNSETPERSIST, 0) == 0;
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/tap.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "helper/failure.h"
#include "helper/process.h"

namespace tapgate {

namespace {

// Makes `tun` a queue of the tap called `name`. False, with errno, when the kernel refuses.
bool set_interface(const UniqueFd& tun, const std::string& name, unsigned flags, bool vnet) {
    ifreq request{};
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | (vnet ? IFF_VNET_HDR : 0) | flags);
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    return ioctl(tun.get(), TUNSETIFF, &request) == 0;
}

}  // namespace

UniqueFd open_tun() {
    UniqueFd fd(open(tun_device, O_RDWR | O_CLOEXEC));
    if (!fd)
        fail_to_open_tun(errno);
    return fd;
}

void fail_to_open_tun(int error_number) {
    std::string text =
        std::string("failed to open ") + tun_device + ": " + error_text(error_number);
    if (error_number == ENOENT || error_number == ENODEV)
        text += ": the tun module is not there: modprobe tun";
    if (error_number == EACCES)
        text += ": chmod 0666 /dev/net/tun (that is its usual mode, and grants nothing)";
    throw Failure(text);
}

int make_tap(const UniqueFd& tun, const std::string& name, bool vnet_header) {
    const int index = random_ifindex();
    const bool made = ioctl(tun.get(), TUNSETIFINDEX, &index) == 0 &&
                      set_interface(tun, name, IFF_TUN_EXCL, vnet_header);
    if (!made && errno != EBUSY)
        fail_with_errno("failed to create tun device");
    return made ? index : 0;
}

void set_owner(const UniqueFd& tun, uid_t owner) {
    if (ioctl(tun.get(), TUNSETOWNER, owner) != 0)
        fail_with_errno("failed to create tun device: cannot set its owner");
}

void make_private_tap(std::span<const UniqueFd> queues, const std::string& name, bool vnet_header) {
    for (const UniqueFd& tun : queues)
        if (!set_interface(tun, name, queues.size() > 1 ? IFF_MULTI_QUEUE : 0U, vnet_header))
            fail_with_errno("failed to create tun device");
}

bool remove_unused_tap(const std::string& name) {
    const UniqueFd tun = open_tun();
    // If the tap has just gone, TUNSETIFF must not make a new one. Asking for the loopback's
    // ifindex makes that fail.
    const unsigned taken = 1;
    return ioctl(tun.get(), TUNSETIFINDEX, &taken) == 0 && set_interface(tun, name, 0, false) &&
           ioctl(tun.get(), TUNSETPERSIST, 0) == 0;
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/tap.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "helper/failure.h"
#include "helper/port_tag.h"

namespace tapgate {

namespace {

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

}  // namespace

// Makes `tun` a queue of the tap of that name. False, with errno: the kernel refused.
bool Tap::try_name(const UniqueFd& tun, unsigned flags, const std::string& name) {
    ifreq request{};
    request.ifr_flags = static_cast<short>(flags);
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    if (ioctl(tun.get(), TUNSETIFF, &request) != 0)
        return false;
    name_ = request.ifr_name;  // what became of a pattern
    return true;
}

void Tap::add_queue(unsigned flags) {
    UniqueFd tun = open_tun();
    if (!try_name(tun, flags, name_))
        fail_with_errno("failed to create tun device");
    queues_.push_back(std::move(tun));
}

Tap Tap::create(uid_t owner, bool vnet_header, unsigned queues) {
    unsigned flags = IFF_TAP | IFF_NO_PI;
    if (vnet_header)
        flags |= IFF_VNET_HDR;
    if (queues > 1)
        flags |= IFF_MULTI_QUEUE;
    Tap tap;
    UniqueFd tun = open_tun();
    // Of two helpers that run at once no two have one process id, but in containers that share the
    // host's network; and a tap may outlive its helper's. IFF_TUN_EXCL: never one that is there.
    constexpr unsigned tries = 16;
    auto serial = static_cast<unsigned>(getpid());
    const unsigned last = serial + tries;
    bool made = false;
    while (!made && serial != last) {
        made = tap.try_name(tun, flags | IFF_TUN_EXCL, tap_name(owner, serial++));
        if (!made && errno != EBUSY)
            break;
    }
    if (!made && !(errno == EBUSY && tap.try_name(tun, flags, "tap%d")))
        fail_with_errno("failed to create tun device");
    tap.queues_.push_back(std::move(tun));
    if (ioctl(tap.queues_[0].get(), TUNSETOWNER, owner) != 0)
        fail_with_errno("failed to create tun device: cannot set its owner");
    while (tap.queues_.size() < queues)
        tap.add_queue(flags);
    return tap;
}

Tap Tap::attach(const Link& link) {
    Tap tap;
    tap.name_ = link.name;
    tap.add_queue(IFF_TAP | IFF_NO_PI | (link.vnet_header ? IFF_VNET_HDR : 0U) |
                  (link.multi_queue ? IFF_MULTI_QUEUE : 0U));
    return tap;
}

void Tap::make_transient() const {
    if (ioctl(queues_.front().get(), TUNSETPERSIST, 0) != 0)
        fail_with_errno("failed to make tun device `" + name_ + "' transient");
}

}  // namespace tapgate

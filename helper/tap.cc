// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/tap.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "helper/failure.h"

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

void Tap::add_queue(unsigned flags) {
    ifreq request{};
    request.ifr_flags = static_cast<short>(flags);
    name_.copy(request.ifr_name, IFNAMSIZ - 1);
    UniqueFd fd = open_tun();
    if (ioctl(fd.get(), TUNSETIFF, &request) != 0)
        fail_with_errno("failed to create tun device");
    name_ = request.ifr_name;  // what became of a pattern
    queues_.push_back(std::move(fd));
}

Tap Tap::create(uid_t owner, bool vnet_header, unsigned queues) {
    unsigned flags = IFF_TAP | IFF_NO_PI;
    if (vnet_header)
        flags |= IFF_VNET_HDR;
    if (queues > 1)
        flags |= IFF_MULTI_QUEUE;
    Tap tap;
    tap.name_ = "tap%d";  // the kernel puts in the first free number
    tap.add_queue(flags);
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

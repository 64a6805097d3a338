// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/tap.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <algorithm>
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

Tap Tap::create(uid_t owner, bool vnet_header, unsigned queues) {
    ifreq request{};
    unsigned flags = IFF_TAP | IFF_NO_PI;
    if (vnet_header)
        flags |= IFF_VNET_HDR;
    if (queues > 1)
        flags |= IFF_MULTI_QUEUE;
    request.ifr_flags = static_cast<short>(flags);
    constexpr std::string_view pattern = "tap%d";  // the kernel puts in the first free number
    std::copy(pattern.begin(), pattern.end(), request.ifr_name);

    Tap tap;
    for (unsigned queue = 0; queue < queues; queue++) {
        UniqueFd fd = open_tun();
        // The first call makes the device and writes its name into the request; the next, with that
        // name, add a queue each.
        if (ioctl(fd.get(), TUNSETIFF, &request) != 0)
            fail_with_errno("failed to create tun device");
        if (queue == 0 && ioctl(fd.get(), TUNSETOWNER, owner) != 0)
            fail_with_errno("failed to create tun device: cannot set its owner");
        tap.queues_.push_back(std::move(fd));
    }
    tap.name_ = request.ifr_name;
    return tap;
}

}  // namespace tapgate

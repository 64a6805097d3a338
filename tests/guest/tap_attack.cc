// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a tap's holder could take from others, for a guest whose kernel shall forbid it (see
// ../system/selinux_guest.sh): each attack, and what the kernel says to it, on a line of its own.
//
//   tap_attack FD [FILE]      on the tap at that descriptor; and FILE is read
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iostream>
#include <string_view>

namespace {

void tell(std::string_view attack, bool succeeded) {
    std::cout << attack << ": " << (succeeded ? "done" : strerrorname_np(errno)) << '\n';
}

void open_file(std::string_view attack, const char* path, int flags) {
    const int fd = open(path, flags | O_CLOEXEC);
    tell(attack, fd >= 0);
    if (fd >= 0)
        close(fd);
}

// The ioctls that the tap's name, owner, life and address hang on. The harmless ones first: what
// the attacks change where nothing forbids them is not in the way of the next.
void attack_tap(int tap) {
    ifreq request{};
    tell("TUNGETIFF", ioctl(tap, TUNGETIFF, &request) == 0);
    tell("TUNSETOWNER", ioctl(tap, TUNSETOWNER, getuid()) == 0);
    tell("TUNSETGROUP", ioctl(tap, TUNSETGROUP, getgid()) == 0);
    sock_filter drop_all{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0};
    sock_fprog filter{.len = 1, .filter = &drop_all};
    tell("TUNATTACHFILTER", ioctl(tap, TUNATTACHFILTER, &filter) == 0);
    int carrier = 1;
    tell("TUNSETCARRIER", ioctl(tap, TUNSETCARRIER, &carrier) == 0);
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    constexpr std::array<char, 6> mac{0x52, 0x54, 0, 0x11, 0x22, 0x33};
    std::memcpy(request.ifr_hwaddr.sa_data, mac.data(), mac.size());
    tell("SIOCSIFHWADDR", ioctl(tap, SIOCSIFHWADDR, &request) == 0);
    tell("TUNSETPERSIST", ioctl(tap, TUNSETPERSIST, 1) == 0);
    ioctl(tap, TUNSETPERSIST, 0);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "usage: tap_attack FD [FILE]\n";
        return 1;
    }
    const std::string_view number = argv[1];
    int tap = -1;
    std::from_chars(number.data(), number.data() + number.size(), tap);
    attack_tap(tap);
    open_file("open /dev/net/tun", "/dev/net/tun", O_RDWR);
    if (argc > 2)
        open_file("open the file", argv[2], O_RDONLY);
    return 0;
}

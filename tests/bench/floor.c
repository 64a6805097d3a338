/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The floor: the least that a bridge helper can cost. A static C program that makes the kernel calls a
 * helper cannot do without (drop privileges, filter, read the policy, look at the bridge, make the tap
 * and its port, read it back, pass the fd) and nothing else: no library, no checks, no messages. It is
 * a measuring stick for tests/bench/bench.cc and never installed; it trusts everything it is told.
 *
 * It has the helper's own system call filters, which are part of what the kernel has to do. Compiled
 * with -DBARE it has neither them nor any work with capabilities: the kernel calls that the stock helper
 * makes, and no others.
 *
 * Usage: floor [--use-vnet] --br=BRIDGE --fd=N
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static char message[1024];
static size_t length;

static struct nlmsghdr* begin(int type, int flags, int ifindex)
{
    struct nlmsghdr* header = (struct nlmsghdr*)(message + length);
    struct ifinfomsg* info = NLMSG_DATA(header);
    header->nlmsg_type = (unsigned short)type;
    header->nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags);
    header->nlmsg_len = NLMSG_LENGTH(sizeof *info);
    info->ifi_index = ifindex;
    length += NLMSG_ALIGN(header->nlmsg_len);
    return header;
}

static void put(struct nlmsghdr* header, int type, const void* data, size_t size)
{
    struct rtattr* attribute = (struct rtattr*)(message + length);
    attribute->rta_type = (unsigned short)type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(size);
    memcpy(RTA_DATA(attribute), data, size);
    length += RTA_ALIGN(attribute->rta_len);
    header->nlmsg_len += RTA_ALIGN(attribute->rta_len);
}

/* Sends what was put together and returns the attribute `wanted` of the (one) answer. */
static void* talk(int socket, char* answer, size_t size, int wanted, int* ifindex)
{
    if (send(socket, message, length, 0) < 0)
        exit(1);
    length = 0;
    ssize_t got = recv(socket, answer, size, 0);
    struct nlmsghdr* header = (struct nlmsghdr*)answer;
    if (got < 0 || header->nlmsg_type != RTM_NEWLINK)
        exit(1);
    struct ifinfomsg* info = NLMSG_DATA(header);
    int left = (int)IFLA_PAYLOAD(header);
    *ifindex = info->ifi_index;
    for (struct rtattr* a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == wanted)
            return RTA_DATA(a);
    exit(1);
}

int main(int argc, char** argv)
{
    const char* bridge = "br0";
    int to = 3;
    int vnet = 0;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "--br=", 5))
            bridge = argv[i] + 5;
        else if (!strncmp(argv[i], "--fd=", 5))
            to = atoi(argv[i] + 5);
        else if (!strcmp(argv[i], "--use-vnet"))
            vnet = IFF_VNET_HDR;
    }

    const uid_t uid = getuid();
#ifndef BARE
    /* privileges: caller's ids, CAP_NET_ADMIN only */
    const gid_t gid = getgid();
    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
        exit(1);
    struct __user_cap_header_struct cap_header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct caps[2] = {{1U << CAP_NET_ADMIN, 1U << CAP_NET_ADMIN, 0}, {0}};
    if (syscall(SYS_capset, &cap_header, caps))
        exit(1);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);

    static struct sock_filter decide[] = {
#include "syscall_filter_decide.inc"
    };
    static struct sock_filter make_port[] = {
#include "syscall_filter_make_port.inc"
    };
    struct sock_fprog filter = {sizeof decide / sizeof *decide, decide};
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
    syscall(SYS_close_range, (unsigned)to + 1, ~0U, 0);
    struct itimerval limit = {{0, 0}, {10, 0}};
    setitimer(ITIMER_REAL, &limit, NULL);
#endif

    /* policy */
    static char text[4096];
    struct stat status;
    int policy = open("/etc/qemu/bridge.conf", O_RDONLY | O_CLOEXEC);
    if (policy < 0 || fstat(policy, &status) || read(policy, text, sizeof text) < 0)
        exit(1);
    close(policy);
#ifndef BARE
    filter = (struct sock_fprog){sizeof make_port / sizeof *make_port, make_port};
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
#endif

    /* the bridge */
    static char answer[16384];
    int index;
    int route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct nlmsghdr* header = begin(RTM_GETLINK, 0, 0);
    put(header, IFLA_IFNAME, bridge, strlen(bridge) + 1);
    const unsigned mtu = *(unsigned*)talk(route, answer, sizeof answer, IFLA_MTU, &index);
    const int master = index;

    /* the tap */
    int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    struct ifreq request = {0};
    strcpy(request.ifr_name, "tap%d");
    request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | vnet);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request) || ioctl(tap, TUNSETOWNER, uid))
        exit(1);

    /* its port: one message to make it, a second behind it in the same packet to read it back */
    static const unsigned char mac[6] = {0xfe, 0x54, 0, 0x12, 0x34, 0x56};
    static const char alias[] = "tapgate uid=1000";
    header = begin(RTM_NEWLINK, 0, 0);
    struct ifinfomsg* info = NLMSG_DATA(header);
    info->ifi_flags = info->ifi_change = IFF_UP;
    put(header, IFLA_IFNAME, request.ifr_name, strlen(request.ifr_name) + 1);
    put(header, IFLA_ADDRESS, mac, sizeof mac);
    put(header, IFLA_MTU, &mtu, sizeof mtu);
    put(header, IFLA_MASTER, &master, sizeof master);
    put(header, IFLA_IFALIAS, alias, sizeof alias - 1);
    header = begin(RTM_GETLINK, 0, 0);
    put(header, IFLA_IFNAME, request.ifr_name, strlen(request.ifr_name) + 1);
    talk(route, answer, sizeof answer, IFLA_MASTER, &index);

    /* the fd */
    char byte = 0;
    struct iovec data = {&byte, 1};
    union {
        char buffer[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr hand_over = {.msg_iov = &data,
                               .msg_iovlen = 1,
                               .msg_control = control.buffer,
                               .msg_controllen = sizeof control.buffer};
    struct cmsghdr* cmsg = CMSG_FIRSTHDR(&hand_over);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &tap, sizeof tap);
#ifndef BARE
    memset(caps, 0, sizeof caps);
    if (syscall(SYS_capset, &cap_header, caps))
        exit(1);
#endif
    return sendmsg(to, &hand_over, MSG_NOSIGNAL) == 1 ? 0 : 1;
}

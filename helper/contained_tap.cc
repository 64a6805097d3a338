// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/contained_tap.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "common/fd_passing.h"
#include "common/receive_fds.h"
#include "helper/failure.h"
#include "helper/tap.h"

namespace tapgate {

namespace {

constexpr const char* first_name = "tap";  // until it is called as its port is
constexpr const char* what = "failed to contain the tap";

// The host's switches that can forbid a user a namespace in which he is root.
struct Switch {
    const char* file;
    char forbidding;  // what it begins with then
    const char* way_out;
};
constexpr std::array<Switch, 3> switches = {
    {{"/proc/sys/kernel/unprivileged_userns_clone", '0', "kernel.unprivileged_userns_clone=1"},
     {"/proc/sys/user/max_user_namespaces", '0', "user.max_user_namespaces=65536"},
     {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1',
      "kernel.apparmor_restrict_unprivileged_userns=0', or load the AppArmor profile of "
      "tapgate-helper, which has the rule `userns,"}}};

// Behind an error of the first steps.
[[noreturn]] void fail_to_contain(int error_number) {
    const std::string text = std::string(what) + ": " + error_text(error_number);
    for (const Switch& one : switches) {
        const UniqueFd file(open(one.file, O_RDONLY | O_CLOEXEC));
        char first = 0;
        if (file && read(file.get(), &first, 1) == 1 && first == one.forbidding)
            throw Failure(text + ": this host forbids unprivileged user namespaces: `sysctl -w " +
                          one.way_out + "'; or say `plain' in the rule: bridge.conf(5)");
    }
    throw Failure(text + ": cannot make a user and network namespace");
}

// IPv6 would talk on the tap and the inner end of its own accord, and its timers keep the host's
// network lock busy with several hundred taps. To be written before there is a link.
void switch_off_ipv6() {
    const UniqueFd file(open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC));
    if (!file && errno == ENOENT)
        return;  // the host has no IPv6
    // The first act that takes a capability of the namespace: where AppArmor lets it be made but
    // gives none, it shows here.
    if (!file || write(file.get(), "1", 1) != 1)
        fail_to_contain(errno);
}

// All that the child does. Sends the namespace's netlink socket and the tap's queues to `parent`.
void make_tap_inside(int parent, bool vnet_header, unsigned queues) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        fail_to_contain(errno);
    // From here on: every capability in the namespace, and none outside of it.
    // unshare() makes a process dumpable again where fs.suid_dumpable says so. And it does not
    // outlive its parent, though its user stops it.
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        fail_with_errno(what);
    switch_off_ipv6();
    const std::vector<UniqueFd> tap = make_private_tap(first_name, vnet_header, queues);
    const std::array<UniqueFd, 1> links{open_netlink_socket()};
    send_fds(parent, links);
    send_fds(parent, tap);  // which may be all that fit into a message
}

}  // namespace

ContainedTap::ContainedTap(bool vnet_header, unsigned queues) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        fail_with_errno(what);
    child_.reset(ends[0]);
    UniqueFd parent(ends[1]);
    const pid_t pid = fork();
    if (pid < 0)
        fail_with_errno(std::string(what) + ": cannot start a process");
    if (pid > 0)
        return;
    child_.reset();
    try {
        make_tap_inside(parent.get(), vnet_header, queues);
        _exit(EXIT_SUCCESS);
    } catch (const std::exception& error) {
        // In the place of a message with descriptors, whose one byte is a zero.
        const std::string_view text = error.what();
        [[maybe_unused]] const ssize_t sent = write(parent.get(), text.data(), text.size());
    }
    _exit(EXIT_FAILURE);
}

void ContainedTap::await() {
    if (inside_)
        return;
    std::array<char, 1024> text{};
    const ssize_t size = recv(child_.get(), text.data(), text.size(), MSG_PEEK);
    if (size > 0 && text[0] != 0)
        throw Failure(std::string(text.data(), static_cast<size_t>(size)));
    std::vector<UniqueFd> links;
    try {
        links = receive_fds(child_.get(), 1);
        queues_ = receive_fds(child_.get(), max_fds_in_message);
    } catch (const std::system_error& error) {
        fail_with_errno(what, error.code().value());
    }
    if (links.empty() || queues_.empty())
        throw Failure(std::string(what) + ": the process that was to make it is gone");
    inside_.emplace(std::move(links.front()));
    child_.reset();
}

void ContainedTap::connect(const std::string& name, unsigned mtu) const {
    inside_->join_inner_end(inside_->get(first_name).index, name, mtu);
}

}  // namespace tapgate

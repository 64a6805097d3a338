// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate-helper: makes a tap, makes it a port of a bridge that the policy lets the caller use, and
// passes it over the caller's socket. What it needs privilege for, and how it gets rid of it, is
// told at the head of privileges.h; the protocol in common/fd_passing.h; the policy in
// bridge.conf(5).

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <string>
#include <system_error>

#include "common/fd_passing.h"
#include "helper/audit.h"
#include "helper/bridge_port.h"
#include "helper/failure.h"
#include "helper/inspect.h"
#include "helper/link.h"
#include "helper/policy.h"
#include "helper/policy_file.h"
#include "helper/privileges.h"
#include "helper/process.h"
#include "helper/request.h"
#include "helper/syscall_filter.h"
#include "helper/tap.h"

namespace tapgate {

namespace {

// In one write(), so that lines of helpers that share a terminal do not mix.
void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;  // nobody reads it; the exit code still tells
        text.remove_prefix(static_cast<size_t>(written));
    }
}

// "uid=1000 bridge=br0 vm=lab1", as an audit line begins.
std::string who_asks(const Caller& caller, const Request& request) {
    std::string text =
        "uid=" + std::to_string(caller.uid) + " bridge=" + printable(request.bridge->str());
    if (request.vm)
        text += " vm=" + request.vm->str();
    return text;
}

// Finds out before a tap is made that the reply has nowhere to go.
void require_unix_socket(int fd) {
    int domain = 0;
    socklen_t size = sizeof domain;
    const std::string what = "failed to write fd to unix socket: --fd=" + std::to_string(fd);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0)
        fail_with_errno(what);
    if (domain != AF_UNIX)
        throw Failure(what + ": it is a socket of another family");
}

// The rule that lets the caller use the bridge, as an audit line shows it. Throws Failure, after an
// audit line of its own, when there is none or the policy cannot be read.
std::string require_permission(const Caller& caller, const Request& request) {
    try {
        const Policy policy = load_installed_policy();
        const Verdict verdict = policy.decide(*request.bridge);
        std::string rule = describe(verdict, *request.bridge, installed_policy);
        if (!verdict.allowed)
            throw Failure("access denied by acl file: " + rule);
        return rule;
    } catch (const Failure& refusal) {
        const std::string_view text = refusal.what();
        audit("refused " + who_asks(caller, request) + ": " +
              std::string(text.substr(0, text.find('\n'))));
        throw;
    }
}

Tap create_tap(const Caller& caller, const Request& request) {
    if (caller.privileged)
        return Tap::create(caller.uid, request.vnet_header, request.queues);
    throw Failure(
        std::string("failed to create tun device: ") + error_text(EPERM) +
        (caller.no_new_privs
             ? ": started under no-new-privs, which takes tapgate-helper's privilege away "
               "(QEMU's -sandbox on and some containers and services set it)"
             : ": tapgate-helper has no CAP_NET_ADMIN: as root, chmod 4755 it or setcap "
               "cap_net_admin=ep it, on a file system that is not mounted nosuid"));
}

void attach(const Caller& caller, const Request& request) {
    require_unix_socket(request.socket);
    close_stray_fds(request.socket);
    // From here on: stdio and the reply's socket are open, and nothing else.

    const std::string rule = require_permission(caller, request);
    // From here on: the caller may use this bridge.

    const LinkSocket links;
    const Link bridge = find_bridge(links, *request.bridge);
    const Tap tap = create_tap(caller, request);
    const MacAddress address = port_address(request);
    attach_port(links, tap, bridge, *request.bridge, address, port_alias(caller, request));
    // From here on: the tap is a port of the bridge, as it should be; it goes when we go.

    audit("granted " + who_asks(caller, request) + " rule=" + rule + " tap=" + tap.name() +
          " mac=" + address.str());
    drop_all_privileges();
    // From here on: no privilege at all.

    try {
        send_fds(request.socket, tap.queues());
    } catch (const std::system_error& error) {
        fail_with_errno("failed to write fd to unix socket", error.code().value());
    }
}

int report(const Report& report) {
    write_all(STDOUT_FILENO, report.text);
    return report.exit_code;
}

int run(int argc, char** argv) {
    const Caller caller = become_caller();
    // From here on: the caller's ids, CAP_NET_ADMIN only, no new privileges.
    settle_process();
    // From here on: stdio is open, the environment empty, and 10 s are left.
    install_syscall_filter();
    // From here on: only the calls that the lines below need.

    const Request request = parse_request(argc, argv);
    if (request.mode == Request::Mode::attach) {
        attach(caller, request);
        return 0;
    }

    drop_all_privileges();
    // From here on: no privilege at all.
    switch (request.mode) {
        case Request::Mode::explain:
            return report(
                explain(load_installed_policy(), installed_policy, *request.bridge, caller));
        case Request::Mode::check:
            return report(check(request.check_file.empty() ? installed_policy : request.check_file,
                                read_policy_file));
        case Request::Mode::version:
            return report({.text = "tapgate-helper " TAPGATE_VERSION "\n", .exit_code = 0});
        default:
            return report({.text = help_text, .exit_code = 0});
    }
}

}  // namespace

}  // namespace tapgate

int main(int argc, char** argv) {
    try {
        return tapgate::run(argc, argv);
    } catch (const std::bad_alloc&) {
        tapgate::write_all(STDERR_FILENO, "tapgate-helper: out of memory\n");
    } catch (const std::exception& error) {
        tapgate::write_all(STDERR_FILENO, std::string(error.what()) + "\n");
    }
    return 1;
}

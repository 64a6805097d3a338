// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate-helper: makes a tap, makes it a port of a bridge that the policy lets the caller use, and
// passes it over the caller's socket. privileges.h says what it needs privilege for and how that is
// dropped; common/fd_passing.h describes the protocol, and bridge.conf(5) the policy.

#include <sys/socket.h>
#include <unistd.h>

#include <new>
#include <string>
#include <system_error>

#include "common/fd_passing.h"
#include "helper/audit.h"
#include "helper/bridge_port.h"
#include "helper/failure.h"
#include "helper/link.h"
#include "helper/name_service.h"
#include "helper/policy.h"
#include "helper/policy_file.h"
#include "helper/port.h"
#include "helper/port_name.h"
#include "helper/privileges.h"
#include "helper/process.h"
#include "helper/request.h"
#include "helper/stale.h"
#include "helper/syscall_filter.h"

namespace tapgate {

namespace {

// Writes `text` in one write() if possible, so that the lines of helpers that share a terminal do
// not mix. False when not all of it was written.
bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = write(fd, text.data(), text.size());
        if (written <= 0)  // never EINTR: the only signal handler ends the process
            return false;
        text.remove_prefix(static_cast<size_t>(written));
    }
    return true;
}

// The beginning of an audit line: "uid=1000 bridge=br0 vm=lab1".
std::string who_asks(const Caller& caller, const Request& request) {
    std::string text =
        "uid=" + std::to_string(caller.uid) + " bridge=" + printable(request.bridge->str());
    if (request.vm)
        text += " vm=" + request.vm->str();
    return text;
}

// The rule that allows what `request` asks for, up to the number of queues. Throws the Failure that
// says why not.
const Rule& require_permission(const Policy& policy, const Asker& asker, const Request& request,
                               NameService& names) {
    const Verdict verdict = policy.decide(*request.bridge, asker, names);
    if (verdict.rule == nullptr)
        deny(std::string(installed_policy) + ": no rule allows " +
             printable(request.bridge->str()));
    if (!verdict.allowed)
        deny(verdict.str(asker));
    const bool contained = verdict.rule->contained();
    const unsigned most = contained ? verdict.rule->limits.queues.value_or(max_fds_in_message) : 1;
    if (request.queues > most)
        deny(verdict.rule->str() + ": --queues=" + std::to_string(request.queues) +
             " is more than " + std::to_string(most) +
             (contained ? "" : ", which is what a plain tap has (`contain' gives more)"));
    return *verdict.rule;
}

// Makes sure, before there is a tap, that the reply can be sent.
void require_unix_socket(int fd) {
    int domain = 0;
    socklen_t size = sizeof domain;
    const std::string what = "failed to write fd to unix socket: --fd=" + std::to_string(fd);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0)
        fail_with_errno(what);
    if (domain != AF_UNIX)
        throw Failure(what + ": it is a socket of another family");
}

// Sends the tap to the caller, with CAP_NET_ADMIN out of effect. If that fails, the port is to be
// deleted, which needs the capability again.
void hand_over(int socket, Port& port) {
    set_privileges_effective(false);
    try {
        send_fds(socket, port.queues());
    } catch (const std::system_error& error) {
        set_privileges_effective(true);
        fail_with_errno("failed to write fd to unix socket", error.code().value());
    }
    // The port now stays for as long as its holder keeps the tap, so its destructor must not run.
    _exit(0);
}

void attach(const Caller& caller, const Request& request) {
    require_unix_socket(request.socket);
    close_stray_fds(request.socket);
    // From here on: only stdio and the socket for the reply are open.

    const Policy policy = load_installed_policy();
    HostNames names;
    const Asker asker = asker_of(caller, names);
    const Rule& rule = require_permission(policy, asker, request, names);
    // From here on: the caller may use this bridge, as the rule says.
    install_syscall_filter(SyscallFilter::make_port);
    // From here on: only the system calls that the lines below need.

    const LinkSocket links;
    const Link bridge = find_bridge(links, *request.bridge);
    const PortSettings settings = port_settings(bridge, rule, request, asker.account());
    if (!caller.privileged)
        throw Failure("failed to create tun device: " + why_unprivileged(caller));
    const Claim claim{.account = asker.account(), .holder = caller.uid, .rule = rule};
    Port port(links, bridge, claim, request, settings);
    // From here on: there is a port as the rule says, down, which counts. It goes when we go.

    if (const int error =
            audit("granted " + who_asks(caller, request) + " tap=" + port.name() +
                  " mac=" + request.mac.value_or(settings.address).str() + " rule=" + rule.str());
        error != 0)
        fail_with_errno("a grant that /dev/log does not take is refused", error);
    port.open(claim, bridge, settings);
    // From here on: the port is up, and it is in the log.
    hand_over(request.socket, port);
}

// Logs every request that fails, whatever the reason.
void attach_or_log_refusal(const Caller& caller, const Request& request) {
    try {
        attach(caller, request);
    } catch (const std::exception& refusal) {
        const std::string_view text = refusal.what();
        // A refusal stands whether or not the log takes it.
        static_cast<void>(audit("refused " + who_asks(caller, request) + ": " +
                                std::string(text.substr(0, text.find('\n')))));
        throw;
    }
}

// Removes the caller's stale taps, or everybody's when the caller is root. Returns the lines that
// say which.
std::string reap(const Caller& caller) {
    if (!caller.privileged)
        throw Failure("failed to remove stale taps: " + why_unprivileged(caller));
    install_syscall_filter(SyscallFilter::make_port);
    const LinkSocket links;
    std::string text;
    for (const std::string& name : links.names())
        if ((caller.uid == 0 || named_owner(name) == caller.uid) && remove_if_stale(links, name))
            text += name + ": nobody had it open; removed\n";
    set_privileges_effective(false);
    return text;
}

void run(int argc, char** argv) {
    const Caller caller = become_caller();
    // From here on: the caller's ids, CAP_NET_ADMIN only, no new privileges.
    settle_process();
    // From here on: stdio is open, the environment is empty, and the process has 10 s left.
    install_syscall_filter(SyscallFilter::decide);
    // From here on: CAP_NET_ADMIN only for what the helper does with it.

    const Request request = parse_request(argc, argv);
    if (request.mode == Request::Mode::attach)
        return attach_or_log_refusal(caller, request);
    const std::string text =
        request.mode == Request::Mode::reap ? reap(caller) : std::string(text_of(request.mode));
    if (!write_all(STDOUT_FILENO, text))
        fail_with_errno("failed to write to stdout");
}

}  // namespace

}  // namespace tapgate

int main(int argc, char** argv) {
    try {
        tapgate::run(argc, argv);
        return 0;
    } catch (const std::bad_alloc&) {
        tapgate::write_all(STDERR_FILENO, "tapgate-helper: out of memory\n");
    } catch (const std::exception& error) {
        tapgate::write_all(STDERR_FILENO, std::string(error.what()) + "\n");
    }
    _exit(1);  // so that no exit handler runs with the privilege
}

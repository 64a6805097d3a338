// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where the guest of a running VM can be reached. Three sources know: the guest's own agent; this
// host's neighbour tables, once the two have talked; and, for QEMU's own NAT, QEMU.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/network/guest_agent.h"
#include "launcher/network/host_network.h"
#include "launcher/vm/state.h"

namespace tapgate {

/// A port of the host that QEMU's NAT forwards to the guest.
struct Forward {
    std::string netdev;  ///< QEMU's name for the adapter's back end: "net0"
    bool tcp = true;
    std::string address;  ///< on the host
    unsigned port = 0;    ///< on the host
    unsigned guest_port = 0;
};

/// Parses the forwards in the output of QEMU's `info usernet`.
std::vector<Forward> parse_forwards(std::string_view usernet);

/// What is known about a running VM.
struct GuestFacts {
    VmName name;
    std::vector<RunNet> nets;
    HostNetwork network;
    std::vector<AgentInterface> agent;  ///< empty when it has no agent, or that did not answer
    std::vector<Forward> forwards;
    bool has_agent = false;    ///< a program in the guest has the agent's channel open
    std::string standstill{};  ///< why the guest stands still, as standstill() says; or empty
    std::string silence{};     ///< why QEMU did not answer, with the way out; empty when it did
};

/// Asks the kernel, QEMU and the guest's agent; the last two for at most `limit` each. That takes
/// some seconds at most, and some milliseconds when nobody has to be waited for. Throws a
/// LauncherError when the VM does not run.
GuestFacts guest_facts(const VmName& name,
                       std::chrono::milliseconds limit = std::chrono::milliseconds(2000));

/// How long to wait for an answer from the guest: `usual`; but only a moment when QEMU, which
/// passes on what a guest says, does not answer either.
std::chrono::milliseconds patience_with(const GuestFacts& facts, std::chrono::milliseconds usual);

/// Why the guest cannot answer anybody: it stands still, or its QEMU does not answer. Empty when
/// neither is the case.
const std::string& why_unanswering(const GuestFacts& facts);

/// Throws a LauncherError when there is such a reason.
void refuse_unanswering(const GuestFacts& facts);

enum class AddressSource { agent, neighbours, forward };
std::string_view name_of(AddressSource source);

struct GuestAddress {
    std::string address;  ///< a link-local one ends in "%LINK"
    AddressSource source = AddressSource::agent;
    unsigned port = 0;        ///< of a forward: the host's port; 0: all ports
    unsigned guest_port = 0;  ///< the guest's port that it leads to
    bool tcp = true;
};

struct GuestAdapter {
    RunNet net;
    std::vector<GuestAddress> addresses;  ///< the best first
    std::string unknown;                  ///< if there are none: why, and the way out
};

/// The VM's adapters, in the order of its description.
std::vector<GuestAdapter> guest_adapters(const GuestFacts& facts);

/// Why addresses are unknown, for all adapters, in one line.
std::string why_unknown(const VmName& name, const std::vector<GuestAdapter>& adapters);

nlohmann::json adapters_json(const std::vector<GuestAdapter>& adapters);

/// A place where the guest's SSH server may listen.
struct SshTarget {
    std::string address;
    unsigned port = 22;

    [[nodiscard]] std::string str() const;
};

/// The places to try, the best first.
std::vector<SshTarget> ssh_targets(const std::vector<GuestAdapter>& adapters);

/// The first of `targets` that greets like an SSH server within `limit`; all are tried at the same
/// time. (A connection alone proves nothing: QEMU's NAT accepts any.) Nothing when none does; `why`
/// then has the reason for each.
std::optional<SshTarget> first_ssh_server(const std::vector<SshTarget>& targets,
                                          std::chrono::milliseconds limit, std::string& why);

/// The IPv6 link-local address that a guest derives from its MAC address, unless it uses privacy
/// addresses (RFC 4291, appendix A).
std::string link_local_address(const MacAddress& mac);

/// guest_adapters(). When no address is known on a bridge, it first sends the guest a datagram to
/// its link-local address: this host then has to find the guest, which puts it into the neighbour
/// table. Waits for that up to `limit`, and updates `facts.network`.
std::vector<GuestAdapter> find_guest(GuestFacts& facts, std::chrono::milliseconds limit);

}  // namespace tapgate

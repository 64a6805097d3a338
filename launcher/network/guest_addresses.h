// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where a running VM's guest can be reached. Who knows: the guest's own agent; this host's
// neighbour tables, once the two talked to each other; and, behind QEMU's own NAT, QEMU.
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
    std::string netdev;  ///< QEMU's name of the adapter's back end: "net0"
    bool tcp = true;
    std::string address;  ///< of the host
    unsigned port = 0;    ///< of the host
    unsigned guest_port = 0;
};

/// The forwards in what QEMU's `info usernet` prints.
std::vector<Forward> parse_forwards(std::string_view usernet);

/// What is known about a running VM.
struct GuestFacts {
    VmName name;
    std::vector<RunNet> nets;
    HostNetwork network;
    std::vector<AgentInterface> agent;  ///< empty: it has none, or it did not answer
    std::vector<Forward> forwards;
    bool has_agent = false;    ///< somebody in the guest has the agent's channel open
    std::string standstill{};  ///< why its guest answers nobody, as standstill() says; or empty
    std::string silence{};     ///< why QEMU told nothing, with the way out; empty: it told
};

/// Asks the kernel, QEMU and the guest's agent, each of these two for `limit` at most. Takes some
/// seconds at the most, and some milliseconds when nobody has to be waited for. Throws a
/// LauncherError when the VM does not run.
GuestFacts guest_facts(const VmName& name,
                       std::chrono::milliseconds limit = std::chrono::milliseconds(2000));

/// How long to wait for what the guest answers: `usual`, and a moment where QEMU, which hands on
/// what a guest says, is silent itself.
std::chrono::milliseconds patience_with(const GuestFacts& facts, std::chrono::milliseconds usual);

/// Why the guest answers nobody, whatever else may be wrong: it stands still, or its QEMU is
/// silent. Empty: it may.
const std::string& why_unanswering(const GuestFacts& facts);

/// Throws when there is such a reason.
void refuse_unanswering(const GuestFacts& facts);

enum class AddressSource { agent, neighbours, forward };
std::string_view name_of(AddressSource source);

struct GuestAddress {
    std::string address;  ///< with "%LINK" behind a link-local one
    AddressSource source = AddressSource::agent;
    unsigned port = 0;        ///< a forward's, of the host; 0: every port
    unsigned guest_port = 0;  ///< where that leads
    bool tcp = true;
};

struct GuestAdapter {
    RunNet net;
    std::vector<GuestAddress> addresses;  ///< the best first
    std::string unknown;                  ///< when there are none: why, and the way out
};

/// The VM's adapters in its order.
std::vector<GuestAdapter> guest_adapters(const GuestFacts& facts);

/// All that is unknown, in one line.
std::string why_unknown(const VmName& name, const std::vector<GuestAdapter>& adapters);

nlohmann::json adapters_json(const std::vector<GuestAdapter>& adapters);

/// A place where the guest's SSH server may listen.
struct SshTarget {
    std::string address;
    unsigned port = 22;

    [[nodiscard]] std::string str() const;
};

/// The best first.
std::vector<SshTarget> ssh_targets(const std::vector<GuestAdapter>& adapters);

/// The first of `targets` that greets as an SSH server does within `limit`; all are tried at the
/// same time. A connection alone means nothing: QEMU's NAT takes any. Nothing, and `why` of each,
/// when none does.
std::optional<SshTarget> first_ssh_server(const std::vector<SshTarget>& targets,
                                          std::chrono::milliseconds limit, std::string& why);

/// The IPv6 link-local address that a guest makes of its MAC address unless it has privacy in mind
/// (RFC 4291, appendix A).
std::string link_local_address(const MacAddress& mac);

/// guest_adapters(); where no address is known on a bridge, the guest is called first, by one
/// datagram to its link-local address, for which this host must find the guest: then it is in the
/// neighbour table. Waits for that up to `limit`, and brings `facts.network` up to date.
std::vector<GuestAdapter> find_guest(GuestFacts& facts, std::chrono::milliseconds limit);

}  // namespace tapgate

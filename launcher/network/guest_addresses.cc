// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/guest_addresses.h"

#include <arpa/inet.h>
#include <linux/if_bridge.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "common/unique_fd.h"
#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/qemu/control.h"
#include "launcher/qemu/qmp_client.h"
#include "launcher/qemu/standstill.h"

namespace tapgate {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// For a guest whose QEMU does not answer: enough time if it only talks to another client.
constexpr std::chrono::milliseconds silent_limit{500};

unsigned number(const std::string& text) {
    return parse_whole<unsigned>(text).value_or(0);
}

// Whether a program in the guest has the agent's channel open. "Not known" counts as yes: the agent
// is then asked in vain.
bool agent_listens(const json& chardevs) {
    if (!chardevs.is_array())
        return true;
    for (const json& one : chardevs)
        if (one.is_object() && one.value("label", json()) == "agent")
            return one.value("frontend-open", json()) != false;
    return false;
}

// Asks QEMU. Learns nothing when QEMU is busy with another client, or hangs.
void ask_qemu(GuestFacts& facts, std::chrono::milliseconds limit) {
    try {
        QmpClient qmp = QmpClient::connect(qmp_path(facts.name), limit);
        facts.standstill = standstill(facts.name, qmp, limit);
        const QmpAnswer chardevs = qmp.execute("query-chardev", nullptr, limit);
        facts.has_agent = !chardevs.ok() || agent_listens(chardevs.value);
        if (std::any_of(facts.nets.begin(), facts.nets.end(),
                        [](const RunNet& net) { return net.bridge.empty(); })) {
            const QmpAnswer usernet =
                qmp.execute("human-monitor-command", {{"command-line", "info usernet"}}, limit);
            if (usernet.ok() && usernet.value.is_string())
                facts.forwards = parse_forwards(usernet.value.get<std::string>());
        }
    } catch (const QmpError& error) {
        facts.silence = qmp_failure(facts.name, error, limit).what();
    }
}

void ask_agent(GuestFacts& facts, std::chrono::milliseconds limit) {
    try {
        if (facts.has_agent || !facts.silence.empty())
            facts.agent = agent_interfaces(agent_path(facts.name), patience_with(facts, limit));
    } catch (const QmpError&) {
        // There is no agent, which is usual.
    }
}

// The port of the bridge that belongs to the adapter: by the tap's name, or by where its frames
// come in.
const HostLink* port_of(const GuestFacts& facts, const RunNet& net, const HostLink& bridge,
                        const std::optional<MacAddress>& mac) {
    if (const HostLink* const tap = net.tap.empty() ? nullptr : facts.network.link(net.tap))
        return tap->master == bridge.index ? tap : nullptr;
    const Station* const station = mac ? facts.network.station(*mac, bridge.index) : nullptr;
    return station == nullptr ? nullptr : facts.network.link(station->port);
}

std::string why_unknown_on_bridge(const GuestFacts& facts, const RunNet& net,
                                  const std::optional<MacAddress>& mac) {
    const std::string console = "tapgate console " + facts.name.str();
    const HostLink* const bridge = facts.network.link(net.bridge);
    if (bridge == nullptr)
        return "there is no bridge " + shown(net.bridge) + " in this network namespace";
    const HostLink* const port = port_of(facts, net, *bridge, mac);
    if (!net.tap.empty() && port == nullptr)
        return "its tap " + shown(net.tap) + " is no port of " + shown(net.bridge) +
               " (any more); tapgate doctor " + facts.name.str();
    if (port != nullptr && port->port && !port->carrier)
        return "its port " + shown(port->name) + " on " + shown(net.bridge) +
               " has no carrier: QEMU is not there";
    if (port != nullptr && port->port &&
        (port->port->state == BR_STATE_LISTENING || port->port->state == BR_STATE_LEARNING))
        return "its port " + shown(port->name) + " on " + shown(net.bridge) +
               " is silent for up to " +
               std::to_string(2 * bridge->bridge.value_or(BridgeFacts{}).forward_delay / 100) +
               " s, since the bridge speaks STP";
    if (mac && facts.network.station(*mac, bridge->index) != nullptr)
        return "the guest sends frames from " + mac->str() + " through " +
               (port != nullptr ? shown(port->name) : std::string("a port")) + " of " +
               shown(net.bridge) +
               ", but this host has not talked with it and does not know its address: ping this "
               "host from the guest (" +
               console + "), or run qemu-guest-agent in it";
    return "no frame came from " + shown(net.mac) + " to " + shown(net.bridge) +
           " yet: the guest is still booting, or its interface is down (see " + console + ")";
}

void add_agents(const GuestFacts& facts, const MacAddress& mac, const HostLink* bridge,
                GuestAdapter& adapter) {
    std::vector<GuestAddress> local;
    for (const AgentInterface& interface : facts.agent) {
        if (interface.mac != mac)
            continue;
        for (const std::string& address : interface.addresses) {
            if (address.starts_with("fe80:"))
                local.push_back({address + (bridge != nullptr ? "%" + bridge->name : ""),
                                 AddressSource::agent});
            else
                adapter.addresses.push_back({address, AddressSource::agent});
        }
    }
    std::stable_partition(
        adapter.addresses.begin(), adapter.addresses.end(),
        [](const GuestAddress& one) { return one.address.find(':') == std::string::npos; });
    adapter.addresses.insert(adapter.addresses.end(), local.begin(), local.end());
}

GuestAdapter adapter_on_bridge(const GuestFacts& facts, const RunNet& net) {
    GuestAdapter adapter{net, {}, {}};
    const auto mac = MacAddress::parse(net.mac);
    const HostLink* const bridge = facts.network.link(net.bridge);
    if (mac)
        add_agents(facts, *mac, bridge, adapter);
    // What the guest says itself is newer than what this host remembers.
    if (mac && bridge != nullptr && adapter.addresses.empty())
        for (const Neighbour& one : facts.network.neighbours_of(*mac, bridge->index))
            adapter.addresses.push_back(
                {usable_address(facts.network, one), AddressSource::neighbours});
    if (adapter.addresses.empty())
        adapter.unknown = why_unknown_on_bridge(facts, net, mac);
    return adapter;
}

GuestAdapter adapter_behind_nat(const GuestFacts& facts, const RunNet& net,
                                const std::string& netdev) {
    GuestAdapter adapter{net, {}, {}};
    for (const Forward& one : facts.forwards)
        if (one.netdev == netdev)
            adapter.addresses.push_back({one.address == "0.0.0.0" ? "127.0.0.1" : one.address,
                                         AddressSource::forward, one.port, one.guest_port,
                                         one.tcp});
    if (adapter.addresses.empty())
        adapter.unknown =
            "it is behind QEMU's own NAT, and no port of this host leads there: give it one with "
            "--net=user,hostfwd=tcp::0-:22, or a bridge";
    return adapter;
}

struct FreeAddresses {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

// The address for socket calls; nothing when it is malformed.
Addresses resolve(const std::string& address, unsigned port, int type) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = type;
    addrinfo* list = nullptr;
    return Addresses(getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &list) == 0
                         ? list
                         : nullptr);
}

// An attempt to be greeted by an SSH server.
class SshTry {
  public:
    explicit SshTry(const SshTarget& target) {
        const Addresses list = resolve(target.address, target.port, SOCK_STREAM);
        if (!list) {
            end("not an address");
            return;
        }
        socket_.reset(socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!socket_ ||
            (connect(socket_.get(), list->ai_addr, list->ai_addrlen) != 0 && errno != EINPROGRESS))
            end(errno_text(errno));
    }

    [[nodiscard]] bool ended() const { return !why_.empty() || greeted_; }
    [[nodiscard]] bool greeted() const { return greeted_; }
    // Why there was no greeting: the last thing that is known.
    [[nodiscard]] std::string why() const {
        if (!why_.empty())
            return why_;
        return connected_ ? "it takes the connection and says nothing" : "no answer";
    }
    [[nodiscard]] pollfd poll_entry() const {
        const int fd = ended() ? -1 : socket_.get();
        return {fd, static_cast<short>(connected_ ? POLLIN : POLLOUT), 0};
    }

    // To be called when something has happened on the socket.
    void go_on() {
        if (!connected_) {
            int error = 0;
            socklen_t size = sizeof error;
            getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
            if (error != 0)
                end(errno_text(error));
            connected_ = true;
            return;
        }
        std::array<char, 4> start{};
        // A server may send other lines before its greeting (RFC 4253, 4.2), but none that guests
        // run does so.
        const ssize_t got = recv(socket_.get(), start.data(), start.size(), MSG_PEEK);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0)
            end(got == 0 ? "it closes the connection" : errno_text(errno));
        else if (std::string_view(start.data(), start.size()) == "SSH-")
            greeted_ = true;
        else
            end("it is no SSH server");
    }

  private:
    void end(const std::string& why) {
        why_ = why;
        socket_.reset();
    }

    UniqueFd socket_;
    bool connected_ = false;
    bool greeted_ = false;
    std::string why_;
};

// Whether anybody was called.
bool call(const std::vector<GuestAdapter>& adapters) {
    constexpr unsigned discard = 9;
    bool called = false;
    for (const GuestAdapter& adapter : adapters) {
        const auto mac = MacAddress::parse(adapter.net.mac);
        if (adapter.unknown.empty() || adapter.net.bridge.empty() || !mac)
            continue;
        const Addresses list =
            resolve(link_local_address(*mac) + "%" + adapter.net.bridge, discard, SOCK_DGRAM);
        const UniqueFd fd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        // If the bridge has no IPv6, nobody can be asked.
        if (list && fd && sendto(fd.get(), "", 0, 0, list->ai_addr, list->ai_addrlen) >= 0)
            called = true;
    }
    return called;
}

}  // namespace

std::vector<Forward> parse_forwards(std::string_view usernet) {
    std::vector<Forward> forwards;
    std::istringstream lines{std::string(usernet)};
    std::string netdev;
    for (std::string line; std::getline(lines, line);) {
        // "Hub -1 (net0):"
        const size_t open = line.find('(');
        const size_t close = line.find("):");
        if (line.starts_with("Hub ") && open < close && close != std::string::npos) {
            netdev = line.substr(open + 1, close - open - 1);
            continue;
        }
        // "  TCP[HOST_FORWARD]  9  127.0.0.1 32893  10.0.2.15 22  0 0"
        std::istringstream words(line);
        std::string kind;
        std::string fd;
        std::string port;
        std::string guest;
        std::string guest_port;
        Forward forward;
        words >> kind >> fd >> forward.address >> port >> guest >> guest_port;
        if (!words || (kind != "TCP[HOST_FORWARD]" && kind != "UDP[HOST_FORWARD]"))
            continue;
        forward.netdev = netdev;
        forward.tcp = kind.starts_with("TCP");
        if (forward.address == "*")
            forward.address = "0.0.0.0";
        forward.port = number(port);
        forward.guest_port = number(guest_port);
        if (forward.port != 0)
            forwards.push_back(std::move(forward));
    }
    return forwards;
}

std::chrono::milliseconds patience_with(const GuestFacts& facts, std::chrono::milliseconds usual) {
    return facts.silence.empty() ? usual : std::min(usual, silent_limit);
}

const std::string& why_unanswering(const GuestFacts& facts) {
    return facts.standstill.empty() ? facts.silence : facts.standstill;
}

void refuse_unanswering(const GuestFacts& facts) {
    if (const std::string& why = why_unanswering(facts); !why.empty())
        throw LauncherError(facts.name.str() + ": " + why);
}

GuestFacts guest_facts(const VmName& name, std::chrono::milliseconds limit) {
    const VmState state = vm_state(name);
    const auto record = read_run_record(name);
    if (const std::string why = why_lost(name); !why.empty())
        throw LauncherError(why);
    if (state.life == Life::off)
        require_vm(name);
    if (state.life != Life::running || !record)
        throw LauncherError(
            name.str() + " does not run" +
            (state.life == Life::off ? "" : " (" + std::string(name_of(state.life)) + ")") +
            "; start it with: tapgate start " + name.str());
    GuestFacts facts{name, record->nets, host_network(), {}, {}};
    ask_qemu(facts, limit);
    ask_agent(facts, limit);
    return facts;
}

std::string_view name_of(AddressSource source) {
    switch (source) {
        case AddressSource::agent:
            return "agent";
        case AddressSource::neighbours:
            return "neighbours";
        case AddressSource::forward:
            return "forward";
    }
    return "";
}

std::vector<GuestAdapter> guest_adapters(const GuestFacts& facts) {
    std::vector<GuestAdapter> adapters;
    for (size_t i = 0; i < facts.nets.size(); i++) {
        const RunNet& net = facts.nets[i];
        // "nic2" is on "net2", which is not the third any more when some have been detached.
        const std::string number = net.id.starts_with("nic") ? net.id.substr(3) : std::to_string(i);
        adapters.push_back(net.bridge.empty() ? adapter_behind_nat(facts, net, "net" + number)
                                              : adapter_on_bridge(facts, net));
    }
    return adapters;
}

std::string why_unknown(const VmName& name, const std::vector<GuestAdapter>& adapters) {
    if (adapters.empty())
        return "it has no network adapter; give it one with: tapgate set " + name.str() +
               " net=bridge:br0 && tapgate restart " + name.str();
    std::string text;
    for (const GuestAdapter& adapter : adapters)
        if (!adapter.unknown.empty())
            text += (text.empty() ? "" : "; ") + adapter.unknown;
    return text;
}

json adapters_json(const std::vector<GuestAdapter>& adapters) {
    json all = json::array();
    for (const GuestAdapter& adapter : adapters) {
        json addresses = json::array();
        for (const GuestAddress& one : adapter.addresses) {
            json entry = {{"address", one.address}, {"source", name_of(one.source)}};
            if (one.port != 0) {
                entry["port"] = one.port;
                entry["guest_port"] = one.guest_port;
                entry["protocol"] = one.tcp ? "tcp" : "udp";
            }
            addresses.push_back(std::move(entry));
        }
        all.push_back({{"mac", adapter.net.mac},
                       {"bridge", adapter.net.bridge},
                       {"tap", adapter.net.tap},
                       {"addresses", addresses},
                       {"unknown", adapter.unknown}});
    }
    return all;
}

std::string SshTarget::str() const {
    return address + " port " + std::to_string(port);
}

std::vector<SshTarget> ssh_targets(const std::vector<GuestAdapter>& adapters) {
    std::vector<SshTarget> targets;
    for (const GuestAdapter& adapter : adapters)
        for (const GuestAddress& one : adapter.addresses) {
            if (one.source != AddressSource::forward)
                targets.push_back({one.address, 22});
            else if (one.tcp && one.guest_port == 22)
                targets.push_back({one.address, one.port});
        }
    return targets;
}

std::optional<SshTarget> first_ssh_server(const std::vector<SshTarget>& targets,
                                          std::chrono::milliseconds limit, std::string& why) {
    const auto deadline = Clock::now() + limit;
    std::vector<SshTry> tries;
    tries.reserve(targets.size());
    for (const SshTarget& target : targets)
        tries.emplace_back(target);
    for (;;) {
        for (size_t i = 0; i < tries.size(); i++)
            if (tries[i].greeted())
                return targets[i];
        const int left = milliseconds_until(deadline);
        if (left == 0 ||
            std::all_of(tries.begin(), tries.end(), [](const SshTry& one) { return one.ended(); }))
            break;
        std::vector<pollfd> entries;
        entries.reserve(tries.size());
        for (const SshTry& one : tries)
            entries.push_back(one.poll_entry());
        if (poll(entries.data(), entries.size(), left) > 0)
            for (size_t i = 0; i < tries.size(); i++)
                if (entries[i].revents != 0)
                    tries[i].go_on();
    }
    why.clear();
    for (size_t i = 0; i < tries.size(); i++)
        why += (i == 0 ? "" : "; ") + targets[i].str() + ": " + tries[i].why();
    return std::nullopt;
}

std::string link_local_address(const MacAddress& mac) {
    const MacAddress::Bytes& m = mac.bytes();
    const std::array<unsigned char, 16> bytes{
        0xfe, 0x80, 0,    0,    0,    0,    0,   0, static_cast<unsigned char>(m[0] ^ 2U),
        m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
    return text.data();
}

std::vector<GuestAdapter> find_guest(GuestFacts& facts, std::chrono::milliseconds limit) {
    const auto deadline = Clock::now() + limit;
    std::vector<GuestAdapter> adapters = guest_adapters(facts);
    if (!call(adapters))
        return adapters;
    const auto is_known = [](const GuestAdapter& adapter) { return adapter.unknown.empty(); };
    while (std::none_of(adapters.begin(), adapters.end(), is_known) && Clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        facts.network = host_network();
        adapters = guest_adapters(facts);
    }
    return adapters;
}

}  // namespace tapgate

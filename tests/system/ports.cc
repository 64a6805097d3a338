// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/system/ports.h"

#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tests/system/netlink.h"

namespace tapgate {

using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;

void Ports::prepare() {
    add_bridge("br0");
    add_veth("uplink", "far");
    Rtnl().set_master("uplink", "br0");
    set_link_up("far");
    set_link_up("uplink");
    await_forwarding("uplink");
    network_.emplace(Station::link("far", {"br0"}));
}

HelperResult Ports::ask(const std::vector<std::string>& more, const HelperOptions& options) {
    std::vector<std::string> args = {"--br=br0", "--fd=27"};
    args.insert(args.end(), more.begin(), more.end());
    return run_helper(args, options);
}

HelperResult Ports::ask_for(const std::string& options, const std::string& mac) {
    write_policy("allow br0 " + options + "\n");
    return ask({"--mac=" + mac});
}

Ports::Guest Ports::start(const std::string& options, const std::string& mac) {
    HelperResult run = ask_for(options, mac);
    if (!granted(run))
        throw std::runtime_error(describe(run));
    UniqueFd fd = std::move(run.fds[0]);
    const int number = fd.get();
    Guest guest{std::move(fd), tap_name(number), mac, Station::tap(number, {"br0"})};
    // Where STP has its delay, some tests need no more than what the bridge takes meanwhile.
    if (link_attribute(guest.tap, "brport/state") == "3")
        guest.station.await_link();
    return guest;
}

std::vector<std::string> Ports::arriving(const Party& from, const Party& to) {
    std::vector<std::string> kinds;
    const auto attempt = [&](const char* kind, const std::string& frame) {
        check_call(from.station->send(frame), std::string("send ") + kind);
        if (to.station->got(frame))
            kinds.emplace_back(kind);
    };
    attempt("flooded", make_frame(nobodys_mac, from.mac));
    attempt("broadcast", make_frame(broadcast_mac, from.mac));
    attempt("multicast", make_frame(multicast_mac, from.mac));
    attempt("ARP", make_arp_request(from.mac, "192.0.2.1"));
    // The bridge learns where it is, if it ever does.
    check_call(to.station->send(make_frame(broadcast_mac, to.mac)), "send");
    attempt("unicast", make_frame(to.mac, from.mac));
    return kinds;
}

AssertionResult Ports::reaches(const Party& from, const Party& to) {
    const std::vector<std::string> kinds = arriving(from, to);
    if (kinds.size() == 5)
        return AssertionSuccess();
    return AssertionFailure() << "only these arrive: " << testing::PrintToString(kinds);
}

AssertionResult Ports::is_cut_off(const Party& from, const Party& to) {
    const std::vector<std::string> kinds = arriving(from, to);
    if (kinds.empty())
        return AssertionSuccess();
    return AssertionFailure() << "these arrive: " << testing::PrintToString(kinds);
}

AssertionResult Ports::reach_each_other(const Party& a, const Party& b) {
    AssertionResult result = reaches(a, b);
    return result ? reaches(b, a) : result;
}

bool Ports::passes(const Guest& guest, std::string_view source) const {
    const std::string broadcast = make_frame(broadcast_mac, source);
    const std::string unicast = make_frame(router_mac, source);
    check_call(guest.station.send(broadcast) && guest.station.send(unicast), "send");
    const bool first = network_->got(broadcast);
    check_call(guest.station.send(unicast), "send");
    const bool second = network_->got(unicast);
    EXPECT_EQ(first, second) << "broadcast and unicast differ";
    return first || second;
}

namespace {

unsigned port_number(const std::string& port) {
    const std::string text = Testbed::link_attribute(port, "brport/port_no");
    return text.empty() ? 0U : static_cast<unsigned>(std::stoul(text, nullptr, 16));
}

}  // namespace

std::string Ports::where_is(const std::string& mac) {
    for (const FdbEntry& entry : forwarding_database("br0")) {
        if (entry.mac != mac)
            continue;
        for (const std::string& port : ports("br0")) {
            if (port_number(port) == entry.port)
                return port;
        }
        return "br0";
    }
    return "";
}

bool Ports::forgets(const std::string& mac) {
    for (int i = 0; i < 200 && !where_is(mac).empty(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return where_is(mac).empty();
}

}  // namespace tapgate

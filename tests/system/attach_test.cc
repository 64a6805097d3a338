// SPDX-License-Identifier: GPL-2.0-or-later
//
// Grants for real: what the caller gets, what state the port is in, and that nothing is left when
// the helper is killed on the way.

#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "tests/system/testbed.h"
#include "tests/system/tracer.h"
#include "tests/system/wire.h"

namespace tapgate {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

const std::vector<std::string> libvirt_args = {"--use-vnet", "--br=br0", "--fd=27"};
constexpr std::size_t vnet_header_size = 10;  // the kernel's default

// Whether the frame comes within two seconds, behind so many bytes of a header.
bool comes(int fd, std::size_t header, const std::string& frame) {
    for (pollfd ready{fd, POLLIN, 0}; poll(&ready, 1, 2000) == 1;) {
        std::array<char, 4096> buffer{};
        const ssize_t size = read(fd, buffer.data(), buffer.size());
        if (size < static_cast<ssize_t>(header))
            return false;
        if (std::string_view(buffer.data(), static_cast<std::size_t>(size)).substr(header) == frame)
            return true;
    }
    return false;
}

// A frame from the tap's holder reaches the bridge.
testing::AssertionResult sends(int tap, const std::string& bridge, std::size_t header) {
    const UniqueFd listener = packet_socket(bridge);
    const std::string frame = make_frame(broadcast_mac, mac_a);
    const std::string packet = std::string(header, '\0') + frame;
    if (write(tap, packet.data(), packet.size()) < 0)
        return testing::AssertionFailure() << "cannot send: " << std::strerror(errno);
    if (!comes(listener.get(), 0, frame))
        return testing::AssertionFailure() << "the frame did not reach " << bridge;
    return testing::AssertionSuccess();
}

class Attach : public BothInstalls {
  protected:
    void prepare() override { allow_br0(); }
};
TAPGATE_BOTH_INSTALLS(Attach);

// For a test that takes long, and for which the way to install makes no difference.
class OneInstall : public Testbed {
  protected:
    void prepare() override { allow_br0(); }
};

TEST_P(Attach, GrantsInQemusArgumentOrder) {
    const HelperResult run = run_helper(usual_args);
    ASSERT_TRUE(granted(run));
    const int tap = run.fds[0].get();
    EXPECT_EQ(tap_name(tap).rfind("tap2001-", 0), 0U) << tap_name(tap);
    EXPECT_EQ(tap_name(tap), the_tap());
    EXPECT_EQ(tap_flags(tap) & (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE),
              unsigned{IFF_TAP | IFF_NO_PI | IFF_VNET_HDR});
    EXPECT_THAT(ports("br0"), ElementsAre(the_tap()));
    EXPECT_TRUE(link_flags(the_tap()) & IFF_UP);
}

TEST_P(Attach, GrantsInLibvirtsArgumentOrder) {
    ASSERT_TRUE(granted(run_helper(libvirt_args)));
}

TEST_P(Attach, TheLastOfARepeatedArgumentWins) {
    add_bridge("br1");
    const HelperResult run =
        run_helper({"--br=br1", "--fd=28", "--fd=27", "--use-vnet", "--use-vnet", "--br=br0"});
    ASSERT_TRUE(granted(run));
    EXPECT_THAT(ports("br0"), ElementsAre(the_tap()));
}

TEST_P(Attach, VnetHeaderOnlyWhenAskedFor) {
    const HelperResult run = run_helper({"--br=br0", "--fd=27"});
    ASSERT_TRUE(granted(run));
    EXPECT_EQ(tap_flags(run.fds[0].get()) & unsigned{IFF_VNET_HDR}, 0U);
    EXPECT_TRUE(sends(run.fds[0].get(), "br0", 0));
}

TEST_P(Attach, FramesPassBothWays) {
    const HelperResult run = run_helper(usual_args);
    ASSERT_TRUE(granted(run));
    const int tap = run.fds[0].get();
    EXPECT_TRUE(sends(tap, "br0", vnet_header_size));
    const UniqueFd host = packet_socket("br0");
    const std::string frame = make_frame(broadcast_mac, router_mac);
    ASSERT_EQ(send(host.get(), frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
    EXPECT_TRUE(comes(tap, vnet_header_size, frame));
}

TEST_P(Attach, TapGoesWithItsFd) {
    HelperResult run = run_helper(usual_args);
    ASSERT_TRUE(granted(run));
    EXPECT_THAT(taps(), ElementsAre(the_tap()));
    run.fds.clear();
    EXPECT_TRUE(no_taps_left());
    EXPECT_THAT(ports("br0"), IsEmpty());
}

TEST_P(Attach, TapBelongsToTheCallerAndSaysSo) {
    const HelperResult run = run_helper(usual_args, as(bob_account));
    ASSERT_TRUE(granted(run));
    EXPECT_EQ(link_attribute(the_tap(), "owner"), "2002");
    EXPECT_EQ(link_attribute(the_tap(), "ifalias"), "tapgate uid=2002");
    EXPECT_EQ(link_attribute(the_tap(), "tun_flags").find("0x"), 0U);
    EXPECT_EQ(tap_flags(run.fds[0].get()) & unsigned{IFF_PERSIST}, 0U);
}

TEST_P(Attach, VmNameIsInTheAlias) {
    const HelperResult run = run_helper({"--use-vnet", "--fd=27", "--br=br0", "--vm=web-1.lab_a"});
    ASSERT_TRUE(granted(run));
    EXPECT_EQ(link_attribute(the_tap(), "ifalias"), "tapgate uid=2001 vm=web-1.lab_a");
}

TEST_P(Attach, TakesTheBridgesMtu) {
    add_bridge("br-jumbo", 9000);
    write_policy("allow all\n");
    const HelperResult run = run_helper({"--br=br-jumbo", "--fd=27"});
    ASSERT_TRUE(granted(run));
    EXPECT_EQ(link_attribute(the_tap(), "mtu"), "9000");
    EXPECT_EQ(link_attribute("br-jumbo", "mtu"), "9000");
}

TEST_P(Attach, MacBeginsWithFe) {
    const HelperResult run = run_helper(usual_args);
    ASSERT_TRUE(granted(run));
    EXPECT_THAT(link_attribute(the_tap(), "address"), StartsWith("fe:"));
}

TEST_P(Attach, TheGuestsMacIsInTheAliasAndNoPartOfThePorts) {
    for (const char* policy : {"allow br0", "allow br0 contain"}) {
        write_policy(policy);
        const HelperResult run =
            run_helper({"--use-vnet", "--fd=27", "--br=br0", "--mac=52:54:00:aa:bb:cc"});
        ASSERT_TRUE(granted(run));
        EXPECT_EQ(link_attribute(the_tap(), "ifalias"), "tapgate uid=2001 mac=52:54:00:aa:bb:cc");
        const std::string address = link_attribute(the_tap(), "address");
        EXPECT_THAT(address, StartsWith("fe:"));
        EXPECT_NE(address, "fe:54:00:aa:bb:cc");
    }
}

TEST_P(Attach, APlainTapHasOneQueue) {
    for (const auto* policy : {"allow br0", "allow br0 plain"}) {
        write_policy(policy);
        EXPECT_TRUE(granted(run_helper({"--br=br0", "--fd=27", "--queues=1"})));
        EXPECT_TRUE(failed_saying(run_helper({"--br=br0", "--fd=27", "--queues=2"}),
                                  std::string("access denied by acl file: "
                                              "/etc/qemu/bridge.conf:1: ") +
                                      policy + ": --queues=2 is more than 1",
                                  "`contain'"));
    }
}

TEST_P(Attach, QueuesComeInOneMessageAndAllWork) {
    write_policy("allow br0 contain\n");
    for (const unsigned queues : {1U, 2U, 4U}) {
        HelperResult run =
            run_helper({"--use-vnet", "--br=br0", "--fd=27", "--queues=" + std::to_string(queues)});
        ASSERT_TRUE(granted(run, queues));
        for (const UniqueFd& fd : run.fds) {
            EXPECT_EQ(tap_name(fd.get()), the_tap());
            EXPECT_EQ((tap_flags(fd.get()) & unsigned{IFF_MULTI_QUEUE}) != 0, queues > 1);
            EXPECT_TRUE(sends(fd.get(), "br0", vnet_header_size));
        }
        run.fds.clear();
        ASSERT_TRUE(no_taps_left());
    }
}

TEST_P(Attach, PortIsInTheStateThatTheStockHelperLeavesItIn) {
    TAPGATE_REQUIRE(install_stock(), "the stock helper");
    HelperOptions stock;
    stock.program = stock_path();
    // One after the other, so that both have the same port number and neighbours.
    const auto state = [&] {
        std::map<std::string, std::string> attributes;
        for (const char* name : {"state",
                                 "path_cost",
                                 "priority",
                                 "hairpin_mode",
                                 "bpdu_guard",
                                 "root_block",
                                 "multicast_fast_leave",
                                 "learning",
                                 "unicast_flood",
                                 "multicast_flood",
                                 "broadcast_flood",
                                 "proxyarp",
                                 "proxyarp_wifi",
                                 "multicast_router",
                                 "multicast_to_unicast",
                                 "neigh_suppress",
                                 "isolated",
                                 "group_fwd_mask",
                                 "backup_port",
                                 "port_no",
                                 "port_id"}) {
            attributes[name] = link_attribute(the_tap(), std::string("brport/") + name);
        }
        for (const char* name : {"mtu", "flags", "tx_queue_len", "netdev_group", "type",
                                 "tun_flags", "group", "promiscuity"}) {
            attributes[name] = link_attribute(the_tap(), name);
        }
        return attributes;
    };
    for (const bool vnet : {true, false}) {
        std::vector<std::string> args = {"--fd=27", "--br=br0"};
        if (vnet)
            args.insert(args.begin(), "--use-vnet");
        std::map<std::string, std::string> expected;
        {
            const HelperResult run = run_helper(args, stock);
            ASSERT_EQ(run.exit_status, 0) << describe(run);
            expected = state();
            EXPECT_EQ(expected["learning"], "1");
        }
        ASSERT_TRUE(no_taps_left());
        const HelperResult run = run_helper(args);
        ASSERT_TRUE(granted(run));
        EXPECT_EQ(state(), expected);
    }
}

TEST_F(OneInstall, WorksWith500TapsOnTheBridge) {
    std::vector<UniqueFd> fds;
    fds.reserve(500);
    for (int i = 0; i < 500; ++i) {
        HelperResult run = run_helper(usual_args);
        ASSERT_TRUE(granted(run)) << "after " << i;
        fds.push_back(std::move(run.fds[0]));
    }
    EXPECT_EQ(ports("br0").size(), 500U);
    const HelperResult run = run_helper(usual_args);
    ASSERT_TRUE(granted(run));
    EXPECT_THAT(ports("br0"), Contains(tap_name(run.fds[0].get())));
    EXPECT_TRUE(sends(run.fds[0].get(), "br0", vnet_header_size));
}

TEST_P(Attach, ThroughAShellAsQemuDoesForAHelperWithArguments) {
    HelperOptions options;
    options.program = "/bin/sh";
    options.argv =
        std::vector<std::string>{"sh", "-c", helper_path() + " --use-vnet --fd=27 --br=br0"};
    EXPECT_TRUE(granted(run_helper({}, options)));
}

TEST_P(Attach, ManyAtOnce) {
    std::vector<std::unique_ptr<HelperProcess>> helpers;
    helpers.reserve(40);
    for (int i = 0; i < 40; ++i)
        helpers.push_back(std::make_unique<HelperProcess>(usual_args, HelperOptions{}));
    std::vector<HelperResult> runs;
    runs.reserve(helpers.size());
    std::set<std::string> names;
    for (const auto& helper : helpers) {
        runs.push_back(helper->finish());
        ASSERT_TRUE(granted(runs.back()));
        names.insert(tap_name(runs.back().fds[0].get()));
    }
    EXPECT_EQ(names.size(), 40U);
    EXPECT_EQ(ports("br0").size(), 40U);
}

TEST_P(Attach, HolderOfATapCannotMoveTheBridgesMac) {
    const std::string before = link_attribute("br0", "address");
    const HelperResult run = run_helper(usual_args);
    ASSERT_TRUE(granted(run));
    EXPECT_EQ(link_attribute("br0", "address"), before);
    EXPECT_EQ(link_attribute("br0", "addr_assign_type"), "3");
    // What a tap's holder can do with no privilege: give it the lowest address there is.
    const int tap = run.fds[0].get();
    ASSERT_EQ(set_hardware_address(tap, tap_name(tap), "00:00:00:00:00:01"), 0);
    EXPECT_EQ(link_attribute("br0", "address"), before);
}

// --- Killed

TEST_P(Attach, KilledAtAnyMomentLeavesNoTap) {
    const int step = long_run() ? 2 : 10;
    int grants = 0;
    for (int delay = 0; delay <= 3000; delay += step) {
        HelperProcess process(usual_args, {});
        std::this_thread::sleep_for(std::chrono::microseconds(delay));
        process.kill(SIGKILL);
        HelperResult run = process.finish();
        grants += run.exit_status == 0 ? 1 : 0;
        run.fds.clear();
        ASSERT_TRUE(no_taps_left()) << "killed after " << delay << " us";
    }
    RecordProperty("granted", grants);
}

TEST_P(Attach, KilledAtEveryCallLeavesNoTap) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    for (unsigned n = 1;; ++n) {
        bool reached = false;
        HelperResult run = run_traced(usual_args, {}, [&](const TracedCall& call) {
            reached |= call.index == n;
            return TraceAction{0, call.index == n};
        });
        if (!reached) {
            ASSERT_GT(n, 10U) << describe(run);
            break;
        }
        EXPECT_EQ(run.signal, SIGKILL) << describe(run);
        run.fds.clear();
        ASSERT_TRUE(no_taps_left()) << "killed at call " << n;
    }
}

}  // namespace
}  // namespace tapgate

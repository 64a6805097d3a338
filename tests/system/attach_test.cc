// SPDX-License-Identifier: GPL-2.0-or-later
//
// Grants and refusals for real: what the caller gets, what state the port is in, and that nothing
// is left when it goes wrong, whatever the caller brings along.

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/if_packet.h>
#include <linux/if_tun.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "tests/system/testbed.h"
#include "tests/system/tracer.h"

namespace tapgate {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using namespace std::string_literals;

const std::vector<std::string> qemu_args = {"--use-vnet", "--fd=27", "--br=br0"};
const std::vector<std::string> libvirt_args = {"--use-vnet", "--br=br0", "--fd=27"};
constexpr const char* usage_words = "Usage: ";

// An EtherType for experiments: nothing else in the namespace sends it.
constexpr std::uint16_t ether_type = 0x88b5;
constexpr std::size_t vnet_header_size = 10;  // the kernel's default

std::string frame(char mark) {
    std::string f(6, '\xff');                         // to everybody
    f += std::string("\x52\x54\x00\x12\x34\x56", 6);  // from a guest
    f += "\x88\xb5";
    f += std::string(50, mark);
    return f;
}

UniqueFd packet_socket(const std::string& link) {
    UniqueFd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ether_type)));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ether_type);
    address.sll_ifindex = static_cast<int>(if_nametoindex(link.c_str()));
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fd.reset();
    return fd;
}

// The next frame of ether_type within two seconds, without its vnet header.
std::string next_frame(int fd, std::size_t header) {
    for (int i = 0; i < 100; ++i) {
        pollfd p{fd, POLLIN, 0};
        if (poll(&p, 1, 2000) != 1)
            return {};
        std::array<char, 4096> buffer{};
        const ssize_t n = read(fd, buffer.data(), buffer.size());
        if (n < static_cast<ssize_t>(header + 14))
            continue;
        std::string f(buffer.data() + header, static_cast<std::size_t>(n) - header);
        if (f.compare(12, 2, "\x88\xb5") == 0)
            return f;
    }
    return {};
}

// A frame from the tap's holder reaches the bridge.
testing::AssertionResult sends(int tap, const std::string& bridge, std::size_t header, char mark) {
    const UniqueFd listener = packet_socket(bridge);
    const std::string f = frame(mark);
    const std::string packet = std::string(header, '\0') + f;
    if (!listener || write(tap, packet.data(), packet.size()) < 0)
        return testing::AssertionFailure() << "cannot send: " << std::strerror(errno);
    if (next_frame(listener.get(), 0) != f)
        return testing::AssertionFailure() << "the frame did not reach " << bridge;
    return testing::AssertionSuccess();
}

class Attach : public BothInstalls {
  protected:
    void SetUp() override {
        BothInstalls::SetUp();
        if (!IsSkipped() && !HasFatalFailure()) {
            add_bridge("br0");
            write_policy("allow br0\n");
        }
    }
};
TAPGATE_BOTH_INSTALLS(Attach);

// The install mode makes no difference for these.
class Caller : public Testbed {
  protected:
    void SetUp() override {
        Testbed::SetUp();
        if (!IsSkipped() && !HasFatalFailure()) {
            add_bridge("br0");
            write_policy("allow br0\n");
        }
    }
};

// --- Granted

TEST_P(Attach, GrantsInQemusArgumentOrder) {
    const HelperResult run = run_helper(qemu_args);
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
    EXPECT_TRUE(sends(run.fds[0].get(), "br0", 0, 'a'));
}

TEST_P(Attach, FramesPassBothWays) {
    const HelperResult run = run_helper(qemu_args);
    ASSERT_TRUE(granted(run));
    const int tap = run.fds[0].get();
    EXPECT_TRUE(sends(tap, "br0", vnet_header_size, 'g'));
    const UniqueFd host = packet_socket("br0");
    const std::string f = frame('h');
    ASSERT_EQ(send(host.get(), f.data(), f.size(), 0), static_cast<ssize_t>(f.size()));
    EXPECT_EQ(next_frame(tap, vnet_header_size), f);
}

TEST_P(Attach, TapGoesWithItsFd) {
    HelperResult run = run_helper(qemu_args);
    ASSERT_TRUE(granted(run));
    EXPECT_THAT(taps(), ElementsAre(the_tap()));
    run.fds.clear();
    EXPECT_TRUE(no_taps_left());
    EXPECT_THAT(ports("br0"), IsEmpty());
}

TEST_P(Attach, TapBelongsToTheCallerAndSaysSo) {
    const HelperResult run = run_helper(qemu_args, as(bob_account));
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
    const HelperResult run = run_helper(qemu_args);
    ASSERT_TRUE(granted(run));
    EXPECT_THAT(link_attribute(the_tap(), "address"), StartsWith("fe:"));
}

TEST_P(Attach, MacIsDerivedFromTheGuests) {
    const HelperResult run =
        run_helper({"--use-vnet", "--fd=27", "--br=br0", "--mac=52:54:00:aa:bb:cc"});
    ASSERT_TRUE(granted(run));
    EXPECT_EQ(link_attribute(the_tap(), "address"), "fe:54:00:aa:bb:cc");
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
        char mark = 'A';
        for (const UniqueFd& fd : run.fds) {
            EXPECT_EQ(tap_name(fd.get()), the_tap());
            EXPECT_EQ((tap_flags(fd.get()) & unsigned{IFF_MULTI_QUEUE}) != 0, queues > 1);
            EXPECT_TRUE(sends(fd.get(), "br0", vnet_header_size, mark++));
        }
        run.fds.clear();
        ASSERT_TRUE(no_taps_left());
    }
}

TEST_P(Attach, PortIsInTheStateThatTheStockHelperLeavesItIn) {
    TAPGATE_REQUIRE(install_stock(), "the stock helper");
    HelperOptions stock;
    stock.program = stock_path();
    // In turn, so that both have the same port number and neighbours.
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

TEST_F(Caller, WorksWith500TapsOnTheBridge) {
    std::vector<UniqueFd> fds;
    fds.reserve(500);
    for (int i = 0; i < 500; ++i) {
        HelperResult run = run_helper(qemu_args);
        ASSERT_TRUE(granted(run)) << "after " << i;
        fds.push_back(std::move(run.fds[0]));
    }
    EXPECT_EQ(ports("br0").size(), 500U);
    const HelperResult run = run_helper(qemu_args);
    ASSERT_TRUE(granted(run));
    EXPECT_THAT(ports("br0"), Contains(tap_name(run.fds[0].get())));
    EXPECT_TRUE(sends(run.fds[0].get(), "br0", vnet_header_size, 'z'));
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
        helpers.push_back(std::make_unique<HelperProcess>(qemu_args, HelperOptions{}));
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
    const HelperResult run = run_helper(qemu_args);
    ASSERT_TRUE(granted(run));
    EXPECT_EQ(link_attribute("br0", "address"), before);
    EXPECT_EQ(link_attribute("br0", "addr_assign_type"), "3");
    // What a tap's holder can do with no privilege: give it the lowest address there is.
    ifreq request = {};
    const std::string name = tap_name(run.fds[0].get());
    std::memcpy(static_cast<char*>(request.ifr_name), name.c_str(), name.size() + 1);
    request.ifr_hwaddr.sa_family = 1;
    request.ifr_hwaddr.sa_data[5] = 1;
    ASSERT_EQ(ioctl(run.fds[0].get(), SIOCSIFHWADDR, &request), 0);
    EXPECT_EQ(link_attribute("br0", "address"), before);
}

// --- Refused

TEST_P(Attach, RefusalNamesTheRule) {
    write_policy("# lab\n\nallow br1\n\n\nallow all\n deny br0 \n");
    EXPECT_TRUE(failed(run_helper(qemu_args),
                       "access denied by acl file: /etc/qemu/bridge.conf:7: deny br0"));
}

TEST_P(Attach, RefusalShowsATabAsABlank) {
    write_policy("deny\tbr0\n");
    EXPECT_TRUE(failed(run_helper(qemu_args),
                       "access denied by acl file: /etc/qemu/bridge.conf:1: deny br0"));
}

TEST_P(Attach, RefusalSaysThatNoRuleAllows) {
    write_policy("allow br1\n");
    EXPECT_TRUE(failed(run_helper(qemu_args),
                       "access denied by acl file: /etc/qemu/bridge.conf: no rule allows br0"));
}

TEST_P(Attach, RefusesWithoutAPolicy) {
    unlink(policy_file);
    EXPECT_TRUE(
        failed(run_helper(qemu_args), "failed to parse default acl file `/etc/qemu/bridge.conf'"));
    rmdir("/etc/qemu");
    EXPECT_TRUE(
        failed(run_helper(qemu_args), "failed to parse default acl file `/etc/qemu/bridge.conf'"));
}

TEST_P(Attach, RefusesWhenThePolicyCannotBeRead) {
    write_policy("allow br0\n", 0600);
    EXPECT_TRUE(
        failed(run_helper(qemu_args), "failed to parse default acl file `/etc/qemu/bridge.conf'"));
}

TEST_P(Attach, RefusesSyntaxErrorsWithTheirPlace) {
    write_policy("allow br0\npermit br0\n");
    EXPECT_TRUE(failed_saying(run_helper(qemu_args), "", "/etc/qemu/bridge.conf:2:"));
    write_policy("allow br0\ngarbage\n");
    EXPECT_TRUE(failed_saying(run_helper(qemu_args), "", "/etc/qemu/bridge.conf:2:"));
}

TEST_P(Attach, NoSuchBridge) {
    write_policy("allow all\n");
    EXPECT_TRUE(failed(run_helper({"--use-vnet", "--fd=27", "--br=nosuch"}),
                       "failed to get mtu of bridge `nosuch'"));
}

TEST_P(Attach, NotABridge) {
    write_policy("allow all\n");
    add_veth("veth0", "veth1");
    EXPECT_TRUE(failed_saying(run_helper({"--fd=27", "--br=veth0"}), "",
                              "veth0 is not a bridge (it is a veth)"));
    EXPECT_TRUE(failed_saying(run_helper({"--fd=27", "--br=lo"}), "", "lo is not a bridge"));
    // The port of a bridge is none either.
    const HelperResult run = run_helper(qemu_args);
    ASSERT_TRUE(granted(run));
    const HelperResult nested = run_helper({"--fd=27", "--br=" + the_tap()});
    EXPECT_EQ(nested.exit_status, 1);
    EXPECT_THAT(nested.err, HasSubstr(the_tap() + " is not a bridge"));
    EXPECT_THAT(taps(), ElementsAre(the_tap()));
}

TEST_P(Attach, NotABridgeIsSaidBeforeATapIsMade) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    write_policy("allow all\n");
    add_veth("veth0", "veth1");
    bool made = false;
    const HelperResult run = run_traced({"--fd=27", "--br=veth0"}, {}, [&](const TracedCall& call) {
        made |= call_name(call.number) == "ioctl" && call.args[1] == TUNSETIFF;
        return TraceAction{};
    });
    EXPECT_TRUE(failed_saying(run, "", "veth0 is not a bridge (it is a veth)"));
    EXPECT_FALSE(made);
}

TEST_P(Attach, NamesThatAreTooLong) {
    write_policy("allow all\n");
    for (const std::size_t length : {16U, 17U, 255U, 4096U, 100000U}) {
        EXPECT_TRUE(failed(run_helper({"--fd=27", "--br=" + std::string(length, 'b')}), ""));
    }
    // 15 bytes are a name.
    const std::string longest(15, 'b');
    add_bridge(longest);
    EXPECT_TRUE(granted(run_helper({"--fd=27", "--br=" + longest})));
}

TEST_P(Attach, NamesThatAreNone) {
    write_policy("allow all\n");
    for (const char* name : {"", ".", "..", "a/b", "../br0", "br0 ", " br0", "br0\n", "br0:1",
                             "br0\x1b[2J", "tap%d", "\xff\xfe"}) {
        EXPECT_TRUE(failed(run_helper({"--fd=27", std::string("--br=") + name}), ""))
            << "bridge name \"" << name << '"';
    }
}

TEST_P(Attach, NamesAreNotReflectedRaw) {
    // Whoever reads the message has a terminal or a log: no control bytes of the caller's in it.
    const HelperResult run = run_helper({"--fd=27", "--br=br0\x1b[31m\nfake line"});
    EXPECT_TRUE(failed(run, ""));
    EXPECT_EQ(run.err.find('\x1b'), std::string::npos);
}

// --- Arguments

TEST_P(Attach, FdMustBeANumber) {
    for (const char* fd : {"abc", "", "-1", "27x", " 27", "+27", "0x1b", "4294967323", "4294967299",
                           "99999999999999999999", "27 ", "2147483648"}) {
        EXPECT_TRUE(failed(run_helper({"--br=br0", std::string("--fd=") + fd}), ""))
            << "--fd=" << fd;
    }
}

TEST_P(Attach, FdThatIsNotOpen) {
    EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=28"}), ""));
}

TEST_P(Attach, FdThatIsNotASocket) {
    const auto at_socket_number = [](int fd) {
        dup2(fd, socket_number);
        close(fd);
    };
    HelperOptions options;
    options.before_exec = [&] { at_socket_number(open("/etc/passwd", O_RDONLY | O_CLOEXEC)); };
    EXPECT_TRUE(failed(run_helper(qemu_args, options), "")) << "a file";
    options.before_exec = [&] { at_socket_number(open("/etc", O_RDONLY | O_CLOEXEC)); };
    EXPECT_TRUE(failed(run_helper(qemu_args, options), "")) << "a directory";
    options.before_exec = [&] { at_socket_number(open("/dev/null", O_RDWR | O_CLOEXEC)); };
    EXPECT_TRUE(failed(run_helper(qemu_args, options), "")) << "a device";
    options.before_exec = [&] {
        std::array<int, 2> ends{};
        if (pipe2(ends.data(), O_CLOEXEC) == 0)
            at_socket_number(ends[1]);
    };
    EXPECT_TRUE(failed(run_helper(qemu_args, options), "")) << "a pipe";
    options.before_exec = [&] { at_socket_number(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); };
    EXPECT_TRUE(failed(run_helper(qemu_args, options), "")) << "an IP socket";
    options.before_exec = [&] { at_socket_number(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); };
    EXPECT_TRUE(failed(run_helper(qemu_args, options), "")) << "a socket without a peer";
}

TEST_P(Attach, PeerThatIsGone) {
    HelperOptions options;
    options.before_exec = [] {
        std::array<int, 2> ends{};
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0) {
            dup2(ends[1], socket_number);
            close(ends[0]);
            close(ends[1]);
        }
    };
    EXPECT_TRUE(failed(run_helper(qemu_args, options), "failed to write fd to unix socket: "));
}

TEST_P(Attach, MissingArguments) {
    EXPECT_TRUE(failed(run_helper({}), usage_words));
    EXPECT_TRUE(failed(run_helper({"--use-vnet"}), usage_words));
    EXPECT_TRUE(failed(run_helper({"--br=br0"}), usage_words));
    EXPECT_TRUE(failed(run_helper({"--fd=27"}), usage_words));
    EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd"}), usage_words));
    // Apart, as the stock helper's getopt_long() takes them too.
    EXPECT_TRUE(granted(run_helper({"--br", "br0", "--fd", "27"})));
}

TEST_P(Attach, UnknownArguments) {
    for (const char* extra : {"--nonsense", "br0", "", "-", "-v", "--br", "--use-vnet=1",
                              "--queues", "--BR=br0", "--fd27"}) {
        EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=27", extra}), usage_words))
            << "argument \"" << extra << '"';
    }
}

TEST_P(Attach, BadValues) {
    for (const char* extra : {"--queues=0",
                              "--queues=-1",
                              "--queues=x",
                              "--queues=",
                              "--queues=1000000",
                              "--queues=4294967297",
                              "--mac=",
                              "--mac=52:54:00:aa:bb",
                              "--mac=52:54:00:aa:bb:cc:dd",
                              "--mac=52-54-00-aa-bb-cc",
                              "--mac=53:54:00:aa:bb:cc",
                              "--mac=00:00:00:00:00:00",
                              "--mac=52:54:00:aa:bb:c",
                              "--mac=52:54:00:aa:bb:gg",
                              "--vm=",
                              "--vm=a b",
                              "--vm=a\nuid=0",
                              "--vm=-rf",
                              "--vm=a,b",
                              "--vm=a=b"}) {
        EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=27", extra}), ""))
            << "argument \"" << extra << '"';
    }
    EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=27", "--vm=" + std::string(300, 'a')}), ""));
}

TEST_P(Attach, HugeArguments) {
    const std::string huge(130000, 'x');
    EXPECT_TRUE(failed(run_helper({huge}), usage_words));
    EXPECT_TRUE(failed(run_helper({"--br=" + huge, "--fd=27"}), ""));
    EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=" + huge}), ""));
    EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=" + std::string(130000, '9')}), ""));
    EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=27", "--vm=" + huge}), ""));
    EXPECT_TRUE(failed(run_helper(std::vector<std::string>(20000, "--use-vnet")), usage_words));
}

// CVE-2021-4034 (pkexec): argc may be 0. Linux makes it 1 with an empty argv[0] since 5.18.
TEST_P(Attach, NoArgumentVectorAtAll) {
    HelperOptions options;
    options.argv = std::vector<std::string>{};
    EXPECT_TRUE(failed(run_helper({}, options), usage_words));
    options.argv = std::vector<std::string>{"", "--use-vnet", "--br=br0", "--fd=27"};
    EXPECT_TRUE(granted(run_helper({}, options)));
}

// --- What makes nothing

TEST_P(Attach, ModesThatMakeNothing) {
    for (const auto* arg : {"--version", "--help"}) {
        const HelperResult run = run_helper({arg});
        EXPECT_EQ(run.exit_status, 0) << arg << ": " << describe(run);
        EXPECT_THAT(run.out, HasSubstr("tapgate-helper ")) << arg;
        EXPECT_THAT(run.err, IsEmpty()) << arg;
        EXPECT_THAT(run.data, IsEmpty()) << arg;
    }
    EXPECT_THAT(taps(), IsEmpty());
}

TEST_F(Testbed, PolicyToolSaysWhatThePolicyMeans) {
    TAPGATE_REQUIRE(!read_text(path("tapgate-policy")).empty(), "tapgate-policy beside the helper");
    add_bridge("br0");
    add_bridge("br1");
    write_policy("allow br0\ndeny br1\n");
    HelperResult run = ask_policy({"explain", "--br=br0"});
    EXPECT_EQ(run.exit_status, 0) << describe(run);
    EXPECT_THAT(run.out, HasSubstr("allowed for uid 2001: /etc/qemu/bridge.conf:1: allow br0\n"));
    run = ask_policy({"explain", "--br=br1"});
    EXPECT_EQ(run.exit_status, 1) << describe(run);
    EXPECT_THAT(run.out, HasSubstr("/etc/qemu/bridge.conf:2: deny br1\n"));
    for (const auto& args :
         std::vector<std::vector<std::string>>{{"check"}, {"check", policy_file}}) {
        run = ask_policy(args);
        EXPECT_EQ(run.exit_status, 0) << describe(run);
        EXPECT_THAT(run.out, HasSubstr(": no mistakes found\n"));
    }
    // It knows what there is of bridges, and which have an address of their own: a grant fixes it.
    write_policy("allow br1\n");
    EXPECT_TRUE(granted(run_helper({"--br=br1", "--fd=27"})));
    write_policy(
        "allow br0 no-pin-bridge-mac\nallow br1 no-pin-bridge-mac\nallow brO user=alice\n");
    run = ask_policy({"check"});
    EXPECT_EQ(run.exit_status, 1) << describe(run);
    EXPECT_THAT(run.out, HasSubstr("can take over the MAC address of br0, which is not fixed"));
    EXPECT_THAT(run.out, Not(HasSubstr("address of br1")));
    EXPECT_THAT(run.out, HasSubstr(":3: there is no bridge brO on this host now\n"));
    EXPECT_THAT(taps(), IsEmpty());
}

TEST_F(Testbed, PolicyToolWarnsOfIncludesFromOthersDirectories) {
    TAPGATE_REQUIRE(!read_text(path("tapgate-policy")).empty(), "tapgate-policy beside the helper");
    add_bridge("br0");
    make_directory(path("home"), 0755, alice_account.uid, alice_account.gid);
    make_directory(path("all"), 01777);
    make_directory("/etc/qemu");
    make_directory(path("home/below"));
    write_file("/etc/qemu/more.conf", "# nothing\n");
    write_file(path("home/more.conf"), "# nothing\n");
    write_file(path("home/below/more.conf"), "# nothing\n");
    ASSERT_EQ(symlink(path("home/more.conf").c_str(), "/etc/qemu/link.conf"), 0);
    ASSERT_EQ(symlink("/etc/qemu/more.conf", path("home/link.conf").c_str()), 0);
    const auto check_including = [](const std::string& file) {
        write_policy("allow br0 contain\ninclude " + file + "\n");
        return ask_policy({"check"});
    };
    HelperResult run = check_including("/etc/qemu/more.conf");
    EXPECT_EQ(run.exit_status, 0) << describe(run);
    for (const std::string& file :
         {path("home/more.conf"), path("home/below/more.conf"), path("home/link.conf"),
          path("all/missing.conf"), std::string("/etc/qemu/link.conf")}) {
        run = check_including(file);
        EXPECT_EQ(run.exit_status, 1) << describe(run);
        EXPECT_THAT(run.out,
                    HasSubstr(file + ": others besides root can write to " + testbed_root));
    }
}

TEST_F(Testbed, PolicyToolRefusesWhatItDoesNotUnderstand) {
    write_policy("allow br0\n");
    for (const auto& args : std::vector<std::vector<std::string>>{{},
                                                                  {"explain"},
                                                                  {"explain", "br0"},
                                                                  {"explain", "--br=a/b"},
                                                                  {"explain", "--br"},
                                                                  {"check", "a", "b"},
                                                                  {"check", "--br=br0"},
                                                                  {"check", "--fd=3"},
                                                                  {"reap"}})
        EXPECT_TRUE(
            failed(ask_policy(args), "Usage: tapgate-policy explain --br=BRIDGE | check [FILE]: "));
    HelperOptions options;
    options.argv = std::vector<std::string>{};  // argc may be 0
    EXPECT_TRUE(failed(ask_policy({}, options), "Usage: "));
    EXPECT_EQ(ask_policy({"--version"}).out.substr(0, 15), "tapgate-policy ");
}

// lxc-user-nic's lesson: a path that the caller names is opened with the caller's right only.
TEST_F(Testbed, PolicyToolReadsNothingThatTheCallerCannotRead) {
    write_file(path("secret"), "topsecret br0\n", 0600);
    const HelperResult run = ask_policy({"check", path("secret")});
    EXPECT_EQ(run.exit_status, 1) << describe(run);
    EXPECT_THAT(run.out, HasSubstr("Permission denied"));
    EXPECT_EQ((run.out + run.err).find("topsecret"), std::string::npos) << describe(run);
}

// --- What the caller brings along

TEST_F(Caller, ClosedStdio) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    for (unsigned closed = 1; closed < 8; ++closed) {
        HelperOptions options;
        options.before_exec = [closed] {
            for (int fd = 0; fd < 3; ++fd) {
                if ((closed & (1U << static_cast<unsigned>(fd))) != 0)
                    close(fd);
            }
        };
        int tap = -1;
        HelperResult run = run_traced(qemu_args, options, [&](const TracedCall& call) {
            if (call_name(call.number) == "ioctl" && call.args[1] == TUNSETIFF)
                tap = static_cast<int>(call.args[0]);
            return TraceAction{};
        });
        EXPECT_TRUE(granted(run)) << "closed: " << closed;
        EXPECT_GT(tap, 2) << "closed: " << closed;
        run.fds.clear();
        EXPECT_TRUE(no_taps_left());

        run = run_helper({"--br=none", "--fd=27"}, options);
        EXPECT_EQ(run.exit_status, 1) << describe(run);
        EXPECT_EQ(run.data, "") << "text landed in the socket";
        EXPECT_EQ(run.err.empty(), (closed & 4U) != 0) << describe(run);
    }
}

// The socket itself as stderr, stdout or stdin: no text may be taken for a reply.
TEST_F(Caller, SocketAsStdio) {
    for (int fd = 0; fd < 3; ++fd) {
        HelperOptions options;
        options.before_exec = [fd] { dup2(socket_number, fd); };
        const HelperResult run = run_helper({"--br=none", "--fd=" + std::to_string(fd)}, options);
        EXPECT_EQ(run.exit_status, 1) << describe(run);
        EXPECT_THAT(run.fds, IsEmpty());
    }
}

TEST_F(Caller, FullStderrDoesNotHangOrGrant) {
    HelperOptions options;
    options.before_exec = [] {
        const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        dup2(full, 2);
    };
    const HelperResult run = run_helper({"--br=none", "--fd=27"}, options);
    EXPECT_EQ(run.exit_status, 1) << describe(run);
    EXPECT_TRUE(no_taps_left());
}

TEST_F(Caller, AllSignalsBlocked) {
    HelperOptions options;
    options.before_exec = [] {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, nullptr);
    };
    EXPECT_TRUE(granted(run_helper(qemu_args, options)));
}

TEST_F(Caller, SignalsIgnored) {
    HelperOptions options;
    options.before_exec = [] {
        for (const int signal : {SIGALRM, SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGSYS, SIGPIPE})
            std::signal(signal, SIG_IGN);
    };
    EXPECT_TRUE(granted(run_helper(qemu_args, options)));
}

TEST_F(Caller, PendingAlarmOfTheCallers) {
    // alarm() survives exec. A caller's own must not cut the helper short.
    HelperOptions options;
    options.before_exec = [] {
        sigset_t alarm_only;
        sigemptyset(&alarm_only);
        sigaddset(&alarm_only, SIGALRM);
        sigprocmask(SIG_BLOCK, &alarm_only, nullptr);
        raise(SIGALRM);
    };
    const HelperResult run = run_helper(qemu_args, options);
    // Pending since before exec: dying of it with a line is fine, dying of the signal is not.
    if (run.exit_status != 0) {
        EXPECT_TRUE(failed(run, "")) << describe(run);
    } else {
        EXPECT_TRUE(granted(run));
    }
}

// With a limit of whatever kind: done, or failed with a line and without a tap. Below some address
// space limit even the loader cannot start; what happens then is its affair.
testing::AssertionResult ended_cleanly(const HelperResult& run) {
    if (run.exit_status == 0)
        return granted(run);
    // The loader's, and libc's before main().
    if (run.exit_status == 127 && !run.err.empty() && run.fds.empty())
        return testing::AssertionSuccess();
    return failed(run, "");
}

HelperOptions limited(int resource, rlim_t value) {
    HelperOptions options;
    options.before_exec = [resource, value] {
        const rlimit limit{value, value};
        setrlimit(static_cast<__rlimit_resource>(resource), &limit);
    };
    return options;
}

TEST_F(Caller, FewFileDescriptors) {
    write_policy("allow br0 contain\n");
    for (rlim_t n = 4; n <= 16; ++n) {
        HelperResult run = run_helper(qemu_args, limited(RLIMIT_NOFILE, n));
        EXPECT_TRUE(ended_cleanly(run)) << "RLIMIT_NOFILE=" << n;
        run.fds.clear();
        run = run_helper({"--br=br0", "--fd=27", "--queues=4"}, limited(RLIMIT_NOFILE, n));
        EXPECT_TRUE(run.exit_status == 0 ? granted(run, 4) : ended_cleanly(run))
            << "RLIMIT_NOFILE=" << n;
    }
}

TEST_F(Caller, NoFileSizeNoCoreNoProcessesNoLockedMemory) {
    EXPECT_TRUE(granted(run_helper(qemu_args, limited(RLIMIT_FSIZE, 0))));
    EXPECT_TRUE(granted(run_helper(qemu_args, limited(RLIMIT_CORE, 0))));
    EXPECT_TRUE(granted(run_helper(qemu_args, limited(RLIMIT_NPROC, 0))));
    EXPECT_TRUE(granted(run_helper(qemu_args, limited(RLIMIT_MEMLOCK, 0))));
}

// A log or stderr that is a file, with no file size left: SIGXFSZ must not kill it midway.
TEST_F(Caller, FileSizeLimitWithStderrInAFile) {
    HelperOptions options = limited(RLIMIT_FSIZE, 0);
    write_file(path("log"), "", 0666);
    const auto limit = options.before_exec;
    options.before_exec = [limit] {
        dup2(open("/mnt/log", O_WRONLY | O_CLOEXEC), 2);
        limit();
    };
    const HelperResult run = run_helper({"--br=none", "--fd=27"}, options);
    EXPECT_EQ(run.exit_status, 1) << describe(run);
}

TEST_F(Caller, LittleAddressSpace) {
    for (rlim_t kib = 1024; kib <= 32768; kib += long_run() ? 64 : 512) {
        const HelperResult run = run_helper(qemu_args, limited(RLIMIT_AS, kib << 10U));
        // The kernel kills what it cannot even map: before the first instruction.
        if (run.signal == SIGKILL || run.signal == SIGSEGV) {
            EXPECT_LT(kib, 4096U) << describe(run);
            continue;
        }
        EXPECT_TRUE(ended_cleanly(run)) << "RLIMIT_AS=" << kib << " KiB";
    }
}

TEST_F(Caller, LittleStack) {
    for (const rlim_t kib : {64U, 128U, 256U}) {
        EXPECT_TRUE(ended_cleanly(run_helper(qemu_args, limited(RLIMIT_STACK, kib << 10U))))
            << "RLIMIT_STACK=" << kib << " KiB";
    }
}

TEST_F(Caller, ManyStrayFds) {
    HelperOptions options;
    options.before_exec = [] {
        const rlimit limit{4096, 4096};
        setrlimit(RLIMIT_NOFILE, &limit);
        for (int i = 0; i < 4000; ++i) {
            if (dup(0) < 0)
                break;
        }
    };
    const HelperResult run = run_helper(qemu_args, options);
    EXPECT_TRUE(granted(run));
}

TEST_F(Caller, FdOfAnyNumber) {
    for (const int number : {3, 4, 5, 6, 7, 8, 9, 10, 63, 64, 200, 1023}) {
        HelperOptions options;
        options.before_exec = [number] {
            dup2(socket_number, number);
            if (number != socket_number)
                close(socket_number);
        };
        EXPECT_TRUE(granted(
            run_helper({"--use-vnet", "--br=br0", "--fd=" + std::to_string(number)}, options)))
            << number;
    }
}

TEST_F(Caller, DirectoryThatTheCallerCannotEnter) {
    make_directory(path("closed"), 0700);
    HelperOptions options;
    // Entered while it was still open to alice.
    chmod(path("closed").c_str(), 0755);
    options.before_exec = [] {
        if (chdir("/mnt/closed") != 0)
            _exit(125);
    };
    EXPECT_TRUE(granted(run_helper(qemu_args, options)));
}

TEST_F(Caller, UmaskOfAnyKind) {
    for (const mode_t mask : {0U, 0777U}) {
        HelperOptions options;
        options.before_exec = [mask] { umask(mask); };
        EXPECT_TRUE(granted(run_helper(qemu_args, options)));
    }
}

TEST_F(Caller, NonblockingSocket) {
    HelperOptions options;
    options.before_exec = [] { fcntl(socket_number, F_SETFL, O_NONBLOCK); };
    EXPECT_TRUE(granted(run_helper(qemu_args, options)));
}

TEST_F(Caller, EnvironmentChangesNothing) {
    // Made by the user, and found by a loader or libc that looks where he says.
    make_directory(path("evil"), 0777, alice_account.uid, alice_account.gid);
    write_file(path("evil/libevil.so"), "not a library", 0755, alice_account.uid,
               alice_account.gid);
    write_file(path("evil/zone"), "TZif not really", 0644, alice_account.uid, alice_account.gid);
    write_file(path("evil/gconv-modules"), "module X// Y// evil 1\n", 0644, alice_account.uid,
               alice_account.gid);

    const std::vector<std::vector<std::string>> cases = {
        qemu_args, {"--br=none", "--fd=27"}, {"--nonsense"}, {"--br=br0", "--fd=28"}};
    const std::vector<std::string> base = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8"};
    const std::vector<std::string> hostile = {
        "NLDBG=9",
        "NLCB=debug",
        "NLCB=verbose",
        "LD_PRELOAD=/mnt/evil/libevil.so",
        "LD_LIBRARY_PATH=/mnt/evil",
        "LD_AUDIT=/mnt/evil/libevil.so",
        "LD_DEBUG=all",
        "LD_DEBUG_OUTPUT=/mnt/evil/out",
        "LD_PROFILE=libc.so.6",
        "LD_BIND_NOW=1",
        "LD_SHOW_AUXV=1",
        "LD_TRACE_LOADED_OBJECTS=1",
        "TZ=:/mnt/evil/zone",
        "TZDIR=/mnt/evil",
        "LOCPATH=/mnt/evil",
        "LANGUAGE=de",
        "LC_ALL=de_DE.UTF-8",
        "NLSPATH=/mnt/evil/%N",
        "GCONV_PATH=/mnt/evil",
        "CHARSET=EVIL",
        "GETCONF_DIR=/mnt/evil",
        "MALLOC_TRACE=/mnt/evil/m",
        "MALLOC_CHECK_=3",
        "MALLOC_PERTURB_=165",
        "GLIBC_TUNABLES=glibc.malloc.check=3",
        "GLIBC_TUNABLES=glibc.malloc.mxfast=glibc.malloc.mxfast=A",
        "HOSTALIASES=/mnt/evil/h",
        "RES_OPTIONS=debug",
        "TMPDIR=/mnt/evil",
        "HOME=/mnt/evil",
        "POSIXLY_CORRECT=1",
        "=",
        "x",
        "",
        "PATH="};
    for (const auto& args : cases) {
        HelperOptions options;
        options.env = base;
        const HelperResult expected = run_helper(args, options);
        std::vector<std::vector<std::string>> environments = {{}, hostile};
        for (const std::string& variable : hostile)
            environments.push_back({variable});
        environments.push_back({"BIG=" + std::string(100000, 'x')});
        for (const auto& env : environments) {
            options.env = env;
            const HelperResult run = run_helper(args, options);
            const std::string which = env.empty() ? "(empty)" : env[0].substr(0, 80);
            EXPECT_EQ(run.exit_status, expected.exit_status) << which << ": " << describe(run);
            EXPECT_EQ(run.out, expected.out) << which;
            EXPECT_EQ(run.err, expected.err) << which;
            EXPECT_EQ(run.data, expected.data) << which;
            EXPECT_EQ(run.fds.size(), expected.fds.size()) << which;
        }
    }
    EXPECT_NE(access("/mnt/evil/out", F_OK), 0);
}

// --- Killed

TEST_P(Attach, KilledAtAnyMomentLeavesNoTap) {
    const int step = long_run() ? 2 : 10;
    int grants = 0;
    for (int delay = 0; delay <= 3000; delay += step) {
        HelperProcess process(qemu_args, {});
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
        HelperResult run = run_traced(qemu_args, {}, [&](const TracedCall& call) {
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

// --- Audit

std::vector<std::string> log_lines(int log) {
    std::vector<std::string> all;
    std::array<char, 8192> buffer{};
    while (true) {
        const ssize_t n = recv(log, buffer.data(), buffer.size(), 0);
        if (n < 0)
            return all;
        all.emplace_back(buffer.data(), static_cast<std::size_t>(n));
    }
}

TEST_P(Attach, AuditLineForAGrantAndForARefusal) {
    const UniqueFd log = open_log();
    const HelperResult run =
        run_helper({"--br=br0", "--fd=27", "--vm=web1", "--mac=52:54:00:aa:bb:cc"});
    ASSERT_TRUE(granted(run));
    std::vector<std::string> lines = log_lines(log.get());
    ASSERT_EQ(lines.size(), 1U);
    for (const std::string& part :
         {"2001"s, "br0"s, the_tap(), "web1"s, "bridge.conf:1"s, "aa:bb:cc"s}) {
        EXPECT_THAT(lines[0], HasSubstr(part));
    }
    EXPECT_THAT(lines[0], StartsWith("<8"));  // authpriv: 80 to 87
    const HelperResult refused = run_helper({"--br=br9", "--fd=27"});
    EXPECT_EQ(refused.exit_status, 1);
    lines = log_lines(log.get());
    ASSERT_EQ(lines.size(), 1U);
    for (const char* part : {"2001", "br9"}) {
        EXPECT_THAT(lines[0], HasSubstr(part));
    }
}

class Log : public Attach {
  protected:
    static int fill() {
        const UniqueFd filler(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        const sockaddr_un address = log_address();
        int lines = 0;
        while (sendto(filler.get(), "junk", 4, 0, reinterpret_cast<const sockaddr*>(&address),
                      sizeof address) > 0)
            lines++;
        return lines;
    }
};
TAPGATE_BOTH_INSTALLS(Log);

TEST_P(Log, AGrantThatItDoesNotTakeIsRefused) {
    const UniqueFd log = open_log();
    EXPECT_GT(fill(), 0);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(failed_saying(run_helper(qemu_args), "a grant that /dev/log does not take", ""));
    // One second for the grant, and one for the refusal.
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
    EXPECT_THAT(ports("br0"), IsEmpty());
    for (const std::string& line : log_lines(log.get()))
        EXPECT_EQ(line, "junk");
    EXPECT_TRUE(granted(run_helper(qemu_args)));
}

TEST_P(Log, IsWaitedForASecond) {
    const UniqueFd log = open_log();
    EXPECT_GT(fill(), 0);
    std::vector<std::string> lines;
    std::thread daemon([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        lines = log_lines(log.get());
    });
    EXPECT_TRUE(granted(run_helper(qemu_args)));
    daemon.join();
    for (std::string& line : log_lines(log.get()))
        lines.push_back(std::move(line));
    EXPECT_THAT(lines.back(), HasSubstr(": granted uid=2001 "));
}

// What is not there cannot be waited for.
TEST_P(Log, AHostWithoutOneStillGrants) {
    ASSERT_NE(access("/dev/log", F_OK), 0);
    EXPECT_TRUE(granted(run_helper(qemu_args)));
    { const UniqueFd log = open_log(); }
    ASSERT_EQ(access("/dev/log", F_OK), 0);  // its daemon has died
    EXPECT_TRUE(granted(run_helper(qemu_args)));
}

// ... but what the caller can bring about is no lack of a log.
TEST_P(Log, ThatTheCallerMayNotWriteToIsThere) {
    const UniqueFd log = open_log();
    ASSERT_EQ(chmod("/dev/log", 0600), 0);
    EXPECT_TRUE(failed_saying(run_helper(qemu_args), "a grant that /dev/log", "Permission denied"));
}

// Each grant is in the log, whoever floods it; how many there are is the flood's business.
TEST_P(Log, HasEachGrantInSpiteOfAFlood) {
    const UniqueFd log = open_log();
    std::atomic<bool> over = false;
    unsigned logged = 0;
    std::thread daemon([&] {
        while (!over) {
            for (const std::string& line : log_lines(log.get()))
                logged += line.find(": granted uid=") != std::string::npos ? 1 : 0;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    });
    std::vector<std::thread> flood;
    for (int i = 0; i < 2; i++)
        flood.emplace_back([&] {
            while (!over)
                fill();
        });
    unsigned grants = 0;
    for (int i = 0; i < 30; i++) {
        const HelperResult run = run_helper(qemu_args);
        grants += run.fds.empty() ? 0 : 1;
        if (run.fds.empty()) {
            EXPECT_TRUE(failed(run, "a grant that /dev/log"));
        }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    over = true;
    for (std::thread& thread : flood)
        thread.join();
    daemon.join();
    for (const std::string& line : log_lines(log.get()))
        logged += line.find(": granted uid=") != std::string::npos ? 1 : 0;
    EXPECT_EQ(logged, grants);
    std::cout << grants << " of 30 were granted\n";
}

}  // namespace
}  // namespace tapgate

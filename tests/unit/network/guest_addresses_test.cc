// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_bridge.h>

#include "launcher/base/error.h"
#include "launcher/base/stop_signals.h"
#include "launcher/network/guest_addresses.h"
#include "launcher/network/guest_agent.h"
#include "launcher/network/ssh.h"
#include "launcher/qemu/qmp_client.h"
#include "tests/unit/network/fake_agent.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const VmName lab = VmName::parse("lab").value();
const MacAddress guest = MacAddress::parse("52:54:00:00:00:01").value();

std::string kind_of_failure(std::vector<std::string> answers,
                            std::chrono::milliseconds limit = 5000ms) {
    const FakeAgent agent(std::move(answers));
    try {
        agent_interfaces(agent.path(), limit);
    } catch (const QmpError& error) {
        switch (error.kind()) {
            case QmpError::Kind::unreachable:
                return "unreachable";
            case QmpError::Kind::closed:
                return "closed";
            case QmpError::Kind::too_slow:
                return "too slow";
            case QmpError::Kind::broken:
                return "broken";
        }
    }
    return "none";
}

TEST(GuestAgent, TellsAddressesAndNothingElse) {
    const FakeAgent agent(
        {synchronized,
         R"({"return": [{"name": "lo", "hardware-address": "00:00:00:00:00:00", "ip-addresses":)"
         R"( [{"ip-address": "127.0.0.1"}, {"ip-address": "::1"}]},)"
         R"( {"hardware-address": "52:54:00:00:00:01", "ip-addresses": [)"
         R"( {"ip-address": "192.0.2.5"}, {"ip-address": "2001:DB8:0::5"}, {"ip-address": 7}, 5,)"
         R"( {"ip-address": "-oProxyCommand=x"}, {"ip-address": "fe80::1"}]}, 3, null,)"
         R"( {"hardware-address": "52:54:00:00:00:02", "ip-addresses": {}}]})"
         "\n"});
    const auto interfaces = agent_interfaces(agent.path(), 5000ms);
    ASSERT_EQ(interfaces.size(), 5U);
    EXPECT_THAT(interfaces[0].addresses, IsEmpty());
    EXPECT_EQ(interfaces[1].mac, guest);
    EXPECT_THAT(interfaces[1].addresses, ElementsAre("192.0.2.5", "2001:db8::5", "fe80::1"));
    EXPECT_THAT(interfaces[4].addresses, IsEmpty());
}

// What it still had to say to the one who was connected before.
TEST(GuestAgent, SkipsOldAnswers) {
    const FakeAgent agent(
        {"half an ans\xff{\"return\": 1}\n{\"return\": []}\n" + std::string(synchronized),
         "{\"return\": []}\n"});
    EXPECT_THAT(agent_interfaces(agent.path(), 5000ms), IsEmpty());
}

TEST(GuestAgent, RunsACommand) {
    const FakeAgent agent({synchronized, "{\"return\": {\"pid\": 7}}\n",
                           "{\"return\": {\"exited\": false}}\n",
                           "{\"return\": {\"exited\": true, \"exitcode\": 3, \"out-data\": "
                           "\"aGVsbG8K\", \"err-data\": \"b29wcw==\"}}\n"});
    const AgentResult result = agent_exec(agent.path(), {"ls", "-l"}, 5000ms, 5000ms);
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_EQ(result.output, "hello\n");
    EXPECT_EQ(result.errors, "oops");
    EXPECT_FALSE(result.cut);
    const FakeAgent killed({synchronized, "{\"return\": {\"pid\": 7}}\n",
                            "{\"return\": {\"exited\": true, \"signal\": 9}}\n"});
    EXPECT_EQ(agent_exec(killed.path(), {"x"}, 5000ms, 5000ms).exit_code, 137);

    const auto error = [](const std::vector<std::string>& answers) {
        const FakeAgent other(answers);
        return error_of<QmpError>([&] { agent_exec(other.path(), {"x"}, 2000ms, 100ms); });
    };
    EXPECT_EQ(error({synchronized, "{\"error\": {\"desc\": \"no \\u001b[31mx\"}}\n"}),
              "the guest agent refuses guest-exec: no ?[31mx");
    EXPECT_THAT(error({synchronized, "{\"return\": {\"pid\": \"7\"}}\n"}),
                HasSubstr("does not say what it has started"));
    EXPECT_THAT(error({synchronized, "{\"return\": {\"pid\": 7}}\n", "{\"return\": 5}\n"}),
                HasSubstr("does not say how the command is"));
    EXPECT_THAT(error({synchronized, "{\"return\": {\"pid\": 7}}\n",
                       "{\"return\": {\"exited\": true, \"out-data\": \"*\"}}\n"}),
                HasSubstr("no base64"));
    const std::string goes_on = "{\"return\": {\"exited\": false}}\n";
    EXPECT_THAT(error({synchronized, "{\"return\": {\"pid\": 7}}\n", goes_on, goes_on, goes_on,
                       goes_on, goes_on, goes_on, goes_on}),
                HasSubstr("has not ended in time"));
}

// Else a command that somebody ends with Ctrl-C goes on in the guest, where nobody sees it.
TEST(GuestAgent, EndsACommandWithItsAsker) {
    const HeldSignals held;  // or the signal ends this test
    const std::string started = "{\"return\": {\"pid\": 7}}\n";
    const std::string goes_on = "{\"return\": {\"exited\": false}}\n";
    FakeAgent agent({synchronized, started, goes_on, "{\"return\": {\"pid\": 8}}\n",
                     "{\"return\": {\"exited\": true, \"signal\": 15, \"out-data\": \"aGk=\"}}\n"});
    raise(SIGINT);
    const AgentResult result = agent_exec(agent.path(), {"x"}, 5000ms, 5000ms);
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_EQ(result.output, "hi");
    EXPECT_THAT(agent.requests(), HasSubstr("kill 7"));

    const FakeAgent other({synchronized, started, goes_on, "{\"error\": {\"desc\": \"no sh\"}}\n",
                           goes_on, goes_on, goes_on, goes_on, goes_on});
    raise(SIGTERM);
    EXPECT_EQ(error_of<QmpError>([&] { agent_exec(other.path(), {"x"}, 100ms, 5000ms); }),
              "SIGTERM: the command goes on in the guest");
}

TEST(GuestAgent, IsNotTrusted) {
    EXPECT_EQ(kind_of_failure({}, 50ms), "too slow");
    EXPECT_EQ(kind_of_failure({"\xff{\"return\": 1}\n"}, 50ms), "too slow");
    EXPECT_EQ(kind_of_failure({"\xff\xff\xffnonsense\n"}), "broken");
    EXPECT_EQ(kind_of_failure({synchronized, "{\"error\": {\"class\": \"CommandNotFound\"}}\n"}),
              "broken");
    EXPECT_EQ(kind_of_failure({synchronized, "{\"return\": {}}\n"}), "broken");
    EXPECT_EQ(kind_of_failure({synchronized, "[]\n"}), "broken");
    EXPECT_EQ(kind_of_failure({synchronized, std::string(max_qmp_message + 2, ' ')}), "broken");
    EXPECT_FALSE(agent_answers("/nonexistent/agent.sock", 50ms));
}

// --- Who knows an address

TEST(Forwards, AreReadFromInfoUsernet) {
    const auto forwards = parse_forwards(
        "Hub -1 (net0):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port "
        "RecvQ SendQ\r\n  TCP[HOST_FORWARD]   9       127.0.0.1 32893       10.0.2.15    22     0 "
        "    0\r\n  UDP[HOST_FORWARD]   8               * 44206       10.0.2.15    53     0     "
        "0\r\n  TCP[ESTABLISHED]   8       127.0.0.1 1       10.0.2.15    22     0     0\r\n"
        "Hub -1 (net1):\r\n  TCP[HOST_FORWARD]\r\n  TCP[HOST_FORWARD]  x 1.2.3.4 y z 5\r\n");
    ASSERT_EQ(forwards.size(), 2U);
    EXPECT_EQ(forwards[0].netdev, "net0");
    EXPECT_TRUE(forwards[0].tcp);
    EXPECT_EQ(forwards[0].address, "127.0.0.1");
    EXPECT_EQ(forwards[0].port, 32893U);
    EXPECT_EQ(forwards[0].guest_port, 22U);
    EXPECT_FALSE(forwards[1].tcp);
    EXPECT_EQ(forwards[1].address, "0.0.0.0");
}

// A VM on br0 by tap0, which the kernel says is forwarding.
GuestFacts facts() {
    GuestFacts facts{lab, {{"br0", guest.str(), "tap0"}}, {}, {}, {}};
    HostLink bridge;
    bridge.index = 2;
    bridge.name = "br0";
    bridge.bridge = BridgeFacts{"", true, 1500};
    HostLink tap;
    tap.index = 3;
    tap.name = "tap0";
    tap.kind = "tun";
    tap.master = 2;
    tap.carrier = true;
    tap.port = PortFacts{BR_STATE_FORWARDING, false, false, false, false};
    facts.network.links = {bridge, tap};
    return facts;
}

std::vector<std::string> addresses_of(const GuestFacts& facts) {
    std::vector<std::string> addresses;
    for (const GuestAdapter& adapter : guest_adapters(facts))
        for (const GuestAddress& one : adapter.addresses)
            addresses.push_back(one.address);
    return addresses;
}

TEST(GuestAddresses, TheGuestKnowsBest) {
    GuestFacts known = facts();
    known.network.neighbours = {{2, "192.0.2.9", guest, false, false, true}};
    EXPECT_THAT(addresses_of(known), ElementsAre("192.0.2.9"));
    known.agent = {{MacAddress::parse("52:54:00:00:00:02"), {"198.51.100.1"}},
                   {guest, {"fe80::1", "2001:db8::1", "192.0.2.8"}}};
    EXPECT_THAT(addresses_of(known), ElementsAre("192.0.2.8", "2001:db8::1", "fe80::1%br0"));
}

TEST(GuestAddresses, SayWhyTheyAreUnknown) {
    const auto why = [](const GuestFacts& known) {
        return why_unknown(lab, guest_adapters(known));
    };
    GuestFacts known = facts();
    EXPECT_THAT(why(known), StartsWith("no frame came from 52:54:00:00:00:01 to br0 yet"));
    known.network.stations = {{guest, 3, 2, false}};
    EXPECT_THAT(why(known), HasSubstr("sends frames from 52:54:00:00:00:01 through tap0 of br0"));
    known.network.links[1].port->state = BR_STATE_LEARNING;
    EXPECT_THAT(why(known), HasSubstr("silent for up to 30 s"));
    known.network.links[1].carrier = false;
    EXPECT_THAT(why(known), HasSubstr("no carrier"));
    known.network.links[1].master = 0;
    EXPECT_THAT(why(known), HasSubstr("its tap tap0 is no port of br0"));
    known.network.links.clear();
    EXPECT_THAT(why(known), HasSubstr("no bridge br0 in this network namespace"));
    known.nets = {{"", guest.str(), ""}};
    EXPECT_THAT(why(known), HasSubstr("--net=user,hostfwd=tcp::0-:22"));
    known.nets.clear();
    EXPECT_THAT(why(known),
                StartsWith("it has no network adapter; give it one with: tapgate set lab net="));
}

TEST(GuestAddresses, BehindQemusNatAreForwards) {
    GuestFacts known = facts();
    known.nets.push_back({"", "52:54:00:00:00:02", ""});
    known.forwards = {{"net0", true, "127.0.0.1", 1, 22},
                      {"net1", false, "127.0.0.1", 2, 22},
                      {"net1", true, "0.0.0.0", 3, 80},
                      {"net1", true, "0.0.0.0", 4, 22}};
    const auto targets = ssh_targets(guest_adapters(known));
    ASSERT_EQ(targets.size(), 1U);
    EXPECT_EQ(targets[0].str(), "127.0.0.1 port 4");
}

TEST(GuestAddresses, LinkLocalOnesAreMadeOfTheMac) {
    EXPECT_EQ(link_local_address(guest), "fe80::5054:ff:fe00:1");
}

// --- Ssh

TEST(Ssh, TakesEveryWordAsItIs) {
    const auto argv = ssh_argv(lab, {"fe80::1%br0", 22}, "/home/a b/100%/known_hosts", "root",
                               {"echo", "a b", "-x"});
    EXPECT_THAT(argv, Contains("UserKnownHostsFile \"/home/a b/100%%/known_hosts\""));
    EXPECT_THAT(argv, Contains("User root"));
    const std::vector<std::string> end(argv.end() - 5, argv.end());
    EXPECT_THAT(end, ElementsAre("--", "fe80::1%br0", "echo", "a b", "-x"));
}

TEST(Ssh, CopiesFilesWhoseNamesScpWouldTakeApart) {
    auto argv = scp_argv(lab, {"fe80::1%br0", 2222}, "/k", "root", "a:b", "/tmp/c", true);
    EXPECT_EQ(argv.at(0), "scp");
    EXPECT_THAT(argv, Contains("Port 2222"));
    EXPECT_THAT(std::vector<std::string>(argv.end() - 3, argv.end()),
                ElementsAre("--", "./a:b", "[fe80::1%br0]:/tmp/c"));
    argv = scp_argv(lab, {"192.0.2.1", 22}, "/k", "", "x y", "-o", false);
    EXPECT_THAT(std::vector<std::string>(argv.end() - 3, argv.end()),
                ElementsAre("--", "[192.0.2.1]:x y", "./-o"));
}

TEST(Ssh, IsConfiguredOnceForAll) {
    const TemporaryDirectory home;
    const std::string block = ssh_pattern_config("root");
    EXPECT_THAT(block, StartsWith("Host tapgate-*\n    ProxyCommand "));
    EXPECT_THAT(block, HasSubstr(" ssh-proxy %n\n"));
    EXPECT_THAT(block, HasSubstr("/.known_hosts/%n\"\n"));
    EXPECT_THAT(block, HasSubstr("    User root\n"));

    std::filesystem::create_directory(home.file(".ssh"));
    std::filesystem::permissions(home.file(".ssh"), std::filesystem::perms::owner_all);
    std::ofstream(home.file("real-config")) << "Host *\n    Compression yes\n";
    std::filesystem::create_symlink(home.file("real-config"), home.file(".ssh/config"));
    EXPECT_EQ(install_ssh_config(home.path(), block).size(), 3U);
    EXPECT_EQ(content_of(home.file(".ssh/tapgate.conf")), block);
    EXPECT_EQ(content_of(home.file("real-config")),
              "Include tapgate.conf\nHost *\n    Compression yes\n");
    EXPECT_TRUE(std::filesystem::is_symlink(home.file(".ssh/config")));
    // Again: nothing is there twice.
    EXPECT_EQ(install_ssh_config(home.path(), block).size(), 1U);
    EXPECT_EQ(content_of(home.file("real-config")),
              "Include tapgate.conf\nHost *\n    Compression yes\n");
}

TEST(Ssh, ConfigurationIsTheSame) {
    EXPECT_EQ(ssh_config(lab, {"fe80::1%br0", 2222}, "/d/known_hosts", ""),
              "Host lab\n"
              "    HostName fe80::1%%br0\n"
              "    Port 2222\n"
              "    HostKeyAlias lab\n"
              "    UserKnownHostsFile \"/d/known_hosts\"\n"
              "    StrictHostKeyChecking accept-new\n"
              "    CheckHostIP no\n");
    EXPECT_THAT(error_of<LauncherError>([&] {
                    ssh_config(lab, {"192.0.2.1", 22}, "/d\"/known_hosts", "");
                }),
                HasSubstr("ssh cannot take the name of this directory"));
}

// Of a VM on another host there is no address here, and no port.
TEST(Ssh, ConfigurationByTheWayOfThisProgram) {
    const std::string text = ssh_proxy_config(lab, "/d/known_hosts", "root");
    EXPECT_THAT(text, HasSubstr("Host lab\n    ProxyCommand /"));
    EXPECT_THAT(text, HasSubstr(" ssh-proxy lab\n    HostKeyAlias lab\n"
                                "    UserKnownHostsFile \"/d/known_hosts\"\n"
                                "    StrictHostKeyChecking accept-new\n"
                                "    CheckHostIP no\n    User root\n"));
    EXPECT_EQ(text.find("HostName"), std::string::npos);
    EXPECT_EQ(text.find("Port"), std::string::npos);
}

}  // namespace
}  // namespace tapgate

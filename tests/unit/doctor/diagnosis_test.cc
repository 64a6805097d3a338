// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_bridge.h>

#include <cerrno>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "launcher/doctor/diagnosis.h"

namespace tapgate {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

// A host and a VM on br0 with which nothing is wrong.
DoctorFacts healthy() {
    DoctorFacts facts;
    facts.user = "alice";
    facts.helper.path = "/h/tapgate-helper";
    facts.helper.verdicts["br0"] = {true, true, "br0: allowed for uid 1000: /p:1: allow br0\n"};
    facts.policy.path = "/p";
    facts.bridges = {"br0"};
    HostLink bridge;
    bridge.index = 2;
    bridge.name = "br0";
    bridge.kind = "bridge";
    bridge.up = bridge.carrier = true;
    bridge.bridge = BridgeFacts{"8000.020000000001", false, 1500};
    HostLink uplink;
    uplink.index = 3;
    uplink.name = "eth0";
    uplink.master = 2;
    uplink.up = uplink.carrier = true;
    uplink.port = PortFacts{BR_STATE_FORWARDING, false, false, false, false};
    facts.network.links = {bridge, uplink};
    facts.network.addresses = {{2, "192.0.2.1", 24, false, false, false, false}};
    facts.session = {"/run/user/1000", "", "/run/user/1000/tapgate", true, true, ""};
    facts.memory_available = 4096;
    facts.memory_wanted = 1024;
    facts.disks = {{"/vm/disk.qcow2", 0, 100000}};
    facts.qemu = {"", "/usr/bin/qemu-system-x86_64", "7.2.22", "pc-q35-7.2", false};
    return facts;
}

// The findings of `check` once `change` has been made, as "FAIL: text -> remedy" in lines.
std::string findings_of(const std::string& check, const std::function<void(DoctorFacts&)>& change) {
    DoctorFacts facts = healthy();
    change(facts);
    std::string text;
    for (const auto& finding : findings_json(diagnose(facts))) {
        if (finding["check"] != check)
            continue;
        text += finding["result"].get<std::string>() + ": " + finding["text"].get<std::string>();
        if (const auto remedy = finding["remedy"].get<std::string>(); !remedy.empty())
            text += " -> " + remedy;
        text += "\n";
    }
    return text;
}

TEST(Doctor, HasNothingToSayOfAHealthyHost) {
    for (const Finding& finding : diagnose(healthy()))
        EXPECT_EQ(finding.health, Health::ok) << finding.check << ": " << finding.text;
    EXPECT_THAT(findings_text(diagnose(healthy())), HasSubstr("\n0 FAIL, 0 warn, "));
}

TEST(Doctor, KnowsKvmThatIsThereAndOfNoUse) {
    EXPECT_THAT(findings_of("kvm", [](auto& f) { f.why_not_kvm = "a guest hangs"; }),
                HasSubstr("warn: /dev/kvm opens, but is of no use: a guest hangs; "));
    EXPECT_THAT(findings_of("kvm",
                            [](auto& f) {
                                f.kvm.error = ENOENT;
                                f.kvm_module = "kvm_amd";
                            }),
                EndsWith(" -> sudo modprobe kvm_amd\n"));
    EXPECT_THAT(findings_of("kvm",
                            [](auto& f) {
                                f.kvm.error = ENOENT;
                                f.cpu_can_virtualize = false;
                            }),
                HasSubstr("in the firmware"));
    EXPECT_THAT(findings_of("kvm",
                            [](auto& f) {
                                f.kvm = {EACCES, "kvm", false};
                            }),
                HasSubstr("sudo usermod -aG kvm alice"));
    EXPECT_THAT(findings_of("kvm",
                            [](auto& f) {
                                f.kvm = {EACCES, "kvm", true};
                            }),
                HasSubstr("log in again"));
}

TEST(Doctor, SaysWhichVmsStartByThemselvesAndWhen) {
    const auto autostart = [](bool linger, std::vector<std::string> names) {
        return findings_of("autostart", [&](auto& f) {
            f.session.systemd = true;
            f.session.linger = linger;
            f.session.self_starting = std::move(names);
        });
    };
    EXPECT_EQ(autostart(true, {}), "");
    EXPECT_EQ(autostart(true, {"lab", "web"}), "ok: with the host: lab, web\n");
    EXPECT_THAT(autostart(false, {"lab"}),
                HasSubstr("warn: when you log in, and not with the host: lab -> loginctl"));
}

TEST(Doctor, TellsTheTroublesOfTunApart) {
    const auto tun = [](int error) {
        return findings_of("tun", [&](auto& f) { f.tun.error = error; });
    };
    EXPECT_THAT(tun(ENOENT), HasSubstr("FAIL: there is no /dev/net/tun"));
    EXPECT_THAT(tun(ENODEV),
                HasSubstr("FAIL: /dev/net/tun is there, but the kernel has no driver"));
    EXPECT_THAT(tun(EACCES), HasSubstr("-> sudo chmod 0666 /dev/net/tun"));
    EXPECT_THAT(tun(EPERM), HasSubstr("FAIL: /dev/net/tun is forbidden by the container"));
}

TEST(Doctor, SaysWhatQemuThinksOfTheMachine) {
    EXPECT_THAT(findings_of("machine", [](auto& f) { f.qemu.machine_deprecated = true; }),
                HasSubstr("warn: QEMU will not have the machine pc-q35-7.2 in a later version"));
    EXPECT_THAT(findings_of("machine", [](auto& f) { f.qemu.machine_missing = true; }),
                HasSubstr("FAIL: this QEMU has no machine pc-q35-7.2 "));
}

TEST(Doctor, SaysWhetherTheHostsGuardsAreLoaded) {
    const auto guards = [](bool unit, std::optional<bool> loaded) {
        return findings_of("guards", [&](auto& f) { f.guards = {unit, loaded}; });
    };
    EXPECT_THAT(guards(false, std::nullopt), HasSubstr("ok: off: "));
    EXPECT_THAT(guards(false, std::nullopt), HasSubstr("only root can see more"));
    EXPECT_THAT(guards(false, false), EndsWith("is not loaded\n"));
    EXPECT_THAT(guards(true, std::nullopt), HasSubstr("ok: tapgate.nft is loaded"));
    EXPECT_THAT(guards(false, true), HasSubstr("ok: tapgate.nft is loaded"));
    EXPECT_THAT(guards(true, false), HasSubstr("warn: "));
    EXPECT_THAT(guards(true, false), EndsWith(" -> sudo systemctl restart tapgate-guards\n"));
}

TEST(Doctor, KnowsThatWifiCannotBeBridged) {
    EXPECT_THAT(findings_of("uplink", [](auto& f) { f.link_details["eth0"].wireless = true; }),
                HasSubstr("FAIL: eth0 is Wi-Fi"));
    EXPECT_THAT(findings_of("uplink",
                            [](auto& f) {
                                f.network.links[1].master = 0;
                                f.network.default_routes = {{3, false, false}};
                                f.link_details["eth0"].wireless = true;
                            }),
                HasSubstr("warn: br0 leads nowhere but to this host, and eth0 is Wi-Fi"));
}

TEST(Doctor, TakesAContainersEndForAnUplinkOnlyWhenThereIsNoOther) {
    const auto add_pair = [](DoctorFacts& f) {
        HostLink pair = f.network.links[1];
        pair.index = 4;
        pair.name = "veth0";
        pair.kind = "veth";
        f.network.links.push_back(pair);
    };
    EXPECT_EQ(findings_of("uplink", add_pair), "ok: eth0 is up\n");
    EXPECT_EQ(findings_of("uplink",
                          [&](auto& f) {
                              add_pair(f);
                              f.network.links[1].master = 0;
                          }),
              "ok: veth0 is up\n");
    EXPECT_THAT(findings_of("uplink", [](auto& f) { f.network.links[1].kind = "tun"; }),
                HasSubstr("warn: br0 has no uplink"));
}

TEST(Doctor, WarnsOfAUserNamespaceThatHasARoot) {
    EXPECT_THAT(findings_of("user-namespace", [](auto& f) { f.process.user_namespace = true; }),
                HasSubstr("warn: "));
    EXPECT_THAT(findings_of("user-namespace",
                            [](auto& f) {
                                f.process.user_namespace = true;
                                f.helper.owner = 65534;
                            }),
                HasSubstr("FAIL: "));
}

TEST(Doctor, HasOneWordForEachDecision) {
    const auto verdict = [](bool answered, const char* text) {
        return findings_of("verdict", [&](auto& f) {
            f.helper.verdicts["br0"] = {answered, false, text};
        });
    };
    EXPECT_THAT(verdict(true, "br0: denied for uid 1: /p: no rule allows br0\n  more"),
                EndsWith(" -> echo 'allow br0 user=alice' | sudo tee -a /p\n"));
    EXPECT_THAT(verdict(true, "br0: denied for uid 1: /p:7: deny br0"),
                HasSubstr("a deny wins wherever it stands"));
    EXPECT_THAT(verdict(false, "failed to parse"), HasSubstr("FAIL: not known: failed to parse"));
    // Said once is enough.
    EXPECT_EQ(findings_of("verdict", [](auto& f) { f.policy.error = ENOENT; }), "");
}

TEST(Doctor, LooksAtNoBridgeForAVmThatNeedsNone) {
    const auto no_bridge = [](DoctorFacts& f) { f.bridges.clear(); };
    EXPECT_EQ(findings_of("tun", no_bridge), "");
    EXPECT_EQ(findings_of("helper", no_bridge), "");
    EXPECT_EQ(findings_of("bridge", no_bridge), "");
    EXPECT_NE(findings_of("kvm", no_bridge), "");
}

TEST(Doctor, AsksTheGuestsAdapters) {
    EXPECT_EQ(findings_of("guest",
                          [](auto& f) {
                              f.adapters = {{{}, {}, "no frame came"}};
                          }),
              "warn: no frame came\n");
    EXPECT_EQ(findings_of("guest",
                          [](auto& f) {
                              f.adapters = {{{}, {}, "no frame came"}};
                              f.unanswering = "its guest is paused";
                          }),
              "warn: its guest is paused\n");
}

// br0 over VXLAN, between hosts on a network of this MTU.
void stretch(DoctorFacts& facts, unsigned below, unsigned tunnel) {
    HostLink eth1;
    eth1.index = 4;
    eth1.name = "eth1";
    eth1.mtu = below;
    HostLink vx0;
    vx0.index = 5;
    vx0.name = "vx0";
    vx0.kind = "vxlan";
    vx0.master = 2;
    vx0.mtu = tunnel;
    vx0.port = PortFacts{BR_STATE_FORWARDING, false, false, false, false};
    vx0.tunnel_from = "10.77.0.11";
    facts.network.links[0].mtu = 1450;
    facts.network.links.push_back(eth1);
    facts.network.links.push_back(vx0);
    facts.network.addresses.push_back({4, "10.77.0.11", 24, false, false, false, false});
}

TEST(Doctor, SeesATunnelThatIsTooNarrow) {
    EXPECT_THAT(findings_of("mtu", [](DoctorFacts& facts) { stretch(facts, 1500, 1450); }),
                HasSubstr("ok: vx0 to other hosts: fits"));
    EXPECT_THAT(findings_of("mtu", [](DoctorFacts& facts) { stretch(facts, 1500, 1500); }),
                HasSubstr("room for 1450: large frames are lost or cut -> sudo ip link set vx0 "
                          "mtu 1450"));
    EXPECT_THAT(findings_of("mtu", [](DoctorFacts& facts) { stretch(facts, 9000, 1400); }),
                HasSubstr("br0 has an MTU of 1450, and vx0"));
}

TEST(Doctor, SeesThatIsolatedEndsAtThisHost) {
    const auto isolate = [](DoctorFacts& facts) {
        stretch(facts, 1500, 1450);
        facts.helper.verdicts["br0"].text = "br0: allowed for uid 1000: /p:1: allow br0 isolated\n";
    };
    EXPECT_THAT(findings_of("isolated", isolate), HasSubstr("bridge link set dev vx0 isolated on"));
    EXPECT_EQ(findings_of("isolated",
                          [&](DoctorFacts& facts) {
                              isolate(facts);
                              facts.network.links.back().port->isolated = true;
                          }),
              "");
    EXPECT_EQ(findings_of("isolated", [](DoctorFacts& facts) { stretch(facts, 1500, 1450); }), "");
}

TEST(Doctor, InAJobAllIsTheJobs) {
    const auto in_job = [](DoctorFacts& facts) {
        facts.session = {"", "", "/home/a/.cache/tapgate/run/n1/tapgate", true, false, "Slurm"};
        facts.memory_available = 240;
        facts.memory_limit = 300;
        facts.memory_wanted = 1024;
    };
    EXPECT_EQ(findings_of("runtime-dir", in_job), "ok: /home/a/.cache/tapgate/run/n1/tapgate\n");
    EXPECT_THAT(findings_of("linger", in_job),
                HasSubstr("ok: in a job of Slurm's: VMs end with it"));
    EXPECT_THAT(
        findings_of("memory", in_job),
        HasSubstr("warn: 240 MiB available (of the limit of this job or session, 300 MiB), the "
                  "VM wants 1024 MiB"));
}

TEST(Doctor, SeesAHomeWithoutLocks) {
    EXPECT_EQ(findings_of("locks", [](DoctorFacts&) {}), "");
    EXPECT_THAT(findings_of("locks",
                            [](DoctorFacts& facts) {
                                facts.data_directory = "/home/a";
                                facts.locks_problem = "mounted with nolock";
                            }),
                HasSubstr("/home/a: mounted with nolock: that a VM runs on another host"));
}

TEST(Doctor, ShowsForeignWordsWithoutTheirControlCharacters) {
    const std::string text = findings_of(
        "verdict", [](auto& f) { f.helper.verdicts["br0"].text = "\x1b[2Jbr0: allowed"; });
    EXPECT_EQ(text, "ok: ?[2Jbr0: allowed\n");
}

}  // namespace
}  // namespace tapgate

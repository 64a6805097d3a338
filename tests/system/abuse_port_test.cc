// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile user against "each with the port options that the policy says", and nothing else on the
// host's network.

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/system/abuse.h"
#include "tests/system/netlink.h"

namespace tapgate {
namespace {

// Whether the bridge takes frames for the address to be the host's own.
bool is_address_of_host(const std::string& bridge, const std::string& mac) {
    constexpr std::size_t entry = 16;  // struct __fdb_entry, linux/if_bridge.h
    const std::string table = read_text("/sys/class/net/" + bridge + "/brforward");
    for (std::size_t at = 0; at + entry <= table.size(); at += entry) {
        if (table.compare(at, mac.size(), mac) == 0)
            return table[at + 7] != 0;
    }
    return false;
}

// The MAC address of a link in the current network namespace, whosever /sys is.
std::string mac_of(const std::string& link) {
    ifreq request = link_request(link);
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    check_call(ioctl(socket.get(), SIOCGIFHWADDR, &request) == 0, "SIOCGIFHWADDR");
    return {request.ifr_hwaddr.sa_data, 6};
}

// A user whom root has put into a network namespace, but whose /sys is another one's: that of a
// namespace with a bridge of the same name, whose address is fixed.
Outcome mac_in_a_namespace_without_sysfs(const World& world) {
    Rtnl().set_address("br0", "02:11:22:33:44:55");
    const UniqueFd other(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    check_call(unshare(CLONE_NEWNET) == 0, "unshare");
    World::add_bridge("br0");
    const std::string before = mac_of("br0");
    const HelperResult run = world.attach();
    const AsUser alice(alice_account);
    set_mac(run.fds.at(0).get(), World::tap_name(run.fds[0].get()), {0, 0, 0, 0, 0, 1});
    return held_if(mac_of("br0") == before);
}

Attacks port_and_network() {
    return {
        {"taking the isolation off his port",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             World::write_policy("allow br0 isolated\n");
             const HelperResult run = world.attach();
             const std::string name = World::tap_name(run.fds.at(0).get());
             {
                 const AsUser alice(alice_account);
                 write_attribute(name, "brport/isolated", "0");
                 set_port_isolated(name, false);
             }
             return held_if(World::link_attribute(name, "brport/isolated") == "1");
         }},
        {"a MAC that mac-lock=52:54:00 does not give him",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             World::write_policy("allow br0 mac-lock=52:54:00\n");
             return all(
                 {refused(world.attach()),
                  refused(world.attach({"--br=br0", "--fd=27", "--mac=02:00:00:00:00:01"}))});
         }},
        {"the bridge's own MAC, by the lowest MAC of all",
         [](const World& world) {
             World::add_veth("up0", "up1");
             set_master("up0", "br0");
             const std::string before = World::link_attribute("br0", "address");
             const HelperResult run = world.attach();
             const AsUser alice(alice_account);
             set_mac(run.fds.at(0).get(), World::tap_name(run.fds[0].get()), {0, 0, 0, 0, 0, 1});
             return held_if(World::link_attribute("br0", "address") == before);
         }},
        {"the bridge's own MAC, by a persistent tap after the helper is gone",
         [](const World& world) {
             World::add_veth("up0", "up1");
             set_master("up0", "br0");
             const std::string before = World::link_attribute("br0", "address");
             HelperResult run = world.attach();
             const std::string name = World::tap_name(run.fds.at(0).get());
             const AsUser alice(alice_account);
             set_persistent(run.fds[0].get(), true);
             run.fds.clear();
             const UniqueFd again = attach_tap(name, vnet_tap_flags);
             set_mac(again.get(), name, {0, 0, 0, 0, 0, 1});
             return held_if(World::link_attribute("br0", "address") == before);
         }},
        {"the bridge's own MAC, where /sys is another network namespace's",
         mac_in_a_namespace_without_sysfs},
        {"another guest's frames, by its MAC on his tap",
         [](const World& world) {
             const std::string mac("\x52\x54\x00\x00\x00\x07", 6);
             const HelperResult bobs = World::run_helper(usual_args, world.as(bob_account));
             const HelperResult run = world.attach();
             const std::string hello =
                 std::string(10, '\0') + std::string(6, '\xff') + mac + std::string(60, '\x7f');
             if (write(bobs.fds.at(0).get(), hello.data(), hello.size()) < 0)
                 return Outcome::broken;
             const AsUser alice(alice_account);
             set_mac(run.fds.at(0).get(), World::tap_name(run.fds[0].get()),
                     {0x52, 0x54, 0, 0, 0, 7});
             return held_if(!is_address_of_host("br0", mac));
         },
         true},
        {"the name of his tap, or of the bridge",
         [](const World& world) {
             const HelperResult run = world.attach();
             const AsUser alice(alice_account);
             return held_if(rename_link(World::tap_name(run.fds.at(0).get()), "eth9") == EPERM &&
                            rename_link("br0", "eth9") == EPERM);
         }},
    };
}

TEST(Abuse, OfPortsAndTheNetwork) {
    expect_held("other port options than the policy says; the host's network", port_and_network());
}

}  // namespace
}  // namespace tapgate

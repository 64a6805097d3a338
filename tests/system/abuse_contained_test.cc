// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile holder of a tap whose rule limits or hardens anything: nothing that he does with its
// descriptor, or in the namespace that it lives in, reaches what is outside.

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "tests/system/abuse.h"
#include "tests/system/wire.h"

namespace tapgate {
namespace {

constexpr const char* limiting_rule = "allow br0 mac-lock isolated max-taps=2\n";
constexpr const char* alices_mac = "52:54:00:00:00:0a";
constexpr const char* bobs_mac = "52:54:00:00:00:0b";
constexpr std::array<unsigned char, 6> bobs_mac_bytes{0x52, 0x54, 0, 0, 0, 0x0b};
constexpr const char* gateways_mac = "52:54:00:00:00:01";
constexpr std::array<unsigned char, 6> gateways_mac_bytes{0x52, 0x54, 0, 0, 0, 1};

std::vector<std::string> args_with(const char* mac) {
    return {"--br=br0", "--fd=27", std::string("--mac=") + mac};
}

// alice and bob have a guest each on br0; at the end of a wire is the gateway.
struct Lab {
    HelperResult alices;
    HelperResult bobs;
    std::string alices_port;

    explicit Lab(const World& world, const char* rule = limiting_rule) {
        World::write_policy(world.ours() ? rule : "allow br0\n");
        World::add_veth("up0", "gw0");
        set_master("up0", "br0");
        World::set_link_up("up0");
        World::set_link_up("gw0");
        const std::vector<std::string> stocks = {"--br=br0", "--fd=27"};
        bobs =
            World::run_helper(world.ours() ? args_with(bobs_mac) : stocks, world.as(bob_account));
        alices = World::run_helper(world.ours() ? args_with(alices_mac) : stocks, world.alice());
        if (alices.fds.size() != 1 || bobs.fds.size() != 1)
            throw std::runtime_error(describe(alices) + describe(bobs));
        alices_port = World::tap_name(tap());
        bob().await_link();
        alice().await_link();
        // The bridge learns where the gateway is, as it does from the first frame.
        const OneCpu one_cpu;
        gateway().send(make_frame(broadcast_mac, gateways_mac));
        bob().send(make_frame(broadcast_mac, bobs_mac));
    }
    int tap() const { return alices.fds.at(0).get(); }
    static Station gateway() { return Station::link("gw0", {"br0"}); }
    static Station host() { return Station::link("br0", {"gw0"}); }
    Station bob() const { return Station::tap(bobs.fds.at(0).get(), {"br0"}); }
    Station alice() const { return Station::tap(tap(), {"br0"}); }
    // The kernel wants the tap's holder to ask.
    UniqueFd namespace_of_alice() const {
        const AsUser alice_herself(alice_account);
        return namespace_of_tap(tap());
    }

    // How many of three frames arrive: from the gateway at bob's guest, and from the host at the
    // gateway.
    int bob_gets() const {
        const OneCpu one_cpu;
        const Station from = gateway();
        const Station to = bob();
        int count = 0;
        for (int i = 0; i < 3; ++i) {
            const std::string frame = make_frame(bobs_mac, gateways_mac);
            from.send(frame);
            count += to.got(frame) ? 1 : 0;
        }
        return count;
    }
    static int gateway_gets() {
        const OneCpu one_cpu;
        const Station from = Station::link("br0", {"gw0"});
        const Station to = gateway();
        int count = 0;
        for (int i = 0; i < 3; ++i) {
            const std::string frame =
                make_frame(gateways_mac, World::link_attribute("br0", "address"));
            from.send(frame);
            count += to.got(frame) ? 1 : 0;
        }
        return count;
    }
    Outcome all_is_well() const {
        const int bobs_frames = bob_gets();
        const int gateways_frames = gateway_gets();
        if (bobs_frames != 3 || gateways_frames != 3) {
            std::cerr << "of 3 frames each, bob got " << bobs_frames << ", the gateway "
                      << gateways_frames << '\n';
        }
        return held_if(bobs_frames == 3 && gateways_frames == 3);
    }
};

// With MUST_WORK=1 an attack that cannot be made is a failure.
Outcome not_in_this_kernel(const std::string& what) {
    if (const char* const must = std::getenv("MUST_WORK"); must != nullptr && *must == '1')
        throw std::runtime_error("this kernel has no " + what + ", which the attack needs");
    return Outcome::nothing_to_break;
}

// What alice does inside, while nothing outside may change and bob's and the host's frames go on.
Attack in_the_namespace(const std::string& what,
                        const std::function<int(const Lab&, int hosts_namespace)>& act) {
    return {"in the tap's namespace: " + what, [=](const World& world) {
                if (!world.ours())
                    return Outcome::nothing_to_break;
                const Lab lab(world);
                const UniqueFd space = lab.namespace_of_alice();
                if (!space)
                    return Outcome::nothing_to_break;
                const UniqueFd hosts(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
                const std::string before = host_network();
                const int result =
                    inside(alice_account, space.get(), [&] { return act(lab, hosts.get()); });
                if (result != 0) {
                    std::cerr << what << ": returned " << result << '\n';
                    return Outcome::broken;
                }
                return all({held_if(is_as_before(before, what)), lab.all_is_well()});
            }};
}

std::string inner_end() {
    return link_of_driver("veth");
}

// Some kernels let whoever is root in a namespace do that, with or without a tap (SECURITY.md).
Attack veth_into_the_hosts_network() {
    const auto make = [](int host) { return add_veth("va", "tapevil", host) == 0 ? 1 : 0; };
    const Attack attack = in_the_namespace("a veth whose other end is in the host's network",
                                           [=](const Lab&, int host) { return make(host); });
    return {attack.name, [=](const World& world) {
                const UniqueFd host(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
                const std::string before = host_network();
                const int made = in_process_of(alice_account, [&] {
                    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? make(host.get()) : 254;
                });
                if (made == 0)
                    return attack.act(world);
                std::cerr << attack.name << ": this kernel lets any user, without a tap, too\n";
                return made == 1 && is_as_before(before, attack.name) ? Outcome::nothing_to_break
                                                                      : Outcome::broken;
            }};
}

// Sends `frame` from the tap's namespace, again and again, by a tunnel into its leaf bridge. From
// its first byte on, it stays in a file that another thread writes to meanwhile: at `place`, the
// byte becomes `other` and what it was, in turn. Returns 0, or an errno where there is no VXLAN,
// say.
int send_changing(const std::string& frame, std::size_t place, char other) {
    constexpr unsigned number = 7;
    constexpr std::uint16_t port = 4789;
    const std::string tunnelled = std::string("\x08\0\0\0\0\0\x07\0", 8) + frame;  // RFC 7348
    if (const int error = add_vxlan("tunnel", number, port))
        return error;
    if (set_master("tunnel", "leaf") != 0 || set_link_state("lo", true) != 0)
        return EINVAL;
    const UniqueFd file(memfd_create("frame", MFD_CLOEXEC));
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(port);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (write(file.get(), tunnelled.data(), tunnelled.size()) < 0 ||
        connect(socket.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0)
        return errno;
    void* const memory =
        mmap(nullptr, tunnelled.size(), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED)
        return errno;
    std::atomic<bool> over = false;
    std::thread changing([&] {
        const std::size_t at = tunnelled.size() - frame.size() + place;
        const std::atomic_ref<char> byte(static_cast<char*>(memory)[at]);
        while (!over) {
            byte = other;
            byte = frame[place];
        }
    });
    for (int i = 0; i < 64; ++i) {  // as many as a packet socket certainly holds
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        off_t begin = 0;
        sendfile(socket.get(), file.get(), &begin, tunnelled.size());
    }
    over = true;
    changing.join();
    return 0;
}

// --- H5 (CHANGELOG.md): another's MAC address on the tap

// A bridge takes frames for its ports' own addresses to be for the host, and forgets who else has
// such an address, even if root has entered that.
Outcome address_of_a_station(const World& world, const char* rule) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    Lab lab(world, rule);  // alice's is 52:54:00:00:00:0a
    lab.alices.fds.clear();
    for (int wait = 0; wait < 200 && World::link_exists(lab.alices_port); ++wait)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const std::string station = "fe:54:00:00:00:0a";
    if (add_station("up0", {0xfe, 0x54, 0, 0, 0, 0x0a}) != 0)
        throw std::runtime_error("root cannot enter a station");
    const auto is_entered = [&] {
        const std::vector<FdbEntry> all = forwarding_database("br0");
        return std::any_of(all.begin(), all.end(), [&](const FdbEntry& entry) {
            return entry.mac == station && !entry.local;
        });
    };
    const bool before = is_entered();
    lab.alices = World::run_helper(args_with(alices_mac), world.alice());
    const OneCpu one_cpu;
    const Station gateway = Lab::gateway();
    const std::string frame = make_frame(station, World::link_attribute("br0", "address"));
    Lab::host().send(frame);
    return held_if(before && granted(lab.alices) && gateway.got(frame) && is_entered());
}

Attacks stolen_addresses() {
    return {
        {"the gateway's MAC on his tap: the host's packets to it",
         [](const World& world) {
             const Lab lab(world);
             {
                 const AsUser alice(alice_account);
                 set_mac(lab.tap(), lab.alices_port, gateways_mac_bytes);
             }
             return lab.all_is_well();
         }},
        {"another guest's MAC on his tap: its frames, its static entry, its next start",
         [](const World& world) {
             Lab lab(world);
             {
                 const AsUser alice(alice_account);
                 set_mac(lab.tap(), lab.alices_port, bobs_mac_bytes);
             }
             const Outcome frames = lab.all_is_well();
             if (!world.ours())
                 return frames;
             {
                 const AsUser alice(alice_account);
                 set_mac(lab.tap(), lab.alices_port, {0x52, 0x54, 0, 0, 0, 0x0a});
             }
             const Outcome after = held_if(lab.bob_gets() == 3);
             {
                 const AsUser alice(alice_account);
                 set_mac(lab.tap(), lab.alices_port, bobs_mac_bytes);
             }
             lab.bobs.fds.clear();
             const HelperResult again =
                 World::run_helper(args_with(bobs_mac), world.as(bob_account));
             return all({frames, after, held_if(static_cast<bool>(granted(again)))});
         }},
        {"the bridge's own MAC on his tap",
         [](const World& world) {
             const Lab lab(world);
             const std::string own = mac_bytes(World::link_attribute("br0", "address"));
             std::array<unsigned char, 6> mac{};
             std::copy(own.begin(), own.end(), mac.begin());
             {
                 const AsUser alice(alice_account);
                 set_mac(lab.tap(), lab.alices_port, mac);
             }
             const OneCpu one_cpu;
             const Station host = Lab::host();
             const std::string frame =
                 make_frame(World::link_attribute("br0", "address"), gateways_mac);
             Lab::gateway().send(frame);
             return held_if(host.got(frame));
         }},
        {"a station whose MAC begins with fe, by a MAC that gives the port that one",
         [](const World& world) { return address_of_a_station(world, limiting_rule); }},
        {"the same without mac-lock",
         [](const World& world) {
             return address_of_a_station(world, "allow br0 isolated max-taps=2\n");
         }},
        {"a source that is not his, with his tap's MAC set to it",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             const Lab lab(world);
             {
                 const AsUser alice(alice_account);
                 set_mac(lab.tap(), lab.alices_port, bobs_mac_bytes);
             }
             const OneCpu one_cpu;
             const Station gateway = Lab::gateway();
             const std::string frame = make_frame(broadcast_mac, bobs_mac);
             lab.alice().send(frame);
             const std::string own = make_frame(broadcast_mac, alices_mac);
             lab.alice().send(own);
             return held_if(!gateway.got(frame) && [&] {
                 lab.alice().send(own);
                 return gateway.got(own);
             }());
         }},
        {"a source that is not his, in frames that change on their way",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             const Lab lab(world);
             const UniqueFd space = lab.namespace_of_alice();
             const Station gateway = Lab::gateway();
             const std::string own = make_frame(broadcast_mac, alices_mac);
             const std::string bobs = own.substr(0, 6) + mac_bytes(bobs_mac) + own.substr(12);
             const int error = inside(alice_account, space.get(), [&] {
                 return send_changing(own, 11, mac_bytes(bobs_mac).back());
             });
             if (error == EOPNOTSUPP)
                 return not_in_this_kernel("VXLAN");
             std::vector<std::string> come;
             for (int wait = 0; wait < 20; ++wait) {
                 std::this_thread::sleep_for(std::chrono::milliseconds(10));
                 for (const std::string& frame : gateway.take_out())
                     come.push_back(frame);
             }
             const auto count = [&](const std::string& frame) {
                 return std::count(come.begin(), come.end(), frame);
             };
             return held_if(error == 0 && count(own) > 0 && count(bobs) == 0);
         }},
    };
}

// --- frames that get past the filter at the port

// The module makes two links in the host's network when it is loaded, by the attack's first link.
class LinksOfTheIfbModule {
  public:
    LinksOfTheIfbModule() = default;
    LinksOfTheIfbModule(const LinksOfTheIfbModule&) = delete;
    LinksOfTheIfbModule(LinksOfTheIfbModule&&) = delete;
    LinksOfTheIfbModule& operator=(const LinksOfTheIfbModule&) = delete;
    LinksOfTheIfbModule& operator=(LinksOfTheIfbModule&&) = delete;
    ~LinksOfTheIfbModule() {
        if (was_there_ || access(module_, F_OK) != 0)
            return;
        const UniqueFd own(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
        const UniqueFd hosts(open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC));
        if (setns(hosts.get(), CLONE_NEWNET) != 0)
            return;
        remove_link("ifb0");
        remove_link("ifb1");
        if (setns(own.get(), CLONE_NEWNET) != 0)
            std::abort();
    }

  private:
    static constexpr const char* module_ = "/sys/module/ifb";
    bool was_there_ = access(module_, F_OK) == 0;
};

Outcome guard_without_its_filter(const World& world) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    speak_stp("br0");
    const Lab lab(world, "allow br0 guard mac-lock max-taps=2\n");
    await_forwarding("up0");
    await_forwarding(lab.alices_port);
    const Station alice = lab.alice();
    const Station gateway = Lab::gateway();
    // Whether one of many passes, of which some get past the filter. One that does comes at most a
    // moment after the next frame.
    const auto passes = [&](const std::string& frame) {
        const std::string next = make_frame(broadcast_mac, alices_mac);
        for (int i = 0; i < 64; ++i)
            alice.send(frame);
        alice.send(next);
        std::vector<std::string> come;
        const auto has_come = [&](const std::string& one) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            for (std::string& more : gateway.take_out())
                come.push_back(std::move(more));
            return std::find(come.begin(), come.end(), one) != come.end();
        };
        for (int wait = 0; wait < 250; ++wait)
            if (has_come(next))
                return has_come(frame);
        throw std::runtime_error("no frame of alice's comes to the gateway");
    };
    const auto root = [] { return World::link_attribute("br0", "bridge/root_id"); };
    const std::string before = root();
    const std::string pvst = make_frame("01:00:0c:cc:cc:cd", alices_mac);
    const Outcome with_filter = held_if(!passes(pvst));

    const LinksOfTheIfbModule cleaning_up;
    const UniqueFd space = lab.namespace_of_alice();
    if (inside(alice_account, space.get(), [] { return skip_filters(inner_end()); }) != 0)
        return not_in_this_kernel("ifb or act_mirred (modprobe -a ifb act_mirred)");
    if (!passes(pvst))
        throw std::runtime_error(
            "an ifb skips no filter here: what SECURITY.md says of it is over");
    std::string rstp = make_bpdu(alices_mac);
    rstp.at(19) = '\2';  // behind the header of Ethernet, that of LLC, and two bytes
    const Outcome others =
        held_if(!passes(rstp) && !passes(make_frame(broadcast_mac, bobs_mac)) && root() == before);

    if (std::system("/usr/sbin/nft -f " TAPGATE_NFT) != 0)  // NOLINT(cert-env33-c): our own words
        throw std::runtime_error("no tapgate.nft (package nftables)");
    const Outcome with_nft = held_if(!passes(pvst) && !passes(tagged(pvst, 0)) &&
                                     !passes(tagged(pvst, 7)) && !passes(tagged(pvst, 1)));

    const auto state = [&] { return World::link_attribute(lab.alices_port, "brport/state"); };
    alice.send(make_bpdu(alices_mac));
    for (int wait = 0; wait < 200 && state() != "0"; ++wait)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return all({with_filter, others, with_nft, held_if(state() == "0" && root() == before)});
}

Attacks skipped_filters() {
    return {
        {"guard, by an ifb that gets past its filter: BPDUs, and PVST+ with tapgate.nft",
         guard_without_its_filter},
    };
}

// --- H9: more queues than the rule gives

Attacks queues() {
    return {
        {"256 queues under queues=2",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             World::write_policy("allow br0 queues=2\n");
             const HelperResult run =
                 World::run_helper({"--br=br0", "--fd=27", "--queues=2"}, world.alice());
             const std::string name = World::tap_name(run.fds.at(0).get());
             std::vector<UniqueFd> more;
             const AsUser alice(alice_account);
             for (int i = 0; i < 254; ++i) {
                 UniqueFd queue = attach_tap(name, IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE);
                 if (queue)
                     more.push_back(std::move(queue));
             }
             return held_if(more.empty() && queues_of(name) <= 2);
         }},
        {"another queue of a plain tap",
         [](const World& world) {
             const HelperResult run = world.attach();
             std::vector<UniqueFd> more;
             attach_to_anything(alice_account, &more);
             return held_if(more.empty() && run.fds.size() == 1);
         }},
        {"in the tap's namespace: 256 queues under queues=2",
         [](const World& world) {
             World::write_policy("allow br0 queues=2\n");
             const HelperResult run =
                 world.ours()
                     ? World::run_helper({"--br=br0", "--fd=27", "--queues=2"}, world.alice())
                     : HelperResult{};
             if (run.fds.empty())
                 return Outcome::nothing_to_break;
             const std::string name = World::tap_name(run.fds[0].get());
             const AsUser alice(alice_account);
             const UniqueFd space = namespace_of_tap(run.fds[0].get());
             const int got = space ? inside(alice_account, space.get(),
                                            [&] {
                                                std::vector<UniqueFd> more(200);
                                                for (UniqueFd& queue : more) {
                                                    queue = attach_tap(name, IFF_TAP | IFF_NO_PI |
                                                                                 IFF_MULTI_QUEUE);
                                                }
                                                // Inside he may have as many as he likes: what
                                                // counts is the port outside.
                                                return 0;
                                            })
                                   : 0;
             return held_if(got == 0 && queues_of(name) <= 2);
         }},
    };
}

// --- what he changes in the tap's namespace changes nothing outside

Attacks inside_the_namespace() {
    return {
        in_the_namespace("devices, addresses, another veth",
                         [](const Lab&, int) {
                             return add_link("bridge", "mine") != 0 ||
                                    add_address("mine", "192.0.2.66") != 0 ||
                                    set_link_state("mine", true) != 0 ||
                                    add_veth("va", "vb", -1) != 0;
                         }),
        veth_into_the_hosts_network(),
        in_the_namespace("a device moved into the host's network",
                         [](const Lab&, int host) {
                             return add_link("bridge", "mine") != 0 ||
                                    move_link("mine", host) == 0 ||
                                    move_link(inner_end(), host) == 0;
                         }),
        in_the_namespace("a device made in the host's network, by a number",
                         [](const Lab&, int host) {
                             name_namespace(
                                 host, 77);  // or it has a number already, as the veth's other end
                             int made = add_link_elsewhere("mine", 77) == 0 ? 1 : 0;
                             for (int id = 0; id < 4; ++id)
                                 made += add_link_elsewhere("mine", id) == 0 ? 1 : 0;
                             return made;
                         }),
        in_the_namespace("another MTU",
                         [](const Lab&, int) {
                             return set_link_mtu(inner_end(), 9000) != 0 ||
                                    set_link_mtu(inner_end(), 68) != 0 ||
                                    set_link_mtu(inner_end(), 65535) != 0;
                         }),
        in_the_namespace("the MACs of others on the inner end",
                         [](const Lab&, int) {
                             return set_link_mac(inner_end(), gateways_mac_bytes) != 0 ||
                                    set_link_mac(inner_end(), bobs_mac_bytes) != 0;
                         }),
        in_the_namespace("the inner end down and up",
                         [](const Lab&, int) {
                             return set_link_state(inner_end(), false) != 0 ||
                                    set_link_state(inner_end(), true) != 0;
                         }),
        in_the_namespace("the inner end on no bridge, and renamed",
                         [](const Lab&, int) {
                             const std::string name = inner_end();
                             return set_master(name, "") != 0 || rename_link(name, "eth0") != 0;
                         }),
        in_the_namespace("spanning tree on the leaf, with the best priority",
                         [](const Lab&, int) { return speak_stp_there(link_of_driver("bridge")); }),
        in_the_namespace("floods of frames",
                         [](const Lab& lab, int) {
                             const std::string frame = make_frame(broadcast_mac, alices_mac);
                             for (int i = 0; i < 20000; ++i)
                                 lab.alice().send(frame);
                             return 0;
                         }),
    };
}

// What `keep` returns holds the tap: until it is closed, the tap counts, and then the tap goes.
Outcome counts_and_goes(const World& world,
                        const std::function<std::vector<UniqueFd>(const UniqueFd& tap)>& keep) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    World::write_policy("allow br0 max-taps=1\n");
    world.attach();  // what the first one does to the bridge
    World::no_taps_left();
    const std::string before = host_network();
    HelperResult run = world.attach();
    std::vector<UniqueFd> kept;
    {
        const AsUser alice(alice_account);
        kept = keep(run.fds.at(0));
    }
    run.fds.clear();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    HelperResult another = world.attach();
    const std::size_t ports = ports_by_name().size();
    kept.clear();
    another.fds.clear();
    return all({held_if(ports == 1), held_if(is_as_before(before, "all is closed"))});
}

Attacks what_stays() {
    return {
        {"a namespace descriptor that stays open: a second port",
         [](const World& world) {
             return counts_and_goes(world, [](const UniqueFd& tap) {
                 std::vector<UniqueFd> kept;
                 kept.push_back(namespace_of_tap(tap.get()));
                 return kept;
             });
         }},
        {"a persistent tap, and no process: a second port",
         [](const World& world) {
             return counts_and_goes(world, [](const UniqueFd& tap) {
                 set_persistent(tap.get(), true);
                 return std::vector<UniqueFd>{};
             });
         }},
        {"the inner end deleted: a port without a tap, and a second one",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             World::write_policy("allow br0 max-taps=1\n");
             const HelperResult run = world.attach();
             const UniqueFd space = [&] {
                 const AsUser alice(alice_account);
                 return namespace_of_tap(run.fds.at(0).get());
             }();
             if (!space)
                 return Outcome::nothing_to_break;
             const int result =
                 inside(alice_account, space.get(), [] { return remove_link(inner_end()); });
             const HelperResult second = world.attach();
             return held_if(result == 0 && ports_by_name().size() <= 1);
         }},
        {"the inner end moved to a namespace of his own: a second port",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             World::write_policy("allow br0 max-taps=1\n");
             HelperResult run = world.attach();
             const UniqueFd space = [&] {
                 const AsUser alice(alice_account);
                 return namespace_of_tap(run.fds.at(0).get());
             }();
             if (!space)
                 return Outcome::nothing_to_break;
             // A process of his stays in a namespace below, with the inner end.
             std::array<int, 2> ends{};
             if (pipe2(ends.data(), O_CLOEXEC) != 0)
                 return Outcome::broken;
             const UniqueFd end(ends[0]);
             UniqueFd other(ends[1]);
             const pid_t keeper = fork();
             if (keeper == 0) {
                 other.reset();
                 _exit(inside(alice_account, space.get(), [&] {
                     const std::string name = inner_end();
                     const UniqueFd here(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
                     if (unshare(CLONE_NEWNET) != 0)
                         return 1;
                     const UniqueFd there(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
                     if (setns(here.get(), CLONE_NEWNET) != 0 ||
                         move_link(name, there.get()) != 0) {
                         return 2;
                     }
                     char byte = 0;
                     return read(end.get(), &byte, 1) == 0 ? 0 : 3;
                 }));
             }
             std::this_thread::sleep_for(std::chrono::milliseconds(200));
             run.fds.clear();
             std::this_thread::sleep_for(std::chrono::milliseconds(100));
             const std::size_t first = ports_by_name().size();
             const HelperResult second = world.attach();
             const std::size_t together = ports_by_name().size();
             other.reset();
             int status = 0;
             waitpid(keeper, &status, 0);
             if (status != 0)
                 throw std::runtime_error("it could not move it: " + std::to_string(status));
             return held_if(first <= 1 && together <= 1);
         }},
    };
}

// --- a second user against the first one's tap

Attacks neighbours() {
    return {
        {"another user's tap: its namespace, its port, a queue, a name",
         [](const World& world) {
             const Lab lab(world);
             const std::string bobs = World::tap_name(lab.bobs.fds[0].get());
             const std::string before = host_network();
             std::vector<UniqueFd> queues;
             attach_to_anything(alice_account, &queues);
             const int reached = in_process_of(alice_account, [&] {
                 int count = 0;
                 // By whichever processes there are at that moment.
                 for (int pid = 1; pid < 5000; ++pid) {
                     const std::string process = "/proc/" + std::to_string(pid) + "/ns/";
                     for (const char* kind : {"net", "user"}) {
                         const UniqueFd space(open((process + kind).c_str(), O_RDONLY | O_CLOEXEC));
                         count += space && setns(space.get(), 0) == 0 ? 1 : 0;
                     }
                 }
                 count += set_master(bobs, "") == 0 ? 1 : 0;
                 count += set_master(bobs, "br1") == 0 ? 1 : 0;
                 count += remove_link(bobs) == 0 ? 1 : 0;
                 count += set_alias(bobs, "tapgate uid=2001") == 0 ? 1 : 0;
                 count += rename_link(bobs, "mine") == 0 ? 1 : 0;
                 count += set_link_state(bobs, false) == 0 ? 1 : 0;
                 count += set_link_mtu(bobs, 68) == 0 ? 1 : 0;
                 count += set_link_mac(bobs, gateways_mac_bytes) == 0 ? 1 : 0;
                 return count;
             });
             return all({held_if(queues.empty() && reached == 0),
                         held_if(is_as_before(before, "a neighbour's attacks")),
                         lab.all_is_well()});
         }},
        {"another user's frames, kept: his port, which stays and counts",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             Lab lab(world, "allow br0 mac-lock max-taps=1\n");
             const UniqueFd space = lab.namespace_of_alice();
             if (!space || inside(alice_account, space.get(),
                                  [&] { return keep_frames(lab.alices_port); }) != 0)
                 return not_in_this_kernel("sch_tbf");
             for (int i = 0; i < 200; ++i)
                 lab.bob().send(make_frame(alices_mac, bobs_mac));
             lab.bobs.fds.clear();
             const HelperResult again =
                 World::run_helper(args_with(bobs_mac), world.as(bob_account));
             return held_if(static_cast<bool>(granted(again)));
         }},
    };
}

TEST(Abuse, OfContainedTaps) {
    expect_held("addresses of others", stolen_addresses());
    expect_held("filters that are skipped", skipped_filters());
    expect_held("queues", queues());
    expect_held("what a holder can do where his tap is", inside_the_namespace());
    expect_held("what stays without a descriptor", what_stays());
    expect_held("a neighbour's", neighbours());
}

}  // namespace
}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/system/hostile.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/nsfs.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/tc_act/tc_mirred.h>
#include <linux/veth.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "tests/system/netlink.h"
#include "tests/system/wire.h"

namespace tapgate {

namespace {

int errno_of(int result) {
    return result == 0 ? 0 : errno;
}

// One request about a link, with attributes that may nest; made by hand, so that the socket is
// opened and written by whoever the process is at the moment.
class Change {
  public:
    Change(std::uint16_t type, const std::string& name, std::uint8_t family = AF_UNSPEC) {
        header()->nlmsg_type = type;
        header()->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
        header()->nlmsg_len = NLMSG_LENGTH(sizeof(ifinfomsg));
        auto* info = static_cast<ifinfomsg*>(NLMSG_DATA(header()));
        info->ifi_family = family;
        info->ifi_index = static_cast<int>(if_nametoindex(name.c_str()));
    }
    // A change that makes a link.
    static Change make(const std::string& kind, const std::string& name) {
        Change change(RTM_NEWLINK, "");
        change.creating().put(IFLA_IFNAME, name);
        change.kind_ = kind;
        return change;
    }
    Change& creating() {
        header()->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
        return *this;
    }
    Change& numbered(unsigned index) {
        static_cast<ifinfomsg*>(NLMSG_DATA(header()))->ifi_index = static_cast<int>(index);
        return *this;
    }
    // The head of an FDB entry, which begins like a link's and is shorter.
    Change& fdb_entry(std::uint16_t state, std::uint8_t flags) {
        auto* head = static_cast<ndmsg*>(NLMSG_DATA(header()));
        head->ndm_state = state;
        head->ndm_flags = flags;
        header()->nlmsg_len = NLMSG_LENGTH(sizeof *head);
        return *this;
    }
    void kind(const std::string& kind) { kind_ = kind; }
    Change& flags(unsigned set, unsigned which) {
        auto* info = static_cast<ifinfomsg*>(NLMSG_DATA(header()));
        info->ifi_flags = set;
        info->ifi_change = which;
        return *this;
    }
    Change& put(unsigned type, const void* data, std::size_t size) {
        auto* attribute = begin(type);
        std::memcpy(RTA_DATA(attribute), data, size);
        attribute->rta_len = static_cast<std::uint16_t>(RTA_LENGTH(size));
        header()->nlmsg_len += RTA_ALIGN(attribute->rta_len);
        return *this;
    }
    Change& put(unsigned type, const std::string& text) {
        return put(type, text.c_str(), text.size() + 1);
    }
    template <typename Fill>
    Change& nest(unsigned type, const Fill& fill) {
        auto* attribute = begin(type | NLA_F_NESTED);
        const std::uint32_t start = header()->nlmsg_len;
        header()->nlmsg_len += RTA_LENGTH(0);
        fill(*this);
        attribute->rta_len = static_cast<std::uint16_t>(header()->nlmsg_len - start);
        return *this;
    }
    // A struct at the beginning of a nest.
    Change& put_header(const void* data, std::size_t size) {
        std::memcpy(buffer_.data() + header()->nlmsg_len, data, size);
        header()->nlmsg_len += static_cast<std::uint32_t>(NLMSG_ALIGN(size));
        return *this;
    }
    // `data` has the attributes of that kind of link.
    template <typename Fill>
    Change& link_info(const Fill& data) {
        return nest(IFLA_LINKINFO, [&](Change& info) {
            info.put(IFLA_INFO_KIND, kind_).nest(IFLA_INFO_DATA, data);
        });
    }
    // Returns 0 or the kernel's errno.
    int send() {
        const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
        if (!socket || ::send(socket.get(), buffer_.data(), header()->nlmsg_len, 0) < 0 ||
            recv(socket.get(), buffer_.data(), buffer_.size(), 0) < 0) {
            return errno;
        }
        return -static_cast<nlmsgerr*>(NLMSG_DATA(header()))->error;
    }

  private:
    nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(buffer_.data()); }
    rtattr* begin(unsigned type) {
        auto* attribute = reinterpret_cast<rtattr*>(buffer_.data() + header()->nlmsg_len);
        attribute->rta_type = static_cast<std::uint16_t>(type);
        return attribute;
    }
    std::string kind_;
    alignas(nlmsghdr) std::array<char, 4096> buffer_{};
};

}  // namespace

AsUser::AsUser(const Account& user) : groups_(64) {
    const int count = getgroups(static_cast<int>(groups_.size()), groups_.data());
    groups_.resize(static_cast<std::size_t>(std::max(count, 0)));
    if (setgroups(0, nullptr) != 0 || setegid(user.gid) != 0 || seteuid(user.uid) != 0)
        throw std::runtime_error("cannot become the user");
}

AsUser::~AsUser() {
    if (seteuid(0) != 0 || setegid(0) != 0 || setgroups(groups_.size(), groups_.data()) != 0) {
        std::perror("cannot become root again");
        std::abort();
    }
}

int in_process_of(const Account& user, const std::function<int()>& act) {
    const pid_t child = fork();
    if (child == 0) {
        // Root again first, whatever ids the parent has at the moment (AsUser).
        if (seteuid(0) != 0 || setgroups(0, nullptr) != 0 ||
            setresgid(user.gid, user.gid, user.gid) != 0 ||
            setresuid(user.uid, user.uid, user.uid) != 0) {
            _exit(255);
        }
        // /proc/self belongs to root, as this process did a moment ago.
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        _exit(act());
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) == 255) {
        return -1;
    }
    return WEXITSTATUS(status);
}

UniqueFd namespace_of_tap(int tap) {
    return UniqueFd(ioctl(tap, TUNGETDEVNETNS));
}

int inside(const Account& user, int network_namespace, const std::function<int()>& act) {
    return in_process_of(user, [&] {
        const UniqueFd owner(ioctl(network_namespace, NS_GET_USERNS));
        if (!owner || setns(owner.get(), CLONE_NEWUSER) != 0 ||
            setns(network_namespace, CLONE_NEWNET) != 0) {
            return 255;
        }
        return act();
    });
}

std::string host_network() {
    std::string text;
    for (const std::string& link : Testbed::links()) {
        text += link;
        for (const char* attribute :
             {"ifindex", "flags", "mtu", "address", "ifalias", "addr_assign_type", "tun_flags",
              "master/ifindex", "brport/isolated", "brport/bpdu_guard", "brport/root_block",
              "brport/learning", "brport/hairpin_mode", "brport/unicast_flood"}) {
            text += " " + Testbed::link_attribute(link, attribute);
        }
        if (!Testbed::link_attribute(link, "bridge/bridge_id").empty()) {
            text += " " + Testbed::link_attribute(link, "bridge/vlan_filtering") + " " +
                    Testbed::link_attribute(link, "bridge/stp_state");
            std::vector<std::string> entries;
            for (const FdbEntry& entry : forwarding_database(link)) {
                entries.push_back("\n  " + entry.mac + (entry.local ? " local " : " ") +
                                  std::to_string(entry.port));
            }
            std::sort(entries.begin(), entries.end());
            for (const std::string& entry : entries)
                text += entry;
        }
        text += "\n";
    }
    return text + read_text("/proc/net/route") + read_text("/proc/net/ipv6_route") +
           read_text("/proc/net/fib_trie");
}

std::string host_network_becomes(const std::string& wanted, std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
        std::string now = host_network();
        if (now == wanted || std::chrono::steady_clock::now() > deadline)
            return now;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

std::string link_of_driver(const std::string& driver) {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    struct if_nameindex* const links = if_nameindex();
    std::string found;
    for (const struct if_nameindex* link = links; link != nullptr && link->if_index != 0; ++link) {
        ethtool_drvinfo info{};
        info.cmd = ETHTOOL_GDRVINFO;
        ifreq request = link_request(link->if_name);
        request.ifr_data = reinterpret_cast<char*>(&info);
        if (found.empty() && ioctl(socket.get(), SIOCETHTOOL, &request) == 0 &&
            driver == static_cast<const char*>(info.driver)) {
            found = link->if_name;
        }
    }
    if_freenameindex(links);
    return found;
}

std::size_t queues_of(const std::string& name) {
    std::array<std::size_t, 2> counts{};
    const std::filesystem::path queues = "/sys/class/net/" + name + "/queues";
    std::error_code none;
    for (const auto& queue : std::filesystem::directory_iterator(queues, none))
        ++counts[queue.path().filename().string().starts_with("tx") ? 1 : 0];
    return std::max(counts[0], counts[1]);
}

std::vector<std::string> ports_by_name() {
    std::vector<std::string> names = Testbed::links();
    names.erase(std::remove_if(names.begin(), names.end(),
                               [](const std::string& name) { return !name.starts_with("tap"); }),
                names.end());
    return names;
}

UniqueFd attach_tap(const std::string& name, unsigned flags) {
    UniqueFd fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request = link_request(name);
    request.ifr_flags = static_cast<short>(flags);
    if (fd && ioctl(fd.get(), TUNSETIFF, &request) != 0) {
        const int error = errno;
        fd.reset();
        errno = error;
    }
    return fd;
}

int set_persistent(int tap, bool on) {
    return errno_of(ioctl(tap, TUNSETPERSIST, on ? 1 : 0));
}

int set_owner(int tap, uid_t owner) {
    return errno_of(ioctl(tap, TUNSETOWNER, owner));
}

int set_group(int tap, gid_t group) {
    return errno_of(ioctl(tap, TUNSETGROUP, group));
}

int set_carrier(int tap, bool on) {
    unsigned carrier = on ? 1 : 0;
    return errno_of(ioctl(tap, TUNSETCARRIER, &carrier));
}

int set_queue(int tap, bool attached) {
    ifreq request{};
    request.ifr_flags = attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
    return errno_of(ioctl(tap, TUNSETQUEUE, &request));
}

int set_mac(int tap, const std::string& name, const std::array<unsigned char, 6>& mac) {
    ifreq request = link_request(name);
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    std::memcpy(static_cast<char*>(request.ifr_hwaddr.sa_data), mac.data(), mac.size());
    return errno_of(ioctl(tap, SIOCSIFHWADDR, &request));
}

int rename_link(const std::string& name, const std::string& to) {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request = link_request(name);
    to.copy(static_cast<char*>(request.ifr_newname), IFNAMSIZ - 1);
    return errno_of(ioctl(socket.get(), SIOCSIFNAME, &request));
}

int write_attribute(const std::string& name, const std::string& attribute,
                    const std::string& text) {
    const UniqueFd fd(
        open(("/sys/class/net/" + name + "/" + attribute).c_str(), O_WRONLY | O_CLOEXEC));
    return fd && write(fd.get(), text.data(), text.size()) >= 0 ? 0 : errno;
}

int set_alias(const std::string& name, const std::string& alias) {
    return Change(RTM_NEWLINK, name).put(IFLA_IFALIAS, alias.data(), alias.size()).send();
}

int set_master(const std::string& name, const std::string& master) {
    const std::uint32_t index = master.empty() ? 0 : if_nametoindex(master.c_str());
    return Change(RTM_NEWLINK, name).put(IFLA_MASTER, &index, sizeof index).send();
}

int set_port_isolated(const std::string& name, bool on) {
    const std::uint8_t value = on ? 1 : 0;
    return Change(RTM_SETLINK, name, AF_BRIDGE)
        .nest(IFLA_PROTINFO,
              [&](Change& port) { port.put(IFLA_BRPORT_ISOLATED, &value, sizeof value); })
        .send();
}

int add_station(const std::string& port, const std::array<unsigned char, 6>& mac) {
    return Change(RTM_NEWNEIGH, port, AF_BRIDGE)
        .creating()
        .fdb_entry(NUD_NOARP, NTF_MASTER | NTF_STICKY)
        .put(NDA_LLADDR, mac.data(), mac.size())
        .send();
}

int add_altname(const std::string& name, const std::string& altname) {
    return Change(RTM_NEWLINKPROP, name)
        .nest(IFLA_PROP_LIST, [&](Change& list) { list.put(IFLA_ALT_IFNAME, altname); })
        .send();
}

int remove_altname(const std::string& name, const std::string& altname) {
    return Change(RTM_DELLINKPROP, name)
        .nest(IFLA_PROP_LIST, [&](Change& list) { list.put(IFLA_ALT_IFNAME, altname); })
        .send();
}

int remove_link(const std::string& name) {
    return Change(RTM_DELLINK, name).send();
}

int add_link(const std::string& kind, const std::string& name, unsigned index) {
    return Change::make(kind, name).numbered(index).link_info([](Change&) {}).send();
}

int add_veth(const std::string& name, const std::string& peer, int peers_namespace) {
    return Change::make("veth", name)
        .link_info([&](Change& data) {
            data.nest(VETH_INFO_PEER, [&](Change& other) {
                const ifinfomsg header{};
                other.put_header(&header, sizeof header).put(IFLA_IFNAME, peer);
                if (peers_namespace >= 0)
                    other.put(IFLA_NET_NS_FD, &peers_namespace, sizeof peers_namespace);
            });
        })
        .send();
}

int add_vxlan(const std::string& name, unsigned number, unsigned port) {
    const std::uint32_t id = number;
    const std::uint16_t at = htons(static_cast<std::uint16_t>(port));
    const int error =
        Change::make("vxlan", name)
            .link_info([&](Change& data) {
                data.put(IFLA_VXLAN_ID, &id, sizeof id).put(IFLA_VXLAN_PORT, &at, sizeof at);
            })
            .send();
    return error == 0 ? set_link_state(name, true) : error;
}

int add_link_elsewhere(const std::string& name, int id) {
    return Change::make("bridge", name)
        .put(IFLA_TARGET_NETNSID, &id, sizeof id)
        .link_info([](Change&) {})
        .send();
}

int name_namespace(int network_namespace, int id) {
    struct {
        nlmsghdr header;
        rtgenmsg about;
        std::array<char, 3> padding;
        rtattr fd_header;
        int fd;
        rtattr id_header;
        int id;
    } request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = RTM_NEWNSID;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    request.fd_header = {RTA_LENGTH(sizeof(int)), NETNSA_FD};
    request.fd = network_namespace;
    request.id_header = {RTA_LENGTH(sizeof(int)), NETNSA_NSID};
    request.id = id;
    const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    struct {
        nlmsghdr header;
        nlmsgerr error;
        std::array<char, 256> more;
    } answer{};
    if (!socket || ::send(socket.get(), &request, sizeof request, 0) < 0 ||
        recv(socket.get(), &answer, sizeof answer, 0) < 0) {
        return errno;
    }
    return -answer.error.error;
}

int move_link(const std::string& name, int network_namespace) {
    return Change(RTM_NEWLINK, name)
        .put(IFLA_NET_NS_FD, &network_namespace, sizeof network_namespace)
        .send();
}

int set_link_state(const std::string& name, bool up) {
    return Change(RTM_NEWLINK, name).flags(up ? IFF_UP : 0, IFF_UP).send();
}

int set_link_mtu(const std::string& name, unsigned mtu) {
    return Change(RTM_NEWLINK, name).put(IFLA_MTU, &mtu, sizeof mtu).send();
}

int set_link_mac(const std::string& name, const std::array<unsigned char, 6>& mac) {
    return Change(RTM_NEWLINK, name).put(IFLA_ADDRESS, mac.data(), mac.size()).send();
}

int add_address(const std::string& name, const std::string& ipv4) {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request = link_request(name);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, ipv4.c_str(), &address.sin_addr);
    std::memcpy(&request.ifr_addr, &address, sizeof address);
    return errno_of(ioctl(socket.get(), SIOCSIFADDR, &request));
}

int speak_stp_there(const std::string& bridge) {
    const std::uint32_t on = 1;
    const std::uint16_t priority = 0;
    Change change(RTM_NEWLINK, bridge);
    change.kind("bridge");
    return change
        .link_info([&](Change& data) {
            data.put(IFLA_BR_STP_STATE, &on, sizeof on)
                .put(IFLA_BR_PRIORITY, &priority, sizeof priority);
        })
        .send();
}

int set_link_type(int tap, int type) {
    return errno_of(ioctl(tap, TUNSETLINK, type));
}

int keep_frames(const std::string& name) {
    constexpr std::uint32_t burst = 2000;
    tc_tbf_qopt options{};
    options.rate.linklayer = TC_LINKLAYER_ETHERNET;
    options.rate.rate = 1;
    options.limit = 1U << 20U;
    // A tcmsg is an ifinfomsg, with a handle and a parent in the place of flags, and one more word.
    Change change(RTM_NEWQDISC, name);
    const std::uint32_t info = 0;
    change.creating().flags(0, TC_H_ROOT).put_header(&info, sizeof info);
    change.put(TCA_KIND, "tbf").nest(TCA_OPTIONS, [&](Change& nest) {
        nest.put(TCA_TBF_PARMS, &options, sizeof options).put(TCA_TBF_BURST, &burst, sizeof burst);
    });
    return change.send();
}

int skip_filters(const std::string& name) {
    if (const int error = add_link("ifb", "ifb"))
        return error;
    set_link_state("ifb", true);
    const std::uint32_t nothing = 0;
    Change hook(RTM_NEWQDISC, name);
    hook.creating().flags(TC_H_MAKE(TC_H_CLSACT, 0U), TC_H_CLSACT);
    hook.put_header(&nothing, sizeof nothing).put(TCA_KIND, "clsact");
    if (const int error = hook.send())
        return error;
    // Half of the frames, each time: what comes back from the ifb must not match again, since that
    // would use up the mark.
    constexpr std::array<sock_filter, 4> half{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    }};
    const auto size = static_cast<std::uint16_t>(half.size());
    tc_mirred to_ifb{};
    to_ifb.action = TC_ACT_STOLEN;
    to_ifb.eaction = TCA_EGRESS_REDIR;
    to_ifb.ifindex = if_nametoindex("ifb");
    const std::uint32_t place = TC_H_MAKE(1U << 16U, htons(ETH_P_ALL));
    Change filter(RTM_NEWTFILTER, name);
    filter.creating().flags(1, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS));
    filter.put_header(&place, sizeof place).put(TCA_KIND, "bpf");
    filter.nest(TCA_OPTIONS, [&](Change& options) {
        options.put(TCA_BPF_OPS_LEN, &size, sizeof size).put(TCA_BPF_OPS, half.data(), sizeof half);
        options.nest(TCA_BPF_ACT, [&](Change& actions) {
            actions.nest(1, [&](Change& action) {
                action.put(TCA_ACT_KIND, "mirred").nest(TCA_ACT_OPTIONS, [&](Change& mirred) {
                    mirred.put(TCA_MIRRED_PARMS, &to_ifb, sizeof to_ifb);
                });
            });
        });
    });
    return filter.send();
}

void add_persistent_tap(const std::string& name, const std::string& bridge) {
    const UniqueFd fd = attach_tap(name, IFF_TAP | IFF_NO_PI);
    if (!fd || set_persistent(fd.get(), true) != 0 || set_master(name, bridge) != 0)
        throw std::runtime_error("cannot add the persistent tap " + name);
    Testbed::set_link_up(name);
}

bool is_alive(int tap) {
    std::array<char, 80> frame{};  // long enough for a vnet header and what the kernel asks for
    std::fill_n(frame.begin() + 10, 6, '\xff');
    ifreq request{};
    return write(tap, frame.data(), frame.size()) > 0 && ioctl(tap, TUNGETIFF, &request) == 0 &&
           Testbed::link_exists(static_cast<const char*>(request.ifr_name));
}

void Crowd::add(unsigned count, const std::vector<std::string>& args,
                const HelperOptions& options) {
    for (unsigned i = 0; i < count; ++i)
        helpers_.push_back(std::make_unique<HelperProcess>(args, options));
}

void Crowd::disturb(bool kill, const std::function<void()>& observe) {
    if (helpers_.empty())
        return;
    std::uniform_int_distribution<std::size_t> any(0, helpers_.size() - 1);
    // Far below the helper's 10 seconds, which go on while it is stopped.
    for (int i = 0; i < 300; ++i) {
        const std::size_t which = any(random_);
        const int dice = static_cast<int>(random_() % 8);
        helpers_[which]->kill(dice < 4 ? SIGSTOP : dice < 7 || !kill ? SIGCONT : SIGKILL);
        std::this_thread::sleep_for(std::chrono::microseconds(random_() % 2000));
        observe();
    }
    for (const auto& helper : helpers_)
        helper->kill(SIGCONT);
}

std::vector<HelperResult> Crowd::finish() {
    std::vector<HelperResult> runs;
    runs.reserve(helpers_.size());
    for (const auto& helper : helpers_)
        runs.push_back(helper->finish());
    helpers_.clear();
    return runs;
}

std::size_t count_grants(const std::vector<HelperResult>& runs) {
    return static_cast<std::size_t>(
        std::count_if(runs.begin(), runs.end(),
                      [](const HelperResult& run) { return static_cast<bool>(granted(run)); }));
}

}  // namespace tapgate

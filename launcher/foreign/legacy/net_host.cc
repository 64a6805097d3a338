// SPDX-License-Identifier: GPL-2.0-or-later
//
// The host's end of an adapter's wire: which bridge a tap was on, and what QEMU's own network did.
#include "launcher/foreign/legacy/net_host.h"

#include <algorithm>

#include "common/names.h"
#include "launcher/base/text.h"
#include "launcher/foreign/shell/word.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

HostBridge bridge_of_name(const std::string& name, std::string& why) {
    if (InterfaceName::parse(name))
        return {name};
    add_reason(why, quoted_word(name) + " cannot be a bridge's name; " + guess_of_bridge);
    return {.guessed = true};
}

// Proxmox' script looks up the bridge: the tap device tap100i0 is of VM 100 and its net0.
std::string of_proxmox(std::string_view tap) {
    constexpr std::string_view prefix = "tap";
    const size_t end = tap.rfind('i');
    const bool known = tap.starts_with(prefix) && end != std::string_view::npos;
    const std::string vm(known ? tap.substr(prefix.size(), end - prefix.size()) : "NUMBER");
    const std::string net(known ? tap.substr(end + 1) : "");
    return "the helper makes the port and no script is run; br0 is a guess: `qm config " +
           shown(vm) + "' has it at net" + shown(net) +
           ", with VLANs (tag=, trunks=), limits (rate=) and the firewall, which are left out";
}

// Descriptors of the program that started QEMU: what is left of them is the number of queues.
// Returns whether there were any.
bool take_descriptors(Properties& backend, std::string& why) {
    const auto fd = backend.take("fd");
    const auto fds = backend.take("fds");
    if (!fd && !fds)
        return false;
    add_reason(why, (fd ? "fd=" + *fd : "fds=" + *fds) +
                        " was a file descriptor of the program that started QEMU (such as "
                        "libvirt); tapgate opens its own");
    for (const char* const number : {"vhostfd", "vhostfds"})
        backend.take(number);
    if (fds) {
        const auto colons = std::count(fds->begin(), fds->end(), ':');
        backend.set("queues", std::to_string(colons + 1));
    }
    return true;
}

// The bridge that QEMU asked its helper for; nothing if it did not have a helper make the tap.
std::optional<HostBridge> bridge_of_helper(Properties& backend, std::string& why) {
    if (const auto helper = backend.take("helper")) {
        constexpr std::string_view option = "--br=";
        if (const size_t at = helper->find(option); at != std::string::npos) {
            const std::string rest = helper->substr(at + option.size());
            return bridge_of_name(rest.substr(0, rest.find_first_of(" '\"")), why);
        }
        // Without br=, QEMU asks its helper for its default bridge.
        const auto bridge = backend.take("br");
        return bridge ? bridge_of_name(*bridge, why) : HostBridge();
    }
    if (const auto bridge = backend.take("br"))
        return bridge_of_name(*bridge, why);
    return std::nullopt;
}

}  // namespace

std::string kind_on_linux(const std::string& kind, Properties& backend, std::string& why) {
    if (kind != "vmnet-shared" && kind != "vmnet-bridged")
        return kind;
    std::vector<Properties::Property> left;
    for (const char* const key :
         {"ifname", "isolated", "start-address", "end-address", "subnet-mask", "nat66-prefix"}) {
        if (const auto value = backend.take(key))
            left.emplace_back(key, *value);
    }
    const bool shared = kind == "vmnet-shared";
    add_reason(why, shared ? "it was behind the NAT of macOS and is behind QEMU's now"
                           : std::string("macOS bridged it; ") + guess_of_bridge);
    if (!left.empty())
        add_reason(why, "left out: " + listed(left));
    return shared ? "user" : "bridge";
}

HostBridge bridge_of(const std::string& kind, Properties& backend, std::string& why) {
    if (kind == "vmnet-bridged")
        return {.guessed = true};
    if (kind == "bridge") {
        backend.take("helper");
        const auto bridge = backend.take("br");
        return bridge ? bridge_of_name(*bridge, why) : HostBridge();
    }
    const auto script = backend.take("script");
    backend.take("downscript");
    const auto ifname = backend.take("ifname");
    if (ifname)
        add_reason(why, "the kernel names the tap device");
    if (const auto vhost = backend.take("vhost"); vhost == "on")
        add_reason(why, "vhost is used where /dev/vhost-net can be opened");
    else if (vhost)
        backend.set("vhost", *vhost);
    const bool opened_before = take_descriptors(backend, why);
    if (auto bridge = bridge_of_helper(backend, why))
        return *bridge;
    if (script == "no" || script == "")
        add_reason(why, std::string("QEMU put the tap on no bridge; ") + guess_of_bridge);
    else if (script && last_part(*script) == "pve-bridge")
        add_reason(why, of_proxmox(ifname.value_or("")));
    else if (opened_before)
        add_reason(why, guess_of_bridge);
    else
        add_reason(why,
                   "the helper makes the port and no script is run; br0 is a guess: the "
                   "bridge's real name is in " +
                       script.value_or("/etc/qemu-ifup"));
    return {.guessed = true};
}

std::string passt_socket(const LegacyParts& parts, const Properties& backend) {
    const auto chardev =
        std::find_if(parts.parts.begin(), parts.parts.end(), [&](const LegacyPart& part) {
            return part.option == "chardev" && part.properties.get("id") == backend.get("chardev");
        });
    const std::string path = chardev == parts.parts.end() ? "" : chardev->properties.get("path");
    return path.find("/passt/") == std::string::npos ? "" : path;
}

std::optional<std::string> simple_forwards(Properties& backend, std::string& why) {
    const bool simple =
        std::all_of(backend.all().begin(), backend.all().end(), [](const auto& property) {
            return property.first == "smb" || property.first == "smbserver" ||
                   (property.first == "hostfwd" && HostForward::parse(property.second));
        });
    if (!simple)
        return std::nullopt;
    std::string text;
    bool everywhere = false;
    for (const std::string& rule : backend.take_all("hostfwd")) {
        everywhere = everywhere || rule.starts_with("tcp::") || rule.starts_with("udp::");
        text += ",hostfwd=" + HostForward::parse(rule)->str();
    }
    if (everywhere)
        add_reason(why, "a forwarded port without an address is open to this host only");
    return text;
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "common/names.h"
#include "launcher/base/text.h"
#include "launcher/foreign/legacy/net_host.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/shell/variables.h"
#include "launcher/foreign/shell/word.h"
#include "launcher/foreign/translation/adapter_model.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

// A MAC address as QEMU reads it, from 0:16:3e:1:2:3 or one with `-', as other programs write it.
std::string whole_mac(const std::string& text) {
    std::string whole;
    std::string digits;
    for (const char c : text + ":") {
        if (c != ':' && c != '-') {
            digits += c;
            continue;
        }
        whole.append(whole.empty() ? "" : ":").append(digits.size() == 1 ? "0" : "").append(digits);
        digits.clear();
    }
    return whole;
}

class NetTranslator {
  public:
    explicit NetTranslator(LegacyParts& parts)
        : parts_(parts), nets_(std::move(parts.nets)), result_(parts.result) {}

    void translate() {
        const bool said = !nets_.adapters.empty() || !nets_.hosts.empty();
        if (!said && nets_.partial && nets_.none_was.empty())
            return;
        if (!nets_.none_was.empty()) {
            if (said)
                result_.dropped(nets_.none_was, "other options add network adapters");
            else
                result_.changed(nets_.none_was, "net = none");
        } else if (!said && nets_.defaults) {
            nets_.adapters.push_back({"", {}, "", "", nets_.default_slot});
            nets_.hosts.push_back({"", {}, "user", ""});
        }
        add_user_options();
        join_user_networks();
        if (!parts_.machine.q35)
            write_slots();
        order_by_places();
        std::vector<bool> used(nets_.hosts.size());
        for (NetEnd& adapter : nets_.adapters)
            connect(adapter, used);
        for (size_t i = 0; i < used.size(); i++) {
            if (!used[i])
                result_.dropped(nets_.hosts[i].was,
                                count_on(nets_.adapters, nets_.hosts[i].wire) == 0
                                    ? "no adapter of the guest is connected to it"
                                    : "it shared a hub with another network, and the adapter is "
                                      "connected to that one only: add a net = for it if the guest "
                                      "needs both");
        }
        if (no_mac_)
            result_.added("MAC addresses of its own",
                          "none is given, and QEMU would use 52:54:00:12:34:56 and up; if the "
                          "guest knows its adapters by these, add mac=");
        if (settings_ == 0) {
            result_.set("net", "none");
            if (nets_.none_was.empty() && kept_ == 0)
                result_.added("net = none", "the guest had no network adapter");
        }
    }

  private:
    // Those of adapters that say none.
    void write_slots() {
        for (NetEnd& adapter : nets_.adapters) {
            std::array<char, 8> text{};
            std::snprintf(text.data(), text.size(), "0x%x", adapter.slot.value_or(0));
            if (adapter.slot && !adapter.properties.has("addr"))
                adapter.properties.set("addr", text.data());
        }
    }

    // A guest finds adapters in the order of their places, if all on one bus give theirs.
    void order_by_places() {
        std::vector<NetEnd>& adapters = nets_.adapters;
        const bool comparable =
            std::all_of(adapters.begin(), adapters.end(), [&](const NetEnd& adapter) {
                const auto first = pci_place(adapters.front().properties);
                const auto place = pci_place(adapter.properties);
                return first && place && place->first == first->first;
            });
        if (comparable)
            std::stable_sort(adapters.begin(), adapters.end(),
                             [](const NetEnd& a, const NetEnd& b) {
                                 return pci_place(a.properties) < pci_place(b.properties);
                             });
    }

    // -redir, -tftp and the like apply to the first user network.
    void add_user_options() {
        const auto user = std::find_if(nets_.hosts.begin(), nets_.hosts.end(),
                                       [](const NetEnd& end) { return end.kind == "user"; });
        for (const auto& [text, was] : nets_.user_options) {
            if (user == nets_.hosts.end()) {
                result_.dropped(was, "there is no user network that it could apply to");
                continue;
            }
            std::string both = user->properties.str();
            both.append(both.empty() ? "" : ",").append(text);
            user->properties = Properties::parse(both, "");
            user->was.append(user->was.empty() ? "" : " ").append(was);
        }
    }

    static std::ptrdiff_t count_on(const std::vector<NetEnd>& ends, const std::string& wire) {
        return std::count_if(ends.begin(), ends.end(),
                             [&](const NetEnd& end) { return end.wire == wire; });
    }

    // Are several adapters connected to several networks?
    [[nodiscard]] bool is_hub(const std::string& wire) const {
        return count_on(nets_.hosts, wire) > 1 && count_on(nets_.adapters, wire) > 1;
    }

    // One adapter on a hub with two user networks: one of them does, with the ports of both.
    void join_user_networks() {
        std::vector<NetEnd>& hosts = nets_.hosts;
        for (auto end = hosts.begin(); end != hosts.end();) {
            const auto first = std::find_if(hosts.begin(), end, [&](const NetEnd& other) {
                return other.kind == "user" && other.wire == end->wire;
            });
            const auto& all = end->properties.all();
            const bool ports_only = std::all_of(all.begin(), all.end(), [](const auto& property) {
                return property.first == "hostfwd" || property.first == "vlan";
            });
            if (first == end || end->kind != "user" || !ports_only ||
                count_on(nets_.adapters, end->wire) != 1) {
                ++end;
                continue;
            }
            for (const std::string& rule : end->properties.take_all("hostfwd"))
                first->properties.all().emplace_back("hostfwd", rule);
            first->was += " " + end->was;
            end = hosts.erase(end);
        }
    }

    void connect(NetEnd& adapter, std::vector<bool>& used) {
        size_t shared = nets_.hosts.size();
        for (size_t i = 0; i < nets_.hosts.size(); i++) {
            if (nets_.hosts[i].wire != adapter.wire)
                continue;
            if (!used[i]) {
                used[i] = true;
                translate(adapter, nets_.hosts[i], nets_.hosts[i].was,
                          is_hub(adapter.wire) ? "several adapters and networks shared a hub; this "
                                                 "adapter is connected to this network only"
                                               : "");
                return;
            }
            shared = i;
        }
        if (shared == nets_.hosts.size()) {
            result_.dropped(adapter.was, "it was connected to nothing on the host");
            return;
        }
        std::string why = "it shared a hub with another adapter, and has a port of its own now";
        // A port of the host can be forwarded only once.
        NetEnd host = nets_.hosts[shared];
        if (host.properties.has("hostfwd"))
            add_reason(why, "the forwarded ports stay with the other adapter");
        while (host.properties.take("hostfwd")) {
        }
        translate(adapter, host, "", why);
    }

    void translate(NetEnd& adapter, const NetEnd& host, const std::string& host_was,
                   const std::string& reason) {
        std::string was = adapter.was;
        if (host_was != adapter.was && !host_was.empty())
            was += (was.empty() ? "" : " ") + host_was;
        std::string why = reason;
        if (was.find("vlan=") != std::string::npos)
            add_reason(why, "QEMU has no vlan= since 3.0");
        Properties backend = host.properties;
        Properties card = adapter.properties;
        const std::string kind = kind_on_linux(host.kind, backend, why);
        for (const char* const structural : {"vlan", "id", "name", "netdev"}) {
            backend.take(structural);
            card.take(structural);
        }
        if (kind == "tap" || kind == "bridge") {
            const HostBridge bridge = bridge_of(host.kind, backend, why);
            const std::string value =
                "bridge:" + bridge.name + words_of(adapter, card, &backend, why);
            finish(was, value, backend, card, why, bridge.guessed);
            return;
        }
        const std::string socket = kind == "vhost-user" ? passt_socket(parts_, backend)
                                   : kind == "stream"   ? backend.get("addr.path")
                                                        : "";
        if (socket.starts_with('/') && !is_users_path(socket)) {
            add_reason(why,
                       "whoever started QEMU ran passt for it; it is behind QEMU's own NAT now");
            const std::string value = "user" + words_of(adapter, card, nullptr, why);
            finish(was, value, Properties(), card, why);
            return;
        }
        if (kind == "user" && (adapter.kind.empty() || net_model(adapter.kind).why.empty())) {
            if (const auto forwards = simple_forwards(backend, why)) {
                const std::string words = words_of(adapter, card, nullptr, why);
                finish(was, "user" + words + *forwards, backend, card, why);
                return;
            }
        }
        keep(was, kind, adapter, backend, card, why);
    }

    void finish(const std::string& was, const std::string& value, const Properties& backend,
                Properties& card, std::string why, bool guess = false) {
        if (settings_ >= most_nets) {
            result_.dropped(was, "a VM of tapgate has at most 16 adapters");
            return;
        }
        const auto order = take_places(card);
        std::vector<Properties::Property> left = backend.all();
        left.insert(left.end(), card.all().begin(), card.all().end());
        if (!left.empty())
            add_reason(why, "left out: " + listed(left));
        if (!parts_.machine.q35 && kept_ > 0)
            add_reason(
                why,
                "the guest finds it before the adapters that are kept, so eth0 may be another one");
        settings_++;
        parts_.boot.add(BootKind::net, order);
        result_.set("net", value);
        if (was.empty())
            result_.added("net = " + value, "QEMU's default network");
        else
            result_.changed(was, "net = " + value, why);
        result_.notes.back().is_guess = guess;
    }

    // The slot in which the adapter stays, so that Linux still calls it after that; nothing if it
    // says none, or tapgate's machine has no such place.
    std::optional<unsigned> free_slot_of(const Properties& card) {
        const auto place = pci_place(card);
        if (!place || !place->first.empty() || parts_.machine.q35 || place->second % 8 != 0)
            return std::nullopt;
        const unsigned slot = place->second / 8;
        if (slot < first_free_slot || slot > last_slot || !slots_.insert(slot).second)
            return std::nullopt;
        return slot;
    }

    std::string slot_of(Properties& card, std::string& why, bool is_usb = false) {
        const auto slot = free_slot_of(card);
        if (!slot && !is_usb && !card.has("addr") && !card.has("bus") && !parts_.partial)
            add_reason(why, may_be_renamed);
        if (!slot)
            return {};
        for (const char* const place : {"addr", "bus", "multifunction"})
            card.take(place);
        const std::string number = std::to_string(*slot);
        add_reason(why,
                   "it stays in slot " + number + ", so that Linux finds ens" + number + " again");
        return ",slot=" + number;
    }

    // ",model=e1000,mac=MAC,slot=3", with the queues of `tap` if there is one. One after the other,
    // since each adds to `why`.
    std::string words_of(NetEnd& adapter, Properties& card, Properties* tap, std::string& why) {
        const std::string model = model_of(adapter, why);
        std::string words = ",model=" + model;
        words += mac_of(card, why);
        if (tap != nullptr)
            words += queues_of(*tap, model, why);
        words += slot_of(card, why);
        return words;
    }

    // The card's bootindex; what places the card is removed.
    std::optional<std::uint64_t> take_places(Properties& card) {
        if (const auto place = pci_place(card); place && parts_.nets.slot_name.empty())
            parts_.nets.slot_name = place->first.empty() && !parts_.machine.q35
                                        ? "ens" + std::to_string(place->second / 8)
                                        : "ens18 or enp6s18";
        for (const char* const place : {"addr", "bus", "driver", "multifunction"})
            parts_.places += card.take(place) && std::string_view(place) != "driver" ? 1U : 0U;
        const auto index = card.take("bootindex");
        if (!index)
            return std::nullopt;
        parts_.boot.add_source("bootindex=" + *index);
        return std::strtoull(index->c_str(), nullptr, 10);
    }

    static std::string queues_of(Properties& backend, const std::string& model, std::string& why) {
        const auto queues = backend.take("queues");
        if (!queues || *queues == "1")
            return {};
        const bool number = queues->size() <= 2 && !queues->empty() &&
                            queues->find_first_not_of("0123456789") == std::string::npos &&
                            queues->front() != '0';
        if (model == "virtio" && number)
            return ",queues=" + *queues;
        add_reason(why, "one queue instead of " + *queues);
        return {};
    }

    std::string model_of(const NetEnd& adapter, std::string& why) const {
        if (adapter.kind.empty()) {
            if (!adapter.was.empty())
                add_reason(why, "no model is given: QEMU's default is " +
                                    parts_.machine.default_adapter +
                                    ", but RHEL's qemu-kvm had rtl8139");
            return parts_.machine.default_adapter;
        }
        NetModelChoice choice = net_model(adapter.kind);
        if (!choice.why.empty())
            add_reason(why, choice.why);
        if (!is_as_virtio_here(adapter.kind, parts_.machine.q35))
            add_reason(why, parts_.machine.q35 ? "on q35 it speaks virtio 1.0 only, for which a "
                                                 "guest older than Linux 4.0 has no driver"
                                               : "on pc it also speaks virtio 0.9");
        return std::move(choice.model);
    }

    std::string mac_of(Properties& card, std::string& why) {
        auto text = card.take("macaddr");
        if (const auto newer = card.take("mac"))
            text = newer;
        no_mac_ = no_mac_ || !text;
        if (!text)
            return {};
        const auto mac = MacAddress::parse(whole_mac(*text));
        if (text->find(unknown_text) != std::string::npos)
            add_reason(why,
                       "only the shell knew its MAC address: tapgate gives it a lasting one, "
                       "unless you add mac=");
        else if (!mac)
            add_reason(
                why,
                quoted_word(*text) +
                    " is not a valid MAC address for an adapter: tapgate gives it another one");
        return mac ? ",mac=" + mac->str() : "";
    }

    // If net= cannot express it, QEMU gets it as it was.
    void keep(const std::string& was, const std::string& kind, const NetEnd& adapter,
              Properties& backend, Properties& card, std::string why) {
        if (const auto share = backend.take("smb"))
            add_reason(why,
                       "left out: smb=" + *share + " (QEMU's sandbox does not let it start smbd)");
        backend.take("smbserver");
        // The sandbox does not let QEMU start programs.
        const std::string guestfwd = backend.get("guestfwd");
        if (guestfwd.find("cmd:") != std::string::npos) {
            backend.take("guestfwd");
            add_reason(why,
                       "left out: guestfwd=, since QEMU's sandbox does not let it start a program");
        }
        std::string reason = keep_references(parts_, backend);
        // -netdev stream and dgram have the descriptor as an address.
        const bool is_address =
            backend.get("addr.type") == "fd" || backend.get("local.type") == "fd";
        if (backend.has("fd") || is_address || backend.get("vhostdev").starts_with("/dev/fdset/"))
            reason = "its file descriptor belonged to the program that started QEMU";
        if (!reason.empty()) {
            result_.dropped(was, reason);
            return;
        }
        make_paths_absolute(parts_.machine, backend);
        make_paths_absolute(parts_.machine, card);
        const std::string id = "keptnet" + std::to_string(kept_++);
        Properties netdev;
        netdev.set("id", id);
        std::string text = commas_doubled(kind) + "," + netdev.str();
        if (const std::string more = backend.str(); !more.empty())
            text += "," + more;
        const std::string address = card.get("addr");
        const bool stays = !slot_of(card, why, adapter.kind.starts_with("usb-")).empty();
        const auto order = take_places(card);
        if (const auto mac = card.take("macaddr"))
            card.set("mac", whole_mac(*mac));
        std::string driver = adapter.kind.empty() ? parts_.machine.default_adapter : adapter.kind;
        if (driver == "virtio")
            driver = "virtio-net-pci";
        if (!driver.starts_with("virtio"))
            card.take("vectors");  // which -net nic accepts for any model
        Properties device;
        device.set("driver", driver);
        device.set("netdev", id);
        for (const auto& [key, value] : card.all())
            device.set(key, value);
        if (stays && !driver.starts_with("usb-"))
            device.set("addr", address);
        // On q35, tapgate's adapters are behind ports, where a guest looks last.
        if (parts_.machine.q35 && settings_ > 0)
            add_reason(why,
                       "the guest finds it before its other adapters, so eth0 may be another one");
        const bool known = adapter.kind.empty() || net_model(adapter.kind).why.empty();
        add_reason(why, known ? "net = has no such network" : "net = has no such model");
        const std::string place = parts_.boot.add_kept(BootKind::net, order);
        if (driver.starts_with("usb-"))
            keep_usb_device(was, {"-netdev", text}, device, parts_.machine, result_, place, why);
        else
            result_.keep(was, {"-netdev", text, "-device", device.str("driver") + place}, why);
    }

    LegacyParts& parts_;
    LegacyNets nets_;
    Translation& result_;
    std::set<unsigned> slots_;  // that adapters stay in
    unsigned settings_ = 0;
    unsigned kept_ = 0;
    bool no_mac_ = false;  // an adapter has no MAC address given
};

}  // namespace

void translate_nets(LegacyParts& parts) {
    for (LegacyDevice& device : parts.devices) {
        if (!device.properties.has("netdev") && !device.properties.has("vlan"))
            continue;
        device.taken = true;
        Properties properties = device.properties;
        const std::string model = properties.take("driver").value_or("");
        const std::string wire =
            properties.has("netdev") ? properties.get("netdev") : "vlan " + properties.get("vlan");
        parts.nets.adapters.push_back({device.was, properties, model, wire, device.slot});
    }
    NetTranslator(parts).translate();
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/legacy_options.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/qemu/argv.h"

namespace tapgate {

namespace {

using enum OptionFate;

constexpr std::string_view own_devices = "tapgate's VMs have what this was for";
constexpr std::string_view own_window = "there is no window on the host any more: see display";
constexpr std::string_view own_process = "tapgate starts, watches and stops QEMU itself";
constexpr std::string_view own_monitor =
    "tapgate has a QMP socket of its own, which nobody else can open";
constexpr std::string_view own_accel = "QEMU has dropped it; KVM does it by itself";
constexpr std::string_view not_kept = "it belongs to one run of QEMU, and not to a VM";
constexpr std::string_view gone = "QEMU has dropped it";

// By name.
constexpr LegacyOptionKind kinds[] = {
    {"D", true, kept_path, {}},
    {"L", true, kept, {}},
    {"M", true, translated, {}},
    {"S", false, dropped, not_kept},
    {"accel", true, translated, {}},
    {"acpitable", true, kept, {}},
    {"action", true, kept, {}},
    {"add-fd", true, dropped, "the descriptor was of whoever started QEMU"},
    {"alt-grab", false, dropped, own_window},
    {"append", true, translated, {}},
    {"async-teardown", false, kept, {}},
    {"audio", true, dropped, "sound goes nowhere: nobody listens on the host"},
    {"audiodev", true, translated, {}},
    {"balloon", true, translated, {}},
    {"bios", true, translated, {}},
    {"blockdev", true, translated, {}},
    {"boot", true, translated, {}},
    {"bootp", true, translated, {}},
    {"bt", true, dropped, "QEMU has no Bluetooth any more"},
    {"cdrom", true, translated, {}},
    {"chardev", true, translated, {}},
    {"chroot", true, dropped, "QEMU runs without privileges and in its sandbox"},
    {"clock", true, dropped, gone},
    {"compat", true, kept, {}},
    {"cpu", true, translated, {}},
    {"ctrl-grab", false, dropped, own_window},
    {"curses", false, translated, {}},
    {"d", true, kept, {}},
    {"daemonize", false, translated, {}},
    {"debugcon", true, kept, {}},
    {"device", true, translated, {}},
    {"dfilter", true, kept, {}},
    {"display", true, translated, {}},
    {"drive", true, translated, {}},
    {"dtb", true, kept_path, {}},
    {"echr", true, dropped, own_monitor},
    {"enable-fips", false, dropped, gone},
    {"enable-kvm", false, translated, {}},
    {"enable-nesting", false, translated, {}},
    {"enable-sync-profile", false, kept, {}},
    {"fda", true, translated, {}},
    {"fdb", true, translated, {}},
    {"fsdev", true, kept, {}},
    {"full-screen", false, dropped, own_window},
    {"fw_cfg", true, kept, {}},
    {"gdb", true, kept, {}},
    {"global", true, translated, {}},
    {"hda", true, translated, {}},
    {"hdachs", true, dropped, "the guest's firmware finds the geometry out"},
    {"hdb", true, translated, {}},
    {"hdc", true, translated, {}},
    {"hdd", true, translated, {}},
    {"icount", true, kept, {}},
    {"incoming", true, dropped, not_kept},
    {"initrd", true, translated, {}},
    {"iscsi", true, kept, {}},
    {"k", true, kept, {}},
    {"kernel", true, translated, {}},
    {"kvm-shadow-memory", true, dropped, own_accel},
    {"loadvm", true, dropped, "the saved state is of another machine than the new one"},
    {"localtime", false, translated, {}},
    {"m", true, translated, {}},
    {"machine", true, translated, {}},
    {"mem-path", true, kept, {}},
    {"mem-prealloc", false, kept, {}},
    {"mon", true, dropped, own_monitor},
    {"monitor", true, dropped, own_monitor},
    {"msg", true, dropped, own_process},
    {"mtdblock", true, kept_path, {}},
    {"name", true, translated, {}},
    {"net", true, translated, {}},
    {"netdev", true, translated, {}},
    {"nic", true, translated, {}},
    {"no-acpi", false, translated, {}},
    {"no-fd-bootchk", false, kept, {}},
    {"no-frame", false, dropped, own_window},
    {"no-hpet", false, dropped, "tapgate's machines have no HPET"},
    {"no-kvm", false, translated, {}},
    {"no-kvm-irqchip", false, dropped, own_accel},
    {"no-kvm-pit", false, dropped, own_accel},
    {"no-kvm-pit-reinjection", false, dropped, "tapgate sets the PIT to lost_tick_policy=delay"},
    {"no-quit", false, dropped, own_window},
    {"no-reboot", false, kept, {}},
    {"no-shutdown", false, dropped, own_process},
    {"no-user-config", false, dropped, own_process},
    {"nodefaults", false, translated, {}},
    {"nodefconfig", false, dropped, own_process},
    {"nographic", false, translated, {}},
    {"numa", true, translated, {}},
    {"object", true, translated, {}},
    {"old-param", false, dropped, gone},
    {"only-migratable", false, kept, {}},
    {"option-rom", true, kept, {}},
    {"overcommit", true, kept, {}},
    {"parallel", true, dropped, "tapgate's machines have no parallel port"},
    {"pcidevice", true, dropped, "QEMU has dropped it; -device vfio-pci is what takes its place"},
    {"pflash", true, translated, {}},
    {"pidfile", true, dropped, own_process},
    {"portrait", false, dropped, own_window},
    {"preconfig", false, dropped, not_kept},
    {"prom-env", true, kept, {}},
    {"qmp", true, dropped, own_monitor},
    {"qmp-pretty", true, dropped, own_monitor},
    {"qtest", true, dropped, not_kept},
    {"qtest-log", true, dropped, not_kept},
    {"readconfig", true, kept_path, {}},
    {"realtime", true, translated, {}},
    {"redir", true, translated, {}},
    {"rotate", true, dropped, own_window},
    {"rtc", true, translated, {}},
    {"rtc-td-hack", false, dropped, "tapgate sets -rtc driftfix=slew, which is the same"},
    {"runas", true, dropped, "QEMU runs as you from the start"},
    {"s", false, kept, {}},
    {"sandbox", true, dropped, "the whole sandbox is on"},
    {"sd", true, kept_path, {}},
    {"sdl", false, translated, {}},
    {"seed", true, kept, {}},
    {"semihosting", false, kept, {}},
    {"serial", true, translated, {}},
    {"set", true, dropped, "it changed an option that has another name now"},
    {"show-cursor", false, dropped, own_window},
    {"singlestep", false, kept, {}},
    {"smb", true, dropped, "it starts smbd, which QEMU's sandbox forbids"},
    {"smbios", true, kept, {}},
    {"smp", true, translated, {}},
    {"snapshot", false, translated, {}},
    {"soundhw", true, translated, {}},
    {"spice", true, translated, {}},
    {"startdate", true, translated, {}},
    {"std-vga", false, translated, {}},
    {"tb-size", true, dropped, "it is tb-size= of -accel tcg now, and has a good default"},
    {"tdf", false, dropped, own_accel},
    {"tftp", true, translated, {}},
    {"tpmdev", true, kept, {}},
    {"trace", true, kept, {}},
    {"usb", false, dropped, own_devices},
    {"usbdevice", true, translated, {}},
    {"uuid", true, kept, {}},
    {"vga", true, translated, {}},
    {"virtfs", true, kept, {}},
    {"virtioconsole", true, dropped, gone},
    {"vmchannel", true, dropped, gone},
    {"vnc", true, translated, {}},
    {"watchdog", true, translated, {}},
    {"watchdog-action", true, kept, {}},
    {"win2k-hack", false, kept, {}},
    {"writeconfig", true, dropped, not_kept},
    {"xen-attach", false, dropped, own_process},
    {"xen-create", false, dropped, own_process},
    {"xen-domid", true, dropped, own_process},
};

const LegacyOptionKind* find_kind(std::string_view name) {
    const auto* const found = std::find_if(std::begin(kinds), std::end(kinds),
                                           [&](const auto& kind) { return kind.name == name; });
    return found == std::end(kinds) ? nullptr : found;
}

LauncherError unknown_option(const std::string& word, std::string_view name) {
    std::vector<std::string_view> names;
    for (const LegacyOptionKind& kind : kinds)
        names.push_back(kind.name);
    return LauncherError(quoted_word(word) + " is no option of QEMU's" + did_you_mean(name, names) +
                         "; leave it out, or write it as --qemu-arg");
}

std::vector<Properties::Property> flat_json(std::string_view text) {
    using Json = nlohmann::ordered_json;
    const auto json = Json::parse(text, nullptr, false);
    if (!json.is_object())
        throw LauncherError(quoted_word(text) + " begins like JSON and is none");
    std::vector<Properties::Property> properties;
    // Not recursive: the depth is whoever's who wrote the text.
    std::vector<std::pair<std::string, const Json*>> open = {{"", &json}};
    while (!open.empty()) {
        const auto [prefix, object] = open.back();
        open.pop_back();
        for (const auto& [key, value] : object->items()) {
            const std::string name = prefix + key;
            if (value.is_structured())
                open.emplace_back(name + ".", &value);
            else if (value.is_boolean())
                properties.emplace_back(name, value.get<bool>() ? "on" : "off");
            else
                properties.emplace_back(
                    name, value.is_string() ? value.get<std::string>() : value.dump());
        }
    }
    return properties;
}

}  // namespace

std::vector<LegacyOption> parse_legacy_options(const std::vector<std::string>& words) {
    std::vector<LegacyOption> options;
    for (size_t i = 0; i < words.size(); i++) {
        const std::string& word = words[i];
        if (word.find('\0') != std::string::npos)
            throw LauncherError(quoted_word(word) + ": no command line has a NUL byte in it");
        if (!word.starts_with('-') || word == "-") {
            options.push_back({nullptr, word, shell_text({word})});
            continue;
        }
        const std::string_view name = std::string_view(word).substr(word.starts_with("--") ? 2 : 1);
        const LegacyOptionKind* const kind = find_kind(name);
        if (kind == nullptr)
            throw unknown_option(word, name);
        if (!kind->has_value) {
            options.push_back({kind, {}, word});
            continue;
        }
        if (i + 1 == words.size())
            throw LauncherError(quoted_word(word) + " at the end needs a value");
        i++;
        options.push_back({kind, words[i], word + " " + shell_text({words[i]})});
    }
    return options;
}

Properties Properties::parse(std::string_view text, std::string_view first_key) {
    Properties result;
    if (text.empty())
        return result;
    if (text.front() == '{') {
        result.properties_ = flat_json(text);
        return result;
    }
    bool first = true;
    for (std::string& word : split_at_commas(text)) {
        const size_t equals = word.find('=');
        if (equals != std::string::npos)
            result.properties_.emplace_back(word.substr(0, equals), word.substr(equals + 1));
        else if (first && !first_key.empty())
            result.properties_.emplace_back(first_key, word);
        else if (word.starts_with("no"))
            result.properties_.emplace_back(word.substr(2), "off");
        else if (!word.empty())
            result.properties_.emplace_back(word, "on");
        first = false;
    }
    return result;
}

std::optional<std::string> Properties::take(std::string_view key) {
    auto values = take_all(key);
    if (values.empty())
        return std::nullopt;
    return std::move(values.back());
}

std::vector<std::string> Properties::take_all(std::string_view key) {
    std::vector<std::string> values;
    for (Property& property : properties_) {
        if (property.first == key)
            values.push_back(std::move(property.second));
    }
    std::erase_if(properties_, [&](const Property& property) { return property.first == key; });
    return values;
}

void Properties::set(std::string_view key, std::string_view value) {
    take_all(key);
    properties_.emplace_back(key, value);
}

std::string Properties::get(std::string_view key) const {
    const auto found = std::find_if(properties_.rbegin(), properties_.rend(),
                                    [&](const Property& p) { return p.first == key; });
    return found == properties_.rend() ? std::string() : found->second;
}

bool Properties::has(std::string_view key) const {
    return std::any_of(properties_.begin(), properties_.end(),
                       [&](const Property& property) { return property.first == key; });
}

std::string Properties::str(std::string_view first_key) const {
    std::string text;
    for (const Property& property : properties_) {
        const bool first = &property == properties_.data();
        text.append(first ? "" : ",")
            .append(first && property.first == first_key ? "" : property.first + "=")
            .append(commas_doubled(property.second));
    }
    return text;
}

}  // namespace tapgate

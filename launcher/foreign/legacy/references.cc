// SPDX-License-Identifier: GPL-2.0-or-later
//
// What devices refer to by an id: backends (-chardev, -object, ...), and each other.
#include <algorithm>
#include <array>

#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

// Is it an id that tapgate's own command line uses (qemu/argv.cc)?
bool is_own_id(std::string_view id) {
    constexpr std::array<std::string_view, 16> names = {
        "console",        "qmp",    "events", "agent",       "serial0", "rng0",
        "balloon0",       "vga0",   "usb0",   "sata0",       "scsi0",   "uefi-code",
        "uefi-variables", "pc.ram", "ram",    "vnc-password"};
    if (is_one_of(id, names))
        return true;
    constexpr std::array<std::string_view, 8> numbered = {"disk", "cdrom", "net",   "nic",
                                                          "port", "spare", "share", "kept"};
    return std::any_of(numbered.begin(), numbered.end(), [&](std::string_view prefix) {
        return id.starts_with(prefix) && id.size() > prefix.size() && id[prefix.size()] >= '0' &&
               id[prefix.size()] <= '9';
    });
}

std::string kept_id(const std::string& id) {
    return is_own_id(id) ? "kept-" + id : id;
}

// A throttle group that says nothing but what it is.
bool is_without_limits(const Properties& group) {
    return group.get("qom-type") == "throttle-group" &&
           std::all_of(group.all().begin(), group.all().end(), [](const auto& property) {
               return property.first == "qom-type" || property.first == "id";
           });
}

LegacyPart* find_part(LegacyParts& parts, std::string_view id) {
    const auto found = std::find_if(
        parts.parts.begin(), parts.parts.end(),
        [&](const LegacyPart& part) { return !id.empty() && part.properties.get("id") == id; });
    return found == parts.parts.end() ? nullptr : &*found;
}

// Why a backend cannot be kept, mostly since its other end was a program or a descriptor of one
// run; empty if it can.
std::string why_not(LegacyParts& parts, const LegacyPart& part) {
    const Properties& properties = part.properties;
    const std::string kind = properties.get(part.first_key);
    if (part.option == "chardev") {
        if (kind == "spicevmc" || kind == "spiceport" || kind == "dbus")
            return "it is for a SPICE viewer, and tapgate's VMs have no SPICE";
        if (kind == "qemu-vdagent")
            return "tapgate's VMs share no clipboard with a viewer";
        if (properties.has("fd"))
            return "its file descriptor belonged to the program that started QEMU";
        const std::string path = properties.get("path");
        if (path.starts_with('/') && !is_users_path(path))
            return "it needs a program beside QEMU, which whoever started QEMU ran: start that "
                   "program yourself and add the device with --qemu-arg";
    }
    if (part.option == "object" && kind == "secret" &&
        (properties.has("keyid") || properties.has("iv")))
        return "libvirt encrypted this secret for one run only (`virsh secret-get-value' shows its "
               "value)";
    if (part.option == "tpmdev" && kind == "emulator") {
        const LegacyPart* const chardev = find_part(parts, properties.get("chardev"));
        if (chardev == nullptr || !why_not(parts, *chardev).empty())
            return "it needs a TPM emulator (swtpm) beside QEMU, which whoever started QEMU ran: "
                   "start one yourself (swtpm socket --tpm2 --tpmstate dir=DIR --ctrl "
                   "type=unixio,path=SOCKET) and add -chardev, -tpmdev and -device with --qemu-arg";
    }
    if (kind == "passthrough" && properties.get("path").starts_with("/dev/fdset/"))
        return "its file descriptor belonged to the program that started QEMU";
    if (properties.has("fd") || properties.has("fds"))
        return "its file descriptor belonged to the program that started QEMU";
    return {};
}

bool refers(std::string_view key) {
    constexpr std::array<std::string_view, 12> plain = {"id",   "driver", "name",      "guid",
                                                        "host", "addr",   "bus",       "mac",
                                                        "port", "path",   "mount_tag", "qom-type"};
    return !is_one_of(key, plain);
}

// How deep objects may refer to each other.
constexpr unsigned deepest_object = 8;

std::string keep_references(LegacyParts& parts, Properties& properties, unsigned depth) {
    // All reasons come first, so that nothing is kept for a device that is dropped.
    for (const auto& [key, value] : properties.all()) {
        LegacyPart* const part = refers(key) ? find_part(parts, value) : nullptr;
        if (part == nullptr)
            continue;
        if (std::string why = why_not(parts, *part); !why.empty())
            return why;
        if (depth >= deepest_object)
            return "its objects refer to each other in a circle, or too deeply";
    }
    for (auto& [key, value] : properties.all()) {
        LegacyPart* const part = refers(key) ? find_part(parts, value) : nullptr;
        if (part == nullptr)
            continue;
        value = kept_id(value);
        if (part->done)
            continue;
        Properties below = part->properties;
        if (std::string why = keep_references(parts, below, depth + 1); !why.empty())
            return why;
        part->done = true;
        below.set("id", kept_id(below.get("id")));
        make_paths_absolute(parts.machine, below);
        std::string reason = part->option == "object" ? fit_object(below) : "";
        if (part->option == "tpmdev" && below.get("type") == "emulator")
            reason = "before each start of the VM, swtpm has to be listening on this socket";
        if (part->option == "chardev" && below.get("backend") == "stdio")
            reason = "nobody types there, and what comes out of it is in qemu.log";
        parts.result.keep(part->was, {"-" + part->option, below.str(part->first_key)}, reason);
    }
    return {};
}

// Is there a device, other than those of disks and adapters, that passes the test?
template <typename Test>
bool any_device(const LegacyParts& parts, Test&& test) {
    return std::any_of(parts.devices.begin(), parts.devices.end(), [&](const LegacyDevice& device) {
        return !device.taken && test(device.properties);
    });
}

// A device to which another refers, as in isa-ipmi-kcs,bmc=ID, keeps its id.
std::string id_for_others(const LegacyParts& parts, const std::string& id) {
    const bool referred = !id.empty() && any_device(parts, [&](const Properties& properties) {
        const auto& all = properties.all();
        return std::any_of(all.begin(), all.end(), [&](const auto& property) {
            return property.second == id && refers(property.first);
        });
    });
    return referred ? kept_id(id) : "";
}

// Why a part to which nothing refers is left out; empty for an object that does something by
// itself.
std::string why_unused(LegacyParts& parts, const LegacyPart& part) {
    const std::string type = part.properties.get("qom-type");
    const auto begins = [&](std::string_view prefix) { return type.starts_with(prefix); };
    if (part.option == "chardev")
        return "what used it has one of tapgate's sockets instead, or is left out";
    if (type == "monitor-qmp" || type == "monitor-hmp")
        return "tapgate has a QMP socket of its own, which nobody else can open";
    if (std::string why = why_not(parts, part); !why.empty())
        return why;
    if (part.option != "object")
        return "no device uses it";
    if (begins("rng-"))
        return "all of tapgate's VMs have a random number generator";
    if (type == "iothread" || type == "thread-context" || type == "main-loop")
        return "tapgate's disks run in QEMU's main loop";
    if (type == "secret" || begins("tls-creds") || begins("authz"))
        return "nothing needs it now: tapgate's sockets are open to you alone";
    if (begins("memory-backend"))
        return "memory = says the size, and nothing else refers to this";
    if (begins("sev-") || begins("tdx-"))
        return "the guest's memory is NOT encrypted against the host: tapgate has no setting for "
               "that";
    if (is_without_limits(part.properties))
        return "it limits nothing";
    if (type == "throttle-group")
        return "a VM's description sets no limits on what it takes of the host: see "
               "systemd.resource-control(5)";
    if (type == "filter-dump")
        return "its network has another name here: to record the packets of the first net =, add "
               "--qemu-arg=-object --qemu-arg=filter-dump,id=dump0,netdev=net0,file=FILE";
    if (begins("filter-") || begins("colo-") || type == "pr-manager-helper" ||
        type == "dbus-vmstate")
        return "the network or program that it belongs to is left out, or has another name here";
    return {};
}

}  // namespace

bool has_device(const LegacyParts& parts, std::string_view driver) {
    return any_device(parts,
                      [&](const Properties& device) { return device.get("driver") == driver; });
}

std::string fit_device_ids(const LegacyParts& parts, Properties& properties) {
    for (auto& [key, value] : properties.all()) {
        const auto has_id = [&id = value](const Properties& other) {
            return other.get("id") == id;
        };
        if (refers(key) && !value.empty() && any_device(parts, has_id))
            value = kept_id(value);
    }
    return id_for_others(parts, properties.get("id"));
}

std::string keep_references(LegacyParts& parts, Properties& properties) {
    return keep_references(parts, properties, 0);
}

bool has_limits(const LegacyParts& parts, std::string_view id) {
    return std::none_of(parts.parts.begin(), parts.parts.end(), [&](const LegacyPart& part) {
        return part.properties.get("id") == id && is_without_limits(part.properties);
    });
}

void take_part(LegacyParts& parts, const LegacyOption& option) {
    const std::string name(option.kind->name);
    const std::string first = name == "object"    ? "qom-type"
                              : name == "chardev" ? "backend"
                              : name == "fsdev"   ? "fsdriver"
                                                  : "type";
    parts.parts.push_back({name, option.text, Properties::parse(option.value, first), first});
}

void add_unused_parts(LegacyParts& parts) {
    for (LegacyPart& part : parts.parts) {
        if (part.done)
            continue;
        part.done = true;
        if (const std::string why = why_unused(parts, part); !why.empty()) {
            parts.result.dropped(part.was, why);
            continue;
        }
        Properties properties = part.properties;
        if (const std::string why = keep_references(parts, properties); !why.empty()) {
            parts.result.dropped(part.was, why);
            continue;
        }
        properties.set("id", kept_id(properties.get("id")));
        make_paths_absolute(parts.machine, properties);
        const std::string fitted = fit_object(properties);
        parts.result.keep(part.was, {"-object", properties.str(part.first_key)}, fitted);
    }
}

}  // namespace tapgate

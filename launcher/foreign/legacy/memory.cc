// SPDX-License-Identifier: GPL-2.0-or-later
//
// What backs the guest's memory.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

constexpr std::string_view set_aside = "the host has to set huge pages aside (vm.nr_hugepages)";

bool is_of_a_service(std::string_view path) {
    return path.find("/libvirt/qemu") != std::string_view::npos ||
           path.starts_with("/run/hugepages/kvm/");  // Proxmox'
}

// The size in "/dev/hugepages1G/libvirt/qemu/1-lab" and "/run/hugepages/kvm/2048kB"; empty for the
// host's default size.
std::string huge_page_size(std::string_view path) {
    if (path.ends_with("kB")) {
        const std::string_view number = path.substr(path.rfind('/') + 1);
        const auto kibibytes = parse_whole<std::uint64_t>(number.substr(0, number.size() - 2));
        return kibibytes ? std::to_string(*kibibytes / 1024) + "M" : "";
    }
    constexpr std::string_view mark = "hugepages";
    path.remove_prefix(std::min(path.size(), path.find(mark) + mark.size()));
    const std::string_view size = path.substr(0, path.find('/'));
    return size.size() >= 2 && (size.ends_with('M') || size.ends_with('G')) ? std::string(size)
                                                                            : "";
}

const LegacyPart* object_of(const LegacyParts& parts, std::string_view id) {
    const auto found =
        std::find_if(parts.parts.begin(), parts.parts.end(), [&](const LegacyPart& part) {
            return part.option == "object" && part.properties.get("id") == id;
        });
    return found == parts.parts.end() ? nullptr : &*found;
}

// Adds the object for the whole machine's memory, which -machine names.
void add_machine_memory(LegacyParts& parts) {
    if (parts.machine_memory.empty() || has_plain_memory(parts))
        return;
    const std::string bytes = std::to_string(parts.memory * 1024 * 1024);
    for (LegacyPart& part : parts.parts) {
        if (parts.memory > 0 && part.properties.get("id") == parts.machine_memory)
            part.properties.set("size", bytes);
    }
    Properties machine;
    machine.set("memory-backend", parts.machine_memory);
    const std::string was = "-machine ..." + machine.str();
    if (const std::string why = keep_references(parts, machine); !why.empty())
        parts.result.dropped(was, why);
    else
        parts.result.keep(was, {"-machine", machine.str()},
                          "its size and that of memory = have to be the same");
}

// NUMA nodes need their memory, and CPUs that exist.
void add_numa(LegacyParts& parts) {
    const bool has_backends =
        std::any_of(parts.numa.begin(), parts.numa.end(), [](const LegacyOption& option) {
            return Properties::parse(option.value, "type").has("memdev");
        });
    for (const LegacyOption& option : parts.numa) {
        Properties properties = Properties::parse(option.value, "type");
        if (!has_backends || properties.has("mem")) {
            parts.result.dropped(option.text,
                                 "QEMU's NUMA nodes need memory backends now (memdev=)");
            continue;
        }
        if (parts.more_cpus) {
            parts.result.dropped(option.text, "some of its CPUs would only be plugged in later");
            continue;
        }
        if (const std::string why = keep_references(parts, properties); !why.empty())
            parts.result.dropped(option.text, why);
        else
            parts.result.keep(option.text, {"-numa", properties.str("type")});
    }
}

}  // namespace

namespace {

// Does a program beside QEMU, which stays there, use the guest's memory?
bool shares_memory(const LegacyParts& parts) {
    const auto stays = [&](const Properties& device) {
        const auto chardev =
            std::find_if(parts.parts.begin(), parts.parts.end(), [&](const LegacyPart& part) {
                return part.option == "chardev" &&
                       part.properties.get("id") == device.get("chardev");
            });
        const std::string path =
            chardev == parts.parts.end() ? "" : chardev->properties.get("path");
        return device.get("driver").starts_with("vhost-user") &&
               (!path.starts_with('/') || is_users_path(path));
    };
    return std::any_of(parts.devices.begin(), parts.devices.end(),
                       [&](const LegacyDevice& device) { return stays(device.properties); }) ||
           std::any_of(parts.nets.hosts.begin(), parts.nets.hosts.end(),
                       [](const NetEnd& host) { return host.kind == "vhost-user"; });
}

}  // namespace

bool has_plain_memory(const LegacyParts& parts) {
    const LegacyPart* const object = object_of(parts, parts.machine_memory);
    if (parts.machine_memory.empty() || object == nullptr)
        return !parts.machine_memory.empty();
    constexpr std::array<std::string_view, 4> plain = {"qom-type", "id", "size",
                                                       "x-use-canonical-path-for-ramblock-id"};
    const auto& all = object->properties.all();
    const std::string type = object->properties.get("qom-type");
    const bool alone = !shares_memory(parts);
    return (type == "memory-backend-ram" || (type == "memory-backend-memfd" && alone)) &&
           std::all_of(all.begin(), all.end(), [&](const auto& property) {
               return is_one_of(property.first, plain) || (property.first == "share" && alone);
           });
}

std::string fit_object(Properties& object) {
    // A list in JSON is a property that is given several times.
    for (auto& [key, value] : object.all()) {
        const size_t dot = key.rfind('.');
        if (dot != std::string::npos && dot + 1 < key.size() &&
            key.find_first_not_of("0123456789", dot + 1) == std::string::npos)
            key.erase(dot);
    }
    const std::string path = object.get("mem-path");
    const bool huge = path.find("hugepages") != std::string::npos;
    if (object.get("qom-type") != "memory-backend-file")
        return object.get("hugetlb") == "on" ? std::string(set_aside) : "";
    if (!is_of_a_service(path))
        return huge ? std::string(set_aside) + ", and " + path + " has to belong to you" : "";
    for (auto& [key, value] : object.all()) {
        if (key == "qom-type")
            value = "memory-backend-memfd";
    }
    for (const char* const of_file : {"mem-path", "discard-data", "pmem", "align", "readonly"})
        object.take(of_file);
    std::string why =
        "its file belonged to the program that started QEMU, so this is memory without a file now";
    const std::string page = huge_page_size(path);
    const std::uint64_t mebibytes =
        page.empty() ? 2
                     : parse_whole<std::uint64_t>(page.substr(0, page.size() - 1)).value_or(2) *
                           (page.ends_with('G') ? 1024 : 1);
    const auto size = parse_whole<std::uint64_t>(object.get("size"));  // without a suffix
    if (huge && size && mebibytes > 0 && *size % (mebibytes << 20U) != 0) {
        add_reason(why, "in normal pages, since the size is not a multiple of a huge page's");
    } else if (huge) {
        object.set("hugetlb", "on");
        if (!page.empty())
            object.set("hugetlbsize", page);
        add_reason(why, std::string(set_aside));
    }
    return why;
}

void take_memory_path(LegacyParts& parts, const LegacyOption& option) {
    std::string path = parts.machine.absolute(option.value);
    std::string why = "it has to belong to you";
    if (const size_t libvirts = path.find("/libvirt/"); libvirts != std::string::npos) {
        path.erase(libvirts);
        add_reason(why, "libvirt's own directory in it is left out");
    }
    if (path.find("hugepages") != std::string::npos)
        add_reason(why, std::string(set_aside));
    parts.result.keep(option.text, {"-mem-path", path}, why);
}

void take_numa(LegacyParts& parts, const LegacyOption& option) {
    parts.numa.push_back(option);
}

void add_memory(LegacyParts& parts) {
    if (!parts.has_memory && !parts.partial) {
        parts.result.set("memory", "128M");
        parts.result.added("memory = 128M", "QEMU's default");
    }
    add_machine_memory(parts);
    add_numa(parts);
}

}  // namespace tapgate

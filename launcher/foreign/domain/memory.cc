// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/domain/parts.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

constexpr double mebibyte = 1048576;

// How the host provides the memory, as properties of -object.
struct Backing {
    std::string type = "memory-backend-ram";
    std::string properties;
    std::string why;
    bool is_plain = true;
};

// libvirt's file for it does not exist here. Shared memory needs a file, and a memfd is one without
// a name.
void make_memfd(Backing& backing) {
    backing.type = "memory-backend-memfd";
    backing.is_plain = false;
}

// <cell memory='1' unit='GiB'>, <page size='2048'/>.
double sized(DomainParts& domain, const pugi::xml_node& node, const char* key) {
    pugi::xml_document document;
    pugi::xml_node size = document.append_child("memory");
    size.append_attribute("unit") = node.attribute("unit").value();
    size.text() = node.attribute(key).value();
    return domain_bytes(domain.xml, size).value_or(0);
}

void read_huge_pages(DomainParts& domain, const pugi::xml_node& pages, const pugi::xml_node& numa,
                     Backing& backing) {
    make_memfd(backing);
    const pugi::xml_node page = pages.child("page");
    const double bytes = page ? sized(domain, page, "size") : 0x1p21;
    bool fits = bytes >= 4096 && std::fmod(domain.memory, bytes) == 0;
    for (const pugi::xml_node& cell : numa.children("cell"))
        fits = fits && std::fmod(sized(domain, cell, "memory"), bytes) == 0;
    domain.xml.take(pages);
    if (!fits) {
        add_reason(backing.why, "in ordinary pages: its size is not a multiple of a huge page");
        return;
    }
    backing.properties += ",hugetlb=on";
    if (page)
        backing.properties += ",hugetlbsize=" + std::to_string(static_cast<std::uint64_t>(bytes));
    if (page.next_sibling("page"))
        add_reason(backing.why, "all of it has pages of the first size");
    else if (const std::string nodes = page.attribute("nodeset").value(); !nodes.empty())
        add_reason(backing.why, "for all of the memory, not only for nodeset='" + nodes + "'");
    add_reason(backing.why, "the host has to set huge pages aside (vm.nr_hugepages)");
}

Backing read_backing(DomainParts& domain, const pugi::xml_node& said, const pugi::xml_node& numa) {
    XmlLeft& xml = domain.xml;
    Backing backing;
    if (const pugi::xml_node pages = said.child("hugepages"))
        read_huge_pages(domain, pages, numa, backing);
    const std::string source = xml.attribute(said.child("source"), "type");
    if (source == "memfd" || source == "file") {
        make_memfd(backing);
        if (source == "file")
            add_reason(backing.why, "libvirt kept it in a file; it is now memory without a file");
    }
    if (xml.attribute(said.child("access"), "mode") == "shared") {
        make_memfd(backing);
        backing.properties += ",share=on";
    } else if (backing.type == "memory-backend-memfd") {
        backing.properties += ",share=off";
    }
    if (xml.attribute(said.child("allocation"), "mode") == "immediate") {
        backing.properties += ",prealloc=on";
        backing.is_plain = false;
    }
    if (said.child("nosharepages"))
        domain.result.keep(tag_of(said.child("nosharepages")), {"-machine", "mem-merge=off"});
    xml.take(said.child("nosharepages"));
    if (said.child("locked"))
        domain.result.dropped(tag_of(said.child("locked")),
                              "few users may lock so much memory; if you may, add "
                              "--qemu-arg=-overcommit --qemu-arg=mem-lock=on");
    xml.take(said.child("locked"));
    return backing;
}

// Why the VM cannot have these nodes; empty if it can.
std::string why_no_nodes(DomainParts& domain, const pugi::xml_node& root,
                         const pugi::xml_node& numa) {
    double sum = 0;
    for (const pugi::xml_node& cell : numa.children("cell")) {
        sum += sized(domain, cell, "memory");
        if (std::string_view(cell.attribute("cpus").value()).find('^') != std::string_view::npos)
            return "a node excludes CPUs (`^')";
    }
    if (sum != domain.memory || std::fmod(domain.memory, mebibyte) != 0)
        return "its nodes do not add up to the guest's memory";
    const std::string most(trimmed(root.child("vcpu").child_value(), " \t\r\n"));
    if (most != std::to_string(domain.cpus) && !most.empty())
        return "the guest does not start with all of its CPUs";
    return {};
}

std::string id_of(const pugi::xml_node& cell, unsigned number) {
    const std::string said = cell.attribute("id").value();
    return said.empty() ? std::to_string(number) : said;
}

// The distances between the nodes: QEMU takes either those of all nodes, or none.
void keep_distances(const pugi::xml_node& numa, std::vector<std::string>& arguments,
                    std::string& why) {
    std::vector<std::string> ids;
    std::vector<std::string> distances;
    std::set<std::pair<std::string, std::string>> pairs;
    for (const pugi::xml_node& cell : numa.children("cell")) {
        ids.push_back(id_of(cell, static_cast<unsigned>(ids.size())));
        for (const pugi::xml_node& sibling : cell.child("distances").children("sibling")) {
            const std::string other = sibling.attribute("id").value();
            pairs.insert(std::minmax(ids.back(), other));
            distances.insert(distances.end(),
                             {"-numa", "dist,src=" + ids.back() + ",dst=" + other +
                                           ",val=" + sibling.attribute("value").value()});
        }
    }
    const bool all = std::all_of(ids.begin(), ids.end(), [&](const std::string& a) {
        return std::all_of(ids.begin(), ids.end(), [&](const std::string& b) {
            return a == b || pairs.contains(std::minmax(a, b));
        });
    });
    if (all)
        arguments.insert(arguments.end(), distances.begin(), distances.end());
    else if (!distances.empty())
        add_reason(why, "left out: <distances>, as some nodes have none");
}

void keep_nodes(DomainParts& domain, const pugi::xml_node& numa, const Backing& backing) {
    std::vector<std::string> arguments;
    unsigned number = 0;
    for (const pugi::xml_node& cell : numa.children("cell")) {
        const std::string id = id_of(cell, number++);
        const auto bytes = static_cast<std::uint64_t>(sized(domain, cell, "memory"));
        Backing own = backing;
        if (cell.attribute("memAccess").value() == std::string_view("shared") &&
            own.properties.find("share=on") == std::string::npos) {
            own.type = "memory-backend-memfd";
            const size_t off = own.properties.find(",share=off");
            if (off != std::string::npos)
                own.properties.erase(off, std::string_view(",share=off").size());
            own.properties += ",share=on";
        }
        arguments.insert(arguments.end(), {"-object", own.type + ",id=keptnode" + id + ",size=" +
                                                          std::to_string(bytes) + own.properties});
        std::string node = "node,nodeid=" + id;
        std::string_view cpus = cell.attribute("cpus").value();
        while (!cpus.empty()) {
            const std::string_view range = cpus.substr(0, cpus.find(','));
            cpus.remove_prefix(std::min(range.size() + 1, cpus.size()));
            node += ",cpus=" + std::string(range);
        }
        arguments.insert(arguments.end(), {"-numa", node + ",memdev=keptnode" + id});
    }
    std::string why = backing.why;
    keep_distances(numa, arguments, why);
    add_reason(why, "the sizes here have to add up to memory =");
    for (const pugi::xml_node& cell : numa.children("cell")) {
        if (std::string_view(cell.attribute("discard").value()) == "yes")
            add_reason(why, "left out: " + shown(tag_of(cell)) + "'s discard");
        for (const pugi::xml_node& cache : cell.children("cache"))
            add_reason(why, "left out: " + tag_of(cache) + contents_of(cache));
    }
    if (const pugi::xml_node speeds = numa.child("interconnects"))
        add_reason(why, "left out: " + tag_of(speeds) + contents_of(speeds));
    domain.result.keep(tag_of(numa) + contents_of(numa), arguments, why);
}

}  // namespace

std::optional<double> domain_bytes(XmlLeft& xml, const pugi::xml_node& node) {
    static const std::map<std::string_view, double> units = {
        {"b", 1},      {"bytes", 1},    {"", 1024},   {"k", 1024},   {"kib", 1024},   {"kb", 1e3},
        {"m", 0x1p20}, {"mib", 0x1p20}, {"mb", 1e6},  {"g", 0x1p30}, {"gib", 0x1p30}, {"gb", 1e9},
        {"t", 0x1p40}, {"tib", 0x1p40}, {"tb", 1e12}, {"p", 0x1p50}, {"pib", 0x1p50}, {"pb", 1e15}};
    const auto unit = units.find(in_small_letters(xml.attribute(node, "unit")));
    const auto number = parse_whole<std::uint64_t>(xml.text(node));
    if (unit == units.end() || !number)
        return std::nullopt;
    return static_cast<double>(*number) * unit->second;
}

namespace {

// How much RAM the guest has, and why that differs from <memory>: libvirt counts devices in, and
// takes the sum of the nodes rather than <memory>.
double memory_of(DomainParts& domain, const pugi::xml_node& root, double said, std::string& why) {
    double nodes = 0;
    for (const pugi::xml_node& cell : root.child("cpu").child("numa").children("cell"))
        nodes += sized(domain, cell, "memory");
    double plugged = 0;
    double storage = 0;
    for (const pugi::xml_node& device : root.child("devices").children("memory")) {
        const std::string_view model = device.attribute("model").value();
        XmlLeft unread;  // the device's own reader names what is left
        const double size = domain_bytes(unread, device.child("target").child("size")).value_or(0);
        (model == "dimm" || model == "virtio-mem" ? plugged : storage) += size;
    }
    if (nodes > 0 && nodes + plugged != said) {
        add_reason(why, "the sum of its nodes and memory devices, as libvirt counts it");
        return nodes + plugged;
    }
    if (nodes == 0 && storage > 0 && storage < said) {
        add_reason(why, "without the devices that are not RAM");
        return said - storage;
    }
    return said;
}

void set_memory(DomainParts& domain, const std::string& was, double bytes, std::string why) {
    constexpr double most = 16.0 * 1024 * 1024;
    const double size = std::ceil(bytes / mebibyte);
    if (size > most)
        throw LauncherError(domain.source + ": " + shown(was) + ": too much memory");
    domain.has_memory = true;
    domain.memory = size * mebibyte;
    if (size * mebibyte != bytes)
        add_reason(why, "rounded up to whole MiB");
    domain.set(was, "memory", std::to_string(static_cast<std::uint64_t>(size)) + "M", why);
}

}  // namespace

void read_domain_memory(DomainParts& domain, const pugi::xml_node& memory) {
    const std::string was = tag_of(memory) + domain.xml.text(memory);
    auto bytes = domain_bytes(domain.xml, memory);
    std::string why;
    if (bytes && *bytes > 0)
        bytes = memory_of(domain, memory.parent(), *bytes, why);
    if (!bytes || *bytes == 0)
        throw LauncherError(domain.source + ": " + shown(was) + ": not a memory size");
    set_memory(domain, was, *bytes, domain.with_left(memory, why));
}

void read_domain_node_memory(DomainParts& domain, const pugi::xml_node& root) {
    std::string why;
    if (const double bytes = memory_of(domain, root, 0, why); bytes > 0)
        set_memory(domain, "<numa>", bytes, why);
}

bool has_plain_shared_memory(const pugi::xml_node& domain) {
    const pugi::xml_node said = domain.child("memoryBacking");
    return !domain.child("cpu").child("numa") && !said.child("hugepages") &&
           !said.child("allocation") &&
           (!said || said.child("access").attribute("mode").value() == std::string_view("shared"));
}

void read_domain_backing(DomainParts& domain, const pugi::xml_node& root) {
    const pugi::xml_node said = root.child("memoryBacking");
    const pugi::xml_node numa = root.child("cpu").child("numa");
    const Backing backing = read_backing(domain, said, numa);
    const std::string problem = numa ? why_no_nodes(domain, root, numa) : "";
    const bool by_nodes = numa && problem.empty();
    if (numa && !by_nodes)
        domain.result.dropped(tag_of(numa) + contents_of(numa),
                              problem +
                                  ": the guest has one node with all of its memory; see -numa in "
                                  "qemu(1), and --qemu-arg");
    if (by_nodes)
        keep_nodes(domain, numa, backing);
    if (!said)
        return;
    const std::string was = tag_of(said) + contents_of(said);
    std::string why = domain.with_left(said, backing.why);
    if (backing.is_plain || domain.memory == 0) {
        domain.result.dropped(was, why.empty() ? "ordinary memory" : why);
    } else if (const auto filesystems = root.child("devices").children("filesystem");
               has_plain_shared_memory(root) &&
               std::any_of(filesystems.begin(), filesystems.end(), is_virtiofs_share)) {
        domain.result.changed(was, "share= with via=virtiofs, which needs it", why);
    } else if (by_nodes) {
        domain.result.changed(was, "the memory of its nodes", why);
    } else {
        add_reason(why, "its size and that of memory = have to be the same");
        domain.result.keep(
            was,
            {"-object",
             backing.type + ",id=keptmemory,size=" +
                 std::to_string(static_cast<std::uint64_t>(domain.memory)) + backing.properties,
             "-machine", "memory-backend=keptmemory"},
            why);
    }
}

}  // namespace tapgate

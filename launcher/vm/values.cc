// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/values.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <utility>

namespace tapgate {

namespace {

// A `name=value` after the first word of a disk, a net or cpus.
template <typename Target>
struct Property {
    std::string_view name;
    void (*apply)(Target& target, std::string_view value);
};

template <typename Target, size_t n>
void apply_properties(Target& target, const std::vector<std::string>& words,
                      const Property<Target> (&properties)[n]) {
    for (size_t i = 1; i < words.size(); i++) {
        const std::string_view word = words[i];
        const size_t equals = std::min(word.find('='), word.size());
        const std::string_view name = word.substr(0, equals);
        const auto* const known = std::find_if(std::begin(properties), std::end(properties),
                                               [&](const auto& p) { return p.name == name; });
        if (known == std::end(properties)) {
            std::vector<std::string_view> names;
            std::string all;
            for (const auto& property : properties) {
                names.push_back(property.name);
                all.append(all.empty() ? "" : ", ").append(property.name);
            }
            const std::string meant = did_you_mean(name, names);
            throw BadValue("unknown property " + quoted_word(word) +
                           (meant.empty() ? " (there are: " + all + ")" : meant) +
                           "; a comma that belongs to a name is written twice");
        }
        if (equals == word.size())
            throw BadValue(quoted_word(word) + " needs a value: " + std::string(name) + "=...");
        known->apply(target, word.substr(equals + 1));
    }
}

// Options of sbatch that `start` sets itself: for the VM, or to find the job again.
constexpr std::string_view own_sbatch_options[] = {
    "array",      "chdir",        "comment",   "cpus-per-task", "dependency",  "error",
    "export",     "get-user-env", "job-name",  "mem",           "mem-per-cpu", "mem-per-gpu",
    "nodes",      "ntasks",       "open-mode", "output",        "parsable",    "requeue",
    "no-requeue", "test-only",    "uid",       "gid",           "wait",        "wait-all-nodes",
    "wrap",       "help",         "usage",     "version",       "quiet",       "verbose"};

struct CpuNumbers {
    unsigned cpus = 0, sockets = 0, cores = 0, threads = 0;
};

ImageFormat parse_format(std::string_view word) {
    return choose(word, image_formats);
}

bool ends_with_one_of(std::string_view name, std::initializer_list<std::string_view> endings) {
    return std::any_of(endings.begin(), endings.end(),
                       [&](std::string_view ending) { return name.ends_with(ending); });
}

// From the file's name, and never from its content. The guest writes that: a raw disk that claims
// to be a qcow2 with a backing file would make QEMU show the guest any file of the user's.
ImageFormat format_of(std::string_view path) {
    const std::string name = in_small_letters(path);
    static constexpr Choice<ImageFormat> endings[] = {
        {".raw", ImageFormat::raw},   {".img", ImageFormat::raw}, {".qcow2", ImageFormat::qcow2},
        {".vmdk", ImageFormat::vmdk}, {".vdi", ImageFormat::vdi}, {".vhdx", ImageFormat::vhdx},
        {".vhd", ImageFormat::vpc},
    };
    for (const auto& ending : endings) {
        if (name.ends_with(ending.name))
            return ending.value;
    }
    // A device is a raw disk.
    if (path.starts_with("/dev/") && !path.starts_with("/dev/shm/"))
        return ImageFormat::raw;
    if (const std::string way = way_to_a_disk(path); !way.empty())
        throw BadValue(shown(path) + way);
    const std::string word = shown(commas_doubled(path));
    throw BadValue("the name does not tell the image's format; say " + word + ",format=raw or " +
                   word + ",format=qcow2 (`qemu-img info' tells which)");
}

struct DiskWords {
    Disk disk;
    std::string directory;  // where relative paths start
};

void add_forward(Net& net, std::string_view value) {
    auto* user = std::get_if<UserNet>(&net.link);
    if (auto* const bridge = std::get_if<BridgeNet>(&net.link);
        bridge != nullptr && bridge->fallback)
        user = &*bridge->fallback;
    if (user == nullptr)
        throw BadValue("hostfwd= needs net=user; a guest on a bridge has an address of its own");
    const auto forward = HostForward::parse(value);
    if (!forward)
        throw BadValue(quoted_word(value) + " is not like tcp:127.0.0.1:2222-:22");
    user->forwards.push_back(*forward);
}

void set_queues(Net& net, std::string_view value) {
    constexpr unsigned most = 253;  // descriptors in one message: SCM_MAX_FD in the kernel
    auto* const bridge = std::get_if<BridgeNet>(&net.link);
    if (bridge == nullptr)
        throw BadValue("queues= needs net=bridge:NAME");
    bridge->queues = parse_number(value, 1, most);
}

}  // namespace

std::string way_to_a_disk(std::string_view path) {
    const std::string name = in_small_letters(path);
    if (ends_with_one_of(name, {".ova", ".ovf", ".tar", ".xml"}))
        return " is no disk; a VM is made of it by: tapgate import FILE NAME";
    if (ends_with_one_of(name, {".xz", ".gz", ".zst", ".bz2", ".zip"}))
        return " is compressed; unpack it";
    return {};
}

bool parse_switch(std::string_view word) {
    static constexpr Choice<bool> choices[] = {{"on", true}, {"off", false}};
    return choose(word, choices);
}

unsigned parse_number(std::string_view word, unsigned least, unsigned most) {
    const auto number = parse_whole(word, least, most);
    if (!number)
        throw BadValue(quoted_word(word) + " is not a number from " + std::to_string(least) +
                       " to " + std::to_string(most));
    return *number;
}

HostPath parse_path(std::string_view text, const std::string& directory) {
    auto path = HostPath::parse(text, directory);
    if (!path)
        throw BadValue(text.empty() ? "a path is missing" : "the path is not UTF-8");
    return std::move(*path);
}

CpuTopology parse_cpus(std::string_view text) {
    static constexpr Property<CpuNumbers> properties[] = {
        {"sockets",
         [](CpuNumbers& n, std::string_view value) {
             n.sockets = parse_number(value, 1, CpuTopology::most_cpus);
         }},
        {"cores",
         [](CpuNumbers& n, std::string_view value) {
             n.cores = parse_number(value, 1, CpuTopology::most_cpus);
         }},
        {"threads",
         [](CpuNumbers& n, std::string_view value) {
             n.threads = parse_number(value, 1, CpuTopology::most_cpus);
         }},
    };
    const auto words = split_at_commas(text);
    CpuNumbers n;
    n.cpus = parse_number(words[0], 1, CpuTopology::most_cpus);
    apply_properties(n, words, properties);
    const unsigned threads = std::max(n.threads, 1U);
    unsigned sockets = n.sockets;
    if (sockets == 0)
        sockets = n.cores == 0 ? 1 : n.cpus / (n.cores * threads);
    const unsigned cores = n.cores != 0 ? n.cores : n.cpus / std::max(sockets * threads, 1U);
    const auto topology = CpuTopology::make(sockets, cores, threads);
    if (!topology || topology->cpus() != n.cpus)
        throw BadValue("sockets times cores times threads is not " + std::to_string(n.cpus));
    return *topology;
}

Disk parse_disk(std::string_view text, const std::string& directory) {
    static constexpr Property<DiskWords> properties[] = {
        {"format",
         [](DiskWords& words, std::string_view value) {
             words.disk.format = parse_format(value);
             words.disk.format_is_said = true;
         }},
        {"bus", [](DiskWords& words,
                   std::string_view value) { words.disk.bus = choose(value, disk_buses); }},
        {"readonly", [](DiskWords& words,
                        std::string_view value) { words.disk.read_only = parse_switch(value); }},
        {"cache", [](DiskWords& words,
                     std::string_view value) { words.disk.cache = choose(value, disk_caches); }},
        {"discard", [](DiskWords& words,
                       std::string_view value) { words.disk.discard = parse_switch(value); }},
        {"ssd",
         [](DiskWords& words, std::string_view value) { words.disk.ssd = parse_switch(value); }},
        {"backing",
         [](DiskWords& words, std::string_view value) {
             if (value == "any")
                 words.disk.any_backing = true;
             else
                 words.disk.backing.push_back(parse_path(value, words.directory));
         }},
        {"serial",
         [](DiskWords& words, std::string_view value) {
             words.disk.serial = DiskSerial::parse(value);
             if (!words.disk.serial)
                 throw BadValue(quoted_word(value) +
                                " is not a serial number: 1 to 20 letters, digits, '.', '_', '-'");
         }},
    };
    const auto words = split_at_commas(text);
    DiskWords result{.disk = {.path = parse_path(words[0], directory)}, .directory = directory};
    apply_properties(result, words, properties);
    Disk& disk = result.disk;
    if (!disk.format_is_said)
        disk.format = format_of(disk.path.str());
    if (disk.read_only && (disk.bus == DiskBus::sata || disk.bus == DiskBus::ide))
        throw BadValue("a SATA or IDE disk cannot be read-only; use bus=virtio or bus=scsi");
    if (disk.ssd && disk.bus == DiskBus::virtio)
        throw BadValue(
            "a virtio disk does not say whether it is an SSD; use bus=scsi, sata or ide");
    return std::move(disk);
}

Net parse_net(std::string_view text) {
    static constexpr Property<Net> properties[] = {
        {"model", [](Net& net, std::string_view value) { net.model = choose(value, net_models); }},
        {"mac",
         [](Net& net, std::string_view value) {
             net.mac = MacAddress::parse(value);
             if (!net.mac)
                 throw BadValue(quoted_word(value) +
                                " is not a station's MAC address, like 52:54:00:12:34:56");
         }},
        {"queues", set_queues},
        {"slot",
         [](Net& net, std::string_view value) {
             net.slot = parse_number(value, first_free_slot, last_slot);
         }},
        {"hostfwd", add_forward},
    };
    constexpr std::string_view prefix = "bridge:";
    const auto words = split_at_commas(text);
    constexpr std::string_view or_user = "|user";
    std::string_view kind = words[0];
    Net net{.link = UserNet()};
    if (kind.starts_with(prefix)) {
        const bool has_fallback = kind.ends_with(or_user);
        if (has_fallback)
            kind.remove_suffix(or_user.size());
        if (kind.find('|') != std::string_view::npos)
            throw BadValue("behind `|' can only be `user'");
        const auto bridge = InterfaceName::parse(kind.substr(prefix.size()));
        if (!bridge)
            throw BadValue(quoted_word(kind.substr(prefix.size())) + " cannot be a bridge's name");
        net.link = BridgeNet{.bridge = *bridge};
        if (has_fallback)
            std::get<BridgeNet>(net.link).fallback.emplace();
    } else if (kind != "user") {
        throw BadValue(quoted_word(kind) + " is none of bridge:NAME, bridge:NAME|user, user, none" +
                       (kind == "none"               ? "; none has no properties"
                        : kind == "nat"              ? "; QEMU's own NAT is called user"
                        : kind == "bridge"           ? "; to the bridge br0: bridge:br0"
                        : InterfaceName::parse(kind) ? "; for the bridge " + std::string(kind) +
                                                           ", write bridge:" + std::string(kind)
                                                     : ""));
    }
    apply_properties(net, words, properties);
    const auto* const bridge = std::get_if<BridgeNet>(&net.link);
    if (bridge != nullptr && bridge->queues > 1 && net.model != NetModel::virtio)
        throw BadValue("only model=virtio has more than one queue");
    return net;
}

void set_display(VmSpec& spec, std::string_view value) {
    static constexpr Choice<Vnc::Reach> reaches[] = {{"unix", Vnc::Reach::unix_socket},
                                                     {"localhost", Vnc::Reach::localhost},
                                                     {"public", Vnc::Reach::everyone}};
    constexpr std::string_view vnc = "vnc:";
    constexpr unsigned most = 65535 - 5900;
    if (!value.starts_with(vnc)) {
        static constexpr Choice<Display> choices[] = {{"none", Display::none},
                                                      {"vnc", Display::vnc}};
        spec.display = choose(value, choices);
        return;
    }
    spec.display = Display::vnc;
    value.remove_prefix(vnc.size());
    const size_t colon = std::min(value.find(':'), value.size());
    spec.vnc.reach = choose(value.substr(0, colon), reaches);
    if (colon == value.size())
        return;
    if (spec.vnc.reach == Vnc::Reach::unix_socket)
        throw BadValue("a VNC server on a socket has no number");
    spec.vnc.display = parse_number(value.substr(colon + 1), 0, most);
}

void set_place(VmSpec& spec, std::string_view value) {
    static constexpr Choice<bool> choices[] = {{"here", false}, {"slurm", true}};
    const auto words = split_at_commas(value);
    if (!choose(words[0], choices)) {
        if (words.size() > 1)
            throw BadValue("`here' takes no options");
        return;
    }
    SlurmPlace& place = spec.slurm.emplace();
    for (size_t i = 1; i < words.size(); i++) {
        const std::string name = words[i].substr(0, words[i].find('='));
        if (name.empty() || name.front() == '-' ||
            name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
            throw BadValue(quoted_word(words[i]) +
                           " is no option of sbatch's, like partition=vms; a comma that belongs to "
                           "a value is written twice");
        if (std::find(std::begin(own_sbatch_options), std::end(own_sbatch_options), name) !=
            std::end(own_sbatch_options))
            throw BadValue(quoted_word(name) +
                           " is what tapgate itself says to sbatch: memory and CPUs are the VM's, "
                           "and the job is found by its name");
        place.options.push_back(words[i]);
    }
}

Share parse_share(std::string_view text, const std::string& directory, size_t index) {
    // The guest would see a longer tag cut off.
    constexpr size_t longest = 31;
    static constexpr Property<Share> properties[] = {
        {"tag",
         [](Share& share, std::string_view value) {
             if (!VmName::parse(value) || value.size() > longest)
                 throw BadValue(quoted_word(value) +
                                " is not a tag: a letter, then letters, digits, '.', '_' and '-', "
                                "31 bytes at most");
             share.tag = value;
         }},
        {"readonly",
         [](Share& share, std::string_view value) { share.read_only = parse_switch(value); }},
        {"via",
         [](Share& share, std::string_view value) { share.via = choose(value, share_protocols); }},
    };
    const auto words = split_at_commas(text);
    Share share{.path = parse_path(words[0], directory), .tag = "share" + std::to_string(index)};
    apply_properties(share, words, properties);
    return share;
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/options.h"

#include <algorithm>
#include <boost/program_options/value_semantic.hpp>
#include <charconv>
#include <iterator>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

namespace po = boost::program_options;

// What is wrong with a value; whoever knows the setting adds the place.
class BadValue : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

template <typename Value, size_t n>
Value choose(std::string_view word, const Choice<Value> (&choices)[n]) {
    std::vector<std::string_view> names;
    for (const auto& choice : choices) {
        if (choice.name == word)
            return choice.value;
        names.push_back(choice.name);
    }
    std::string all;
    for (const auto name : names)
        all.append(all.empty() ? "" : ", ").append(name);
    throw BadValue(quoted_word(word) + " is none of " + all + did_you_mean(word, names));
}

bool parse_switch(std::string_view word) {
    static constexpr Choice<bool> choices[] = {{"on", true}, {"off", false}};
    return choose(word, choices);
}

unsigned parse_number(std::string_view word, unsigned least, unsigned most) {
    unsigned number = 0;
    const char* const end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, number);
    if (word.empty() || error != std::errc() || stop != end || number < least || number > most)
        throw BadValue(quoted_word(word) + " is not a number from " + std::to_string(least) +
                       " to " + std::to_string(most));
    return number;
}

// One `name=value` behind the first word of a disk, a net or cpus.
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
            for (const auto& property : properties)
                names.push_back(property.name);
            throw BadValue("unknown property " + quoted_word(word) + did_you_mean(name, names) +
                           "; a comma that belongs to a name is written twice");
        }
        if (equals == word.size())
            throw BadValue(quoted_word(word) + " needs a value: " + std::string(name) + "=...");
        known->apply(target, word.substr(equals + 1));
    }
}

// --- what the values are
// --------------------------------------------------------------------------

HostPath parse_path(std::string_view text, const std::string& directory) {
    auto path = HostPath::parse(text, directory);
    if (!path)
        throw BadValue(text.empty() ? "a path is missing" : "the path is not UTF-8");
    return std::move(*path);
}

struct CpuNumbers {
    unsigned cpus = 0, sockets = 0, cores = 0, threads = 0;
};

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

ImageFormat parse_format(std::string_view word) {
    return choose(word, image_formats);
}

// From the name, never from what is in the file: that is the guest's to write, and a raw disk that
// says it is a qcow2 with a backing file would have QEMU read any file of the user's to the guest.
ImageFormat format_of(std::string_view path) {
    static constexpr Choice<ImageFormat> endings[] = {
        {".raw", ImageFormat::raw}, {".qcow2", ImageFormat::qcow2}, {".vmdk", ImageFormat::vmdk},
        {".vdi", ImageFormat::vdi}, {".vhdx", ImageFormat::vhdx},   {".vhd", ImageFormat::vpc},
    };
    for (const auto& ending : endings) {
        if (path.ends_with(ending.name))
            return ending.value;
    }
    throw BadValue("the name does not tell the image's format: add format=raw, format=qcow2, ...");
}

struct DiskWords {
    Disk disk;
    std::string directory;  // where relative paths start
    bool has_format = false;
};

Disk parse_disk(std::string_view text, const std::string& directory) {
    static constexpr Property<DiskWords> properties[] = {
        {"format",
         [](DiskWords& words, std::string_view value) {
             words.disk.format = parse_format(value);
             words.has_format = true;
         }},
        {"bus",
         [](DiskWords& words, std::string_view value) {
             static constexpr Choice<DiskBus> choices[] = {{"virtio", DiskBus::virtio},
                                                           {"scsi", DiskBus::scsi},
                                                           {"sata", DiskBus::sata},
                                                           {"ide", DiskBus::ide}};
             words.disk.bus = choose(value, choices);
         }},
        {"readonly", [](DiskWords& words,
                        std::string_view value) { words.disk.read_only = parse_switch(value); }},
        {"cache",
         [](DiskWords& words, std::string_view value) {
             static constexpr Choice<DiskCache> choices[] = {
                 {"writeback", DiskCache::writeback},
                 {"writethrough", DiskCache::writethrough},
                 {"none", DiskCache::none},
                 {"directsync", DiskCache::directsync},
                 {"unsafe", DiskCache::unsafe}};
             words.disk.cache = choose(value, choices);
         }},
        {"discard", [](DiskWords& words,
                       std::string_view value) { words.disk.discard = parse_switch(value); }},
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
    if (!result.has_format)
        disk.format = format_of(disk.path.str());
    if (disk.read_only && (disk.bus == DiskBus::sata || disk.bus == DiskBus::ide))
        throw BadValue("a SATA or IDE disk cannot be read-only; use bus=virtio or bus=scsi");
    return std::move(disk);
}

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

Net parse_net(std::string_view text) {
    static constexpr Property<Net> properties[] = {
        {"model",
         [](Net& net, std::string_view value) {
             static constexpr Choice<NetModel> choices[] = {{"virtio", NetModel::virtio},
                                                            {"e1000", NetModel::e1000},
                                                            {"e1000e", NetModel::e1000e},
                                                            {"rtl8139", NetModel::rtl8139}};
             net.model = choose(value, choices);
         }},
        {"mac",
         [](Net& net, std::string_view value) {
             net.mac = MacAddress::parse(value);
             if (!net.mac)
                 throw BadValue(quoted_word(value) +
                                " is not a station's MAC address, like 52:54:00:12:34:56");
         }},
        {"queues", set_queues},
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
        throw BadValue(quoted_word(kind) + " is none of bridge:NAME, bridge:NAME|user, user, none");
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

// --- the table
// ------------------------------------------------------------------------------------

struct VmOption {
    std::string_view key;
    std::string_view argument = {};  // as in --help; none: the values
    std::string_view help;
    std::string_view built_in = {};  // none: nothing
    // What a value can be or begin with, and what can follow behind commas: words between blanks.
    std::string_view values = {};
    std::string_view properties = {};
    bool repeatable = false;
    bool is_path = false;  // the value begins with one
    void (*apply)(VmSpec& spec, std::string_view value, const std::string& directory);
};

constexpr VmOption options[] = {
    {.key = "memory",
     .argument = "SIZE",
     .help = "memory, as 512M or 2G",
     .built_in = "1G",
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string&) {
             const auto memory = MemorySize::parse(value);
             if (!memory)
                 throw BadValue("not a memory size like 512M or 2G");
             spec.memory = *memory;
         }},
    {.key = "cpus",
     .argument = "N[,PROPERTY=VALUE...]",
     .help = "CPUs, and their topology",
     .built_in = "1",
     .properties = "sockets=N cores=N threads=N",
     .apply = [](VmSpec& spec, std::string_view value,
                 const std::string&) { spec.cpus = parse_cpus(value); }},
    {.key = "cpu",
     .argument = "MODEL",
     .help = "CPU model and features as QEMU names them; auto: the host's, or all of TCG's",
     .built_in = "auto",
     .values = "auto host max qemu64",
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string&) {
             if (value == "auto")
                 return;
             spec.cpu = CpuModel::parse(value);
             if (!spec.cpu)
                 throw BadValue("not a CPU model like host or qemu64,+vmx");
         }},
    {.key = "nested",
     .help = "KVM inside the guest; auto: as the host's KVM and the CPU model have it",
     .built_in = "auto",
     .values = "auto on off",
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string&) {
             static constexpr Choice<Nested> choices[] = {
                 {"auto", Nested::as_the_host}, {"on", Nested::on}, {"off", Nested::off}};
             spec.nested = choose(value, choices);
         }},
    {.key = "machine",
     .argument = "TYPE",
     .help = "q35 or pc, or a version of theirs, as pc-q35-7.2",
     .built_in = "q35",
     .values = "q35 pc",
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string&) {
             const auto machine = MachineType::parse(value);
             if (!machine)
                 throw BadValue("not q35, pc, or a version of theirs, like pc-q35-7.2");
             spec.machine = *machine;
         }},
    {.key = "accel",
     .help = "accelerator; auto: kvm where a small guest proves that it works",
     .built_in = "auto",
     .values = "auto kvm tcg",
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string&) {
             static constexpr Choice<std::optional<Accelerator>> choices[] = {
                 {"auto", std::nullopt}, {"kvm", Accelerator::kvm}, {"tcg", Accelerator::tcg}};
             spec.accelerator = choose(value, choices);
         }},
    {.key = "firmware",
     .help = "the guest's firmware; uefi-secure: with Secure Boot",
     .built_in = "bios",
     .values = "bios uefi uefi-secure",
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string&) {
             static constexpr Choice<Firmware> choices[] = {{"bios", Firmware::bios},
                                                            {"uefi", Firmware::uefi},
                                                            {"uefi-secure", Firmware::uefi_secure}};
             spec.firmware = choose(value, choices);
         }},
    {.key = "disk",
     .argument = "PATH[,PROPERTY=VALUE...]",
     .help = "a disk",
     .properties = "format=raw|qcow2|vmdk|vdi|vhdx|vpc bus=virtio|scsi|sata|ide readonly=on|off "
                   "cache=writeback|writethrough|none|directsync|unsafe discard=on|off serial=TEXT "
                   "backing=PATH|any",
     .repeatable = true,
     .is_path = true,
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string& directory) {
             spec.disks.push_back(parse_disk(value, directory));
         }},
    {.key = "cdrom",
     .argument = "PATH",
     .help = "a CD-ROM image",
     .repeatable = true,
     .is_path = true,
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string& directory) {
             spec.cdroms.push_back(parse_path(value, directory));
         }},
    {.key = "net",
     .argument = "bridge:NAME|user|none[,PROPERTY=VALUE...]",
     .help = "a network adapter (`bridge:NAME|user': user where the bridge cannot be had)",
     .built_in = "bridge:br0",
     .values = "bridge: user none",
     .properties =
         "model=virtio|e1000|e1000e|rtl8139 mac=MAC queues=N hostfwd=tcp:127.0.0.1:2222-:22",
     .repeatable = true,
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string&) {
             if (value != "none")
                 spec.nets.push_back(parse_net(value));
         }},
    {.key = "display",
     .argument = "none|vnc[:unix|:localhost[:N]|:public[:N]]",
     .help =
         "the screen: none, or VNC on a socket that only you can open, on localhost, or on every "
         "address; the last two need a password",
     .built_in = "none",
     .values = "none vnc vnc:unix vnc:localhost vnc:public",
     .apply = [](VmSpec& spec, std::string_view value,
                 const std::string&) { set_display(spec, value); }},
    {.key = "vnc-password-file",
     .argument = "PATH",
     .help = "your own file of mode 0600 with the VNC password, at most 8 bytes",
     .is_path = true,
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string& directory) {
             spec.vnc.password_file = parse_path(value, directory);
         }},
    {.key = "boot",
     .argument = "DEVICE[,DEVICE...]",
     .help = "what to boot from, in this order",
     .built_in = "disk,cdrom,net",
     .values = "disk cdrom net",
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string&) {
             static constexpr Choice<BootDevice> choices[] = {{"disk", BootDevice::disk},
                                                              {"cdrom", BootDevice::cdrom},
                                                              {"net", BootDevice::net}};
             for (const std::string& word : split_at_commas(value)) {
                 const BootDevice device = choose(word, choices);
                 if (std::find(spec.boot.begin(), spec.boot.end(), device) != spec.boot.end())
                     throw BadValue(quoted_word(word) + " stands here twice");
                 spec.boot.push_back(device);
             }
         }},
    {.key = "kernel",
     .argument = "PATH",
     .help = "boot this Linux kernel",
     .is_path = true,
     .apply = [](VmSpec& spec, std::string_view value,
                 const std::string& directory) { spec.kernel = parse_path(value, directory); }},
    {.key = "initrd",
     .argument = "PATH",
     .help = "with this initial ramdisk",
     .is_path = true,
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string& directory) {
             if (!spec.kernel)
                 throw BadValue("an initrd needs a kernel: kernel=PATH");
             spec.initrd = parse_path(value, directory);
         }},
    {.key = "append",
     .argument = "TEXT",
     .help = "and this command line",
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string&) {
             if (!spec.kernel)
                 throw BadValue("a kernel's command line needs a kernel: kernel=PATH");
             spec.append = value;
         }},
    {.key = "snapshot",
     .help = "throw away what the guest writes to its disks",
     .built_in = "off",
     .values = "on off",
     .apply = [](VmSpec& spec, std::string_view value,
                 const std::string&) { spec.snapshot = parse_switch(value); }},
    {.key = "qemu-arg",
     .argument = "ARGUMENT",
     .help = "one more argument for QEMU, behind all others, as it is",
     .repeatable = true,
     .apply = [](VmSpec& spec, std::string_view value,
                 const std::string&) { spec.extra_arguments.emplace_back(value); }},
};

const VmOption* find_option(std::string_view key) {
    const auto* const found = std::find_if(std::begin(options), std::end(options),
                                           [&](const VmOption& o) { return o.key == key; });
    return found == std::end(options) ? nullptr : found;
}

// "qemu-arg" is TAPGATE_QEMU_ARG.
std::string variable_of(std::string_view key) {
    std::string name = "TAPGATE_";
    for (const char c : key)
        name += c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
    return name;
}

// What single values cannot tell.
void check_together(const VmDescription& vm) {
    const VmSpec& spec = vm.spec;
    for (const Setting& setting : vm.settings) {
        if (setting.key == "display" && spec.display == Display::vnc &&
            spec.vnc.reach != Vnc::Reach::unix_socket && !spec.vnc.password_file)
            throw wrong_setting(
                setting,
                "who can reach it has the VM's screen and keyboard: give it a password "
                "with vnc-password-file=PATH, or use vnc:unix");
        if (setting.key == "firmware" && spec.firmware == Firmware::uefi_secure &&
            !spec.machine.is_q35())
            throw wrong_setting(setting,
                                "machine " + spec.machine.str() +
                                    " has no Secure Boot: use machine=q35, or firmware=uefi");
        if (setting.key != "boot" || setting.source == Setting::Source::built_in || spec.kernel)
            continue;
        const bool has_one =
            std::any_of(spec.boot.begin(), spec.boot.end(), [&](BootDevice device) {
                return device == BootDevice::disk    ? !spec.disks.empty()
                       : device == BootDevice::cdrom ? !spec.cdroms.empty()
                                                     : !spec.nets.empty();
            });
        if (!has_one)
            throw wrong_setting(setting, "the VM has none of these");
    }
}

// Whether the machine has room for all disks.
void check_room(const VmSpec& spec, const std::vector<const Setting*>& disks) {
    constexpr size_t most_disks = 64;
    const bool q35 = spec.machine.is_q35();
    const size_t most_sata = 6;
    const size_t most_ide = 4;
    size_t sata = q35 ? spec.cdroms.size() : 0;
    size_t ide = q35 ? 0 : spec.cdroms.size();
    if (sata > most_sata || ide > most_ide || spec.nets.size() > 16)
        throw LauncherError("too many CD-ROMs or network adapters: " + spec.machine.str() +
                            " has room for " + std::to_string(q35 ? most_sata : most_ide) +
                            " CD-ROMs and 16 adapters");
    for (size_t i = 0; i < spec.disks.size(); i++) {
        const DiskBus bus = spec.disks[i].bus;
        if (i >= most_disks)
            throw wrong_setting(*disks[i], "more than 64 disks");
        if (bus == DiskBus::ide && q35)
            throw wrong_setting(*disks[i], "machine " + spec.machine.str() +
                                               " has no IDE: use bus=sata, or machine=pc");
        if (bus == DiskBus::ide && ++ide > most_ide)
            throw wrong_setting(*disks[i], "no room: IDE has 4 places for disks and CD-ROMs");
        if (bus == DiskBus::sata && ++sata > most_sata)
            throw wrong_setting(*disks[i], "no room: SATA has 6 places for disks and CD-ROMs");
    }
    if (!q35) {
        // Its one PCI bus has 32 slots; the chipset and our own devices take 10 of them.
        constexpr size_t room = 22;
        const auto slots = static_cast<size_t>(
            std::count_if(spec.disks.begin(), spec.disks.end(),
                          [](const Disk& disk) { return disk.bus == DiskBus::virtio; }));
        if (slots + spec.nets.size() > room)
            throw LauncherError("machine " + spec.machine.str() +
                                " has room for 22 virtio disks and adapters: use bus=scsi or "
                                "machine=q35");
    }
}

std::string disk_with_absolute_paths(std::string_view value, const std::string& directory) {
    constexpr std::string_view backing = "backing=";
    std::string text;
    for (std::string& word : split_at_commas(value)) {
        const bool is_first = text.empty();
        const bool is_backing = !is_first && word.starts_with(backing) && word != "backing=any";
        const size_t begin = is_backing ? backing.size() : 0;
        if ((is_first || is_backing) && word[begin] != '/')
            word.insert(begin, directory + "/");
        text.append(is_first ? "" : ",").append(commas_doubled(word));
    }
    return text;
}

// The words of `text`, with `separator` in the place of each blank.
std::string joined(std::string_view text, std::string_view separator) {
    std::string result;
    for (const char c : text) {
        if (c == ' ')
            result += separator;
        else
            result += c;
    }
    return result;
}

std::string argument_of(const VmOption& option) {
    return option.argument.empty() ? joined(option.values, "|") : std::string(option.argument);
}

}  // namespace

po::options_description vm_options() {
    po::options_description description("VM options");
    for (const VmOption& option : options) {
        auto* const value = po::value<std::vector<std::string>>()->value_name(argument_of(option));
        std::string help(option.help);
        if (!option.properties.empty())
            help += ": " + joined(option.properties, ", ");
        if (!option.built_in.empty())
            help.append(" (default ").append(option.built_in).append(")");
        if (option.repeatable)
            help += "; may be repeated";
        // add_options() takes ownership of the value.
        description.add_options()(option.key.data(), value, help.c_str());
    }
    return description;
}

bool is_vm_option(std::string_view key) {
    return find_option(key) != nullptr;
}

std::vector<OptionShape> option_shapes() {
    std::vector<OptionShape> shapes;
    for (const VmOption& option : options)
        shapes.push_back({option.key, option.help, option.values, option.properties, option.is_path,
                          option.repeatable});
    return shapes;
}

bool is_list_option(std::string_view key) {
    const VmOption* const option = find_option(key);
    return option != nullptr && option->repeatable;
}

std::string suggestion(std::string_view key, std::vector<std::string_view> keys) {
    for (const VmOption& option : options)
        keys.push_back(option.key);
    return did_you_mean(key, keys);
}

Setting command_line_setting(const std::string& key, const std::string& value,
                             const std::string& directory) {
    return {key, value, Setting::Source::command_line, "--" + key, "", 0, directory};
}

std::vector<Setting> environment_settings(
    const std::function<const char*(const std::string&)>& lookup, const std::string& directory) {
    std::vector<Setting> settings;
    for (const VmOption& option : options) {
        const std::string name = variable_of(option.key);
        if (const char* const value = lookup(name); value != nullptr)
            settings.push_back({std::string(option.key), value, Setting::Source::environment, name,
                                "", 0, directory});
    }
    return settings;
}

LauncherError wrong_setting(const Setting& setting, const std::string& what) {
    std::string text = setting.place + "=" + shown(setting.value) + ": " + what;
    LauncherError on_one_line(text);
    if (setting.source != Setting::Source::file)
        return on_one_line;
    std::string below;
    for (const char c : std::string_view(setting.line).substr(0, setting.column))
        below += c == '\t' ? '\t' : ' ';
    std::string line = setting.line;
    std::replace_if(
        line.begin(), line.end(),
        [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; }, '?');
    text = setting.place + ": " + what + "\n    " + line + "\n    " + below + "^";
    LauncherError pointed_out(text);
    return pointed_out;
}

std::vector<Setting> parse_vm_file(const std::string& path, std::string_view text,
                                   const FilePart& part) {
    std::vector<Setting> settings;
    const std::string directory = path.substr(0, path.rfind('/'));
    for (unsigned number = part.first_line; !text.empty(); number++) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::string_view content = trimmed(line);
        if (content.empty() || content.front() == '#' || content.front() == ';')
            continue;
        const auto column = [&](std::string_view word) {
            return static_cast<size_t>(word.data() - line.data());
        };
        Setting setting;
        setting.source = Setting::Source::file;
        setting.place = shown(path) + ":" + std::to_string(number);
        setting.line = line;
        setting.column = column(content);
        setting.directory = directory;
        if (line.find('\0') != std::string_view::npos)
            throw wrong_setting(setting, "a NUL byte in the line");
        const size_t equals = content.find('=');
        const std::string_view key = trimmed(content.substr(0, equals));
        const VmOption* const option = find_option(key);
        if (option == nullptr &&
            std::find(part.own_keys.begin(), part.own_keys.end(), key) == part.own_keys.end())
            throw wrong_setting(setting,
                                "unknown key " + quoted_word(key) + suggestion(key, part.own_keys));
        if (equals == std::string_view::npos)
            throw wrong_setting(setting, quoted_word(key) + " needs a value: " + std::string(key) +
                                             " = " +
                                             (option != nullptr ? argument_of(*option) : "..."));
        setting.key = key;
        setting.value = trimmed(content.substr(equals + 1));
        for (const Setting& earlier : settings) {
            if (earlier.key == key && (option == nullptr || !option->repeatable))
                throw wrong_setting(setting,
                                    quoted_word(key) + " stands already in line " +
                                        earlier.place.substr(earlier.place.rfind(':') + 1));
        }
        setting.column = std::min(column(content) + equals + 1, line.size());
        setting.column = std::min(line.find_first_not_of(blanks, setting.column), line.size());
        settings.push_back(std::move(setting));
    }
    return settings;
}

VmDescription describe_vm(const VmName& name, const std::vector<Setting>& settings) {
    // The values are placeholders: each of these has a default in the table.
    VmDescription vm{.spec = {.name = name,
                              .memory = MemorySize::parse("1G").value(),
                              .cpus = CpuTopology::make(1, 1, 1).value(),
                              .machine = MachineType::parse("q35").value()},
                     .settings = {}};
    for (const VmOption& option : options) {
        std::vector<Setting> chosen;
        for (const Setting& setting : settings) {
            if (setting.key != option.key || (!chosen.empty() && setting.source > chosen[0].source))
                continue;
            // A stronger source takes the place of all of a weaker one; in the same one a list
            // grows, and of single values the last counts.
            if (!chosen.empty() && (setting.source < chosen[0].source || !option.repeatable))
                chosen.clear();
            chosen.push_back(setting);
        }
        if (chosen.empty() && !option.built_in.empty())
            chosen.push_back({std::string(option.key), std::string(option.built_in),
                              Setting::Source::built_in, "default", "", 0, "/"});
        for (Setting& setting : chosen) {
            try {
                option.apply(vm.spec, setting.value, setting.directory);
            } catch (const BadValue& bad) {
                throw wrong_setting(setting, bad.what());
            }
            vm.settings.push_back(std::move(setting));
        }
    }
    std::vector<const Setting*> disks;
    for (const Setting& setting : vm.settings) {
        if (setting.key == "disk")
            disks.push_back(&setting);
    }
    check_room(vm.spec, disks);
    check_together(vm);
    return vm;
}

std::string absolute_value(const Setting& setting) {
    if (setting.key == "disk")
        return disk_with_absolute_paths(setting.value, setting.directory);
    if (find_option(setting.key)->is_path && !setting.value.starts_with('/'))
        return setting.directory + "/" + setting.value;
    return setting.value;
}

std::string vm_file_text(const VmName& name, const std::vector<Setting>& settings) {
    std::string text = "# The VM " + name.str() + " of tapgate(1)\n";
    for (const Setting& setting : settings) {
        const std::string value = absolute_value(setting);
        if (value.find('\n') != std::string::npos || trimmed(value) != value)
            throw wrong_setting(setting,
                                "a line break, or a blank at an end, cannot stand in a VM file");
        text.append(setting.key).append(" = ").append(value).append("\n");
    }
    return text;
}

std::string setting_text(const Setting& setting) {
    return setting.key + " = " + shown(setting.value);
}

}  // namespace tapgate

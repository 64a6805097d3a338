// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/options.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "launcher/base/text.h"
#include "launcher/vm/values.h"

namespace tapgate {

namespace {

// More than the machine has room for of any kind of device.
constexpr unsigned most_boot_index = 99;

constexpr VmOption options[] = {
    {.key = "memory",
     .argument = "SIZE",
     .help = "memory, as 512M or 2G",
     .built_in = "1G",
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string&) {
             const auto memory = MemorySize::parse(value);
             if (!memory)
                 throw BadValue("not a memory size like 512M or 2G, from 1M to 16T");
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
             constexpr std::string_view a_model = "486";
             if (parse_whole<unsigned>(value) && value != a_model)
                 throw BadValue("not a CPU model; the number of CPUs is set with cpus=" +
                                std::string(value));
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
     .help = "a disk: an image, or a block device as /dev/VG/LV",
     .properties = "format=raw|qcow2|vmdk|vdi|vhdx|vpc bus=virtio|scsi|sata|ide readonly=on|off "
                   "cache=writeback|writethrough|none|directsync|unsafe discard=on|off ssd=on|off "
                   "serial=TEXT backing=PATH|any",
     .repeatable = true,
     .is_path = true,
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string& directory) {
             spec.disks.push_back(parse_disk(value, directory));
         }},
    {.key = "cdrom",
     .argument = "PATH",
     .help = "a CD-ROM image, or a drive as /dev/sr0",
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
         "model=virtio|e1000|e1000e|rtl8139 mac=MAC queues=N slot=N hostfwd=tcp:127.0.0.1:2222-:22",
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
     .argument = "DEVICE[:N][,DEVICE...]",
     .help = "what to boot from, in this order; `disk:1' is the second disk alone",
     .built_in = "disk,cdrom,net",
     .values = "disk cdrom net",
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string&) {
             static constexpr Choice<BootDevice> choices[] = {{"disk", BootDevice::disk},
                                                              {"cdrom", BootDevice::cdrom},
                                                              {"net", BootDevice::net}};
             for (const std::string& word : split_at_commas(value)) {
                 const size_t colon = std::min(word.find(':'), word.size());
                 BootEntry entry{choose(std::string_view(word).substr(0, colon), choices)};
                 if (colon != word.size())
                     entry.index =
                         parse_number(std::string_view(word).substr(colon + 1), 0, most_boot_index);
                 const bool twice =
                     std::any_of(spec.boot.begin(), spec.boot.end(), [&](const BootEntry& other) {
                         return other.device == entry.device &&
                                (!other.index || !entry.index || other.index == entry.index);
                     });
                 if (twice)
                     throw BadValue(quoted_word(word) + " stands here twice");
                 spec.boot.push_back(entry);
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
    {.key = "share",
     .argument = "DIR[,tag=TAG][,readonly=on][,via=9p|virtiofs]",
     .help = "a directory of the host's that the guest can mount",
     .properties = "tag=TAG readonly=on|off via=9p|virtiofs",
     .repeatable = true,
     .is_path = true,
     .apply =
         [](VmSpec& spec, std::string_view value, const std::string& directory) {
             Share share = parse_share(value, directory, spec.shares.size());
             for (const Share& other : spec.shares) {
                 if (other.tag == share.tag)
                     throw BadValue("two shares have the tag " + share.tag);
             }
             spec.shares.push_back(std::move(share));
         }},
    {.key = "seed",
     .help = "tell a cloud image's guest your user name, your SSH key and its hostname",
     .built_in = "off",
     .values = "on off",
     .implied = "on",
     .apply = [](VmSpec& spec, std::string_view value,
                 const std::string&) { spec.seed = parse_switch(value); }},
    {.key = "on",
     .argument = "here|slurm[,SBATCH-OPTION=VALUE...]",
     .help = "where it runs: on this host, or as a job of Slurm's where that finds room",
     .built_in = "here",
     .values = "here slurm",
     .apply = [](VmSpec& spec, std::string_view value,
                 const std::string&) { set_place(spec, value); }},
    {.key = "qemu-arg",
     .argument = "ARGUMENT",
     .help = "one more argument for QEMU, behind all others, as it is",
     .repeatable = true,
     .apply = [](VmSpec& spec, std::string_view value,
                 const std::string&) { spec.extra_arguments.emplace_back(value); }},
};

}  // namespace

std::span<const VmOption> vm_options() {
    return options;
}

const VmOption* find_vm_option(std::string_view key) {
    const auto* const found = std::find_if(std::begin(options), std::end(options),
                                           [&](const VmOption& o) { return o.key == key; });
    return found == std::end(options) ? nullptr : found;
}

std::string argument_of(const VmOption& option) {
    if (!option.argument.empty())
        return std::string(option.argument);
    std::string text(option.values);
    std::replace(text.begin(), text.end(), ' ', '|');
    return text;
}

bool is_vm_option(std::string_view key) {
    return find_vm_option(key) != nullptr;
}

bool is_list_option(std::string_view key) {
    const VmOption* const option = find_vm_option(key);
    return option != nullptr && option->repeatable;
}

std::string_view key_called(std::string_view word) {
    // As virt-install, Vagrant and QEMU call them; `from` is an option of new alone.
    static constexpr std::pair<std::string_view, std::string_view> others[] = {
        {"ram", "memory"},       {"mem", "memory"},    {"vcpus", "cpus"},
        {"smp", "cpus"},         {"iso", "cdrom"},     {"hda", "disk"},
        {"drive", "disk"},       {"bridge", "net"},    {"network", "net"},
        {"graphics", "display"}, {"vnc", "display"},   {"bios", "firmware"},
        {"image", "from"},       {"uefi", "firmware"}, {"cmdline", "append"},
        {"filesystem", "share"}};
    const auto* const found = std::find_if(std::begin(others), std::end(others),
                                           [&](const auto& one) { return one.first == word; });
    return found == std::end(others) ? word : found->second;
}

std::string suggestion(std::string_view key, std::vector<std::string_view> keys) {
    for (const VmOption& option : options)
        keys.push_back(option.key);
    return did_you_mean(key_called(key), keys);
}

}  // namespace tapgate

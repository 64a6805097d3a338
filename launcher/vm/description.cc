// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/description.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/options.h"
#include "launcher/vm/values.h"

namespace tapgate {

namespace {

// The variable for a key: TAPGATE_QEMU_ARG for "qemu-arg".
std::string variable_of(std::string_view key) {
    std::string name = "TAPGATE_";
    for (const char c : key)
        name += c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
    return name;
}

size_t count_of(const VmSpec& spec, BootDevice device) {
    return device == BootDevice::disk    ? spec.disks.size()
           : device == BootDevice::cdrom ? spec.cdroms.size()
                                         : spec.nets.size();
}

// Checks the slots that adapters say.
void check_slots(const VmDescription& vm) {
    std::set<unsigned> slots;
    size_t next = 0;
    for (const Setting& setting : vm.settings) {
        if (setting.key != "net" || setting.value == "none")
            continue;
        const std::optional<unsigned> slot = vm.spec.nets.at(next++).slot;
        if (slot && vm.spec.machine.is_q35())
            throw wrong_setting(setting, "machine " + vm.spec.machine.str() +
                                             " has a port for each adapter: slot= is for "
                                             "machine=pc");
        if (slot && !slots.insert(*slot).second)
            throw wrong_setting(setting, "another adapter is in slot " + std::to_string(*slot));
    }
}

// Checks what cannot be seen from single values.
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
            std::any_of(spec.boot.begin(), spec.boot.end(), [&](const BootEntry& entry) {
                return entry.index.value_or(0) < count_of(spec, entry.device);
            });
        if (!has_one)
            throw wrong_setting(setting, "the VM has none of these");
    }
}

// A VM to be filled in: the table has a default for each of these values.
VmSpec blank_spec(const VmName& name) {
    return {.name = name,
            .memory = MemorySize::parse("1G").value(),
            .cpus = CpuTopology::make(1, 1, 1).value(),
            .machine = MachineType::parse("q35").value()};
}

// What other formats of files have, and a VM's file takes for a part of the value.
std::string not_of_a_file(const Setting& setting) {
    if (setting.source != Setting::Source::file || setting.value.empty())
        return {};
    if (setting.value.find(" #") != std::string::npos)
        return "; a comment has a line of its own";
    const char first = setting.value.front();
    return first == '"' || first == '\'' ? "; quotes are a part of the value: leave them out" : "";
}

void apply(VmSpec& spec, const VmOption& option, const Setting& setting) {
    try {
        option.apply(spec, setting.value, setting.directory);
    } catch (const BadValue& bad) {
        throw wrong_setting(setting, bad.what() + not_of_a_file(setting));
    }
}

// Checks that the machine has room for all disks.
void check_room(const VmSpec& spec, const std::vector<const Setting*>& disks) {
    constexpr size_t most_disks = 64;
    const bool q35 = spec.machine.is_q35();
    const size_t most_sata = 6;
    const size_t most_ide = 4;
    size_t sata = q35 ? spec.cdroms.size() : 0;
    size_t ide = q35 ? 0 : spec.cdroms.size();
    if (sata > most_sata || ide > most_ide || spec.nets.size() > most_nets)
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
        // pc's only PCI bus has 32 slots; the chipset and our own devices take 10 of them.
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

}  // namespace

std::vector<Setting> environment_settings(
    const std::function<const char*(const std::string&)>& lookup, const std::string& directory) {
    std::vector<Setting> settings;
    for (const VmOption& option : vm_options()) {
        const std::string name = variable_of(option.key);
        if (const char* const value = lookup(name); value != nullptr)
            settings.push_back({std::string(option.key), value, Setting::Source::environment, name,
                                "", 0, directory});
    }
    return settings;
}

void check_value(const Setting& setting) {
    VmSpec spec = blank_spec(VmName::parse("vm").value());
    apply(spec, *find_vm_option(setting.key), setting);
}

VmDescription describe_vm(const VmName& name, const std::vector<Setting>& settings) {
    VmDescription vm{.spec = blank_spec(name), .settings = {}};
    for (const VmOption& option : vm_options()) {
        std::vector<Setting> chosen;
        for (const Setting& setting : settings) {
            if (setting.key != option.key || (!chosen.empty() && setting.source > chosen[0].source))
                continue;
            // A stronger source replaces all values of a weaker one. Within a source, values of a
            // list accumulate, and of a single value the last counts.
            if (!chosen.empty() && (setting.source < chosen[0].source || !option.repeatable))
                chosen.clear();
            chosen.push_back(setting);
        }
        if (chosen.empty() && !option.built_in.empty())
            chosen.push_back({std::string(option.key), std::string(option.built_in),
                              Setting::Source::built_in, "default", "", 0, "/"});
        for (Setting& setting : chosen) {
            apply(vm.spec, option, setting);
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
    check_slots(vm);
    const std::string seed = vm.spec.seed ? seed_path(name) : "";
    if (!seed.empty() && std::none_of(vm.spec.disks.begin(), vm.spec.disks.end(),
                                      [&](const Disk& disk) { return disk.path.str() == seed; }))
        vm.spec.disks.push_back(parse_disk(commas_doubled(seed) + ",format=raw,readonly=on", "/"));
    return vm;
}

}  // namespace tapgate

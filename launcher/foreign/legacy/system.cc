// SPDX-License-Identifier: GPL-2.0-or-later
//
// The machine, its memory, boot order and clock.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/shell/word.h"
#include "launcher/foreign/translation/qemu_options.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/vm/name.h"

namespace tapgate {

namespace {

// A size as QEMU reads it, in MiB; a number alone means MiB.
std::optional<double> mebibytes(std::string_view text) {
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    const std::string_view unit = text.substr(static_cast<size_t>(stop - text.data()));
    if (error != std::errc() || unit.size() > 1 || !std::isfinite(number))
        return std::nullopt;
    double factor = 1;
    switch (unit.empty() ? 'm' : unit[0] | 0x20) {
        case 'b':
            factor = 1.0 / (1024 * 1024);
            break;
        case 'k':
            factor = 1.0 / 1024;
            break;
        case 'm':
            break;
        case 'g':
            factor = 1024;
            break;
        case 't':
            factor = 1024.0 * 1024;
            break;
        default:
            return std::nullopt;
    }
    const double size = number * factor;
    constexpr double most = 16.0 * 1024 * 1024;
    if (size <= 0 || size > most)
        return std::nullopt;
    return size;
}

void choose_accelerator(LegacyParts& parts, const std::string& word, std::string& why) {
    const std::string first = word.substr(0, word.find(':'));
    if (first == "kvm") {
        add_reason(why, "KVM where /dev/kvm can be opened");
    } else if (first == "tcg") {
        parts.tcg = true;
        if (!parts.machine_was.empty() || word.find(':') != std::string::npos)
            add_reason(why, "accel = tcg");
    } else {
        add_reason(why, "accelerator " + first + " is not one of tapgate's, which are kvm and tcg");
    }
}

// Properties of -machine that the guest, or a device that is kept, would miss.
bool keeps_property(const std::string& key, const std::string& value) {
    constexpr std::array<std::string_view, 8> kept = {
        "hmat", "nvdimm", "kernel_irqchip", "kernel-irqchip", "max-ram-below-4g", "mem-merge",
        "pic",  "pit"};
    return std::find(kept.begin(), kept.end(), key) != kept.end() ||
           (key == "acpi" && value == "off") || (key == "hpet" && value == "on") ||
           (key == "vmport" && value == "on");
}

bool is_ours(const std::string& key, const std::string& value) {
    return (value == "off" && (key == "usb" || key == "vmport" || key == "dump-guest-core" ||
                               key == "hpet" || key == "graphics")) ||
           (value == "on" && (key == "acpi" || key == "vmport.auto"));
}

}  // namespace

void keep_option(LegacyParts& parts, const LegacyOption& option) {
    const std::string name(option.kind->name);
    if (!takes_value(option.kind->name)) {
        parts.result.keep(option.text, {"-" + name});
        return;
    }
    constexpr std::array<std::string_view, 8> plain_paths = {
        "D", "L", "mtdblock", "sd", "dtb", "mem-path", "option-rom", "shim"};
    constexpr std::array<std::string_view, 6> with_paths = {"acpitable", "smbios", "fw_cfg",
                                                            "plugin",    "trace",  "virtfs"};
    std::string value = option.value;
    if (std::find(plain_paths.begin(), plain_paths.end(), name) != plain_paths.end() &&
        !is_rom_of_qemu(value))
        value = parts.machine.absolute(value);
    if (constexpr std::string_view file = "file:"; name == "debugcon" && value.starts_with(file))
        value = std::string(file) + parts.machine.absolute(value.substr(file.size()));
    if (std::find(with_paths.begin(), with_paths.end(), name) != with_paths.end()) {
        const std::string first = name == "virtfs"   ? "fsdriver"
                                  : name == "fw_cfg" ? "name"
                                  : name == "plugin" ? "file"
                                                     : "";
        const std::string more = name == "acpitable" ? "data" : name == "trace" ? "events" : "";
        Properties properties = Properties::parse(value, first);
        make_paths_absolute(parts.machine, properties);
        if (const std::string path = properties.get(more);
            !path.empty() && path.find(':') == std::string::npos)
            properties.set(more, parts.machine.absolute(path));
        const std::string again = properties.str(name == "fw_cfg" ? "" : first);
        // If no path changes, the value stays as it was written.
        if (again.find(parts.machine.directory + "/") != std::string::npos)
            value = again;
    }
    parts.result.keep(option.text, {"-" + name, value});
}

void drop_option(LegacyParts& parts, const LegacyOption& option) {
    parts.result.dropped(option.text, std::string(option.kind->why));
}

bool is_rom_of_qemu(std::string_view name) {
    constexpr std::array<std::string_view, 10> others = {
        "bios.bin",     "bios-256k.bin", "bios-microvm.bin", "qboot.rom",     "sgabios.bin",
        "kvmvapic.bin", "vapic.bin",     "linuxboot.bin",    "multiboot.bin", "extboot.bin"};
    return name.starts_with("pxe-") || name.starts_with("efi-") || is_one_of(name, others) ||
           (name.starts_with("vgabios") && name.ends_with(".bin"));
}

void make_paths_absolute(const LegacyMachine& machine, Properties& properties) {
    constexpr std::array<std::string_view, 8> paths = {
        "path", "file", "filename", "mem-path", "romfile", "logfile", "shmem-file", "tftp"};
    for (auto& [key, value] : properties.all()) {
        if (std::find(paths.begin(), paths.end(), key) == paths.end())
            continue;
        // In a node, `file' is another node's name.
        if (key == "file" && properties.has("node-name"))
            continue;
        if (key == "romfile" && is_rom_of_qemu(value))
            continue;
        value = machine.absolute(value);
    }
}

// The type is chosen at the end, as it decides which buses the disks are on.
void take_machine(LegacyParts& parts, const LegacyOption& option) {
    Properties properties = Properties::parse(option.value, "type");
    std::string why;
    if (const auto accel = properties.take("accel"))
        choose_accelerator(parts, *accel, why);
    if (const auto type = properties.take("type")) {
        const size_t end = std::min(type->find('+'), type->size());
        parts.machine_type = type->substr(0, end);
        if (end < type->size())
            add_reason(why, type->substr(end) + " is Proxmox' own");
    }
    if (properties.has("smm"))
        parts.smm = is_true(properties.get("smm"));
    if (parts.smm || properties.get("smm") == "auto")
        properties.take("smm");
    for (const char* const flash : {"pflash0", "pflash1"}) {
        if (const auto node = properties.take(flash)) {
            parts.drives.flash_nodes.emplace_back(flash, *node);
            add_reason(why, std::string(flash) + "= is the firmware");
        }
    }
    if (const auto firmware = properties.take("firmware")) {
        LegacyOption bios = option;
        bios.text = "-machine ...firmware=" + *firmware;
        bios.value = *firmware;
        take_bios(parts, bios);
    }
    std::vector<Properties::Property> left;
    for (const auto& [key, value] : properties.all()) {
        if (keeps_property(key, value))
            parts.machine_kept.push_back(key + "=" + value);
        else if (key == "confidential-guest-support" || key == "memory-encryption")
            add_reason(why, "the guest's memory is NOT encrypted against the host (" + key + "=" +
                                value + ")");
        else if (key == "memory-backend")
            parts.machine_memory = value;
        else if (!is_ours(key, value))
            left.emplace_back(key, value);
    }
    // Only the type counts: tapgate decides about the guest's devices.
    if (!left.empty())
        add_reason(why, "left out: " + listed(left));
    parts.machine_was += (parts.machine_was.empty() ? "" : " ") + option.text;
    parts.machine_why += (parts.machine_why.empty() || why.empty() ? "" : "; ") + why;
}

void take_accel(LegacyParts& parts, const LegacyOption& option) {
    Properties properties = Properties::parse(option.value, "accel");
    // QEMU takes the first accelerator that works.
    if (parts.accelerator_said) {
        parts.result.dropped(option.text, "an earlier -accel comes first");
        return;
    }
    parts.accelerator_said = true;
    std::string why;
    choose_accelerator(parts, properties.take("accel").value_or(""), why);
    if (const auto irqchip = properties.take("kernel-irqchip"))
        parts.machine_kept.push_back("kernel-irqchip=" + *irqchip);
    if (!properties.all().empty())
        add_reason(why, "left out: " + listed(properties.all()));
    parts.result.changed(option.text, parts.tcg ? "accel = tcg" : "accel = auto", why);
}

void take_kvm(LegacyParts& parts, const LegacyOption& option) {
    parts.result.changed(option.text, "accel = auto", "KVM where /dev/kvm can be opened");
}

void take_tcg(LegacyParts& parts, const LegacyOption& option) {
    parts.tcg = true;
    parts.result.changed(option.text, "accel = tcg");
}

namespace {

// The adapter that QEMU gives to a machine of this type; for q35, it changed with QEMU 2.12.
std::string default_adapter(std::string_view type) {
    constexpr std::string_view versioned = "pc-q35-2.";
    if (!type.starts_with(versioned))
        return type.find("q35") == std::string_view::npos ? "e1000" : "e1000e";
    const auto minor = parse_whole<unsigned>(type.substr(versioned.size()));
    return minor && *minor < 12 ? "e1000" : "e1000e";
}

}  // namespace

void add_machine(LegacyParts& parts) {
    const std::string& said = parts.machine_type;
    std::string type = "pc";
    std::string why = parts.machine_why;
    if (said.starts_with("q35") || said.starts_with("pc-q35") ||
        said.find("-q35") != std::string::npos)
        type = "q35";
    else if (!said.empty() && !said.starts_with("pc") && !said.starts_with("rhel") &&
             !said.starts_with("xenfv") && !said.starts_with("ubuntu"))
        throw LauncherError(
            quoted_word(parts.machine_was) +
            ": tapgate only runs PCs (pc, q35), and this is another kind of machine");
    if (has_plain_memory(parts))
        add_reason(why, "memory = says the size");
    parts.machine.q35 = type == "q35";
    parts.machine.default_adapter = default_adapter(said);
    parts.result.set("machine", type);
    if (said.empty())
        parts.result.added("machine = pc",
                           "QEMU's default, so the guest finds the machine it knows; tapgate's "
                           "default is q35");
    if (!said.empty() && said != type)
        why.insert(0, "the version only matters for saved states, and QEMU drops old ones" +
                          std::string(why.empty() ? "" : "; "));
    if (!parts.machine_was.empty())
        parts.result.changed(parts.machine_was,
                             !said.empty() ? "machine = " + type
                             : parts.tcg   ? "accel = tcg"
                                           : "accel = auto",
                             why);
    if (parts.tcg)
        parts.result.set("accel", "tcg");
    for (const std::string& property : parts.machine_kept)
        parts.result.keep("-machine ..." + property, {"-machine", property});
}

void take_memory(LegacyParts& parts, const LegacyOption& option) {
    Properties properties = Properties::parse(option.value, "size");
    const auto said = properties.take("size");
    const auto size = mebibytes(said.value_or(""));
    if (said && !size)
        throw LauncherError(shown(option.text) + ": give a size such as 1024, 512M or 2G");
    std::string why;
    const std::string slots = properties.get("slots");
    const std::string most = properties.get("maxmem");
    if (!most.empty())
        parts.memory_slots = (slots.empty() ? "" : "slots=" + slots + ",") + "maxmem=" + most;
    if (!properties.all().empty())
        add_reason(why, "left out, unless a device needs this: " + listed(properties.all()));
    if (!size) {
        parts.result.dropped(option.text, why);
        return;
    }
    parts.has_memory = true;
    const double whole = std::ceil(*size);
    parts.memory = static_cast<std::uint64_t>(whole);
    if (whole == 8096)
        why.insert(0, "8 GiB would be 8192M" + std::string(why.empty() ? "" : "; "));
    if (whole != *size)
        add_reason(why, "rounded up to whole MiB");
    parts.set(option.text, "memory", std::to_string(parts.memory) + "M", why);
}

void take_name(LegacyParts& parts, const LegacyOption& option) {
    Properties properties = Properties::parse(option.value, "guest");
    const std::string name = properties.take("guest").value_or("");
    const bool known = name.find(unknown_text) == std::string::npos;
    parts.result.name = known ? fitting_name(name) : "";
    const std::string why = why_name;
    if (parts.result.name.empty())
        parts.result.dropped(option.text, why);
    else
        parts.result.changed(option.text, "VM " + parts.result.name, why);
}

void take_uuid(LegacyParts& parts, const LegacyOption& option) {
    if (option.value.find(unknown_text) == std::string::npos)
        keep_option(parts, option);
    else
        parts.result.dropped(option.text,
                             "it was a new one at each start; the VM has one that stays");
}

namespace {

// FILE[ ARGUMENTS],..., where each file is relative to where QEMU was started; a doubled comma is
// one of a name.
std::string modules_of_multiboot(const LegacyMachine& machine, std::string_view list) {
    std::vector<std::string> modules(1);
    for (size_t i = 0; i < list.size(); ++i) {
        if (list[i] != ',')
            modules.back() += list[i];
        else if (list.substr(i).starts_with(",,"))
            modules.back() += list[i++];
        else
            modules.emplace_back();
    }
    std::string all;
    for (const std::string& module : modules)
        all += (all.empty() ? "" : ",") +
               commas_doubled(machine.absolute(std::string(trimmed(module))));
    return all;
}

}  // namespace

void take_kernel(LegacyParts& parts, const LegacyOption& option) {
    // Blanks at the ends have no effect, and a VM file cannot express them.
    std::string value(trimmed(option.value, " \t\n"));
    // To Linux, a line's end is a blank like any other.
    if (option.kind->name == "append")
        std::replace(value.begin(), value.end(), '\n', ' ');
    if (value.empty())
        parts.result.dropped(option.text, "it is empty");
    else if (option.kind->name == "initrd" && value.find(',') != std::string::npos)
        parts.result.keep(option.text, {"-initrd", modules_of_multiboot(parts.machine, value)},
                          "initrd = is one file, and this is a multiboot kernel's list of modules");
    else
        parts.set(option.text, std::string(option.kind->name), value);
}

void take_boot(LegacyParts& parts, const LegacyOption& option) {
    Properties properties = Properties::parse(option.value, "order");
    std::string why;
    std::vector<BootKind> kinds;
    for (const char c : properties.take("order").value_or("")) {
        const std::optional<BootKind> kind = c == 'a' || c == 'b' ? std::optional(BootKind::floppy)
                                             : c == 'c'           ? std::optional(BootKind::disk)
                                             : c == 'd'           ? std::optional(BootKind::cdrom)
                                             : c >= 'n' && c <= 'p' ? std::optional(BootKind::net)
                                                                    : std::nullopt;
        if (!kind)
            add_reason(why, "there is no device letter " + quoted_word({&c, 1}));
        else if (std::find(kinds.begin(), kinds.end(), *kind) == kinds.end())
            kinds.push_back(*kind);
    }
    if (const auto once = properties.take("once"))
        add_reason(why, "once=" + *once + " is for one start only: give --boot=" +
                            (once->starts_with('d')   ? "cdrom"
                             : once->starts_with('n') ? "net"
                                                      : "disk") +
                            " at that start");
    if (properties.take("strict") == "on")
        parts.boot.set_strict();
    if (properties.take("menu") == "on")
        add_reason(why, "there is no boot menu, since a VM starts without waiting for anybody");
    if (!properties.all().empty())
        add_reason(why, "left out: " + listed(properties.all()));
    if (kinds.empty()) {
        parts.result.dropped(option.text, why.empty() ? "tapgate has its own boot order" : why);
        return;
    }
    parts.boot.set_kinds(kinds, option.text);
    if (!why.empty())
        parts.result.dropped(option.text, "only the order is taken from it: " + why);
}

namespace {

void take_clock(LegacyParts& parts, const LegacyOption& option, const std::string& base) {
    if (base == "utc")
        parts.result.dropped(option.text, "all of tapgate's VMs have this setting");
    else
        parts.result.keep(option.text, {"-rtc", "base=" + commas_doubled(base)});
}

}  // namespace

void take_localtime(LegacyParts& parts, const LegacyOption& option) {
    take_clock(parts, option, "localtime");
}

void take_startdate(LegacyParts& parts, const LegacyOption& option) {
    take_clock(parts, option, option.value == "now" ? "utc" : option.value);
}

void take_rtc(LegacyParts& parts, const LegacyOption& option) {
    Properties properties = Properties::parse(option.value, "base");
    if (properties.get("base") == "utc")
        properties.take("base");
    if (properties.get("driftfix") == "slew")
        properties.take("driftfix");
    if (properties.get("clock") == "host")
        properties.take("clock");
    if (properties.all().empty())
        parts.result.dropped(option.text, "all of tapgate's VMs have this setting");
    else
        parts.result.keep(option.text, {"-rtc", properties.str()});
}

void take_snapshot(LegacyParts& parts, const LegacyOption& option) {
    parts.result.set("snapshot", "on");
    parts.result.changed(option.text, "snapshot = on");
}

void take_nodefaults(LegacyParts& parts, const LegacyOption& option) {
    parts.nets.defaults = parts.defaults = false;
    parts.result.dropped(option.text, "all of tapgate's VMs are started with it");
}

void take_no_acpi(LegacyParts& parts, const LegacyOption& option) {
    parts.result.keep(option.text, {"-machine", "acpi=off"}, "QEMU no longer has -no-acpi");
}

namespace {

constexpr const char* locked_memory =
    "few users are allowed to lock that much memory; if you are, add --qemu-arg=-overcommit "
    "--qemu-arg=mem-lock=on";

}  // namespace

void take_iscsi(LegacyParts& parts, const LegacyOption& option) {
    parts.iscsi.push_back(option);
}

void add_iscsi(LegacyParts& parts) {
    const auto& settings = parts.result.settings;
    const bool used = std::any_of(settings.begin(), settings.end(), [](const auto& setting) {
        return setting.first == "qemu-arg" && setting.second.find("iscsi") != std::string::npos;
    });
    for (const LegacyOption& option : parts.iscsi) {
        if (used)
            keep_option(parts, option);
        else
            parts.result.dropped(option.text, "none of its disks is on iSCSI by QEMU");
    }
}

void take_realtime(LegacyParts& parts, const LegacyOption& option) {
    parts.result.dropped(option.text,
                         option.value == "mlock=on" ? locked_memory : "that is the default");
}

void take_overcommit(LegacyParts& parts, const LegacyOption& option) {
    Properties properties = Properties::parse(option.value, "mem-lock");
    const bool locks = properties.has("mem-lock") && properties.get("mem-lock") != "off";
    if (locks)
        properties.take("mem-lock");
    if (properties.all().empty())
        parts.result.dropped(option.text, locked_memory);
    else
        parts.result.keep(option.text, {"-overcommit", properties.str()},
                          locks ? std::string("left out: mem-lock: ") + locked_memory : "");
}

void take_readconfig(LegacyParts& parts, const LegacyOption& option) {
    if (option.value.starts_with("/usr/share/qemu-server/"))
        parts.result.dropped(option.text,
                             "it describes Proxmox's own PCI ports and USB controllers: tapgate "
                             "gives each device its place");
    else
        parts.result.keep(option.text, {"-readconfig", parts.machine.absolute(option.value)});
}

void take_global(LegacyParts& parts, const LegacyOption& option) {
    const std::string& value = option.value;
    const Properties properties = Properties::parse(value, "");
    // "driver=cfi.pflash01,property=secure,value=on", or "isa-fdc.driveA=ID".
    const std::string driver = properties.get("driver");
    const auto is = [&](std::string_view name, std::string_view property) {
        return (driver == name && properties.get("property") == property) ||
               value.starts_with(std::string(name) + "." + std::string(property) + "=");
    };
    if (value.ends_with(".disable_s3=1") || value.ends_with(".disable_s4=1") ||
        value == "kvm-pit.lost_tick_policy=delay") {
        parts.result.dropped(option.text, "all of tapgate's VMs have this setting");
    } else if (value == "kvm-pit.lost_tick_policy=discard") {
        parts.result.dropped(option.text, "tapgate sets the PIT to lost_tick_policy=delay");
    } else if (is("cfi.pflash01", "secure")) {
        parts.secure_flash = value.ends_with("on");
        parts.result.dropped(option.text,
                             "firmware = uefi-secure sets this, and no other firmware needs it");
    } else if (is("isa-fdc", "driveA") || is("isa-fdc", "driveB")) {
        parts.drives.floppies.emplace_back(
            is("isa-fdc", "driveA") ? 'A' : 'B',
            properties.has("value") ? properties.get("value") : value.substr(value.find('=') + 1));
        parts.result.changed(option.text, "the floppy drive");
    } else if (value.starts_with("isa-fdc.bootindex")) {
        parts.drives.floppy_orders.emplace_back(value[std::string("isa-fdc.bootindex").size()],
                                                value.substr(value.find('=') + 1));
        parts.result.changed(option.text, "its place in the boot order");
    } else if (value.starts_with("qxl") || value.starts_with("VGA.") || driver.starts_with("qxl") ||
               value.starts_with("mch.extended-tseg") || driver == "mch" ||
               value.starts_with("i440FX-pcihost") || value.starts_with("q35-pcihost")) {
        parts.result.dropped(option.text, "it is for a device that tapgate sets up in its own way");
    } else {
        keep_option(parts, option);
    }
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// Devices other than disks and adapters.
#include <algorithm>
#include <array>

#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

void take_places(LegacyParts& parts, Properties& properties) {
    properties.take("id");
    for (const char* const place : {"bus", "addr", "multifunction", "cad", "port", "nr"})
        parts.places += properties.take(place) ? 1U : 0U;
}

// Intel's own GPU shows a picture by itself only in the place that it has on the host.
bool is_gpu_in_its_place(const Properties& properties) {
    const auto place = pci_place(properties);
    return properties.get("driver").starts_with("vfio-pci") &&
           properties.get("host").ends_with("00:02.0") && place && place->first.empty() &&
           place->second == 8U * 2;
}

void keep_in_place(LegacyParts& parts, const std::string& was, const Properties& before,
                   Properties& properties, const std::string& place, std::string why) {
    if (is_gpu_in_its_place(before))
        add_reason(why,
                   "its place is not 00:02.0 any more, as it has to be for the picture of an Intel "
                   "GPU from the start (legacy mode): the guest's driver has to make it");
    std::vector<std::string> arguments = place_host_card(parts, before, properties);
    arguments.insert(arguments.end(), {"-device", properties.str("driver") + place});
    parts.result.keep(was, arguments, why);
}

// Is it known that there is no such drive? Another file may describe some.
bool is_missing_drive(const LegacyParts& parts, const std::string& id) {
    const auto& settings = parts.result.settings;
    return !id.empty() && !parts.partial &&
           std::none_of(settings.begin(), settings.end(),
                        [](const auto& one) { return one.second == "-readconfig"; }) &&
           std::none_of(parts.drives.drives.begin(), parts.drives.drives.end(),
                        [&](const auto& drive) { return drive.properties.get("id") == id; }) &&
           std::none_of(parts.drives.nodes.begin(), parts.drives.nodes.end(),
                        [&](const auto& node) { return node.properties.get("node-name") == id; });
}

void keep_device(LegacyParts& parts, const std::string& was, Properties& properties) {
    if (const std::string drive = properties.get("drive"); is_missing_drive(parts, drive)) {
        parts.result.dropped(
            was, "QEMU would not start with it: nothing describes the drive " + quoted_word(drive));
        return;
    }
    if (std::string why = keep_references(parts, properties); !why.empty()) {
        if (properties.get("driver").starts_with("vhost-user-fs"))
            why =
                "which directory it is only the server beside QEMU was told (Proxmox: `qm "
                "config'): add --share=DIR,tag=" +
                properties.get("tag") + ",via=virtiofs";
        parts.result.dropped(was, why);
        return;
    }
    const std::string id = fit_device_ids(parts, properties);
    const Properties before = properties;
    take_places(parts, properties);
    if (!id.empty())
        properties.set("id", id);
    std::string why;
    for (const char* const descriptor : {"vhostfd", "fd"}) {
        if (properties.take(descriptor))
            add_reason(why, std::string("its ") + descriptor +
                                "= belonged to the program that started QEMU");
    }
    if (const auto pair = properties.take("failover_pair_id"))
        add_reason(why, "left out: failover_pair_id=" + *pair);
    make_paths_absolute(parts.machine, properties);
    const std::string driver = properties.get("driver");
    // QEMU shows such a card's picture only by OpenGL, or does not start.
    if (driver.starts_with("vfio-pci") && parts.opengl && is_true(properties.get("display"))) {
        properties.take("display");
        const bool boots = properties.take("ramfb").has_value();
        add_reason(why, std::string("left out: display=on") + (boots ? " and ramfb=" : "") +
                            ", since the screens of tapgate's VMs have no OpenGL");
    }
    if (driver.starts_with("vhost-user"))
        add_reason(why,
                   "before each start of the VM, its program has to be listening on this socket");
    if (driver == "virtserialport" || driver == "virtconsole") {
        parts.result.keep(was,
                          {"-device", serial_port_device(driver, properties.get("chardev"),
                                                         properties.get("name"))},
                          why);
        return;
    }
    if (driver == "amd-iommu") {
        properties.take("pci-id");
        parts.result.keep(was, {"-device", amd_iommu(properties)}, why);
        return;
    }
    std::optional<std::uint64_t> order;
    if (const auto index = properties.take("bootindex")) {
        order = std::strtoull(index->c_str(), nullptr, 10);
        parts.boot.add_source("bootindex=" + *index);
    }
    // Where there is no drive, the guest boots from a card of the host's, such as an NVMe disk;
    // UEFI forgets what is not in the order that it is given.
    const bool may_boot = driver.starts_with("vfio-pci") && !parts.has_drive &&
                          !is_true(properties.get("x-vga")) && !before.get("host").ends_with(".1");
    if (may_boot && !order)
        add_reason(why, "the guest may boot from it, since it has no drive");
    const std::string place =
        order || may_boot ? parts.boot.add_kept(BootKind::disk, order, last_rank) : "";
    if (driver.starts_with("usb-"))
        keep_usb_device(was, {}, properties, parts.machine, parts.result, place, why);
    else
        keep_in_place(parts, was, before, properties, place, why);
    const bool memory = driver == "pc-dimm" || driver == "nvdimm" ||
                        driver.starts_with("virtio-mem") || driver.starts_with("virtio-pmem");
    if (memory && !parts.memory_slots.empty()) {
        parts.result.keep("-m ..." + parts.memory_slots, {"-m", parts.memory_slots},
                          "room for memory that is plugged in");
        parts.memory_slots.clear();
    }
}

void add_serial_line(LegacyParts& parts, const std::string& was, std::string why) {
    if (parts.serials++ == 0) {
        why.insert(0, std::string("in the VM's directory, as with all of tapgate's VMs") +
                          (why.empty() ? "" : "; "));
        parts.result.changed(was, "console.sock and console.log", why);
    } else {
        parts.result.dropped(was, "a VM of tapgate has one serial line only");
    }
}

// The first line is COM1.
void add_serial_device(LegacyParts& parts, const std::string& was, Properties properties) {
    for (const char* const own : {"driver", "id", "chardev"})
        properties.take(own);
    if (properties.get("index") == "0")
        properties.take("index");
    const auto& left = properties.all();
    add_serial_line(parts, was, left.empty() ? "" : "left out: " + listed(left));
}

void add_device(LegacyParts& parts, const LegacyDevice& device) {
    constexpr std::array<std::string_view, 16> sound = {
        "intel-hda",  "ich9-intel-hda", "hda-duplex",   "hda-micro",
        "hda-output", "AC97",           "ac97",         "ES1370",
        "es1370",     "sb16",           "adlib",        "gus",
        "cs4231a",    "usb-audio",      "virtio-sound", "virtio-sound-pci"};
    Properties properties = device.properties;
    const std::string driver = properties.get("driver");
    // macOS, which has isa-applesmc, has no driver for a PC's own keyboard.
    if (const std::string why = why_own_device(driver, properties);
        !why.empty() && !(driver == "usb-kbd" && has_device(parts, "isa-applesmc"))) {
        const std::string index = properties.get("bootindex");
        parts.result.dropped(device.was,
                             why + (index.empty() ? "" : "; the guest does not boot from it"));
    } else if (driver == "isa-serial") {
        add_serial_device(parts, device.was, properties);
    } else if (driver.empty()) {
        parts.result.dropped(device.was, "it does not say which device");
    } else if (is_one_of(driver, sound)) {
        take_places(parts, properties);
        if (!driver.ends_with("intel-hda"))
            properties.set("audiodev", "keptsound");
        if (driver == "usb-audio")
            parts.result.dropped(device.was, "the guest's sound is not played on the host");
        else
            keep_sound(device.was, {properties.str("driver")}, parts.machine, parts.result);
    } else {
        keep_device(parts, device.was, properties);
    }
}

}  // namespace

// QEMU reads these numbers as hexadecimal.
std::optional<std::pair<std::string, unsigned>> pci_place(const Properties& device) {
    if (!device.has("addr"))
        return std::nullopt;
    const std::string bus = device.get("bus");
    const std::string addr = device.get("addr");
    char* function = nullptr;
    unsigned long place = 8 * std::strtoul(addr.c_str(), &function, 16);
    if (*function == '.')
        place += std::strtoul(function + 1, nullptr, 16);
    return std::pair(bus == "pci.0" || bus == "pcie.0" ? "" : bus, static_cast<unsigned>(place));
}

void take_device(LegacyParts& parts, const LegacyOption& option) {
    parts.devices.push_back(
        {option.text, Properties::parse(option.value, "driver"), false, option.slot});
}

void take_serial(LegacyParts& parts, const LegacyOption& option) {
    if (option.value == "none")
        parts.result.dropped(option.text,
                             "a VM of tapgate always has a serial line, which does no harm");
    else
        add_serial_line(
            parts, option.text,
            option.value.starts_with("/dev/ttyS") || option.value.starts_with("/dev/ttyU")
                ? "it is no longer connected to the host's device"
                : "");
}

void take_sound(LegacyParts& parts, const LegacyOption& option) {
    std::vector<std::string> devices;
    std::string left_out;
    std::string_view rest = option.value;
    while (!rest.empty()) {
        const std::string_view name = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(name.size() + 1, rest.size()));
        const auto card = sound_devices(name);
        devices.insert(devices.end(), card.begin(), card.end());
        if (card.empty())
            left_out.append(left_out.empty() ? "left out: " : ", ").append(name);
    }
    if (devices.empty())
        parts.result.dropped(option.text, "the guest's sound is not played on the host");
    else
        keep_sound(option.text, devices, parts.machine, parts.result, left_out);
}

// -audio driver=spice,model=ac97 is -audiodev and -soundhw in one.
void take_audio(LegacyParts& parts, const LegacyOption& option) {
    const std::string model = Properties::parse(option.value, "driver").get("model");
    if (const auto devices = sound_devices(model); !devices.empty())
        keep_sound(option.text, devices, parts.machine, parts.result);
    else
        parts.result.dropped(option.text, "the guest's sound is not played on the host");
}

void take_usb_device(LegacyParts& parts, const LegacyOption& option) {
    const std::string& value = option.value;
    const size_t colon = std::min(value.find(':'), value.size());
    const std::string kind = value.substr(0, colon);
    const std::string rest = value.substr(std::min(colon + 1, value.size()));
    Properties device;
    if (kind == "tablet" || kind == "mouse" || kind == "keyboard") {
        parts.result.dropped(option.text,
                             kind == "keyboard" ? "the machine has a keyboard anyway" : own_tablet);
    } else if (kind == "host" && rest.find(':') != std::string::npos) {
        device.set("driver", "usb-host");
        device.set("vendorid", "0x" + rest.substr(0, rest.find(':')));
        device.set("productid", "0x" + rest.substr(rest.find(':') + 1));
        keep_usb_device(option.text, {}, device, parts.machine, parts.result);
    } else if (kind == "host" && rest.find('.') != std::string::npos) {
        device.set("driver", "usb-host");
        device.set("hostbus", rest.substr(0, rest.find('.')));
        device.set("hostaddr", rest.substr(rest.find('.') + 1));
        keep_usb_device(option.text, {}, device, parts.machine, parts.result);
    } else if (kind == "disk" && !rest.empty()) {
        const std::string id = "keptstick" + std::to_string(parts.usb_disks++);
        std::string file = rest.substr(rest.starts_with(':') ? 1 : 0);
        std::string format;
        // disk:format=raw:FILE
        if (constexpr std::string_view key = "format="; file.starts_with(key)) {
            const size_t end = std::min(file.find(':'), file.size());
            format = file.substr(key.size(), end - key.size());
            file.erase(0, end + 1);
        }
        Properties drive;
        drive.set("if", "none");
        drive.set("id", id);
        drive.set("format", format.empty() ? format_by_name(file).first : format);
        drive.set("file", parts.machine.absolute(file));
        device.set("driver", "usb-storage");
        device.set("drive", id);
        keep_usb_device(option.text, {"-drive", drive.str()}, device, parts.machine, parts.result,
                        parts.boot.add_kept(BootKind::disk, std::nullopt, last_rank));
    } else {
        parts.result.dropped(option.text, "QEMU no longer has this device");
    }
}

void take_watchdog(LegacyParts& parts, const LegacyOption& option) {
    parts.result.keep(option.text, {"-device", option.value}, "QEMU no longer has -watchdog");
}

void add_devices(LegacyParts& parts) {
    const auto& settings = parts.result.settings;
    parts.has_drive = parts.partial || parts.boot.has_drive() ||
                      std::any_of(settings.begin(), settings.end(),
                                  [](const auto& setting) { return setting.first == "kernel"; });
    for (const LegacyDevice& device : parts.devices) {
        if (!device.taken)
            add_device(parts, device);
    }
    add_unused_parts(parts);
}

}  // namespace tapgate

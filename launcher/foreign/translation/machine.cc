// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/translation/machine.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

template <size_t n>
bool has_any(std::string_view text, const std::array<std::string_view, n>& marks) {
    return std::any_of(marks.begin(), marks.end(), [&](std::string_view mark) {
        return text.find(mark) != std::string_view::npos;
    });
}

std::string json_text(const nlohmann::ordered_json& device) {
    try {
        return device.dump();
    } catch (const nlohmann::json::type_error&) {
        throw LauncherError("a device has a value that is not UTF-8");
    }
}

}  // namespace

bool has_protocol(std::string_view file) {
    const size_t stop = file.find_first_of(":/");
    return stop != std::string_view::npos && file[stop] == ':';
}

std::string LegacyMachine::absolute(const std::string& path) const {
    // "fat:floppy:rw:DIRECTORY": vvfat_parse_filename() in QEMU's block/vvfat.c.
    const size_t start = path.starts_with("fat:") ? path.rfind(':') + 1 : 0;
    const std::string place = path.substr(start);
    if (place.starts_with('/') || has_protocol(place) || place.empty())
        return path;
    return path.substr(0, start) + directory + "/" + place;
}

void keep_usb_device(const std::string& was, const std::vector<std::string>& before,
                     const Properties& device, LegacyMachine& machine, Translation& result,
                     const std::string& place, std::string why) {
    std::vector<std::string> arguments = before;
    if (!machine.has_usb)
        arguments.insert(arguments.end(), {"-device", kept_usb_controller});
    machine.has_usb = true;
    Properties on_bus = device;
    on_bus.take("port");
    on_bus.set("bus", "keptusb.0");
    arguments.insert(arguments.end(), {"-device", on_bus.str("driver") + place});
    add_reason(why, "on a USB controller of its own (USB 3: qemu-xhci)");
    result.keep(was, arguments, why);
}

void keep_sound(const std::string& was, const std::vector<std::string>& devices,
                LegacyMachine& machine, Translation& result, const std::string& left_out) {
    std::vector<std::string> arguments;
    if (!machine.has_sound)
        arguments = {"-audiodev", "none,id=keptsound"};
    machine.has_sound = true;
    for (const std::string& device : devices) {
        arguments.emplace_back("-device");
        arguments.push_back(device);
    }
    result.keep(was, arguments,
                "the guest keeps its sound card, but its sound is not played on the host" +
                    (left_out.empty() ? "" : "; " + left_out));
}

std::vector<std::string> sound_devices(std::string_view card) {
    struct Card {
        std::string_view name;
        std::vector<std::string> devices;
    };
    static const Card cards[] = {
        {"ac97", {"AC97,audiodev=keptsound"}},
        {"es1370", {"ES1370,audiodev=keptsound"}},
        {"sb16", {"sb16,audiodev=keptsound"}},
        {"adlib", {"adlib,audiodev=keptsound"}},
        {"cs4231a", {"cs4231a,audiodev=keptsound"}},
        {"gus", {"gus,audiodev=keptsound"}},
        {"hda", {"intel-hda", "hda-duplex,audiodev=keptsound"}},
        {"ich6", {"intel-hda", "hda-duplex,audiodev=keptsound"}},
        {"ich7", {"intel-hda", "hda-duplex,audiodev=keptsound"}},
        {"ich9", {"ich9-intel-hda", "hda-duplex,audiodev=keptsound"}},
    };
    const auto* const found = std::find_if(std::begin(cards), std::end(cards),
                                           [&](const Card& one) { return one.name == card; });
    return found == std::end(cards) ? std::vector<std::string>() : found->devices;
}

FirmwareKind firmware_kind(std::string_view file) {
    constexpr std::array<std::string_view, 7> uefi = {"ovmf",  "edk2", "aavmf", "_vars",
                                                      "nvram", "uefi", "_code"};
    constexpr std::array<std::string_view, 7> secure = {"secboot", "secure", ".sb.", "-sb.",
                                                        "_sb.",    ".ms.",   "-ms-"};
    const std::string name = in_small_letters(file);
    if (!has_any(name, uefi))
        return FirmwareKind::other;
    return has_any(name, secure) ? FirmwareKind::uefi_secure : FirmwareKind::uefi;
}

bool is_as_virtio_here(std::string_view model, bool q35) {
    if (model.ends_with("-non-transitional"))
        return q35;
    return !model.ends_with("-transitional") || !q35;
}

std::string listed(const std::vector<Properties::Property>& properties) {
    std::string text;
    for (size_t i = 0; i < properties.size(); i++) {
        if (i > 0)
            text += i + 1 == properties.size() ? " and " : ", ";
        text += properties[i].first + "=" + properties[i].second;
    }
    return text;
}

bool is_users_path(std::string_view path) {
    const std::string_view below = path.starts_with("/var/run/") ? path.substr(4) : path;
    return path.starts_with('/') && path.find("/libvirt/") == std::string_view::npos &&
           (!below.starts_with("/run/") || below.starts_with("/run/user/"));
}

std::string amd_iommu(const Properties& properties) {
    nlohmann::ordered_json device = {{"driver", "amd-iommu"}};
    for (const auto& [key, value] : properties.all()) {
        // That is QEMU's default; QEMU 11 no longer has this property.
        if (key == "pt" && value == "on")
            continue;
        // A switch that also takes `auto' is a word, no boolean.
        if (key != "driver" && key != "intremap" && (value == "on" || value == "off"))
            device[key] = value == "on";
        else if (key != "driver")
            device[key] = value;
    }
    return json_text(device);
}

std::string serial_port_device(const std::string& driver, const std::string& chardev,
                               const std::string& name) {
    nlohmann::ordered_json device = {
        {"driver", driver}, {"bus", "serial0.0"}, {"chardev", chardev}};
    if (!name.empty())
        device["name"] = name;
    return json_text(device);
}

std::vector<std::string> place_on_port(LegacyMachine& machine, const std::string& place,
                                       const std::string& function, const Properties& old_port,
                                       Properties& card) {
    // tapgate's own ports have a lower chassis.
    constexpr size_t first_chassis = 100;
    const size_t number = machine.card_ports.size();
    const auto [port, is_new] =
        machine.card_ports.try_emplace(place, "keptport" + std::to_string(number));
    card.set("bus", port->second);
    card.set("addr", "0x0" + function);
    if (!is_new)
        return {};
    Properties device;
    device.set("driver", "pcie-root-port");
    device.set("id", port->second);
    device.set("chassis", std::to_string(first_chassis + number));
    for (const char* const speed : {"x-speed", "x-width"}) {
        if (old_port.has(speed))
            device.set(speed, old_port.get(speed));
    }
    return {"-device", device.str("driver")};
}

}  // namespace tapgate

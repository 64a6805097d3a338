// SPDX-License-Identifier: GPL-2.0-or-later
//
// The devices that tapgate's machines have themselves, or do not need.
#include <algorithm>
#include <array>

#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

bool is_virtio(std::string_view driver, std::string_view kind) {
    return driver.starts_with("virtio-" + std::string(kind));
}

// Properties of a device that tapgate's VMs have themselves, beyond its place and what it refers
// to.
std::string left_of(const Properties& properties) {
    std::vector<Properties::Property> left;
    for (const auto& property : properties.all()) {
        constexpr std::array<std::string_view, 9> known = {
            "driver",        "id",  "bus",       "addr",
            "multifunction", "rng", "bootindex", "free-page-reporting",
            "deflate-on-oom"};
        if (!is_one_of(property.first, known))
            left.push_back(property);
    }
    return left.empty() ? "" : "; left out: " + listed(left);
}

// Does the host's graphics card draw for the guest?
bool is_accelerated(std::string_view driver, const Properties& properties) {
    return driver.find("-gl") != std::string_view::npos ||
           driver.find("rutabaga") != std::string_view::npos || is_true(properties.get("virgl"));
}

// A screen's properties, but for the sizes of memory that only another adapter has.
std::string left_of_screen(Properties properties) {
    constexpr std::array<std::string_view, 5> sizes = {"ram_size", "vram_size", "vram64_size_mb",
                                                       "vram_size_mb", "ram_size_mb"};
    const bool is_vga = properties.get("driver") == "VGA";
    std::erase_if(properties.all(), [&](const auto& one) {
        return is_one_of(one.first, sizes) || (!is_vga && one.first == "vgamem_mb") ||
               (one.first == "max_outputs" && one.second == "1");
    });
    return left_of(properties);
}

// The properties of a SCSI controller that do more than place it; a note of its own says it of an
// iothread.
std::string left_of_controller(Properties properties) {
    properties.take("iothread");
    return left_of(properties);
}

// Bridges and controllers: what is plugged into them has its place on tapgate's machines.
constexpr std::array<std::string_view, 32> infrastructure = {"pcie-root-port",
                                                             "ioh3420",
                                                             "pci-bridge",
                                                             "i82801b11-bridge",
                                                             "pcie-pci-bridge",
                                                             "pcie-switch-upstream-port",
                                                             "pxb",
                                                             "pxb-pcie",
                                                             "pcie-switch-downstream-port",
                                                             "x3130-upstream",
                                                             "xio3130-downstream",
                                                             "usb-ehci",
                                                             "ich9-usb-ehci1",
                                                             "ich9-usb-uhci1",
                                                             "ich9-usb-uhci2",
                                                             "ich9-usb-uhci3",
                                                             "ich9-usb-uhci4",
                                                             "ich9-usb-uhci5",
                                                             "ich9-usb-uhci6",
                                                             "ich9-usb-ehci2",
                                                             "piix3-usb-uhci",
                                                             "piix4-usb-uhci",
                                                             "vt82c686b-usb-uhci",
                                                             "pci-ohci",
                                                             "nec-usb-xhci",
                                                             "qemu-xhci",
                                                             "usb-hub",
                                                             "ich9-ahci",
                                                             "ahci",
                                                             "piix3-ide",
                                                             "isa-fdc",
                                                             "pcie-bus"};
constexpr std::array<std::string_view, 8> scsi_controllers = {
    "lsi", "lsi53c895a", "lsi53c810", "mptsas1068", "pvscsi", "am53c974", "dc390", "megasas"};
constexpr std::array<std::string_view, 6> pointers = {"usb-tablet",    "virtio-tablet-pci",
                                                      "virtio-tablet", "usb-mouse",
                                                      "virtio-mouse",  "virtio-mouse-pci"};
constexpr std::array<std::string_view, 3> keyboards = {"usb-kbd", "virtio-keyboard",
                                                       "virtio-keyboard-pci"};
constexpr std::array<std::string_view, 3> serial_cards = {"pci-serial", "pci-serial-2x",
                                                          "pci-serial-4x"};

// Why a controller is not taken over: tapgate's machines have it, or its devices are on another
// one. Empty if the driver is for something else.
std::string why_own_controller(const std::string& driver, const Properties& properties) {
    if (is_virtio(driver, "serial"))
        return "tapgate gives each device its place" + left_of(properties);
    if (is_one_of(driver, infrastructure))
        return "tapgate gives each device its place";
    if (is_virtio(driver, "scsi"))
        return "a disk with bus=scsi brings its controller along" + left_of_controller(properties);
    if (is_one_of(driver, scsi_controllers) || driver.starts_with("megasas"))
        return "SCSI disks are on a virtio-scsi controller instead";
    if ((driver == "nvme" || driver == "sdhci-pci") && !properties.has("drive"))
        return "each of its disks gets a controller of its own";
    return {};
}

// The same for screens, keyboards, pointers and serial lines.
std::string why_own_console(const std::string& driver, const Properties& properties) {
    if (is_screen(driver))
        return "every VM with a screen has the standard VGA adapter" +
               std::string(is_accelerated(driver, properties) ? ", without 3D by the host" : "") +
               left_of_screen(properties);
    if (is_one_of(driver, pointers))
        return own_tablet;
    if (is_one_of(driver, keyboards))
        return "the machine has a keyboard anyway";
    if (driver == "virtserialport" || driver == "virtconsole")
        return properties.get("name") == "org.qemu.guest_agent.0"
                   ? "all of tapgate's VMs have the guest agent's channel"
               : properties.has("chardev") ? ""
                                           : "nothing was connected to it on the host";
    if (driver == "isa-parallel")
        return "tapgate's machines have no parallel port";
    if (is_one_of(driver, serial_cards))
        return "a VM of tapgate has one serial line only";
    return {};
}

}  // namespace

bool is_screen(std::string_view driver) {
    constexpr std::array<std::string_view, 21> screens = {
        "VGA",           "cirrus-vga",
        "qxl-vga",       "qxl",
        "virtio-vga",    "vmware-svga",
        "virtio-gpu",    "virtio-gpu-pci",
        "virtio-vga-gl", "virtio-gpu-gl",
        "secondary-vga", "virtio-gpu-gl-pci",
        "bochs-display", "virtio-vga-rutabaga",
        "ramfb",         "virtio-gpu-rutabaga",
        "ati-vga",       "virtio-gpu-rutabaga-pci",
        "isa-vga",       "isa-cirrus-vga",
        "vhost-user-vga"};
    return is_one_of(driver, screens);
}

std::string why_own_device(const std::string& driver, const Properties& properties) {
    constexpr std::array<std::string_view, 6> drives = {"ide-cd", "scsi-cd", "floppy",
                                                        "ide-hd", "scsi-hd", "usb-storage"};
    if (std::string why = why_own_controller(driver, properties); !why.empty())
        return why;
    if (std::string why = why_own_console(driver, properties); !why.empty())
        return why;
    if (is_virtio(driver, "balloon") || is_virtio(driver, "rng"))
        return "all of tapgate's VMs have one" + left_of(properties);
    if (driver == "pci-assign" || driver == "kvm-pci-assign")
        return "QEMU no longer has it: -device vfio-pci does this now";
    if (driver == "usb-redir" || driver == "usb-ccid" || driver.starts_with("ccid-card"))
        return "it is for a SPICE viewer, and tapgate's VMs have no SPICE";
    if (is_cpu(driver))
        return "cpus = counts these CPUs already";
    if (driver == "AMDVI-PCI")
        return "amd-iommu includes it";
    if (is_one_of(driver, drives) && !properties.has("drive"))
        return "the drive is empty";
    return {};
}

}  // namespace tapgate

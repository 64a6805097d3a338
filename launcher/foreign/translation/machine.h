// SPDX-License-Identifier: GPL-2.0-or-later
//
// What all parts of a translation know about the resulting machine, and how devices are kept on it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/translation/properties.h"
#include "launcher/foreign/translation/translation.h"

namespace tapgate {

struct LegacyDevice {
    std::string was;
    Properties properties;              ///< the model is `driver`
    bool taken = false;                 ///< a disk or an adapter uses it
    std::optional<unsigned> slot = {};  ///< where QEMU put it on machine pc, if it says none
};

/// The machine of the translation.
struct LegacyMachine {
    bool q35 = false;
    std::string default_adapter = "e1000";  ///< if no model is given (hw/i386/pc_q35.c)
    std::string directory;                  ///< where relative paths start
    bool has_usb = false;                   ///< a controller for kept devices has been added
    bool has_sound = false;                 ///< the backend of kept sound cards has been added
    std::map<std::string, std::string> card_ports;  ///< for the host's cards, by where they were

    /// Makes the path absolute. What has a protocol (nbd:...) is not a path, but after `fat:' and
    /// the like there is a directory.
    [[nodiscard]] std::string absolute(const std::string& path) const;
};

/// QEMU's rule for what is not a file: a colon comes before any slash.
bool has_protocol(std::string_view file);

/// The USB controller that kept devices get: with as many ports as it can have, since QEMU puts
/// what has no port of its own behind a slow hub (USB 1.1).
constexpr const char* kept_usb_controller = "qemu-xhci,id=keptusb,p2=15,p3=15";

/// Keeps a USB device, on a controller of its own. `place` is its bootindex as in BootOrder.
void keep_usb_device(const std::string& was, const std::vector<std::string>& before,
                     const Properties& device, LegacyMachine& machine, Translation& result,
                     const std::string& place = {}, std::string why = {});

/// Puts a card of the host's (vfio-pci) on a PCIe port of its own on q35, in case its driver looks
/// at that. Cards that were at the same `place` are functions of one card (`function` is ".1" or
/// empty) and stay together. Returns the port as options, as fast as `old_port`, unless it exists
/// already.
std::vector<std::string> place_on_port(LegacyMachine& machine, const std::string& place,
                                       const std::string& function, const Properties& old_port,
                                       Properties& card);

/// Keeps a sound card whose sound goes nowhere. `devices` are as in -device, and `left_out` is what
/// the note adds.
void keep_sound(const std::string& was, const std::vector<std::string>& devices,
                LegacyMachine& machine, Translation& result, const std::string& left_out = {});

/// The devices of a card that old QEMUs and libvirt call "ac97", "ich6", ...; empty when there are
/// none.
std::vector<std::string> sound_devices(std::string_view card);

/// What kind of firmware a file is, by its path.
enum class FirmwareKind { other, uefi, uefi_secure };
FirmwareKind firmware_kind(std::string_view file);

/// Whether virtio devices of this model ("virtio-blk-pci-transitional") have the same PCI ID as
/// tapgate's. On PCI Express, as on q35, those are virtio 1.0 only; on pc they also support 0.9.
bool is_as_virtio_here(std::string_view model, bool q35);

/// A list of properties for a note: "a and b", "a, b and c".
std::string listed(const std::vector<Properties::Property>& properties);

/// Whether the path is the user's own, and does not belong to a run of libvirt's, Proxmox' or
/// another service.
bool is_users_path(std::string_view path);

/// An IOMMU of AMD's. In JSON, for which QEMU waits until everything else has its place: the PCI
/// device that comes with it would otherwise take the screen's.
std::string amd_iommu(const Properties& properties);

/// A virtserialport or virtconsole on the controller that all of tapgate's VMs have. In JSON, since
/// QEMU makes other devices before those in JSON, which tapgate's own are.
std::string serial_port_device(const std::string& driver, const std::string& chardev,
                               const std::string& name);

}  // namespace tapgate

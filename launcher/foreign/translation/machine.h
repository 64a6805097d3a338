// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the parts of a translation know of the machine that comes out of it, and how devices are
// kept on it.
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
    Properties properties;  ///< the model is `driver`
    bool taken = false;     ///< a disk or an adapter has it
};

/// What the machine of the translation is like.
struct LegacyMachine {
    bool q35 = false;
    std::string default_adapter = "e1000";  ///< where no model was said (hw/i386/pc_q35.c)
    std::string directory;                  ///< where relative paths start
    bool has_usb = false;                   ///< a controller for kept devices has been added
    bool has_sound = false;                 ///< the backend of kept sound cards has been added
    std::map<std::string, std::string> card_ports;  ///< of the host's cards, by where they were

    /// The path as it is from everywhere. What has a protocol (nbd:...) is no path; but behind
    /// `fat:', and what else that says, is a directory.
    [[nodiscard]] std::string absolute(const std::string& path) const;
};

/// QEMU's rule for what is no file: a colon before any slash.
bool has_protocol(std::string_view file);

/// Keeps a USB device, on a controller of its own; `place` is its bootindex as BootOrder has it.
void keep_usb_device(const std::string& was, const std::vector<std::string>& before,
                     const Properties& device, LegacyMachine& machine, Translation& result,
                     const std::string& place = {}, std::string why = {});

/// Puts a card of the host's (vfio-pci) on a PCIe port of q35 of its own, which its driver may look
/// at. Those that were at the same `place` are functions of one card (`function`: ".1", or nothing)
/// and stay together. Returns the port as options, as fast as `old_port`, unless it is there.
std::vector<std::string> place_on_port(LegacyMachine& machine, const std::string& place,
                                       const std::string& function, const Properties& old_port,
                                       Properties& card);

/// Keeps a sound card whose sound goes nowhere: `devices` as -device has them. `left_out`: what the
/// note says besides.
void keep_sound(const std::string& was, const std::vector<std::string>& devices,
                LegacyMachine& machine, Translation& result, const std::string& left_out = {});

/// The devices of a card that old QEMUs and libvirt call "ac97", "ich6", ...; empty: there is none.
std::vector<std::string> sound_devices(std::string_view card);

/// What a firmware's file is, by its path.
enum class FirmwareKind { other, uefi, uefi_secure };
FirmwareKind firmware_kind(std::string_view file);

/// Do virtio devices of this model, "virtio-blk-pci-transitional", have the ID that tapgate's have?
/// Behind PCI Express, as on q35, those are of virtio 1.0 only; on pc they are of 0.9, too.
bool is_as_virtio_here(std::string_view model, bool q35);

/// "a and b", "a, b and c": properties that a note names.
std::string listed(const std::vector<Properties::Property>& properties);

/// Is the path the user's own, and not one of a run of libvirt's, Proxmox' or another service's?
bool is_users_path(std::string_view path);

/// An IOMMU of AMD's. As JSON, for which QEMU waits until all else has its place: the PCI device
/// that it brings along would take that of the screen.
std::string amd_iommu(const Properties& properties);

/// A virtserialport or a virtconsole, on the controller that all of tapgate's VMs have. As JSON:
/// QEMU makes devices that are said otherwise before those that are JSON, which its own are.
std::string serial_port_device(const std::string& driver, const std::string& chardev,
                               const std::string& name);

}  // namespace tapgate

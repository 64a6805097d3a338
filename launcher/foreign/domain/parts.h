// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the readers of a libvirt domain's parts share; each of them is in a file of its own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <pugixml.hpp>
#include <set>
#include <string>

#include "launcher/foreign/domain/xml_left.h"
#include "launcher/foreign/translation/boot_order.h"
#include "launcher/foreign/translation/disks.h"
#include "launcher/foreign/translation/machine.h"
#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// What is known about the domain while it is being read.
struct DomainParts {
    std::string source;      ///< how errors name the file
    std::string hypervisor;  ///< what ran it; empty for KVM or QEMU
    Translation result;
    XmlLeft xml;
    LegacyMachine machine;
    BootOrder boot;
    ForeignDisks disks{machine, boot, result};
    bool secure_boot = false;
    bool smm = false;
    bool uefi = false;
    bool has_memory = false;
    bool has_acpi = false;
    bool has_net = false;
    bool has_screen = false;
    std::uint64_t cpus = 1;
    std::string smbios;  ///< <smbios mode=>
    unsigned serials = 0;
    unsigned nets = 0;  ///< adapters that became settings
    unsigned kept_nets = 0;
    std::set<unsigned> slots;    ///< on the PCI bus of a pc, in which adapters stay
    unsigned kept_memories = 0;  ///< and other kept parts, to number their ids
    double memory = 0;           ///< bytes
    std::map<std::string, std::string> scsi_controllers;  ///< their models, by index
    std::vector<std::string> disk_buses;                  ///< in the order in which disks used them
    std::map<const void*, unsigned> adapters;  ///< where in the file each <interface> is, from 0
    std::string nvme_serial;                   ///< of the controller for disks with bus='nvme'
    std::string usb_controller;                ///< the model of the controller for USB devices

    /// <boot dev='network'> means the first adapter of the file, wherever the guest finds it.
    [[nodiscard]] unsigned adapter_rank(const pugi::xml_node& interface) const;

    void set(const std::string& was, const std::string& key, const std::string& value,
             const std::string& why = {});
    /// Adds a note that the element was dropped, with its unread parts in its own words.
    void drop(const pugi::xml_node& node, const std::string& why);
    /// Returns `why`, followed by the element's unread parts.
    [[nodiscard]] std::string with_left(const pugi::xml_node& node, std::string why);
};

/// <disk>; `machine` and the controllers are known by then.
void read_domain_disk(DomainParts& domain, const pugi::xml_node& disk);

/// <interface>.
void read_domain_interface(DomainParts& domain, const pugi::xml_node& interface);

/// Any other device.
void read_domain_device(DomainParts& domain, const pugi::xml_node& device);

/// How many CPUs the guest starts with, from <vcpu>.
std::uint64_t domain_cpus(const pugi::xml_node& vcpu);

/// <vcpu> and <cpu>; the number of CPUs is known by then.
void read_domain_vcpu(DomainParts& domain, const pugi::xml_node& vcpu);
void read_domain_cpu(DomainParts& domain, const pugi::xml_node& cpu);

/// The bytes in <memory unit='KiB'>; nothing if it is not a size.
std::optional<double> domain_bytes(XmlLeft& xml, const pugi::xml_node& node);

/// <memoryBacking>, and <numa> of <cpu>: what backs the memory. <memory> and <vcpu> are known by
/// then.
void read_domain_backing(DomainParts& domain, const pugi::xml_node& root);

/// Devices that QEMU takes as they are (kept.cc).
void read_domain_tpm(DomainParts& domain, const pugi::xml_node& tpm);
void read_domain_vsock(DomainParts& domain, const pugi::xml_node& vsock);
void read_domain_iommu(DomainParts& domain, const pugi::xml_node& iommu);
void read_domain_shared_memory(DomainParts& domain, const pugi::xml_node& shmem);
void read_domain_crypto(DomainParts& domain, const pugi::xml_node& crypto);
void read_domain_pstore(DomainParts& domain, const pugi::xml_node& pstore);
/// Whether the guest's memory is shared, if at all, in the same way as for share=DIR,via=virtiofs.
bool has_plain_shared_memory(const pugi::xml_node& domain);

/// Whether the <filesystem> is a directory by virtiofs that share= can express.
bool is_virtiofs_share(const pugi::xml_node& filesystem);

/// Keep devices on a socket of the user; false for any other, which another function reads.
bool keep_domain_virtiofs(DomainParts& domain, const pugi::xml_node& filesystem);
bool keep_domain_channel(DomainParts& domain, const pugi::xml_node& channel);
bool keep_domain_vhost_net(DomainParts& domain, const pugi::xml_node& interface,
                           const std::string& model);
/// `rank` is its place among the disks.
bool keep_domain_vhost_disk(DomainParts& domain, const pugi::xml_node& disk, unsigned rank);

/// <memory>.
void read_domain_memory(DomainParts& domain, const pugi::xml_node& memory);

/// The same for a domain without <memory>, whose NUMA nodes give it; nothing if there are none.
void read_domain_node_memory(DomainParts& domain, const pugi::xml_node& root);

/// <type> of <os>: the machine, which decides which buses the disks are on. Throws a LauncherError
/// for a machine that is not a PC.
void read_domain_machine(DomainParts& domain, const pugi::xml_node& os);

/// The rest of <os>; the machine is known by then.
void read_domain_os(DomainParts& domain, const pugi::xml_node& os);

/// <loader>, <nvram> and <firmware> of <os>.
void read_domain_firmware(DomainParts& domain, const pugi::xml_node& os);

/// <clock> and its timers; <features>.
void read_domain_clock(DomainParts& domain, const pugi::xml_node& clock);
void read_domain_features(DomainParts& domain, const pugi::xml_node& features);

/// <sysinfo>: what the guest is told about its maker.
void read_domain_sysinfo(DomainParts& domain, const pugi::xml_node& sysinfo);

/// "0000:06:12.5" of <address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/>.
std::string domain_pci_address(XmlLeft& xml, const pugi::xml_node& address);

/// The device's place on PCI as a number in whose order the guest finds its devices; nothing if it
/// has no such address.
std::optional<unsigned> domain_pci_place(const pugi::xml_node& device);

/// The model of the SCSI controller, which libvirt chooses if none is given.
std::string scsi_model_of(const DomainParts& domain, const std::string& index);

/// <boot order=> of a device; nothing when it has none.
std::optional<std::uint64_t> boot_order_of(DomainParts& domain, const pugi::xml_node& device);

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// An old QEMU command line while it is being translated: what its options mean, until it is
// known what belongs together. Each option's handler is in one of the files named below, as the
// table in table.cc says.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/foreign/legacy/nodes.h"
#include "launcher/foreign/legacy/options.h"
#include "launcher/foreign/shell/made_image.h"
#include "launcher/foreign/translation/boot_order.h"
#include "launcher/foreign/translation/disks.h"
#include "launcher/foreign/translation/machine.h"
#include "launcher/foreign/translation/properties.h"
#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// What other options refer to by its id: -object, -chardev, -fsdev, -tpmdev.
struct LegacyPart {
    std::string option;  ///< "object"
    std::string was;
    Properties properties;
    std::string first_key;  ///< the key of its first word: "qom-type"
    bool done = false;      ///< kept, or named in a note
};

struct LegacyDisks {
    std::vector<LegacyDrive> drives;
    std::vector<LegacyDrive> nodes;                                ///< from -blockdev
    std::vector<std::pair<std::string, std::string>> flash_nodes;  ///< "pflash0", and a node's name
    std::vector<std::pair<char, std::string>> floppies;            ///< 'A', and a drive's id
    std::vector<std::pair<char, std::string>> floppy_orders;       ///< 'A', and a bootindex
};

/// One end of a wire: the guest's adapter, or the host's end.
struct NetEnd {
    std::string was;
    Properties properties;
    std::string kind;  ///< the host's end: "tap", "user"; an adapter: its model, or empty
    std::string wire;  ///< what both ends have in common: "vlan 0", or an id
    std::optional<unsigned> slot =
        {};  ///< where QEMU put the adapter on machine pc, if it says none
};

struct LegacyNets {
    std::vector<NetEnd> adapters;
    std::vector<NetEnd> hosts;
    /// Properties of the first user network, each with the option that gave it (-redir, -tftp).
    std::vector<std::pair<std::string, std::string>> user_options;
    std::string none_was;                  ///< -net none as written; empty if not given
    bool defaults = true;                  ///< there is no -nodefaults
    std::optional<unsigned> default_slot;  ///< of QEMU's default adapter on machine pc
    bool partial = false;   ///< from a part of a command line, where what is missing means nothing
    std::string slot_name;  ///< how Linux calls an adapter that says its PCI slot; "ens3"
};

struct LegacyParts {
    Translation result;
    LegacyMachine machine;
    BootOrder boot;
    ForeignDisks disks{machine, boot, result};

    std::string machine_type;
    std::string machine_was;
    std::string machine_why;
    std::vector<std::string> machine_kept;  ///< properties of -machine for devices that are kept
    LegacyDisks drives;
    std::vector<LegacyDevice> devices;
    std::vector<LegacyPart> parts;
    std::vector<LegacyOption> numa;
    std::vector<LegacyOption> iscsi;
    std::vector<LegacyOption> bios;  ///< each -bios, and firmware= of -machine
    LegacyNets nets;
    std::vector<std::string> around;  ///< sudo, nohup and the like
    std::vector<MadeImage> images;    ///< images that the script with the command line makes
    bool partial = false;  ///< without QEMU's name: what is missing may have been in another part
    bool has_memory = false;
    std::uint64_t memory = 0;    ///< MiB
    std::string machine_memory;  ///< the object that -machine's memory-backend= names
    unsigned plugged_cpus = 0;   ///< CPUs that are separate devices
    bool more_cpus = false;      ///< more could have been plugged in later
    std::string memory_slots;    ///< what -m says about memory that is plugged in
    bool tcg = false;
    bool accelerator_said = false;  ///< -accel was given
    bool smm = false;
    bool secure_flash = false;  ///< only SMM may write to the flash memory
    bool screen = false;
    std::string no_screen;  ///< -nographic and the like
    std::string no_vga;     ///< -vga none
    bool vga_said = false;
    bool opengl = false;   ///< the host's graphics card drew the screen
    bool defaults = true;  ///< there is no -nodefaults
    unsigned serials = 0;
    unsigned usb_disks = 0;
    bool has_drive = false;  ///< a disk, CD-ROM or kernel to boot from
    unsigned places = 0;     ///< bus= and addr= of devices, whose places tapgate chooses itself

    void set(const std::string& was, const std::string& key, const std::string& value,
             const std::string& why = {}) {
        result.set(key, value);
        result.changed(was, key + " = " + value, why);
    }
};

using LegacyHandler = void (*)(LegacyParts&, const LegacyOption&);

/// For any option: keep it as it is, with absolute paths; or name it as dropped.
void keep_option(LegacyParts& parts, const LegacyOption& option);
void drop_option(LegacyParts& parts, const LegacyOption& option);

/// The machine and its main parts (system.cc).
void take_machine(LegacyParts& parts, const LegacyOption& option);
void take_accel(LegacyParts& parts, const LegacyOption& option);
void take_kvm(LegacyParts& parts, const LegacyOption& option);
void take_tcg(LegacyParts& parts, const LegacyOption& option);
void take_memory(LegacyParts& parts, const LegacyOption& option);
void take_name(LegacyParts& parts, const LegacyOption& option);
void take_uuid(LegacyParts& parts, const LegacyOption& option);
void take_boot(LegacyParts& parts, const LegacyOption& option);
void take_kernel(LegacyParts& parts, const LegacyOption& option);
void take_localtime(LegacyParts& parts, const LegacyOption& option);
void take_startdate(LegacyParts& parts, const LegacyOption& option);
void take_rtc(LegacyParts& parts, const LegacyOption& option);
void take_snapshot(LegacyParts& parts, const LegacyOption& option);
void take_nodefaults(LegacyParts& parts, const LegacyOption& option);
void take_no_acpi(LegacyParts& parts, const LegacyOption& option);
void take_iscsi(LegacyParts& parts, const LegacyOption& option);
/// Keeps -iscsi, which is for disks on iSCSI, if one is kept.
void add_iscsi(LegacyParts& parts);
void take_realtime(LegacyParts& parts, const LegacyOption& option);
void take_overcommit(LegacyParts& parts, const LegacyOption& option);
void take_readconfig(LegacyParts& parts, const LegacyOption& option);
void take_global(LegacyParts& parts, const LegacyOption& option);
void add_machine(LegacyParts& parts);

/// CPUs (cpus.cc).
void take_cpus(LegacyParts& parts, const LegacyOption& option);
void take_cpu(LegacyParts& parts, const LegacyOption& option);
/// Is it a CPU in the form that -device has for those that are plugged in?
bool is_cpu(std::string_view driver);
/// To be called before -smp is read, which only says how many there are at first.
void count_plugged_cpus(LegacyParts& parts, const std::vector<LegacyOption>& options);

/// Memory (memory.cc).
void take_memory_path(LegacyParts& parts, const LegacyOption& option);
void take_numa(LegacyParts& parts, const LegacyOption& option);
/// Adds the default size if none was given, the object that backs the memory, and NUMA nodes.
void add_memory(LegacyParts& parts);
/// Whether -machine names a memory object that only has a size.
bool has_plain_memory(const LegacyParts& parts);
/// Makes an object fit this user's QEMU: memory in libvirt's files becomes memory without a file.
/// Returns what was changed; may be empty.
std::string fit_object(Properties& object);

/// The bus that a device gives, empty for the board's own, and its place there, in the order in
/// which a guest finds devices. Nothing if the device gives no place.
std::optional<std::pair<std::string, unsigned>> pci_place(const Properties& device);

/// Disks, CD-ROMs, floppies (disks.cc).
void take_disk(LegacyParts& parts, const LegacyOption& option);
/// Throws if QEMU would take the word as a disk's name, but it cannot be one.
void require_name_of_disk(const std::string& word);
void take_blockdev(LegacyParts& parts, const LegacyOption& option);
/// Adds the disks to the result, with a note for each; marks the devices that belong to them.
void translate_disks(LegacyParts& parts);

/// Firmware (flash.cc).
void take_bios(LegacyParts& parts, const LegacyOption& option);
/// Takes flash memory from the drives. The first unit is the code and the second the variables,
/// whatever they are called. Without any, -bios counts.
void translate_flash(LegacyParts& parts);

/// Tells the options of adapters, and other devices, in which slot QEMU puts them on machine pc, if
/// they say none and that can be known; returns that of QEMU's default adapter (pc_slots.cc).
std::optional<unsigned> place_on_pc(std::vector<LegacyOption>& options);

/// Adapters (net_options.cc, nets.cc).
void take_net(LegacyParts& parts, const LegacyOption& option);
void take_redir(LegacyParts& parts, const LegacyOption& option);
/// Adds the adapters to the result, with a note for each; marks the devices that belong to them.
void translate_nets(LegacyParts& parts);

/// Screens (screen.cc).
void take_display(LegacyParts& parts, const LegacyOption& option);
void take_nographic(LegacyParts& parts, const LegacyOption& option);
void take_vnc(LegacyParts& parts, const LegacyOption& option);
void take_screen(LegacyParts& parts, const LegacyOption& option);
void take_vga(LegacyParts& parts, const LegacyOption& option);
void add_display(LegacyParts& parts);

/// Devices other than disks and adapters (devices.cc).
void take_device(LegacyParts& parts, const LegacyOption& option);
void take_serial(LegacyParts& parts, const LegacyOption& option);
void take_sound(LegacyParts& parts, const LegacyOption& option);
void take_audio(LegacyParts& parts, const LegacyOption& option);
void take_usb_device(LegacyParts& parts, const LegacyOption& option);
void take_watchdog(LegacyParts& parts, const LegacyOption& option);
void add_devices(LegacyParts& parts);
/// Puts a card of the host's (vfio-pci) onto a place on q35 like the old one, since its driver may
/// look at that: on its own PCIe port, if it was on one, or is one of several functions, which stay
/// together. `before` has the old place. Returns the port as options, unless it exists already
/// (host_cards.cc).
std::vector<std::string> place_host_card(LegacyParts& parts, const Properties& before,
                                         Properties& card);

/// Devices that tapgate's machines have themselves (own_devices.cc): why the device is not taken
/// over; empty if it is.
std::string why_own_device(const std::string& driver, const Properties& properties);
/// Is it a VGA adapter, or another screen?
bool is_screen(std::string_view driver);

/// What devices refer to by an id (references.cc).
void take_part(LegacyParts& parts, const LegacyOption& option);
/// Keeps what the properties refer to, with another id if tapgate uses that itself. Returns why it
/// cannot be kept; empty if it is.
std::string keep_references(LegacyParts& parts, Properties& properties);
/// Gives other devices that the properties refer to the ids with which they are kept. Returns the
/// id that the device itself needs; empty if no other refers to it.
std::string fit_device_ids(const LegacyParts& parts, Properties& properties);
/// Is there such a device, other than those of disks and adapters?
bool has_device(const LegacyParts& parts, std::string_view driver);
/// Whether the throttle group with this id limits anything, as far as the command line says.
bool has_limits(const LegacyParts& parts, std::string_view id);
/// Keeps parts to which nothing refers but which do something by themselves, and names the others.
void add_unused_parts(LegacyParts& parts);

/// Makes paths absolute in the values of options that are kept (system.cc).
void make_paths_absolute(const LegacyMachine& machine, Properties& properties);

/// Whether it is a ROM that comes with QEMU, which finds it by its name; any other name is a
/// file's, relative to where QEMU was started.
bool is_rom_of_qemu(std::string_view name);

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/appliance/foreign_file.h"
#include "launcher/foreign/appliance/ovf_boot.h"
#include "launcher/foreign/appliance/ovf_choice.h"
#include "launcher/foreign/appliance/ovf_firmware.h"
#include "launcher/foreign/appliance/ovf_guest.h"
#include "launcher/foreign/appliance/ovf_hardware.h"
#include "launcher/foreign/appliance/ovf_sections.h"
#include "launcher/foreign/appliance/ovf_virtualbox.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"
#include "launcher/vm/name.h"

namespace tapgate {

namespace {

// CIM_ResourceAllocationSettingData.ResourceType
enum class Resource : unsigned {
    cpu = 3,
    memory = 4,
    ide = 5,
    scsi = 6,
    ethernet = 10,
    floppy = 14,
    cdrom = 15,
    dvd = 16,
    disk = 17,
    extent = 19,
    storage = 20,
    logical_disk = 31,
    volume = 32,
};

// A ResourceSubType may be several words separated by blanks, each of which will do (DMTF DSP0243,
// 8.1), or, as OVF 0.9 had it, by commas. They are written in small or capital letters.
std::vector<std::string> alternatives(std::string_view type) {
    std::vector<std::string> all;
    while (!type.empty()) {
        const size_t end = std::min(type.find_first_of(", \t\r\n"), type.size());
        if (end > 0)
            all.push_back(in_small_letters(type.substr(0, end)));
        type.remove_prefix(std::min(end + 1, type.size()));
    }
    return all;
}

// The model= for the same adapter; empty if there is none like it. oVirt writes numbers.
std::string_view model_named(std::string_view type) {
    if (is_one_of(type, {"e1000e", "virtuale1000e", "6"}))
        return "e1000e";
    if (is_one_of(type, {"e1000", "virtuale1000", "82540em", "2"}))
        return "e1000";
    if (is_one_of(type, {"virtio", "virtionet", "virtio-net", "virtio-net-pci", "3"}))
        return "virtio";
    return is_one_of(type, {"rtl8139", "1"}) ? "rtl8139" : "";
}

std::string_view adapter_model(std::string_view type) {
    for (const std::string& one : alternatives(type)) {
        if (const std::string_view model = model_named(one); !model.empty())
            return model;
    }
    return {};
}

// A controller of disks.
struct DiskController {
    std::string kind;  // in the appliance's words; empty if it does not say
    bool ide = false;
};

// The bus that a controller's disks get here; SATA if there is none like it.
DiskBus bus_on(std::string_view kind) {
    for (const std::string& one : alternatives(kind)) {
        if (is_one_of(one, {"virtioscsi", "virtio-scsi"}))
            return DiskBus::scsi;
        if (is_one_of(one, {"virtio", "virtio-blk"}))
            return DiskBus::virtio;
    }
    return DiskBus::sata;
}

bool is_sata(std::string_view kind) {
    return is_one_of(in_small_letters(kind), {"ahci", "vmware.sata.ahci", "sata"});
}

// A disk of the VM, before the machine is known.
struct FoundDisk {
    size_t item = 0;  // its place among the items
    ApplianceDisk disk;
    DiskController controller;
    bool moves_to_ide = false;
    std::string why;
};

// Can this disk be on IDE instead of SATA?
bool fits_ide(const FoundDisk& disk) {
    return disk.disk.bus == DiskBus::sata && bus_on(disk.controller.kind) == DiskBus::sata;
}

bool is_disk(const OvfItem& item) {
    switch (static_cast<Resource>(item.type)) {
        case Resource::disk:
            return true;
        case Resource::cpu:
        case Resource::memory:
        case Resource::ethernet:
        case Resource::cdrom:
        case Resource::dvd:
        case Resource::floppy:
            return false;
        case Resource::extent:
        case Resource::logical_disk:
        case Resource::volume:
            return !item.text("HostResource").empty() || !item.text("VirtualQuantity").empty();
        default:
            // Other programs have their own numbers for disks, or put disks in the place of memory.
            return item.text("HostResource").find("/disk/") != std::string::npos;
    }
}

std::string words_for(const OvfItem& item) {
    return "Item " + (item.name.empty() ? "of type " + std::to_string(item.type) : item.name);
}

class OvfReader {
  public:
    OvfReader(const std::string& source, ApplianceWishes wishes)
        : source_(source), wishes_(std::move(wishes)) {}

    Appliance read(std::string_view text) {
        pugi::xml_document document;
        parse_xml(document, text, source_);
        const pugi::xml_node envelope = child_named(document, "Envelope");
        if (!envelope)
            throw LauncherError(
                source_ +
                (is_of_vcloud(local_name(document.document_element().name()))
                     ? ": it is what vCloud says about a vApp, without its disks: import "
                       "the output of `ovftool vcloud://... FILE.ova' or the OVA that its web "
                       "page downloads"
                     : ": not an OVF descriptor"));
        name_envelope(envelope, result_.translation);
        const pugi::xml_node system =
            choose_ovf_system(envelope, wishes_.vm, source_, result_.translation);
        configuration_ =
            choose_ovf_configuration(envelope, wishes_.configuration, source_, result_.translation);
        guest_ = read_ovf_guest(system);
        refuse_other_processors();
        disks_.read_properties(system, configuration_);
        disks_.read_files(envelope);
        read_name(system);
        const pugi::xml_node hardware = ovf_section(system, "VirtualHardwareSection");
        if (!hardware)
            throw LauncherError(source_ + ": it describes no hardware (no VirtualHardwareSection)");
        virtualbox_adapters_ = virtualbox_adapters(system);
        boot_ = read_ovf_boot(system);
        read_ovf_firmware(system, hardware, configuration_, result_.translation);
        read_hardware(hardware, ovirt_machine(system));
        read_virtualbox_clock(system, result_.translation);
        read_net_boot();
        name_left_sections(envelope, system, read_sections_, result_.translation);
        for (const std::string& file : disks_.unused())
            result_.translation.dropped(
                file, file.ends_with(".nvram'>")
                          ? "the settings of VMware's firmware, which no other firmware can read"
                          : "no disk of the VM uses it");
        if (!has_memory_) {
            result_.translation.set("memory", "1G");
            result_.translation.added("memory = 1G",
                                      "none of the appliance's items says how much memory it has");
        }
        if (nets_ == 0) {
            result_.translation.set("net", "none");
            result_.translation.added("net = none", "the appliance has no network adapter");
        }
        return std::move(result_);
    }

  private:
    void read_name(const pugi::xml_node& system) {
        const std::string name = text_of(system, "Name");
        const std::string id = attribute_of(system, "id");
        const std::string& used = name.empty() ? id : name;
        result_.translation.name = fitting_name(used);
        std::string why = why_name;
        // oVirt's VMs all have the same.
        if (!name.empty() && id != name && !id.empty() && id != "out")
            add_reason(why, "its id in the appliance was " + id);
        if (!used.empty())
            result_.translation.changed(name.empty() ? tag_of(system) : "<Name>" + name,
                                        "VM " + result_.translation.name, why);
    }

    // Such a guest would not start, without a word why.
    void refuse_other_processors() const {
        if (!guest_.processor.empty())
            throw LauncherError(source_ + ": its guest is for another processor (" +
                                shown(guest_.processor) + "): tapgate's VMs are x86 PCs");
    }

    // `machine` is what oVirt says; empty if it says nothing.
    void read_hardware(const pugi::xml_node& hardware, std::string_view machine) {
        std::vector<OvfItem> items = read_ovf_items(hardware, configuration_, result_.translation);
        drop_repeated(items);
        for (const OvfItem& item : items) {
            if (item.type == static_cast<unsigned>(Resource::scsi) ||
                item.type == static_cast<unsigned>(Resource::ide) ||
                item.type == static_cast<unsigned>(Resource::storage)) {
                const std::string kind = item.text("ResourceSubType");
                const bool ide = item.type == static_cast<unsigned>(Resource::ide) &&
                                 bus_on(kind) == DiskBus::sata;
                if (const std::string id = item.id(); !id.empty())
                    controllers_[id] = {!kind.empty() ? kind : ide ? "IDE" : item.name, ide};
            }
        }
        std::vector<FoundDisk> disks;
        for (size_t i = 0; i < items.size(); i++) {
            if (is_disk(items[i]))
                disks.push_back(find_disk(items[i], i));
        }
        disks_found_ = disks.size();
        choose_machine(disks, text_of(child_named(hardware, "System"), "VirtualSystemType"),
                       machine);
        auto disk = disks.begin();
        for (size_t i = 0; i < items.size(); i++) {
            if (disk != disks.end() && disk->item == i)
                add_disk(items[i], *disk++);
            else
                read_item(items[i]);
        }
        // A BIOS tries disks on IDE first; oVirt says which disk it tries first.
        std::stable_partition(result_.disks.begin(), result_.disks.end(),
                              [](const auto& one) { return one.bus == DiskBus::ide; });
        std::stable_partition(result_.disks.begin(), result_.disks.end(),
                              [](const auto& one) { return one.is_first; });
    }

    // A disk that two items name is one disk if they have the same place, and else each has its own
    // (vCenter's appliance has many blank ones, by few names). Of several items for CPUs or memory,
    // the last counts.
    void drop_repeated(std::vector<OvfItem>& items) {
        std::set<std::vector<std::string>> seen;
        std::erase_if(items, [&](const OvfItem& item) {
            const std::string resource = item.text("HostResource");
            if (!is_disk(item) || resource.empty() ||
                seen.insert({resource, item.text("Parent"), item.text("AddressOnParent")}).second)
                return false;
            result_.translation.dropped(words_for(item), "the same disk again: " + shown(resource));
            return true;
        });
        for (const Resource kind : {Resource::cpu, Resource::memory}) {
            const auto is_one = [&](const OvfItem& item) {
                return item.type == static_cast<unsigned>(kind) &&
                       !item.text("VirtualQuantity").empty();
            };
            auto more = std::count_if(items.begin(), items.end(), is_one);
            std::erase_if(items, [&](const OvfItem& item) {
                if (!is_one(item) || --more == 0)
                    return false;
                result_.translation.dropped(
                    words_for(item),
                    "there are several of these, and the last one counts; left out: " +
                        item.left());
                return true;
            });
        }
    }

    // An old guest with a disk on IDE (Windows XP, DOS) has no drivers for anything newer, so it
    // gets a machine that has IDE. So does one that had SCSI: its Windows comes without a driver
    // for SATA, but with those for IDE, for its CD drive. UEFI came together with SATA, and oVirt's
    // q35 has no IDE.
    void choose_machine(std::vector<FoundDisk>& disks, const std::string& family,
                        std::string_view ovirt) {
        auto on_ide = std::count_if(disks.begin(), disks.end(),
                                    [](const auto& disk) { return disk.controller.ide; });
        const bool moves = on_ide == 0 && guest_.no_sata && !has_sata();
        if (moves)
            on_ide = std::count_if(disks.begin(), disks.end(), fits_ide);
        constexpr unsigned most_ide = 4;
        keeps_ide_ = on_ide > 0 && on_ide <= most_ide && !wishes_.virtio && !wishes_.q35 &&
                     !has_uefi() && ovirt != "q35";
        for (FoundDisk& disk : disks)
            disk.moves_to_ide = keeps_ide_ && moves && fits_ide(disk);
        const bool pc = keeps_ide_ || (ovirt == "pc" && !wishes_.q35);
        const std::string machine = pc ? "pc" : "q35";
        result_.translation.set("machine", machine);
        std::string why =
            "disks that were not on virtio are now on SATA, or with --virtio on virtio";
        if (keeps_ide_)
            why = moves ? "this machine has IDE, and the guest has no driver for SATA"
                        : "this machine has IDE, and a disk was on IDE; disks that were on neither "
                          "IDE nor virtio are now on SATA (with --virtio, all disks are on virtio)";
        if (family.empty())
            result_.translation.added("machine = " + machine, why);
        else
            result_.translation.changed("<System>" + family, "machine = " + machine, why);
    }

    [[nodiscard]] bool has_sata() const {
        return std::any_of(controllers_.begin(), controllers_.end(),
                           [](const auto& one) { return is_sata(one.second.kind); });
    }

    [[nodiscard]] bool has_uefi() const {
        const auto& settings = result_.translation.settings;
        return std::any_of(settings.begin(), settings.end(),
                           [](const auto& one) { return one.first == "firmware"; });
    }

    [[nodiscard]] DiskController controller_of(const OvfItem& item) const {
        const auto found = controllers_.find(item.text("Parent"));
        return found == controllers_.end() ? DiskController() : found->second;
    }

    void read_item(OvfItem& item) {
        const std::string was = words_for(item);
        switch (static_cast<Resource>(item.type)) {
            case Resource::cpu:
                read_cpus(item, was);
                break;
            case Resource::memory:
                read_memory(item, was);
                break;
            case Resource::ethernet:
                read_adapter(item, was);
                break;
            case Resource::cdrom:
            case Resource::dvd:
            case Resource::floppy:
                read_drive(item, was);
                break;
            default: {
                std::string why =
                    item.text("ResourceSubType") == "vmware.vtpm"
                        ? "an appliance does not contain what was in its TPM (such as BitLocker's "
                          "key); for a new TPM, start swtpm, and add -chardev, -tpmdev and -device "
                          "with --qemu-arg"
                    // Type 1 is "Other": a card of the host's, or something else without a number.
                    : item.type == 1 ? "tapgate has no setting for it"
                                     : "tapgate's VMs have one of their own, or none";
                if (const std::string left = item.left(); !left.empty())
                    add_reason(why, "left out: " + left);
                result_.translation.dropped(was, why);
                break;
            }
        }
    }

    void set(const std::string& was, const std::string& key, const std::string& value,
             std::string why, const OvfItem& item) {
        if (const std::string left = item.left(); !left.empty())
            add_reason(why, "left out: " + left);
        result_.translation.set(key, value);
        result_.translation.changed(was, key + " = " + value, why);
    }

    // 0 if it is not given.
    unsigned cpu_number(OvfItem& item, const std::string& key, const std::string& was) {
        const std::string text = disks_.resolved(item.take(key), ", or use --cpus=N");
        const auto number = text.empty() ? std::optional(0.0) : ovf_number(text);
        if (!number || *number > CpuTopology::most_cpus || *number != std::floor(*number))
            throw LauncherError(source_ + ": " + shown(was) + ": " + quoted_word(text) +
                                " is not a number of CPUs (1 to 255)");
        return static_cast<unsigned>(*number);
    }

    // The option on the command line replaces it.
    void leave_quantity(OvfItem& item, const std::string& was, const std::string& option) {
        const std::string units = item.take_units();
        const std::string quantity = item.take("VirtualQuantity");
        std::string why = option + " is used instead";
        if (!quantity.empty())
            why += "; it was " + quantity + (units.empty() ? "" : " " + units);
        if (const std::string left = item.left(); !left.empty())
            add_reason(why, "left out: " + left);
        result_.translation.dropped(was, why);
    }

    void read_cpus(OvfItem& item, const std::string& was) {
        if (wishes_.cpus)
            return leave_quantity(item, was, "--cpus=");
        item.take("VirtualQuantityUnits");
        if (item.text("VirtualQuantity").empty() && item.text("num_of_sockets").empty() &&
            !item.text("Reservation").empty()) {
            result_.translation.dropped(
                was, "it says how fast the CPUs are, not how many there are: " + item.left());
            return;
        }
        unsigned cpus = cpu_number(item, "VirtualQuantity", was);
        const unsigned said_sockets = cpu_number(item, "num_of_sockets", was);
        unsigned said_cores = cpu_number(item, "CoresPerSocket", was);
        if (said_cores == 0)
            said_cores = cpu_number(item, "cpu_per_socket", was);
        const unsigned said_threads = cpu_number(item, "threads_per_cpu", was);
        const unsigned sockets = std::max(1U, said_sockets);
        const unsigned cores = std::max(1U, said_cores);
        const unsigned threads = std::max(1U, said_threads);
        if (cpus == 0)
            cpus = sockets * cores * threads;
        item.take("AllocationUnits");
        if (cpus > CpuTopology::most_cpus)
            throw LauncherError(source_ + ": " + shown(was) + ": a VM has 1 to 255 CPUs");
        std::string value = std::to_string(cpus);
        std::string why;
        // One core per socket is many sockets; without a word, tapgate's CPUs are on one.
        const bool said = said_sockets + said_cores + said_threads > 0;
        if (said && cpus > 1 && cpus % (cores * threads) == 0)
            value += ",sockets=" + std::to_string(cpus / (cores * threads)) +
                     ",cores=" + std::to_string(cores) + ",threads=" + std::to_string(threads);
        else if (cores * threads > 1)
            add_reason(why, std::to_string(cores) + " cores per socket do not make " +
                                std::to_string(cpus) + " CPUs");
        set(was, "cpus", value, why, item);
    }

    void read_memory(OvfItem& item, const std::string& was) {
        has_memory_ = true;
        if (wishes_.memory)
            return leave_quantity(item, was, "--memory=");
        const std::string units = item.take_units();
        const std::string text =
            disks_.resolved(item.take("VirtualQuantity"), ", or use --memory=SIZE");
        const double number = ovf_number(text).value_or(0);
        constexpr double most = 16.0 * 1024 * 1024;
        // Without a unit it is in MiB, or in bytes if that many MiB are impossible.
        const auto unit =
            units.empty() ? std::optional(number > most ? 1 : 0x1p20) : ovf_unit(units);
        if (!unit)
            throw LauncherError(source_ + ": " + shown(was) + ": tapgate does not know the unit " +
                                quoted_word(units));
        const double bytes = number * *unit;
        const double mebibytes = std::ceil(bytes / 0x1p20);
        if (mebibytes > most || mebibytes < 1)
            throw LauncherError(source_ + ": " + shown(was) + ": " +
                                (mebibytes < 1 ? "not a memory size" : "too much memory"));
        set(was, "memory", std::to_string(static_cast<std::uint64_t>(mebibytes)) + "M",
            mebibytes * 0x1p20 == bytes ? "" : "rounded up to whole MiB", item);
    }

    void read_adapter(OvfItem& item, const std::string& was) {
        if (nets_ >= most_nets) {
            const std::string left = item.left();
            result_.translation.dropped(was, "a VM of tapgate has at most 16 adapters" +
                                                 (left.empty() ? "" : "; left out: " + left));
            return;
        }
        std::string address = item.take("MACAddress");
        if (address.empty())
            address = item.take("Address");
        virtualbox_adapters_.resize(most_nets);
        if (boot_.net && item.id() == attribute_of(boot_.net, "instanceId"))
            net_to_boot_ = nets_;
        const VirtualBoxAdapter other = virtualbox_adapters_[nets_++];
        std::string type = item.take("ResourceSubType");
        if (type.empty())
            type = other.type;
        const std::string_view same = adapter_model(type);
        const std::string_view other_model = guest_.only_rtl8139 ? "rtl8139" : "e1000";
        const std::string_view model = wishes_.virtio ? "virtio"
                                       : same.empty() ? other_model
                                                      : same;
        const std::string connection = item.take("Connection");
        const bool nat = other.nat || in_small_letters(connection) == "nat";
        std::string value = (nat ? "user,model=" : "bridge:br0,model=") + std::string(model);
        auto mac = ovf_mac(address);
        if (!mac)
            mac = ovf_mac(other.mac);
        if (mac)
            value += ",mac=" + mac->str();
        for (const std::string& forward : other.forwards)
            value += ",hostfwd=" + forward;
        const bool apart = item.take("AutomaticAllocation") == "false";
        const bool cut = item.text("Linked") == "false";
        if (!cut)
            item.take("Linked");
        std::string why = connection.empty() ? "no network is named"
                                             : "the network was " + quoted_word(connection);
        why += nat ? ": the guest is behind this host's addresses"
                   : std::string("; ") + guess_of_bridge;
        if (!other.left.empty())
            add_reason(why, "left out: " + other.left);
        if (!type.empty() && model != same)
            add_reason(why, "the adapter's model was " + type);
        else if (alternatives(type).size() > 1)
            add_reason(why, "the appliance allows any of " + type);
        if (!other.cable || apart || cut)
            add_reason(why, "its cable was unplugged, and is now plugged in");
        // A number is the adapter's place in the machine, and no MAC address.
        if (!address.empty() && !mac && !ovf_number(address))
            add_reason(why, quoted_word(address) + " is not a valid MAC address for an adapter");
        set(was, "net", value, why, item);
        result_.translation.notes.back().is_guess = !nat;
    }

    FoundDisk find_disk(OvfItem& item, size_t place) {
        const std::string was = words_for(item);
        FoundDisk found;
        found.item = place;
        found.controller = controller_of(item);
        const std::string resource = item.take("HostResource");
        if (resource.find(", ") != std::string::npos)
            throw LauncherError(source_ + ": " + shown(was) +
                                ": several files for one disk: " + shown(resource));
        item.take("Parent");
        const std::string kind = item.take("ResourceSubType");
        const std::string quantity = resource.empty() ? item.take("VirtualQuantity") : "";
        const std::string units = quantity.empty() ? "" : item.take_units();
        // Without a file, the disk is blank, and given by its size and that size's unit.
        found.disk = resource.empty() && !quantity.empty() ? disks_.blank_disk(quantity, units, was)
                                                           : disks_.disk(resource, was);
        if (const std::string& interface = found.disk.interface; !interface.empty())
            found.controller = {interface, interface == "IDE"};
        if (item.type != static_cast<unsigned>(Resource::disk)) {
            found.controller.ide = false;
            if (!kind.empty())
                add_reason(found.why, "its kind was " + kind);
        }
        return found;
    }

    void add_disk(const OvfItem& item, FoundDisk& found) {
        ApplianceDisk& disk = found.disk;
        const std::string& parent = found.controller.kind;
        std::string& why = found.why;
        if (bus_on(parent) != DiskBus::sata)
            disk.bus = bus_on(parent);
        else if (found.moves_to_ide || (keeps_ide_ && found.controller.ide))
            disk.bus = DiskBus::ide;
        if (!disk.escaped.empty())
            add_reason(why, "the descriptor calls it " + disk.escaped);
        const bool is_copy = std::any_of(result_.disks.begin(), result_.disks.end(),
                                         [&](const auto& one) { return one.file == disk.file; });
        if (!disk.file.empty() && is_copy)
            add_reason(why, "a copy of its own: another item has this disk, too");
        if (disk.is_by_id)
            add_reason(why, "the disk names no file (fileRef=), but this file has the disk's id");
        if (found.moves_to_ide)
            add_reason(why, "it was on " +
                                (parent.empty() ? "a controller without a name" : parent) +
                                ", and is now on IDE");
        else if (!wishes_.virtio && disk.bus != DiskBus::sata)
            add_reason(why, "on " + std::string(word_for(disk.bus, disk_buses)) + ", as before (" +
                                parent + ")");
        else if (!wishes_.virtio && !parent.empty() && !is_sata(parent))
            add_reason(why, "it was on " + parent + ", and is now on SATA" +
                                (disks_found_ > most_sata ? " if there is room for it" : ""));
        if (disk.is_first)
            add_reason(why, "it is the first disk, as boot=true says");
        if (boot_.disk && item.id() == attribute_of(boot_.disk, "instanceId")) {
            disk.is_first = true;
            result_.translation.changed(tag_of(boot_.disk), words_for(item) + " is the first disk");
            read_sections_.push_back(boot_.disk);
        }
        std::string left = item.left();
        if (!disk.left.empty())
            left += (left.empty() ? "" : ", ") + disk.left;
        if (!left.empty())
            add_reason(why, "left out: " + left);
        const std::string was = words_for(item);
        if (disk.file.empty())
            result_.translation.changed(
                was, "a blank disk of " + std::to_string(disk.capacity >> 20U) + " MiB", why);
        else
            result_.translation.changed(was + " (" + disk.file + ")", "a disk", why);
        result_.disks.push_back(std::move(disk));
    }

    void read_net_boot() {
        if (!boot_.net || nets_ == 0)
            return;
        std::string value = "net";
        if (net_to_boot_ > 0)
            value += ":" + std::to_string(net_to_boot_);
        if (!result_.disks.empty())
            value += ",disk";
        result_.translation.set("boot", value);
        result_.translation.changed(tag_of(boot_.net), "boot = " + value);
        read_sections_.push_back(boot_.net);
    }

    // Says what is in a drive of the appliance; most are empty.
    void read_drive(OvfItem& item, const std::string& was) {
        const std::string resource = item.take("HostResource");
        item.take("AutomaticAllocation");
        std::string why = "the drive is empty";
        if (!resource.empty())
            why = quoted_word(disks_.file_in_drive(resource)) +
                  (source_.ends_with(".ovf") ? " was in it, beside the descriptor: add "
                                             : " was in it: unpack that, and add ") +
                  (static_cast<Resource>(item.type) == Resource::floppy
                       ? "--qemu-arg=-drive --qemu-arg=if=floppy,format=raw,file=FILE"
                       : "--cdrom=FILE");
        if (const std::string left = item.left(); !left.empty())
            add_reason(why, "left out: " + left);
        result_.translation.dropped(was, why);
    }

    const std::string& source_;
    ApplianceWishes wishes_;
    OvfGuest guest_;
    bool keeps_ide_ = false;
    bool has_memory_ = false;
    size_t nets_ = 0;
    size_t disks_found_ = 0;
    std::vector<VirtualBoxAdapter> virtualbox_adapters_;
    Appliance result_;
    std::string configuration_;  // its id; empty if there is only one
    OvfDisks disks_{source_};
    std::map<std::string, DiskController> controllers_;  // by InstanceID
    OvfBoot boot_;
    size_t net_to_boot_ = 0;                     // the first adapter, or the one to boot from
    std::vector<pugi::xml_node> read_sections_;  // VMware's of the boot order, if they count
};

}  // namespace

Appliance read_ovf(std::string_view text, const std::string& source, ApplianceWishes wishes) {
    return OvfReader(source, std::move(wishes)).read(text);
}

}  // namespace tapgate

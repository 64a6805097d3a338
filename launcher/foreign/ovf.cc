// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/ovf.h"

#include <charconv>
#include <cmath>
#include <map>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/ovf_hardware.h"
#include "launcher/foreign/words.h"
#include "launcher/foreign/xml_document.h"
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
    storage = 20,
};

std::uint64_t leading_number(const std::string& text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// The file's name, below the descriptor; empty: it is elsewhere.
std::string file_below(std::string name) {
    constexpr std::string_view scheme = "file:///";
    if (name.starts_with(scheme))
        name.erase(0, scheme.size());
    while (name.starts_with("./"))
        name.erase(0, 2);
    if (name.empty() || name.starts_with('/') || name.find_first_of("\\:") != std::string::npos ||
        name.find('\0') != std::string::npos)
        return {};
    const std::string around = "/" + name + "/";
    return around.find("/../") == std::string::npos && around.find("/./") == std::string::npos &&
                   around.find("//") == std::string::npos
               ? name
               : std::string();
}

ImageFormat format_of(std::string_view file, std::string_view format) {
    const auto [by_name, known] = format_by_name(file);
    if (known)
        return image_format(by_name).value_or(ImageFormat::vmdk);
    for (const auto& one : image_formats) {
        if (one.name != "raw" && format.find(one.name) != std::string_view::npos)
            return one.value;
    }
    return file.ends_with(".img") ? ImageFormat::raw : ImageFormat::vmdk;
}

class OvfReader {
  public:
    OvfReader(const std::string& source, bool virtio) : source_(source), virtio_(virtio) {}

    Appliance read(std::string_view text) {
        pugi::xml_document document;
        parse_xml(document, text, source_);
        const pugi::xml_node envelope = child_named(document, "Envelope");
        if (!envelope)
            throw LauncherError(source_ + ": no OVF descriptor");
        const pugi::xml_node system = find_system(envelope);
        choose_configuration(envelope);
        read_properties(system);
        read_files(envelope);
        std::string name = text_of(system, "Name");
        if (name.empty())
            name = attribute_of(system, "id");
        result_.translation.name = fitting_name(name);
        if (!name.empty())
            result_.translation.changed("<Name>" + name, "VM " + result_.translation.name,
                                        "the VM's name is that of its file");
        const pugi::xml_node hardware = ovf_section(system, "VirtualHardwareSection");
        if (!hardware)
            throw LauncherError(source_ + ": no hardware is said (VirtualHardwareSection)");
        read_hardware(hardware);
        read_firmware(system, hardware);
        name_the_rest(envelope, system, hardware);
        if (!has_net_) {
            result_.translation.set("net", "none");
            result_.translation.added("net = none", "the appliance has no network adapter");
        }
        return std::move(result_);
    }

  private:
    // The one VM, however many collections are around it.
    pugi::xml_node find_system(const pugi::xml_node& envelope) {
        pugi::xml_node parent = envelope;
        for (;;) {
            pugi::xml_node found;
            unsigned systems = 0;
            for (const pugi::xml_node& child : parent.children()) {
                const std::string name = ovf_name(child);
                if (name != "VirtualSystem" && name != "VirtualSystemCollection")
                    continue;
                found = child;
                systems++;
            }
            if (systems != 1)
                throw LauncherError(source_ + ": " +
                                    (systems == 0
                                         ? "no VM (VirtualSystem) is in it"
                                         : "several VMs are in it; export each one by itself"));
            if (ovf_name(found) == "VirtualSystem")
                return found;
            name_collection(found);
            parent = found;
        }
    }

    void name_collection(const pugi::xml_node& collection) {
        result_.translation.dropped(tag_of(collection), "a collection of one VM is this VM");
        for (const pugi::xml_node& section : collection.children()) {
            const std::string name = ovf_name(section);
            if (section.type() == pugi::node_element && name != "VirtualSystem" &&
                name != "VirtualSystemCollection" && name != "Info" && name != "Name")
                result_.translation.dropped(tag_of(section) + name, "no setting is like it");
        }
    }

    void choose_configuration(const pugi::xml_node& envelope) {
        const pugi::xml_node section = ovf_section(envelope, "DeploymentOptionSection");
        std::string others;
        for (const pugi::xml_node& one : section.children()) {
            if (local_name(one.name()) != "Configuration")
                continue;
            const std::string id = attribute_of(one, "id");
            const std::string is_default = attribute_of(one, "default");
            if (configuration_.empty() || is_default == "true" || is_default == "1")
                configuration_ = id;
            others += (others.empty() ? "" : ", ") + id;
        }
        if (!configuration_.empty())
            result_.translation.changed(tag_of(section), "configuration " + configuration_,
                                        "of " + others + ": the default one");
    }

    // <Property key= value=>, which "${key}" stands for.
    void read_properties(const pugi::xml_node& system) {
        for (const pugi::xml_node& section : system.children()) {
            if (ovf_name(section) != "ProductSection")
                continue;
            for (const pugi::xml_node& one : section.children()) {
                if (local_name(one.name()) == "Property")
                    properties_[attribute_of(one, "key")] = attribute_of(one, "value");
            }
        }
    }

    std::string resolved(const std::string& text) const {
        if (!text.starts_with("${") || !text.ends_with('}'))
            return text;
        const auto found = properties_.find(text.substr(2, text.size() - 3));
        return found == properties_.end() ? text : found->second;
    }

    void read_files(const pugi::xml_node& envelope) {
        for (const pugi::xml_node& file : ovf_section(envelope, "References").children()) {
            const std::string href = attribute_of(file, "href");
            const std::string id = attribute_of(file, "id");
            const std::string compression = attribute_of(file, "compression");
            const std::string name = file_below(href);
            if (!attribute_of(file, "chunkSize").empty())
                unusable_[id] = "is in pieces: join them with cat";
            else if (!compression.empty() && compression != "identity" && compression != "gzip")
                unusable_[id] = "is compressed with " + shown(compression);
            else if (name.empty())
                unusable_[id] = "is no file beside the descriptor";
            files_[id] = {name, compression == "gzip" || name.ends_with(".gz")};
            hrefs_[id] = href;
        }
        for (const pugi::xml_node& disk : ovf_section(envelope, "DiskSection").children()) {
            if (local_name(disk.name()) != "Disk")
                continue;
            if (!attribute_of(disk, "parentRef").empty())
                throw LauncherError(source_ + ": " + shown(tag_of(disk)) +
                                    ": the disk has a parent; export the VM as a whole");
            disks_[attribute_of(disk, "diskId")] = disk;
        }
    }

    void read_hardware(const pugi::xml_node& hardware) {
        const pugi::xml_node system = child_named(hardware, "System");
        const std::string family = text_of(system, "VirtualSystemType");
        result_.translation.changed(family.empty() ? "<System>" : "<System>" + family,
                                    "machine = q35", "with SATA disks, unless --virtio is said");
        std::vector<OvfItem> items = read_ovf_items(hardware, configuration_);
        for (const OvfItem& item : items) {
            if (item.type == static_cast<unsigned>(Resource::scsi) ||
                item.type == static_cast<unsigned>(Resource::ide) ||
                item.type == static_cast<unsigned>(Resource::storage)) {
                const auto id = item.texts.find("InstanceID");
                const auto kind = item.texts.find("ResourceSubType");
                if (id != item.texts.end())
                    controllers_[id->second] = kind != item.texts.end() ? kind->second
                                               : item.type == static_cast<unsigned>(Resource::ide)
                                                   ? "IDE"
                                                   : item.name;
            }
        }
        for (OvfItem& item : items)
            read_item(item);
    }

    void read_item(OvfItem& item) {
        const std::string was = "Item " + item.name;
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
            case Resource::disk:
                read_disk(item, was);
                break;
            case Resource::cdrom:
            case Resource::dvd:
            case Resource::floppy:
                read_drive(item, was);
                break;
            default: {
                const std::string left = item.left();
                result_.translation.dropped(was, "tapgate's VMs have their own, or none" +
                                                     (left.empty() ? "" : "; left out: " + left));
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

    void read_cpus(OvfItem& item, const std::string& was) {
        std::uint64_t cpus = leading_number(item.take("VirtualQuantity"));
        const std::uint64_t sockets = leading_number(item.take("num_of_sockets"));
        std::uint64_t cores = leading_number(item.take("CoresPerSocket"));
        if (cores == 0)
            cores = leading_number(item.take("cpu_per_socket"));
        if (cpus == 0)
            cpus = std::max<std::uint64_t>(1, sockets) * std::max<std::uint64_t>(1, cores);
        item.take("AllocationUnits");
        if (cpus > CpuTopology::most_cpus)
            throw LauncherError(source_ + ": " + shown(was) + ": a VM has 1 to 255 CPUs");
        std::string value = std::to_string(cpus);
        std::string why;
        if (cores > 1 && cpus % cores == 0)
            value += ",sockets=" + std::to_string(cpus / cores) +
                     ",cores=" + std::to_string(cores) + ",threads=1";
        else if (cores > 1)
            add_reason(why, std::to_string(cores) + " cores a socket do not come to " +
                                std::to_string(cpus));
        set(was, "cpus", value, why, item);
    }

    void read_memory(OvfItem& item, const std::string& was) {
        const std::string units = item.take("AllocationUnits");
        const std::uint64_t number = leading_number(item.take("VirtualQuantity"));
        const auto unit = units.empty() ? std::optional(0x1p20) : ovf_unit(units);
        if (!unit)
            throw LauncherError(source_ + ": " + shown(was) + ": nobody knows the unit " +
                                quoted_word(units));
        constexpr double most = 16.0 * 1024 * 1024;
        const double bytes = static_cast<double>(number) * *unit;
        const double mebibytes = std::ceil(bytes / 0x1p20);
        if (mebibytes > most || mebibytes < 1)
            throw LauncherError(source_ + ": " + shown(was) + ": " +
                                (mebibytes < 1 ? "no memory size" : "too much memory"));
        set(was, "memory", std::to_string(static_cast<std::uint64_t>(mebibytes)) + "M",
            mebibytes * 0x1p20 == bytes ? "" : "rounded up to whole MiB", item);
    }

    void read_adapter(OvfItem& item, const std::string& was) {
        const std::string type = item.take("ResourceSubType");
        const bool e1000e = type == "E1000e" || type == "E1000E";
        const std::string model = virtio_ ? "virtio" : e1000e ? "e1000e" : "e1000";
        std::string value = "bridge:br0,model=" + model;
        std::string address = item.take("MACAddress");
        if (address.empty())
            address = item.take("Address");
        const auto mac = MacAddress::parse(address);
        if (mac)
            value += ",mac=" + mac->str();
        has_net_ = true;
        const std::string connection = item.take("Connection");
        item.take("AutomaticAllocation");
        std::string why = connection.empty()
                              ? "no network was said, br0 is a guess"
                              : "the network was " + quoted_word(connection) + ", br0 is a guess";
        if (!type.empty() && type != "E1000" && !e1000e)
            add_reason(why, "the adapter was a " + type);
        if (!address.empty() && !mac && address.find(':') != std::string::npos)
            add_reason(why, quoted_word(address) + " is no station's MAC address");
        set(was, "net", value, why, item);
    }

    // HostResource: "ovf:/disk/ID", or "ovf:/file/ID" of a file that is no disk of the DiskSection.
    void read_disk(OvfItem& item, const std::string& was) {
        const std::string resource = item.take("HostResource");
        const std::string id = resource.substr(resource.rfind('/') + 1);
        const auto parent = controllers_.find(item.take("Parent"));
        std::string why;
        if (parent != controllers_.end() && !virtio_ && parent->second.find("AHCI") != 0)
            add_reason(why, "it was on " + parent->second + ", and is on SATA");
        item.take("ResourceSubType");
        if (const std::string left = item.left(); !left.empty())
            add_reason(why, "left out: " + left);
        const auto disk = disks_.find(id);
        const std::string file_id =
            disk == disks_.end() ? id : attribute_of(disk->second, "fileRef");
        if (disk != disks_.end() && file_id.empty()) {
            add_blank_disk(disk->second, was, why);
            return;
        }
        const auto file = files_.find(file_id);
        if (file == files_.end())
            throw LauncherError(source_ + ": " + shown(was) + ": no file is said for " +
                                quoted_word(resource));
        if (const auto reason = unusable_.find(file_id); reason != unusable_.end())
            throw LauncherError(source_ + ": " + quoted_word(hrefs_[file_id]) + " " +
                                reason->second);
        std::string name = file->second.first;
        if (file->second.second && name.ends_with(".gz"))
            name.erase(name.size() - 3);
        const std::string format = disk == disks_.end() ? "" : attribute_of(disk->second, "format");
        result_.disks.push_back({.file = file->second.first,
                                 .format = format_of(name, format),
                                 .compressed = file->second.second});
        result_.translation.changed(was + " (" + file->second.first + ")", "a disk", why);
    }

    void add_blank_disk(const pugi::xml_node& disk, const std::string& was,
                        const std::string& why) {
        const std::string units = attribute_of(disk, "capacityAllocationUnits");
        const auto unit = units.empty() ? std::optional(1.0) : ovf_unit(units);
        const std::string capacity = resolved(attribute_of(disk, "capacity"));
        constexpr double most = 0x1p46;  // 64 TiB
        const double bytes = unit ? static_cast<double>(leading_number(capacity)) * *unit : 0;
        if (bytes < 1 || bytes > most)
            throw LauncherError(source_ + ": " + shown(tag_of(disk)) + ": no size of a disk");
        result_.disks.push_back({.file = "", .capacity = static_cast<std::uint64_t>(bytes)});
        result_.translation.changed(was,
                                    "a blank disk of " +
                                        std::to_string(static_cast<std::uint64_t>(bytes / 0x1p20)) +
                                        " MiB",
                                    why);
    }

    // What is in a drive of the appliance: nothing, mostly.
    void read_drive(OvfItem& item, const std::string& was) {
        const std::string resource = item.take("HostResource");
        item.take("AutomaticAllocation");
        item.take("ResourceSubType");
        item.take("Connection");
        std::string why = "an empty drive";
        if (!resource.empty())
            why = quoted_word(resource) +
                  " was in it: --cdrom=FILE puts it there, when it is "
                  "unpacked";
        if (const std::string left = item.left(); !left.empty())
            add_reason(why, "left out: " + left);
        result_.translation.dropped(was, why);
    }

    // VMware writes it as a <Config> of the hardware, VirtualBox in its own machine.
    void read_firmware(const pugi::xml_node& system, const pugi::xml_node& hardware) {
        std::string firmware;
        std::string was;
        bool secure = false;
        std::string others;
        for (const pugi::xml_node& config : hardware.children()) {
            const std::string_view name = local_name(config.name());
            if (name != "Config" && name != "ExtraConfig")
                continue;
            const std::string key = attribute_of(config, "key");
            const std::string value = attribute_of(config, "value");
            const bool yes = value == "true" || value == "TRUE" || value == "1";
            if (key == "firmware") {
                firmware = value;
                was = tag_of(config);
            } else if (key == "bootOptions.efiSecureBootEnabled" ||
                       key == "uefi.secureBoot.enabled") {
                secure = yes;
            } else {
                others += (others.empty() ? "" : ", ") + key + "=" + value;
            }
        }
        for (const pugi::xml_node& machine : system.children()) {
            const pugi::xml_node found = child_named(child_named(machine, "Hardware"), "Firmware");
            if (local_name(machine.name()) != "Machine" || !found)
                continue;
            firmware = attribute_of(found, "type");
            was = tag_of(found);
        }
        Translation& translation = result_.translation;
        const bool efi = firmware.starts_with("efi") || firmware.starts_with("EFI");
        if (efi) {
            translation.set("firmware", secure ? "uefi-secure" : "uefi");
            translation.changed(was, std::string("firmware = ") + (secure ? "uefi-secure" : "uefi"),
                                "that of this host, with variables of its own");
        } else if (!firmware.empty()) {
            translation.changed(was, "firmware = bios");
        }
        if (!others.empty())
            translation.dropped("<Config>", shown(others) + ": no setting is like it");
    }

    void name_the_rest(const pugi::xml_node& envelope, const pugi::xml_node& system,
                       const pugi::xml_node& hardware) {
        const auto name = [&](const pugi::xml_node& section, const std::string& known) {
            std::string why = "no setting is like it";
            if (known == "OperatingSystemSection")
                why = "no setting depends on it: " + text_of(section, "Description");
            else if (known == "ProductSection")
                why = "its properties are for the guest, which asks VMware for them";
            else if (known == "VirtualHardwareSection")
                why = "the first hardware is taken";
            else if (known == "Machine")
                why = "VirtualBox's own words of the same machine";
            if (section.type() == pugi::node_element)
                result_.translation.dropped(
                    tag_of(section) + (known == local_name(section.name()) ? "" : known), why);
        };
        for (const pugi::xml_node& section : envelope.children()) {
            const std::string known = ovf_name(section);
            if (known != "References" && known != "DiskSection" && known != "VirtualSystem" &&
                known != "VirtualSystemCollection" && known != "DeploymentOptionSection")
                name(section, known);
        }
        for (const pugi::xml_node& section : system.children()) {
            const std::string known = ovf_name(section);
            if (section != hardware && known != "Name" && known != "Info")
                name(section, known);
        }
    }

    const std::string& source_;
    bool virtio_;
    bool has_net_ = false;
    Appliance result_;
    std::string configuration_;                                  // its id; empty: there is one only
    std::map<std::string, std::string> properties_;              // by key
    std::map<std::string, std::pair<std::string, bool>> files_;  // by id: the name; is it gzip?
    std::map<std::string, std::string> hrefs_;                   // by id: as it was written
    std::map<std::string, std::string> unusable_;                // by id: why
    std::map<std::string, pugi::xml_node> disks_;                // by id
    std::map<std::string, std::string> controllers_;             // by InstanceID: their kind
};

}  // namespace

Appliance read_ovf(std::string_view text, const std::string& source, bool virtio) {
    return OvfReader(source, virtio).read(text);
}

}  // namespace tapgate

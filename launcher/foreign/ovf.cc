// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/ovf.h"

#include <charconv>
#include <map>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/xml_document.h"
#include "launcher/vm/name.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

// CIM_ResourceAllocationSettingData.ResourceType
enum class Resource { cpu = 3, memory = 4, ethernet = 10, disk = 17 };

std::uint64_t whole_number(const std::string& text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
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
        const pugi::xml_node system = child_named(envelope, "VirtualSystem");
        if (!system)
            throw LauncherError(source_ + ": not one VM (VirtualSystem), but none or several");
        read_files(envelope);
        std::string name = text_of(system, "Name");
        if (name.empty())
            name = attribute_of(system, "id");
        result_.translation.name = fitting_name(name);
        const pugi::xml_node hardware = child_named(system, "VirtualHardwareSection");
        for (const pugi::xml_node& item : hardware.children()) {
            if (local_name(item.name()).ends_with("Item"))
                read_item(item);
        }
        name_the_rest(envelope, system);
        if (!has_net_)
            result_.translation.set("net", "none");
        return std::move(result_);
    }

  private:
    void read_files(const pugi::xml_node& envelope) {
        for (const pugi::xml_node& file : child_named(envelope, "References").children()) {
            const std::string href = attribute_of(file, "href");
            const std::string id = attribute_of(file, "id");
            if (!attribute_of(file, "compression").empty() &&
                attribute_of(file, "compression") != "identity")
                unusable_[id] = "is compressed: unpack it with gunzip";
            else if (!attribute_of(file, "chunkSize").empty())
                unusable_[id] = "is in pieces: join them with cat";
            else if (href.empty() || href == "." || href == ".." ||
                     href.find_first_of("/\\:") != std::string::npos)
                unusable_[id] = "is no file beside the descriptor";
            files_[id] = href;
        }
        for (const pugi::xml_node& disk : child_named(envelope, "DiskSection").children()) {
            if (local_name(disk.name()) != "Disk")
                continue;
            if (!attribute_of(disk, "parentRef").empty())
                throw LauncherError(source_ + ": " + shown(tag_of(disk)) +
                                    ": the disk has a parent; export the VM as a whole");
            disks_[attribute_of(disk, "diskId")] = attribute_of(disk, "fileRef");
        }
    }

    void read_item(const pugi::xml_node& item) {
        const std::string what = text_of(item, "ElementName");
        const std::string was = "Item " + (what.empty() ? text_of(item, "Description") : what);
        switch (static_cast<Resource>(whole_number(text_of(item, "ResourceType")))) {
            case Resource::cpu:
                set(was, "cpus", std::to_string(whole_number(text_of(item, "VirtualQuantity"))));
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
            default:
                result_.translation.dropped(was, "tapgate's VMs have their own, or none");
                break;
        }
    }

    void set(const std::string& was, const std::string& key, const std::string& value,
             const std::string& why = {}) {
        result_.translation.set(key, value);
        result_.translation.changed(was, key + " = " + value, why);
    }

    void read_memory(const pugi::xml_node& item, const std::string& was) {
        const std::string unit = text_of(item, "AllocationUnits");
        const std::uint64_t number = whole_number(text_of(item, "VirtualQuantity"));
        constexpr std::uint64_t most = 16ULL * 1024 * 1024 * 1024 * 1024;
        if (number > most)
            throw LauncherError(source_ + ": " + shown(was) + ": too much memory");
        std::uint64_t mebibytes = number;
        if (unit.find("2^30") != std::string::npos || unit == "GigaBytes")
            mebibytes = number * 1024;
        else if (unit.find("2^10") != std::string::npos || unit == "KiloBytes")
            mebibytes = number / 1024;
        else if (unit == "byte")
            mebibytes = number / 1024 / 1024;
        set(was, "memory", std::to_string(mebibytes) + "M");
    }

    void read_adapter(const pugi::xml_node& item, const std::string& was) {
        std::string type = text_of(item, "ResourceSubType");
        const bool e1000e = type == "E1000e" || type == "E1000E";
        std::string value = std::string("bridge:br0,model=") + (virtio_  ? "virtio"
                                                                : e1000e ? "e1000e"
                                                                         : "e1000");
        const std::string address = text_of(item, "Address");
        if (const auto mac = MacAddress::parse(address))
            value += ",mac=" + mac->str();
        has_net_ = true;
        const std::string connection = text_of(item, "Connection");
        set(was, "net", value,
            "the network was " + quoted_word(connection) + ", br0 is a guess" +
                (type.empty() ? "" : "; the adapter was a " + type));
    }

    // HostResource: "ovf:/disk/ID", or "ovf:/file/ID" of a file that is no disk of the DiskSection.
    void read_disk(const pugi::xml_node& item, const std::string& was) {
        const std::string resource = text_of(item, "HostResource");
        const std::string id = resource.substr(resource.rfind('/') + 1);
        const auto disk = disks_.find(id);
        const std::string file_id = disk == disks_.end() ? id : disk->second;
        const auto file = files_.find(file_id);
        if (file == files_.end())
            throw LauncherError(source_ + ": " + shown(was) + ": no file is said for " +
                                quoted_word(resource));
        if (const auto reason = unusable_.find(file_id); reason != unusable_.end())
            throw LauncherError(source_ + ": " + quoted_word(file->second) + " " + reason->second);
        result_.files.push_back(file->second);
        result_.translation.changed(was + " (" + file->second + ")", "a disk");
    }

    void name_the_rest(const pugi::xml_node& envelope, const pugi::xml_node& system) {
        const auto name = [&](const pugi::xml_node& section) {
            if (section.type() == pugi::node_element)
                result_.translation.dropped(tag_of(section), "no setting is like it");
        };
        for (const pugi::xml_node& section : envelope.children()) {
            const std::string_view known = local_name(section.name());
            if (known != "References" && known != "DiskSection" && known != "VirtualSystem" &&
                known != "NetworkSection")
                name(section);
        }
        for (const pugi::xml_node& section : system.children()) {
            const std::string_view known = local_name(section.name());
            if (known != "VirtualHardwareSection" && known != "Name" && known != "Info" &&
                known != "OperatingSystemSection")
                name(section);
        }
    }

    const std::string& source_;
    bool virtio_;
    bool has_net_ = false;
    Appliance result_;
    std::map<std::string, std::string> files_;     // by id: their names
    std::map<std::string, std::string> unusable_;  // by id: why
    std::map<std::string, std::string> disks_;     // by id: the file's id
};

}  // namespace

Appliance read_ovf(std::string_view text, const std::string& source, bool virtio) {
    return OvfReader(source, virtio).read(text);
}

}  // namespace tapgate

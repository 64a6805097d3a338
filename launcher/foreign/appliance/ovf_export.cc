// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_export.h"

#include <map>
#include <pugixml.hpp>
#include <set>
#include <sstream>
#include <utility>

namespace tapgate {

namespace {

using pugi::xml_node;

constexpr const char* vmdk =
    "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";

void set(xml_node node, const char* name, const std::string& value) {
    node.append_attribute(name).set_value(value.c_str());
}

xml_node add(xml_node parent, const char* name, const std::string& text = {}) {
    xml_node node = parent.append_child(name);
    if (!text.empty())
        node.text().set(text.c_str());
    return node;
}

xml_node add_section(xml_node parent, const char* name, const std::string& info) {
    xml_node section = add(parent, name);
    add(section, "Info", info);
    return section;
}

// A kind of controller; CIM has a number for each.
enum class Controller { sata, scsi, ide };

Controller controller_of(DiskBus bus) {
    return bus == DiskBus::scsi  ? Controller::scsi
           : bus == DiskBus::ide ? Controller::ide
                                 : Controller::sata;
}

class Writer {
  public:
    Writer(const VmSpec& spec, const Owner& owner) : spec_(spec), owner_(owner) {}

    std::string write(const std::vector<OvfDisk>& disks, const std::vector<OvfFile>& others) {
        xml_node envelope = add(document_, "Envelope");
        set(envelope, "xmlns", "http://schemas.dmtf.org/ovf/envelope/1");
        set(envelope, "xmlns:ovf", "http://schemas.dmtf.org/ovf/envelope/1");
        set(envelope, "xmlns:rasd",
            "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"
            "CIM_ResourceAllocationSettingData");
        set(envelope, "xmlns:vssd",
            "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData");
        set(envelope, "xmlns:vmw", "http://www.vmware.com/schema/ovf");
        write_files(add(envelope, "References"), disks, others);
        write_disk_section(add_section(envelope, "DiskSection", "The disks"), disks);
        write_networks(add_section(envelope, "NetworkSection", "The networks"));
        xml_node system = add(envelope, "VirtualSystem");
        set(system, "ovf:id", spec_.name.str());
        add(system, "Info", "A virtual machine");
        add(system, "Name", spec_.name.str());
        xml_node os = add_section(system, "OperatingSystemSection", "The guest");
        // CIM_OperatingSystem.OsType: "Other 64-Bit".
        set(os, "ovf:id", "102");
        write_hardware(add_section(system, "VirtualHardwareSection", "The hardware"), disks);
        std::ostringstream text;
        document_.save(text, "  ");
        return text.str();
    }

  private:
    static std::string file_id(size_t index) { return "file" + std::to_string(index); }
    static std::string disk_id(size_t index) { return "disk" + std::to_string(index); }

    static void write_files(xml_node references, const std::vector<OvfDisk>& disks,
                            const std::vector<OvfFile>& others) {
        const auto write = [&](const OvfFile& one, const std::string& id) {
            xml_node node = add(references, "File");
            set(node, "ovf:href", one.name);
            set(node, "ovf:id", id);
            set(node, "ovf:size", std::to_string(one.size));
        };
        for (size_t i = 0; i < others.size(); i++)
            write(others[i], "other" + std::to_string(i));
        for (size_t i = 0; i < disks.size(); i++)
            write(disks[i].file, file_id(i));
    }

    static void write_disk_section(xml_node section, const std::vector<OvfDisk>& disks) {
        for (size_t i = 0; i < disks.size(); i++) {
            xml_node node = add(section, "Disk");
            set(node, "ovf:capacity", std::to_string(disks[i].capacity));
            set(node, "ovf:diskId", disk_id(i));
            set(node, "ovf:fileRef", file_id(i));
            set(node, "ovf:format", vmdk);
        }
    }

    static std::string network_of(const Net& net) {
        const auto* const bridged = std::get_if<BridgeNet>(&net.link);
        return bridged != nullptr ? bridged->bridge.str() : "NAT";
    }

    void write_networks(xml_node section) {
        std::set<std::string> networks;
        for (const Net& net : spec_.nets)
            networks.insert(network_of(net));
        for (const std::string& one : networks) {
            xml_node node = add(section, "Network");
            set(node, "ovf:name", one);
            add(node, "Description", one);
        }
    }

    // The contents of an <Item>, in the order of the schema, which is alphabetical.
    using Words = std::map<std::string, std::string>;
    void write_item(xml_node hardware, const std::string& name, const std::string& type,
                    Words words) {
        words["ElementName"] = name;
        words["InstanceID"] = std::to_string(++instance_);
        words["ResourceType"] = type;
        xml_node item = add(hardware, "Item");
        for (const auto& [key, value] : words)
            add(item, ("rasd:" + key).c_str(), value);
    }

    void write_hardware(xml_node hardware, const std::vector<OvfDisk>& disks) {
        xml_node system = add(hardware, "System");
        add(system, "vssd:ElementName", "Virtual Hardware Family");
        add(system, "vssd:InstanceID", "0");
        add(system, "vssd:VirtualSystemIdentifier", spec_.name.str());
        add(system, "vssd:VirtualSystemType", "vmx-13");
        write_item(hardware, "CPUs", "3", {{"VirtualQuantity", std::to_string(spec_.cpus.cpus())}});
        write_item(hardware, "Memory", "4",
                   {{"AllocationUnits", "byte * 2^20"},
                    {"VirtualQuantity", std::to_string(spec_.memory.mebibytes())}});
        write_disks(hardware, disks);
        for (size_t i = 0; i < spec_.nets.size(); i++) {
            const Net& net = spec_.nets[i];
            write_item(
                hardware, "Network adapter " + std::to_string(i), "10",
                {{"Address",
                  net.mac.value_or(stable_mac(owner_, spec_.name, static_cast<unsigned>(i))).str()},
                 {"AddressOnParent", std::to_string(i)},
                 {"AutomaticAllocation", "true"},
                 {"Connection", network_of(net)},
                 {"ResourceSubType", net.model == NetModel::e1000e ? "E1000e" : "E1000"}});
        }
        if (spec_.firmware == Firmware::bios)
            return;
        const auto config = [&](const char* key, const char* value) {
            xml_node node = add(hardware, "vmw:Config");
            set(node, "ovf:required", "false");
            set(node, "vmw:key", key);
            set(node, "vmw:value", value);
        };
        config("firmware", "efi");
        if (spec_.firmware == Firmware::uefi_secure)
            config("bootOptions.efiSecureBootEnabled", "true");
    }

    void write_disks(xml_node hardware, const std::vector<OvfDisk>& disks) {
        // An IDE controller has room for two.
        std::map<Controller, std::string> controllers;
        std::map<Controller, unsigned> used;
        for (size_t i = 0; i < disks.size(); i++) {
            const Controller kind = controller_of(disks[i].bus);
            const bool full = kind == Controller::ide && used[kind] == 2;
            if (controllers.find(kind) == controllers.end() || full) {
                used[kind] = 0;
                write_controller(hardware, kind);
                controllers[kind] = std::to_string(instance_);
            }
            write_item(hardware, "Disk " + std::to_string(i), "17",
                       {{"AddressOnParent", std::to_string(used[kind]++)},
                        {"HostResource", "ovf:/disk/" + disk_id(i)},
                        {"Parent", controllers[kind]}});
        }
    }

    void write_controller(xml_node hardware, Controller kind) {
        Words words = {{"Address", std::to_string(addresses_[kind]++)}};
        switch (kind) {
            case Controller::sata:
                words["ResourceSubType"] = "AHCI";
                write_item(hardware, "SATA controller", "20", std::move(words));
                break;
            case Controller::scsi:
                words["ResourceSubType"] = "lsilogic";
                write_item(hardware, "SCSI controller", "6", std::move(words));
                break;
            case Controller::ide:
                write_item(hardware, "IDE controller", "5", std::move(words));
                break;
        }
    }

    const VmSpec& spec_;
    const Owner& owner_;
    pugi::xml_document document_;
    unsigned instance_ = 0;
    std::map<Controller, unsigned> addresses_;
};

}  // namespace

std::string ovf_text(const VmSpec& spec, const Owner& owner, const std::vector<OvfDisk>& disks,
                     const std::vector<OvfFile>& others) {
    return Writer(spec, owner).write(disks, others);
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/foreign/domain/parts.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// One of the tables of SMBIOS that -smbios fills in.
struct Table {
    const char* element = nullptr;
    const char* type = nullptr;
    std::array<std::string_view, 7> entries;  // libvirt and QEMU call them the same
};

constexpr Table tables[] = {
    {"bios", "0", {"vendor", "version", "date", "release"}},
    {"system", "1", {"manufacturer", "product", "version", "serial", "uuid", "sku", "family"}},
    {"baseBoard", "2", {"manufacturer", "product", "version", "serial", "asset", "location"}},
    {"chassis", "3", {"manufacturer", "version", "serial", "asset", "sku"}},
};

using Arguments = std::vector<std::string>;

void add_firmware_files(XmlLeft& xml, const pugi::xml_node& sysinfo, Arguments& arguments) {
    for (const pugi::xml_node& entry : sysinfo.children("entry")) {
        const std::string name = xml.attribute(entry, "name");
        const std::string file = xml.attribute(entry, "file");
        const std::string text = xml.text(entry);
        const std::string value =
            file.empty() ? ",string=" + commas_doubled(text) : ",file=" + commas_doubled(file);
        arguments.insert(arguments.end(), {"-fw_cfg", "name=" + commas_doubled(name) + value});
    }
}

// ",vendor=Me,version=1"
std::string values_for(XmlLeft& xml, const pugi::xml_node& part, const Table& table) {
    std::string values;
    for (const pugi::xml_node& entry : part.children("entry")) {
        const std::string_view name = entry.attribute("name").value();
        // An entry without text counts as not given.
        if (name.empty() || !is_one_of(name, table.entries) || entry.text().empty())
            continue;
        xml.attribute(entry, "name");
        values.append(",").append(name).append("=").append(commas_doubled(xml.text(entry)));
    }
    return values;
}

void add_tables(XmlLeft& xml, const pugi::xml_node& sysinfo, Arguments& arguments) {
    for (const Table& table : tables) {
        for (const pugi::xml_node& part : sysinfo.children(table.element)) {
            const std::string values = values_for(xml, part, table);
            if (!values.empty())
                arguments.insert(arguments.end(),
                                 {"-smbios", std::string("type=") + table.type + values});
        }
    }
}

void add_maker_strings(XmlLeft& xml, const pugi::xml_node& sysinfo, Arguments& arguments) {
    for (const pugi::xml_node& entry : sysinfo.child("oemStrings").children("entry"))
        arguments.insert(arguments.end(),
                         {"-smbios", "type=11,value=" + commas_doubled(xml.text(entry))});
}

}  // namespace

void read_domain_sysinfo(DomainParts& domain, const pugi::xml_node& sysinfo) {
    XmlLeft& xml = domain.xml;
    Arguments arguments;
    if (xml.attribute(sysinfo, "type") == "fwcfg")
        add_firmware_files(xml, sysinfo, arguments);
    add_tables(xml, sysinfo, arguments);
    add_maker_strings(xml, sysinfo, arguments);
    for (const pugi::xml_node& part : sysinfo.children())
        xml.attribute(part, "name");
    const std::string why = domain.with_left(sysinfo, "");
    if (arguments.empty())
        domain.result.dropped(tag_of(sysinfo), why.empty() ? "it is empty" : why);
    else
        domain.result.keep(tag_of(sysinfo), arguments, why);
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/foreign/domain/parts.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

void read_domain_sysinfo(DomainParts& domain, const pugi::xml_node& sysinfo) {
    struct Table {
        const char* element = nullptr;
        const char* type = nullptr;
        std::array<std::pair<const char*, const char*>, 7> entries;  // libvirt's name and QEMU's
    };
    static constexpr Table tables[] = {
        {"bios",
         "0",
         {{{"vendor", "vendor"},
           {"version", "version"},
           {"date", "date"},
           {"release", "release"},
           {},
           {},
           {}}}},
        {"system",
         "1",
         {{{"manufacturer", "manufacturer"},
           {"product", "product"},
           {"version", "version"},
           {"serial", "serial"},
           {"uuid", "uuid"},
           {"sku", "sku"},
           {"family", "family"}}}},
        {"baseBoard",
         "2",
         {{{"manufacturer", "manufacturer"},
           {"product", "product"},
           {"version", "version"},
           {"serial", "serial"},
           {"asset", "asset"},
           {"location", "location"},
           {}}}},
        {"chassis",
         "3",
         {{{"manufacturer", "manufacturer"},
           {"version", "version"},
           {"serial", "serial"},
           {"asset", "asset"},
           {"sku", "sku"},
           {},
           {}}}},
    };
    XmlLeft& xml = domain.xml;
    std::vector<std::string> arguments;
    const std::string type = xml.attribute(sysinfo, "type");
    if (type == "fwcfg") {
        for (const pugi::xml_node& entry : sysinfo.children("entry")) {
            const std::string name = xml.attribute(entry, "name");
            const std::string file = xml.attribute(entry, "file");
            const std::string text = xml.text(entry);
            const std::string value =
                file.empty() ? ",string=" + commas_doubled(text) : ",file=" + commas_doubled(file);
            arguments.insert(arguments.end(), {"-fw_cfg", "name=" + commas_doubled(name) + value});
        }
    }
    for (const Table& table : tables) {
        for (const pugi::xml_node& part : sysinfo.children(table.element)) {
            std::string values;
            for (const pugi::xml_node& entry : part.children("entry")) {
                const std::string_view name = entry.attribute("name").value();
                for (const auto& [theirs, ours] : table.entries) {
                    // An entry without text counts as not given.
                    if (theirs == nullptr || name != theirs || entry.text().empty())
                        continue;
                    xml.attribute(entry, "name");
                    values += std::string(",") + ours + "=" + commas_doubled(xml.text(entry));
                }
            }
            if (!values.empty())
                arguments.insert(arguments.end(),
                                 {"-smbios", std::string("type=") + table.type + values});
        }
    }
    for (const pugi::xml_node& entry : sysinfo.child("oemStrings").children("entry"))
        arguments.insert(arguments.end(),
                         {"-smbios", "type=11,value=" + commas_doubled(xml.text(entry))});
    for (const pugi::xml_node& part : sysinfo.children())
        xml.attribute(part, "name");
    const std::string why = domain.with_left(sysinfo, "");
    if (arguments.empty())
        domain.result.dropped(tag_of(sysinfo), why.empty() ? "nothing is in it" : why);
    else
        domain.result.keep(tag_of(sysinfo), arguments, why);
}

}  // namespace tapgate

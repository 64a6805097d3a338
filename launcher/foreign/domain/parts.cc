// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/domain/parts.h"

#include "launcher/base/text.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

void DomainParts::set(const std::string& was, const std::string& key, const std::string& value,
                      const std::string& why) {
    result.set(key, value);
    result.changed(was, key + " = " + value, why);
}

unsigned DomainParts::adapter_rank(const pugi::xml_node& interface) const {
    const auto found = adapters.find(interface.internal_object());
    return found == adapters.end() ? 0 : found->second;
}

std::string DomainParts::with_left(const pugi::xml_node& node, std::string why) {
    if (const std::string left = xml.left(node); !left.empty())
        add_reason(why, "left out: " + left);
    return why;
}

void DomainParts::drop(const pugi::xml_node& node, const std::string& why) {
    std::string was = tag_of(node);
    for (const pugi::xml_node& child : node.children()) {
        const std::string_view name = child.name();
        if (name == "source" || name == "target" || name == "model") {
            was += tag_of(child);
            // This address is one of the host, and no place in the guest.
            if (const pugi::xml_node address = child.child("address"))
                was += tag_of(address);
            for (const pugi::xml_attribute& attribute : child.attributes())
                xml.attribute(child, attribute.name());
        }
    }
    for (const pugi::xml_attribute& attribute : node.attributes())
        xml.attribute(node, attribute.name());
    result.dropped(was, with_left(node, why));
}

std::string scsi_model_of(const DomainParts& domain, const std::string& index) {
    const auto controller = domain.scsi_controllers.find(index.empty() ? "0" : index);
    return controller == domain.scsi_controllers.end() ? "lsilogic" : controller->second;
}

std::optional<std::uint64_t> boot_order_of(DomainParts& domain, const pugi::xml_node& device) {
    const pugi::xml_node boot = device.child("boot");
    const auto order = parse_whole<std::uint64_t>(domain.xml.attribute(boot, "order"));
    if (order) {
        domain.boot.add_source(tag_of(boot));
        domain.boot.set_strict();
    }
    return order;
}

}  // namespace tapgate

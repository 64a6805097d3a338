// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/name.h"

#include "common/names.h"

namespace tapgate {

std::string fitting_name(std::string_view text) {
    // Any character that a name can have may follow a letter.
    const auto fits = [](const std::string& part) { return VmName::parse("v" + part).has_value(); };
    std::string name;
    for (const char c : text) {
        if (fits({c}))
            name += c;
        else if (!name.empty() && name.back() != '-')
            name += '-';
    }
    while (name.ends_with('-') || name.ends_with('.'))
        name.pop_back();
    if (!name.empty() && !VmName::parse(name.substr(0, 1)))
        name.insert(0, "vm");
    return name.substr(0, VmName::max_size);
}

}  // namespace tapgate

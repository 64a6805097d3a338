// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network_verbs.h"

#include <nlohmann/json.hpp>

#include "launcher/bridge_listing.h"
#include "launcher/host_network.h"
#include "launcher/output.h"

namespace tapgate {

int show_bridges(const CommandLine& command) {
    const auto bridges = list_bridges(host_network(), user_name_of,
                                      command.operands.empty() ? "" : command.operands[0]);
    print(command.has("json") ? json_text(bridges_json(bridges)) : bridges_text(bridges));
    return 0;
}

}  // namespace tapgate

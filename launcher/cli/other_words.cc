// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/other_words.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tapgate {

namespace {

// Words that tapgate has as a verb or an alias are not in the list, since they work.
constexpr std::array<std::pair<std::string_view, std::string_view>, 66> other_words = {{
    {"boot", "start NAME"},
    {"config", "show NAME"},
    {"connect", "console NAME (or: ssh NAME)"},
    {"copy", "clone NAME NEW"},
    {"define", "import FILE [NAME]"},
    {"destroy", "kill NAME (it only cuts the power; delete NAME removes the VM)"},
    {"domdisplay", "vnc NAME"},
    {"domifaddr", "ip NAME"},
    {"dominfo", "status NAME"},
    {"domstate", "status NAME"},
    {"down", "stop NAME (of a whole lab: lab down FILE)"},
    {"dumpxml", "show NAME"},
    {"find", "list --all"},
    {"get", "show NAME"},
    {"halt", "stop NAME"},
    {"images", "list --all"},
    {"inspect", "status NAME"},
    {"lab create", "lab up FILE"},
    {"lab delete", "lab destroy FILE"},
    {"lab kill", "lab down FILE --force"},
    {"lab list", "lab status FILE"},
    {"lab ls", "lab status FILE"},
    {"lab remove", "lab destroy FILE"},
    {"lab restart", "lab down FILE, then lab up FILE"},
    {"lab rm", "lab destroy FILE"},
    {"lab start", "lab up FILE"},
    {"lab stop", "lab down FILE"},
    {"login", "ssh NAME"},
    {"logs", "log NAME"},
    {"managedsave", "snapshot save NAME TAG"},
    {"net", "bridges"},
    {"network", "bridges"},
    {"networks", "bridges"},
    {"off", "stop NAME"},
    {"on", "start NAME"},
    {"poweroff", "stop NAME"},
    {"powerdown", "stop NAME"},
    {"ps", "list"},
    {"purge", "delete NAME"},
    {"reboot", "restart NAME"},
    {"recover", "snapshot restore NAME TAG"},
    {"remove", "delete NAME"},
    {"restore", "snapshot restore NAME TAG"},
    {"save", "snapshot save NAME TAG"},
    {"screen", "vnc NAME"},
    {"shutdown", "stop NAME"},
    {"snapshot apply", "snapshot restore NAME TAG"},
    {"snapshot create", "snapshot save NAME TAG"},
    {"snapshot ls", "snapshot list NAME"},
    {"snapshot make", "snapshot save NAME TAG"},
    {"snapshot remove", "snapshot delete NAME TAG"},
    {"snapshot revert", "snapshot restore NAME TAG"},
    {"snapshot rm", "snapshot delete NAME TAG"},
    {"snapshot rollback", "snapshot restore NAME TAG"},
    {"snapshot show", "snapshot list NAME"},
    {"snapshot take", "snapshot save NAME TAG"},
    {"startvm", "start NAME"},
    {"state", "status NAME"},
    {"suspend", "pause NAME"},
    {"terminate", "kill NAME"},
    {"undefine", "delete NAME"},
    {"unpause", "resume NAME"},
    {"up", "start NAME (of a whole lab: lab up FILE)"},
    {"version", "--version"},
    {"vncdisplay", "vnc NAME"},
    {"vncviewer", "vnc NAME"},
}};

}  // namespace

std::string_view said_here(std::string_view word) {
    const auto* const found = std::find_if(other_words.begin(), other_words.end(),
                                           [&](const auto& one) { return one.first == word; });
    return found == other_words.end() ? std::string_view() : found->second;
}

}  // namespace tapgate

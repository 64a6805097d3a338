// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/viewer.h"

#include <string_view>

#include "launcher/base/text.h"

namespace tapgate {

namespace {

constexpr std::string_view socket_prefix = "unix:";
constexpr unsigned first_port = 5900;

}  // namespace

std::string viewer_address(const std::string& address) {
    return address.starts_with(socket_prefix) ? address.substr(socket_prefix.size())
                                              : "vnc://" + address;
}

std::vector<std::string> viewer_words(const std::string& viewer, const std::string& address) {
    if (address.starts_with(socket_prefix))
        return viewer == "vncviewer" ? std::vector<std::string>{viewer, viewer_address(address)}
                                     : std::vector<std::string>();
    const size_t colon = address.rfind(':');
    const std::string host = address.substr(0, colon);
    const std::string port = address.substr(colon + 1);
    if (viewer == "vncviewer")
        return {viewer, host + "::" + port};
    if (viewer == "remote-viewer")
        return {viewer, "vnc://" + address};
    const auto number = parse_whole<unsigned>(port, first_port);
    return number
               ? std::vector<std::string>{viewer, host + ":" + std::to_string(*number - first_port)}
               : std::vector<std::string>();
}

}  // namespace tapgate

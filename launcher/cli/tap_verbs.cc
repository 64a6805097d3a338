// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/tap_verbs.h"

#include <unistd.h>

#include "common/fd_passing.h"
#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/network/helper_client.h"
#include "launcher/network/tap_exec.h"

namespace tapgate {

namespace {

int number_option(const CommandLine& command, const std::string& option, int otherwise, int least,
                  int most) {
    if (!command.has(option))
        return otherwise;
    const std::string text = command.option(option);
    const auto number = parse_whole(text, least, most);
    if (!number)
        throw UsageError("--" + option + ": " + quoted_word(text) + " is not a number, " +
                         std::to_string(least) + " to " + std::to_string(most));
    return *number;
}

// The value of `option` as a `Name`; nothing when it was not given.
template <class Name>
std::optional<Name> name_option(const CommandLine& command, const std::string& option,
                                const std::string& what) {
    if (!command.has(option))
        return std::nullopt;
    auto name = Name::parse(command.option(option));
    if (!name)
        throw UsageError("--" + option + ": " + quoted_word(command.option(option)) + " is no " +
                         what);
    return name;
}

// The helper tells QEMU's users what to do about mac-lock; here the way is an option of `tap`.
std::vector<UniqueFd> requested_taps(const std::string& helper, const TapRequest& request) {
    try {
        return request_taps(helper, request);
    } catch (const HelperError& error) {
        const std::string text = error.what();
        const size_t advice = text.find("mac-lock needs");
        if (request.mac || advice == std::string::npos)
            throw;
        throw HelperError(error.kind(),
                          text.substr(0, advice) +
                              "mac-lock needs the MAC address that COMMAND sends from: --mac=MAC",
                          error.words());
    }
}

}  // namespace

ExitCode run_with_tap(const CommandLine& command) {
    if (command.rest.empty())
        throw UsageError("tap needs a command: tapgate tap --bridge=br0 -- COMMAND...");
    const auto bridge = name_option<InterfaceName>(command, "bridge", "bridge's name");
    if (!bridge)
        throw UsageError("tap needs --bridge=BRIDGE");
    const auto queues = static_cast<unsigned>(
        number_option(command, "queues", 1, 1, static_cast<int>(max_fds_in_message)));
    constexpr int most_descriptors = 1 << 20;  // the kernel's default for fs.nr_open
    const int first =
        number_option(command, "fd", STDERR_FILENO + 1, STDERR_FILENO + 1, most_descriptors);
    const TapRequest request{
        .bridge = *bridge,
        .queues = queues,
        .vnet_header = !command.has("no-vnet"),
        .mac = name_option<MacAddress>(command, "mac", "station's MAC address"),
        .vm = name_option<VmName>(command, "vm", "VM's name")};
    require_free_descriptors(first, queues);
    std::vector<UniqueFd> taps = requested_taps(helper_path(command.option("helper")), request);
    const std::string name = tap_name(taps.front().get());
    place_descriptors(std::move(taps), first);
    // From here on: the tap lives as long as this process, whatever program that becomes.
    set_tap_environment(first, queues, name);
    become(command.rest);
}

}  // namespace tapgate

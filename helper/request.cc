// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/request.h"

#include <getopt.h>

#include <array>
#include <string_view>

#include "common/fd_passing.h"
#include "helper/failure.h"

namespace tapgate {

const char* text_of(Request::Mode mode) {
    return mode == Request::Mode::version ? "tapgate-helper " TAPGATE_VERSION "\n"
                                          : "Usage: tapgate-helper [--use-vnet] --br=BRIDGE --fd=N "
                                            "[--queues=N] [--mac=MAC] [--vm=NAME]\n"
                                            "       tapgate-helper --reap | --version | --help\n"
                                            "See tapgate-helper(8); what the policy says: "
                                            "tapgate-policy(1).\n";
}

namespace {

[[noreturn]] void usage(const std::string& why) {
    throw Failure("Usage: tapgate-helper [--use-vnet] --br=bridge --fd=unixfd: " + why);
}

// The option and its value as an error shows them: `--OPTION=VALUE`.
std::string shown(const char* option, std::string_view text) {
    return std::string("`--") + option + "=" + printable(text) + "'";
}

unsigned parse_number(const char* option, std::string_view text, unsigned least, unsigned most) {
    const auto number = whole_number(text, least, most);
    if (!number)
        usage(shown(option, text) + " is not a number from " + std::to_string(least) + " to " +
              std::to_string(most));
    return *number;
}

InterfaceName parse_bridge(std::string_view text) {
    if (text.size() > InterfaceName::max_size)
        throw Failure("name `" + printable(text) + "' too long: " + std::to_string(text.size()));
    const auto name = InterfaceName::parse(text);
    if (!name)
        usage(shown("br", text) + " cannot be a bridge's name");
    return *name;
}

enum Option { use_vnet, br, fd, queues, mac, vm, reap, version, help };

constexpr std::array<option, 10> options{{
    {"use-vnet", no_argument, nullptr, use_vnet},
    {"br", required_argument, nullptr, br},
    {"fd", required_argument, nullptr, fd},
    {"queues", required_argument, nullptr, queues},
    {"mac", required_argument, nullptr, mac},
    {"vm", required_argument, nullptr, vm},
    {"reap", no_argument, nullptr, reap},
    {"version", no_argument, nullptr, version},
    {"help", no_argument, nullptr, help},
    {nullptr, 0, nullptr, 0},
}};

void set_option(Request& request, int option, std::string_view value) {
    switch (option) {
        case use_vnet:
            request.vnet_header = true;
            break;
        case br:
            request.bridge = parse_bridge(value);
            break;
        case fd:
            // 0 to 2 are stdio: a reply sent there would mix with the caller's own output.
            request.socket = static_cast<int>(parse_number("fd", value, 3, 0x7fffffff));
            break;
        case queues:
            request.queues = parse_number("queues", value, 1, max_fds_in_message);
            break;
        case mac:
            request.mac = MacAddress::parse(value);
            if (!request.mac)
                usage(shown("mac", value) + " is not a station's address like 52:54:00:12:34:56");
            break;
        case vm:
            request.vm = VmName::parse(value);
            if (!request.vm)
                usage(shown("vm", value) +
                      " is not a VM's name: a letter, then up to 39 of letters, digits, . _ -");
            break;
        case reap:
            request.mode = Request::Mode::reap;
            break;
        default:
            request.mode = option == version ? Request::Mode::version : Request::Mode::help;
    }
}

}  // namespace

Request parse_request(int argc, char** argv) {
    Request request;
    opterr = 0;  // getopt_long()'s own messages would make two lines of one error
    optind = 0;  // start afresh: tests and fuzzers call this more than once
    for (;;) {
        // getopt_long() permutes argv and moves optind past a word before it complains about it.
        const int before = optind == 0 ? 1 : optind;
        const int option = getopt_long(argc, argv, "", options.data(), nullptr);
        if (option == -1)
            break;
        if (option == '?')
            usage("`" + printable(argv[optind > before ? optind - 1 : before]) +
                  "' is unknown, or lacks its value");
        set_option(request, option, optarg == nullptr ? "" : optarg);
        if (request.mode == Request::Mode::version || request.mode == Request::Mode::help)
            return request;
    }
    if (optind < argc)
        usage("unexpected `" + printable(argv[optind]) + "'");

    if (request.mode == Request::Mode::attach && !request.bridge)
        usage("--br= is missing");
    if (request.mode == Request::Mode::attach && request.socket < 0)
        usage("--fd= is missing");
    return request;
}

}  // namespace tapgate

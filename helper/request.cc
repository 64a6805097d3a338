// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/request.h"

#include <getopt.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

#include "common/fd_passing.h"
#include "helper/failure.h"

namespace tapgate {

const char* const help_text =
    R"(Usage: tapgate-helper [--use-vnet] --br=BRIDGE --fd=N [--queues=N] [--mac=MAC] [--vm=NAME]
       tapgate-helper --explain --br=BRIDGE
       tapgate-helper --check[=FILE]

Makes a tap device, makes it a port of BRIDGE if the policy lets the caller, and
passes it over a UNIX socket. A drop-in for qemu-bridge-helper: QEMU and libvirt
start it.

  --br=BRIDGE   the bridge
  --fd=N        the connected UNIX socket that the tap is sent over
  --use-vnet    put a vnet header before each frame, as virtio-net likes it
  --queues=N    make a tap of N queues and send N descriptors (default 1)
  --mac=MAC     the guest's address; the tap gets the same, beginning with fe
  --vm=NAME     the VM's name, for the tap's alias and the log

These make nothing and need no privilege:
  --explain     say which rule decides whether the caller may use BRIDGE
  --check[=FILE]  look for mistakes in FILE (default: )" TAPGATE_POLICY R"()
  --version     print the version
  --help        print this text

See tapgate-helper(8) and bridge.conf(5).
)";

namespace {

[[noreturn]] void usage(const std::string& why) {
    throw Failure("Usage: tapgate-helper [--use-vnet] --br=bridge --fd=unixfd: " + why);
}

// `--OPTION=text`, as it is shown in a message.
std::string shown(const char* option, std::string_view text) {
    return std::string("`--") + option + "=" + printable(text) + "'";
}

// A whole decimal number of `least` to `most`, and nothing else: atoi() made descriptor 0 of "abc"
// and 3 of "4294967299".
unsigned parse_number(const char* option, std::string_view text, unsigned least, unsigned most) {
    unsigned value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc() || stop != end || value < least || value > most)
        usage(shown(option, text) + " is not a number from " + std::to_string(least) + " to " +
              std::to_string(most));
    return value;
}

InterfaceName parse_bridge(std::string_view text) {
    if (text.size() > InterfaceName::max_size)
        throw Failure("name `" + printable(text) + "' too long: " + std::to_string(text.size()));
    const auto name = InterfaceName::parse(text);
    if (!name)
        usage(shown("br", text) + " cannot be a bridge's name");
    return *name;
}

}  // namespace

Request parse_request(int argc, char** argv) {
    enum Option { use_vnet, br, fd, queues, mac, vm, explain, check, version, help };
    static constexpr std::array<option, 11> options{{
        {"use-vnet", no_argument, nullptr, use_vnet},
        {"br", required_argument, nullptr, br},
        {"fd", required_argument, nullptr, fd},
        {"queues", required_argument, nullptr, queues},
        {"mac", required_argument, nullptr, mac},
        {"vm", required_argument, nullptr, vm},
        {"explain", no_argument, nullptr, explain},
        {"check", optional_argument, nullptr, check},
        {"version", no_argument, nullptr, version},
        {"help", no_argument, nullptr, help},
        {nullptr, 0, nullptr, 0},
    }};

    Request request;
    opterr = 0;  // its messages would come before ours, and two lines are one too many
    optind = 0;  // begin anew: tests and fuzzers call this more than once
    for (;;) {
        // getopt_long() permutes argv and moves optind past a word before it complains about it.
        const int before = optind == 0 ? 1 : optind;
        const int option = getopt_long(argc, argv, "", options.data(), nullptr);
        if (option == -1)
            break;
        const std::string_view value = optarg == nullptr ? "" : optarg;
        switch (option) {
            case use_vnet:
                request.vnet_header = true;
                break;
            case br:
                request.bridge = parse_bridge(value);
                break;
            case fd:
                // 0 to 2 are stdio: a reply there would meet the caller's own output.
                request.socket =
                    static_cast<int>(parse_number("fd", value, STDERR_FILENO + 1, 0x7fffffff));
                break;
            case queues:
                request.queues = parse_number("queues", value, 1, max_fds_in_message);
                break;
            case mac:
                request.mac = MacAddress::parse(value);
                if (!request.mac)
                    usage(shown("mac", value) +
                          " is not a station's address like 52:54:00:12:34:56");
                break;
            case vm:
                request.vm = VmName::parse(value);
                if (!request.vm)
                    usage(shown("vm", value) +
                          " is not a VM's name: a letter, then up to 39 of letters, digits, . _ -");
                break;
            case explain:
                request.mode = Request::Mode::explain;
                break;
            case check:
                request.mode = Request::Mode::check;
                request.check_file = value;
                break;
            case version:
                request.mode = Request::Mode::version;
                return request;
            case help:
                request.mode = Request::Mode::help;
                return request;
            default: {
                const int at = optind > before ? optind - 1 : before;
                usage(at < argc ? "`" + printable(argv[at]) + "' is unknown, or lacks its value"
                                : "an option lacks its value");
            }
        }
    }
    if (optind < argc)
        usage("unexpected `" + printable(argv[optind]) + "'");

    const bool needs_bridge =
        request.mode == Request::Mode::attach || request.mode == Request::Mode::explain;
    if (needs_bridge && !request.bridge)
        usage("--br= is missing");
    if (request.mode == Request::Mode::attach && request.socket < 0)
        usage("--fd= is missing");
    return request;
}

}  // namespace tapgate

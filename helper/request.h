// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "common/names.h"

namespace tapgate {

/// What the caller asks for: the command line, checked.
struct Request {
    enum class Mode {
        attach,  ///< make a tap, make it a port, pass it on: what QEMU asks for
        reap,    ///< remove stale taps
        version,
        help,
    };

    Mode mode = Mode::attach;
    std::optional<InterfaceName> bridge;  ///< there in mode attach
    int socket = -1;                      ///< --fd: there in mode attach
    bool vnet_header = false;             ///< --use-vnet: put a vnet header before each frame
    unsigned queues = 1;                  ///< --queues: 1 to max_fds_in_message
    std::optional<MacAddress> mac;        ///< --mac: the guest's address
    std::optional<VmName> vm;             ///< --vm
};

/// The text that --help or --version prints.
const char* text_of(Request::Mode mode);

/// Reads the command line as QEMU's helper does, by getopt_long(): options in any order, the last
/// of a repeated one wins, `--br NAME` as well as `--br=NAME`. Stricter than that: a number must be
/// a whole number, and an unknown word is an error. `argc` may be 0. Throws Failure with the stock
/// helper's "Usage: ..." or "name `...' too long: N", and the reason.
Request parse_request(int argc, char** argv);

}  // namespace tapgate

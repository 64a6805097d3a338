// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef TAPGATE_HELPER_REQUEST_H
#define TAPGATE_HELPER_REQUEST_H

#include <optional>
#include <string>

#include "common/names.h"

namespace tapgate {

/// What the caller asks for: the command line, checked.
struct Request {
    enum class Mode {
        attach,   ///< make a tap, make it a port, pass it on: what QEMU asks for
        explain,  ///< say which rule decides for the caller
        check,    ///< lint a policy
        version,
        help,
    };

    Mode mode = Mode::attach;
    std::optional<InterfaceName> bridge;  ///< there in the modes attach and explain
    int socket = -1;                      ///< --fd: there in mode attach
    bool vnet_header = false;             ///< --use-vnet: put a vnet header before each frame
    unsigned queues = 1;                  ///< --queues: 1 to max_fds_in_message
    std::optional<MacAddress> mac;        ///< --mac: the guest's address
    std::optional<VmName> vm;             ///< --vm
    std::string check_file;               ///< --check=FILE; empty means the installed policy
};

/// The text of --help, man page and code in one voice.
extern const char* const help_text;

/// Reads the command line as QEMU's helper does (getopt_long: any order, the last of a repeated
/// option wins, `--br NAME` as well as `--br=NAME`), but is strict where that is not: numbers are
/// whole numbers, and a word that means nothing is an error. `argc` may be 0. Throws Failure with
/// the stock helper's "Usage: ..." or "name `...' too long: N" and the reason.
Request parse_request(int argc, char** argv);

}  // namespace tapgate

#endif

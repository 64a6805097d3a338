// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any bytes as a command line, words separated by NUL. It is a valid request, or a Failure of one
// line.

#include <cstdint>
#include <string>
#include <vector>

#include "common/fd_passing.h"
#include "helper/failure.h"
#include "helper/request.h"
#include "tests/fuzz/require.h"

namespace {

using tapgate::require;

void require_valid(const tapgate::Request& request) {
    if (request.bridge)
        require(tapgate::InterfaceName::parse(request.bridge->str()).has_value());
    if (request.vm)
        require(tapgate::VmName::parse(request.vm->str()).has_value());
    require(request.queues >= 1 && request.queues <= tapgate::max_fds_in_message);
    if (request.mode == tapgate::Request::Mode::attach)
        require(request.bridge.has_value() && request.socket > 2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
    std::vector<std::string> words(1, "tapgate-helper");
    bool begins = true;
    for (size_t i = 0; i < size; i++) {
        if (begins)
            words.emplace_back();
        begins = data[i] == 0;
        if (!begins)
            words.back() += static_cast<char>(data[i]);
    }
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    try {
        require_valid(tapgate::parse_request(static_cast<int>(words.size()), argv.data()));
    } catch (const tapgate::Failure& failure) {
        for (const char c : std::string(failure.what()))
            require(static_cast<unsigned char>(c) >= ' ' && c != '\x7f');
    }
    return 0;
}

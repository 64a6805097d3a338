// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any bytes as what a QEMU sends. It is a conversation, or a QmpError whose text is fit for a
// terminal; and in whatever pieces it comes, it is the same messages.

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/qemu/qmp_client.h"
#include "tests/fuzz/require.h"

namespace {

using std::chrono::milliseconds;
using tapgate::require;
using tapgate::require_clean_text;

// The messages of `text` that came in pieces of `piece` bytes; the last is what was wrong, if any.
std::vector<std::string> messages_of(std::string_view text, size_t piece) {
    std::vector<std::string> messages;
    tapgate::QmpStream stream;
    try {
        for (size_t at = 0; at < text.size(); at += piece) {
            stream.append(text.substr(at, piece));
            while (const auto message = stream.next())
                messages.push_back(message->dump());
        }
    } catch (const std::invalid_argument& error) {
        require_clean_text(error.what(), "\n");
        messages.emplace_back(error.what());
    }
    return messages;
}

void converse(std::string_view text) {
    std::array<int, 2> ends{};
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    tapgate::UniqueFd ours(ends[0]);
    const tapgate::UniqueFd theirs(ends[1]);
    // It fits: the socket holds more than the longest input. All is there from the start, and then
    // comes the end, so that nothing waits.
    require(send(theirs.get(), text.data(), text.size(), MSG_DONTWAIT) ==
            static_cast<ssize_t>(text.size()));
    require(shutdown(theirs.get(), SHUT_WR) == 0);
    try {
        tapgate::QmpClient client(std::move(ours), "fuzzed");
        for (int i = 0; i < 3; i++) {
            const tapgate::QmpAnswer answer = client.execute("query-status", {{"x", 1}});
            require(answer.ok() == answer.error.empty());
            require_clean_text(answer.error, "\n");
            require_clean_text(answer.error_class, "\n");
        }
        while (const auto event = client.next_event(milliseconds(0)))
            require((*event)["event"].is_string());
        require(false);  // the end of the connection is an error
    } catch (const tapgate::QmpError& error) {
        require(error.kind() == tapgate::QmpError::Kind::closed ||
                error.kind() == tapgate::QmpError::Kind::broken);
        require_clean_text(error.what(), "\n");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
    const std::string text(data, data + std::min(size, size_t{65536}));
    const auto whole = messages_of(text, std::max<size_t>(text.size(), 1));
    require(messages_of(text, 1) == whole);
    require(messages_of(text, 7) == whole);
    converse(text);
    return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "launcher/base/error.h"
#include "launcher/base/terminal_table.h"
#include "launcher/base/text.h"

namespace tapgate {

void occupy_standard_descriptors() {
    // open() returns the lowest free number, which is `fd`: those below are taken by now.
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        const int wrong_way = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", wrong_way) != fd)
            fail_with_errno("/dev/null");
    }
}

void print(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw LauncherError("cannot write to the standard output");
}

std::string json_text(const nlohmann::json& json) {
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}
std::string json_text(const nlohmann::ordered_json& json) {
    return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void print_json(const nlohmann::json& json) {
    print(json_text(json));
}
void print_json(const nlohmann::ordered_json& json) {
    print(json_text(json));
}

void note(const std::string& text) {
    constexpr size_t further_in = 2;
    const std::string line = "tapgate: " + terminal_text(text, longest_message);
    std::fprintf(stderr, "%s\n", folded_text(line, further_in, error_width()).c_str());
}

}  // namespace tapgate

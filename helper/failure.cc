// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/failure.h"

#include <cstring>

namespace tapgate {

std::string error_text(int error_number) {
    const char* text = strerrordesc_np(error_number);
    return text != nullptr ? text : "error " + std::to_string(error_number);
}

void fail_with_errno(const std::string& what, int error_number) {
    throw Failure(what + ": " + error_text(error_number));
}

void deny(const std::string& why) {
    throw Failure("access denied by acl file: " + why);
}

}  // namespace tapgate

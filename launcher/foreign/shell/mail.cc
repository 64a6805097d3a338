// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/mail.h"

#include <algorithm>
#include <optional>

#include "launcher/base/text.h"

namespace tapgate {

namespace {

// What follows a `=': the end of a line, or a byte as two digits. How much of the text that is; 0:
// neither.
size_t length_of_code(std::string_view behind) {
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
    if (behind.starts_with('\n'))
        return 1;
    if (behind.starts_with("\r\n"))
        return 2;
    return behind.size() >= 2 && is_digit(behind[0]) && is_digit(behind[1]) ? 2 : 0;
}

// Is each `=' a code, and one of them that of a `=' itself? A script has others.
bool is_quoted_printable(std::string_view text) {
    bool has_equals = false;
    for (size_t at = text.find('='); at != std::string_view::npos; at = text.find('=', at + 1)) {
        const std::string_view behind = text.substr(at + 1);
        if (length_of_code(behind) == 0)
            return false;
        has_equals = has_equals || behind.starts_with("3D");
    }
    return has_equals;
}

char byte_of(std::string_view digits) {
    const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'A' + 10; };
    return static_cast<char>(value(digits[0]) * 16 + value(digits[1]));
}

// The mail's text, if its header is there and says how it is encoded.
std::optional<std::string_view> body_of_mail(std::string_view text) {
    const size_t end = std::min(text.find("\n\n"), text.find("\n\r\n"));
    const std::string header = in_small_letters(text.substr(0, end));
    if (end == std::string_view::npos ||
        header.find("content-transfer-encoding: quoted-printable") == std::string::npos)
        return std::nullopt;
    return trimmed(text.substr(end), "\r\n");
}

}  // namespace

std::string without_mail_encoding(std::string_view text) {
    const std::optional<std::string_view> body = body_of_mail(text);
    text = body.value_or(text);
    if (!is_quoted_printable(text))
        return std::string(text);
    std::string result;
    while (!text.empty()) {
        const size_t equals = std::min(text.find('='), text.size());
        result += text.substr(0, equals);
        text.remove_prefix(equals);
        if (text.empty())
            break;
        const std::string_view code = text.substr(1, length_of_code(text.substr(1)));
        if (code[0] != '\n' && code[0] != '\r')
            result += byte_of(code);
        text.remove_prefix(1 + code.size());
    }
    return result;
}

}  // namespace tapgate

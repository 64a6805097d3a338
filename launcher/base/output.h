// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the launcher prints: results on stdout, and on stderr one line for each thing worth knowing.
// No failure to print goes unnoticed.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace tapgate {

/// The longest message on stderr, in bytes; the rest is cut.
constexpr size_t longest_message = 64UL * 1024;

/// Fills the places of stdin, stdout and stderr where this process was started without them:
/// otherwise the next file that it opens would get that number, and what is printed would go there.
/// Reading or writing there still fails. Throws a LauncherError. Must be called first.
void occupy_standard_descriptors();

/// Writes `text` to stdout at once. Throws a LauncherError when not all of it can be written: half
/// a command line is a different one.
void print(std::string_view text);

/// JSON for people and programs: indented, with a final newline; bytes that are not UTF-8 are
/// replaced.
std::string json_text(const nlohmann::json& json);
std::string json_text(const nlohmann::ordered_json& json);

/// Prints json_text(), for --json.
void print_json(const nlohmann::json& json);
void print_json(const nlohmann::ordered_json& json);

/// Prints "tapgate: TEXT" on stderr, for what the user should know but need not act on.
void note(const std::string& text);

}  // namespace tapgate

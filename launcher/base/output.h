// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the launcher tells: results to stdout, and to stderr one line for each thing that is worth
// knowing. Nothing there fails unseen.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace tapgate {

/// Of a message on stderr, in bytes: the rest is cut.
constexpr size_t longest_message = 64UL * 1024;

/// Has something at the numbers of stdin, stdout and stderr, where this process was started
/// without: the next file that it opens would have that number, and get what is printed. Reading,
/// or writing, there fails all the same. Throws a LauncherError. To be called first.
void occupy_standard_descriptors();

/// Writes `text` to stdout, at once. Throws a LauncherError when not all of it can be written: half
/// a command line is another one.
void print(std::string_view text);

/// JSON for people and programs: indented, a newline at its end, and what is not UTF-8 replaced.
std::string json_text(const nlohmann::json& json);
std::string json_text(const nlohmann::ordered_json& json);

/// What --json prints: json_text().
void print_json(const nlohmann::json& json);
void print_json(const nlohmann::ordered_json& json);

/// "tapgate: TEXT" and a newline, to stderr. For what the user should know and need not act on.
void note(const std::string& text);

}  // namespace tapgate

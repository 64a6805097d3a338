// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/specifiers.h"

#include <algorithm>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/variables.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

bool is_specifier(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The unit's name, from that of its file; empty if it is none.
std::string_view unit_of(std::string_view file) {
    constexpr std::string_view suffix = ".service";
    std::string_view unit = last_part(file);
    if (!unit.ends_with(suffix))
        return {};
    unit.remove_suffix(suffix.size());
    return unit;
}

std::string_view first_line(std::string_view text) {
    return text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
}

std::string_view meaning(char letter, std::string_view unit) {
    const size_t at = std::min(unit.find('@'), unit.size());
    const std::string_view instance = unit.substr(std::min(at + 1, unit.size()));
    const std::string_view found = letter == 'i'   ? instance
                                   : letter == 'p' ? unit.substr(0, at)
                                   : letter == 'N' ? unit
                                                   : std::string_view();
    return found.empty() ? unknown_text : found;
}

std::string replaced(std::string_view line, std::string_view unit) {
    std::string result;
    for (size_t i = 0; i < line.size(); i++) {
        const char next = line[i] == '%' && i + 1 < line.size() ? line[i + 1] : '\0';
        if (next == '%')
            result += '%';
        else if (is_specifier(next))
            result += meaning(next, unit);
        else
            result += line[i];
        i += next == '%' || is_specifier(next) ? 1 : 0;
    }
    return result;
}

// The `cd' command for a section's setting of the directory; empty if there is none.
std::string change_of_directory(std::string_view section, std::string_view key,
                                std::string_view unit) {
    std::string directory;
    for (; !section.empty(); section.remove_prefix(first_line(section).size())) {
        const std::string_view said = trimmed(first_line(section), " \t\r\n");
        if (said.starts_with(key))
            directory = replaced(said.substr(key.size()), unit);
    }
    if (directory.starts_with('-'))  // then it may be missing
        directory.erase(0, 1);
    if (directory.empty() || directory.find('"') != std::string::npos)
        return {};
    return directory == "~" ? "cd ~; " : "cd \"" + directory + "\"; ";
}

// Does a line of the text begin like this?
bool has_line(std::string_view text, std::string_view begin) {
    for (; !text.empty(); text.remove_prefix(first_line(text).size())) {
        if (text.starts_with(begin))
            return true;
    }
    return false;
}

// OpenRC's own start() finds the program in variables; the service has the file's name.
std::string with_start_of_openrc(std::string_view text, std::string_view file) {
    const std::string name(last_part(file));
    std::string script = "RC_SVCNAME=" + shell_text({name}) + "\n";
    script += text.substr(first_line(text).size());
    const bool starts = has_line(text, "start()") || has_line(text, "start ()");
    return script + (starts ? "\nstart\n" : "\n$command $command_args\n");
}

// The assignments of a file such as systemd reads for EnvironmentFile=.
std::string assignments_in(std::string_view text) {
    std::string result;
    for (; !text.empty(); text.remove_prefix(first_line(text).size())) {
        const std::string_view line = trimmed(first_line(text), " \t\r\n");
        const size_t length = shell_name_length(line);
        if (length == 0 || length == line.size() || line[length] != '=')
            continue;
        std::string_view value = trimmed(line.substr(length + 1));
        for (const char quote : {'"', '\''}) {
            if (value.size() > 1 && value.starts_with(quote) && value.ends_with(quote))
                value = value.substr(1, value.size() - 2);
        }
        result += std::string(line.substr(0, length + 1)) + shell_text({std::string(value)}) + "; ";
    }
    return result;
}

bool is_of_openrc(std::string_view text) {
    const std::string_view program = trimmed(first_line(text), " \t\r\n");
    return program.starts_with("#!") &&
           (program.ends_with("/openrc-run") || program.ends_with("/runscript"));
}

}  // namespace

std::string with_units_as_script(std::string_view text, std::string_view file,
                                 const Surroundings& surroundings) {
    if (!text.empty() && is_of_openrc(text))
        return with_start_of_openrc(text, file);
    constexpr std::string_view entry = "[Desktop Entry]";
    const std::string_view unit = unit_of(file);
    const bool desktop = trimmed(text, " \t\r\n").starts_with(entry);
    const bool supervisor = has_line(text, "[program:");
    const std::string_view command = desktop ? "Exec=" : supervisor ? "command=" : "ExecStart=";
    const std::string_view place = desktop      ? "Path="
                                   : supervisor ? "directory="
                                                : "WorkingDirectory=";
    std::string result;
    std::string directory;
    bool starts = false;  // whether the line, or the one that it continues, starts something
    while (!text.empty()) {
        std::string_view line = first_line(text);
        const std::string_view said = trimmed(line);
        if (said.starts_with(entry) || said.starts_with("[Service]") ||
            said.starts_with("[program:"))
            directory = change_of_directory(text.substr(0, text.find("\n[")), place, unit);
        text.remove_prefix(line.size());
        constexpr std::string_view settings = "EnvironmentFile=";
        if (said.starts_with(settings)) {
            std::string path = replaced(trimmed(said.substr(settings.size()), " \t\r\n"), unit);
            if (path.starts_with('-'))  // then it may be missing
                path.erase(0, 1);
            if (const auto read = surroundings.text_of(path)) {
                result += assignments_in(*read) + "\n";
                continue;
            }
        }
        if (said.starts_with(command)) {
            starts = true;
            result += directory + "ExecStart=";
            line = said.substr(command.size());
        }
        result += starts ? replaced(line, unit) : std::string(line);
        starts = starts && trimmed(line, " \t\r\n").ends_with('\\');
    }
    return result;
}

}  // namespace tapgate

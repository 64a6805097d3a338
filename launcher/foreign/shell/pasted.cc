// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/pasted.h"

#include <algorithm>
#include <array>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

// Without the marks of replies, if each line has one. No script is like that.
std::string without_reply_marks(std::string_view text) {
    const auto lines = lines_of(text);
    const bool all = std::all_of(lines.begin(), lines.end(), [](std::string_view line) {
        const std::string_view rest = trimmed(line, " \t\r");
        return rest.empty() || rest.starts_with('>');
    });
    if (!all)
        return std::string(text);
    std::string result;
    for (const std::string_view line : lines) {
        const size_t marks = std::min(line.find_first_not_of("> \t"), line.size());
        result.append(line.substr(marks)).append("\n");
    }
    return result;
}

// The command line in `start failed: command '/usr/bin/kvm ...' failed: exit code 1', which has
// its own quotes inside of those: the last one, if a log has several of one VM. Empty if there is
// no such error.
std::string_view failed_start(std::string_view text) {
    constexpr std::string_view begin = "start failed: command '";
    constexpr std::string_view end = "' failed: ";
    std::string_view found;
    for (const std::string_view line : lines_of(text)) {
        const size_t at = line.find(begin);
        const size_t length = line.rfind(end);
        if (at == std::string_view::npos || length == std::string_view::npos || length < at)
            continue;
        const std::string_view command = line.substr(at + begin.size(), length - at - begin.size());
        const std::string_view vm =
            command.substr(0, command.find(" -", command.find(" -id ") + 1));
        if (!command.starts_with('/') || (!found.empty() && !found.starts_with(vm)))
            return {};
        found = command;
    }
    return found;
}

// An option of those that Proxmox prints with a value behind it.
bool wants_value(std::string_view word) {
    constexpr std::array<std::string_view, 35> options = {
        "-acpitable", "-audiodev",  "-blockdev", "-boot",    "-chardev",    "-cpu",      "-device",
        "-display",   "-drive",     "-fw_cfg",   "-global",  "-id",         "-incoming", "-iscsi",
        "-k",         "-loadstate", "-m",        "-machine", "-mon",        "-name",     "-netdev",
        "-numa",      "-object",    "-parallel", "-pidfile", "-readconfig", "-rtc",      "-serial",
        "-set",       "-smbios",    "-smp",      "-spice",   "-tpmdev",     "-vga",      "-vnc"};
    return is_one_of(word, options);
}

bool is_of_proxmox(std::string_view word) {
    constexpr std::array<std::string_view, 7> switches = {
        "-S", "-daemonize", "-no-hpet", "-no-shutdown", "-nodefaults", "-nographic", "-snapshot"};
    return wants_value(word) || is_one_of(word, switches);
}

// Proxmox' command line in one line, if it was wrapped before an option, behind its name or behind
// a comma, and nowhere else; the text as it is if not.
std::string unwrapped(std::string text) {
    std::string all;
    std::string_view before;
    for (const std::string_view whole : lines_of(text)) {
        std::string_view line = trimmed(whole, " \t\r");
        if (line.ends_with('\\'))
            line = trimmed(line.substr(0, line.size() - 1), " \t");
        if (line.empty())
            continue;
        const std::string_view first = line.substr(0, line.find_first_of(" \t"));
        const bool cut = before.ends_with(',');
        if (all.empty() ? last_part(first) != "kvm"
                        : !is_of_proxmox(first) && !wants_value(before) && !cut)
            return text;
        all.append(all.empty() || cut ? "" : " ").append(line);
        before = line.substr(line.find_last_of(" \t") + 1);  // npos + 1 is 0
    }
    constexpr std::string_view of_shells = "\\$`;|&<>#";
    const bool plain = all.find_first_of(of_shells) == std::string::npos;
    return plain && all.find(" -id ") != std::string::npos ? all + "\n" : text;
}

}  // namespace

std::string before_pasting(std::string_view text) {
    const std::string plain = without_reply_marks(text);
    const std::string_view failed = failed_start(plain);
    return unwrapped(failed.empty() ? plain : std::string(failed) + "\n");
}

}  // namespace tapgate

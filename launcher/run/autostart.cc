// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/autostart.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>

#include "common/unique_fd.h"
#include "launcher/base/child_process.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/program.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/vm/autostart_link.h"
#include "launcher/vm/file.h"

namespace tapgate {

namespace {

constexpr const char* unit_name = "tapgate@.service";

// The unit file to which `systemctl --user enable` makes a link.
std::optional<std::string> unit_file() {
    for (const char* directory : {"/etc/systemd/user/", "/usr/local/lib/systemd/user/",
                                  "/usr/lib/systemd/user/", "/lib/systemd/user/"}) {
        if (exists(directory + std::string(unit_name)))
            return directory + std::string(unit_name);
    }
    return std::nullopt;
}

std::string login_name() {
    const passwd* const user = getpwuid(getuid());  // NOLINT(concurrency-mt-unsafe): one thread
    return user != nullptr ? user->pw_name : std::to_string(getuid());
}

bool has_systemd() {
    return exists("/run/systemd/system");
}

// The comment by which the VM's line is found in the crontab.
std::string cron_mark(const VmName& name) {
    return "# tapgate autostart " + name.str();
}

// The user's crontab; empty when he has none. Throws a LauncherError when that is not certain,
// since its content would be lost.
std::string cron_table() {
    const ProgramResult table = run_program({"crontab", "-l"});
    if (table.exit_code == 0)
        return table.output;
    // The message of Debian's cron and of cronie; busybox's prints the error of the system call.
    for (const char* const none : {"no crontab for", "No such file"})
        if (table.errors.find(none) != std::string::npos)
            return {};
    throw LauncherError("crontab -l, which tells what your crontab has, fails: " +
                        terminal_text(table.errors.empty() ? "without a word" : table.errors) +
                        "; nothing was changed");
}

void write_cron_table(const std::string& text) {
    const std::string path = config_directory() + "/.crontab." + std::to_string(getpid());
    replace_file(path, text);
    const ProgramResult written = run_program({"crontab", path});
    unlink(path.c_str());
    if (written.exit_code != 0)
        throw LauncherError("crontab: " + terminal_text(written.errors));
}

// The crontab without the VM's line.
std::string without(const std::string& table, const VmName& name) {
    std::string result;
    for (std::string_view rest = table; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (!line.ends_with(cron_mark(name)))
            result.append(line).append("\n");
    }
    return result;
}

void reload_units() {
    // If systemd does not run now, it reads the link when it starts.
    if (find_program("systemctl"))
        static_cast<void>(run_program({"systemctl", "--user", "daemon-reload"}));
}

}  // namespace

bool lingers() {
    return exists("/var/lib/systemd/linger/" + login_name());
}

bool has_autostart(const VmName& name) {
    if (starts_by_itself(name))
        return true;
    if (!find_program("crontab"))
        return false;
    try {
        const std::string table = cron_table();
        return without(table, name) != table;
    } catch (const LauncherError&) {
        // The answer decides only what else is to be removed.
        return false;
    }
}

std::vector<std::string> set_autostart(const VmName& name, bool on) {
    const bool has_cron = find_program("crontab").has_value();
    const std::string link = autostart_link(name);
    if (!on) {
        const bool had = starts_by_itself(name);
        if (had && unlink(link.c_str()) != 0)
            fail_with_errno(shown(link));
        if (had && has_systemd())
            reload_units();
        const UniqueFd lock = has_cron ? lock_vm_files() : UniqueFd();
        const std::string table = has_cron ? cron_table() : "";
        if (const std::string rest = without(table, name); rest != table) {
            write_cron_table(rest);
            return {name.str() + " does not start by itself any more"};
        }
        return {name.str() +
                (had ? " does not start by itself any more" : " did not start by itself anyway")};
    }
    const auto unit = unit_file();
    if (has_systemd() && unit) {
        make_private_directory(link.substr(0, link.rfind('/')));
        if (symlink(unit->c_str(), link.c_str()) != 0 && errno != EEXIST)
            fail_with_errno(shown(link));
        reload_units();
        if (lingers())
            return {name.str() + " starts with this host, as tapgate@" + name.str() + ".service"};
        return {name.str() + " starts when you log in, as tapgate@" + name.str() +
                ".service; to have it start with the host: loginctl enable-linger " + login_name() +
                " (an administrator's to allow)"};
    }
    if (!has_cron)
        throw LauncherError(
            has_systemd() ? "there is no " + std::string(unit_name) +
                                " in /usr/lib/systemd/user, which the installation puts there "
                                "(cmake --install, or the package)"
                          : "this host has no systemd, and no cron either: install one that has "
                            "@reboot (apt install cron)");
    const UniqueFd lock = lock_vm_files();
    const std::string table = without(cron_table(), name);
    write_cron_table(table + "@reboot " + shell_text({own_program(), "start", name.str()}) + " " +
                     cron_mark(name) + "\n");
    return {name.str() + " starts with this host, by @reboot in your crontab"};
}

}  // namespace tapgate

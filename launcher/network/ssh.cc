// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/ssh.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/program.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/known_hosts.h"

namespace tapgate {

namespace {

// A path as ssh_config(5) takes it: quoted, since it may have blanks, and with "%%" for '%'.
std::string config_path(const std::string& path) {
    std::string text = "\"";
    for (const char c : path) {
        // These cannot be written (OpenSSH 9.2: argv_split() in misc.c, and ${} variables).
        if (c == '"' || c == '$' || c == '\\' || c == '\n')
            throw LauncherError("ssh cannot take the name of this directory: " + shown(path) +
                                "; set XDG_DATA_HOME");
        text += c == '%' ? "%%" : std::string(1, c);
    }
    return text + "\"";
}

// Settings in the form "Keyword value", which ssh -o takes, too.
std::vector<std::string> settings_of(const VmName& name, const SshTarget& target,
                                     const std::string& known_hosts, const std::string& user) {
    std::vector<std::string> settings{"Port " + std::to_string(target.port),
                                      "HostKeyAlias " + name.str(),
                                      "UserKnownHostsFile " + config_path(known_hosts),
                                      "StrictHostKeyChecking accept-new", "CheckHostIP no"};
    if (!user.empty())
        settings.push_back("User " + user);
    return settings;
}

// This program as a word for the shell that ssh starts, with "%%" for '%'.
std::string program_word() {
    std::string program;
    for (const char c : shell_text({own_program()}))
        program += c == '%' ? "%%" : std::string(1, c);
    return program;
}

}  // namespace

std::vector<std::string> ssh_argv(const VmName& name, const SshTarget& target,
                                  const std::string& known_hosts, const std::string& user,
                                  const std::vector<std::string>& command) {
    std::vector<std::string> argv{"ssh"};
    for (const std::string& setting : settings_of(name, target, known_hosts, user)) {
        argv.emplace_back("-o");
        argv.push_back(setting);
    }
    argv.emplace_back("--");
    argv.push_back(target.address);
    argv.insert(argv.end(), command.begin(), command.end());
    return argv;
}

std::vector<std::string> scp_argv(const VmName& name, const SshTarget& target,
                                  const std::string& known_hosts, const std::string& user,
                                  const std::string& from, const std::string& to, bool to_guest) {
    std::vector<std::string> argv{"scp", "-r", "-p"};
    for (const std::string& setting : settings_of(name, target, known_hosts, user)) {
        argv.emplace_back("-o");
        argv.push_back(setting);
    }
    argv.emplace_back("--");
    // In brackets, since an IPv6 address has colons. A path on this host has a slash before any
    // colon.
    const std::string there = "[" + target.address + "]:";
    const auto here = [](const std::string& path) {
        return path.starts_with('/') ? path : "./" + path;
    };
    argv.push_back(to_guest ? here(from) : there + from);
    argv.push_back(to_guest ? there + to : here(to));
    return argv;
}

std::string ssh_pattern_config(const std::string& user) {
    const std::string program = program_word();
    std::string directory = config_path(known_hosts_directory());
    directory.pop_back();
    return "Host " + std::string(ssh_host_prefix) + "*\n    ProxyCommand " + program +
           " ssh-proxy %n\n    UserKnownHostsFile " + directory +
           "/%n\"\n    StrictHostKeyChecking accept-new\n    CheckHostIP no\n" +
           (user.empty() ? "" : "    User " + user + "\n");
}

std::vector<std::string> install_ssh_config(const std::string& home, const std::string& block) {
    constexpr size_t longest = 1024UL * 1024;
    const std::string directory = home + "/.ssh";
    make_private_directory(directory);
    std::vector<std::string> done;
    const std::string own = directory + "/tapgate.conf";
    if (read_file(own, longest) != block) {
        replace_file(own, block);
        done.push_back(shown(own) + " is written");
    }
    std::string config = directory + "/config";
    std::error_code none;
    // Follow a link, so that it stays one: somebody may keep all files of this kind elsewhere.
    if (const auto real = std::filesystem::canonical(config, none); !none)
        config = real.string();
    const std::string text = read_file(config, longest).value_or("");
    const std::string line = "Include tapgate.conf\n";
    if (!text.starts_with(line) && text.find("\n" + line) == std::string::npos) {
        // At the beginning: after a Host line it would belong to that host.
        replace_file(config, line + text);
        done.push_back(shown(config) + " includes it");
    }
    done.emplace_back("from now on: ssh " + std::string(ssh_host_prefix) + "NAME");
    return done;
}

std::string ssh_config(const VmName& name, const SshTarget& target, const std::string& known_hosts,
                       const std::string& user) {
    std::string text = "Host " + name.str() + "\n    HostName ";
    for (const char c : target.address)
        text += c == '%' ? "%%" : std::string(1, c);  // before a link's name
    text += "\n";
    for (const std::string& setting : settings_of(name, target, known_hosts, user))
        text += "    " + setting + "\n";
    return text;
}

std::string ssh_proxy_config(const VmName& name, const std::string& known_hosts,
                             const std::string& user) {
    std::string text = "Host " + name.str() + "\n    ProxyCommand " + program_word() +
                       " ssh-proxy " + name.str() + "\n";
    for (const std::string& setting : settings_of(name, {}, known_hosts, user))
        if (!setting.starts_with("Port "))
            text += "    " + setting + "\n";
    return text;
}

void become_ssh(const VmName& name, const std::vector<std::string>& argv) {
    make_private_directory(data_directory());
    make_private_directory(vm_data_directory(name));
    const std::string& program = argv.at(0);
    std::vector<char*> words;
    words.reserve(argv.size() + 1);
    for (const std::string& word : argv)
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): exec does not write there
        words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    execvp(program.c_str(), words.data());
    throw LauncherError("cannot start " + program + ": " + errno_text(errno) +
                        (errno == ENOENT ? "; install openssh-client" : ""));
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/ssh.h"

#include <unistd.h>

#include <cerrno>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

// A path as ssh_config(5) takes it: it may have blanks between quotes, and "%%" is a percent sign.
std::string config_path(const std::string& path) {
    std::string text = "\"";
    for (const char c : path) {
        // There is no way to write these (OpenSSH 9.2, argv_split() in misc.c and ${} variables).
        if (c == '"' || c == '$' || c == '\\' || c == '\n')
            throw LauncherError("ssh cannot take the name of this directory: " + shown(path) +
                                "; set XDG_DATA_HOME");
        text += c == '%' ? "%%" : std::string(1, c);
    }
    return text + "\"";
}

// "Keyword value", as ssh -o takes it, too.
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

}  // namespace

std::string known_hosts_path(const VmName& name) {
    return data_directory() + "/" + name.str() + "/known_hosts";
}

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

void become_ssh(const VmName& name, const std::vector<std::string>& argv) {
    make_private_directory(data_directory());
    make_private_directory(data_directory() + "/" + name.str());
    std::vector<char*> words;
    words.reserve(argv.size() + 1);
    for (const std::string& word : argv)
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): exec does not write there
        words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    execvp("ssh", words.data());
    throw LauncherError("cannot start ssh: " + errno_text(errno) +
                        (errno == ENOENT ? "; install openssh-client" : ""));
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/seed.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/sha256.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/image/iso_image.h"
#include "launcher/image/lock.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view digits = "0123456789";

bool consists_of(std::string_view text, const std::string& characters) {
    return text.find_first_not_of(characters) == std::string_view::npos;
}

// The names that useradd(8) accepts, and those with capitals and dots that directory services have.
bool is_user_name(std::string_view name) {
    const std::string first = std::string(letters) + "_";
    return !name.empty() && name.size() <= 32 && first.find(name[0]) != std::string::npos &&
           consists_of(name, first + std::string(digits) + ".-");
}

// RFC 1123: labels of letters, digits and '-'.
bool is_hostname(std::string_view name) {
    constexpr size_t longest = 253;
    constexpr size_t longest_label = 63;
    if (name.empty() || name.size() > longest)
        return false;
    for (;;) {
        const std::string_view label = name.substr(0, name.find('.'));
        if (label.empty() || label.size() > longest_label || label.starts_with('-') ||
            label.ends_with('-') ||
            !consists_of(label, std::string(letters) + std::string(digits) + "-"))
            return false;
        if (label.size() == name.size())
            return true;
        name.remove_prefix(label.size() + 1);
    }
}

bool is_public_key(std::string_view line) {
    const auto types = {"ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-", "sk-ssh-ed25519@",
                        "sk-ecdsa-sha2-"};
    return std::any_of(types.begin(), types.end(),
                       [&](const char* type) { return line.starts_with(type); }) &&
           std::all_of(line.begin(), line.end(),
                       [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != '\x7f'; });
}

// Bytes that are not UTF-8, as in the comment of a key, are replaced.
std::string dump(const Json& json) {
    return json_text(json);
}

std::string image_of(const Seed& seed) {
    std::vector<std::pair<std::string, std::string>> files = {{"user-data", seed.user_data},
                                                              {"meta-data", seed.meta_data}};
    if (!seed.network_config.empty())
        files.emplace_back("network-config", seed.network_config);
    return iso_image("cidata", files);
}

// The text of a VM file without the line "seed = ...".
std::string without_seed_key(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, std::min(text.find('\n') + 1, text.size()));
        const std::string_view whole = line.empty() ? text : line;  // the last may have no end
        text.remove_prefix(whole.size());
        if (trimmed(whole.substr(0, whole.find('='))) != "seed")
            result += whole;
    }
    return result;
}

}  // namespace

std::string own_login_name() {
    const passwd* const user = getpwuid(getuid());  // NOLINT(concurrency-mt-unsafe): one thread
    if (user == nullptr)
        throw LauncherError("uid " + std::to_string(getuid()) +
                            " has no name here; say it with: tapgate seed NAME --user=USER");
    return user->pw_name;
}

SeedUser own_seed_user() {
    return {.name = own_login_name(), .ssh_keys = own_public_keys(home_directory())};
}

std::vector<std::string> read_public_keys(const std::string& path) {
    const auto text = read_file(path);
    if (!text)
        throw LauncherError(shown(path) + ": no such file");
    std::vector<std::string> keys;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::string_view whole = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(whole.size() + 1, rest.size()));
        const std::string_view line = trimmed(whole);
        if (line.empty() || line.starts_with('#'))
            continue;
        if (line.find("PRIVATE KEY") != std::string_view::npos)
            throw LauncherError(shown(path) +
                                " is a private key, which is nobody's to have; the public one is "
                                "most often beside it: " +
                                shown(path) + ".pub");
        if (!is_public_key(line))
            throw LauncherError(shown(path) + ": " + quoted_word(line.substr(0, 40)) +
                                " is no public SSH key, like `ssh-ed25519 AAAA...'");
        keys.emplace_back(line);
    }
    if (keys.empty())
        throw LauncherError(shown(path) + ": no public SSH key in it");
    return keys;
}

std::vector<std::string> own_public_keys(const std::string& home) {
    for (const char* name : {"id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"}) {
        const std::string path = home + "/.ssh/" + name;
        if (read_file(path))
            return read_public_keys(path);
    }
    throw LauncherError("there is no public SSH key in " + shown(home) +
                        "/.ssh; make one with: ssh-keygen -t ed25519, or say --ssh-key=FILE");
}

std::string user_data_of(const SeedUser& user) {
    if (!is_user_name(user.name))
        throw UsageError(quoted_word(user.name) +
                         " cannot be a user's name: a letter, then "
                         "letters, digits, '.', '_' and '-', 32 at most");
    // Where an image has no bash, its own users do not have it as their shell either. No password
    // may be used for SSH, but that is not set by ssh_pwauth: for that, cloud-init restarts a
    // server that may be running by then, and refuses somebody who logs in at that moment. The
    // first setting counts, so the file's name comes before 50-cloud-init.conf.
    const Json config = {{"users",
                          {{{"name", user.name},
                            {"gecos", user.name},
                            {"shell", "/bin/bash"},
                            {"sudo", "ALL=(ALL) NOPASSWD:ALL"},
                            {"lock_passwd", true},
                            {"ssh_authorized_keys", user.ssh_keys}}}},
                         {"write_files",
                          {{{"path", "/etc/ssh/sshd_config.d/40-tapgate.conf"},
                            {"content", "PasswordAuthentication no\n"}}}}};
    return "#cloud-config\n" + dump(config);
}

std::string hostname_of(const VmName& name) {
    std::string hostname = name.str();
    std::replace(hostname.begin(), hostname.end(), '_', '-');
    return hostname;
}

Seed make_seed(const VmName& name, const std::string& hostname, const std::string& user_data,
               const std::string& network_config) {
    if (!is_hostname(hostname))
        throw UsageError(quoted_word(hostname) +
                         " cannot be a hostname: letters, digits and '-', dots between labels; "
                         "say --hostname=NAME");
    const std::string content = user_data + '\0' + hostname + '\0' + network_config;
    const std::string id = "tapgate-" + name.str() + "-" + hex_text(sha256(content)).substr(0, 16);
    return {.user_data = user_data,
            .meta_data = dump(Json{{"instance-id", id}, {"local-hostname", hostname}}),
            .network_config = network_config};
}

void refresh_seed(const VmName& name) {
    constexpr size_t largest = 16UL * 1024 * 1024;
    const std::string path = seed_path(name);
    const Seed seed = make_seed(name, hostname_of(name), user_data_of(own_seed_user()), {});
    // Compare the instance-id, a hash of the whole content (each image contains its own time).
    if (const auto before = read_file(path, largest);
        before && before->find(seed.meta_data) != std::string::npos)
        return;
    refuse_used_image(path);
    make_private_directory(data_directory());
    make_private_directory(vm_data_directory(name));
    replace_file(path, image_of(seed));
}

void attach_seed(const VmName& name, const Seed& seed) {
    const std::string file = vm_file_path(name);
    const auto before = read_file(file);
    if (!before)
        throw no_such_vm(name);
    const std::string path = seed_path(name);
    // A guest that runs on this host keeps the seed that it has; on a shared home it would lose it.
    if (vm_state(name).qemu == 0)
        refuse_used_image(path);
    const VmSpec spec = describe_vm(name, parse_vm_file(file, *before)).spec;
    std::string after = without_seed_key(*before);
    const bool is_attached =
        after == *before && std::any_of(spec.disks.begin(), spec.disks.end(),
                                        [&](const Disk& one) { return one.path.str() == path; });
    if (!is_attached) {
        after += (after.empty() || after.ends_with('\n') ? "" : "\n") +
                 ("disk = " + commas_doubled(path) + ",format=raw,bus=virtio,readonly=on\n");
        // There may be no room for another disk.
        describe_vm(name, parse_vm_file(file, after));
    }
    const std::string image = image_of(seed);
    make_private_directory(data_directory());
    const HeldSignals signals;
    const bool was_there = exists(path);
    try {
        make_private_directory(vm_data_directory(name));
        replace_file(path, image);
        if (!is_attached && !replace_vm_file(name, *before, after))
            throw LauncherError(shown(file) + " was changed meanwhile; try again");
    } catch (const LauncherError&) {
        // Nothing names it.
        if (!was_there)
            unlink(path.c_str());
        // Only when nothing is in it.
        rmdir(vm_data_directory(name).c_str());
        throw;
    }
}

}  // namespace tapgate

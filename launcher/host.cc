// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/host.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "common/unique_fd.h"
#include "launcher/error.h"

namespace tapgate {

namespace {

// A VM file has a few lines; whatever is longer is something else.
constexpr size_t longest_file = 64UL * 1024;

[[noreturn]] void fail_with_errno(const std::string& what) {
    throw LauncherError(what + ": " + std::generic_category().message(errno));
}

// A variable that holds an absolute path, as the XDG base directory specification wants it.
std::optional<std::string> directory_variable(const char* name) {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    if (value == nullptr || *value != '/')
        return std::nullopt;
    return value;
}

std::string home_directory() {
    if (auto home = directory_variable("HOME"))
        return *home;
    const passwd* const user = getpwuid(getuid());  // NOLINT(concurrency-mt-unsafe): one thread
    if (user == nullptr)
        throw LauncherError("no home directory: HOME is not set, and uid " +
                            std::to_string(getuid()) + " has no entry");
    return user->pw_dir;
}

// Up to `most` bytes.
std::string read_up_to(int fd, size_t most, const std::string& path) {
    std::string text(most, '\0');
    size_t size = 0;
    while (size < most) {
        const ssize_t got = read(fd, text.data() + size, most - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            fail_with_errno(shown(path));
        if (got == 0)
            break;
        size += static_cast<size_t>(got);
    }
    text.resize(size);
    return text;
}

// The first word of a small file of the system; nothing when there is none.
std::string first_word(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
        return {};
    const std::string text = read_up_to(fd.get(), 256, path);
    return text.substr(0, text.find_first_of(" \n"));
}

bool can_open(const char* path) {
    return static_cast<bool>(UniqueFd(open(path, O_RDWR | O_CLOEXEC)));
}

std::string state_directory(const VmName& name) {
    const auto runtime = directory_variable("XDG_RUNTIME_DIR");
    return runtime.value_or("/run/user/" + std::to_string(getuid())) + "/tapgate/" + name.str();
}

void write_all(int fd, std::string_view text, const std::string& path) {
    while (!text.empty()) {
        const ssize_t written = write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            fail_with_errno(shown(path));
        text.remove_prefix(static_cast<size_t>(written));
    }
}

}  // namespace

std::string vm_file_path(const VmName& name) {
    std::string directory;
    if (const auto config = directory_variable("XDG_CONFIG_HOME"))
        directory = *config;
    else
        directory = home_directory() + "/.config";
    return directory + "/tapgate/" + name.str() + ".conf";
}

std::optional<std::string> read_vm_file(const std::string& path) {
    // Not to wait for the writer of a FIFO.
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd && errno == ENOENT)
        return std::nullopt;
    struct stat status {};
    if (!fd || fstat(fd.get(), &status) != 0)
        fail_with_errno(shown(path));
    if (!S_ISREG(status.st_mode))
        throw LauncherError(shown(path) + ": not a regular file");
    std::string text = read_up_to(fd.get(), longest_file + 1, path);
    if (text.size() > longest_file)
        throw LauncherError(shown(path) + ": longer than " + std::to_string(longest_file) +
                            " bytes");
    return text;
}

void write_vm_file(const std::string& path, const std::string& text) {
    const std::string directory = path.substr(0, path.rfind('/'));
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error)
        throw LauncherError(shown(directory) + ": " + error.message());
    // Under another name first: a full disk leaves no half VM behind, and link() refuses where
    // there is one already, which rename() does not.
    const std::string temporary = path + "." + std::to_string(getpid());
    const UniqueFd fd(
        open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd)
        fail_with_errno(shown(temporary));
    try {
        write_all(fd.get(), text, temporary);
        if (fsync(fd.get()) != 0)
            fail_with_errno(shown(temporary));
        if (link(temporary.c_str(), path.c_str()) != 0) {
            if (errno == EEXIST)
                throw LauncherError(shown(path) + ": there is a VM of this name already");
            fail_with_errno(shown(path));
        }
    } catch (...) {
        unlink(temporary.c_str());
        throw;
    }
    unlink(temporary.c_str());
}

HostFacts host_facts(const VmSpec& spec) {
    HostFacts host;
    host.accelerator = can_open("/dev/kvm") ? Accelerator::kvm : Accelerator::tcg;
    host.owner = {first_word("/etc/machine-id"), getuid()};
    host.state_directory = state_directory(spec.name);
    host.helper = TAPGATE_HELPER_PATH;
    for (const Net& net : spec.nets) {
        const auto* const bridged = std::get_if<BridgeNet>(&net.link);
        if (bridged == nullptr)
            continue;
        const std::string text = first_word("/sys/class/net/" + bridged->bridge.str() + "/mtu");
        unsigned mtu = 0;
        std::from_chars(text.data(), text.data() + text.size(), mtu);
        // What virtio can tell a guest; a bridge that is not there has none to tell.
        if (mtu >= 68 && mtu <= 65535)
            host.bridge_mtus.emplace(bridged->bridge.str(), mtu);
    }
    return host;
}

VmFds planned_fds(const VmSpec& spec) {
    const bool vhost = can_open("/dev/vhost-net");
    VmFds all;
    int next = STDERR_FILENO + 1;
    for (const Net& net : spec.nets) {
        const auto* const bridged = std::get_if<BridgeNet>(&net.link);
        if (bridged == nullptr)
            continue;
        NetFds fds;
        for (unsigned queue = 0; queue < bridged->queues; queue++)
            fds.taps.push_back(next++);
        for (unsigned queue = 0; vhost && queue < bridged->queues; queue++)
            fds.vhosts.push_back(next++);
        all.push_back(std::move(fds));
    }
    return all;
}

std::string current_directory() {
    std::error_code error;
    std::string directory = std::filesystem::current_path(error).string();
    if (error)
        throw LauncherError("the current directory: " + error.message());
    return directory;
}

}  // namespace tapgate

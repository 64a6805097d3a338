// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate-policy: says what the policy means for the user who asks, and what is wrong with it. It
// reads the policy with the same code as tapgate-helper, but is a separate program without any
// privilege: it can only read what its caller can.

#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/unique_fd.h"
#include "helper/failure.h"
#include "helper/name_service.h"
#include "helper/policy_file.h"
#include "helper/policy_tool/inspect.h"

namespace tapgate {

namespace {

constexpr const char* help_text =
    R"(Usage: tapgate-policy explain --br=BRIDGE
       tapgate-policy check [FILE]

explain says which rule decides whether you may use BRIDGE, and what it lets you
have. Exit code 0: you may, 1: you may not.
check looks for mistakes in FILE (default: )" TAPGATE_POLICY R"() and what it
includes, and notes what the holders of plain taps can do. Exit code 0: there is
no mistake.

  --br=BRIDGE  the bridge
  --version    print the version
  --help       print this text

See tapgate-policy(1) and bridge.conf(5).
)";

[[noreturn]] void usage(const std::string& why) {
    throw Failure("Usage: tapgate-policy explain --br=BRIDGE | check [FILE]: " + why);
}

struct Command {
    std::vector<std::string> words;
    std::optional<InterfaceName> bridge;
    bool help = false;
    bool version = false;
};

Command parse_command(int argc, char** argv) {
    enum Option { br, version, help };
    static constexpr std::array<option, 4> options{{
        {"br", required_argument, nullptr, br},
        {"version", no_argument, nullptr, version},
        {"help", no_argument, nullptr, help},
        {nullptr, 0, nullptr, 0},
    }};
    Command command;
    opterr = 0;
    for (;;) {
        // getopt_long() permutes argv and moves optind past a word before it complains about it.
        const int before = optind;
        switch (getopt_long(argc, argv, "", options.data(), nullptr)) {
            case br:
                command.bridge = InterfaceName::parse(optarg);
                if (!command.bridge)
                    usage("`--br=" + printable(optarg) + "' cannot be a bridge's name");
                break;
            case version:
                command.version = true;
                return command;
            case help:
                command.help = true;
                return command;
            case -1:
                command.words.assign(argv + optind, argv + argc);
                return command;
            default: {
                const int at = optind > before ? optind - 1 : before;
                usage("`" + printable(argv[at]) + "' is unknown, or lacks its value");
            }
        }
    }
}

// The number in an attribute file of a link; -1 when there is none.
int link_number(const std::string& link, const char* attribute) {
    const UniqueFd fd(
        open(("/sys/class/net/" + link + "/" + attribute).c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 16> text{};
    const ssize_t got = fd ? read(fd.get(), text.data(), text.size()) : -1;
    const auto number =
        got > 1 ? whole_number({text.data(), static_cast<size_t>(got) - 1}) : std::nullopt;
    return number ? static_cast<int>(*number) : -1;
}

// The bridges of this host, as far as this process can see them.
std::vector<HostBridge> host_bridges() {
    constexpr int net_addr_set = 3;  // NET_ADDR_SET in linux/netdevice.h
    const std::unique_ptr<DIR, int (*)(DIR*)> links(opendir("/sys/class/net"), closedir);
    if (!links)
        fail_with_errno("/sys/class/net");
    std::vector<HostBridge> bridges;
    while (const dirent* const entry = readdir(links.get())) {
        const std::string name = static_cast<const char*>(entry->d_name);
        if (access(("/sys/class/net/" + name + "/bridge").c_str(), F_OK) == 0)
            bridges.push_back({name, link_number(name, "addr_assign_type") == net_addr_set});
    }
    return bridges;
}

using Path = std::filesystem::path;

// The file and the directories on the way to it, by its name and by where that leads.
std::vector<Path> way_to(const std::string& path) {
    std::error_code missing;
    std::vector<Path> way;
    for (const Path& end : {std::filesystem::absolute(path, missing),
                            std::filesystem::weakly_canonical(path, missing)})
        for (Path part = end; !part.empty() && (way.empty() || part != way.back());
             part = part.parent_path())
            way.push_back(part);
    return way;
}

// Says in whose directories, if not root's alone, the file is found; empty when there is none.
std::string reason_for_distrust_of_directories(const std::string& path) {
    for (const Path& part : way_to(path)) {
        struct stat status {};
        if (stat(part.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
            (status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0))
            return printable(path, long_text) + ": others besides root can write to " +
                   printable(part.native(), long_text) +
                   ", and so remove the file, or put rules of their own in its place: keep it in " +
                   Path(installed_policy).parent_path().native();
    }
    return {};
}

// The command that lets every user read the file, which `policy` includes; empty when all can. Who
// cannot get as far as to the policy does not matter: he is refused.
std::string way_in(const std::string& path, const std::string& policy) {
    const std::vector<Path> known = path == policy ? std::vector<Path>() : way_to(policy);
    for (const Path& part : path == policy ? std::vector<Path>{path} : way_to(path)) {
        struct stat status {};
        if (std::find(known.begin(), known.end(), part) != known.end() ||
            stat(part.c_str(), &status) != 0)
            continue;
        const std::string shown = printable(part.native(), long_text);
        // An access control list can keep users out whom the mode lets in.
        if (getxattr(part.c_str(), "system.posix_acl_access", nullptr, 0) > 0)
            return std::string("setfacl -b ").append(shown).append(" && chmod go+rX ") + shown;
        const mode_t all = S_ISDIR(status.st_mode) ? S_IXGRP | S_IXOTH : S_IRGRP | S_IROTH;
        if ((status.st_mode & all) != all)
            return "chmod go+rX " + shown;
    }
    return {};
}

// Like read_policy_file(), but also distrusts what `policy` includes from others' directories.
ReadPolicyFile read_with_doubts(const std::string& policy) {
    return [policy](const std::string& path) {
        PolicyText file = read_policy_file(path);
        if (file.distrust.empty() && path != policy)
            file.distrust = reason_for_distrust_of_directories(path);
        return file;
    };
}

Report answer(const Command& command) {
    if (command.help)
        return {.text = help_text, .exit_code = 0};
    if (command.version)
        return {.text = "tapgate-policy " TAPGATE_VERSION "\n", .exit_code = 0};
    if (command.words.empty())
        usage("one of these two is needed");
    const std::string& verb = command.words.front();
    const size_t operands = command.words.size() - 1;
    if (verb != "explain" && verb != "check")
        usage("unexpected `" + printable(verb) + "'");
    if (operands > (verb == "check" ? 1 : 0))
        usage("unexpected `" + printable(command.words.back()) + "'" +
              (verb == "explain" && operands == 1
                   ? ": the bridge is given by --br=" + printable(command.words.back())
                   : ""));
    HostNames names;
    if (verb == "check") {
        if (command.bridge)
            usage("check is about all bridges: --br= means nothing to it");
        const std::string policy = operands == 0 ? installed_policy : command.words.back();
        const auto way = [&](const std::string& path) { return way_in(path, policy); };
        return check(policy, read_with_doubts(policy), way, names, host_bridges());
    }
    if (!command.bridge)
        usage("--br= is missing");
    const Caller caller{
        .uid = getuid(), .gid = getgid(), .privileged = false, .no_new_privs = false};
    const Policy policy = load_installed_policy();
    return explain(policy, installed_policy, *command.bridge, asker_of(caller, names), names);
}

}  // namespace

}  // namespace tapgate

int main(int argc, char** argv) {
    try {
        const tapgate::Report report = tapgate::answer(tapgate::parse_command(argc, argv));
        if (std::fputs((report.text + report.note).c_str(), stdout) < 0 || std::fflush(stdout) != 0)
            tapgate::fail_with_errno("failed to write to stdout");
        return report.exit_code;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/share_servers.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/program.h"
#include "launcher/base/text.h"
#include "launcher/base/unix_socket.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

constexpr auto listening = "3";
constexpr std::string_view way_out = "; via=9p does without virtiofsd";
constexpr std::chrono::milliseconds farewell{1000};

// The programs to try, the better ones first: a package's own before QEMU's.
std::vector<std::string> candidates() {
    std::vector<std::string> all;
    if (auto found = find_program("virtiofsd"))
        all.push_back(std::move(*found));
    all.insert(all.end(), {"/usr/libexec/virtiofsd", "/usr/lib/virtiofsd",
                           "/usr/lib/qemu/virtiofsd", "/usr/libexec/qemu/virtiofsd"});
    return all;
}

ShareServer find_share_server() {
    for (const std::string& program : candidates()) {
        if (access(program.c_str(), X_OK) != 0)
            continue;
        const ProgramResult help = run_program({program, "--help"});
        if (auto server = share_server(program, help.output + help.errors))
            return std::move(*server);
    }
    throw LauncherError(
        "share: via=virtiofs needs the program virtiofsd, which is not here (Debian "
        "13: apt install virtiofsd; Debian 12: it is in qemu-system-common)" +
        std::string(way_out));
}

// Throws unless this user can have the namespace that QEMU's own virtiofsd needs.
void require_subordinate_ids(const std::vector<std::string>& namespace_words) {
    std::vector<std::string> words = namespace_words;
    words.emplace_back("true");
    const ProgramResult result = run_program(words);
    if (result.exit_code == 0)
        return;
    throw LauncherError(
        "share: QEMU's own virtiofsd needs subordinate ids, which you cannot use (" +
        terminal_text(result.errors) +
        "); the administrator gives them: apt install uidmap; usermod --add-subuids 100000-165535 "
        "--add-subgids 100000-165535 USER" +
        std::string(way_out));
}

std::vector<std::string> namespace_words() {
    return {"unshare", "--user", "--map-root-user", "--map-auto", "--"};
}

UniqueFd listen_at(const std::string& path) {
    const auto address = unix_address(path);
    if (!address)
        throw LauncherError("the socket's path is too long: " + shown(path));
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // Left by a start that was killed.
    unlink(path.c_str());
    if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
        listen(fd.get(), 1) != 0)
        fail_with_errno(shown(path));
    return fd;
}

// A virtiofsd to which nobody has connected waits for that forever, in a child process that
// survives the one that is killed here. So connect to it and hang up at once.
void hang_up(const std::string& path) {
    static_cast<void>(connect_unix(path));
}

}  // namespace

std::optional<ShareServer> share_server(const std::string& program, const std::string& help) {
    const auto has = [&](std::string_view word) { return help.find(word) != std::string::npos; };
    if (has("--shared-dir"))
        return ShareServer{.program = program,
                           .in_c = false,
                           .can_read_only = has("--readonly"),
                           .can_squash = has("--translate-uid")};
    // Before it reads its command line, it drops its user's other groups, which only root may do.
    // Without root, it prints nothing but that for --help.
    if (has("-o source=") || has("setgroups()"))
        return ShareServer{.program = program, .in_c = true};
    return std::nullopt;
}

std::vector<std::string> share_server_argv(const ShareServer& server, const Share& share, uid_t uid,
                                           gid_t gid) {
    if (share.read_only && !server.can_read_only)
        throw LauncherError("share: " + shown(server.program) +
                            " can share nothing readonly=on; via=9p can");
    if (server.in_c) {
        std::vector<std::string> argv = uid == 0 ? std::vector<std::string>() : namespace_words();
        // A comma in the path would end it, and begin an option.
        if (share.path.str().find(',') != std::string::npos)
            throw LauncherError("share: " + shown(server.program) + " takes no comma in " +
                                shown(share.path.str()) + "; via=9p does");
        argv.insert(argv.end(), {server.program, std::string("--fd=") + listening, "-o",
                                 "source=" + share.path.str(), "-o", "sandbox=namespace"});
        return argv;
    }
    std::vector<std::string> argv = {server.program, std::string("--fd=") + listening,
                                     "--shared-dir=" + share.path.str(), "--sandbox=namespace"};
    if (server.can_squash && uid != 0) {
        constexpr std::string_view all = "squash-guest:0:";
        constexpr std::string_view users = ":4294967295";
        argv.push_back("--translate-uid=" + std::string(all) + std::to_string(uid) +
                       std::string(users));
        argv.push_back("--translate-gid=" + std::string(all) + std::to_string(gid) +
                       std::string(users));
    }
    if (share.read_only)
        argv.emplace_back("--readonly");
    return argv;
}

ShareServers::ShareServers(const VmSpec& spec, const std::string& directory)
    : vm_(spec.name.str()), log_(directory + "/virtiofsd.log") {
    std::optional<ShareServer> server;
    for (size_t i = 0; i < spec.shares.size(); i++) {
        const Share& share = spec.shares[i];
        if (share.via != ShareProtocol::virtiofs)
            continue;
        if (!server) {
            server = find_share_server();
            if (server->in_c && geteuid() != 0)
                require_subordinate_ids(namespace_words());
            unlink(log_.c_str());
            ended_.reset(epoll_create1(EPOLL_CLOEXEC));
            if (!ended_)
                fail_with_errno("epoll");
        }
        start(share_server_argv(*server, share, geteuid(), getegid()), share.tag,
              directory + "/" + share_socket(i));
    }
}

void ShareServers::start(const std::vector<std::string>& argv, const std::string& tag,
                         const std::string& socket) {
    const UniqueFd listener = listen_at(socket);
    const UniqueFd log(
        open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!log)
        fail_with_errno(shown(log_));
    const auto program = argv[0].front() == '/' ? argv[0] : find_program(argv[0]);
    if (!program)
        throw LauncherError("share: via=virtiofs needs the program " + argv[0] +
                            std::string(way_out));
    // It ignores signals as QEMU does, since a guest that powers down still writes there.
    auto process = std::make_unique<ChildProcess>(Launch{.program = *program,
                                                         .argv = argv,
                                                         .inherited = {listener.get()},
                                                         .output = log.get(),
                                                         .deaf = true});
    epoll_event event{.events = EPOLLIN, .data = {.u64 = running_.size()}};
    if (epoll_ctl(ended_.get(), EPOLL_CTL_ADD, process->pidfd(), &event) != 0)
        fail_with_errno("epoll");
    running_.push_back({tag, socket, std::move(process)});
}

ShareServers::~ShareServers() {
    for (const Running& one : running_) {
        if (!one.socket.empty() && one.process)
            hang_up(one.socket);
    }
    close_sockets();
    // By then they have written what QEMU has left to them.
    for (const Running& one : running_) {
        if (one.process)
            one.process->wait(farewell);
    }
}

void ShareServers::close_sockets() {
    for (Running& one : running_) {
        if (!one.socket.empty())
            unlink(one.socket.c_str());
        one.socket.clear();
    }
}

std::vector<std::string> ShareServers::ended() {
    std::vector<std::string> lines;
    for (Running& one : running_) {
        const auto end = one.process ? one.process->wait(std::chrono::milliseconds(0))
                                     : std::optional<ProcessEnd>();
        if (!end)
            continue;
        lines.push_back("the virtiofsd of the share " + one.tag + " has ended (" + end->text() +
                        "), and what the guest does there stands still; mend it with: tapgate "
                        "restart " +
                        vm_);
        // This closes its pidfd, which so leaves the epoll.
        one.process.reset();
    }
    return lines;
}

std::string ShareServers::failure() {
    for (const Running& one : running_) {
        const auto end = one.process ? one.process->wait(std::chrono::milliseconds(0))
                                     : std::optional<ProcessEnd>();
        if (end && !end->in_order())
            return "the virtiofsd of the share " + one.tag + " does not start (" + end->text() +
                   "): " + end_of_file(log_) + std::string(way_out);
    }
    return {};
}

}  // namespace tapgate

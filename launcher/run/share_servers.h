// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs a virtiofsd for each directory that a VM shares by virtiofs (share=DIR,via=virtiofs). It
// runs beside QEMU as the same user, listens before QEMU connects, and ends when the connection to
// QEMU is closed, for whatever reason.
//
// There are two programs of that name. The one in Rust (Debian 13: virtiofsd) makes its own user
// namespace. The one in C, from QEMU up to 7.2 (Debian 12: qemu-system-common), must be root in one
// that is made for it and has more than one user; for that the user needs subordinate ids.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/base/child_process.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// What this host's virtiofsd is, and what it can do.
struct ShareServer {
    std::string program;
    bool in_c = false;           ///< the one from QEMU
    bool can_read_only = false;  ///< it knows --readonly
    bool can_squash = false;     ///< it knows --translate-uid: files that any of the guest's users
                                 ///< writes become the user's
};

/// What a virtiofsd can do, by its --help; nothing when that is not from a virtiofsd.
std::optional<ShareServer> share_server(const std::string& program, const std::string& help);

/// The command that serves `share` on the listening socket that it inherits as 3. `uid` and `gid`
/// are this process's. Throws a LauncherError when this virtiofsd cannot serve the share.
std::vector<std::string> share_server_argv(const ShareServer& server, const Share& share, uid_t uid,
                                           gid_t gid);

/// The virtiofsds of one VM.
class ShareServers {
  public:
    /// Starts one for each virtiofs share, listening in the VM's directory. Throws a LauncherError
    /// when one cannot run here.
    ShareServers(const VmSpec& spec, const std::string& directory);
    /// Ends those that still run.
    ~ShareServers();
    ShareServers(const ShareServers&) = delete;
    ShareServers& operator=(const ShareServers&) = delete;

    /// A descriptor that poll() finds readable when one has ended that ended() has not reported
    /// yet; -1 when there are none. Still owned here.
    [[nodiscard]] int fd() const { return ended_.get(); }

    /// What the user should know about those that have ended since the last call, a line for each.
    std::vector<std::string> ended();

    /// Why one of them could not serve, in its own words; empty when none has failed.
    std::string failure();

    /// To be called when QEMU has connected to each, so that nobody else can.
    void close_sockets();

  private:
    struct Running {
        std::string tag;
        std::string socket;
        std::unique_ptr<ChildProcess> process;
    };
    void start(const std::vector<std::string>& argv, const std::string& tag,
               const std::string& socket);

    std::string vm_;
    std::string log_;
    std::vector<Running> running_;
    UniqueFd ended_;  // an epoll of their pidfds
};

}  // namespace tapgate

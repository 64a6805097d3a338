// SPDX-License-Identifier: GPL-2.0-or-later
//
// The virtiofsd of each directory that a VM has by virtiofs (share=DIR,via=virtiofs). It runs
// beside QEMU, as the same user, listens before QEMU connects, and ends when QEMU has closed that
// connection, however that came about.
//
// There are two programs of the name. The one written in Rust (Debian 13: virtiofsd) makes itself a
// user namespace. The one in C, of QEMU up to 7.2 (Debian 12: qemu-system-common), wants to be root
// in one that it is put into, with more users than one: for that the user needs subordinate ids.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/base/child_process.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// What the virtiofsd of this host is.
struct ShareServer {
    std::string program;
    bool in_c = false;           ///< QEMU's own one
    bool can_read_only = false;  ///< --readonly
    bool can_squash = false;     ///< --translate-uid: what any of the guest's users writes is the
                                 ///< user's
};

/// What a virtiofsd can, by what it prints for --help; nothing when that is no virtiofsd's.
std::optional<ShareServer> share_server(const std::string& program, const std::string& help);

/// The command that serves `share` at the listening socket that it inherits as 3. `uid`, `gid`:
/// those of this process. Throws a LauncherError when this virtiofsd cannot serve it.
std::vector<std::string> share_server_argv(const ShareServer& server, const Share& share, uid_t uid,
                                           gid_t gid);

/// The virtiofsds of one VM.
class ShareServers {
  public:
    /// Starts them, one for each share by virtiofs, listening in the VM's directory. Throws a
    /// LauncherError where one cannot run here.
    ShareServers(const VmSpec& spec, const std::string& directory);
    /// They end, at the latest.
    ~ShareServers();
    ShareServers(const ShareServers&) = delete;
    ShareServers& operator=(const ShareServers&) = delete;

    /// Readable for poll() when one has ended that ended() has not told yet; -1 where there are
    /// none.
    [[nodiscard]] int fd() const { return ended_.get(); }

    /// What the user should know of those that have ended since the last call: one line each.
    std::vector<std::string> ended();

    /// Why one of them could not serve, in its own words; empty: none has failed.
    std::string failure();

    /// QEMU has connected to each: nobody else can any more.
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

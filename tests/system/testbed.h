// SPDX-License-Identifier: GPL-2.0-or-later
//
// The test bed of the system tests: each test has its own network and mount namespaces, in which a
// privileged helper can be installed, configured and run the way QEMU runs it, and which leave
// nothing behind on the host.
//
// What a test finds:
//   - an empty network namespace (lo only) and the sysfs that belongs to it;
//   - /etc made by hand: the accounts below, no /etc/qemu, whatever the host has there;
//   - /dev made by hand, with /dev/net/tun for everybody, as distributions have it;
//   - a tmpfs at testbed_root that allows setuid and file capabilities, with the helper in it;
//   - what its suite's prepare() adds.
//
// Afterwards the process returns to the host's namespaces, so that tests can follow one another in
// one process; main.cc ensures that no process outlives the run.

#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/unique_fd.h"
#include "tests/prerequisite.h"

namespace tapgate {

struct Account {
    const char* name;
    uid_t uid;
    gid_t gid;
};

// In /etc/passwd and /etc/group of every test bed.
inline constexpr Account alice_account{"alice", 2001, 2001};
inline constexpr Account bob_account{"bob", 2002, 2002};
// A group of alice's; but for the helper, only the groups count that the caller really has.
inline constexpr gid_t students_gid = 3001;

inline constexpr const char* testbed_root = "/mnt";
inline constexpr const char* policy_file = "/etc/qemu/bridge.conf";

// The socket's number in the helper, too high to be one that the helper opens itself.
inline constexpr int socket_number = 27;

// How QEMU asks for a tap on br0, and how a refusal by the policy begins, before the rule.
inline const std::vector<std::string> usual_args = {"--use-vnet", "--fd=27", "--br=br0"};
inline constexpr const char* denied_by_acl = "access denied by acl file: ";

enum class Install { setuid, filecaps, plain };
const char* to_string(Install install);
void PrintTo(Install install, std::ostream* out);  // for gtest's messages

struct HelperOptions {
    std::string program;  // empty for the installed helper under test
    // The whole argument vector, argv[0] included, instead of {program, args...}.
    std::optional<std::vector<std::string>> argv;
    uid_t uid = alice_account.uid;
    gid_t gid = alice_account.gid;
    std::vector<gid_t> groups;
    // The last one is for a helper with AddressSanitizer: that cannot look for leaks where nobody
    // may trace, which the helper ensures.
    std::vector<std::string> env = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8",
                                    "ASAN_OPTIONS=detect_leaks=0"};
    // Runs in the child as the caller, after everything else is set up and right before exec: for
    // what QEMU does not do, such as closed stdio, limits, or something else at socket_number.
    std::function<void()> before_exec;
    // Nothing is read from the socket until the helper has ended.
    bool deaf = false;
    // The child asks to be traced by this process; it stops with SIGTRAP after exec.
    bool traced = false;
    std::chrono::milliseconds timeout{15000};
};

// The options for a request by that user.
HelperOptions as(const Account& user, std::vector<gid_t> groups = {});

struct HelperResult {
    bool timed_out = false;
    int exit_status = -1;  // -1 if a signal ended it
    int signal = 0;
    std::string out;
    std::string err;
    std::string data;  // bytes that came over the socket
    std::vector<UniqueFd> fds;
    int fd_messages = 0;
    bool control_truncated = false;
};

// A running helper, with QEMU's end of its socket; killed and reaped when it goes out of scope.
class HelperProcess {
  public:
    HelperProcess(const std::vector<std::string>& args, const HelperOptions& options);
    ~HelperProcess();
    HelperProcess(const HelperProcess&) = delete;
    HelperProcess(HelperProcess&&) = delete;
    HelperProcess& operator=(const HelperProcess&) = delete;
    HelperProcess& operator=(HelperProcess&&) = delete;

    pid_t pid() const { return pid_; }
    void kill(int signal) const;

    // Waits until it ends, at most options.timeout; then it is killed, and `timed_out'.
    HelperResult finish();

    // For the tracer, which reaps it itself.
    HelperResult collect(int wait_status);

  private:
    void drain_socket(HelperResult* result) const;

    HelperOptions options_;
    pid_t pid_ = -1;
    UniqueFd pidfd_;
    UniqueFd socket_;
    UniqueFd out_;
    UniqueFd err_;
};

class Testbed : public testing::Test {
  public:
    Testbed();
    ~Testbed() override;
    Testbed(const Testbed&) = delete;
    Testbed(Testbed&&) = delete;
    Testbed& operator=(const Testbed&) = delete;
    Testbed& operator=(Testbed&&) = delete;

    // ---- the helper ----

    // Installs the helper under test, and makes it the default of run_helper().
    void install(Install install);
    static std::string helper_path();
    // Installs the program that looks up names (mode 0711 is the right one), or a module for it
    // that the test configures: see nss_module.cc. False if the build has none.
    static bool install_lookup(mode_t mode = 0711);
    static std::string lookup_path();
    static bool install_nss_module();
    // Installs QEMU's own helper with the setuid bit; false if the host has none.
    static bool install_stock();
    static std::string stock_path();

    static HelperResult run_helper(const std::vector<std::string>& args,
                                   const HelperOptions& options = {});
    // Runs tapgate-policy as the caller in `options'. It has no privilege, however it is started.
    static HelperResult ask_policy(const std::vector<std::string>& args,
                                   HelperOptions options = {});

    // ---- files ----

    static void write_file(const std::string& path, std::string_view text, mode_t mode = 0644,
                           uid_t uid = 0, gid_t gid = 0);
    static void write_policy(std::string_view text, mode_t mode = 0644);
    static void make_directory(const std::string& path, mode_t mode = 0755, uid_t uid = 0,
                               gid_t gid = 0);
    // Listens at /dev/log, as a syslog daemon does.
    static UniqueFd open_log();
    // A path below testbed_root.
    static std::string path(std::string_view name);

    // ---- links, in the current network namespace ----

    static void add_bridge(const std::string& name, unsigned mtu = 1500);
    // The bridge br0, on which the policy gives everybody a tap.
    static void allow_br0();
    static void remove_link(const std::string& name);
    static void add_veth(const std::string& name, const std::string& peer);
    static void set_link_up(const std::string& name);
    static bool link_exists(const std::string& name);
    // /sys/class/net/NAME/ATTRIBUTE without its newline; empty if it does not exist.
    static std::string link_attribute(const std::string& name, const std::string& attribute);
    static unsigned link_flags(const std::string& name);
    static std::vector<std::string> links();
    static std::vector<std::string> taps();

    /// The name of the only tap; if there are none or several, something that cannot be a name.
    static std::string the_tap();
    static std::vector<std::string> ports(const std::string& bridge);
    // True as soon as there is no tap; after a kill, the kernel may take some ms.
    static bool no_taps_left();
    // The interface that a tap fd belongs to.
    static std::string tap_name(int fd);
    static unsigned tap_flags(int fd);

  protected:
    void SetUp() final;
    // What a suite's tests have in common: called once the bed is made, and only then.
    virtual void prepare() {}
    // How the helper is installed for them.
    virtual Install way_to_install() const { return Install::setuid; }
    // Whether SetUp() has succeeded: then everything above is about the test's own namespaces, and
    // not the host's.
    bool is_set_up() const { return is_set_up_; }

  private:
    void enter_namespaces();
    void leave_namespaces();

    UniqueFd host_net_;
    UniqueFd host_mnt_;
    UniqueFd host_cwd_;
    bool is_set_up_ = false;
};

// Runs the same tests for both ways to install.
class BothInstalls : public Testbed, public testing::WithParamInterface<Install> {
  protected:
    Install way_to_install() const override { return GetParam(); }
};
std::string install_name(const testing::TestParamInfo<Install>& info);
// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): gtest's is one too
#define TAPGATE_BOTH_INSTALLS(suite)                                                              \
    INSTANTIATE_TEST_SUITE_P(Install, suite, testing::Values(Install::setuid, Install::filecaps), \
                             install_name)

// --- What a run's result must be

// Exit 0 with exactly one zero byte and `fds' tap fds in one message, and nothing on stderr.
testing::AssertionResult granted(const HelperResult& run, std::size_t fds = 1);
// Exit 1 with one line that begins with `beginning`, nothing sent, no tap left.
testing::AssertionResult failed(const HelperResult& run, std::string_view beginning);
// Like failed(), and the line contains `part'.
testing::AssertionResult failed_saying(const HelperResult& run, std::string_view beginning,
                                       std::string_view part);
std::string describe(const HelperResult& run);

// Throws a std::runtime_error, with errno in words, unless `ok`.
void check_call(bool ok, const std::string& what);

// The address of /dev/log.
sockaddr_un log_address();
// True when TAPGATE_LONG=1.
bool long_run();
std::string read_text(const std::string& path);

}  // namespace tapgate

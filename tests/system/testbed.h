// SPDX-License-Identifier: GPL-2.0-or-later
//
// The test bed of the system tests: each test has its own network and mount namespaces, in which a
// privileged helper can be installed, configured and run the way QEMU runs it, and which leave
// nothing behind on the host.
//
// What a test finds:
//   - an empty network namespace (lo only) and the sysfs that belongs to it;
//   - /etc made by hand, with the accounts of helper_process.h and no /etc/qemu;
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

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/unique_fd.h"
#include "tests/prerequisite.h"
#include "tests/system/helper_process.h"

namespace tapgate {

inline constexpr const char* testbed_root = "/mnt";
inline constexpr const char* policy_file = "/etc/qemu/bridge.conf";

enum class Install { setuid, filecaps, plain };
const char* to_string(Install install);
void PrintTo(Install install, std::ostream* out);  // for gtest's messages

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
    // Runs tapgate-policy as the caller in `options`. It has no privilege, however it is started.
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

// Throws a std::runtime_error, with errno in words, unless `ok`.
void check_call(bool ok, const std::string& what);

// The address of /dev/log.
sockaddr_un log_address();
// True when TAPGATE_LONG=1.
bool long_run();
std::string read_text(const std::string& path);

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// The launcher's side of the helper (launcher/network/helper_client.h) as an unprivileged user,
// against the real helper.

#include "launcher/network/helper_client.h"

#include <grp.h>
#include <net/if.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <string>

#include <gmock/gmock.h>

#include "tests/system/testbed.h"

namespace tapgate {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// What `action` returns, or the text of its exception, in a process of alice's own.
std::string as_alice(const std::function<std::string()>& action) {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0)
        return "pipe";
    UniqueFd result(ends[0]);
    UniqueFd theirs(ends[1]);
    const pid_t child = fork();
    if (child == 0) {
        std::string text = "cannot become alice";
        if (setgroups(0, nullptr) == 0 &&
            setresgid(alice_account.gid, alice_account.gid, alice_account.gid) == 0 &&
            setresuid(alice_account.uid, alice_account.uid, alice_account.uid) == 0) {
            // A helper with AddressSanitizer cannot look for leaks where nobody may trace.
            setenv("ASAN_OPTIONS", "detect_leaks=0", 1);  // NOLINT(concurrency-mt-unsafe)
            try {
                text = action();
            } catch (const std::exception& error) {
                text = error.what();
            }
        }
        _exit(write(theirs.get(), text.data(), text.size()) < 0 ? 1 : 0);
    }
    theirs.reset();
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = read(result.get(), buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(), static_cast<std::size_t>(got));
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    return text;
}

TapRequest tap_request(const std::string& bridge) {
    return {.bridge = *InterfaceName::parse(bridge),
            .queues = 1,
            .vnet_header = true,
            .mac = MacAddress::parse("52:54:00:12:34:56"),
            .vm = VmName::parse("lab-1")};
}

// What the helper gave, in words.
std::string describe_taps(const std::vector<UniqueFd>& fds) {
    std::string text;
    for (const UniqueFd& fd : fds) {
        const unsigned flags = Testbed::tap_flags(fd.get());
        const std::string name = Testbed::tap_name(fd.get());
        text += name == Testbed::the_tap() ? "the tap" : name;
        text += (flags & unsigned{IFF_VNET_HDR}) != 0 ? " vnet" : "";
        text += (flags & unsigned{IFF_MULTI_QUEUE}) != 0 ? " multi" : "";
        text += ";";
    }
    return text;
}

std::string request_as_alice(const TapRequest& request) {
    return as_alice([&] { return describe_taps(request_taps(Testbed::helper_path(), request)); });
}

class HelperClient : public BothInstalls {
  protected:
    void prepare() override {
        add_bridge("br0");
        write_policy("allow br0 queues=2\nallow br9\ndeny br1\n");
    }
};

TEST_P(HelperClient, TakesATap) {
    EXPECT_EQ(request_as_alice(tap_request("br0")), "the tap vnet;");
    EXPECT_TRUE(no_taps_left());
    TapRequest plain = tap_request("br0");
    plain.vnet_header = false;
    EXPECT_EQ(request_as_alice(plain), "the tap;");
}

TEST_P(HelperClient, TakesEveryQueue) {
    TapRequest request = tap_request("br0");
    request.queues = 2;
    EXPECT_EQ(request_as_alice(request), "the tap vnet multi;the tap vnet multi;");
    request.queues = 3;
    EXPECT_THAT(request_as_alice(request),
                StartsWith("no tap on br0 from tapgate-helper: access denied by acl file: "
                           "/etc/qemu/bridge.conf:1: allow br0 queues=2"));
    EXPECT_TRUE(no_taps_left());
}

TEST_P(HelperClient, TheTapHasTheVmsNameAndMac) {
    EXPECT_EQ(as_alice([] {
                  const auto fds = request_taps(Testbed::helper_path(), tap_request("br0"));
                  const std::string tap = Testbed::tap_name(fds.at(0).get());
                  return Testbed::link_attribute(tap, "ifalias");
              }),
              "tapgate uid=2001 vm=lab-1 mac=52:54:00:12:34:56");
}

TEST_P(HelperClient, RefusalsAreTheHelpersOwnWords) {
    EXPECT_EQ(request_as_alice(tap_request("br1")),
              "no tap on br1 from tapgate-helper: access denied by acl file: "
              "/etc/qemu/bridge.conf:3: deny br1");
    EXPECT_THAT(request_as_alice(tap_request("br9")),
                StartsWith("no tap on br9 from tapgate-helper: "));
    // Including the line of the mistake, and its caret.
    write_policy("allow br0\nalow br1\n");
    EXPECT_THAT(request_as_alice(tap_request("br0")), HasSubstr("bridge.conf:2: "));
    EXPECT_THAT(taps(), IsEmpty());
}

TEST_P(HelperClient, NoPrivilegeIsSaid) {
    install(Install::plain);
    EXPECT_THAT(request_as_alice(tap_request("br0")),
                StartsWith("no tap on br0 from tapgate-helper: "));
    install(GetParam());
    // As in a unit with NoNewPrivileges=, in a container, or under QEMU's sandbox.
    const std::string text = as_alice([] {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        return describe_taps(request_taps(Testbed::helper_path(), tap_request("br0")));
    });
    EXPECT_THAT(text, StartsWith("no tap on br0 from tapgate-helper: "));
    EXPECT_THAT(text, testing::ContainsRegex("[Nn]o.?[Nn]ew.?[Pp]riv"));
    EXPECT_THAT(taps(), IsEmpty());
}

// Killed while it starts, when a setuid program already belongs to root: nothing is left over. One
// of them succeeds only if this process does not get a processor for as long as a whole request
// takes.
TEST_P(HelperClient, ATimeLimitThatIsOverAtOnce) {
    int killed = 0;
    for (int i = 0; i < 20; ++i) {
        const std::string outcome = as_alice([] {
            return describe_taps(request_taps(Testbed::helper_path(), tap_request("br0"),
                                              std::chrono::milliseconds(0)));
        });
        if (outcome.find("did not end within 0 ms and was killed") != std::string::npos)
            ++killed;
        else
            EXPECT_THAT(outcome, StartsWith("the tap vnet;"));
        EXPECT_TRUE(no_taps_left());
    }
    EXPECT_GT(killed, 0);
}

// The test bed's /dev has no vhost-net.
TEST_P(HelperClient, NoVhostIsNoFailure) {
    EXPECT_EQ(as_alice([] { return open_vhost(2).why_not; }),
              "/dev/vhost-net: No such file or directory");
}

TAPGATE_BOTH_INSTALLS(HelperClient);

}  // namespace
}  // namespace tapgate

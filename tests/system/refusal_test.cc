// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the helper refuses, in which words, and that nothing is left: by the policy, for what is no
// bridge, and for arguments that it cannot take.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/system/testbed.h"
#include "tests/system/tracer.h"

namespace tapgate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* usage_words = "Usage: ";

class Refusal : public BothInstalls {
  protected:
    void prepare() override { allow_br0(); }
};
TAPGATE_BOTH_INSTALLS(Refusal);

class Arguments : public BothInstalls {
  protected:
    void prepare() override { allow_br0(); }
};
TAPGATE_BOTH_INSTALLS(Arguments);

// --- By the policy

TEST_P(Refusal, NamesTheRule) {
    write_policy("# lab\n\nallow br1\n\n\nallow all\n deny br0 \n");
    EXPECT_TRUE(failed(run_helper(usual_args),
                       "access denied by acl file: /etc/qemu/bridge.conf:7: deny br0"));
}

TEST_P(Refusal, ShowsATabAsABlank) {
    write_policy("deny\tbr0\n");
    EXPECT_TRUE(failed(run_helper(usual_args),
                       "access denied by acl file: /etc/qemu/bridge.conf:1: deny br0"));
}

TEST_P(Refusal, SaysThatNoRuleAllows) {
    write_policy("allow br1\n");
    EXPECT_TRUE(failed(run_helper(usual_args),
                       "access denied by acl file: /etc/qemu/bridge.conf: no rule allows br0"));
}

TEST_P(Refusal, WithoutAPolicy) {
    unlink(policy_file);
    EXPECT_TRUE(
        failed(run_helper(usual_args), "failed to parse default acl file `/etc/qemu/bridge.conf'"));
    rmdir("/etc/qemu");
    EXPECT_TRUE(
        failed(run_helper(usual_args), "failed to parse default acl file `/etc/qemu/bridge.conf'"));
}

TEST_P(Refusal, OfAPolicyThatCannotBeRead) {
    write_policy("allow br0\n", 0600);
    EXPECT_TRUE(
        failed(run_helper(usual_args), "failed to parse default acl file `/etc/qemu/bridge.conf'"));
}

TEST_P(Refusal, NamesThePlaceOfASyntaxError) {
    write_policy("allow br0\npermit br0\n");
    EXPECT_TRUE(failed_saying(run_helper(usual_args), "", "/etc/qemu/bridge.conf:2:"));
    write_policy("allow br0\ngarbage\n");
    EXPECT_TRUE(failed_saying(run_helper(usual_args), "", "/etc/qemu/bridge.conf:2:"));
}

TEST_P(Refusal, NoSuchBridge) {
    write_policy("allow all\n");
    EXPECT_TRUE(failed(run_helper({"--use-vnet", "--fd=27", "--br=nosuch"}),
                       "failed to get mtu of bridge `nosuch'"));
}

TEST_P(Refusal, NotABridge) {
    write_policy("allow all\n");
    add_veth("veth0", "veth1");
    EXPECT_TRUE(failed_saying(run_helper({"--fd=27", "--br=veth0"}), "",
                              "veth0 is not a bridge (it is a veth)"));
    EXPECT_TRUE(failed_saying(run_helper({"--fd=27", "--br=lo"}), "", "lo is not a bridge"));
    // A port of a bridge is no bridge either.
    const HelperResult run = run_helper(usual_args);
    ASSERT_TRUE(granted(run));
    const HelperResult nested = run_helper({"--fd=27", "--br=" + the_tap()});
    EXPECT_EQ(nested.exit_status, 1);
    EXPECT_THAT(nested.err, HasSubstr(the_tap() + " is not a bridge"));
    EXPECT_THAT(taps(), ElementsAre(the_tap()));
}

TEST_P(Refusal, NotABridgeIsSaidBeforeATapIsMade) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    write_policy("allow all\n");
    add_veth("veth0", "veth1");
    bool made = false;
    const HelperResult run = run_traced({"--fd=27", "--br=veth0"}, {}, [&](const TracedCall& call) {
        made |= makes_tap(call);
        return TraceAction{};
    });
    EXPECT_TRUE(failed_saying(run, "", "veth0 is not a bridge (it is a veth)"));
    EXPECT_FALSE(made);
}

TEST_P(Refusal, NamesThatAreTooLong) {
    write_policy("allow all\n");
    for (const std::size_t length : {16U, 17U, 255U, 4096U, 100000U}) {
        EXPECT_TRUE(failed(run_helper({"--fd=27", "--br=" + std::string(length, 'b')}), ""));
    }
    // The longest name has 15 bytes.
    const std::string longest(15, 'b');
    add_bridge(longest);
    EXPECT_TRUE(granted(run_helper({"--fd=27", "--br=" + longest})));
}

TEST_P(Refusal, NamesThatAreNone) {
    write_policy("allow all\n");
    for (const char* name : {"", ".", "..", "a/b", "../br0", "br0 ", " br0", "br0\n", "br0:1",
                             "br0\x1b[2J", "tap%d", "\xff\xfe"}) {
        EXPECT_TRUE(failed(run_helper({"--fd=27", std::string("--br=") + name}), ""))
            << "bridge name \"" << name << '"';
    }
}

TEST_P(Refusal, NamesAreNotReflectedRaw) {
    // The message goes to a terminal or a log, where the caller's control bytes could do harm.
    const HelperResult run = run_helper({"--fd=27", "--br=br0\x1b[31m\nfake line"});
    EXPECT_TRUE(failed(run, ""));
    EXPECT_EQ(run.err.find('\x1b'), std::string::npos);
}

// --- Arguments

TEST_P(Arguments, FdMustBeANumber) {
    for (const char* fd : {"abc", "", "-1", "27x", " 27", "+27", "0x1b", "4294967323", "4294967299",
                           "99999999999999999999", "27 ", "2147483648"}) {
        EXPECT_TRUE(failed(run_helper({"--br=br0", std::string("--fd=") + fd}), ""))
            << "--fd=" << fd;
    }
}

TEST_P(Arguments, FdThatIsNotOpen) {
    EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=28"}), ""));
}

TEST_P(Arguments, FdThatIsNotASocket) {
    const auto at_socket_number = [](int fd) {
        dup2(fd, socket_number);
        close(fd);
    };
    HelperOptions options;
    options.before_exec = [&] { at_socket_number(open("/etc/passwd", O_RDONLY | O_CLOEXEC)); };
    EXPECT_TRUE(failed(run_helper(usual_args, options), "")) << "a file";
    options.before_exec = [&] { at_socket_number(open("/etc", O_RDONLY | O_CLOEXEC)); };
    EXPECT_TRUE(failed(run_helper(usual_args, options), "")) << "a directory";
    options.before_exec = [&] { at_socket_number(open("/dev/null", O_RDWR | O_CLOEXEC)); };
    EXPECT_TRUE(failed(run_helper(usual_args, options), "")) << "a device";
    options.before_exec = [&] {
        std::array<int, 2> ends{};
        if (pipe2(ends.data(), O_CLOEXEC) == 0)
            at_socket_number(ends[1]);
    };
    EXPECT_TRUE(failed(run_helper(usual_args, options), "")) << "a pipe";
    options.before_exec = [&] { at_socket_number(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); };
    EXPECT_TRUE(failed(run_helper(usual_args, options), "")) << "an IP socket";
    options.before_exec = [&] { at_socket_number(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); };
    EXPECT_TRUE(failed(run_helper(usual_args, options), "")) << "a socket without a peer";
}

TEST_P(Arguments, PeerThatIsGone) {
    HelperOptions options;
    options.before_exec = [] {
        std::array<int, 2> ends{};
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0) {
            dup2(ends[1], socket_number);
            close(ends[0]);
            close(ends[1]);
        }
    };
    EXPECT_TRUE(failed(run_helper(usual_args, options), "failed to write fd to unix socket: "));
}

TEST_P(Arguments, MissingArguments) {
    EXPECT_TRUE(failed(run_helper({}), usage_words));
    EXPECT_TRUE(failed(run_helper({"--use-vnet"}), usage_words));
    EXPECT_TRUE(failed(run_helper({"--br=br0"}), usage_words));
    EXPECT_TRUE(failed(run_helper({"--fd=27"}), usage_words));
    EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd"}), usage_words));
    // An option and its value may be two arguments, as for the stock helper's getopt_long().
    EXPECT_TRUE(granted(run_helper({"--br", "br0", "--fd", "27"})));
}

TEST_P(Arguments, UnknownArguments) {
    for (const char* extra : {"--nonsense", "br0", "", "-", "-v", "--br", "--use-vnet=1",
                              "--queues", "--BR=br0", "--fd27"}) {
        EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=27", extra}), usage_words))
            << "argument \"" << extra << '"';
    }
}

TEST_P(Arguments, BadValues) {
    for (const char* extra : {"--queues=0",
                              "--queues=-1",
                              "--queues=x",
                              "--queues=",
                              "--queues=1000000",
                              "--queues=4294967297",
                              "--mac=",
                              "--mac=52:54:00:aa:bb",
                              "--mac=52:54:00:aa:bb:cc:dd",
                              "--mac=52-54-00-aa-bb-cc",
                              "--mac=53:54:00:aa:bb:cc",
                              "--mac=00:00:00:00:00:00",
                              "--mac=52:54:00:aa:bb:c",
                              "--mac=52:54:00:aa:bb:gg",
                              "--vm=",
                              "--vm=a b",
                              "--vm=a\nuid=0",
                              "--vm=-rf",
                              "--vm=a,b",
                              "--vm=a=b"}) {
        EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=27", extra}), ""))
            << "argument \"" << extra << '"';
    }
    EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=27", "--vm=" + std::string(300, 'a')}), ""));
}

TEST_P(Arguments, HugeArguments) {
    const std::string huge(130000, 'x');
    EXPECT_TRUE(failed(run_helper({huge}), usage_words));
    EXPECT_TRUE(failed(run_helper({"--br=" + huge, "--fd=27"}), ""));
    EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=" + huge}), ""));
    EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=" + std::string(130000, '9')}), ""));
    EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=27", "--vm=" + huge}), ""));
    EXPECT_TRUE(failed(run_helper(std::vector<std::string>(20000, "--use-vnet")), usage_words));
}

// CVE-2021-4034 (pkexec): argc may be 0. Linux makes it 1 with an empty argv[0] since 5.18.
TEST_P(Arguments, NoArgumentVectorAtAll) {
    HelperOptions options;
    options.argv = std::vector<std::string>{};
    EXPECT_TRUE(failed(run_helper({}, options), usage_words));
    options.argv = std::vector<std::string>{"", "--use-vnet", "--br=br0", "--fd=27"};
    EXPECT_TRUE(granted(run_helper({}, options)));
}

TEST_P(Arguments, ModesThatMakeNothing) {
    for (const auto* arg : {"--version", "--help"}) {
        const HelperResult run = run_helper({arg});
        EXPECT_EQ(run.exit_status, 0) << arg << ": " << describe(run);
        EXPECT_THAT(run.out, HasSubstr("tapgate-helper ")) << arg;
        EXPECT_THAT(run.err, IsEmpty()) << arg;
        EXPECT_THAT(run.data, IsEmpty()) << arg;
    }
    EXPECT_THAT(taps(), IsEmpty());
}

}  // namespace
}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which virtiofsd it is, and what it is told. That it serves a guest is tests/system/shares.sh's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launcher/run/share_servers.h"
#include "launcher/vm/description.h"
#include "launcher/vm/setting.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Share share(const std::string& value) {
    return describe_vm(VmName::parse("lab").value(), {command_line_setting("share", value, "/")})
        .spec.shares.at(0);
}

constexpr uid_t alice = 1000;
constexpr gid_t her_group = 100;

TEST(ShareServer, IsKnownByItsHelp) {
    const auto rust = share_server("/v", "--shared-dir <D> --readonly --translate-uid <T>");
    ASSERT_TRUE(rust);
    EXPECT_FALSE(rust->in_c);
    EXPECT_TRUE(rust->can_read_only);
    EXPECT_TRUE(rust->can_squash);
    const auto old_rust = share_server("/v", "--shared-dir <D>");
    ASSERT_TRUE(old_rust);
    EXPECT_FALSE(old_rust->can_read_only || old_rust->can_squash);
    const auto c = share_server("/v", "    -o source=PATH             shared directory tree");
    ASSERT_TRUE(c);
    EXPECT_TRUE(c->in_c);
    // To a user with more groups than one it says nothing else.
    EXPECT_TRUE(share_server("/v", "setgroups() failed with error=1")->in_c);
    EXPECT_FALSE(share_server("/v", "usage: something else"));
}

TEST(ShareServer, InRustIsToldWhoseTheFilesAre) {
    const ShareServer server{.program = "/v", .can_read_only = true, .can_squash = true};
    EXPECT_THAT(share_server_argv(server, share("/a,,b,readonly=on"), alice, her_group),
                ElementsAre("/v", "--fd=3", "--shared-dir=/a,b", "--sandbox=namespace",
                            "--translate-uid=squash-guest:0:1000:4294967295",
                            "--translate-gid=squash-guest:0:100:4294967295", "--readonly"));
    // Root's files are the guest's users'.
    EXPECT_THAT(share_server_argv(server, share("/a"), 0, 0),
                ElementsAre("/v", "--fd=3", "--shared-dir=/a", "--sandbox=namespace"));
}

TEST(ShareServer, InCIsRootOfANamespace) {
    const ShareServer server{.program = "/v", .in_c = true};
    EXPECT_THAT(share_server_argv(server, share("/a"), alice, her_group),
                ElementsAre("unshare", "--user", "--map-root-user", "--map-auto", "--", "/v",
                            "--fd=3", "-o", "source=/a", "-o", "sandbox=namespace"));
    // A comma would begin an option of its own: sandbox, say.
    EXPECT_THAT(error_of([&] { share_server_argv(server, share("/a,,b"), alice, her_group); }),
                HasSubstr("takes no comma in /a,b; via=9p does"));
    EXPECT_THAT(
        error_of([&] { share_server_argv(server, share("/a,readonly=on"), alice, her_group); }),
        HasSubstr("/v can share nothing readonly=on; via=9p can"));
}

}  // namespace
}  // namespace tapgate

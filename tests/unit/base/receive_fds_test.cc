// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/fd_passing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "launcher/base/receive_fds.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

class FdPassing : public testing::Test {
  protected:
    FdPassing() {
        int pair[2] = {-1, -1};
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        here_.reset(pair[0]);
        there_.reset(pair[1]);
    }

    static std::vector<UniqueFd> null_devices(size_t count) {
        std::vector<UniqueFd> fds;
        for (size_t i = 0; i < count; i++)
            fds.emplace_back(open("/dev/null", O_RDWR));
        return fds;
    }

    // The errno of what receive_fds() throws; 0 when it does not.
    int receive_error(size_t most) {
        try {
            receive_fds(here_.get(), most);
        } catch (const std::system_error& error) {
            return error.code().value();
        }
        return 0;
    }

    UniqueFd here_;
    UniqueFd there_;
};

bool is_null_device(int fd) {
    struct stat opened {};
    struct stat null {};
    return fstat(fd, &opened) == 0 && stat("/dev/null", &null) == 0 &&
           opened.st_rdev == null.st_rdev;
}

TEST_F(FdPassing, BringsEveryDescriptorOpenAndCloseOnExec) {
    for (const size_t count : {size_t{1}, size_t{2}, max_fds_in_message}) {
        send_fds(there_.get(), null_devices(count));
        const auto fds = receive_fds(here_.get(), max_fds_in_message);
        ASSERT_EQ(fds.size(), count);
        for (const UniqueFd& fd : fds) {
            EXPECT_TRUE(is_null_device(fd.get()));
            EXPECT_EQ(fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
        }
    }
}

// What QEMU 7.2 does, byte for byte: room for one descriptor, one data byte.
TEST_F(FdPassing, IsWhatQemuReads) {
    send_fds(there_.get(), null_devices(1));
    char byte = 1;
    iovec data{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ASSERT_EQ(recvmsg(here_.get(), &message, 0), 1);
    EXPECT_EQ(byte, 0);
    EXPECT_EQ(message.msg_flags & MSG_CTRUNC, 0);
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    ASSERT_NE(header, nullptr);
    EXPECT_EQ(header->cmsg_type, SCM_RIGHTS);
    EXPECT_EQ(header->cmsg_len, CMSG_LEN(sizeof(int)));
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    EXPECT_TRUE(is_null_device(UniqueFd(fd).get()));
}

TEST_F(FdPassing, AClosedPeerIsAnErrorAndNotASignal) {
    here_.reset();
    const auto error =
        exception_of<std::system_error>([&] { send_fds(there_.get(), null_devices(1)); });
    EXPECT_EQ(error.code().value(), EPIPE);
}

TEST_F(FdPassing, SendsAtLeastOneAndAtMostWhatTheKernelTakes) {
    EXPECT_THROW(send_fds(there_.get(), {}), std::system_error);
    EXPECT_THROW(send_fds(there_.get(), null_devices(max_fds_in_message + 1)), std::system_error);
}

TEST_F(FdPassing, APeerThatClosesSentNothing) {
    there_.reset();
    EXPECT_TRUE(receive_fds(here_.get(), 1).empty());
}

TEST_F(FdPassing, RefusesAnythingButTheHelpersMessage) {
    ASSERT_EQ(send(there_.get(), "", 1, 0), 1);  // a byte, and no descriptor
    EXPECT_EQ(receive_error(1), EPROTO);

    send_fds(there_.get(), null_devices(3));  // more than asked for
    EXPECT_EQ(receive_error(2), EPROTO);

    ASSERT_EQ(send(there_.get(), "x", 1, 0), 1);  // a byte that is not 0
    EXPECT_EQ(receive_error(1), EPROTO);

    here_.reset();
    EXPECT_EQ(receive_error(1), EBADF);
}

// A refused message's descriptors must not stay open: the lowest free number tells.
TEST_F(FdPassing, ARefusedMessageLeaksNothing) {
    const int lowest_before = UniqueFd(dup(here_.get())).get();
    send_fds(there_.get(), null_devices(3));
    EXPECT_EQ(receive_error(2), EPROTO);
    EXPECT_EQ(UniqueFd(dup(here_.get())).get(), lowest_before);
}

}  // namespace
}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// Messages to the kernel's rtnetlink(7), and its answers. libnl builds and parses the messages. The
// socket is plain system calls: libnl's own also asks the kernel for buffer sizes and port numbers,
// which a program that sends a few messages does not need.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>

#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "common/names.h"
#include "common/unique_fd.h"

namespace tapgate {

/// The kernel refused a question or a change.
class LinkError : public std::system_error {
  public:
    LinkError(int error_number, std::string step)
        : std::system_error(
              error_number, std::generic_category(),
              "failed to read or change network links" + (step.empty() ? "" : ": " + step)),
          step_(std::move(step)) {}

    /// Which of the changes was refused, as in "mac-lock"; empty where there is nothing to add.
    [[nodiscard]] const std::string& step() const { return step_; }

  private:
    std::string step_;
};

/// One message, and the step that a LinkError names when the kernel refuses it. Every put throws
/// LinkError (EMSGSIZE) when there is no room left.
class NetlinkRequest {
  public:
    template <typename Header>
    NetlinkRequest(int type, int flags, const Header& header, std::string step = "")
        : message_(nlmsg_alloc_size(room)), step_(std::move(step)) {
        nlmsghdr* start =
            message_ ? nlmsg_put(message_.get(), 0, 0, type, sizeof header, NLM_F_REQUEST | flags)
                     : nullptr;
        if (start == nullptr)
            throw std::bad_alloc();
        std::memcpy(nlmsg_data(start), &header, sizeof header);
    }

    NetlinkRequest& put(int attribute, const void* data, size_t size);
    template <typename Integer>
    NetlinkRequest& put(int attribute, Integer value) {
        return put(attribute, &value, sizeof value);
    }
    NetlinkRequest& put(int attribute, const std::string& text) {
        return put(attribute, text.c_str(), text.size() + 1);
    }
    NetlinkRequest& put(int attribute, const MacAddress& mac) {
        return put(attribute, mac.bytes().data(), mac.bytes().size());
    }

    /// Puts `attribute`, which contains all that `fill` puts.
    NetlinkRequest& nest(int attribute, const std::function<void(NetlinkRequest&)>& fill);

    /// Puts `data` as it is, without an attribute header.
    NetlinkRequest& append(const void* data, size_t size);

    [[nodiscard]] nlmsghdr* header() const { return nlmsg_hdr(message_.get()); }
    [[nodiscard]] const std::string& step() const { return step_; }

  private:
    struct Free {
        void operator()(nl_msg* message) const { nlmsg_free(message); }
    };
    static constexpr size_t room = 1024;  // enough for names, an address and an alias
    std::unique_ptr<nl_msg, Free> message_;
    std::string step_;
};

/// A socket to the rtnetlink of this process's network namespace, close-on-exec. The caller owns
/// it. Throws Failure.
UniqueFd open_netlink_socket();

/// Sends `requests` in one packet, which the kernel processes in order, and reads answers. Gives
/// each link in them (RTM_NEWLINK) to `take`, which returns whether to read on. Ends when `take`
/// says so, or when the kernel reports the end or an acknowledgement (only the last request may ask
/// for one, by NLM_F_ACK). Throws LinkError when the kernel refuses a request; it has processed the
/// later ones all the same.
void exchange(int socket, std::vector<NetlinkRequest>& requests,
              const std::function<bool(nlmsghdr*)>& take);

}  // namespace tapgate

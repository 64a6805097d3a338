// SPDX-License-Identifier: GPL-2.0-or-later
//
// A guest's agent for tests.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/unique_fd.h"
#include "tests/unit/testing.h"

namespace tapgate {

// Played by a thread that answers each request with the next of `answers`. In those,
// "ID" stands for the id of the request.

class FakeAgent {
  public:
    explicit FakeAgent(std::vector<std::string> answers) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path().copy(address.sun_path, sizeof address.sun_path - 1);
        listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(listen(listener_.get(), 1), 0);
        thread_ = std::thread([this, answers = std::move(answers)] { answer(answers); });
    }
    ~FakeAgent() {
        shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
    }
    FakeAgent(const FakeAgent&) = delete;
    FakeAgent& operator=(const FakeAgent&) = delete;

    [[nodiscard]] std::string path() const { return directory_.file("agent.sock"); }

    // What it was asked so far.
    std::string requests() {
        const std::lock_guard guard(mutex_);
        return requests_;
    }

  private:
    void answer(const std::vector<std::string>& answers) {
        const UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        std::string id;
        for (std::string text : answers) {
            std::string request(4096, '\0');
            const ssize_t got = recv(client.get(), request.data(), request.size(), 0);
            request.resize(got > 0 ? static_cast<size_t>(got) : 0);
            if (const size_t at = request.find("\"id\":"); at != std::string::npos)
                id = request.substr(at + 5, request.find('}', at) - at - 5);
            if (const size_t at = text.find("ID"); at != std::string::npos)
                text.replace(at, 2, id);
            {
                const std::lock_guard guard(mutex_);
                requests_ += request;
            }
            send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
        }
        // Until the other side has gone.
        char rest = 0;
        while (recv(client.get(), &rest, 1, 0) > 0) {
        }
    }

    TemporaryDirectory directory_;
    std::mutex mutex_;
    std::string requests_;
    UniqueFd listener_;
    std::thread thread_;
};

inline constexpr const char* synchronized = "\xff{\"return\": ID}\n";

}  // namespace tapgate
